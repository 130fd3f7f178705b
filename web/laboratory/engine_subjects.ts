/**
 * @file Whose field or flow it is: what a run has learned so far, or a sum of potentials that were
 * kept, each as a potential with parameters on the device.
 */
import { VapoError } from "../../core/errors.ts";
import type { GaussianPath } from "../../core/homotopy/gaussian_path.ts";
import type { Potential } from "../../core/potential/potential.ts";
import { sumOfPotentials, sumParameters } from "../../core/potential/sum.ts";
import { type TensorRecord, tf } from "../../core/tensor/mod.ts";
import type { KeptPotential, Subject } from "./engine_types.ts";

/** A potential that pictures are made of. */
export interface PotentialSubject {
  /** What programs are compiled for: the same key, the same potential and path. */
  readonly key: string;
  /** The same stamp, the same values besides. */
  readonly stamp: string;
  /** The training step that it is of. */
  readonly step: number;
  readonly potential: Potential;
  readonly path: GaussianPath;
  readonly parameters: TensorRecord;
}

/** A potential as it was, its parameters on the host: it outlives its run, and its run's device. */
interface Kept extends KeptPotential {
  readonly potential: Potential;
  readonly path: GaussianPath;
  readonly parameters: ReadonlyMap<
    string,
    { readonly shape: number[]; readonly data: Float32Array }
  >;
}

/** The potentials that are kept. */
export interface KeptPotentials {
  /** Keeps a copy. */
  keep(name: string, subject: PotentialSubject): Promise<KeptPotential>;
  /**
   * Drops one.
   *
   * @throws {VapoError} where there is none of that number
   */
  drop(id: number): void;
  /**
   * Lets `use` have a sum of potentials.
   *
   * @throws {VapoError} for no terms, an unknown number, or a weight that is not finite
   */
  withSum<T>(
    terms: (Subject & { kind: "sum" })["terms"],
    use: (subject: PotentialSubject) => Promise<T>,
  ): Promise<T>;
}

/** Potentials to keep, none yet. */
export function keptPotentials(): KeptPotentials {
  const all = new Map<number, Kept>();
  let next = 1;
  const find = (id: number): Kept => {
    const found = all.get(id);
    if (found) return found;
    throw new VapoError(
      `no potential ${id} is kept: expected one of ${[...all.keys()].join(", ") || "(none)"}`,
    );
  };
  return {
    async keep(name, { step, potential, path, parameters }) {
      const copies = await Promise.all(
        Object.entries(parameters).map(async ([name, tensor]) =>
          [name, { shape: tensor.shape, data: await tensor.data() as Float32Array }] as const
        ),
      );
      const id = next++;
      const kept = { id, name, step, timeExplicit: potential.timeExplicit, uMax: path.uMax };
      all.set(id, { ...kept, potential, path, parameters: new Map(copies) });
      return kept;
    },
    drop: (id) => void all.delete(find(id).id),
    async withSum(terms, use) {
      requireTerms(terms);
      const kept = terms.map(({ id }) => find(id)), weights = terms.map(({ weight }) => weight);
      const parameters = tf.tidy(() =>
        sumParameters(kept.map((one, i) => ({ parameters: loaded(one), weight: weights[i] })))
      );
      const ids = terms.map(({ id }) => id).join("+");
      try {
        return await use({
          key: `sum ${ids}`,
          stamp: `sum ${ids} of ${weights.join()}`,
          step: Math.max(...kept.map(({ step }) => step)),
          potential: sumOfPotentials(kept.map(({ potential }) => potential)),
          path: commonPath(kept.map(({ path }) => path)),
          parameters,
        });
      } finally {
        tf.dispose(parameters);
      }
    },
  };
}

function requireTerms(terms: (Subject & { kind: "sum" })["terms"]): void {
  if (terms.length === 0) {
    throw new VapoError("a sum of no potentials: expected one at least; keep one, and choose it");
  }
  const bad = terms.find(({ weight }) => !Number.isFinite(weight));
  if (!bad) return;
  throw new VapoError(
    `the weight of potential ${bad.id} is ${bad.weight}: expected a finite number`,
  );
}

/** The path of the first, which gives the prior, up to where the shortest of them goes. */
function commonPath(paths: readonly GaussianPath[]): GaussianPath {
  return { ...paths[0], uMax: Math.min(...paths.map(({ uMax }) => uMax)) };
}

/** Their parameters on the device. */
function loaded({ parameters }: Kept): TensorRecord {
  return Object.fromEntries(
    [...parameters].map(([name, { shape, data }]) => [name, tf.tensor(data, shape)]),
  );
}

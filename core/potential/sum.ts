/**
 * @file Sums of potentials, Σ wᵢΦᵢ, whose flow is drawn to where all of them lead: composition as of
 * energies, "Training Products of Experts by Minimizing Contrastive Divergence" (Hinton 2002) and
 * "Reduce, Reuse, Recycle: Compositional Generation with Energy-Based Diffusion Models and MCMC" (Du
 * et al. 2023, arXiv 2302.11552).
 *
 * On one Gaussian path a potential's velocity is (α̇/α)x + c sᵢ, with the score sᵢ = ∇ log ρᵢ of its
 * marginal and c = α̇β²/α − ββ̇ above 0. The sum's is therefore
 *
 *     Σ wᵢ∇Φᵢ = (α̇/α)x + c (Σ wᵢsᵢ + (W − 1)(α̇/αc)x),  W = Σ wᵢ.
 *
 * - **W = 1**: at each time the score is Σ wᵢsᵢ, that of the density proportional to Π ρᵢ^wᵢ, the
 *   geometric mean of the marginals, which at u = 0 is the prior. At the end it is the geometric mean
 *   of the data densities: modes that all share keep their width, and one that a term lacks goes. The
 *   flow does not carry one geometric mean into the next exactly: of time-explicit potentials it is
 *   the densities at each time that are right, and the way between that is not, so particles stay
 *   behind near modes that are not shared. Stochastic solvers lead some of them on; so does
 *   Langevin refinement, where the densities overlap.
 * - **W other than 1**: the score has a term in x besides, and the flow goes W times as far in the
 *   same time. Of time-explicit potentials it overshoots the data. Time-implicit ones do not read
 *   u, and the sum of weights wᵢ at u is that of the weights wᵢ/W at Wu: the same flow, W times as fast.
 */
import { ConfigError } from "../errors.ts";
import { fork, type RandomKey, type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";
import type { ApplyOptions, Potential } from "./potential.ts";

/** The name of the weights among the parameters of a sum. */
const WEIGHTS = "weights";

/**
 * The sum Σ wᵢΦᵢ of potentials. Its parameters are the weights, float32 [terms] under "weights", and
 * those of each term under its place, as in "0/dense0.kernel": see {@link sumParameters}. Other
 * weights need no other program.
 *
 * With weights that sum to 1, of potentials trained on one Gaussian path, the score at each time is
 * that of the densities' geometric mean Π ρᵢ^wᵢ, a product of experts; flows carry it along only about,
 * so stochastic solvers and refinement help. Time-implicit potentials of weight W in all flow W times
 * as fast.
 *
 * Source: Hinton, "Training Products of Experts by Minimizing Contrastive Divergence", 2002; Du et
 * al., "Reduce, Reuse, Recycle", arXiv 2302.11552.
 *
 * @param potentials at least one, all of one sample shape; one may come twice
 * @returns time-explicit where one of them is; `initialize` gives equal weights that sum to 1
 * @throws {ConfigError} for no potentials, or for samples of different shapes
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import {
 *   openDevice, type Potential, sumOfPotentials, sumParameters, tf, velocityField,
 * } from "vapo";
 * await openDevice("cpu");
 * // −½|x − m|², which leads to m
 * const towards: Potential = {
 *   sampleShape: [1], timeExplicit: false, initialize: () => ({ m: tf.zeros([1]) }),
 *   apply: ({ m }, x) => tf.mul(tf.sum(tf.square(tf.sub(x, m)), 1), -0.5),
 * };
 * const parameters = sumParameters([
 *   { parameters: { m: tf.tensor1d([2]) }, weight: 0.5 },
 *   { parameters: { m: tf.tensor1d([6]) }, weight: 0.5 },
 * ]);
 * const velocity = velocityField(sumOfPotentials([towards, towards]), parameters);
 * assertEquals([...velocity(0, tf.tensor2d([[0]])).dataSync()], [4]); // to the middle, 4
 * ```
 */
export function sumOfPotentials(potentials: readonly Potential[]): Potential {
  requireOneShape(potentials);
  return {
    sampleShape: potentials[0].sampleShape,
    timeExplicit: potentials.some(({ timeExplicit }) => timeExplicit),
    initialize: (key) =>
      tf.tidy(() =>
        sumParameters(potentials.map((potential, i) => ({
          parameters: potential.initialize(fork(key, `term ${i}`)),
          weight: 1 / potentials.length,
        })))
      ),
    apply(parameters, x, u, options) {
      const terms = potentials.map((potential, i) => {
        const value = potential.apply(ofTerm(parameters, i), x, u, optionsOfTerm(options, i));
        const weight = tf.reshape(tf.slice(parameters[WEIGHTS], [i], [1]), []);
        return tf.mul(weight, value) as Tensor;
      });
      return tf.addN(terms);
    },
  };
}

/**
 * The parameters of {@link sumOfPotentials}.
 *
 * @param terms of each potential, in their order, its parameters and weight
 * @returns the terms' own tensors, which stay theirs, under the names that the sum reads, and
 * "weights", float32 [terms], which belongs to the caller
 * @throws {ConfigError} for no terms, or for a weight that is not finite
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, sumParameters, tf } from "vapo";
 * await openDevice("cpu");
 * const bias = tf.zeros([3]);
 * const parameters = sumParameters([{ parameters: { bias }, weight: 0.25 }]);
 * assertEquals(Object.keys(parameters), ["weights", "0/bias"]);
 * assertEquals([...parameters.weights.dataSync()], [0.25]);
 * ```
 */
export function sumParameters(
  terms: readonly { readonly parameters: TensorRecord; readonly weight: number }[],
): TensorRecord {
  if (terms.length === 0) throw noTerms();
  terms.forEach(({ weight }, i) => {
    if (Number.isFinite(weight)) return;
    throw new ConfigError(
      `the weight of term ${i} is ${weight}: expected a finite number, for instance 0.5`,
    );
  });
  const joined = terms.flatMap(({ parameters }, i) =>
    Object.entries(parameters).map(([name, tensor]) => [`${i}/${name}`, tensor] as const)
  );
  const weights = tf.tensor1d(terms.map(({ weight }) => weight));
  return { [WEIGHTS]: weights, ...Object.fromEntries(joined) };
}

function requireOneShape(potentials: readonly Potential[]): void {
  if (potentials.length === 0) throw noTerms();
  const shape = potentials[0].sampleShape.join("×");
  const other = potentials.findIndex(({ sampleShape }) => sampleShape.join("×") !== shape);
  if (other < 0) return;
  throw new ConfigError(
    `term ${other} of a sum of potentials is of samples of shape ` +
      `${potentials[other].sampleShape.join("×")}: expected ${shape}, that of the first; sum ` +
      "potentials of one kind of data",
  );
}

function noTerms(): ConfigError {
  return new ConfigError("a sum of no potentials: expected one at least");
}

/** The parameters of a term, under their own names. */
function ofTerm(parameters: TensorRecord, i: number): TensorRecord {
  const prefix = `${i}/`;
  return Object.fromEntries(
    Object.entries(parameters)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );
}

/** Terms drop features independently of each other. */
function optionsOfTerm(options: ApplyOptions | undefined, i: number): ApplyOptions | undefined {
  const key: RandomKey | undefined = options?.dropout;
  return key && { dropout: fork(key, `term ${i}`) };
}

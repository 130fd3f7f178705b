/**
 * @file Density along the flow (Chen et al., 2018; Grathwohl et al., 2019): along a trajectory
 * log ρ changes at −ΔΦ, so a sample's density is its prior density at the trajectory's start less
 * the integral of ΔΦ.
 */
import { VapoError } from "../errors.ts";
import type { Turns } from "../pauses.ts";
import { fork, type RandomKey, type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";
import type { GaussianPath } from "../homotopy/gaussian_path.ts";
import { type Potential, sampleSize } from "../potential/potential.ts";
import { flowFunction, type ParameterUse } from "./compiled_flow.ts";
import { keptPrograms } from "./kept_programs.ts";
import { solveOde } from "./ode/solve_ode.ts";
import { terminalTime } from "./terminal_time.ts";
import { float64Space, type VectorSpace } from "./vector_space.ts";
import { exactLaplacianAt, probedLaplacianAt, probeSigns, velocityAt } from "./velocity.ts";

/** How a log density is computed. */
export interface LikelihoodOptions {
  /** The time at which the points are samples; default the path's uMax. */
  readonly time?: number;
  /** Relative error allowed in a step of the solver. Default 1e-4. */
  readonly rtol?: number;
  /** Absolute error allowed in a step, in data units and in nats. Default 1e-5. */
  readonly atol?: number;
  /**
   * What the probes of {@link hutchinsonLaplacian} are a function of; without it the Laplacian is
   * exact, at work that grows with d.
   */
  readonly hutchinson?: RandomKey;
}

/**
 * The model's log density at given points, by integrating the flow backwards to the prior.
 *
 * Source: Chen et al., "Neural Ordinary Differential Equations", 2018, equation 8; Grathwohl et
 * al., "FFJORD", 2019.
 *
 * @param potential Φ
 * @param parameters the potential's
 * @param path gives the prior's width and uMax
 * @param x [n, …sampleShape]; stays the caller's
 * @param options the time, tolerances and the way to the Laplacian
 * @returns log ρ in nats: [n]
 * @throws {VapoError} for a time that the potential does not know, a tolerance out of range, or where too many steps would be needed
 * @throws {NonFiniteError} where the flow stops being finite
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { gaussianPath, logDensity, openDevice, type Potential, tf } from "vapo";
 * await openDevice("cpu");
 * // Φ = −½|x|² contracts the prior N(0, I) to N(0, e⁻²ᵘ I).
 * const potential: Potential = {
 *   sampleShape: [2], timeExplicit: false, initialize: () => ({}),
 *   apply: (_parameters, x) => tf.mul(tf.sum(tf.square(x), 1), -0.5),
 * };
 * const x = tf.zeros([1, 2]);
 * const [atOrigin] = await logDensity(potential, {}, gaussianPath(), x, { time: 0.5 });
 * assertAlmostEquals(atOrigin, -Math.log(2 * Math.PI * Math.exp(-1)), 1e-4);
 * ```
 */
export async function logDensity(
  potential: Potential,
  parameters: TensorRecord,
  path: GaussianPath,
  x: Tensor,
  { hutchinson, ...settings }: LikelihoodOptions = {},
): Promise<Float64Array> {
  const probes = hutchinson ? 1 : 0;
  const likelihood = openLikelihood(potential, parameters, path, { ...settings, probes });
  try {
    const points = Float64Array.from(await x.data());
    return (await likelihood.estimate(points, { key: hutchinson })).logDensity;
  } finally {
    likelihood.dispose();
  }
}

/** How log densities of many points are computed. */
export interface LikelihoodSettings extends Omit<LikelihoodOptions, "hutchinson" | "time"> {
  /** The time at which the points are samples; null or left out is the path's uMax. */
  readonly time?: number | null;
  /** Probes of {@link hutchinsonLaplacian} for each point; 0, the default: an exact Laplacian. */
  readonly probes?: number;
  /** "changing" where other parameters will be bound; default "fixed". */
  readonly use?: ParameterUse;
}

/** Log densities of points. */
export interface DensityEstimate {
  /** log ρ in nats, of several probes the mean: [n]. */
  readonly logDensity: Float64Array;
  /** That by each probe, along one trajectory: [n, probes], row by row; [n, 1] without probes. */
  readonly byProbe: Float64Array;
  /** Evaluations of velocity and Laplacian together. */
  readonly evaluations: number;
}

/** What {@link openLikelihood} gives. */
export interface Likelihood {
  /**
   * The log density of points, which are one system to the solver.
   *
   * @param points n·d numbers, row by row
   * @param options.key what the probes are a function of, `firstSample` being the number of the first
   * point; needed where there are probes
   * @param options.signal ends it early; the promise then rejects with the signal's reason
   * @param options.turns how often the event loop gets a turn between steps; default every 50 ms
   * @throws {VapoError} for points that are not whole or not finite, for probes without a key, or
   * where too many steps would be needed
   * @throws {NonFiniteError} where the flow stops being finite
   */
  estimate(
    points: Float64Array,
    options?: {
      readonly key?: RandomKey;
      readonly signal?: AbortSignal;
      readonly turns?: Turns;
    },
  ): Promise<DensityEstimate>;
  /**
   * Other parameters for the estimates from now on, of the same names and shapes. They stay the
   * caller's, and alive until others are bound.
   *
   * @throws {VapoError} for a likelihood whose parameters were said to be fixed
   */
  bind(parameters: TensorRecord): void;
  /** Frees what was compiled. */
  dispose(): void;
}

/**
 * {@link logDensity} for many batches of points: what is compiled is kept for batches of one size.
 *
 * Positions and integrals are in double precision on the host, velocity and Laplacian in single
 * precision on the device; so tolerances below 1e-6 buy little. The step size follows whichever of
 * the two, positions or integrals, has the larger error, so that the density of an image is not
 * one component among thousands.
 *
 * @param potential Φ
 * @param parameters the potential's; they stay the caller's, and as they are
 * @param path gives the prior's width and uMax
 * @param settings the time, tolerances and the way to the Laplacian
 * @throws {VapoError} for a time that the potential does not know
 * @example
 * ```ts
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 * import { gaussianPath, openDevice, openLikelihood, type Potential, randomKey, tf } from "vapo";
 * await openDevice("wasm");
 * // Φ = −½|x|² contracts the prior N(0, I) to N(0, e⁻²ᵘ I).
 * const potential: Potential = {
 *   sampleShape: [2], timeExplicit: false, initialize: () => ({}),
 *   apply: (_parameters, x) => tf.mul(tf.sum(tf.square(x), 1), -0.5),
 * };
 * const likelihood = openLikelihood(potential, {}, gaussianPath(), { time: 0.5, probes: 2 });
 * const { logDensity, byProbe } = await likelihood.estimate(Float64Array.of(0, 0, 1, 0), {
 *   key: randomKey(7),
 * });
 * likelihood.dispose();
 * assertAlmostEquals(logDensity[0], -Math.log(2 * Math.PI * Math.exp(-1)), 1e-4);
 * assertEquals(byProbe.length, 4);
 * ```
 */
export function openLikelihood(
  potential: Potential,
  parameters: TensorRecord,
  path: GaussianPath,
  { time = null, rtol = 1e-4, atol = 1e-5, probes = 0, use = "fixed" }: LikelihoodSettings = {},
): Likelihood {
  const begin = terminalTime(potential, path, time, "time");
  if (!(Number.isSafeInteger(probes) && probes >= 0)) {
    throw new VapoError(`probes is ${probes}: expected a whole number from 0 on, for instance 1`);
  }
  // One for whole batches, one for the last, which may be smaller.
  const kept = keptPrograms(2);
  const d = sampleSize(potential), width = d + Math.max(1, probes);
  let bound = parameters;
  return {
    async estimate(points, { key, signal, turns } = {}) {
      const n = pointCount(points, d);
      if (probes > 0 && !key) {
        throw new VapoError(`${probes} probes without a key: expected what they are a function of`);
      }
      const signs = probes > 0 ? drawnSigns(key!, [n, ...potential.sampleShape], probes) : {};
      try {
        const field = await kept.get(
          `[${n}]`,
          () => augmentedField(potential, bound, n, signs, use),
        );
        if (use === "changing") field.bindParameters(bound);
        field.bind(signs);
        const end = withColumns(points, n, d, width);
        const options = { rtol, atol, signal, turns, space: augmentedSpace(d, width) };
        const { y, nfev } = await solveOde(field.derivative, [begin, 0], end, options);
        return { ...densities(y, d, width, path.options.omega), evaluations: nfev };
      } catch (error) {
        kept.dispose();
        throw error;
      } finally {
        tf.dispose(signs);
      }
    },
    bind(parameters) {
      if (use === "fixed") {
        throw new VapoError(
          'the parameters of this likelihood are fixed: expected one opened with use "changing"',
        );
      }
      bound = parameters;
    },
    dispose: () => kept.dispose(),
  };
}

function pointCount(points: Float64Array, d: number): number {
  const n = points.length / d;
  if (!(Number.isInteger(n) && n > 0)) {
    throw new VapoError(`${points.length} values are not points of ${d}: expected a multiple`);
  }
  const bad = points.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return n;
  throw new VapoError(
    `value ${bad % d} of point ${Math.floor(bad / d)} is ${points[bad]}: expected a finite number`,
  );
}

/** The probes by their numbers, [n, …sampleShape] each: the first is the key's own. */
function drawnSigns(key: RandomKey, shape: number[], probes: number): TensorRecord {
  const draw = (i: number) => tf.tidy(() => probeSigns(i ? fork(key, `probe ${i}`) : key, shape));
  return Object.fromEntries(Array.from({ length: probes }, (_, i) => [`${i}`, draw(i)]));
}

/** The derivative of positions and, beside them, of the integrals of ΔΦ: n × width, row by row. */
interface AugmentedField {
  derivative(u: number, state: Float64Array): Promise<Float64Array>;
  bind(signs: TensorRecord): void;
  bindParameters(parameters: TensorRecord): void;
  dispose(): void;
}

async function augmentedField(
  potential: Potential,
  parameters: TensorRecord,
  n: number,
  signs: TensorRecord,
  use: ParameterUse,
): Promise<AugmentedField> {
  const shape = [n, ...potential.sampleShape], d = sampleSize(potential);
  const blank = tf.zeros(shape);
  const field = await flowFunction(
    ([x], time, parameters, signs) => {
      const velocity = tf.reshape(velocityAt(potential, parameters, x, time), [n, d]);
      const probes = Object.values(signs);
      const laplacians = probes.length === 0
        ? [exactLaplacianAt(potential, parameters, x, time)]
        : probes.map((z) => probedLaplacianAt(potential, parameters, x, time, z));
      return tf.concat([velocity, ...laplacians.map((values) => tf.reshape(values, [n, 1]))], 1);
    },
    [blank],
    parameters,
    signs,
    use,
  ).finally(() => blank.dispose());
  return {
    async derivative(u, state) {
      const x = tf.tensor(firstColumns(state, n, d), shape);
      const result = field.call(u, x);
      x.dispose();
      return Float64Array.from(await result.data().finally(() => result.dispose()));
    },
    bind: field.bind,
    bindParameters: field.bindParameters,
    dispose: field.dispose,
  };
}

/** Rows of d numbers with zeros after them, `width` in all. */
function withColumns(rows: Float64Array, n: number, d: number, width: number): Float64Array {
  const wide = new Float64Array(n * width);
  for (let i = 0; i < n; i++) wide.set(rows.subarray(i * d, (i + 1) * d), i * width);
  return wide;
}

function firstColumns(wide: Float64Array, n: number, d: number): Float32Array {
  const rows = new Float32Array(n * d), width = wide.length / n;
  for (let i = 0; i < n; i++) rows.set(wide.subarray(i * width, i * width + d), i * d);
  return rows;
}

/** Vectors whose norm is the larger of that of the first d columns and that of the others. */
function augmentedSpace(d: number, width: number): VectorSpace<Float64Array> {
  const norm = (vector: Float64Array, scale: Float64Array) => {
    const n = vector.length / width;
    let positions = 0, integrals = 0;
    for (let i = 0; i < n; i++) {
      for (let j = i * width; j < i * width + d; j++) positions += (vector[j] / scale[j]) ** 2;
      for (let j = i * width + d; j < (i + 1) * width; j++) {
        integrals += (vector[j] / scale[j]) ** 2;
      }
    }
    return Math.sqrt(Math.max(positions / (n * d), integrals / (n * (width - d))));
  };
  return { ...float64Space, norms: (vectors, scale) => vectors.map((v) => norm(v, scale)) };
}

/** log N(x; 0, ω²I) of the starts plus each integral of ΔΦ, which was taken backwards. */
function densities(
  starts: Float64Array,
  d: number,
  width: number,
  omega: number,
): Pick<DensityEstimate, "logDensity" | "byProbe"> {
  const n = starts.length / width, probes = width - d;
  const logNormalizer = -d * Math.log(omega * Math.sqrt(2 * Math.PI));
  const logDensity = new Float64Array(n), byProbe = new Float64Array(n * probes);
  for (let i = 0; i < n; i++) {
    let square = 0;
    for (let j = i * width; j < i * width + d; j++) square += starts[j] ** 2;
    for (let k = 0; k < probes; k++) {
      const value = logNormalizer - square / (2 * omega * omega) + starts[i * width + d + k];
      byProbe[i * probes + k] = value;
      logDensity[i] += value / probes;
    }
  }
  return { logDensity, byProbe };
}

/**
 * The negative mean log density of points under the model: see {@link logDensity}.
 *
 * @param potential Φ
 * @param parameters the potential's
 * @param path gives the prior's width and uMax
 * @param x [n, …sampleShape]; stays the caller's
 * @param options the time, tolerances and the way to the Laplacian
 * @returns nats a sample; divide by d·ln 2 for bits a dimension
 * @throws {VapoError | NonFiniteError} as {@link logDensity}
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { gaussianPath, negativeLogLikelihood, openDevice, type Potential, tf } from "vapo";
 * await openDevice("cpu");
 * // Φ = −½|x|² contracts the prior N(0, I) to N(0, e⁻²ᵘ I).
 * const potential: Potential = {
 *   sampleShape: [2], timeExplicit: false, initialize: () => ({}),
 *   apply: (_parameters, x) => tf.mul(tf.sum(tf.square(x), 1), -0.5),
 * };
 * const x = tf.tensor2d([[0, 0], [1, 0]]);
 * const nats = await negativeLogLikelihood(potential, {}, gaussianPath(), x, { time: 0.5 });
 * assertAlmostEquals(nats, Math.log(2 * Math.PI * Math.exp(-1)) + Math.E / 4, 1e-3);
 * ```
 */
export async function negativeLogLikelihood(
  potential: Potential,
  parameters: TensorRecord,
  path: GaussianPath,
  x: Tensor,
  options?: LikelihoodOptions,
): Promise<number> {
  const values = await logDensity(potential, parameters, path, x, options);
  return -values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * @file Density along the flow (Chen et al., 2018; Grathwohl et al., 2019): along a trajectory
 * log ρ changes at −ΔΦ, so a sample's density is its prior density at the trajectory's start less
 * the integral of ΔΦ.
 */
import { type RandomKey, type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";
import type { GaussianPath } from "../homotopy/gaussian_path.ts";
import { type Potential, sampleSize } from "../potential/potential.ts";
import { flowFunction } from "./compiled_flow.ts";
import { solveOde } from "./ode/solve_ode.ts";
import { terminalTime } from "./terminal_time.ts";
import { exactLaplacianAt, hutchinsonLaplacianAt, velocityAt } from "./velocity.ts";

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
  { time, rtol = 1e-4, atol = 1e-5, hutchinson }: LikelihoodOptions = {},
): Promise<Float64Array> {
  const begin = terminalTime(potential, path, time ?? null, "time");
  const n = x.shape[0], d = sampleSize(potential), { omega } = path.options;
  // One system of n × (d + 1): the position and, beside it, the integral of ΔΦ.
  const derivative = ([y]: readonly [Tensor], time: Tensor, parameters: TensorRecord) => {
    const at = tf.reshape(tf.slice(y, [0, 0], [n, d]), x.shape);
    const flow = tf.reshape(velocityAt(potential, parameters, at, time), [n, d]);
    const laplacian = hutchinson
      ? hutchinsonLaplacianAt(potential, parameters, at, time, hutchinson)
      : exactLaplacianAt(potential, parameters, at, time);
    return tf.concat([flow, tf.reshape(laplacian, [n, 1])], 1);
  };
  const end = tf.tidy(() => tf.concat([tf.reshape(x, [n, d]), tf.zeros([n, 1])], 1));
  const field = await flowFunction(derivative, [end], parameters);
  const solution = await solveOde<Tensor>(field.call, [begin, 0], end, { rtol, atol })
    .finally(() => {
      field.dispose();
      end.dispose();
    });
  const values = await solution.y.data();
  solution.y.dispose();
  const logNormalizer = -d * Math.log(omega * Math.sqrt(2 * Math.PI));
  return Float64Array.from({ length: n }, (_, i) => {
    let square = 0;
    for (let j = 0; j < d; j++) square += values[i * (d + 1) + j] ** 2;
    return logNormalizer - square / (2 * omega * omega) + values[i * (d + 1) + d];
  });
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

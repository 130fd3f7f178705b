/**
 * @file The velocity of the flow, ∇Φ(x[, u]) [VPF, eq. 12], its divergence ΔΦ, and the score that
 * the potential implies.
 */
import {
  batchValueAndGradient,
  innerProduct,
  type RandomKey,
  randomUniform,
  type Tensor,
  type TensorRecord,
  tf,
} from "../tensor/mod.ts";
import type { PathCoefficients } from "../homotopy/gaussian_path.ts";
import type { Potential } from "../potential/potential.ts";

/** A velocity field on a device: (u, x [n, …]) → dx/du [n, …]. */
export type VelocityField = (u: number, x: Tensor) => Tensor;

/**
 * ∇Φ at times given as a tensor, one a sample: what {@link velocityField} and the compiled flow share.
 *
 * @param x [n, …sampleShape]
 * @param time u: [n]
 * @returns [n, …sampleShape]
 */
export function velocityAt(
  potential: Potential,
  parameters: TensorRecord,
  x: Tensor,
  time: Tensor,
): Tensor {
  return batchValueAndGradient((x) => potential.apply(parameters, x, time), x).gradient;
}

/** The Hessian of Φ at (x, time) times w: the gradient of ∇Φ·w, [n, …sampleShape]. */
export function hessianProductAt(
  potential: Potential,
  parameters: TensorRecord,
  x: Tensor,
  w: Tensor,
  time: Tensor,
): Tensor {
  const along = (x: Tensor) => innerProduct(velocityAt(potential, parameters, x, time), w);
  return batchValueAndGradient(along, x).gradient;
}

/**
 * The velocity ∇Φ of a potential.
 *
 * Source: arXiv 2407.15238, equation 12.
 *
 * @param potential Φ
 * @param parameters the potential's; they must stay alive as long as the field is used
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, type Potential, tf, velocityField } from "vapo";
 * await openDevice("cpu");
 * // Φ = −½|x|²
 * const potential: Potential = {
 *   sampleShape: [2], timeExplicit: false, initialize: () => ({}),
 *   apply: (_parameters, x) => tf.mul(tf.sum(tf.square(x), 1), -0.5),
 * };
 * const velocity = velocityField(potential, {});
 * assertEquals([...velocity(0.5, tf.tensor2d([[1, 2]])).dataSync()], [-1, -2]);
 * ```
 */
export function velocityField(potential: Potential, parameters: TensorRecord): VelocityField {
  return (u, x) => tf.tidy(() => velocityAt(potential, parameters, x, tf.fill([x.shape[0]], u)));
}

/**
 * The product of the flow's Jacobian with a vector: ∇(∇Φ·w), exact, for implicit solvers.
 *
 * @param potential Φ
 * @param parameters the potential's; they must stay alive as long as the product is used
 * @returns (u, x, w) ↦ the Hessian of Φ at x times w, all [n, …]
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { hessianProduct, openDevice, type Potential, tf } from "vapo";
 * await openDevice("cpu");
 * // Φ = x²y
 * const potential: Potential = {
 *   sampleShape: [2], timeExplicit: false, initialize: () => ({}),
 *   apply(_parameters, xy) {
 *     const [x, y] = tf.unstack(xy, 1);
 *     return tf.mul(tf.square(x), y);
 *   },
 * };
 * const product = hessianProduct(potential, {});
 * const column = product(0, tf.tensor2d([[1, 2]]), tf.tensor2d([[1, 0]]));
 * assertEquals([...column.dataSync()], [4, 2]); // (2y, 2x)
 * ```
 */
export function hessianProduct(
  potential: Potential,
  parameters: TensorRecord,
): (u: number, x: Tensor, w: Tensor) => Tensor {
  return (u, x, w) =>
    tf.tidy(() => hessianProductAt(potential, parameters, x, w, tf.fill([x.shape[0]], u)));
}

/**
 * The Laplacian ΔΦ, exactly: the sum of d second derivatives, each a gradient of a gradient.
 *
 * @param potential Φ
 * @param parameters the potential's; they must stay alive as long as the function is used
 * @returns (u, x [n, …]) ↦ [n]; the work grows with d, so this is for low dimensions
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { exactLaplacian, openDevice, type Potential, tf } from "vapo";
 * await openDevice("cpu");
 * // Φ = x²y
 * const potential: Potential = {
 *   sampleShape: [2], timeExplicit: false, initialize: () => ({}),
 *   apply(_parameters, xy) {
 *     const [x, y] = tf.unstack(xy, 1);
 *     return tf.mul(tf.square(x), y);
 *   },
 * };
 * const laplacian = exactLaplacian(potential, {});
 * assertEquals([...laplacian(0, tf.tensor2d([[1, 2], [1, -3]])).dataSync()], [4, -6]); // 2y
 * ```
 */
export function exactLaplacian(potential: Potential, parameters: TensorRecord): VelocityField {
  return (u, x) =>
    tf.tidy(() => exactLaplacianAt(potential, parameters, x, tf.fill([x.shape[0]], u)));
}

/** {@link exactLaplacian} at times given as a tensor, [n]. */
export function exactLaplacianAt(
  potential: Potential,
  parameters: TensorRecord,
  x: Tensor,
  time: Tensor,
): Tensor {
  const n = x.shape[0], d = x.size / n;
  const component = (field: Tensor, i: number) =>
    tf.reshape(tf.slice(tf.reshape(field, [n, d]), [0, i], [n, 1]), [n]);
  const terms = Array.from({ length: d }, (_, i) => {
    const along = (x: Tensor) => component(velocityAt(potential, parameters, x, time), i);
    return component(batchValueAndGradient(along, x).gradient, i);
  });
  return tf.addN(terms);
}

/**
 * Hutchinson's (1990) estimate of the Laplacian ΔΦ = E[zᵀ(∇²Φ)z], z of independent signs, as in
 * FFJORD (Grathwohl et al., 2019): the same probes at every evaluation, so that a solver sees one
 * smooth function.
 *
 * @param potential Φ
 * @param parameters the potential's; they must stay alive as long as the function is used
 * @param key what the probes are a function of; its tensors must stay alive as well
 * @returns (u, x [n, …]) ↦ [n]
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { hutchinsonLaplacian, openDevice, type Potential, randomKey, tf } from "vapo";
 * await openDevice("cpu");
 * // Φ = x²y
 * const potential: Potential = {
 *   sampleShape: [2], timeExplicit: false, initialize: () => ({}),
 *   apply(_parameters, xy) {
 *     const [x, y] = tf.unstack(xy, 1);
 *     return tf.mul(tf.square(x), y);
 *   },
 * };
 * // zᵀ(∇²Φ)z = 2y + 4x z₁z₂ = 4 ± 4 at (1, 2); the mean over many points is near ΔΦ = 4.
 * const laplacian = hutchinsonLaplacian(potential, {}, randomKey(7));
 * const estimates = laplacian(0, tf.tile(tf.tensor2d([[1, 2]]), [2000, 1]));
 * assertAlmostEquals(tf.mean(estimates).dataSync()[0], 4, 0.3);
 * ```
 */
export function hutchinsonLaplacian(
  potential: Potential,
  parameters: TensorRecord,
  key: RandomKey,
): VelocityField {
  return (u, x) =>
    tf.tidy(() => hutchinsonLaplacianAt(potential, parameters, x, tf.fill([x.shape[0]], u), key));
}

/** {@link hutchinsonLaplacian} at times given as a tensor, [n]. */
export function hutchinsonLaplacianAt(
  potential: Potential,
  parameters: TensorRecord,
  x: Tensor,
  time: Tensor,
  key: RandomKey,
): Tensor {
  return probedLaplacianAt(potential, parameters, x, time, probeSigns(key, x.shape));
}

/** Independent signs, −1 and 1: a probe of Hutchinson's estimator. */
export function probeSigns(key: RandomKey, shape: number[]): Tensor {
  return tf.sign(tf.sub(randomUniform(key, shape), 0.5));
}

/** zᵀ(∇²Φ)z at times given as a tensor: [n]; z has the shape of x. */
export function probedLaplacianAt(
  potential: Potential,
  parameters: TensorRecord,
  x: Tensor,
  time: Tensor,
  z: Tensor,
): Tensor {
  return innerProduct(z, hessianProductAt(potential, parameters, x, z, time));
}

/**
 * The score ∇ log ρ̄(x; u) that a velocity implies on a Gaussian path:
 * E[ε given x] = (α̇x − α∇Φ)/(α̇β − αβ̇), and the score is −E[ε given x]/β.
 *
 * Source: x = αx̄ + βε and ∇Φ = E[α̇x̄ + β̇ε given x] solved for the mean of ε; Tweedie's formula.
 *
 * @param x [n, …]
 * @param velocity ∇Φ at x: [n, …]
 * @param coefficients those of the path at u; β is above 0
 * @returns [n, …], exact where ∇Φ is the marginal velocity
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import {
 *   gaussianPath, mixtureScore, mixtureVelocity, openDevice, scoreFromVelocity, tf,
 * } from "vapo";
 * await openDevice("cpu");
 * const mixture = { means: [[-3], [3]], std: 0.5 };
 * const x = Float64Array.of(0.7), coefficients = gaussianPath().at(0.5);
 * const [v] = mixtureVelocity(mixture, x, coefficients);
 * const score = scoreFromVelocity(tf.tensor1d([0.7]), tf.tensor1d([v]), coefficients);
 * assertAlmostEquals(score.dataSync()[0], mixtureScore(mixture, x, coefficients)[0], 1e-4);
 * ```
 */
export function scoreFromVelocity(
  x: Tensor,
  velocity: Tensor,
  coefficients: PathCoefficients<number>,
): Tensor {
  const { alpha, alphaDot } = coefficients, scale = scoreScale(coefficients);
  return tf.tidy(() => tf.mul(tf.sub(tf.mul(x, alphaDot), tf.mul(velocity, alpha)), scale));
}

/** −1/((α̇β − αβ̇)β): the score of {@link scoreFromVelocity} is that times (α̇x − α∇Φ). */
export function scoreScale({ alpha, beta, alphaDot, betaDot }: PathCoefficients<number>): number {
  return -1 / ((alphaDot * beta - alpha * betaDot) * beta);
}

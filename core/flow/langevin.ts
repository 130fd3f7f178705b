/**
 * @file Refinement of samples by unadjusted Langevin dynamics at a fixed time u: steps of
 * x ← x + ½h s(x) + √h ξ with the score s from the potential (Roberts and Tweedie, 1996).
 */
import { fork, type RandomKey, randomNormal, type Tensor, tf } from "../tensor/mod.ts";
import type { GaussianPath } from "../homotopy/gaussian_path.ts";
import { scoreScale, type VelocityField } from "./velocity.ts";

/** What a refinement is told. */
export interface LangevinOptions {
  /** How many steps. */
  readonly steps: number;
  /** Where the noise comes from; step i takes the i-th draw of one stream. */
  readonly key: RandomKey;
  /** The time u that is held fixed; default the path's uMax. */
  readonly time?: number;
  /** h in units of β(u)², the narrowest variance that the path has there. Default 0.2. */
  readonly stepSize?: number;
}

/**
 * Moves samples by unadjusted Langevin dynamics at a fixed time u, x ← x + ½h s(x) + √h ξ, towards
 * the distribution that the potential has there; it leaves that as it is up to an error of order h.
 *
 * Source: Roberts and Tweedie, "Exponential Convergence of Langevin Distributions and Their
 * Discrete Approximations", 1996.
 *
 * @param velocity ∇Φ, which the score s follows from
 * @param path gives the coefficients at u
 * @param x [n, …]; stays the caller's
 * @param options steps, their size, the time and the noise's key
 * @returns [n, …]
 * @throws {VapoError} for a time outside [0, 1]
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { gaussianPath, openDevice, randomKey, refineByLangevin, tf } from "vapo";
 * await openDevice("cpu");
 * // At u = 0 the score is the prior's, −x, whatever the velocity: from 5 to draws of N(0, 1).
 * const key = randomKey(7);
 * const refined = refineByLangevin(
 *   (_u, x) => tf.zerosLike(x), gaussianPath(), tf.fill([500, 1], 5), { steps: 80, key, time: 0 },
 * );
 * assertAlmostEquals(tf.mean(refined).dataSync()[0], 0, 0.2);
 * assertAlmostEquals(tf.moments(refined).variance.dataSync()[0], 1, 0.3);
 * ```
 */
export function refineByLangevin(
  velocity: VelocityField,
  path: GaussianPath,
  x: Tensor,
  { steps, key, time = path.uMax, stepSize = 0.2 }: LangevinOptions,
): Tensor {
  const coefficients = langevinCoefficients(path, time, stepSize);
  let current = tf.clone(x);
  for (let i = 0; i < steps; i++) {
    const next = tf.tidy(() =>
      langevinStep(
        current,
        velocity(time, current),
        langevinKey(key, tf.scalar(i, "int32")),
        coefficients,
      )
    );
    current.dispose();
    current = next;
  }
  return current;
}

/** x ← positionWeight·x + velocityWeight·∇Φ + noise·ξ: a step with the score written out. */
export interface LangevinCoefficients<T = number> {
  readonly positionWeight: T;
  readonly velocityWeight: T;
  readonly noise: T;
}

/** The coefficients at a time; h = stepSize·β². */
export function langevinCoefficients(
  path: GaussianPath,
  time: number,
  stepSize = 0.2,
): LangevinCoefficients {
  const coefficients = path.at(time), { alpha, alphaDot } = coefficients;
  const h = stepSize * coefficients.beta ** 2;
  const scale = 0.5 * h * scoreScale(coefficients);
  return {
    positionWeight: 1 + alphaDot * scale,
    velocityWeight: -alpha * scale,
    noise: Math.sqrt(h),
  };
}

/** The key of the draws of step i, an int32 scalar. */
export function langevinKey(key: RandomKey, i: Tensor): RandomKey {
  return { ...fork(key, "langevin"), step: tf.add(key.step, i) };
}

/** One step of Langevin dynamics from x with the velocity there. */
export function langevinStep(
  x: Tensor,
  velocity: Tensor,
  key: RandomKey,
  { positionWeight, velocityWeight, noise }: LangevinCoefficients<number | Tensor>,
): Tensor {
  return tf.addN([
    tf.mul(x, positionWeight),
    tf.mul(velocity, velocityWeight),
    tf.mul(randomNormal(key, x.shape), noise),
  ]);
}

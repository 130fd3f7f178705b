/**
 * @file Refinement of samples by unadjusted Langevin dynamics at a fixed time u: steps of
 * x ← x + ½h s(x) + √h ξ with the score s from the potential (Roberts and Tweedie, 1996).
 */
import { fork, type RandomKey, randomNormal, type Tensor, tf } from "../tensor/mod.ts";
import type { GaussianPath } from "../homotopy/gaussian_path.ts";
import { scoreFromVelocity, type VelocityField } from "./velocity.ts";

/** What a refinement is told. */
export interface LangevinOptions {
  readonly steps: number;
  readonly key: RandomKey;
  /** The time u that is held fixed; default the path's uMax. */
  readonly time?: number;
  /** h in units of β(u)², the narrowest variance that the path has there. Default 0.2. */
  readonly stepSize?: number;
}

/**
 * Samples refined in place of their own distribution at u, which Langevin dynamics leaves as it is
 * up to an error of order h.
 *
 * @param x [n, …]; stays the caller's
 * @returns [n, …]
 */
export function refineByLangevin(
  velocity: VelocityField,
  path: GaussianPath,
  x: Tensor,
  { steps, key, time = path.uMax, stepSize = 0.2 }: LangevinOptions,
): Tensor {
  const coefficients = path.at(time);
  const h = stepSize * coefficients.beta ** 2;
  let current = tf.clone(x);
  for (let i = 0; i < steps; i++) {
    const next = tf.tidy(() => {
      const score = scoreFromVelocity(current, velocity(time, current), coefficients);
      const noise = randomNormal(fork(key, `langevin ${i}`), current.shape);
      return tf.addN([current, tf.mul(score, h / 2), tf.mul(noise, Math.sqrt(h))]);
    });
    current.dispose();
    current = next;
  }
  return current;
}

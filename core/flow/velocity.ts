/**
 * @file The velocity of the flow, ∇Φ(x[, u]) [VPF, eq. 12], its divergence ΔΦ, and the score that
 * the potential implies.
 */
import {
  batchValueAndGradient,
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
 * The velocity ∇Φ of a potential.
 *
 * @param parameters the potential's; they must stay alive as long as the field is used
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { mlpPotential, openDevice, randomKey, tf, velocityField } from "vapo";
 * await openDevice("cpu");
 * const potential = mlpPotential({ dimension: 2, hidden: [8], timeExplicit: true });
 * const velocity = velocityField(potential, potential.initialize(randomKey(1)));
 * assertEquals(velocity(0.5, tf.zeros([3, 2])).shape, [3, 2]);
 * ```
 */
export function velocityField(potential: Potential, parameters: TensorRecord): VelocityField {
  return (u, x) =>
    tf.tidy(() => {
      const time = tf.fill([x.shape[0]], u);
      return batchValueAndGradient((x) => potential.apply(parameters, x, time), x).gradient;
    });
}

/**
 * The product of the flow's Jacobian with a vector: ∇(∇Φ·w), exact, for implicit solvers.
 *
 * @returns (u, x, w) ↦ the Hessian of Φ at x times w, all [n, …]
 */
export function hessianProduct(
  potential: Potential,
  parameters: TensorRecord,
): (u: number, x: Tensor, w: Tensor) => Tensor {
  const velocity = velocityField(potential, parameters);
  return (u, x, w) =>
    tf.tidy(() => batchValueAndGradient((x) => dot(velocity(u, x), w), x).gradient);
}

/**
 * The Laplacian ΔΦ, exactly: the sum of d second derivatives, each a gradient of a gradient.
 *
 * @returns (u, x [n, d]) ↦ [n]; the work grows with d, so this is for low dimensions
 */
export function exactLaplacian(potential: Potential, parameters: TensorRecord): VelocityField {
  const velocity = velocityField(potential, parameters);
  return (u, x) =>
    tf.tidy(() => {
      const [n, d] = x.shape;
      const terms = Array.from({ length: d }, (_, i) => {
        const { gradient } = batchValueAndGradient(
          (x) => tf.reshape(tf.slice(velocity(u, x), [0, i], [n, 1]), [n]),
          x,
        );
        return tf.slice(gradient, [0, i], [n, 1]);
      });
      return tf.reshape(tf.addN(terms), [n]);
    });
}

/**
 * Hutchinson's (1990) estimate of the Laplacian ΔΦ = E[zᵀ(∇²Φ)z], z of independent signs, as in
 * FFJORD (Grathwohl et al., 2019): the same probes at every evaluation, so that a solver sees one
 * smooth function.
 *
 * @returns (u, x [n, …]) ↦ [n]
 */
export function hutchinsonLaplacian(
  potential: Potential,
  parameters: TensorRecord,
  key: RandomKey,
): VelocityField {
  const product = hessianProduct(potential, parameters);
  return (u, x) =>
    tf.tidy(() => {
      const signs = tf.sign(tf.sub(randomUniform(key, x.shape), 0.5));
      return dot(signs, product(u, x, signs));
    });
}

/**
 * The score ∇ log ρ̄(x; u) that a velocity implies on a Gaussian path:
 * E[ε given x] = (α̇x − α∇Φ)/(α̇β − αβ̇), and the score is −E[ε given x]/β.
 *
 * @param x [n, …]
 * @param velocity ∇Φ at x: [n, …]
 */
export function scoreFromVelocity(
  x: Tensor,
  velocity: Tensor,
  { alpha, beta, alphaDot, betaDot }: PathCoefficients<number>,
): Tensor {
  const scale = -1 / ((alphaDot * beta - alpha * betaDot) * beta);
  return tf.tidy(() => tf.mul(tf.sub(tf.mul(x, alphaDot), tf.mul(velocity, alpha)), scale));
}

/** Σ a·b over all axes but the first: [n, …] × [n, …] → [n]. */
function dot(a: Tensor, b: Tensor): Tensor {
  return tf.sum(tf.mul(a, b), a.shape.slice(1).map((_, axis) => axis + 1));
}

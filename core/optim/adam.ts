/**
 * @file Adam (Kingma and Ba, 2015), with bias correction.
 */
import { type Scalar, type TensorRecord, tf } from "../tensor/mod.ts";
import { moveMoments } from "./moments.ts";
import type { Optimizer } from "./optimizer.ts";

/** Adam's constants. */
export interface AdamOptions {
  /** β₁, the decay of the first moment, in (0, 1). Default 0.9. */
  readonly beta1?: number;
  /** β₂, the decay of the second moment, in (0, 1). Default 0.999. */
  readonly beta2?: number;
  /** ε, in the unit of a gradient. Default 1e-8. */
  readonly epsilon?: number;
}

/**
 * Adam: p ← p − lr · m̂/(√v̂ + ε), with m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ).
 *
 * Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1.
 *
 * @param options its constants (not checked: a configuration's are)
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { adam, openDevice, tf, zeroMoments } from "vapo";
 * await openDevice("cpu");
 * const parameters = { w: tf.tensor1d([1]) };
 * const updated = adam().update({
 *   parameters, gradients: { w: tf.tensor1d([5]) }, moments: zeroMoments(parameters),
 *   learningRate: tf.scalar(0.1), step: tf.scalar(0),
 * });
 * // Whatever the gradient's size, the first step has the length of the learning rate.
 * assertAlmostEquals(updated.parameters.w.dataSync()[0], 0.9, 1e-6);
 * ```
 */
export function adam(
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamOptions = {},
): Optimizer {
  return {
    update({ parameters, gradients, moments, learningRate, step }) {
      const time = tf.add(step, 1) as Scalar;
      const correction1 = biasCorrection(beta1, time), correction2 = biasCorrection(beta2, time);
      const newParameters: TensorRecord = {}, newMoments: TensorRecord = {};
      for (const [name, parameter] of Object.entries(parameters)) {
        const { m, v } = moveMoments(moments, name, gradients[name], beta1, beta2);
        const scale = tf.add(tf.sqrt(tf.div(v, correction2)), epsilon);
        const update = tf.div(tf.div(m, correction1), scale);
        newParameters[name] = tf.sub(parameter, tf.mul(learningRate, update));
        newMoments[`m/${name}`] = m;
        newMoments[`v/${name}`] = v;
      }
      return { parameters: newParameters, moments: newMoments };
    },
  };
}

/** 1 − βᵗ, without the cancellation that it has in float32 at the first steps. */
function biasCorrection(beta: number, time: Scalar): Scalar {
  return tf.neg(tf.expm1(tf.mul(time, Math.log(beta))));
}

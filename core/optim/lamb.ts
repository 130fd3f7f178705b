/**
 * @file LAMB (You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
 * 2020) as the paper uses it: no bias correction, the weight norm clamped to [0, 10].
 */
import { type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";
import { moveMoments } from "./moments.ts";
import type { Optimizer } from "./optimizer.ts";

/** LAMB's constants. */
export interface LambOptions {
  /** β₁, the decay of the first moment, in [0, 1). Default 0.9. */
  readonly beta1?: number;
  /** β₂, the decay of the second moment, in [0, 1). Default 0.999. */
  readonly beta2?: number;
  /** ε, in the unit of a gradient. Default 1e-6. */
  readonly epsilon?: number;
  /** λ, the weight decay. Default 0. */
  readonly weightDecay?: number;
  /** The upper clamp of a weight norm. Default 10. */
  readonly maxWeightNorm?: number;
}

/**
 * LAMB: r = m/(√v + ε) + λp, p ← p − lr · (|p|/|r|) · r for each tensor, |p| clamped from above and
 * the ratio 1 where either norm is zero.
 *
 * Source: You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
 * 2020, algorithm 2, without its bias correction, as arXiv 2407.15238 uses it.
 *
 * @param options its constants (not checked: a configuration's are)
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { lamb, openDevice, tf, zeroMoments } from "vapo";
 * await openDevice("cpu");
 * const parameters = { w: tf.tensor1d([3, 4]) };
 * const updated = lamb({ weightDecay: 0 }).update({
 *   parameters, gradients: { w: tf.tensor1d([1, 1]) }, moments: zeroMoments(parameters),
 *   learningRate: tf.scalar(0.1), step: tf.scalar(0),
 * });
 * // The step's length is the learning rate times the norm of the weights.
 * const [x, y] = updated.parameters.w.dataSync();
 * assertAlmostEquals(Math.hypot(x - 3, y - 4), 0.5, 1e-5);
 * ```
 */
export function lamb(options: LambOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-6, weightDecay = 0, maxWeightNorm = 10 } =
    options;
  return {
    update({ parameters, gradients, moments, learningRate }) {
      const newParameters: TensorRecord = {}, newMoments: TensorRecord = {};
      for (const [name, parameter] of Object.entries(parameters)) {
        const { m, v } = moveMoments(moments, name, gradients[name], beta1, beta2);
        const direction = tf.div(m, tf.add(tf.sqrt(v), epsilon));
        const update = weightDecay === 0
          ? direction
          : tf.add(direction, tf.mul(parameter, weightDecay));
        const ratio = trustRatio(parameter, update, maxWeightNorm);
        newParameters[name] = tf.sub(parameter, tf.mul(tf.mul(learningRate, ratio), update));
        newMoments[`m/${name}`] = m;
        newMoments[`v/${name}`] = v;
      }
      return { parameters: newParameters, moments: newMoments };
    },
  };
}

function trustRatio(parameter: Tensor, update: Tensor, maxWeightNorm: number): Tensor {
  const weightNorm = tf.minimum(euclideanNorm(parameter), maxWeightNorm);
  const updateNorm = euclideanNorm(update);
  const defined = tf.logicalAnd(tf.greater(weightNorm, 0), tf.greater(updateNorm, 0));
  // The unused branch of a select must not divide by zero either.
  const safe = tf.where(defined, updateNorm, tf.onesLike(updateNorm));
  return tf.where(defined, tf.div(weightNorm, safe), tf.onesLike(weightNorm));
}

function euclideanNorm(x: Tensor): Tensor {
  return tf.sqrt(tf.sum(tf.square(x)));
}

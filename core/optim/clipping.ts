/**
 * @file Clipping of gradients by their global norm (Pascanu, Mikolov and Bengio, 2013).
 */
import { type Scalar, type TensorRecord, tf } from "../tensor/mod.ts";

/**
 * The Euclidean norm of a record of tensors taken as one vector.
 *
 * @param tensors at least one, of any shapes
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { globalNorm, openDevice, tf } from "vapo";
 * await openDevice("cpu");
 * const norm = globalNorm({ kernel: tf.tensor2d([[1], [2]]), bias: tf.tensor1d([2]) });
 * assertAlmostEquals(norm.dataSync()[0], 3, 1e-6);
 * ```
 */
export function globalNorm(tensors: TensorRecord): Scalar {
  const squares = Object.values(tensors).map((tensor) => tf.sum(tf.square(tensor)));
  return tf.sqrt(tf.addN(squares)) as Scalar;
}

/**
 * Scales a record of gradients so that its global norm is at most `maxNorm`; smaller ones pass.
 *
 * Source: Pascanu, Mikolov and Bengio, "On the difficulty of training Recurrent Neural Networks",
 * 2013, algorithm 1.
 *
 * @param gradients at least one, of any shapes
 * @param maxNorm above 0
 * @returns the gradients, and the norm that they had
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { clipByGlobalNorm, globalNorm, openDevice, tf } from "vapo";
 * await openDevice("cpu");
 * const { gradients, norm } = clipByGlobalNorm({ w: tf.tensor1d([3, 4]) }, 1);
 * assertAlmostEquals(norm.dataSync()[0], 5, 1e-6);
 * assertAlmostEquals(globalNorm(gradients).dataSync()[0], 1, 1e-6);
 * ```
 */
export function clipByGlobalNorm(
  gradients: TensorRecord,
  maxNorm: number,
): { gradients: TensorRecord; norm: Scalar } {
  const norm = globalNorm(gradients);
  const scale = tf.div(maxNorm, tf.maximum(norm, maxNorm));
  const clipped: TensorRecord = {};
  for (const [name, gradient] of Object.entries(gradients)) clipped[name] = tf.mul(gradient, scale);
  return { gradients: clipped, norm };
}

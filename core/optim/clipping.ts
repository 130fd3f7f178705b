/**
 * @file Clipping of gradients by their global norm (Pascanu, Mikolov and Bengio, 2013).
 */
import { type Scalar, type TensorRecord, tf } from "../tensor/mod.ts";

/** The Euclidean norm of a record of tensors taken as one vector. */
export function globalNorm(tensors: TensorRecord): Scalar {
  const squares = Object.values(tensors).map((tensor) => tf.sum(tf.square(tensor)));
  return tf.sqrt(tf.addN(squares)) as Scalar;
}

/**
 * Scales a record of gradients so that its global norm is at most `maxNorm`; smaller ones pass.
 *
 * @returns the gradients, and the norm that they had
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

/**
 * @file Inner products row by row, which the loss, the divergence of the flow and its Jacobian's
 * products are made of.
 */
import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "@tensorflow/tfjs";

/** Σ a·b over all axes but the first: [n, …] × [n, …] → [n]. */
export function innerProduct(a: Tensor, b: Tensor): Tensor {
  return tf.sum(tf.mul(a, b), a.shape.slice(1).map((_, axis) => axis + 1));
}

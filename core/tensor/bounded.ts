/**
 * @file Values kept within bounds, with derivatives of every order: 1 and then 0 inside, 0 outside.
 * TensorFlow.js differentiates its own `clipByValue` once only.
 */
import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "@tensorflow/tfjs";

/** 1 where |x| ≤ limit, else 0, as float32; constant as far as derivatives are concerned. */
const isWithin = (limit: number) =>
  tf.customGrad((x) => ({
    value: tf.cast(tf.lessEqual(tf.abs(x as Tensor), limit), "float32"),
    gradFunc: (dy: Tensor) => tf.zerosLike(dy),
  }));

/** x where |x| ≤ limit, else the limit of its sign: the shape of x. */
export function bounded(x: Tensor, limit: number): Tensor {
  const bound = tf.customGrad((x, save) => {
    (save as (tensors: Tensor[]) => void)([x as Tensor]);
    return {
      value: tf.clipByValue(x as Tensor, -limit, limit),
      gradFunc: (dy: Tensor, saved: Tensor[]) => tf.mul(dy, isWithin(limit)(saved[0])),
    };
  });
  return bound(x);
}

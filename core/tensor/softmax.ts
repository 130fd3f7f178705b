/**
 * @file Softmax with derivatives of every order. As with the sigmoid, TensorFlow.js saves its result
 * and loses what flows back into it; here the argument is saved.
 */
import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "@tensorflow/tfjs";

type Save = (tensors: Tensor[]) => void;

/** e^x/Σ e^x over the last axis: the shape of x. */
export function softmax(x: Tensor): Tensor {
  const weights = tf.customGrad((x, save) => {
    (save as Save)([x as Tensor]);
    return {
      value: tf.softmax(x as Tensor),
      gradFunc: (dy: Tensor, [x]: Tensor[]) => {
        const y = softmax(x);
        return tf.mul(y, tf.sub(dy, tf.sum(tf.mul(dy, y), -1, true)));
      },
    };
  });
  return weights(x);
}

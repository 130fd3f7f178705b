/**
 * @file The logistic function and SiLU with derivatives of every order: σ' = σ(1 − σ).
 * TensorFlow.js differentiates its own sigmoid by way of the saved result, and what flows back into
 * that by a second differentiation is lost; here the argument is saved.
 */
import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "@tensorflow/tfjs";

type Save = (tensors: Tensor[]) => void;

/** σ(x) = 1/(1 + e⁻ˣ): the shape of x. */
export function sigmoid(x: Tensor): Tensor {
  const logistic = tf.customGrad((x, save) => {
    (save as Save)([x as Tensor]);
    return {
      value: tf.sigmoid(x as Tensor),
      gradFunc: (dy: Tensor, [x]: Tensor[]) => {
        const y = sigmoid(x);
        return tf.mul(dy, tf.mul(y, tf.sub(1, y)));
      },
    };
  });
  return logistic(x);
}

/** Sigmoid linear unit, xσ(x) (Hendrycks and Gimpel, 2016): the shape of x. */
export function silu(x: Tensor): Tensor {
  return tf.mul(x, sigmoid(x));
}

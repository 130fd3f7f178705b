/**
 * @file Nearest-neighbour up-sampling with derivatives of every order. TensorFlow.js differentiates
 * it once; it is linear, and its transpose is the sum over blocks, four times their mean.
 */
import * as tf from "@tensorflow/tfjs";
import type { Tensor, Tensor4D } from "@tensorflow/tfjs";
import { averagePool2 } from "./average_pool.ts";

/** Each pixel four times: [n, h, w, c] → [n, 2h, 2w, c]. */
export function nearestUpsample2(x: Tensor4D): Tensor4D {
  const repeat = tf.customGrad((x) => {
    const [, height, width] = (x as Tensor4D).shape;
    return {
      value: tf.image.resizeNearestNeighbor(x as Tensor4D, [2 * height, 2 * width]),
      gradFunc: (dy: Tensor) => tf.mul(averagePool2(dy as Tensor4D), 4),
    };
  });
  return repeat(x) as Tensor4D;
}

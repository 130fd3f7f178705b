/**
 * @file Average pooling that can be differentiated twice. TensorFlow.js has the gradient of
 * `AvgPool` but not the gradient of that gradient; pooling is linear, so it is pooling again.
 */
import * as tf from "@tensorflow/tfjs";
import type { Tensor, Tensor4D } from "@tensorflow/tfjs";

tf.registerGradient({
  kernelName: "AvgPoolGrad",
  inputsToSave: ["input"],
  gradFunc: (ddx, saved, attributes) => {
    const { filterSize, strides, pad, dimRoundingMode } = attributes as unknown as {
      filterSize: [number, number];
      strides: [number, number];
      pad: "valid";
      dimRoundingMode?: "floor";
    };
    return {
      dy: () => tf.avgPool(ddx as Tensor4D, filterSize, strides, pad, dimRoundingMode),
      // The gradient of a linear map does not depend on where it is taken.
      input: () => tf.zerosLike(saved[0]) as Tensor,
    };
  },
});

/** Means over 2×2 blocks: [n, h, w, c] → [n, h/2, w/2, c]; h and w even. */
export function averagePool2(x: Tensor4D): Tensor4D {
  return tf.avgPool(x, 2, 2, "valid");
}

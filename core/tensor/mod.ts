/**
 * @file The one door to TensorFlow.js: every other file of the project takes its tensors, its
 * devices and its random draws from here, so that the tensor language can be traced, counted or
 * replaced in one place.
 */
import * as tf from "@tensorflow/tfjs";

export { tf };
export type {
  NamedTensorMap,
  Rank,
  Scalar,
  Tensor,
  Tensor1D,
  Tensor2D,
  Tensor4D,
  TensorLike,
} from "@tensorflow/tfjs";
export * from "./average_pool.ts";
export * from "./bytes.ts";
export * from "./device.ts";
export * from "./gradients.ts";
export * from "./group_normalization.ts";
export * from "./inner_product.ts";
export * from "./normal_distribution.ts";
export * from "./random.ts";
export * from "./sigmoid.ts";
export * from "./softmax.ts";
export * from "./upsample.ts";

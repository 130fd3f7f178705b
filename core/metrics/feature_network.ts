/**
 * @file A network whose activations stand for images in distances: Inception-v3 for figures that the
 * field compares, or a small classifier for digits and clothes.
 */
import type { Tensor2D, Tensor4D, TensorRecord } from "../tensor/mod.ts";

/** The names of the networks; a prepared network's directory says which one it is. */
export type FeatureNetworkName =
  | "inception-v3-fid"
  | "mnist-classifier"
  | "fashion-mnist-classifier";

/** What a network makes of images. */
export interface Features {
  /** [n, size]. */
  readonly features: Tensor2D;
  /** [n, classes], before softmax. */
  readonly logits: Tensor2D;
}

/** A network, without its parameters. */
export interface FeatureNetwork {
  readonly name: FeatureNetworkName;
  /** For people, as in "Inception-v3 (pool3, the FID network)". */
  readonly label: string;
  /** Numbers that stand for an image: 2048 of Inception. */
  readonly size: number;
  /** Length of the logits. */
  readonly classes: number;
  /** Shapes of its parameters by name. */
  readonly parameterShapes: Readonly<Record<string, readonly number[]>>;
  /** How many images it is given at once where nothing else is said: as many as are fast. */
  readonly batchSize: number;
  /**
   * Features and logits of images, an ordinary TensorFlow.js function that `jit` compiles.
   *
   * @param parameters float32, as `parameterShapes` says
   * @param images float32 [n, height, width, 1 or 3] in [−1, 1]
   */
  apply(parameters: TensorRecord, images: Tensor4D): Features;
}

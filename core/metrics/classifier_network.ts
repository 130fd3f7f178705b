/**
 * @file A small convolutional classifier of digits or clothes whose last hidden layer stands for an
 * image in distances: MNIST's and Fashion-MNIST's stand-in for Inception, trained on their own images
 * (see classifier_training.ts), so that a Fréchet distance can be had with no download. That features
 * of photographs say little of digits, and those of a classifier of digits more, is the view of
 * Bińkowski, Sutherland, Arbel and Gretton, too ("Demystifying MMD GANs", 2018: a LeNet for MNIST). The
 * distances are no FID, and no two classifiers give the same.
 */
import { VapoError } from "../errors.ts";
import { gelu } from "../potential/layers.ts";
import {
  averagePool2,
  nearestUpsample2,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  type TensorRecord,
  tf,
} from "../tensor/mod.ts";
import type { FeatureNetwork } from "./feature_network.ts";

/** The names of the classifiers. */
export type ClassifierName = "mnist-classifier" | "fashion-mnist-classifier";

/** Height and width that the network works at. */
export const CLASSIFIER_SIDE = 32;

const FEATURES = 128;
const CLASSES = 10;

/** Output channels of the 3×3 convolutions; each is followed by an average over 2×2 blocks. */
const channels = [16, 32, 64] as const;

const labels: Readonly<Record<ClassifierName, string>> = {
  "mnist-classifier": "a small classifier of digits, 128 features (not Inception: no FID)",
  "fashion-mnist-classifier": "a small classifier of clothes, 128 features (not Inception: no FID)",
};

/**
 * The classifier of a data set: three 3×3 convolutions of 16, 32 and 64 channels, each with GELU and
 * an average over 2×2 blocks, a dense layer of 128 features with GELU, and 10 logits. It works at
 * 32×32: images of 28×28 are padded with black, pixels of 16×16 become squares of four, those of 14×14
 * after padding; others it refuses by a {@link VapoError}.
 *
 * @param name which one: they differ by their parameters alone
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { classifierNetwork, openDevice, tf } from "vapo";
 * await openDevice("cpu");
 * const network = classifierNetwork("mnist-classifier");
 * const parameters = Object.fromEntries(
 *   Object.entries(network.parameterShapes).map(([name, shape]) => [name, tf.zeros([...shape])]),
 * );
 * const { features, logits } = network.apply(parameters, tf.zeros([2, 28, 28, 1]));
 * assertEquals([features.shape, logits.shape], [[2, 128], [2, 10]]);
 * ```
 */
export function classifierNetwork(name: ClassifierName): FeatureNetwork {
  return {
    name,
    label: labels[name],
    size: FEATURES,
    classes: CLASSES,
    parameterShapes,
    batchSize: 100,
    apply(parameters, images) {
      return tf.tidy(() => {
        const features = featuresOf(parameters, atClassifierSize(images));
        return { features, logits: dense(parameters, "head", features) };
      });
    },
  };
}

const parameterShapes = shapesOfParameters();

function shapesOfParameters(): Record<string, readonly number[]> {
  const shapes: Record<string, readonly number[]> = {};
  const layer = (name: string, kernel: readonly number[]) => {
    shapes[`${name}.kernel`] = kernel;
    shapes[`${name}.bias`] = kernel.slice(-1);
  };
  channels.forEach((outputs, i) =>
    layer(`conv${i}`, [3, 3, i === 0 ? 1 : channels[i - 1], outputs])
  );
  const side = CLASSIFIER_SIDE / 2 ** channels.length;
  layer("dense", [side * side * channels[channels.length - 1], FEATURES]);
  layer("head", [FEATURES, CLASSES]);
  return shapes;
}

/** [n, 32, 32, 1] → [n, 128]. */
function featuresOf(parameters: TensorRecord, images: Tensor4D): Tensor2D {
  // Black is 0, as what a convolution takes to be outside of the image.
  let x = tf.add(images, 1) as Tensor4D;
  channels.forEach((_, i) => {
    const kernel = parameters[`conv${i}.kernel`] as Tensor4D;
    const sum = tf.add(tf.conv2d(x, kernel, 1, "same"), parameters[`conv${i}.bias`]);
    x = averagePool2(gelu(sum) as Tensor4D);
  });
  return gelu(dense(parameters, "dense", tf.reshape(x, [x.shape[0], -1]))) as Tensor2D;
}

function dense(parameters: TensorRecord, name: string, x: Tensor): Tensor2D {
  const product = tf.matMul(x as Tensor2D, parameters[`${name}.kernel`] as Tensor2D);
  return tf.add(product, parameters[`${name}.bias`]);
}

/**
 * Images at the size that the classifiers work at. Nothing is cut off, so that every pixel of a sample
 * counts: 28×28 is padded by 2 with black, as a potential's images are; 14×14 is padded by 1 and 16×16
 * taken as it is, and each of their pixels becomes 2×2.
 *
 * @param images [n, side, side, 1] in [−1, 1], of side 32, 28, 16 or 14
 * @returns [n, 32, 32, 1]
 * @throws {VapoError} for other sizes, and for other than one channel
 */
export function atClassifierSize(images: Tensor4D): Tensor4D {
  const [, height, width, depth] = images.shape;
  const known = depth === 1 && height === width && [32, 28, 16, 14].includes(height);
  if (!known) {
    throw new VapoError(
      `images are ${height}×${width}×${depth}; expected 32×32, 28×28, 16×16 or 14×14 of one ` +
        "channel for a classifier of digits or clothes: take Inception for others",
    );
  }
  const missing = height < 20 ? 16 - height : 32 - height, side = missing / 2;
  const padded = missing === 0
    ? images
    : tf.pad(images, [[0, 0], [side, side], [side, side], [0, 0]], -1);
  return height < 20 ? nearestUpsample2(padded) : padded;
}

/**
 * @file The layers that potentials are made of, as functions of (parameters, layer name, input).
 * Weight normalisation after Salimans and Kingma (2016): w = g·v/|v|, the norm over all axes but
 * the output channel, with their data-dependent initialisation.
 */
import {
  fork,
  normalDistribution,
  type RandomKey,
  randomNormal,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  type TensorRecord,
  tf,
} from "../tensor/mod.ts";

/** The two layers with weights; a potential is written against this, so that initialisation from data can watch every layer. */
export interface Layers {
  /** x [n, inputs] → [n, outputs]. */
  dense(parameters: TensorRecord, name: string, x: Tensor): Tensor;
  /** x [n, h, w, inputs] → [n, h, w, outputs], zero padding that keeps the size. */
  convolution(parameters: TensorRecord, name: string, x: Tensor): Tensor;
}

/**
 * Gaussian error linear unit, exact: xΦ(x) with the normal distribution function Φ.
 *
 * Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
 *
 * @param x any shape
 * @returns the shape of x
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { gelu, openDevice, tf } from "vapo";
 * await openDevice("cpu");
 * const [value] = gelu(tf.scalar(1)).dataSync();
 * assertAlmostEquals(value, 0.8413447, 1e-6); // the normal distribution function at 1
 * ```
 */
export function gelu(x: Tensor): Tensor {
  return tf.mul(x, normalDistribution(x));
}

/** v/|v|, the norm over all axes but the last. */
function direction(v: Tensor): Tensor {
  const axes = v.shape.slice(0, -1).map((_, axis) => axis);
  return tf.div(v, tf.sqrt(tf.sum(tf.square(v), axes, true)));
}

/** A layer's weights: `name.kernel` as it is, or g·v/|v| from `name.v` and `name.g`. */
export function layerWeights(parameters: TensorRecord, name: string): Tensor {
  return parameters[`${name}.kernel`] ??
    tf.mul(parameters[`${name}.g`], direction(parameters[`${name}.v`]));
}

function multiply(x: Tensor, kernel: Tensor): Tensor {
  return kernel.rank === 4
    ? tf.conv2d(x as Tensor4D, kernel as Tensor4D, 1, "same")
    : tf.matMul(x as Tensor2D, kernel as Tensor2D);
}

function layer(parameters: TensorRecord, name: string, x: Tensor): Tensor {
  return tf.add(multiply(x, layerWeights(parameters, name)), parameters[`${name}.bias`]);
}

/** The layers as they are trained and sampled. */
export const layers: Layers = { dense: layer, convolution: layer };

/**
 * Layers that set their own gain and bias from the batch that passes through them: g = 1/std and
 * bias = −mean/std of v/|v| applied to it, written into `parameters`.
 */
export const initializingLayers: Layers = { dense: observe, convolution: observe };

function observe(parameters: TensorRecord, name: string, x: Tensor): Tensor {
  if (parameters[`${name}.kernel`]) return layer(parameters, name, x);
  const output = multiply(x, direction(parameters[`${name}.v`]));
  const axes = output.shape.slice(0, -1).map((_, axis) => axis);
  const { mean, variance } = tf.moments(output, axes);
  const deviation = tf.sqrt(tf.add(variance, 1e-10));
  parameters[`${name}.g`] = tf.div(1, deviation);
  parameters[`${name}.bias`] = tf.neg(tf.div(mean, deviation));
  return tf.div(tf.sub(output, mean), deviation);
}

/** A plain layer: kernel ~ N(0, 1/inputs), bias 0. */
export function initializePlain(
  parameters: TensorRecord,
  key: RandomKey,
  name: string,
  shape: number[],
): void {
  const inputs = shape.slice(0, -1).reduce((product, size) => product * size, 1);
  const draw = randomNormal(fork(key, name), shape);
  parameters[`${name}.kernel`] = tf.mul(draw, 1 / Math.sqrt(inputs));
  parameters[`${name}.bias`] = tf.zeros([shape[shape.length - 1]]);
}

/** A weight-normalised layer: v ~ N(0, 0.05²), g = 1, bias 0 (Salimans and Kingma, 2016). */
export function initializeNormalized(
  parameters: TensorRecord,
  key: RandomKey,
  name: string,
  shape: number[],
): void {
  const outputs = shape[shape.length - 1];
  parameters[`${name}.v`] = tf.mul(randomNormal(fork(key, name), shape), 0.05);
  parameters[`${name}.g`] = tf.ones([outputs]);
  parameters[`${name}.bias`] = tf.zeros([outputs]);
}

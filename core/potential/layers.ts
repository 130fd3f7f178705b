/**
 * @file The layers that potentials are made of, as functions of (parameters, layer name, input).
 * Weight normalisation after Salimans and Kingma (2016): w = g·v/|v|, the norm over all axes but
 * the output channel, with their data-dependent initialisation.
 */
import {
  averagePool2,
  fork,
  innerProduct,
  nearestUpsample2,
  normalDistribution,
  type RandomKey,
  randomNormal,
  randomUniform,
  softmax,
  standardizeGroups,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  type TensorRecord,
  tf,
} from "../tensor/mod.ts";

/** A layer: its parameters, if it has any, are those of the record that begin with its name. */
export type Layer<Options extends unknown[] = []> = (
  parameters: TensorRecord,
  name: string,
  x: Tensor,
  ...options: Options
) => Tensor;

/** What a normalised feature is multiplied by and shifted with, beside the layer's own gain and bias. */
export interface Modulation {
  /** [n, channels]; the feature is multiplied by 1 + scale. */
  readonly scale: Tensor;
  /** [n, channels]. */
  readonly shift: Tensor;
}

/**
 * The layers that a potential is written against, so that whoever hands them over can watch every
 * one (initialisation from data, descriptions) or make it another (dropout).
 */
export interface Layers {
  /** x [..., inputs] → [..., outputs]. */
  readonly dense: Layer;
  /** x [n, h, w, inputs] → [n, h, w, outputs], zero padding that keeps the size. */
  readonly convolution: Layer;
  /** x [n, ..., channels] in so many groups of neighbouring channels, then gain, bias, modulation. */
  readonly groupNorm: Layer<[groups: number, modulation?: Modulation]>;
  /** x [n, pixels, 3·channels], queries, keys and values beside each other → [n, pixels, channels]. */
  readonly attention: Layer<[heads: number]>;
  /** Means over 2×2 blocks: [n, h, w, c] → [n, h/2, w/2, c]. */
  readonly averagePool: Layer;
  /** Each pixel four times: [n, h, w, c] → [n, 2h, 2w, c]. */
  readonly upsample: Layer;
  /** The channels of x, then those of another. */
  readonly concatenate: Layer<[other: Tensor]>;
  /** Nothing, but in training: there, each value is zero with this probability. */
  readonly dropout: Layer<[rate: number]>;
  /** Sums over pixels: [n, h, w, c] → [n, c]. */
  readonly sumPixels: Layer;
  /** −½|x − y|², sample by sample: → [n]. */
  readonly squaredDistance: Layer<[y: Tensor]>;
  /** x·y, sample by sample: → [n]. */
  readonly innerProduct: Layer<[y: Tensor]>;
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
  if (kernel.rank === 4) return tf.conv2d(x as Tensor4D, kernel as Tensor4D, 1, "same");
  if (x.rank === 2) return tf.matMul(x as Tensor2D, kernel as Tensor2D);
  const [inputs, outputs] = kernel.shape;
  const rows = tf.matMul(tf.reshape(x, [-1, inputs]) as Tensor2D, kernel as Tensor2D);
  return tf.reshape(rows, [...x.shape.slice(0, -1), outputs]);
}

/** x·weights + bias: dense for weights [inputs, outputs], a convolution for [h, w, inputs, outputs]. */
const affine: Layer = (parameters, name, x) =>
  tf.add(multiply(x, layerWeights(parameters, name)), parameters[`${name}.bias`]);

/** As in PyTorch. */
const groupNormEpsilon = 1e-5;

/**
 * Standardised groups, times a gain, plus a bias. Those of the layer and of the modulation become one
 * each before they meet what is large, (1 + s)(γz + β) + t = (1 + s)γ·z + (1 + s)β + t, and are had
 * sample by sample: so that their gradients are first summed over pixels, as the gradient in x needs
 * it too, and then over samples.
 */
const groupNorm: Layers["groupNorm"] = (parameters, name, x, groups, modulation) => {
  const n = x.shape[0], channels = x.shape[x.rank - 1];
  const perSample = (x: Tensor) => tf.reshape(x, [n, 1, channels]);
  const pixels = tf.reshape(x, [n, -1, channels]);
  const z = standardizeGroups(pixels, { groups, epsilon: groupNormEpsilon });
  const factor = perSample(modulation ? tf.add(1, modulation.scale) : tf.ones([n, channels]));
  const gain = tf.mul(parameters[`${name}.gain`], factor);
  const bias = tf.mul(parameters[`${name}.bias`], factor);
  const shifted = modulation ? tf.add(bias, perSample(modulation.shift)) : bias;
  return tf.reshape(tf.add(tf.mul(z, gain), shifted), x.shape);
};

/**
 * Dot-product attention among pixels (Vaswani et al., "Attention Is All You Need", 2017), queries and
 * keys each scaled by d^(−1/4), d the channels of a head.
 */
const attention: Layers["attention"] = (_parameters, _name, x, heads) => {
  const [n, pixels, width] = x.shape;
  const channels = width / 3, perHead = channels / heads;
  const [queries, keys, values] = tf.split(x, 3, 2).map((part) =>
    heads === 1 ? part : tf.transpose(tf.reshape(part, [n, pixels, heads, perHead]), [0, 2, 1, 3])
  );
  const scaled = (part: Tensor) => tf.mul(part, perHead ** -0.25);
  const weights = softmax(tf.matMul(scaled(queries), scaled(keys), false, true));
  const mixed = tf.matMul(weights, values);
  return heads === 1 ? mixed : tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [n, pixels, channels]);
};

/** The layers as they are sampled; in training they are these too, but for dropout. */
export const layers: Layers = {
  dense: affine,
  convolution: affine,
  groupNorm,
  attention,
  averagePool: (_parameters, _name, x) => averagePool2(x as Tensor4D),
  upsample: (_parameters, _name, x) => nearestUpsample2(x as Tensor4D),
  concatenate: (_parameters, _name, x, other) => tf.concat([x, other], x.rank - 1),
  dropout: (_parameters, _name, x) => x,
  sumPixels: (_parameters, _name, x) => tf.sum(x, [1, 2]),
  squaredDistance(_parameters, _name, x, y) {
    const difference = tf.sub(x, y);
    return tf.mul(innerProduct(difference, difference), -0.5);
  },
  innerProduct: (_parameters, _name, x, y) => innerProduct(x, y),
};

/**
 * The layers with dropout (Srivastava et al., 2014): what is kept is divided by 1 − rate, so that the
 * mean stays. Each layer draws its mask by a fork of the key by its name, sample by sample, so that a
 * mask is the same in values and in derivatives, and whatever the batch is divided into.
 */
export function layersWithDropout(key: RandomKey): Layers {
  return {
    ...layers,
    dropout(_parameters, name, x, rate) {
      const kept = tf.greaterEqual(randomUniform(fork(key, name), x.shape), rate);
      return tf.mul(x, tf.mul(tf.cast(kept, "float32"), 1 / (1 - rate)));
    },
  };
}

/**
 * Layers that set their own gain and bias from the batch that passes through them: g = 1/std and
 * bias = −mean/std of v/|v| applied to it, written into `parameters`.
 */
export const initializingLayers: Layers = { ...layers, dense: observe, convolution: observe };

function observe(parameters: TensorRecord, name: string, x: Tensor): Tensor {
  if (parameters[`${name}.kernel`]) return affine(parameters, name, x);
  const output = multiply(x, direction(parameters[`${name}.v`]));
  const { mean, variance } = channelMoments(output);
  const deviation = tf.sqrt(sensibleVariance(variance, mean, x));
  parameters[`${name}.g`] = tf.div(1, deviation);
  parameters[`${name}.bias`] = tf.neg(tf.div(mean, deviation));
  return tf.div(tf.sub(output, mean), deviation);
}

/** Of each channel, over all axes but the last: [channels]. */
function channelMoments(x: Tensor): { mean: Tensor; variance: Tensor } {
  return tf.moments(x, x.shape.slice(0, -1).map((_, axis) => axis));
}

/**
 * A variance over a batch, where it says something. Of two samples, or behind a layer whose outputs
 * hardly differ, it may be 0 by chance, and its inverse anything. A direction that is drawn at random
 * has on average the mean variance of the layer's inputs x: it is taken to have a hundredth of that at
 * least, and a hundredth of the size of what comes out. Where nothing comes out, it is 1.
 */
function sensibleVariance(variance: Tensor, mean: Tensor, x: Tensor): Tensor {
  const ofInputs = tf.mul(tf.mean(channelMoments(x).variance), 1e-2);
  const ofSize = tf.mul(tf.square(mean), 1e-4);
  const least = tf.maximum(variance, tf.maximum(ofInputs, ofSize));
  return tf.where(tf.greater(least, 1e-20), least, tf.onesLike(least));
}

/** The product of all axes but the last: how many values go into one output. */
function fanIn(shape: readonly number[]): number {
  return shape.slice(0, -1).reduce((product, size) => product * size, 1);
}

/** A plain layer: kernel ~ N(0, 1/inputs), bias 0. */
export function initializePlain(
  parameters: TensorRecord,
  key: RandomKey,
  name: string,
  shape: number[],
): void {
  const draw = randomNormal(fork(key, name), shape);
  parameters[`${name}.kernel`] = tf.mul(draw, 1 / Math.sqrt(fanIn(shape)));
  parameters[`${name}.bias`] = tf.zeros([shape[shape.length - 1]]);
}

/**
 * A plain layer as PyTorch starts it: kernel and bias uniform on ±1/√inputs, which is its
 * `kaiming_uniform_` with a = √5.
 */
export function initializeUniform(
  parameters: TensorRecord,
  key: RandomKey,
  name: string,
  shape: number[],
): void {
  const bound = 1 / Math.sqrt(fanIn(shape));
  const draw = (what: string, shape: number[]) =>
    tf.mul(tf.sub(randomUniform(fork(key, `${name}.${what}`), shape), 0.5), 2 * bound);
  parameters[`${name}.kernel`] = draw("kernel", shape);
  parameters[`${name}.bias`] = draw("bias", [shape[shape.length - 1]]);
}

/** A plain layer that gives 0. */
export function initializeZero(
  parameters: TensorRecord,
  _key: RandomKey,
  name: string,
  shape: number[],
): void {
  parameters[`${name}.kernel`] = tf.fill(shape, 0);
  parameters[`${name}.bias`] = tf.fill([shape[shape.length - 1]], 0);
}

/** A group norm's gain 1 and bias 0. */
export function initializeGroupNorm(
  parameters: TensorRecord,
  _key: RandomKey,
  name: string,
  shape: number[],
): void {
  parameters[`${name}.gain`] = tf.ones(shape);
  parameters[`${name}.bias`] = tf.zeros(shape);
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

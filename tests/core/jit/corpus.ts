/**
 * @file Programs that the compiler is held against eager TensorFlow.js with: each layer, potential,
 * loss and optimiser of the project, first and second order, and the operations that users of
 * TensorFlow.js expect. Sizes are odd on purpose: primes, 1, nothing that a vector divides.
 */
import {
  drawImages,
  flipSome,
  fromUint8,
  type ImageSize,
  imagesOfWords,
} from "../../../core/data/images.ts";
import { configuredDistribution, toyDistributions, toyNames } from "../../../core/data/toy.ts";
import { exactLaplacian, hutchinsonLaplacian, velocityAt } from "../../../core/flow/velocity.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import { energyExcess, energyLoss } from "../../../core/loss/energy_loss.ts";
import { adam } from "../../../core/optim/adam.ts";
import { clipByGlobalNorm } from "../../../core/optim/clipping.ts";
import { updateAverage } from "../../../core/optim/ema.ts";
import { lamb } from "../../../core/optim/lamb.ts";
import { zeroMoments } from "../../../core/optim/moments.ts";
import { learningRateAt } from "../../../core/optim/schedules.ts";
import { gelu } from "../../../core/potential/layers.ts";
import { mlpPotential } from "../../../core/potential/mlp.ts";
import type { Potential } from "../../../core/potential/potential.ts";
import { unetPotential } from "../../../core/potential/unet.ts";
import { wideResnetPotential } from "../../../core/potential/wide_resnet.ts";
import type { TensorTree } from "../../../core/jit/mod.ts";
import {
  averagePool2,
  batchValueAndGradient,
  fork,
  lossAndGradients,
  nearestUpsample2,
  packBytes,
  randomBits,
  randomIndices,
  randomKey,
  randomNormal,
  randomUniform,
  type Scalar,
  silu,
  softmax,
  standardizeGroups,
  type Tensor,
  type Tensor4D,
  type TensorRecord,
  tf,
  wordsOfBytes,
} from "../../../core/tensor/mod.ts";
import { perturbedPotential } from "../../perturbed_potential.ts";

/** A function and arguments for it. */
export interface Program {
  readonly name: string;
  /** Makes the arguments on the open device. */
  args(): TensorTree[];
  readonly f: (...args: never[]) => TensorTree;
  /** TensorFlow.js 4.22 takes bits of bools that were made on a GPU for floats. */
  readonly eagerIsWrongOnWebGpu?: boolean;
  /** So many times the usual difference is rounding: of deep nets, in sums of parts that cancel. */
  readonly slack?: number;
}

const programs: Program[] = [];

function program<A extends TensorTree[]>(
  name: string,
  args: () => [...A],
  f: (...args: A) => TensorTree,
  notes: Pick<Program, "eagerIsWrongOnWebGpu" | "slack"> = {},
): void {
  programs.push({ name, args, f: f as unknown as Program["f"], ...notes });
}

let draws = 0;
/** Standard normal draws, the same in every run. */
const normal = (...shape: number[]) => randomNormal(fork(randomKey(11), `${draws++}`), shape);
const positive = (...shape: number[]) => tf.add(tf.abs(normal(...shape)), 0.1);

/** First and second derivatives of Σ w·f(x) with random weights, and the value. */
function twice(name: string, f: (x: Tensor) => Tensor, ...shape: number[]): void {
  program(name, () => [normal(...shape)], (x: Tensor) => {
    const weights = (y: Tensor) => tf.cos(tf.reshape(tf.range(0, y.size), y.shape));
    const along = (x: Tensor) => tf.sum(tf.mul(f(x), weights(f(x))));
    const gradient = tf.grad(along);
    const second = tf.grad((x) => tf.sum(tf.mul(gradient(x), tf.sin(x))));
    return { value: f(x), gradient: gradient(x), second: second(x) };
  });
}

/** The value and first derivatives alone, of what TensorFlow.js differentiates once. */
function once(name: string, f: (x: Tensor) => Tensor, ...shape: number[]): void {
  program(name, () => [normal(...shape)], (x: Tensor) => ({
    value: f(x),
    gradient: tf.grad((x) => tf.sum(tf.mul(f(x), tf.sin(f(x)))))(x),
  }));
}

twice("gelu", gelu, 7, 13);
twice("silu", silu, 7, 13);
twice("attention weights", softmax, 3, 5, 7);
twice("standardised groups", (x) => standardizeGroups(x, { groups: 3, epsilon: 1e-3 }), 2, 5, 9);
twice("nearest-neighbour up-sampling", (x) => nearestUpsample2(x as Tensor4D), 2, 3, 5, 3);
twice("tanh and sigmoid", (x) => tf.mul(tf.tanh(x), tf.sigmoid(x)), 31);
twice(
  "exp, log, sqrt",
  (x) => tf.log(tf.add(tf.exp(x), tf.sqrt(tf.add(tf.square(x), 1)))),
  5,
  1,
  3,
);
twice("sine and cosine", (x) => tf.mul(tf.sin(tf.mul(x, 3)), tf.cos(x)), 17);
twice("softplus and division", (x) => tf.div(tf.softplus(x), tf.add(tf.square(x), 2)), 11);
once(
  "maximum, minimum, absolute value",
  (x) => tf.maximum(tf.minimum(x, 0.5), tf.neg(tf.abs(x))),
  19,
);
twice("softmax", (x) => tf.softmax(x as never), 5, 7);
twice("log softmax", (x) => tf.logSoftmax(x as never), 3, 11);
twice(
  "mean and variance",
  (x) => {
    const { mean, variance } = tf.moments(x, [0], true);
    return tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3)));
  },
  13,
  3,
);
twice("a product with itself", (x) => tf.matMul(x as never, x as never, true, false), 7, 5);
twice("pooling", (x) => averagePool2(x as Tensor4D), 2, 6, 4, 3);
twice("overlapping pooling", (x) => tf.avgPool(x as Tensor4D, 3, 2, "same"), 1, 7, 5, 2);
once("up-sampling", (x) => tf.image.resizeNearestNeighbor(x as Tensor4D, [6, 10]), 2, 3, 5, 3);
twice(
  "padding and slices",
  (x) => tf.slice(tf.pad(x, [[1, 2], [0, 3]], 0.5), [1, 0], [3, 5]),
  4,
  3,
);
twice(
  "concatenation and pieces",
  (x) => {
    const [a, b] = tf.split(x, [2, 3], 1);
    return tf.concat([b, tf.square(a), x], 1);
  },
  3,
  5,
);
twice("stacks", (x) => tf.stack(tf.unstack(x, 1).map((y, i) => tf.mul(y, i + 1)), 0), 4, 3);
twice(
  "transposition and reversal",
  (x) => tf.mul(tf.reverse(tf.transpose(x, [2, 0, 1]), 1), 2),
  2,
  3,
  5,
);
twice("tiles", (x) => tf.square(tf.tile(x, [2, 3])), 3, 2);
program("select", () => [normal(23), normal(23)], (x: Tensor, y: Tensor) => {
  const chosen = (x: Tensor) => tf.where(tf.greater(y, 0), tf.square(x), tf.exp(x));
  const gradient = tf.grad((x) => tf.sum(tf.square(chosen(x))));
  return { value: chosen(x), gradient: gradient(x) };
});
for (
  const [height, width, stride, padding] of [[5, 7, 1, "same"], [6, 6, 2, "same"], [
    7,
    5,
    2,
    "valid",
  ]] as const
) {
  program(
    `convolution ${height}×${width}, stride ${stride}, ${padding}`,
    () => [normal(2, height, width, 3), normal(3, 3, 3, 5)],
    (x: Tensor, filter: Tensor) => {
      const y = (x: Tensor, f: Tensor) =>
        tf.square(tf.conv2d(x as Tensor4D, f as Tensor4D, stride, padding));
      const first = tf.grads((x: Tensor, f: Tensor) => tf.sum(y(x, f)));
      // TensorFlow.js differentiates the gradient in x once more, that in the filter not.
      const second = tf.grads((x: Tensor, f: Tensor) =>
        tf.sum(tf.square(tf.grad((x) => tf.sum(y(x, f)))(x)))
      );
      return { y: y(x, filter), first: first([x, filter]), second: second([x, filter]) };
    },
  );
}
for (const channels of [8, 12, 16]) {
  program(
    `3×3 convolution, ${channels} channels`,
    () => [normal(3, 9, 6, channels), normal(3, 3, channels, channels + 4)],
    (x: Tensor, filter: Tensor) => {
      const y = (x: Tensor, f: Tensor) => tf.conv2d(x as Tensor4D, f as Tensor4D, 1, "same");
      const gradients = tf.grads((x: Tensor, f: Tensor) => tf.sum(tf.square(y(x, f))));
      return { y: y(x, filter), gradients: gradients([x, filter]) };
    },
  );
}
program(
  "convolution 1×1 and 5×5",
  () => [normal(2, 6, 5, 3), normal(1, 1, 3, 4), normal(5, 5, 4, 2)],
  (
    x: Tensor,
    one: Tensor,
    five: Tensor,
  ) => {
    const f = (x: Tensor, one: Tensor, five: Tensor) =>
      tf.conv2d(tf.conv2d(x as Tensor4D, one as Tensor4D, 1, "valid"), five as Tensor4D, 1, "same");
    return tf.grads((x: Tensor, one: Tensor, five: Tensor) => tf.sum(tf.square(f(x, one, five))))([
      x,
      one,
      five,
    ]);
  },
);
program("batched and transposed products", () => [normal(3, 5, 7), normal(3, 7, 2), normal(4, 7)], (
  a: Tensor,
  b: Tensor,
  c: Tensor,
) => ({
  batched: tf.matMul(a as never, b as never),
  left: tf.matMul(b as never, a as never, true, true),
  right: tf.matMul(c as never, c as never, false, true),
  outer: tf.matMul(tf.reshape(tf.sum(a, [0, 1]), [7, 1]), tf.reshape(tf.sum(b, [0, 1]), [1, 2])),
}));
program("reductions", () => [normal(3, 5, 7), normal(1031)], (x: Tensor, long: Tensor) => ({
  all: tf.sum(x),
  first: tf.sum(x, 0),
  middle: tf.mean(x, 1, true),
  ends: tf.max(x, [0, 2]),
  least: tf.min(long),
  long: tf.sum(tf.square(long)),
}));
program("any and all", () => [normal(3, 5, 7)], (x: Tensor) => ({
  any: tf.any(tf.greater(x, 2)),
  every: tf.all(tf.greater(x, -1), 1),
}), { eagerIsWrongOnWebGpu: true });
program("integers and logic", () => [normal(29)], (x: Tensor) => {
  const i = tf.cast(tf.mul(x, 10), "int32"), two = tf.scalar(2, "int32");
  const positive = tf.greater(i, tf.scalar(0, "int32"));
  return {
    i,
    sum: tf.add(i, two),
    product: tf.mul(i, i),
    parity: tf.mod(i, two),
    half: tf.floorDiv(i, two),
    logic: tf.logicalOr(tf.logicalAnd(positive, tf.less(x, 0.5)), tf.logicalNot(positive)),
    chosen: tf.where(positive, i, tf.neg(i)),
    back: tf.cast(positive, "float32"),
    rounded: tf.round(tf.mul(x, 4)),
    floor: tf.floor(x),
    ceiling: tf.ceil(x),
    sign: tf.sign(x),
  };
});
program("special values", () => [tf.tensor1d([NaN, Infinity, -Infinity, 0, -0, 1e-30, 1e30, -1])], (
  x: Tensor,
) => ({
  finite: tf.isFinite(x),
  nan: tf.isNaN(x),
  infinite: tf.isInf(x),
  plus: tf.add(x, 1),
  times: tf.mul(x, 0),
  inverse: tf.div(1, x),
  exp: tf.exp(x),
  log: tf.log(x),
  root: tf.sqrt(x),
  tanh: tf.tanh(x),
  largest: tf.maximum(x, 0.5),
  // Of NaN the backends of TensorFlow.js make different things.
  clipped: tf.clipByValue(tf.slice(x, [1], [7]), -2, 2),
  sum: tf.sum(x),
  top: tf.max(tf.slice(x, [1], [7])),
  chosen: tf.where(tf.greater(x, 0), x, tf.zerosLike(x)),
}));
program("gathered rows", () => [normal(7, 3, 2), tf.tensor1d([6, 0, 3, 3], "int32")], (
  table: Tensor,
  rows: Tensor,
) => tf.mul(tf.gather(table, rows as never), 2));
program("random draws", () => [tf.scalar(5, "int32")], (step: Tensor) => {
  const key = { seed: tf.tensor1d([3, 1], "int32"), step, stream: 9, firstSample: 4 };
  return {
    bits: randomBits(key, [5, 7]),
    uniform: randomUniform(fork(key, "u"), [11]),
    normal: randomNormal(fork(key, "n"), [6, 5]),
    pairs: randomNormal(fork(key, "p"), [33, 2]),
    dice: randomIndices(fork(key, "d"), [20], 6),
  };
});
for (const name of toyNames) {
  program(
    `draws of ${name}`,
    () => [tf.scalar(3, "int32")],
    (step: Tensor) =>
      toyDistributions[name].sample(37, { seed: tf.tensor1d([7, 0], "int32"), step, stream: 0 }),
  );
}
for (
  const { name, weights, points = null } of [
    { name: "2moons", weights: [1, 3] },
    { name: "checkerboard", weights: [1, 2, 3, 0, 0, 0, 4, 5] },
    {
      name: "points",
      weights: Array.from({ length: 131 }, (_, k) => k % 5),
      points: Array.from({ length: 131 }, (_, k) => [k / 50, Math.sin(k)] as const),
    },
  ] as const
) {
  const { sample } = configuredDistribution({
    name,
    distribution: { noise: 0.1, weights, points },
  });
  program(
    `weighted draws of ${name}`,
    () => [tf.scalar(3, "int32")],
    (step: Tensor) => sample(37, { seed: tf.tensor1d([7, 0], "int32"), step, stream: 0 }),
  );
}
program(
  "draws from a sample that is an argument",
  () => [tf.scalar(5, "int32"), tf.scalar(12, "int32")],
  (step: Tensor, firstSample: Tensor) => {
    const key = { seed: tf.tensor1d([3, 1], "int32"), step, stream: 9, firstSample };
    return {
      bits: randomBits(key, [5, 7]),
      uniform: randomUniform(fork(key, "u"), [11]),
      normal: randomNormal(fork(key, "n"), [6, 5]),
      indices: randomIndices(fork(key, "d"), [20], 3 * 2 ** 29),
    };
  },
);

/** Draws of images, and a batch of words that is an argument. */
function images(
  name: string,
  [height, width, channels]: [number, number, number],
  size: ImageSize,
  flip: boolean,
): void {
  const count = 13, pixels = height * width * channels;
  const bytes = Uint8Array.from({ length: count * pixels }, (_, i) => Math.imul(i, 73) % 256);
  const format = { ...size, stored: [height, width, channels] } as const;
  const words = () => tf.tensor2d(packBytes(bytes, pixels), [count, wordsOfBytes(pixels)], "int32");
  program(name, () => [tf.scalar(2, "int32"), words()], (step: Tensor, words: Tensor) => {
    const dataset = fromUint8(bytes, [count, height, width, channels], size);
    const key = { seed: tf.tensor1d([7, 0], "int32"), step, stream: 0 };
    const streamed = imagesOfWords(format, words);
    return {
      drawn: drawImages(dataset, 7, key, { flip }),
      streamed: flip ? flipSome(streamed, key) : streamed,
    };
  });
}
images("flipped images", [4, 3, 1], { padTo: 6 }, true);
images("flipped images of three channels", [6, 5, 3], {}, true);
images("pooled images", [8, 8, 3], { poolTo: 4, padTo: 5 }, false);
images("images of odd rows, pooled by threes", [9, 3, 1], { poolTo: 3 }, true);
images("images of one byte", [1, 1, 1], { padTo: 2 }, false);

/** Uses every feature. */
const unet = perturbedPotential(
  unetPotential({
    imageShape: [4, 8, 2],
    channels: 4,
    multipliers: [1, 2],
    blocksPerLevel: 1,
    groups: 2,
    heads: 2,
    timeExplicit: true,
  }),
  0.1,
);

const nets: Record<string, { potential: Potential; n: number }> = {
  "an MLP": {
    potential: mlpPotential({ dimension: 2, hidden: [13, 7], timeExplicit: false }),
    n: 11,
  },
  "a time-explicit MLP": {
    potential: mlpPotential({
      dimension: 3,
      hidden: [16, 16],
      timeExplicit: true,
      timeFeatures: 3,
    }),
    n: 9,
  },
  "a weight-normalised MLP": {
    potential: mlpPotential({
      dimension: 2,
      hidden: [12],
      timeExplicit: true,
      weightNormalization: true,
    }),
    n: 5,
  },
  "a wide ResNet": {
    potential: wideResnetPotential({
      imageShape: [8, 8, 1],
      channels: 8,
      multipliers: [1, 2],
      blocksPerLevel: 1,
      timeExplicit: false,
    }),
    n: 3,
  },
  "a time-explicit wide ResNet": {
    potential: wideResnetPotential({
      imageShape: [4, 12, 3],
      channels: 5,
      multipliers: [1, 1],
      blocksPerLevel: 2,
      timeExplicit: true,
    }),
    n: 2,
  },
};

for (const [name, { potential, n }] of Object.entries(nets)) {
  const shape = [n, ...potential.sampleShape];
  const args = () => {
    const parameters = potential.initialize(randomKey(1));
    return [parameters, normal(...shape), tf.div(tf.add(tf.range(0, n), 1), n + 2)] as [
      TensorRecord,
      Tensor,
      Tensor,
    ];
  };
  program(
    `${name}: value and velocity`,
    args,
    (parameters, x, u) => batchValueAndGradient((x) => potential.apply(parameters, x, u), x),
  );
  program(
    `${name}: Hutchinson's Laplacian`,
    args,
    (parameters, x, _u) => hutchinsonLaplacian(potential, parameters, randomKey(3))(0.4, x),
  );
  for (const estimator of ["stein", "covariance"] as const) {
    program(`${name}: ${estimator} loss and its gradients`, args, (parameters, x, u) => {
      const batch = { data: x, noise: tf.cos(tf.mul(x, 7)), time: u };
      const path = gaussianPath(estimator === "stein" ? {} : { path: "optimal-transport" });
      return lossAndGradients(() => {
        const { loss, ...report } = energyLoss(potential, parameters, batch, path, {
          estimator,
          timeWeight: estimator === "stein" ? "one" : "beta",
          spectralGap: 1e-2,
          perDimension: estimator === "covariance",
        });
        return { loss, report };
      }, parameters);
    });
  }
}
const unetArguments = () =>
  [
    unet.initialize(randomKey(1)),
    normal(2, ...unet.sampleShape),
    tf.tensor1d([0.2, 0.7]),
    tf.scalar(4, "int32"),
  ] as [TensorRecord, Tensor, Tensor, Tensor];
program(
  "a U-Net: value and velocity",
  unetArguments,
  (parameters, x, u, _step) => batchValueAndGradient((x) => unet.apply(parameters, x, u), x),
);
program("a U-Net with dropout: stein loss and its gradients", unetArguments, (
  parameters,
  data,
  time,
  step,
) => {
  const dropout = { seed: tf.tensor1d([3, 1], "int32"), step, stream: 5 };
  const potential: Potential = { ...unet, apply: (p, x, u) => unet.apply(p, x, u, { dropout }) };
  const batch = { data, noise: tf.cos(tf.mul(data, 7)), time };
  return lossAndGradients(() => {
    const { loss, ...report } = energyLoss(potential, parameters, batch, gaussianPath(), {
      estimator: "stein",
      timeWeight: "one",
      spectralGap: 1e-2,
      perDimension: false,
    });
    return { loss, report };
  }, parameters);
}, { slack: 3 });
program("the exact Laplacian", () => [normal(5, 2)], (x: Tensor) => {
  const { potential } = nets["an MLP"];
  return exactLaplacian(potential, potential.initialize(randomKey(1)))(0.3, x);
});
program("initialisation from data", () => [normal(17, 2)], (x: Tensor) => {
  const { potential } = nets["a weight-normalised MLP"];
  const parameters = potential.initialize(randomKey(1));
  return potential.initializeFromData!(parameters, x, tf.zeros([17]));
});
program("the excess over the minimum", () => [normal(19, 2), normal(19, 2)], (x, noise) => {
  const { potential } = nets["an MLP"];
  const batch = { data: x, noise, time: tf.fill([19], 0.4) };
  return energyExcess(potential, potential.initialize(randomKey(1)), batch, gaussianPath(), {
    means: [[-1, 2], [3, 0.5]],
    std: 0.5,
  }, { estimator: "stein", timeWeight: "one", spectralGap: 0, perDimension: false });
});
program("a velocity through weights that do not change", () => [normal(4, 8, 8, 1)], (x) => {
  const { potential } = nets["a wide ResNet"];
  return velocityAt(potential, potential.initialize(randomKey(2)), x, tf.zeros([4]));
});
for (const [name, optimizer] of [["Adam", adam()], ["LAMB", lamb({ weightDecay: 0.1 })]] as const) {
  program(
    `${name} with clipping, schedule and average`,
    () => [
      { a: normal(3, 5), b: normal(7), c: tf.zeros([2]) } as TensorRecord,
      { a: normal(3, 5), b: normal(7), c: tf.zeros([2]) } as TensorRecord,
      tf.scalar(41, "int32"),
    ],
    (parameters: TensorRecord, raw: TensorRecord, counter: Tensor) => {
      const step = tf.cast(counter, "float32") as Scalar;
      const { gradients, norm } = clipByGlobalNorm(raw, 1);
      const learningRate = learningRateAt(
        { kind: "cosine", learningRate: 0.1, warmupSteps: 10, totalSteps: 100 },
        step,
      );
      const moments = zeroMoments(parameters);
      const updated = optimizer.update({ parameters, gradients, moments, learningRate, step });
      const average = updateAverage(parameters, updated.parameters, 0.999, step);
      return { ...updated, average, norm, learningRate };
    },
  );
}
program("roots and powers", () => [positive(13)], (x: Tensor) => ({
  root: tf.sqrt(x),
  inverse: tf.rsqrt(x),
  cube: tf.pow(x, 3),
  fraction: tf.pow(x, 0.37),
  other: tf.pow(tf.neg(x), tf.scalar(3)),
  log1p: tf.log1p(x),
  expm1: tf.expm1(tf.mul(x, 1e-3)),
  reciprocal: tf.reciprocal(x),
  erf: tf.erf(x),
}));

/** All of them. */
export const corpus: readonly Program[] = programs;

import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../../core/errors.ts";
import { gelu } from "../../../core/potential/layers.ts";
import { mlpPotential } from "../../../core/potential/mlp.ts";
import type { Potential } from "../../../core/potential/potential.ts";
import { unetPotential } from "../../../core/potential/unet.ts";
import { wideResnetPotential } from "../../../core/potential/wide_resnet.ts";
import {
  batchValueAndGradient,
  fork,
  openDevice,
  randomKey,
  randomNormal,
  randomUniform,
  type TensorRecord,
  tf,
} from "../../../core/tensor/mod.ts";
import { perturbedPotential } from "../../perturbed_potential.ts";

const mlp = (timeExplicit: boolean, weightNormalization = false) =>
  mlpPotential({
    dimension: 3,
    hidden: [7, 5],
    timeExplicit,
    timeFeatures: timeExplicit ? 2 : 0,
    weightNormalization,
  });
const wideResnet = (timeExplicit: boolean) =>
  wideResnetPotential({
    imageShape: [8, 4, 2],
    channels: 3,
    multipliers: [1, 2],
    blocksPerLevel: 2,
    timeExplicit,
  });
const unet = (timeExplicit: boolean) =>
  perturbedPotential(
    unetPotential({
      imageShape: [4, 8, 2],
      channels: 4,
      multipliers: [1, 2],
      blocksPerLevel: 1,
      groups: 2,
      heads: 2,
      timeExplicit,
      head: timeExplicit ? "squared-distance" : "inner-product",
    }),
    0.1,
  );

Deno.test("GELU is x times the normal distribution function", async () => {
  await openDevice("cpu");
  // scipy.stats.norm.cdf at −1, 0, 0.5, 2.
  const cdf = [0.15865525393145707, 0.5, 0.6914624612740131, 0.9772498680518208];
  const x = [-1, 0, 0.5, 2];
  gelu(tf.tensor1d(x)).dataSync().forEach((value, i) =>
    assertAlmostEquals(value, x[i] * cdf[i], 1e-6)
  );
});

const potentials: [string, Potential][] = [
  ["MLP, implicit", mlp(false)],
  ["MLP, explicit", mlp(true)],
  ["MLP, weight-normalised", mlp(false, true)],
  ["wide ResNet, implicit", wideResnet(false)],
  ["wide ResNet, explicit", wideResnet(true)],
  ["U-Net, implicit", unet(false)],
  ["U-Net, explicit", unet(true)],
];

for (const [name, potential] of potentials) {
  Deno.test(`${name}: time is read exactly where it is said to be`, async () => {
    await openDevice("cpu");
    const key = randomKey(5);
    const parameters = potential.initialize(key);
    const x = randomNormal(key, [4, ...potential.sampleShape]);
    const at = (u: number) => potential.apply(parameters, x, tf.fill([4], u)).dataSync();
    assertEquals(at(0.2).length, 4);
    assertEquals(at(0.2).some((value, i) => value !== at(0.7)[i]), potential.timeExplicit);
  });

  Deno.test(`${name}: the gradient agrees with central differences`, async () => {
    await openDevice("cpu");
    const key = randomKey(6);
    const parameters = potential.initialize(key);
    const u = tf.tensor1d([0.3]);
    const x = randomNormal(key, [1, ...potential.sampleShape]);
    const f = (x: tf.Tensor) => potential.apply(parameters, x, u);
    const { gradient } = batchValueAndGradient(f, x);
    const direction = randomNormal(fork(key, "direction"), x.shape);
    const h = 1e-2;
    const [ahead, behind] = [h, -h].map((step) =>
      f(tf.add(x, tf.mul(direction, step))).dataSync()[0]
    );
    const slope = tf.sum(tf.mul(gradient, direction)).dataSync()[0];
    assertAlmostEquals((ahead - behind) / (2 * h), slope, 2e-3 * (1 + Math.abs(slope)));
  });

  Deno.test(`${name}: a row's value does not depend on its neighbours`, async () => {
    await openDevice("cpu");
    const parameters = potential.initialize(randomKey(5));
    const x = randomNormal(randomKey(8), [3, ...potential.sampleShape]);
    const u = tf.tensor1d([0.1, 0.5, 0.9]);
    const all = potential.apply(parameters, x, u).dataSync();
    all.forEach((value, i) => {
      const one = potential.apply(parameters, tf.slice(x, i, 1), tf.slice(u, i, 1)).dataSync();
      assertAlmostEquals(one[0], value, 1e-5 * (1 + Math.abs(value)));
    });
  });
}

/** Batch mean and variance of each output channel of a convolution with the initialised weights. */
function stemMoments(parameters: TensorRecord, x: tf.Tensor) {
  const v = parameters["stem.v"];
  const norm = tf.sqrt(tf.sum(tf.square(v), [0, 1, 2], true));
  const w = tf.mul(parameters["stem.g"], tf.div(v, norm)) as tf.Tensor4D;
  const output = tf.add(tf.conv2d(x as tf.Tensor4D, w, 1, "same"), parameters["stem.bias"]);
  return tf.moments(output, [0, 1, 2]);
}

Deno.test("data-dependent initialisation gives each layer zero mean and unit variance", async () => {
  await openDevice("wasm");
  const potential = wideResnet(false), key = randomKey(4);
  const x = tf.add(tf.mul(randomNormal(key, [32, 8, 4, 2]), 3), 1);
  const u = randomUniform(key, [32]);
  const parameters = potential.initializeFromData!(potential.initialize(key), x, u);
  const { mean, variance } = stemMoments(parameters, x);
  mean.dataSync().forEach((value) => assertAlmostEquals(value, 0, 1e-4));
  variance.dataSync().forEach((value) => assertAlmostEquals(value, 1, 1e-3));
  const phi = tf.moments(potential.apply(parameters, x, u), [0]);
  assertAlmostEquals(phi.mean.dataSync()[0], 0, 1e-3);
  assertAlmostEquals(phi.variance.dataSync()[0], 1, 1e-2);
});

/** Parameters of a weight-normalised net after initialisation from a batch. */
async function initializedFrom(potential: Potential, x: tf.Tensor): Promise<TensorRecord> {
  await openDevice("wasm");
  const u = tf.fill([x.shape[0]], 0.5);
  return potential.initializeFromData!(potential.initialize(randomKey(4)), x, u);
}

/** The largest absolute value among a record's tensors; NaN and infinities fail. */
function largestOf(parameters: TensorRecord, what: RegExp): number {
  const sizes = Object.entries(parameters).filter(([name]) => what.test(name))
    .map(([, tensor]) => tf.max(tf.abs(tensor)).dataSync()[0]);
  assert(sizes.length > 0 && sizes.every(Number.isFinite));
  return Math.max(...sizes);
}

const deep = () =>
  wideResnetPotential({
    imageShape: [16, 16, 3],
    channels: 4,
    multipliers: [1, 2, 2, 2],
    blocksPerLevel: 8,
    timeExplicit: false,
  });

for (const n of [2, 3, 16]) {
  Deno.test(`data-dependent initialisation of a deep net from ${n} images`, async () => {
    const x = randomNormal(randomKey(3), [n, 16, 16, 3]);
    const parameters = await initializedFrom(deep(), x);
    assert(largestOf(parameters, /\.g$/) < 20);
    const phi = deep().apply(parameters, x, tf.zeros([n])).dataSync();
    assert(phi.every((value) => Math.abs(value) < 20));
  });
}

Deno.test("data-dependent initialisation survives data that says nothing", async () => {
  const noise = randomNormal(randomKey(3), [1, 16, 16, 3]);
  const useless: [string, tf.Tensor][] = [
    ["one image", noise],
    ["one image twice", tf.tile(noise, [2, 1, 1, 1])],
    [
      "images almost alike",
      tf.add(tf.tile(noise, [2, 1, 1, 1]), tf.tensor4d([0, 1e-6], [2, 1, 1, 1])),
    ],
    ["one colour", tf.fill([2, 16, 16, 3], 0.5)],
    ["black", tf.zeros([2, 16, 16, 3])],
  ];
  for (const [name, x] of useless) {
    const parameters = await initializedFrom(deep(), x);
    assert(largestOf(parameters, /\.(g|bias)$/) < 1e3, name);
    const phi = deep().apply(parameters, tf.add(x, 0.1), tf.zeros([x.shape[0]])).dataSync();
    assert(phi.every(Number.isFinite), name);
  }
});

Deno.test("only weight-normalised layers are initialised from data", () => {
  assertEquals(typeof mlp(false, true).initializeFromData, "function");
  assertEquals(mlp(false).initializeFromData, undefined);
});

Deno.test("time is an input as it is, and as sines and cosines of its octaves", async () => {
  await openDevice("cpu");
  const potential = mlpPotential({
    dimension: 2,
    hidden: [],
    timeExplicit: true,
    timeFeatures: 3,
  });
  const u = 0.37, quarter = Math.PI / 2;
  const expected = [5, 7, u];
  for (const octave of [1, 2, 4]) {
    expected.push(Math.sin(octave * quarter * u), Math.cos(octave * quarter * u));
  }
  // Without hidden layers Φ is a sum of the inputs: each kernel below picks out one.
  expected.forEach((value, input) => {
    const kernel = tf.tensor2d(expected.map((_, i) => [i === input ? 1 : 0]));
    const parameters = { "dense0.kernel": kernel, "dense0.bias": tf.zeros([1]) };
    const [phi] = potential.apply(parameters, tf.tensor2d([[5, 7]]), tf.tensor1d([u])).dataSync();
    assertAlmostEquals(phi, value, 1e-6, `input ${input}`);
  });
});

Deno.test("layers of one shape start from different draws", async () => {
  await openDevice("cpu");
  for (const weightNormalization of [false, true]) {
    const potential = mlpPotential({
      dimension: 4,
      hidden: [4, 4],
      timeExplicit: false,
      weightNormalization,
    });
    const parameters = potential.initialize(randomKey(1));
    const weights = weightNormalization ? "v" : "kernel";
    const [a, b] = [0, 1].map((i) => parameters[`dense${i}.${weights}`].dataSync()[0]);
    assert(a !== b);
  }
});

Deno.test("equal keys give equal parameters, other seeds other ones", async () => {
  await openDevice("cpu");
  const kernel = (seed: number) =>
    mlp(false).initialize(randomKey(seed))["dense0.kernel"].dataSync();
  assertEquals(kernel(1), kernel(1));
  assert(kernel(1)[0] !== kernel(2)[0]);
});

Deno.test("an image that cannot be halved is refused with its size", () => {
  for (const [height, width] of [[14, 14], [14, 16], [16, 14]]) {
    assertThrows(
      () =>
        wideResnetPotential({
          imageShape: [height, width, 1],
          channels: 4,
          multipliers: [1, 2, 2],
          blocksPerLevel: 1,
          timeExplicit: false,
        }),
      ConfigError,
      `image size ${height}×${width} with 3 levels: expected sides divisible by 4`,
    );
  }
});

import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../../core/errors.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import { energyLoss } from "../../../core/loss/energy_loss.ts";
import { layersWithDropout } from "../../../core/potential/layers.ts";
import {
  admParameterNames,
  type UnetOptions,
  unetPotential,
} from "../../../core/potential/unet.ts";
import {
  batchValueAndGradient,
  fork,
  lossAndGradients,
  openDevice,
  type RandomKey,
  randomKey,
  randomNormal,
  type Tensor,
  tf,
} from "../../../core/tensor/mod.ts";
import { perturbedPotential } from "../../perturbed_potential.ts";
import { webgpuTest } from "../../webgpu.ts";

const small: UnetOptions = {
  imageShape: [8, 8, 3],
  channels: 4,
  multipliers: [1, 2],
  blocksPerLevel: 1,
  groups: 2,
  timeExplicit: true,
};

for (const head of ["squared-distance", "inner-product"] as const) {
  Deno.test(`a U-Net with the head ${head} starts at f = 0, and moves from there`, async () => {
    await openDevice("cpu");
    const potential = unetPotential({ ...small, head }), key = randomKey(1);
    const parameters = potential.initialize(key);
    const data = randomNormal(fork(key, "data"), [2, 8, 8, 3]), time = tf.tensor1d([0.2, 0.7]);
    const f = (x: Tensor) => potential.apply(parameters, x, time);
    const { value, gradient } = batchValueAndGradient(f, data);
    const [factor, slope] = head === "inner-product" ? [0, 0] : [-0.5, -1];
    const squares = tf.sum(tf.square(data), [1, 2, 3]).dataSync();
    value.dataSync().forEach((phi, i) => assertAlmostEquals(phi, factor * squares[i], 1e-4));
    const x = data.dataSync();
    gradient.dataSync().forEach((v, i) => assertAlmostEquals(v, slope * x[i], 1e-6));

    const batch = { data, noise: tf.cos(data), time };
    const { gradients } = lossAndGradients(() => {
      const { loss } = energyLoss(potential, parameters, batch, gaussianPath(), {
        estimator: "stein",
        timeWeight: "one",
        spectralGap: 0,
        perDimension: false,
      });
      return { loss, report: {} };
    }, parameters);
    const moves = tf.max(tf.abs(gradients["head.convolution.kernel"])).dataSync()[0];
    assert(moves > 1e-3);
  });
}

const refusals: [Partial<UnetOptions>, string][] = [
  [{ imageShape: [6, 7, 3] }, "image size 6×7 with 2 levels: expected sides divisible by 2"],
  [
    { groups: 3 },
    "groups is 3 for 4 channels in level 0: expected a divisor of 4 and 8; set groups",
  ],
  [{ groups: 8 }, "groups is 8 for 4 channels in level 0"],
  [{ heads: 3 }, "heads is 3 for 8 channels in level 1: expected a divisor; set heads"],
  [{ channels: 3, groups: 3 }, "channels is 3 for a time-explicit U-Net: expected an even number"],
  [{ attentionSides: [16] }, "attentionSides has 16: expected sides of the images within the net"],
  [{ attentionSides: [16] }, "which are 8, 4; choose among them"],
  [{ dropout: 1 }, "dropout is 1: expected a probability from 0"],
  [{ dropout: NaN }, "dropout is NaN"],
];
for (const [change, message] of refusals) {
  Deno.test(`a U-Net with ${JSON.stringify(change)} is refused: ${message}`, () => {
    assertThrows(() => unetPotential({ ...small, ...change }), ConfigError, message);
  });
}

Deno.test("heads need not divide channels where there is no attention", () => {
  unetPotential({ ...small, heads: 8, attentionSides: [] });
});

Deno.test("the parameters' names in ADM's files", () => {
  // UNetModel(image_size=32, in_channels=3, model_channels=128, out_channels=3, num_res_blocks=4,
  // attention_resolutions=[2], channel_mult=(2, 2, 2), conv_resample=False).
  const names = admParameterNames({
    imageShape: [32, 32, 3],
    channels: 128,
    multipliers: [2, 2, 2],
    blocksPerLevel: 4,
    timeExplicit: true,
  });
  const there = Object.values(names);
  assertEquals(new Set(there).size, there.length);
  const known: Record<string, string> = {
    "time.dense1.kernel": "time_embed.2.weight",
    "encoder.level0.block0.norm1.gain": "input_blocks.1.0.in_layers.0.weight",
    "encoder.level0.block3.conv2.bias": "input_blocks.4.0.out_layers.3.bias",
    // input_blocks.5 pools.
    "encoder.level1.block0.time.kernel": "input_blocks.6.0.emb_layers.1.weight",
    "encoder.level1.attention0.qkv.kernel": "input_blocks.6.1.qkv.weight",
    "encoder.level2.block3.norm2.bias": "input_blocks.14.0.out_layers.0.bias",
    "middle.attention.projection.kernel": "middle_block.1.proj_out.weight",
    "middle.block1.conv1.kernel": "middle_block.2.in_layers.2.weight",
    "decoder.level2.block0.shortcut.kernel": "output_blocks.0.0.skip_connection.weight",
    "decoder.level1.attention4.norm.gain": "output_blocks.9.1.norm.weight",
    "decoder.level0.block4.conv1.kernel": "output_blocks.14.0.in_layers.2.weight",
    "head.norm.gain": "out.0.weight",
    "head.convolution.kernel": "out.2.weight",
  };
  for (const [here, name] of Object.entries(known)) assertEquals(names[here], name);
  const attentions = there.filter((name) => name.endsWith("proj_out.weight"));
  assertEquals(attentions.length, 4 + 1 + 5);
  assertEquals(there.filter((name) => name.includes("input_blocks.15")), []);
  assertEquals(there.filter((name) => name.includes("output_blocks.15")), []);
});

const drop = (key: RandomKey, x: Tensor, rate: number) =>
  layersWithDropout(key).dropout({}, "layer", x, rate);

Deno.test("dropout keeps the mean, and what it keeps is scaled", async () => {
  await openDevice("cpu");
  const rate = 0.3, n = 20_000;
  const values = drop(randomKey(5), tf.ones([n, 2]), rate).dataSync();
  const kept = values.filter((value) => value !== 0);
  kept.forEach((value) => assertAlmostEquals(value, 1 / (1 - rate), 1e-6));
  // Five standard deviations of a binomial draw.
  const deviation = Math.sqrt(rate * (1 - rate) / values.length);
  assertAlmostEquals(kept.length / values.length, 1 - rate, 5 * deviation);
});

Deno.test("a sample's mask is a function of the key, the layer and the sample alone", async () => {
  await openDevice("cpu");
  const key = randomKey(5), ones = (n: number) => tf.ones([n, 4, 4, 3]);
  const four = drop(key, ones(4), 0.5).dataSync(), size = four.length / 4;
  assertEquals(drop(key, ones(2), 0.5).dataSync(), four.slice(0, 2 * size));
  const later = drop({ ...key, firstSample: 3 }, ones(1), 0.5).dataSync();
  assertEquals(later, four.slice(3 * size));
  assert(later.some((value, i) => value !== four[i]), "samples differ");
  const other = layersWithDropout(key).dropout({}, "other", ones(4), 0.5).dataSync();
  assert(other.some((value, i) => value !== four[i]), "layers differ");
});

Deno.test("dropout's mask is the same in the value, the gradient and its gradient", async () => {
  await openDevice("cpu");
  const key = randomKey(5), x = randomNormal(key, [3, 7]);
  const mask = drop(key, tf.ones(x.shape), 0.4).dataSync();
  const f = (x: Tensor) => tf.sum(tf.square(drop(key, x, 0.4)));
  const gradient = tf.grad(f)(x).dataSync();
  const second = tf.grad((x) => tf.sum(tf.grad(f)(x)))(x).dataSync();
  x.dataSync().forEach((value, i) => {
    assertAlmostEquals(gradient[i], 2 * mask[i] ** 2 * value, 1e-5);
    assertAlmostEquals(second[i], 2 * mask[i] ** 2, 1e-5);
  });
});

const dropping = perturbedPotential(unetPotential({ ...small, dropout: 0.5 }), 0.2);

/** Φ at some images, with the mask of a key or none. */
async function phi(dropout?: RandomKey): Promise<number[]> {
  const key = randomKey(2), x = randomNormal(key, [2, 8, 8, 3]);
  const parameters = dropping.initialize(key);
  return [...await dropping.apply(parameters, x, tf.fill([2], 0.4), { dropout }).data()];
}

async function assertDropsOnlyWithKey(): Promise<void> {
  const without = await phi(), withKey = await phi(randomKey(7));
  assertEquals(await phi(), without);
  assertEquals(await phi(randomKey(7)), withKey);
  const other = await phi(randomKey(8));
  assert(withKey[0] !== without[0] && withKey[0] !== other[0]);
  const unperturbed = perturbedPotential(unetPotential({ ...small, dropout: 0 }), 0.2);
  const key = randomKey(2),
    x = randomNormal(key, [2, 8, 8, 3]),
    parameters = unperturbed.initialize(key);
  const never = await unperturbed.apply(parameters, x, tf.fill([2], 0.4), { dropout: key }).data();
  assertEquals([...never], without);
}
Deno.test("a U-Net drops features with a key, and without one or with rate 0 none", async () => {
  await openDevice("wasm");
  await assertDropsOnlyWithKey();
});
webgpuTest(
  "a U-Net drops features with a key, and without one or with rate 0 none",
  () => assertDropsOnlyWithKey(),
);

Deno.test("with dropout too, the gradient is that of the value", async () => {
  await openDevice("wasm");
  const key = randomKey(2), parameters = dropping.initialize(key);
  const x = randomNormal(key, [1, 8, 8, 3]), u = tf.tensor1d([0.4]);
  const f = (x: Tensor) => dropping.apply(parameters, x, u, { dropout: randomKey(7) });
  const { gradient } = batchValueAndGradient(f, x);
  const direction = randomNormal(fork(key, "direction"), x.shape), h = 1e-2;
  const [ahead, behind] = [h, -h].map((step) =>
    f(tf.add(x, tf.mul(direction, step))).dataSync()[0]
  );
  const slope = tf.sum(tf.mul(gradient, direction)).dataSync()[0];
  assertAlmostEquals((ahead - behind) / (2 * h), slope, 5e-3 * (1 + Math.abs(slope)));
});

Deno.test("layers start within PyTorch's bounds and fill them", async () => {
  await openDevice("cpu");
  const parameters = unetPotential({ ...small, channels: 16 }).initialize(randomKey(1));
  const inputs: Record<string, number> = {
    stem: 3 * 3 * 3,
    "time.dense1": 64,
    "encoder.level1.block0.conv1": 3 * 3 * 16,
    "encoder.level1.block0.shortcut": 16,
    "middle.attention.qkv": 32,
  };
  for (const [name, count] of Object.entries(inputs)) {
    const kernel = [...parameters[`${name}.kernel`].dataSync()], bound = 1 / Math.sqrt(count);
    const largest = Math.max(...kernel.map(Math.abs));
    assert(largest <= bound && largest > 0.97 * bound, name);
    const variance = kernel.reduce((sum, value) => sum + value * value, 0) / kernel.length;
    // Of a uniform draw: bound²/3, its estimate within five standard deviations.
    const deviation = 2 / Math.sqrt(5 * kernel.length) / 3 * bound ** 2;
    assertAlmostEquals(variance, bound ** 2 / 3, 5 * deviation, name);
    const bias = parameters[`${name}.bias`].dataSync();
    assert(bias.every((value) => Math.abs(value) <= bound) && bias[0] !== bias[1], name);
  }
});

import { assert, assertEquals, assertThrows } from "@std/assert";
import { VapoError } from "../../../core/errors.ts";
import {
  describeLayers,
  type LayerDescription,
  parameterShapes,
} from "../../../core/potential/description.ts";
import { mlpPotential } from "../../../core/potential/mlp.ts";
import type { Potential } from "../../../core/potential/potential.ts";
import { unetPotential } from "../../../core/potential/unet.ts";
import { wideResnetPotential } from "../../../core/potential/wide_resnet.ts";
import { openDevice, randomKey, tf } from "../../../core/tensor/mod.ts";

/** The number of parameters that layers have, by the textbook. */
const normalized = {
  convolution: (inputs: number, outputs: number) => 9 * inputs * outputs + 2 * outputs,
  dense: (inputs: number, outputs: number) => inputs * outputs + 2 * outputs,
};
const plain = {
  convolution: (inputs: number, outputs: number) => 9 * inputs * outputs + outputs,
  dense: (inputs: number, outputs: number) => inputs * outputs + outputs,
  norm: (channels: number) => 2 * channels,
};

/** Of a wide ResNet for colour images. */
function wideResnetCount(channels: number, multipliers: number[], blocks: number): number {
  const { convolution, dense } = normalized;
  let total = convolution(3, channels), before = channels;
  for (const multiplier of multipliers) {
    const width = channels * multiplier;
    total += convolution(before, width) + (2 * blocks - 1) * convolution(width, width);
    if (width !== before) total += convolution(before, width);
    before = width;
  }
  return total + dense(before, 1);
}

interface UnetShape {
  readonly channels: number;
  readonly multipliers: number[];
  readonly blocks: number;
  /** The level that has attention, beside the middle. */
  readonly attended: number;
  readonly time: boolean;
}

/** Of a U-Net for colour images. */
function unetCount({ channels, multipliers, blocks, attended, time }: UnetShape): number {
  const { convolution, dense, norm } = plain;
  const embedding = 4 * channels;
  const block = (inputs: number, outputs: number) =>
    norm(inputs) + convolution(inputs, outputs) + norm(outputs) + convolution(outputs, outputs) +
    (time ? dense(embedding, 2 * outputs) : 0) +
    (inputs === outputs ? 0 : dense(inputs, outputs));
  const attention = (width: number) => norm(width) + dense(width, 3 * width) + dense(width, width);

  const widths = multipliers.map((multiplier) => channels * multiplier);
  const first = widths[0], last = widths[widths.length - 1];
  let total = convolution(3, first) + norm(first) + convolution(first, 3);
  if (time) total += dense(channels, embedding) + dense(embedding, embedding);
  total += 2 * block(last, last) + attention(last);
  widths.forEach((width, level) => {
    const above = level > 0 ? widths[level - 1] : first;
    const below = level < widths.length - 1 ? widths[level + 1] : width;
    total += block(above, width) + (blocks - 1) * block(width, width);
    // The decoder: what comes from below or from the block before, and what the encoder left: its
    // blocks' results, last first, and what went into the first of them.
    total += block(below + width, width) + (blocks - 1) * block(2 * width, width) +
      block(width + above, width);
    if (level === attended) total += (2 * blocks + 1) * attention(width);
  });
  return total;
}

function count(potential: Potential): number {
  return Object.values(parameterShapes(potential))
    .reduce((total, shape) => total + shape.reduce((product, extent) => product * extent, 1), 0);
}

const wideResnets: [
  name: string,
  side: number,
  multipliers: number[],
  blocks: number,
  known: number,
][] = [
  ["CIFAR-10", 32, [1, 2, 2, 2], 8, 30_704_002],
  ["CelebA at 64", 64, [1, 2, 2, 2, 4], 6, 51_354_242],
  ["LSUN at 64", 64, [1, 2, 2, 2, 4], 2, 17_121_922],
  ["LSUN at 128", 128, [1, 2, 2, 2, 4, 4], 2, 26_563_202],
  ["LSUN bedroom at 128", 128, [1, 2, 2, 2, 4, 4], 5, 66_399_362],
];
for (const [name, side, multipliers, blocksPerLevel, known] of wideResnets) {
  Deno.test(`the paper's wide ResNet for ${name} has ${known} parameters`, () => {
    const potential = wideResnetPotential({
      imageShape: [side, side, 3],
      channels: 128,
      multipliers,
      blocksPerLevel,
      timeExplicit: false,
    });
    assertEquals(wideResnetCount(128, multipliers, blocksPerLevel), known);
    assertEquals(count(potential), known);
    const layers = describeLayers(potential);
    assertEquals(layers.reduce((total, { parameters }) => total + parameters, 0), known);
    const pools = layers.filter(({ kind }) => kind === "average pool");
    assertEquals(
      pools.map(({ output }) => output[0]),
      multipliers.slice(1).map((_, i) => side / 2 ** (i + 1)),
    );
  });
}

const unets: [side: number, multipliers: number[], blocks: number, attended: number][] = [
  [32, [2, 2, 2], 4, 1],
  [64, [1, 2, 2, 2], 3, 2],
  [128, [1, 1, 2, 2, 2], 2, 3],
];
for (const [side, multipliers, blocks, attended] of unets) {
  for (const time of [false, true]) {
    const what = `of ${side}×${side} images ${time ? "with" : "without"} time`;
    Deno.test(`a U-Net ${what} has the parameters that arithmetic gives`, () => {
      const potential = unetPotential({
        imageShape: [side, side, 3],
        channels: 128,
        multipliers,
        blocksPerLevel: blocks,
        attentionSides: [16],
        timeExplicit: time,
      });
      const expected = unetCount({ channels: 128, multipliers, blocks, attended, time });
      assertEquals(count(potential), expected);
      const layers = describeLayers(potential);
      assertEquals(layers.reduce((total, { parameters }) => total + parameters, 0), expected);
      const attentions = layers.filter(({ kind }) => kind === "attention");
      const sides = attentions.map(({ output }) => Math.sqrt(output[0]));
      const middle = side / 2 ** (multipliers.length - 1);
      const encoder = Array(blocks).fill(16), decoder = Array(blocks + 1).fill(16);
      assertEquals(sides, [...encoder, middle, ...decoder]);
    });
  }
}

Deno.test("shapes and names are those of the parameters that are made", async () => {
  await openDevice("cpu");
  const potentials = [
    mlpPotential({ dimension: 2, hidden: [5], timeExplicit: true, weightNormalization: true }),
    wideResnetPotential({
      imageShape: [4, 4, 1],
      channels: 2,
      multipliers: [1, 2],
      blocksPerLevel: 1,
      timeExplicit: true,
    }),
    unetPotential({
      imageShape: [4, 8, 1],
      channels: 4,
      multipliers: [1, 2],
      blocksPerLevel: 1,
      groups: 2,
      timeExplicit: true,
    }),
  ];
  for (const potential of potentials) {
    const made = Object.entries(potential.initialize(randomKey(1)));
    const shapes = parameterShapes(potential);
    assertEquals(shapes, Object.fromEntries(made.map(([name, { shape }]) => [name, shape])));
    assertEquals(Object.keys(shapes), made.map(([name]) => name));
    const named = new Set(describeLayers(potential).map(({ name }) => name));
    for (const name of Object.keys(shapes)) assert(named.has(name.slice(0, name.lastIndexOf("."))));
  }
});

Deno.test("the layers of a small wide ResNet, in order", () => {
  const layers = describeLayers(wideResnetPotential({
    imageShape: [4, 8, 1],
    channels: 2,
    multipliers: [1, 2],
    blocksPerLevel: 1,
    timeExplicit: true,
  }));
  const expected: [name: string, kind: string, output: number[], parameters: number][] = [
    ["stem", "convolution", [4, 8, 2], 9 * 2 * 2 + 4],
    ["level0.block0.conv1", "convolution", [4, 8, 2], 9 * 2 * 2 + 4],
    ["level0.block0.conv2", "convolution", [4, 8, 2], 9 * 2 * 2 + 4],
    ["level1.pool", "average pool", [2, 4, 2], 0],
    ["level1.block0.conv1", "convolution", [2, 4, 4], 9 * 2 * 4 + 8],
    ["level1.block0.conv2", "convolution", [2, 4, 4], 9 * 4 * 4 + 8],
    ["level1.block0.shortcut", "convolution", [2, 4, 4], 9 * 2 * 4 + 8],
    ["sum", "sum over pixels", [4], 0],
    ["head", "dense", [1], 4 + 2],
  ];
  const found = layers.map((layer: LayerDescription) => [
    layer.name,
    layer.kind,
    [...layer.output],
    layer.parameters,
  ]);
  assertEquals(found, expected);
});

Deno.test("a U-Net's description holds every kind of layer, and ends in the scalar", () => {
  const layers = describeLayers(unetPotential({
    imageShape: [8, 8, 3],
    channels: 4,
    multipliers: [1, 2],
    blocksPerLevel: 1,
    groups: 2,
    timeExplicit: true,
  }));
  assertEquals(layers[0].name, "time.dense0");
  assertEquals([...new Set(layers.map(({ kind }) => kind))].sort(), [
    "attention",
    "average pool",
    "concatenation",
    "convolution",
    "dense",
    "dropout",
    "group norm",
    "nearest up-sampling",
    "squared distance",
  ]);
  const byName = Object.fromEntries(layers.map(({ name, output }) => [name, output]));
  assertEquals(byName["encoder.level1.attention0.mixing"], [16, 8]);
  assertEquals(byName["decoder.level0.upsample"], [8, 8, 8]);
  assertEquals(byName["decoder.level0.block0.skip"], [8, 8, 12]);
  assertEquals(layers.at(-1), {
    name: "head.distance",
    kind: "squared distance",
    output: [],
    parameters: 0,
  });
});

Deno.test("describing a large net makes no tensor", async () => {
  await openDevice("cpu");
  const potential = unetPotential({
    imageShape: [32, 32, 3],
    channels: 128,
    multipliers: [2, 2, 2],
    blocksPerLevel: 4,
    timeExplicit: true,
  });
  const { numTensors, numBytes } = tf.memory();
  describeLayers(potential);
  assertEquals([tf.memory().numTensors, tf.memory().numBytes], [numTensors, numBytes]);
});

Deno.test("a potential that is not made of layers is refused, its shapes are not", () => {
  const potential: Potential = {
    sampleShape: [2],
    timeExplicit: false,
    initialize: () => ({ a: tf.zeros([3, 5]) }),
    apply: (_parameters, x) => tf.sum(x, 1),
  };
  assertThrows(() => describeLayers(potential), VapoError, "without applyWith");
  assertEquals(parameterShapes(potential), { a: [3, 5] });
});

/**
 * @file The presets: complete configurations for the data sets that the project ships with. Those of
 * image scale are in `image_presets.ts`, each value beside its source.
 */
import { closestString } from "@std/text";
import { ConfigError } from "../errors.ts";
import { overlayConfig, parseConfig, type RunConfig } from "./config.ts";
import { imagePresets } from "./image_presets.ts";

/**
 * What each preset is for, in a line.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { presetDescriptions } from "vapo";
 * assertEquals(presetDescriptions.rings, "four concentric circles");
 * ```
 */
export const presetDescriptions: Readonly<Record<string, string>> = {
  "8gaussians": "a ring of eight Gaussians",
  "25gaussians": "a five-by-five grid of Gaussians",
  "2moons": "two interleaved half circles",
  "pinwheel": "five curved arms",
  "checkerboard": "eight squares with hard edges",
  "swissroll": "a spiral",
  "rings": "four concentric circles",
  "mnist16": "handwritten digits, pooled to 14×14 and padded to 16×16",
  "mnist": "handwritten digits, padded to 32×32",
  "fashion-mnist16": "articles of clothing, pooled to 14×14 and padded to 16×16",
  "fashion-mnist": "articles of clothing, padded to 32×32",
  ...Object.fromEntries(
    Object.entries(imagePresets).map(([name, { description }]) => [name, description]),
  ),
};

/**
 * All presets, in the order in which they are listed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { presetConfig, presetNames } from "vapo";
 * const points = presetNames.filter((name) => presetConfig(name).potential.kind === "mlp");
 * assertEquals(points.slice(0, 3), ["8gaussians", "25gaussians", "2moons"]);
 * ```
 */
export const presetNames: readonly string[] = Object.keys(presetDescriptions);

/** Points in the plane: one set of choices for all, found by sweeps on these distributions. */
const plane: RunConfig = {
  preset: "8gaussians",
  seed: 0,
  device: "auto",
  data: {
    name: "8gaussians",
    directory: null,
    size: null,
    distribution: null,
    flip: false,
    placement: "auto",
    bufferImages: 8192,
    checksum: null,
  },
  path: {
    path: "log-homotopy",
    timeLaw: "linear-std",
    omega: 1,
    sigma: 0.01,
    delta: 1e-5,
    betaMin: 0.01,
  },
  potential: {
    kind: "mlp",
    hidden: [128, 128, 128],
    timeExplicit: true,
    timeFeatures: 4,
    weightNormalization: false,
  },
  loss: {
    estimator: "stein",
    timeWeight: "one",
    timeDraw: "uniform",
    spectralGap: 1e-4,
    perDimension: false,
    spectralRegularization: 0,
  },
  optimizer: {
    kind: "adam",
    learningRate: 1e-2,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    schedule: "cosine",
    warmupSteps: 100,
    clipNorm: 10,
    averageDecay: 0.999,
    otherAverageDecays: [],
  },
  training: {
    steps: 3000,
    batchSize: 512,
    microBatch: null,
    logEvery: 50,
    checkpointEvery: 500,
    keepCheckpoints: 3,
    sampleEvery: 1000,
  },
  sampling: {
    n: 4000,
    solver: "rk45",
    steps: 100,
    rtol: 1e-4,
    atol: 1e-4,
    until: null,
    batchSize: null,
  },
  evaluation: { every: null, n: 2500, metric: null, features: null },
};

/**
 * Images: optimal-transport path, Stein estimator, LAMB at a large rate and a terminal time past 1,
 * the best of the settings compared on MNIST at 16×16. The paper's own learning rate, spectral gap,
 * sharpness and terminal time are not known; these are choices.
 */
const images: RunConfig = {
  ...plane,
  path: { ...plane.path, path: "optimal-transport" },
  potential: {
    kind: "wide-resnet",
    channels: 24,
    multipliers: [1, 2, 2],
    blocksPerLevel: 1,
    timeExplicit: false,
  },
  loss: { ...plane.loss, spectralGap: 0, perDimension: true },
  optimizer: {
    ...plane.optimizer,
    kind: "lamb",
    learningRate: 2e-2,
    epsilon: 1e-6,
    clipNorm: 1,
  },
  training: {
    steps: 2500,
    batchSize: 64,
    microBatch: null,
    logEvery: 10,
    checkpointEvery: 100,
    keepCheckpoints: 3,
    sampleEvery: 500,
  },
  sampling: { ...plane.sampling, n: 64, rtol: 1e-3, atol: 1e-3, until: 1.25 },
};

/** Digits and clothes at 32×32: one level more. */
const padded = { potential: { channels: 32, multipliers: [1, 2, 2, 2] } };

const differences: Record<string, { base: RunConfig; overlay: Record<string, unknown> }> = {
  "8gaussians": { base: plane, overlay: {} },
  "25gaussians": { base: plane, overlay: { training: { steps: 5000 } } },
  "2moons": { base: plane, overlay: {} },
  "pinwheel": { base: plane, overlay: {} },
  "checkerboard": { base: plane, overlay: {} },
  "swissroll": { base: plane, overlay: {} },
  "rings": { base: plane, overlay: {} },
  "mnist16": { base: images, overlay: {} },
  "mnist": { base: images, overlay: padded },
  "fashion-mnist16": { base: images, overlay: {} },
  "fashion-mnist": { base: images, overlay: padded },
};

/**
 * The configuration of a preset.
 *
 * @param name one of {@link presetNames}
 * @returns a copy of the caller's own
 * @throws {ConfigError} for an unknown name, with the nearest known one
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { presetConfig } from "vapo";
 * assertEquals(presetConfig("8gaussians").training.batchSize, 512);
 * assertThrows(() => presetConfig("8gausians"), Error, 'did you mean "8gaussians"');
 * ```
 */
export function presetConfig(name: string): RunConfig {
  if (!presetNames.includes(name)) {
    throw new ConfigError(
      `unknown preset "${name}"; did you mean "${closestString(name, presetNames)}"? ` +
        `Known: ${presetNames.join(", ")}`,
    );
  }
  if (Object.hasOwn(imagePresets, name)) return imagePresetConfig(name);
  const { base, overlay } = differences[name];
  const named = { ...overlay, preset: name, data: { name } };
  return overlayConfig(structuredClone(base), named, `preset ${name}`);
}

/** The configuration of a preset of image scale: its values under their keys. */
function imagePresetConfig(name: string): RunConfig {
  const config: Record<string, unknown> = { preset: name };
  for (const [key, [value]] of Object.entries(imagePresets[name].values)) {
    const [section, member] = key.split(".");
    if (member === undefined) config[section] = value;
    else ((config[section] ??= {}) as Record<string, unknown>)[member] = value;
  }
  return parseConfig(structuredClone(config), `preset ${name}`);
}

/**
 * Where the values of a preset come from: the paper, what it cites, or our choice.
 *
 * @param name one of {@link presetNames}
 * @returns by key with dots, as in "optimizer.beta1"; empty for presets that are no paper's
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { presetSources } from "vapo";
 * assertEquals(presetSources("cifar10")["training.batchSize"], "[VPF]");
 * ```
 */
export function presetSources(name: string): Readonly<Record<string, string>> {
  const values = Object.hasOwn(imagePresets, name) ? imagePresets[name].values : {};
  return Object.fromEntries(Object.entries(values).map(([key, [, source]]) => [key, source]));
}

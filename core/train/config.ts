/**
 * @file The configuration of a run: one schema, checked key by key. A run is a function of its
 * configuration (which holds its seed); what is not in here does not change a result.
 */
import { closestString } from "@std/text";
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import { solverNames } from "../flow/sampler.ts";
import { isSdeMethod } from "../flow/sde.ts";
import { gaussianPath } from "../homotopy/gaussian_path.ts";
import { schemaIssue } from "../schema_issue.ts";
import { FARTHEST, MOST_POINTS } from "../data/toy.ts";
import { deviceNames } from "../tensor/device.ts";
import { configuredPotential } from "./configured_potential.ts";
import { dataNames, isToy, sampleSpace, smallestSide } from "./data_sets.ts";

const positive = z.number().positive();
const count = z.int().min(1).max(2 ** 31 - 1);
const fraction = z.number().min(0).max(1);

const mlpSchema = z.strictObject({
  kind: z.literal("mlp"),
  /** Widths of the hidden layers. */
  hidden: z.array(z.int().min(1).max(8192)).min(1).max(32),
  /** Whether u is an input. */
  timeExplicit: z.boolean(),
  /** Octaves of u that are inputs beside u itself; a float32 u has no more to tell. */
  timeFeatures: z.int().min(0).max(20),
  weightNormalization: z.boolean(),
});

const wideResnetSchema = z.strictObject({
  kind: z.literal("wide-resnet"),
  /** Channels after the stem. */
  channels: z.int().min(1).max(4096),
  /** Channels of each level, as multiples of `channels`. */
  multipliers: z.array(z.int().min(1).max(64)).min(1).max(8),
  /** Residual blocks a level. */
  blocksPerLevel: z.int().min(1).max(64),
  /** Whether u is an input. */
  timeExplicit: z.boolean(),
});

const unetSchema = z.strictObject({
  kind: z.literal("unet"),
  /** Φ = −½|x − f|² ("squared-distance") or x·f ("inner-product"), with the U-Net f. */
  head: z.enum(["squared-distance", "inner-product"]),
  /** Channels after the first convolution. */
  channels: z.int().min(1).max(4096),
  /** Channels of each level, as multiples of `channels`. */
  multipliers: z.array(z.int().min(1).max(64)).min(1).max(8),
  /** Residual blocks a level of the encoder; the decoder has one more. */
  blocksPerLevel: z.int().min(1).max(64),
  /** Sides of the images within the net that have attention, as in [16]; the middle always has. */
  attentionSides: z.array(z.int().min(1).max(4096)).max(8),
  /** Groups of group normalisation; they divide every number of channels. */
  groups: z.int().min(1).max(1024),
  /** Heads of attention. */
  heads: z.int().min(1).max(64),
  /** The probability that a feature is dropped in training. */
  dropout: fraction.lt(1),
  /** Whether u is an input. */
  timeExplicit: z.boolean(),
});

const evaluationSchema = z.strictObject({
  /** Steps between two evaluations; null for none. */
  every: count.nullable(),
  /** Samples, or of "nll" data, that the measure is taken of. */
  n: count,
  /** What is measured; less is better. null takes "fid" of images and "nll" of points. */
  metric: z.enum(["fid", "kid", "nll"]).nullable(),
  /** What the features of "fid" and "kid" are of; null takes "classifier" for digits and clothes. */
  features: z.enum(["inception", "classifier"]).nullable(),
});

/** The paper's number of samples; nothing is evaluated unasked. */
const noEvaluation = { every: null, n: 2500, metric: null, features: null };

const coordinate = z.number().min(-FARTHEST).max(FARTHEST);

const distributionSchema = z.strictObject({
  /** Standard deviation of the isotropic noise, in data units; null is the distribution's own. */
  noise: z.number().min(0).max(FARTHEST).nullable().default(null),
  /** Of each component, at least 0, of any scale; null is the distribution's own, which are equal. */
  weights: z.array(z.number().min(0)).min(1).max(MOST_POINTS).nullable().default(null),
  /** Of data "points", and of no other, where they are: pairs [x, y]. */
  points: z.array(z.tuple([coordinate, coordinate])).min(1).max(MOST_POINTS).nullable()
    .default(null),
});

const configSchema = z.strictObject({
  /** The preset that the configuration started from. */
  preset: z.string(),
  /** What every random draw of the run is a function of. */
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  device: z.enum(deviceNames),
  data: z.strictObject({
    name: z.enum(dataNames),
    /** A directory with the data set's files; null takes them from where the program finds them. */
    directory: z.string().nullable(),
    /** The side of the images of data "folder"; null for all other data, whose size is known. */
    size: z.int().min(smallestSide).max(1024).nullable().default(null),
    /** What of a distribution of the plane is not its own; null for nothing, and for images. */
    distribution: distributionSchema.nullable().default(null),
    /** Whether each image is mirrored left to right with probability ½. */
    flip: z.boolean().default(false),
    /**
     * Where a set of images lies: whole in the device's memory ("device"; drawn with replacement),
     * or on disk, read in batches ("stream"; each image once an epoch). "auto" takes the device for
     * up to 512 MiB. A run notes which it was.
     */
    placement: z.enum(["auto", "device", "stream"]).default("auto"),
    /** Images that a streamed set is shuffled among, beside the order of its shards. */
    bufferImages: count.default(8192),
    /** A sum that stands for the images, which a run notes when it starts; null takes any. */
    checksum: z.int().min(0).max(0xffffffff).nullable().default(null),
  }),
  /** See {@link GaussianPathOptions}; omega, sigma and betaMin in data units. */
  path: z.strictObject({
    path: z.enum(["log-homotopy", "optimal-transport"]),
    timeLaw: z.enum(["linear-std", "log-uniform"]),
    omega: positive,
    sigma: positive,
    delta: positive.lt(1),
    betaMin: positive,
  }),
  potential: z.discriminatedUnion("kind", [mlpSchema, wideResnetSchema, unetSchema]),
  /** See {@link EnergyLossOptions}. */
  loss: z.strictObject({
    estimator: z.enum(["stein", "covariance"]),
    timeWeight: z.enum(["one", "beta"]),
    /** How u is drawn: uniform on [0, uMax], or with density rising (late) or falling (early). */
    timeDraw: z.enum(["uniform", "late", "early"]),
    spectralGap: z.number().min(0),
    perDimension: z.boolean(),
    /** λ ≥ 0 of the sum of each convolution's largest singular value; 0 leaves it out. */
    spectralRegularization: z.number().min(0).default(0),
  }),
  optimizer: z.strictObject({
    kind: z.enum(["adam", "lamb"]),
    /** The rate after warm-up. */
    learningRate: positive,
    beta1: fraction.lt(1),
    beta2: fraction.lt(1),
    epsilon: positive,
    /** LAMB's λ; Adam takes none. */
    weightDecay: z.number().min(0),
    schedule: z.enum(["constant", "cosine"]),
    /** Steps of linear warm-up. */
    warmupSteps: z.int().min(0),
    /** The largest global norm of the gradient; null does not clip. */
    clipNorm: positive.max(1e30).nullable(),
    /** The decay of the parameters' moving average, which is what is sampled; 0 takes them as they are, but for rounding. */
    averageDecay: fraction.lt(1),
    /** Decays of further moving averages, kept beside the one that is sampled. */
    otherAverageDecays: z.array(fraction.lt(1)).max(8).default([]),
  }),
  training: z.strictObject({
    /** Steps of the whole run. */
    steps: count,
    /** Samples a step. */
    batchSize: count.max(2 ** 20),
    /**
     * Samples that the gradient is computed for at once, a divisor of the batch size: the gradients
     * of a batch's parts are accumulated. null takes the batch whole.
     */
    microBatch: count.max(2 ** 20).nullable().default(null),
    /** Steps between two lines of metrics. */
    logEvery: count,
    /** Steps between two checkpoints. */
    checkpointEvery: count,
    /** How many of the newest checkpoints are kept. */
    keepCheckpoints: count,
    /** Steps between two pictures of samples. */
    sampleEvery: count,
  }),
  /** See {@link SampleOptions}. */
  sampling: z.strictObject({
    /** How many samples. */
    n: count,
    solver: z.enum(solverNames),
    /** Steps of a fixed-step solver. */
    steps: count,
    rtol: positive,
    atol: positive,
    /** Where the integration ends; null is the path's uMax. Past it only time-implicit potentials go. */
    until: positive.max(100).nullable(),
    /** Samples that are integrated together; null takes as many as fit 2¹⁸ values. */
    batchSize: count.nullable().default(null),
  }),
  /** A measure of the averaged parameters on the way, by which the best checkpoint is kept. */
  evaluation: evaluationSchema.default(noEvaluation),
});

/**
 * A complete configuration of a run: every key is there, checked by {@link parseConfig}. A run's
 * results are a function of it.
 */
export type RunConfig = z.infer<typeof configSchema>;

/**
 * Checks a configuration.
 *
 * @param value anything, usually parsed JSON
 * @param source where it came from, for messages
 * @throws {ConfigError} one line that names the key, its value, what was expected and, for an
 * unknown key, the nearest known one
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { ConfigError, parseConfig, presetConfig } from "vapo";
 * const config = presetConfig("8gaussians");
 * parseConfig(config);
 * assertThrows(() => parseConfig({ ...config, sead: 1 }), ConfigError, 'did you mean "seed"');
 * ```
 */
export function parseConfig(value: unknown, source = "config"): RunConfig {
  const result = configSchema.safeParse(value, { reportInput: true });
  if (!result.success) {
    throw new ConfigError(`${source}: ${describe(result.error.issues[0], value)}`);
  }
  checkTogether(result.data, source);
  return result.data;
}

/** What no key can say by itself. */
function checkTogether(config: RunConfig, source: string): void {
  try {
    checkTimes(config);
    checkPotential(config);
    checkTraining(config);
    const { kind, weightDecay } = config.optimizer;
    if (kind === "adam" && weightDecay !== 0) {
      throw new ConfigError(
        `optimizer.weightDecay is ${weightDecay}: expected 0, since Adam takes none; ` +
          'set it to 0, or optimizer.kind to "lamb"',
      );
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`${source}: ${error.message}`);
  }
}

/** The path can be made, and samples are integrated no further than it goes. */
function checkTimes({ path, potential, sampling: { until, solver } }: RunConfig): void {
  if (path.timeLaw === "linear-std" && path.betaMin >= path.omega) {
    throw new ConfigError(
      `path.betaMin is ${path.betaMin}: expected less than path.omega (${path.omega})`,
    );
  }
  const { uMax } = gaussianPath(path);
  if (until === null || until <= uMax + 1e-12) return;
  if (potential.timeExplicit) {
    throw new ConfigError(
      `sampling.until is ${until}: a time-explicit potential is known up to ${uMax} only; ` +
        "lower it, set it to null, or set potential.timeExplicit to false",
    );
  }
  if (isSdeMethod(solver)) {
    throw new ConfigError(
      `sampling.until is ${until}: the score that solver ${solver} needs is known up to ${uMax} ` +
        "only; lower it, set it to null, or choose another solver",
    );
  }
}

/** The data and the potential fit each other. */
function checkPotential({ data, potential }: RunConfig): void {
  if (data.distribution !== null && !isToy(data.name)) {
    throw new ConfigError(
      `data.distribution is set for data "${data.name}", which are images: expected null; it says ` +
        'what differs of a distribution of the plane, such as "8gaussians"',
    );
  }
  if ((data.name === "folder") !== (data.size !== null)) {
    throw new ConfigError(
      data.size === null
        ? 'data.size is null for data "folder": expected the side of its images, as in data.size=64'
        : `data.size is ${data.size} for data "${data.name}": expected null; only "folder" has none ` +
          "of its own",
    );
  }
  const { sampleShape } = sampleSpace(data);
  const image = sampleShape.length === 3;
  if (image === (potential.kind === "mlp")) {
    throw new ConfigError(
      `potential.kind is "${potential.kind}" for data "${data.name}": ` +
        `expected ${image ? '"wide-resnet" or "unet"' : '"mlp"'}`,
    );
  }
  if (data.flip && !image) {
    throw new ConfigError(`data.flip is true for data "${data.name}": only images are mirrored`);
  }
  if (data.placement !== "auto" && isToy(data.name)) {
    throw new ConfigError(
      `data.placement is "${data.placement}" for data "${data.name}", which is drawn, not read: ` +
        'expected "auto"',
    );
  }
  // Made and dropped, for its own checks.
  if (image) configuredPotential(potential, sampleShape);
}

/** The batch can be cut as asked for, and every average has a decay of its own. */
function checkTraining({ training: { batchSize, microBatch }, optimizer }: RunConfig): void {
  if (microBatch !== null && batchSize % microBatch !== 0) {
    throw new ConfigError(
      `training.microBatch is ${microBatch}: expected a divisor of training.batchSize ` +
        `(${batchSize}), or null`,
    );
  }
  const decays = [optimizer.averageDecay, ...optimizer.otherAverageDecays];
  const twice = decays.find((decay, i) => decays.indexOf(decay) !== i);
  if (twice !== undefined) {
    throw new ConfigError(
      `optimizer.otherAverageDecays has ${twice} once more than needed: expected each decay once, ` +
        "averageDecay included",
    );
  }
}

type Issue = z.core.$ZodIssue;

function describe(issue: Issue, root: unknown): string {
  if (issue.code === "unrecognized_keys") {
    const unknown = issue.keys[0];
    const known = knownKeys(issue.path.map(String));
    const nearest = closestString(unknown, known);
    const full = [...issue.path, unknown].join(".");
    return `unknown key "${full}"; did you mean "${[...issue.path, nearest].join(".")}"? ` +
      `Known here: ${known.join(", ")}`;
  }
  const { key, given, expected } = schemaIssue(issue, root);
  if (given === undefined) {
    return `"${key}" is missing: ${expected}; "vapo presets show" prints a whole configuration`;
  }
  return `${key || "the value"} is ${given}: ${expected}`;
}

/** The keys that the schema has at a path; none where it has a value. */
function knownKeys(path: readonly string[]): string[] {
  let schemas: unknown[] = alternatives(configSchema);
  for (const part of path) {
    schemas = schemas.flatMap((schema) => {
      const shape = schema instanceof z.ZodObject ? schema.shape : {};
      return Object.hasOwn(shape, part) ? alternatives(shape[part]) : [];
    });
  }
  const keys = schemas.flatMap((schema) =>
    schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
  );
  return [...new Set(keys)];
}

/** The schemas that a value may have. */
function alternatives(schema: unknown): unknown[] {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodNullable) {
    return alternatives(schema.unwrap());
  }
  return schema instanceof z.ZodDiscriminatedUnion ? [...schema.options] : [schema];
}

/**
 * Lays `key=value` assignments over a configuration: keys with dots, values as JSON or, where they
 * are not JSON, as plain text.
 *
 * @param config stays as it is
 * @param assignments as in "training.steps=500"; later ones win
 * @returns a new configuration, checked
 * @throws {ConfigError} for an assignment without `=`, an unknown key or an ill-typed value
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { assignConfig, presetConfig } from "vapo";
 * const config = assignConfig(presetConfig("rings"), ["optimizer.learningRate=1e-3"]);
 * assertEquals(config.optimizer.learningRate, 1e-3);
 * ```
 */
export function assignConfig(config: RunConfig, assignments: readonly string[]): RunConfig {
  const copy = structuredClone(config) as unknown as Record<string, unknown>;
  for (const assignment of assignments) {
    const equals = assignment.indexOf("=");
    if (equals < 1) {
      throw new ConfigError(`--set ${assignment}: expected key=value, as in training.steps=500`);
    }
    const path = assignment.slice(0, equals).trim().split(".");
    setKey(copy, path, parseValue(assignment.slice(equals + 1)));
  }
  return parseConfig(copy, "--set");
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function setKey(config: Record<string, unknown>, path: string[], value: unknown): void {
  let target = config;
  path.forEach((part, depth) => {
    const known = knownKeys(path.slice(0, depth));
    if (!known.includes(part)) {
      const nearest = [...path.slice(0, depth), closestString(part, known)].join(".");
      throw new ConfigError(
        `--set: unknown key "${path.join(".")}"; did you mean "${nearest}"? ` +
          `Known here: ${known.join(", ")}`,
      );
    }
    if (depth === path.length - 1) {
      target[part] = value;
      return;
    }
    const section = path.slice(0, depth + 1), name = section.join(".");
    if (knownKeys(section).length === 0) {
      throw new ConfigError(
        `--set: unknown key "${path.join(".")}"; "${name}" holds a value, not keys: ` +
          `set ${name} itself`,
      );
    }
    // A section that is null, as data.distribution is by default, begins with all that it leaves out.
    const inside = target[part] ??= {};
    if (!isSection(inside)) {
      throw new ConfigError(
        `--set: ${name} is ${JSON.stringify(inside)}: expected keys such as "${path.join(".")}"`,
      );
    }
    target = inside;
  });
}

/**
 * A configuration with some of its keys replaced: sections are merged key by key; a potential of
 * another kind replaces the section whole.
 *
 * @param base stays as it is
 * @param overlay parsed JSON of a user's file
 * @param source where it came from, for messages
 * @returns a new configuration, checked
 * @throws {ConfigError} when the result is not a configuration
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { overlayConfig, presetConfig } from "vapo";
 * const overlay = JSON.parse('{"training": {"steps": 500}}');
 * const { training } = overlayConfig(presetConfig("rings"), overlay, "mine.json");
 * assertEquals([training.steps, training.batchSize], [500, 512]);
 * ```
 */
export function overlayConfig(base: RunConfig, overlay: unknown, source: string): RunConfig {
  if (typeof overlay !== "object" || overlay === null || Array.isArray(overlay)) {
    throw new ConfigError(`${source}: expected a JSON object with keys such as "training"`);
  }
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(overlay)) {
    const old = Object.hasOwn(base, key) ? base[key as keyof RunConfig] : undefined;
    const sections = isSection(old) && isSection(value);
    const otherKind = sections && "kind" in value && key === "potential" &&
      value.kind !== (old as { kind?: unknown }).kind;
    merged[key] = sections && !otherKind ? { ...old, ...value } : value;
  }
  return parseConfig(merged, source);
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

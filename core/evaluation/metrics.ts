/**
 * @file The metrics of an evaluation by name: what each is of, how many samples it takes where nothing
 * is said, and what it is a function of.
 */
import { VapoError } from "../errors.ts";
import { sha256 } from "../formats/sha256.ts";
import { gaussianPath } from "../homotopy/gaussian_path.ts";
import { fork, randomKey, tf } from "../tensor/mod.ts";
import type { RunConfig } from "../train/config.ts";
import { type DataName, imageSet, isToy } from "../train/data_sets.ts";
import { energyDistance } from "../metrics/energy_distance.ts";
import { featureStatistics } from "../metrics/feature_statistics.ts";
import { frechetDistance } from "../metrics/frechet_distance.ts";
import { nearestImages, nearestPoints } from "../metrics/nearest_neighbours.ts";
import { type LikelihoodReportOptions, negativeLogLikelihoodReport } from "./bits_per_dimension.ts";
import type { EvaluationContext } from "./context.ts";
import type { MetricReport, MetricResult } from "./document.ts";
import { energyHistograms, type NamedValues } from "./energy_histograms.ts";
import { potentialValues } from "./energy_values.ts";
import { type CacheKey, canonicalJson, type EvaluationFiles } from "./evaluation_store.ts";
import {
  featuresName,
  frechetReport,
  kernelReport,
  precisionRecallReport,
  type Reference,
  scoreReport,
} from "./feature_distances.ts";
import { type ByteImages, greyLevels, type Split } from "./images.ts";
import { nearestNeighbours } from "./neighbour_grid.ts";
import type { FeatureChoice } from "./networks.ts";
import { imageInterpolations, outOfDistribution, uniformNoise } from "./out_of_distribution.ts";
import { interpolationReport } from "./prior_interpolation.ts";
import { solverQuality, type SolverRowCache } from "./solver_quality.ts";

/** What is told of an evaluation beside its context. */
export interface MetricSettings {
  /** Which network features are taken from; null for points in the plane. */
  readonly features: FeatureChoice | null;
  /** SHA-256 of its parameters; null where it is not prepared. */
  readonly weights: string | null;
  readonly reference: Reference;
  /** The other data sets of "ood": names, directories, "interpolation", "noise". */
  readonly outside: readonly string[];
}

type Options = MetricResult["options"];

/** A metric of an evaluation. */
export interface Metric {
  /** For people, in a few words. */
  readonly description: string;
  /** Samples, or images of a data set, where nothing is said. */
  readonly samples: number;
  /** Whether it is of images alone. */
  readonly imagesOnly: boolean;
  /** What its result is called: another name for features of another network. */
  title(settings: MetricSettings): string;
  /** What the numbers are a function of, beside the checkpoint, n and how samples are drawn. */
  asked(settings: MetricSettings): Options;
  report(context: EvaluationContext, n: number, settings: MetricSettings): Promise<MetricReport>;
}

/**
 * The names of all metrics, in the order in which they are reported.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { metricNames, metrics } from "vapo";
 * const ofPoints = metricNames.filter((name) => !metrics[name].imagesOnly);
 * assertEquals(ofPoints, ["nll", "energy", "interpolate", "solvers"]);
 * ```
 */
export const metricNames = [
  "fid",
  "kid",
  "is",
  "prdc",
  "nll",
  "ood",
  "energy",
  "neighbours",
  "interpolate",
  "solvers",
] as const;

/** The name of a metric. */
export type MetricName = typeof metricNames[number];

/** Images a row of interpolations. */
const INTERPOLATION_STEPS = 10;
/** Training images that are shown beside each sample. */
const NEIGHBOURS = 8;
/** Training images that solvers' samples are compared with: the distances are to be told apart. */
const SOLVER_REFERENCE = 10_000;

/**
 * All metrics by name.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import {
 *   assignConfig, configuredPotential, evaluationSubject, metrics, openDevice, openEvaluation,
 *   presetConfig, randomKey,
 * } from "vapo";
 * await openDevice("wasm");
 * const config = assignConfig(presetConfig("8gaussians"), ["potential.hidden=[4]"]);
 * const parameters = configuredPotential(config.potential, [2]).initialize(randomKey(1));
 * const subject = await evaluationSubject({
 *   name: "untrained", config, parameters, step: 0, average: 0.999,
 * });
 * const context = openEvaluation({ subject, sampling: { ...config.sampling, seed: 7 } });
 * const settings = {
 *   features: null, weights: null, reference: { split: "held-out" }, outside: [],
 * } as const;
 * const { measurements } = await metrics.nll.report(context, 64, settings);
 * assert(measurements[0].value > 2); // nats: the entropy of the data is 2.1
 * ```
 */
export const metrics: Readonly<Record<MetricName, Metric>> = {
  fid: {
    description: "Fréchet distance of features of samples and of real images",
    samples: 2500,
    imagesOnly: true,
    title: named("Fréchet inception distance", "Fréchet distance"),
    asked: (settings) => ({ ...ofFeatures(settings), ...ofReference(settings) }),
    report: (context, n, { reference }) => frechetReport(context, n, reference),
  },
  kid: {
    description: "kernel distance: unbiased polynomial MMD over subsets",
    samples: 2500,
    imagesOnly: true,
    title: named("Kernel inception distance", "Kernel distance"),
    asked: (settings) => ({ ...ofFeatures(settings), ...ofReference(settings) }),
    report: (context, n, { reference }) => kernelReport(context, n, reference),
  },
  is: {
    description: "inception score over 10 splits",
    samples: 2500,
    imagesOnly: true,
    title: ({ features }) => features === "inception" ? "Inception score" : "Classifier score",
    asked: ofFeatures,
    report: (context, n) => scoreReport(context, n),
  },
  prdc: {
    description: "precision, recall, density and coverage",
    samples: 2500,
    imagesOnly: true,
    title: () => "Precision, recall, density, coverage",
    asked: (settings) => ({ ...ofFeatures(settings), ...ofReference(settings) }),
    report: (context, n, { reference }) => precisionRecallReport(context, n, reference),
  },
  nll: {
    description: "negative log-likelihood of held-out data along the flow",
    samples: 256,
    imagesOnly: false,
    title: () => "Negative log-likelihood",
    asked: () => ({}),
    report: likelihoodReport,
  },
  ood: {
    description: "AUROC of Φ between held-out images and those of other data sets",
    samples: 2500,
    imagesOnly: true,
    title: () => "Out-of-distribution detection by Φ",
    asked: ({ outside }) => ({ outside: outside.join(", ") }),
    report: outsideReport,
  },
  energy: {
    description: "histograms of Φ on training data, held-out data and samples",
    samples: 2500,
    imagesOnly: false,
    title: () => "The potential on data and samples",
    asked: () => ({}),
    report: energyReport,
  },
  neighbours: {
    description: "the training images nearest to samples, in pixels and in features",
    samples: 100,
    imagesOnly: true,
    title: () => "Nearest training images",
    asked: ofFeatures,
    report: neighbourReport,
  },
  interpolate: {
    description: "spherical interpolations of the prior, flowed, and their path length",
    samples: 8,
    imagesOnly: false,
    title: () => "Interpolation",
    asked: (settings) => ({ ...ofFeatures(settings), imagesInRow: INTERPOLATION_STEPS }),
    report: interpolationsReport,
  },
  solvers: {
    description: "quality against evaluations for every solver",
    samples: 100,
    imagesOnly: false,
    title: () => "Solvers",
    asked: ofFeatures,
    report: solversReport,
  },
};

/** Titles of a metric: the field's, and that of the same arithmetic on another network's features. */
function named(field: string, other: string) {
  return ({ features }: MetricSettings) =>
    features === "inception" ? field : `${other} in ${features} features`;
}

function ofFeatures({ features, weights }: MetricSettings): Options {
  return features === null ? {} : { features, weights };
}

function ofReference({ reference: { split, limit, statistics } }: MetricSettings): Options {
  return statistics
    ? { reference: statistics.name }
    : { reference: split, ...(limit !== undefined && { referenceImages: limit }) };
}

/** The images that a data set's samples are compared with, as in the papers. */
export function defaultReference({ data }: Pick<RunConfig, "data">): Split {
  return data.name === "celeba64" ? "held-out" : "train";
}

/** The other data sets of "ood": the paper's for CIFAR-10. */
export function defaultOutside(data: DataName): string[] {
  if (isToy(data)) return [];
  const { prepared } = data === "folder" ? { prepared: "folder" } : imageSet({ name: data });
  const others: Readonly<Record<string, readonly string[]>> = {
    "cifar10": ["cifar100", "svhn"],
    "cifar100": ["cifar10", "svhn"],
    "svhn": ["cifar10", "cifar100"],
    "mnist": ["fashion-mnist"],
    "fashion-mnist": ["mnist"],
  };
  return ["interpolation", ...others[prepared] ?? [], "noise"];
}

/** The time at which Φ is looked at: the flow's end; null of a potential without time. */
function potentialTime({ subject: { potential, config }, sampling }: EvaluationContext) {
  if (!potential.timeExplicit) return undefined;
  return sampling.until ?? gaussianPath(config.path).uMax;
}

/** Φ of samples or images. */
async function energies(
  context: EvaluationContext,
  values: ByteImages | Float32Array,
  what: string,
): Promise<Float64Array> {
  const { subject: { potential, parameters, space }, signal } = context;
  const [data, n] = values instanceof Float32Array
    ? [values, values.length / space.sampleShape[0]]
    : [values.pixels, values.count];
  return await potentialValues(potential, parameters, data, [n, ...space.sampleShape], {
    time: potentialTime(context),
    signal,
    onProgress: context.progress(what),
  });
}

/** Fresh points of a distribution, of a stream of their own. */
async function points(
  { subject: { space }, sampling }: EvaluationContext,
  n: number,
  stream: string,
): Promise<Float32Array> {
  const draws = tf.tidy(() =>
    space.distribution!.sample(n, fork(randomKey(sampling.seed), stream))
  );
  const values = await draws.data() as Float32Array;
  draws.dispose();
  return values;
}

/** What a result is a function of, beside the checkpoint: what a later one is known again by. */
export function askedOptions(
  name: MetricName,
  { sampling }: Pick<EvaluationContext, "sampling">,
  settings: MetricSettings,
  n: number,
): Options {
  const { solver, steps, equalSteps, rtol, atol, until, noise } = sampling;
  const drawn = !["nll", "ood"].includes(name);
  // A solver takes tolerances or steps; which ones it has no use for changes nothing.
  const how = name === "solvers"
    ? { until }
    : name === "nll"
    ? { until, ...likelihoodTolerances(sampling) }
    : drawn
    ? {
      solver,
      until,
      ...(equalSteps ? { steps } : { rtol, atol, steps }),
      ...(noise !== undefined && { noise }),
    }
    : { until };
  return { n, seed: sampling.seed, ...how, ...metrics[name].asked(settings) };
}

async function likelihoodReport(context: EvaluationContext, n: number): Promise<MetricReport> {
  const options = await likelihoodOptions(context, n);
  return await negativeLogLikelihoodReport(options);
}

/** Held-out images, or fresh points, and how their density is computed. */
async function likelihoodOptions(
  context: EvaluationContext,
  n: number,
): Promise<LikelihoodReportOptions> {
  const { subject, sampling, signal, progress } = context;
  const { potential, parameters, path, space, config, sha256 } = subject;
  const common = {
    ...{ potential, parameters, path, signal, seed: sampling.seed, batchSize: sampling.batchSize },
    ...{ time: sampling.until, ...likelihoodTolerances(sampling) },
    onProgress: progress("likelihood"),
  };
  if (space.distribution) {
    const { density } = space.distribution;
    const dataLogDensity = density && ((x: Float64Array) => density(x).map(Math.log));
    const drawn = await points(context, n, "held-out");
    return { ...common, name: config.data.name, points: drawn, dataLogDensity };
  }
  const { pixels, name, checksum } = await context.split("held-out", n);
  const key = { kind: "log densities", parameters: sha256, images: { name, checksum } };
  return {
    ...common,
    name,
    images: pixels,
    format: imageSet(config.data).format,
    ...(context.sampleCache && { cache: { files: context.sampleCache, key } }),
  };
}

/** A density is a sum over the whole way: it takes tolerances that samples need not have. */
function likelihoodTolerances({ rtol, atol }: EvaluationContext["sampling"]) {
  return { rtol: Math.min(rtol, 1e-4), atol: Math.min(atol, 1e-4) };
}

/** Nats a sample of held-out data: the number that a run is measured by on the way. */
export async function negativeLogLikelihood(
  context: EvaluationContext,
  n: number,
): Promise<number> {
  const { measurements } = await likelihoodReport(context, n);
  return measurements[0].value;
}

async function outsideReport(
  context: EvaluationContext,
  n: number,
  { outside }: MetricSettings,
): Promise<MetricReport> {
  const inside = await context.split("held-out", n);
  const { shape, pixels } = inside, { seed } = context.sampling;
  const sets: NamedValues[] = [], missing: string[] = [];
  for (const name of outside) {
    const images = name === "interpolation"
      ? made("interpolation", imageInterpolations(pixels, [inside.count, ...shape], n, seed), shape)
      : name === "noise"
      ? made("uniform noise", uniformNoise(n, shape, seed), shape)
      : await context.readOther!(name, n);
    if ("missing" in images) missing.push(`Left out: ${name}, since ${images.missing}.`);
    else if (images.shape.join() !== shape.join()) {
      missing.push(
        `Left out: ${name}, whose images of ${images.shape.join("×")} are not of ${
          shape.join("×")
        }.`,
      );
    } else {
      const values = await energies(context, images, `Φ of ${images.name}`);
      sets.push({ name: images.name, values });
    }
  }
  if (sets.length === 0) {
    throw new VapoError(`no other data set to tell apart: ${missing.join(" ")}`);
  }
  const own = { name: inside.name, values: await energies(context, inside, `Φ of ${inside.name}`) };
  const report = outOfDistribution({ inside: own, outside: sets });
  return { ...report, notes: [...report.notes, ...missing] };
}

function made(name: string, pixels: Uint8Array, shape: ByteImages["shape"]) {
  return { name, pixels, shape, count: pixels.length / (shape[0] * shape[1] * shape[2]) };
}

async function energyReport(context: EvaluationContext, n: number): Promise<MetricReport> {
  const { distribution } = context.subject.space;
  const train = distribution ? await points(context, n, "data") : await context.split("train", n);
  const test = distribution
    ? await points(context, n, "held-out")
    : await context.split("held-out", n);
  const samples = distribution ? await context.samples(n) : await context.sampleImages(n);
  const report = energyHistograms({
    train: await energies(context, train, "Φ of training data"),
    test: await energies(context, test, "Φ of held-out data"),
    samples: await energies(context, samples, "Φ of samples"),
  });
  if (!distribution) return report;
  const fresh =
    "A distribution has no training set: both sets of data are fresh draws, which differ by chance alone.";
  return { ...report, notes: [...report.notes, fresh] };
}

async function neighbourReport(
  context: EvaluationContext,
  n: number,
  { reference: { limit } }: MetricSettings,
): Promise<MetricReport> {
  const { signal, progress } = context;
  const samples = await context.sampleImages(n);
  const train = await context.split("train", limit);
  const heldOut = await context.split("held-out", n);
  const { network } = await context.network();
  const sampleFeatures = (await context.sampleFeatures(n)).features;
  const trainFeatures = await context.splitFeatures(train);
  const heldOutFeatures = await context.splitFeatures(heldOut);
  const inPixels = (queries: Uint8Array, what: string) =>
    nearestImages(queries, train.pixels, train.shape, NEIGHBOURS, {
      signal,
      onProgress: progress(what),
    });
  const inFeatures = (queries: Float32Array, what: string) =>
    nearestPoints(queries, trainFeatures, network.size, NEIGHBOURS, {
      signal,
      onProgress: progress(what),
    });
  return nearestNeighbours({
    samples: samples.pixels,
    train: train.pixels,
    shape: train.shape,
    pixel: {
      samples: await inPixels(samples.pixels, "neighbours of samples"),
      heldOut: await inPixels(heldOut.pixels, "neighbours of held-out images"),
    },
    features: {
      label: featuresName(network),
      samples: await inFeatures(sampleFeatures, "neighbours of samples in features"),
      heldOut: await inFeatures(heldOutFeatures, "neighbours of held-out images in features"),
    },
  });
}

async function interpolationsReport(context: EvaluationContext, n: number): Promise<MetricReport> {
  const { subject, sampling, signal, progress } = context;
  const { potential, parameters, path, space } = subject;
  const { sampleShape } = space;
  const features = space.distribution ? undefined : {
    name: featuresName((await context.network()).network),
    of: async (pixels: Uint8Array, count: number) => {
      const images = { pixels, count, shape: sampleShape as ByteImages["shape"] };
      return (await context.extract(images, "features of interpolations")).features;
    },
  };
  return await interpolationReport({
    ...{ potential, parameters, path, sampling, signal, features },
    pairs: n,
    steps: INTERPOLATION_STEPS,
    onProgress: progress("interpolations"),
  });
}

async function solversReport(context: EvaluationContext, n: number): Promise<MetricReport> {
  const { subject, sampling, signal, progress } = context;
  const { potential, parameters, path, space, sha256 } = subject;
  const { distance, distanceName, distanceKey } = space.distribution
    ? await pointsDistance(context, n)
    : await imagesDistance(context, n);
  const key = { kind: "solvers", parameters: sha256, distance: distanceKey };
  return await solverQuality({
    ...{ potential, parameters, path, n, distance, distanceName, signal },
    until: sampling.until,
    seed: sampling.seed,
    batchSize: sampling.batchSize,
    ...(context.sampleCache && { cache: rowCache(context.sampleCache, key) }),
    onProgress: progress("solvers"),
  });
}

/** The energy distance of points to as many fresh draws. */
async function pointsDistance(context: EvaluationContext, n: number) {
  const data = await points(context, n, "held-out");
  const { dimension } = context.subject.space.distribution!;
  return {
    distance: (samples: Float32Array) => Promise.resolve(energyDistance(samples, data, dimension)),
    distanceName: "energy distance to data",
    distanceKey: { name: "energy distance", of: context.sampling.seed },
  };
}

/** The Fréchet distance of images to the training set's first images. */
async function imagesDistance(context: EvaluationContext, n: number) {
  const { network, sha256 } = await context.network();
  const images = await context.split("train", SOLVER_REFERENCE);
  const { size } = network, { signal } = context;
  const real = await featureStatistics(await context.splitFeatures(images), size, { signal });
  return {
    distance: async (samples: Float32Array) => {
      const pixels = greyLevels(samples), { shape } = images;
      const { features } = await context.extract(
        { pixels, shape, count: n },
        "features of samples",
      );
      const statistics = await featureStatistics(features, size, { signal });
      return await frechetDistance(statistics, real, { signal });
    },
    distanceName: `Fréchet distance in ${featuresName(network)} features`,
    distanceKey: { weights: sha256, images: images.checksum },
  };
}

/** Rows of a table, each kept in a file of its own. */
function rowCache(files: EvaluationFiles, key: CacheKey): SolverRowCache {
  const nameOf = async (row: string) => `row-${await sha256(canonicalJson({ ...key, row }))}.json`;
  return {
    async read(row) {
      const bytes = await files.read(await nameOf(row));
      if (!bytes) return null;
      try {
        return JSON.parse(new TextDecoder().decode(bytes));
      } catch {
        return null; // damaged: it is computed again
      }
    },
    async write(row, value) {
      await files.write(await nameOf(row), new TextEncoder().encode(JSON.stringify(value)));
    },
  };
}

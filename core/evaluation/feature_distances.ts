/**
 * @file Distances between generated and real images in the features of a network: the Fréchet and the
 * kernel inception distance, the inception score, precision, recall, density and coverage. With the
 * features of another network than Inception they have other names, since they are other numbers.
 */
import { FormatError, VapoError } from "../errors.ts";
import { type FeatureStatistics, featureStatistics } from "../metrics/feature_statistics.ts";
import type { FeatureNetwork } from "../metrics/feature_network.ts";
import { frechetDistance, type GaussianStatistics } from "../metrics/frechet_distance.ts";
import { inceptionScore } from "../metrics/inception_score.ts";
import { kernelDistance } from "../metrics/kernel_distance.ts";
import { precisionRecall } from "../metrics/precision_recall.ts";
import { imageGrid } from "../picture/image_grid.ts";
import { encodePng } from "../picture/rgb_image.ts";
import type { EvaluationContext } from "./context.ts";
import type { MadePicture, Measurement, MetricReport } from "./document.ts";
import type { Split, SplitImages } from "./images.ts";

/** What samples are compared with. */
export interface Reference {
  /** Which images of the run's data set. */
  readonly split: Split;
  /** The most of them, drawn among all; up to 60,000 where it is left out. */
  readonly limit?: number;
  /** Statistics from a file, in place of the images'; for "fid" alone. */
  readonly statistics?: GaussianStatistics & {
    /** The file, as the user named it. */
    readonly name: string;
    /** Of the file, hexadecimal. */
    readonly sha256: string;
    /** Which network they are of, where the file says so. */
    readonly network?: { readonly name: string; readonly sha256: string };
  };
}

/** Statistics, and what they are of. */
export type NamedStatistics = GaussianStatistics & {
  readonly name: string;
  readonly count?: number;
};

/** Whether a network is the one that the field's figures are of. */
export function isInception({ name }: FeatureNetwork): boolean {
  return name === "inception-v3-fid";
}

/** The features in a word or two, where a label has no room for more. */
export function featuresName(network: FeatureNetwork): string {
  return isInception(network) ? "Inception-v3" : "classifier";
}

/**
 * The Fréchet distance of n samples.
 *
 * Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017.
 */
export async function frechetReport(
  context: EvaluationContext,
  n: number,
  reference: Reference,
): Promise<MetricReport> {
  const { network } = await context.network();
  const real = await referenceStatistics(context, reference);
  const value = await frechetTo(context, n, real);
  const inception = isInception(network);
  const measurements: Measurement[] = [{
    name: inception ? "fid" : "frechet-classifier",
    label: inception
      ? "Fréchet inception distance"
      : `Fréchet distance in ${featuresName(network)} features`,
    value,
    better: "lower",
  }];
  const own = await heldOutStatistics(context, n, reference);
  if (own) {
    measurements.push({
      name: "held-out",
      label: `the same of ${count(own.count)} real images, ${own.name}`,
      value: await frechetDistance(own, real, { signal: context.signal }),
    });
  }
  return {
    measurements,
    tables: [],
    pictures: [await pictureOfSamples(context, n)],
    counts: { n, ...(real.count !== undefined && { reference: real.count }) },
    notes: [
      `${count(n)} samples against ${real.name}${
        real.count ? ` (${count(real.count)} images)` : ""
      }.`,
      `A Fréchet distance of fewer samples is larger (the bias falls as 1/n): compare only with ` +
      `figures of as many samples${inception ? "; most are published for 50,000" : ""}.`,
      comparability(network),
    ],
  };
}

/** How many samples are shown. */
const SHOWN = 64;

/** The first samples, not selected, as a grid. */
async function pictureOfSamples(context: EvaluationContext, n: number): Promise<MadePicture> {
  const { pixels, shape: [h, w, c] } = await context.sampleImages(n);
  const shown = Math.min(SHOWN, n);
  const images = Float32Array.from(
    pixels.subarray(0, shown * h * w * c),
    (byte) => byte / 127.5 - 1,
  );
  return {
    name: "samples",
    content: encodePng(imageGrid({ images, n: shown, h, w, c })),
    alt: `A grid of ${shown} samples`,
    caption: `The first ${shown} of the samples, not selected.`,
  };
}

/**
 * The Fréchet distance of n samples to statistics of real features.
 *
 * @throws {VapoError} where these are of another number of features than the network's
 */
export async function frechetTo(
  context: EvaluationContext,
  n: number,
  real: NamedStatistics,
): Promise<number> {
  const { network } = await context.network(), { signal } = context;
  if (real.mean.length !== network.size) {
    throw new VapoError(
      `${real.name} has statistics of ${real.mean.length} features: expected ${network.size}, as ` +
        `${network.label} has; make such a file by "vapo eval --make-stats"`,
    );
  }
  const { features } = await context.sampleFeatures(n);
  const statistics = await featureStatistics(features, network.size, { signal });
  return await frechetDistance(statistics, real, { signal });
}

/** Statistics of the features of what samples are compared with. */
async function referenceStatistics(
  context: EvaluationContext,
  reference: Reference,
): Promise<NamedStatistics> {
  if (reference.statistics) return await checkedStatistics(context, reference.statistics);
  const images = await referenceImages(context, reference);
  return { ...await statisticsOf(context, images), name: images.name };
}

/** Statistics of a file, once they are not known to be of another network. */
async function checkedStatistics(
  context: EvaluationContext,
  statistics: NonNullable<Reference["statistics"]>,
): Promise<NamedStatistics> {
  const { network, sha256 } = await context.network(), found = statistics.network;
  if (!found || (found.name === network.name && found.sha256 === sha256)) return statistics;
  throw new VapoError(
    `${statistics.name} has statistics of the network "${found.name}" with weights ` +
      `${found.sha256.slice(0, 12)}…: expected "${network.name}" with ${
        sha256.slice(0, 12)
      }…; make ` +
      'them anew by "vapo eval --make-stats"',
  );
}

/**
 * Statistics of the features of images of a data set.
 *
 * @throws {VapoError} for fewer than two images
 */
export async function statisticsOf(
  context: Pick<EvaluationContext, "network" | "splitFeatures" | "signal">,
  images: SplitImages,
): Promise<FeatureStatistics> {
  const { network: { size } } = await context.network();
  const features = await context.splitFeatures(images);
  return await featureStatistics(features, size, { signal: context.signal });
}

async function referenceImages(
  context: EvaluationContext,
  { split, limit }: Reference,
): Promise<SplitImages> {
  return await context.split(split, limit);
}

/**
 * What as many real images reach that are not among those compared with: null where the data set has
 * none, or where nobody knows which images statistics are of.
 */
async function heldOutStatistics(
  context: EvaluationContext,
  n: number,
  { split, statistics }: Reference,
) {
  if (statistics) return null;
  const images = await otherSplit(context, split === "train" ? "held-out" : "train", n);
  return images && { ...await statisticsOf(context, images), name: images.name };
}

/** A split, or null where the data set has none; what is damaged is no such case. */
async function otherSplit(
  context: EvaluationContext,
  split: Split,
  n: number,
): Promise<SplitImages | null> {
  try {
    return await context.split(split, n);
  } catch (error) {
    if (error instanceof VapoError && !(error instanceof FormatError)) return null;
    throw error;
  }
}

/**
 * The kernel distance of n samples.
 *
 * Source: Bińkowski et al., "Demystifying MMD GANs", 2018.
 */
export async function kernelReport(
  context: EvaluationContext,
  n: number,
  reference: Reference,
): Promise<MetricReport> {
  const { network } = await context.network();
  const { images, subsetSize, ...distance } = await kernelOfSamples(context, n, reference);
  const inception = isInception(network);
  return {
    measurements: [{
      name: inception ? "kid" : "kernel-classifier",
      label: inception
        ? "kernel inception distance"
        : `kernel distance in ${featuresName(network)} features`,
      value: distance.mean,
      standardError: distance.standardError,
      better: "lower",
    }],
    tables: [],
    pictures: [],
    counts: { n, reference: images.count, subsetSize },
    notes: [
      `${count(n)} samples against ${images.name} (${count(images.count)} images): the mean over ` +
      `${distance.values.length} subsets of ${count(subsetSize)} of each; many publications give ` +
      "1,000 times this number.",
      "The estimator has no bias, so figures of other numbers of samples may be compared; it may be " +
      "below zero. The error is what the scatter of subsets says of sets of this size, rather too " +
      "large; others give the deviation over subsets, or that of their mean, which is too small.",
      comparability(network),
    ],
  };
}

/** The kernel distance of n samples, and of what it is one. */
export async function kernelOfSamples(
  context: EvaluationContext,
  n: number,
  reference: Reference,
) {
  const { network } = await context.network();
  const images = await referenceImages(context, reference);
  const real = await context.splitFeatures(images);
  const { features } = await context.sampleFeatures(n);
  const { seed } = context.sampling, { signal } = context;
  // Subsets of all would all be the same: their scatter would say nothing.
  const fewer = Math.min(n, images.count), subsetSize = Math.min(1000, Math.floor(fewer / 2));
  if (subsetSize < 2) {
    throw new VapoError(
      `a kernel distance of ${n} samples and ${images.count} images: expected at least 4 of each; ` +
        "raise --n or --reference-n",
    );
  }
  const options = { subsetSize, seed, signal, onProgress: context.progress("kernel distance") };
  const distance = await kernelDistance(features, real, network.size, options);
  // Subsets that overlap vary less than sets of samples do: at least as much as the sets' size says.
  const spread = distance.standardDeviation * Math.sqrt(subsetSize / fewer);
  const standardError = Math.max(distance.standardError, spread);
  return { ...distance, standardError, images, subsetSize };
}

/**
 * The inception score of n samples.
 *
 * Source: Salimans et al., "Improved Techniques for Training GANs", 2016.
 */
export async function scoreReport(context: EvaluationContext, n: number): Promise<MetricReport> {
  const { network } = await context.network();
  const { logits } = await context.sampleFeatures(n);
  const { mean, standardDeviation, values } = inceptionScore(logits, network.classes);
  const splits = values.length;
  const inception = isInception(network);
  return {
    measurements: [{
      name: inception ? "inception-score" : "classifier-score",
      label: inception ? "inception score" : "classifier score",
      value: mean,
      standardError: standardDeviation / Math.sqrt(splits),
      better: "higher",
    }, {
      name: "split-deviation",
      label: `standard deviation over ${splits} splits (what publications give after ±)`,
      value: standardDeviation,
    }],
    tables: [],
    pictures: [],
    notes: [
      `${count(n)} samples in ${splits} splits of ${
        count(Math.floor(n / splits))
      }; fewer samples a ` +
      "split lower the score. It knows nothing of the data: samples of one image a class have the " +
      "highest.",
      ...(inception
        ? ["The softmax is over the network's 1008 outputs without bias, as in the original graph."]
        : []),
      comparability(network),
    ],
  };
}

/** Neighbours of precision, recall, density and coverage. */
const NEIGHBOURS = 5;

/**
 * Precision, recall, density and coverage of n samples.
 *
 * Sources: Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing Generative
 * Models", 2019; Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", 2020.
 */
export async function precisionRecallReport(
  context: EvaluationContext,
  n: number,
  reference: Reference,
): Promise<MetricReport> {
  const { network } = await context.network();
  // As many real images as samples: the measures depend on both numbers.
  const limit = Math.min(n, reference.limit ?? n);
  const images = await referenceImages(context, { ...reference, limit });
  const real = await context.splitFeatures(images);
  const { features } = await context.sampleFeatures(n);
  const values = await precisionRecall(real, features, network.size, {
    neighbours: NEIGHBOURS,
    signal: context.signal,
    onProgress: context.progress("neighbours"),
  });
  const meanings = {
    precision: "precision: samples within reach of a real image",
    recall: "recall: real images within reach of a sample",
    density: "density: real neighbourhoods that a sample lies in, relative to the expected",
    coverage: "coverage: real images with a sample in their neighbourhood",
  } as const;
  return {
    measurements: Object.entries(meanings).map(([name, label]) => ({
      name,
      label,
      value: values[name as keyof typeof meanings],
      better: "higher" as const,
    })),
    tables: [],
    pictures: [],
    counts: { n, reference: images.count },
    notes: [
      `${count(n)} samples against ${images.name} (${count(images.count)} images), ${NEIGHBOURS} ` +
      `neighbours, features of ${network.label}: compare only with figures of the same numbers, the ` +
      "same k and the same features.",
      ...(isInception(network)
        ? ["Kynkäänniemi et al. take features of VGG-16 and k = 3; Naeem et al. k = 5."]
        : [comparability(network)]),
    ],
  };
}

/** What figures in a network's features can be compared with. */
function comparability({ name, label }: FeatureNetwork): string {
  if (name === "inception-v3-fid") {
    return "Comparable with figures by pytorch-fid's weights and resizing on 8-bit images; other " +
      "resizing (antialiased, or TensorFlow 1's) changes the second digit.";
  }
  return `Features of a small classifier of our own (${label}): not an inception distance, and ` +
    "comparable only with figures by the same weights, whose checksum is among the options.";
}

function count(n: number): string {
  return n.toLocaleString("en-US");
}

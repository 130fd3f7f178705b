/**
 * @file What metrics are told beside their context, and what a result is a function of: all that a
 * later evaluation of the same checkpoint has to have in common with it to find it done.
 */
import { odeMethods } from "../flow/ode/methods.ts";
import { isSdeMethod } from "../flow/sde.ts";
import { type DataName, imageSet, isToy } from "../train/data_sets.ts";
import type { RunConfig } from "../train/config.ts";
import type { EvaluationSampling } from "./context.ts";
import type { MetricResult } from "./document.ts";
import type { Reference } from "./feature_distances.ts";
import type { Split } from "./images.ts";
import type { FeatureChoice } from "./networks.ts";

/** What is told of an evaluation beside its context. */
export interface MetricSettings {
  /** Which network features are taken from; null for points in the plane. */
  readonly features: FeatureChoice | null;
  /** SHA-256 of its parameters; null where it is not prepared. */
  readonly weights: string | null;
  readonly reference: Reference;
  /** The other data sets of "ood": names, directories, "interpolation", "noise". */
  readonly outside: readonly string[];
  /** What the run's images are known again by; null for points. */
  readonly data?: string | null;
}

/** Options of a result; null where one is not given. */
export type Options = MetricResult["options"];

/** How samples are drawn; null for what the solver has no use for. */
export function ofSampling(
  { solver, steps, equalSteps = false, rtol, atol, until, noise, batchSize }: EvaluationSampling,
): Options {
  const given = { solver, until, noise: noise ?? null, batchSize: batchSize ?? null };
  const chooses = !isSdeMethod(solver) && odeMethods[solver].adaptive && !equalSteps;
  return chooses
    ? { ...given, equalSteps: false, steps: null, rtol, atol }
    : { ...given, equalSteps: true, steps, rtol: null, atol: null };
}

/** Which features. */
export function ofFeatures({ features, weights }: MetricSettings): Options {
  return features === null ? {} : { features, weights };
}

/** Which of the run's images samples are compared with. */
export function ofReference({ reference: { split, limit } }: MetricSettings): Options {
  return { reference: splitName(split), referenceImages: limit ?? null };
}

/** What "fid" compares with: images, or statistics of a file. */
export function ofStatistics(settings: MetricSettings): Options {
  const { statistics } = settings.reference;
  if (!statistics) return { ...ofReference(settings), statistics: null, statisticsSha256: null };
  return { statistics: statistics.name, statisticsSha256: statistics.sha256 };
}

/** A split as the command line calls it. */
export function splitName(split: Split): "train" | "test" {
  return split === "train" ? "train" : "test";
}

/**
 * A density is a sum over the whole way: it takes tolerances that samples need not have, unless the user
 * says otherwise.
 */
export function likelihoodTolerances(
  { rtol, atol, likelihood }: EvaluationSampling,
): { rtol: number; atol: number } {
  return {
    rtol: likelihood?.rtol ?? Math.min(rtol, 1e-4),
    atol: likelihood?.atol ?? Math.min(atol, 1e-4),
  };
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

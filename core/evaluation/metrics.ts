/**
 * @file The metrics of an evaluation by name: what each is of, how many samples it takes where nothing
 * is said, and what it is a function of.
 */
import type { EvaluationContext, EvaluationSampling } from "./context.ts";
import { energyReport, likelihoodReport, outsideReport } from "./data_reports.ts";
import type { MetricReport } from "./document.ts";
import {
  frechetReport,
  kernelReport,
  precisionRecallReport,
  scoreReport,
} from "./feature_distances.ts";
import {
  likelihoodTolerances,
  type MetricSettings,
  ofFeatures,
  ofReference,
  ofSampling,
  ofStatistics,
  type Options,
} from "./metric_settings.ts";
import {
  INTERPOLATION_STEPS,
  interpolationsReport,
  neighbourReport,
  solversReport,
} from "./sample_reports.ts";

/** A metric of an evaluation. */
export interface Metric {
  /** For people, in a few words. */
  readonly description: string;
  /** Samples, or images of a data set, where nothing is said. */
  readonly samples: number;
  /** The most that it takes, where more would be of no use. */
  readonly most?: number;
  /** Whether it is of images alone. */
  readonly imagesOnly: boolean;
  /** What its result is called: another name for features of another network. */
  title(settings: MetricSettings): string;
  /** What the numbers are a function of, beside the checkpoint, n and the seed. */
  asked(settings: MetricSettings, sampling: EvaluationSampling): Options;
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
    asked: (settings, sampling) => ({
      ...ofSampling(sampling),
      ...ofFeatures(settings),
      ...ofStatistics(settings),
    }),
    report: (context, n, { reference }) => frechetReport(context, n, reference),
  },
  kid: {
    description: "kernel distance: unbiased polynomial MMD over subsets",
    samples: 2500,
    imagesOnly: true,
    title: named("Kernel inception distance", "Kernel distance"),
    asked: comparedByFeatures,
    report: (context, n, { reference }) => kernelReport(context, n, reference),
  },
  is: {
    description: "inception score over 10 splits",
    samples: 2500,
    imagesOnly: true,
    title: ({ features }) => features === "inception" ? "Inception score" : "Classifier score",
    asked: (settings, sampling) => ({ ...ofSampling(sampling), ...ofFeatures(settings) }),
    report: (context, n) => scoreReport(context, n),
  },
  prdc: {
    description: "precision, recall, density and coverage",
    samples: 2500,
    imagesOnly: true,
    title: named(
      "Precision, recall, density, coverage",
      "Precision, recall, density, coverage",
    ),
    asked: comparedByFeatures,
    report: (context, n, { reference }) => precisionRecallReport(context, n, reference),
  },
  nll: {
    description: "negative log-likelihood of held-out data along the flow",
    samples: 256,
    imagesOnly: false,
    title: () => "Negative log-likelihood",
    asked: (_settings, sampling) => ({
      until: sampling.until,
      ...likelihoodTolerances(sampling),
      batchSize: sampling.batchSize ?? null,
    }),
    report: likelihoodReport,
  },
  ood: {
    description: "AUROC of Φ between held-out images and those of other data sets",
    samples: 2500,
    imagesOnly: true,
    title: () => "Out-of-distribution detection by Φ",
    asked: ({ outside }, { until }) => ({ until, outside: outside.join(", ") }),
    report: outsideReport,
  },
  energy: {
    description: "histograms of Φ on training data, held-out data and samples",
    samples: 2500,
    imagesOnly: false,
    title: () => "The potential on data and samples",
    asked: (_settings, sampling) => ofSampling(sampling),
    report: energyReport,
  },
  neighbours: {
    description: "the training images nearest to samples, in pixels and in features",
    samples: 100,
    most: 10_000,
    imagesOnly: true,
    title: () => "Nearest training images",
    asked: (settings, sampling) => ({
      ...ofSampling(sampling),
      ...ofFeatures(settings),
      referenceImages: settings.reference.limit ?? null,
    }),
    report: neighbourReport,
  },
  interpolate: {
    description: "spherical interpolations of the prior, flowed, and their path length",
    samples: 8,
    most: 64,
    imagesOnly: false,
    title: () => "Interpolation",
    asked: (settings, sampling) => ({
      ...ofSampling(sampling),
      ...ofFeatures(settings),
      imagesInRow: INTERPOLATION_STEPS,
    }),
    report: interpolationsReport,
  },
  solvers: {
    description: "quality against evaluations for every solver",
    samples: 100,
    most: 10_000,
    imagesOnly: false,
    title: () => "Solvers",
    asked: (settings, { until, batchSize = null }) => ({
      until,
      batchSize,
      ...ofFeatures(settings),
    }),
    report: solversReport,
  },
};

/** Titles of a metric: the field's, and that of the same arithmetic on another network's features. */
function named(field: string, other: string) {
  return ({ features }: MetricSettings) =>
    features === "inception" ? field : `${other} in ${features} features`;
}

function comparedByFeatures(settings: MetricSettings, sampling: EvaluationSampling): Options {
  return { ...ofSampling(sampling), ...ofFeatures(settings), ...ofReference(settings) };
}

/**
 * All that a metric's result is a function of, beside the checkpoint: what it is known again by.
 *
 * @param device what computes: another one rounds otherwise
 */
export function askedOptions(
  name: MetricName,
  sampling: EvaluationSampling,
  settings: MetricSettings,
  { n, device, version }: { readonly n: number; readonly device: string; readonly version: string },
): Options {
  const { data = null } = settings;
  const asked = metrics[name].asked(settings, sampling);
  return { n, seed: sampling.seed, ...asked, data, device, version };
}

/**
 * @file The measure by which a run keeps its best checkpoint: a distance of samples of the averaged
 * parameters, as the paper chooses, or the negative log-likelihood.
 */
import { ConfigError, VapoError } from "../errors.ts";
import { type TensorRecord, tf } from "../tensor/mod.ts";
import type { RunConfig } from "../train/config.ts";
import type { Evaluation, EvaluationWatch } from "../train/evaluation.ts";
import { isToy } from "../train/data_sets.ts";
import { runSampling } from "../train/run_sampling.ts";
import { type EvaluationContext, type EvaluationInputs, openEvaluation } from "./context.ts";
import { negativeLogLikelihood } from "./data_reports.ts";
import { frechetTo, kernelOfSamples, statisticsOf } from "./feature_distances.ts";
import type { LoadedNetwork } from "./features.ts";
import type { Split } from "./images.ts";
import { defaultReference } from "./metric_settings.ts";
import { metrics } from "./metrics.ts";
import { defaultFeatures, type FeatureChoice, resultName } from "./networks.ts";
import { evaluationSubject } from "./subject.ts";

/** What is measured on the way, with everything decided. */
export interface TrainingMeasure {
  readonly every: number;
  readonly n: number;
  readonly metric: "fid" | "kid" | "nll";
  /** Where the metric is one of features: of which. */
  readonly features: FeatureChoice | null;
}

/** The fewest samples that a metric is defined for. */
const fewest = { fid: 2, kid: 4, nll: 1 } as const;

/**
 * What a configuration's section `evaluation` comes to; null where nothing is measured.
 *
 * @throws {ConfigError} for what cannot be measured of the run's data
 */
export function trainingMeasure({ evaluation, data }: RunConfig): TrainingMeasure | null {
  const { every, n } = evaluation;
  if (every === null) return null;
  const points = isToy(data.name);
  const metric = evaluation.metric ?? (points ? "nll" : "fid");
  if (points && metric !== "nll") {
    throw new ConfigError(
      `evaluation.metric is "${metric}" for data "${data.name}", which are points: ${metric} is of ` +
        'images; expected "nll" (--eval-metric nll)',
    );
  }
  if (metric === "nll" && evaluation.features !== null) {
    throw new ConfigError(
      `evaluation.features is "${evaluation.features}" for the metric nll of data "${data.name}", ` +
        "which is of no features: expected null; leave --eval-features out",
    );
  }
  if (n < fewest[metric]) {
    throw new ConfigError(
      `evaluation.n is ${n}: expected at least ${fewest[metric]} for ${metric} (--eval-n)`,
    );
  }
  const features = metric === "nll" ? null : evaluation.features ?? defaultFeatures(data.name);
  return { every, n, metric, features };
}

/** What an evaluation on the way is made from beside the run. */
export interface TrainingEvaluationInputs
  extends Pick<EvaluationInputs, "readSplit" | "openNetwork" | "dataCache"> {
  /** SHA-256 of the network's parameters; left out where the measure is of no features. */
  readonly weights?: string;
}

/**
 * The evaluation that {@link train} takes on the way. What samples are compared with is read and
 * computed once; the network is on the device only while something is measured.
 *
 * @param config the run's
 * @param measure what is measured
 * @param inputs where data, features and their caches come from
 */
export function trainingEvaluation(
  config: RunConfig,
  measure: TrainingMeasure,
  inputs: TrainingEvaluationInputs,
): Evaluation {
  const { metric, features, n, every } = measure, { weights = null, ...sources } = inputs;
  const sampling = runSampling(config), split = defaultReference(config);
  const settings = { features, weights, reference: { split }, outside: [] };
  const openNetwork = sources.openNetwork && sameNetwork(sources.openNetwork, weights);

  /** Lets `use` have a context of some parameters, and frees what it has put on the device. */
  const withContext = async <T>(
    parameters: TensorRecord,
    step: number,
    { signal, onProgress }: EvaluationWatch,
    use: (context: EvaluationContext) => Promise<T>,
  ): Promise<T> => {
    const average = config.optimizer.averageDecay, name = config.preset;
    const subject = await evaluationSubject({ name, config, parameters, step, average });
    const given = { ...sources, openNetwork, subject, sampling, signal, onProgress };
    const context = openEvaluation(given);
    try {
      return await use(context);
    } finally {
      context.dispose();
    }
  };
  let prepared: Promise<Measurement> | undefined;
  const preparedOnce = (watch: EvaluationWatch) => {
    const making = prepared ??= withContext(
      {},
      0,
      watch,
      (context) => preparations[metric](context, n, split),
    );
    // What failed or was stopped may be tried again.
    making.catch(() => prepared = undefined);
    return making;
  };
  return {
    metric: resultName(metric, features),
    of: { n, seed: config.seed, ...metrics[metric].asked(settings, sampling) },
    every,
    async prepare(watch = {}) {
      await preparedOnce(watch);
    },
    async evaluate(parameters, step, watch = {}) {
      const measureIn = await preparedOnce(watch);
      return await withContext(parameters, step, watch, measureIn);
    },
  };
}

/** Opens a network, which has to be the one that a run's values are of. */
function sameNetwork(
  open: () => Promise<LoadedNetwork>,
  weights: string | null,
): () => Promise<LoadedNetwork> {
  return async () => {
    const loaded = await open();
    if (loaded.sha256 === weights) return loaded;
    tf.dispose(loaded.parameters);
    throw new VapoError(
      `the weights of ${loaded.network.label} have changed since the run was started: SHA-256 ` +
        `${loaded.sha256}, expected ${weights}; restore them, or stop the run and go on by --resume`,
    );
  };
}

/** Measures what a context is of. */
type Measurement = (context: EvaluationContext) => Promise<number>;

/** What is read and computed before a run's first step, and kept in as little memory as will do. */
const preparations: Readonly<
  Record<
    TrainingMeasure["metric"],
    (context: EvaluationContext, n: number, split: Split) => Promise<Measurement>
  >
> = {
  async fid(context, n, split) {
    const images = await context.split(split);
    const statistics = { ...await statisticsOf(context, images), name: images.name };
    return (context) => frechetTo(context, n, statistics);
  },
  async kid(context, n, split) {
    const images = await context.split(split), features = await context.splitFeatures(images);
    const pixelless = { ...images, pixels: new Uint8Array() };
    return async (context) => {
      const kept = {
        ...context,
        split: () => Promise.resolve(pixelless),
        splitFeatures: () => Promise.resolve(features),
      };
      return (await kernelOfSamples(kept, n, { split })).mean;
    };
  },
  async nll(context, n) {
    if (context.subject.space.distribution) return (context) => negativeLogLikelihood(context, n);
    const images = await context.split("held-out", n);
    return (context) =>
      negativeLogLikelihood({ ...context, split: () => Promise.resolve(images) }, n);
  },
};

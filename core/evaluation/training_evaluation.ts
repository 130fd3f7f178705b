/**
 * @file The measure by which a run keeps its best checkpoint: a distance of samples of the averaged
 * parameters, as the paper chooses, or the negative log-likelihood.
 */
import { VapoError } from "../errors.ts";
import type { TensorRecord } from "../tensor/mod.ts";
import type { RunConfig } from "../train/config.ts";
import type { Evaluation } from "../train/evaluation.ts";
import { isToy } from "../train/data_sets.ts";
import { type EvaluationInputs, openEvaluation } from "./context.ts";
import { frechetOfSamples, kernelOfSamples } from "./feature_distances.ts";
import { defaultReference, negativeLogLikelihood } from "./metrics.ts";
import { defaultFeatures, type FeatureChoice } from "./networks.ts";
import { evaluationSubject } from "./subject.ts";

/** What is measured on the way, with everything decided. */
export interface TrainingMeasure {
  readonly every: number;
  readonly n: number;
  readonly metric: "fid" | "kid" | "nll";
  /** Where the metric is one of features: of which. */
  readonly features: FeatureChoice | null;
}

/** What a configuration's section `evaluation` comes to; null where nothing is measured. */
export function trainingMeasure({ evaluation, data }: RunConfig): TrainingMeasure | null {
  const { every, n } = evaluation;
  if (every === null) return null;
  const metric = evaluation.metric ?? (isToy(data.name) ? "nll" : "fid");
  const features = metric === "nll" ? null : evaluation.features ?? defaultFeatures(data.name);
  return { every, n, metric, features };
}

/**
 * The evaluation that {@link train} takes on the way. Whatever goes wrong in it costs the evaluation,
 * not the run.
 *
 * @param config the run's
 * @param measure what is measured
 * @param inputs where data, features and their caches come from
 */
export function trainingEvaluation(
  config: RunConfig,
  measure: TrainingMeasure,
  inputs: Omit<EvaluationInputs, "subject" | "sampling">,
): Evaluation {
  const { metric, features, n, every } = measure;
  // Another network's distance is another number, and has another name.
  const name = features === "classifier" ? `${metric}-classifier` : metric;
  return {
    metric: name === "fid-classifier" ? "frechet-classifier" : name,
    every,
    async evaluate(parameters: TensorRecord, step: number, signal?: AbortSignal) {
      const subject = await evaluationSubject({
        name: config.preset,
        config,
        parameters,
        step,
        average: config.optimizer.averageDecay,
      });
      const sampling = { ...config.sampling, seed: config.seed };
      const context = openEvaluation({ ...inputs, subject, sampling, signal });
      try {
        const reference = { split: defaultReference(config) };
        if (metric === "nll") return await negativeLogLikelihood(context, n);
        if (metric === "kid") return (await kernelOfSamples(context, n, reference)).mean;
        return await frechetOfSamples(context, n, reference);
      } catch (error) {
        if (error instanceof VapoError || signal?.aborted) throw error;
        throw new VapoError(`the evaluation failed: ${(error as Error).message}`);
      } finally {
        context.dispose();
      }
    },
  };
}

/**
 * @file The evaluation that a run takes on the way, with its files.
 */
import { FormatError, VapoError } from "../core/errors.ts";
import { networkName } from "../core/evaluation/networks.ts";
import { trainingEvaluation, trainingMeasure } from "../core/evaluation/training_evaluation.ts";
import { readNetworkIndex } from "../core/metrics/prepared_features.ts";
import type { Evaluation } from "../core/train/evaluation.ts";
import type { RunConfig } from "../core/train/config.ts";
import { isToy } from "../core/train/data_sets.ts";
import { dataCache, loadNetwork, networkFiles, splitReader } from "./evaluation_inputs.ts";

/**
 * What a run's configuration wants measured on the way; undefined for nothing.
 *
 * @throws {VapoError} where it cannot be measured, or where a network that it needs is not prepared:
 * now, and not after thousands of steps
 */
export async function openTrainingEvaluation(config: RunConfig): Promise<Evaluation | undefined> {
  const measure = trainingMeasure(config);
  if (!measure) return undefined;
  const { features } = measure, { name } = config.data;
  const readSplit = isToy(name) ? undefined : splitReader(config);
  if (features === null) return withRemedy(trainingEvaluation(config, measure, { readSplit }));
  const files = networkFiles(features, name);
  const { sha256: weights } = await orEvaluateNothing(() => readNetworkIndex(files));
  return withRemedy(trainingEvaluation(config, measure, {
    readSplit,
    weights,
    openNetwork: () => loadNetwork(files, networkName(features, name)),
    dataCache: dataCache(),
  }));
}

/** The evaluation; what keeps it from being prepared need not keep the run from starting. */
function withRemedy(evaluation: Evaluation): Evaluation {
  return {
    ...evaluation,
    prepare: (watch) => orEvaluateNothing(async () => await evaluation.prepare?.(watch)),
  };
}

/** Adds to an error that a run can do without an evaluation. */
async function orEvaluateNothing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof VapoError)) throw error;
    const Kind = error instanceof FormatError ? FormatError : VapoError;
    throw new Kind(`${error.message}; or evaluate nothing on the way: --eval-every 0`, {
      cause: error,
    });
  }
}

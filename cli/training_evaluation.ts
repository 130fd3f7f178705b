/**
 * @file The evaluation that a run takes on the way, with its files.
 */
import { VapoError } from "../core/errors.ts";
import { trainingEvaluation, trainingMeasure } from "../core/evaluation/training_evaluation.ts";
import { networkName } from "../core/evaluation/networks.ts";
import type { Evaluation } from "../core/train/evaluation.ts";
import type { RunConfig } from "../core/train/config.ts";
import { isToy } from "../core/train/data_sets.ts";
import {
  dataCache,
  loadNetwork,
  networkChecksum,
  networkFiles,
  splitReader,
} from "./evaluation_inputs.ts";

/**
 * What a run's configuration wants measured on the way; undefined for nothing.
 *
 * @throws {VapoError} where a network that it needs is not prepared: now, and not after thousands of
 * steps
 */
export async function openTrainingEvaluation(config: RunConfig): Promise<Evaluation | undefined> {
  const measure = trainingMeasure(config);
  if (!measure) return undefined;
  const { features } = measure;
  if (features === null) {
    const readSplit = isToy(config.data.name) ? undefined : splitReader(config);
    return trainingEvaluation(config, measure, { readSplit });
  }
  const files = networkFiles(features, config.data.name);
  if (await networkChecksum(files, networkName(features, config.data.name)) === null) {
    throw new VapoError(
      `no network in ${files.location} to evaluate by: run "vapo data ${
        files.location.split("/").at(-1)
      }", or leave --eval-every out`,
    );
  }
  return trainingEvaluation(config, measure, {
    readSplit: splitReader(config),
    openNetwork: () => loadNetwork(files, networkName(features, config.data.name)),
    dataCache: dataCache(),
  });
}

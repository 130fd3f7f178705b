/**
 * @file The checkpoint of a run that a command is about, and the average of its parameters.
 */
import { InvalidArgumentError } from "commander";
import { VapoError } from "../core/errors.ts";
import { parameterSpecs } from "../core/evaluation/subject.ts";
import type { TensorRecord } from "../core/tensor/mod.ts";
import { bestStep, loadAverage } from "../core/train/checkpoint.ts";
import type { RunConfig } from "../core/train/config.ts";
import { newestCheckpoint } from "../core/train/run_directory.ts";
import type { RunStorage } from "../core/train/run_storage.ts";

/** That of a step, the newest, or the one that evaluations have chosen. */
export type CheckpointName = number | "last" | "best";

/** The parser of `--checkpoint`. */
export function checkpointName(text: string): CheckpointName {
  if (text === "last" || text === "best") return text;
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected last, best, or the step of a checkpoint.");
}

/** A checkpoint that is going to be read. */
export interface ChosenCheckpoint {
  readonly step: number;
  /** The decay of the average. */
  readonly average: number;
  /** Reads the averaged parameters onto the open device. */
  load(): Promise<TensorRecord>;
}

/**
 * Finds a checkpoint.
 *
 * @param name which one
 * @param average the decay of one of the run's averages; the one that is sampled where it is left out
 * @throws {VapoError} where there is none, or no such average
 */
export async function chooseCheckpoint(
  storage: RunStorage,
  config: RunConfig,
  name: CheckpointName,
  average?: number,
): Promise<ChosenCheckpoint> {
  requireAverage(average, config);
  const step = name === "last"
    ? await lastCheckpoint(storage)
    : name === "best"
    ? await bestCheckpoint(storage)
    : name;
  const sampled = config.optimizer.averageDecay;
  return {
    step,
    average: average ?? sampled,
    load: () =>
      loadAverage(
        storage,
        name === "best" ? "best" : step,
        parameterSpecs(config),
        average === sampled ? undefined : average,
      ),
  };
}

async function lastCheckpoint(storage: RunStorage): Promise<number> {
  const step = await newestCheckpoint(storage);
  if (step !== null) return step;
  throw new VapoError(
    `run ${storage.location} has no checkpoint yet: ` +
      `wait for its first, or go on with it by "vapo train --resume ${storage.location}"`,
  );
}

async function bestCheckpoint(storage: RunStorage): Promise<number> {
  const step = await bestStep(storage);
  if (step !== null) return step;
  throw new VapoError(
    `run ${storage.location} has no best checkpoint: expected one that an evaluation has chosen; ` +
      "name a step, or last",
  );
}

function requireAverage(decay: number | undefined, { optimizer }: RunConfig): void {
  const known = [optimizer.averageDecay, ...optimizer.otherAverageDecays];
  if (decay === undefined || known.includes(decay)) return;
  throw new VapoError(
    `--average ${decay}: the run has no such moving average; expected ${known.join(" or ")}`,
  );
}

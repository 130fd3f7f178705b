/**
 * @file The memory that a run's step takes on a device, and what to do where the device has less.
 */
import { ConfigError } from "../errors.ts";
import { DeviceMemoryError } from "../jit/mod.ts";
import { byteSize } from "../formats/byte_size.ts";
import { fitMicroBatch } from "./micro_batch.ts";
import { summarizeProblem } from "./summary.ts";
import type { TrainingProblem } from "./training_problem.ts";

/**
 * The bytes of device memory that a run's step takes where so many samples are taken at once: state,
 * resident data and temporaries. The step is planned and not compiled, and nothing of its size is
 * allocated.
 */
export function stepMemory(problem: TrainingProblem, microBatch: number): number {
  const { config } = problem;
  const training = { ...config.training, microBatch };
  const smaller = { ...problem, config: { ...config, training } };
  return summarizeProblem(smaller).memory.total;
}

/**
 * An error of a step that does not fit the device in the words of a configuration, with the size of a
 * part of the batch that does; any other error as it is.
 */
export function explainMemory(error: unknown, problem: TrainingProblem): unknown {
  if (!(error instanceof DeviceMemoryError)) return error;
  const { batchSize, microBatch } = problem.config.training;
  const limit = Number.isFinite(error.limit) ? error.limit : error.bytes - 1;
  const fitting = fitMicroBatch((n) => stepMemory(problem, n), batchSize, limit);
  const taken = microBatch === null
    ? `training.batchSize ${batchSize}`
    : `training.microBatch ${microBatch}`;
  return new ConfigError(
    `a step at ${taken} needs ${byteSize(error.bytes)} of device memory: expected at most ` +
      `${byteSize(limit)}, what this device has for one program; ` +
      (fitting === null
        ? "not even one sample at a time fits: choose fewer potential.channels, or another device"
        : `set training.microBatch to ${fitting} (--micro-batch ${fitting}), which draws the same ` +
          "batches and accumulates their gradients"),
    { cause: error },
  );
}

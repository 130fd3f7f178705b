/**
 * @file The batch that a step learns from, whole or in parts: data, noise and times, a function of the
 * seed, the step and the index of each sample alone.
 */
import {
  fork,
  type RandomKey,
  randomNormal,
  randomUniform,
  type Tensor,
  tf,
} from "../tensor/mod.ts";
import type { PathBatch } from "../loss/energy_loss.ts";
import type { RunConfig } from "./config.ts";
import { stateKey, type TrainingState } from "./state.ts";
import type { TrainingProblem } from "./training_problem.ts";

/** How a step takes its batch. */
export interface BatchParts {
  /** Samples of a part. */
  readonly size: number;
  /** Parts of a batch; 1 where it is taken whole. */
  readonly count: number;
}

/** How the steps of a configuration take their batches. */
export function batchParts({ training: { batchSize, microBatch } }: RunConfig): BatchParts {
  const size = microBatch ?? batchSize;
  return { size, count: batchSize / size };
}

/**
 * The batch, or the part of a batch, that a state is about to learn from: data, noise and times, a
 * function of the seed, the step and the index of each sample alone.
 *
 * @param problem gives the data, the batch size and how times are drawn
 * @param state only its counters are read
 * @param words of a streamed set: the images, int32 [n, words of an image]
 * @returns tensors that belong to the caller (or to the enclosing `tf.tidy`)
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import {
 *   assignConfig, drawBatch, initialState, openDataSource, openDevice, presetConfig,
 *   trainingProblem,
 * } from "vapo";
 * await openDevice("cpu");
 * const config = assignConfig(presetConfig("rings"), [
 *   "potential.hidden=[8]", "training.batchSize=16",
 * ]);
 * const problem = trainingProblem(config, await openDataSource("rings"));
 * const { data, noise, time } = drawBatch(problem, initialState(problem));
 * assertEquals([data.shape, noise.shape, time.shape], [[16, 2], [16, 2], [16]]);
 * assert(time.dataSync().every((u) => u > 0 && u < problem.path.uMax));
 * ```
 */
export function drawBatch(
  problem: TrainingProblem,
  state: TrainingState,
  words?: Tensor,
): PathBatch {
  const { size } = batchParts(problem.config), { part } = state.counters;
  const key = stateKey(state);
  const first = part && tf.mul(part, tf.scalar(size, "int32"));
  return drawSamplesOfBatch(problem, first ? { ...key, firstSample: first } : key, size, words);
}

/** The batch of the step that a state is about to do, also where it is taken in parts. */
export function drawWholeBatch(problem: TrainingProblem, state: TrainingState): PathBatch {
  return drawSamplesOfBatch(problem, stateKey(state), problem.config.training.batchSize);
}

/** So many samples of a batch, from the first that the key says. */
export function drawSamplesOfBatch(
  { config, data, path }: TrainingProblem,
  key: RandomKey,
  n: number,
  words?: Tensor,
): PathBatch {
  return {
    data: data.draw(n, fork(key, "data"), words),
    noise: randomNormal(fork(key, "noise"), [n, ...data.sampleShape]),
    time: drawTimes(config.loss.timeDraw, randomUniform(fork(key, "time"), [n]), path.uMax),
    dropout: fork(key, "dropout"),
  };
}

/** Times on [0, uMax] from uniform draws: late has the density 2u/uMax², early its mirror image. */
function drawTimes(draw: RunConfig["loss"]["timeDraw"], uniform: Tensor, uMax: number): Tensor {
  if (draw === "uniform") return tf.mul(uniform, uMax);
  const late = tf.sqrt(uniform);
  return tf.mul(draw === "late" ? late : tf.sub(1, late), uMax);
}

/**
 * @file The state of a run before its first step.
 */
import { conditionalSample } from "../homotopy/gaussian_path.ts";
import { initialSpectralVectors } from "../loss/spectral_regularization.ts";
import { zeroMoments } from "../optim/moments.ts";
import { fork, randomKey, type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";
import { zeroAccumulation } from "./accumulation.ts";
import type { RunConfig } from "./config.ts";
import { sampleSpace } from "./data_sets.ts";
import { copyRecord, initialCounters, joinAverages, type TrainingState } from "./state.ts";
import { batchParts, drawSamplesOfBatch } from "./training_batch.ts";
import type { TrainingProblem } from "./training_problem.ts";

/** Layers are scaled by the deviations that they have on a batch: on one of 1 or 2, by next to 0. */
const FEWEST_FOR_INITIALIZATION = 16;
/** More tell no more: every pixel of every image counts. */
const MOST_FOR_INITIALIZATION = 64;
/** Beyond this many pixels in all, activations of 128 channels and more do not fit a device. */
const PIXELS_FOR_INITIALIZATION = 2 ** 19;

/**
 * Samples that potentials with weight normalisation are initialised from: a batch, within bounds. It
 * does not depend on the parts in which batches are taken, and so neither does the start.
 */
export function initializationSize({ training: { batchSize }, data }: RunConfig): number {
  const { sampleShape } = sampleSpace(data);
  const pixels = sampleShape.length === 3 ? sampleShape[0] * sampleShape[1] : 1;
  const most = Math.min(MOST_FOR_INITIALIZATION, Math.floor(PIXELS_FOR_INITIALIZATION / pixels));
  return Math.max(FEWEST_FOR_INITIALIZATION, Math.min(batchSize, most));
}

/** What of a run's first state has to be computed; all else follows from it. */
export interface StartingValues extends Record<string, TensorRecord> {
  /** The potential's. */
  parameters: TensorRecord;
  /** Where the power iteration of the spectral regularisation starts. */
  spectral: TensorRecord;
}

/**
 * The parameters of a run before its first step, a function of the configuration and the data alone,
 * and what follows from them with work. Potentials with weight normalisation are initialised from
 * data: {@link initializationSize} samples with noise and times of their own.
 *
 * @param problem stays the caller's
 * @param words of a streamed set: its first images, int32 [initialization size, words of an image]
 * @returns tensors that belong to the caller (or to the enclosing `tf.tidy`)
 */
export function startingValues(problem: TrainingProblem, words?: Tensor): StartingValues {
  const { config, potential, path } = problem;
  return tf.tidy(() => {
    const seed = randomKey(config.seed), key = fork(seed, "initialization");
    let parameters = potential.initialize(key);
    if (potential.initializeFromData) {
      const { data, noise, time } = drawSamplesOfBatch(
        problem,
        key,
        initializationSize(config),
        words,
      );
      const x = conditionalSample(data, noise, path.tensorAt(time));
      parameters = potential.initializeFromData(parameters, x, time);
    }
    const spectral = config.loss.spectralRegularization > 0
      ? initialSpectralVectors(parameters, fork(seed, "spectral"))
      : {};
    return { parameters, spectral };
  });
}

/**
 * The state of a run before its first step, a function of the configuration and the data alone.
 *
 * @param problem stays the caller's; a streamed set gives no batch here, so it needs `values`
 * @param values what has been computed of it; default that is done here
 * @returns a state that belongs to the caller: see {@link disposeState}
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import {
 *   assignConfig, initialState, openDataSource, openDevice, presetConfig, trainingProblem,
 * } from "vapo";
 * await openDevice("cpu");
 * const config = assignConfig(presetConfig("rings"), ["potential.hidden=[8]"]);
 * const problem = trainingProblem(config, await openDataSource("rings"));
 * const [first, second] = [initialState(problem), initialState(problem)];
 * const bytes = ({ parameters }: typeof first) => parameters["dense0.kernel"].dataSync();
 * assertEquals(bytes(first), bytes(second));
 * assertEquals(first.counters.step.dataSync()[0], 0);
 * ```
 */
export function initialState(
  problem: TrainingProblem,
  values?: StartingValues,
): TrainingState {
  const { config } = problem;
  const { otherAverageDecays } = config.optimizer;
  return tf.tidy(() => {
    const { parameters, spectral } = values ?? startingValues(problem);
    const start = copyRecord(parameters);
    const inParts = batchParts(config).count > 1;
    const averages = otherAverageDecays.map((decay) => [decay, copyRecord(start)] as const);
    const state: TrainingState = {
      parameters: start,
      average: copyRecord(start),
      otherAverages: joinAverages(averages),
      moments: zeroMoments(start),
      spectral: copyRecord(spectral),
      accumulated: inParts ? zeroAccumulation(problem, start) : {},
      counters: initialCounters(config.seed, inParts),
    };
    return state as TrainingState & TensorRecord;
  });
}

/**
 * @file Where a run begins: at its newest checkpoint, or at the state that its configuration makes.
 */
import { jit } from "../jit/mod.ts";
import { compilesPrograms, type Tensor, tf } from "../tensor/mod.ts";
import { loadCheckpoint } from "./checkpoint.ts";
import { newestCheckpoint } from "./run_directory.ts";
import type { RunStorage } from "./run_storage.ts";
import type { TrainingState } from "./state.ts";
import { stateShapes } from "./state_shapes.ts";
import {
  initializationSize,
  initialState,
  type StartingValues,
  startingValues,
} from "./initial_state.ts";
import { type TrainingProblem } from "./training_problem.ts";

/** The state to go on from, which belongs to the caller, and the steps that it has done. */
export interface Start {
  readonly state: TrainingState;
  readonly step: number;
  /** Whether there was no checkpoint. */
  readonly isNew: boolean;
}

/**
 * The state of the newest checkpoint in a run's directory, or that of a new run.
 *
 * @throws {FormatError} when the newest checkpoint is damaged or belongs to another configuration
 */
export async function startOrResume(
  problem: TrainingProblem,
  storage: RunStorage,
): Promise<Start> {
  const step = await newestCheckpoint(storage);
  if (step !== null) {
    const state = await loadCheckpoint(storage, step, stateShapes(problem));
    return { state, step, isNew: false };
  }
  const values = await computeStart(problem);
  try {
    return { state: initialState(problem, values), step: 0, isNew: true };
  } finally {
    tf.dispose(values);
  }
}

/** {@link startingValues}, compiled where they are those of an image's net: a forward pass. */
async function computeStart(problem: TrainingProblem): Promise<StartingValues> {
  const { data } = problem;
  const words = await firstWords(problem);
  try {
    if (!compilesPrograms() || data.placement === null) return startingValues(problem, ...words);
    const initialize = jit((...words: Tensor[]) => startingValues(problem, ...words));
    try {
      return await initialize(...words);
    } finally {
      initialize.dispose();
    }
  } finally {
    tf.dispose(words);
  }
}

/** Of a streamed set, the images that parameters are initialised from; else nothing. */
async function firstWords({ config, data }: TrainingProblem): Promise<Tensor[]> {
  if (!data.stream) return [];
  const n = initializationSize(config);
  const reader = await data.stream.open({ seed: config.seed, batchSize: n, firstSample: 0 });
  try {
    const { words } = await reader.next();
    return [tf.tensor(words.slice(), [n, data.stream.imageWords], "int32")];
  } finally {
    reader.close();
  }
}

/**
 * @file What a run's state is like, without making it: for checkpoints that are read, and for
 * estimates of memory.
 */
import { shapesOf, type TensorSpec } from "../jit/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { StateOf } from "./state.ts";
import { initializationSize, initialState, startingValues } from "./initial_state.ts";
import { type TrainingProblem } from "./training_problem.ts";

/**
 * The names, shapes and types of the state of a run. Nothing of their size is allocated.
 *
 * @param problem only its configuration and shapes are looked at
 */
export function stateShapes(problem: TrainingProblem): StateOf<TensorSpec> {
  const state = (...words: Tensor[]) => initialState(problem, startingValues(problem, ...words));
  const words = streamedSpecs(problem, initializationSize(problem.config));
  return shapesOf(state as never, ...words) as StateOf<TensorSpec>;
}

/** Of a streamed set, the shape and type of a batch's words; else nothing. */
export function streamedSpecs({ data }: TrainingProblem, n: number): TensorSpec[] {
  if (!data.stream) return [];
  return [{ shape: [n, data.stream.imageWords], dtype: "int32" }];
}

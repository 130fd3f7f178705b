/**
 * @file The whole state of a run, as tensors: what a step takes and gives back, and what a
 * checkpoint holds. Nothing else carries over from one step to the next.
 */
import { type RandomKey, randomKey, type Scalar, type TensorRecord, tf } from "../tensor/mod.ts";

/** The state of a run between two steps. */
export interface TrainingState {
  /** The potential's. */
  readonly parameters: TensorRecord;
  /** The moving average of the parameters: what is sampled. */
  readonly average: TensorRecord;
  /** The optimiser's moments; see {@link zeroMoments}. */
  readonly moments: TensorRecord;
  /**
   * In int32: `step`, the steps done (scalar); `seed`, the run's (its two words, [2]);
   * `firstNonFinite`, the first step with a loss or a gradient that is not finite, or −1 (scalar).
   */
  readonly counters: TensorRecord;
}

/** The counters of a new run. */
export function initialCounters(seed: number): TensorRecord {
  const { seed: words, step } = randomKey(seed);
  return { seed: words, step, firstNonFinite: tf.scalar(-1, "int32") };
}

/** The key of the random draws of the step that this state is about to do. */
export function stateKey(state: TrainingState): RandomKey {
  return { seed: state.counters.seed, step: state.counters.step, stream: 0 };
}

/** Steps done, as the float32 scalar that schedules and optimisers compute with. */
export function stepNumber(state: TrainingState): Scalar {
  return tf.cast(state.counters.step, "float32") as Scalar;
}

/** A flat record of all tensors of a state: `parameters/NAME`, `average/NAME`, … */
export function flattenState(state: TrainingState): TensorRecord {
  const flat: TensorRecord = {};
  for (const [part, tensors] of Object.entries(state)) {
    for (const [name, tensor] of Object.entries(tensors as TensorRecord)) {
      flat[`${part}/${name}`] = tensor;
    }
  }
  return flat;
}

/** The inverse of {@link flattenState}. */
export function unflattenState(flat: TensorRecord): TrainingState {
  const state = { parameters: {}, average: {}, moments: {}, counters: {} } as {
    -readonly [K in keyof TrainingState]: TensorRecord;
  };
  for (const [path, tensor] of Object.entries(flat)) {
    const slash = path.indexOf("/");
    state[path.slice(0, slash) as keyof TrainingState][path.slice(slash + 1)] = tensor;
  }
  return state;
}

/**
 * Frees every tensor of a state.
 *
 * @param state may not be used afterwards
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import {
 *   assignConfig, disposeState, initialState, openDataSource, openDevice, presetConfig, tf,
 *   trainingProblem,
 * } from "vapo";
 * await openDevice("cpu");
 * const config = assignConfig(presetConfig("rings"), ["potential.hidden=[8]"]);
 * const problem = trainingProblem(config, await openDataSource("rings"));
 * const before = tf.memory().numTensors;
 * disposeState(initialState(problem));
 * assertEquals(tf.memory().numTensors, before);
 * ```
 */
export function disposeState(state: TrainingState): void {
  tf.dispose(flattenState(state));
}

/**
 * @file The whole state of a run, as tensors: what a step takes and gives back, and what a
 * checkpoint holds. Nothing else carries over from one step to the next.
 */
import {
  type RandomKey,
  randomKey,
  type Scalar,
  type Tensor,
  type TensorRecord,
  tf,
} from "../tensor/mod.ts";

/** The state of a run between two steps. */
export interface TrainingState {
  /** The potential's. */
  readonly parameters: TensorRecord;
  /** The moving average of the parameters: what is sampled. */
  readonly average: TensorRecord;
  /** Moving averages of other decays, `DECAY/NAME`; empty where none are asked for. */
  readonly otherAverages: TensorRecord;
  /** The optimiser's moments; see {@link zeroMoments}. */
  readonly moments: TensorRecord;
  /** Where the power iteration of the spectral regularisation is; empty without it. */
  readonly spectral: TensorRecord;
  /**
   * Sums over the parts of the batch at hand that are done, zero between two steps (and so not saved);
   * empty where batches are taken whole.
   */
  readonly accumulated: TensorRecord;
  /**
   * In int32: `step`, the steps done (scalar); `seed`, the run's (its two words, [2]);
   * `firstNonFinite`, the first step with a loss or a gradient that is not finite, or −1 (scalar);
   * where batches are taken in parts, `part`, the parts of the batch at hand that are done (scalar).
   */
  readonly counters: TensorRecord;
}

/** A state without a tensor. */
function emptyState(): TrainingState {
  return {
    parameters: {},
    average: {},
    otherAverages: {},
    moments: {},
    spectral: {},
    accumulated: {},
    counters: {},
  };
}

/** The names of a state with something else in the place of each tensor, such as its shape. */
export type StateOf<Leaf> = {
  readonly [Part in keyof TrainingState]: Readonly<Record<string, Leaf>>;
};

/** The counters of a new run; `inParts` where its batches are. */
export function initialCounters(seed: number, inParts = false): TensorRecord {
  const { seed: words, step } = randomKey(seed);
  return {
    seed: words,
    step,
    firstNonFinite: tf.scalar(-1, "int32"),
    ...(inParts && { part: tf.scalar(0, "int32") }),
  };
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
export function flattenState<Leaf>(state: StateOf<Leaf>): Record<string, Leaf> {
  const flat: Record<string, Leaf> = {};
  for (const [part, tensors] of Object.entries(state)) {
    for (const [name, tensor] of Object.entries(tensors as Record<string, Leaf>)) {
      flat[`${part}/${name}`] = tensor;
    }
  }
  return flat;
}

/** The inverse of {@link flattenState}. */
export function unflattenState(flat: TensorRecord): TrainingState {
  const state: { -readonly [K in keyof TrainingState]: TensorRecord } = emptyState();
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
  tf.dispose(flattenState<Tensor>(state));
}

/** A record of the same tensors, each a copy of its own. */
export function copyRecord(record: TensorRecord): TensorRecord {
  return Object.fromEntries(
    Object.entries(record).map(([name, tensor]) => [name, tf.clone(tensor)]),
  );
}

/** Averages by decay as one record, `DECAY/NAME`. */
export function joinAverages(averages: readonly (readonly [number, TensorRecord])[]): TensorRecord {
  return Object.fromEntries(
    averages.flatMap(([decay, average]) =>
      Object.entries(average).map(([name, tensor]) => [`${decay}/${name}`, tensor])
    ),
  );
}

/** The average of a decay out of the state's further ones. */
export function otherAverage(otherAverages: TensorRecord, decay: number): TensorRecord {
  const prefix = `${decay}/`;
  return Object.fromEntries(
    Object.entries(otherAverages).flatMap(([path, tensor]) =>
      path.startsWith(prefix) ? [[path.slice(prefix.length), tensor]] : []
    ),
  );
}

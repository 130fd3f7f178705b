/**
 * @file The training step as something that runs: compiled whole (batch, path, both gradients,
 * clipping, optimiser, averages) with its state on the device from the first step to the last, or,
 * on the device "cpu", kernel by kernel by TensorFlow.js, to compare with.
 */
import { compilesPrograms } from "../flow/compiled_flow.ts";
import { type HostTree, jit, type Session } from "../jit/mod.ts";
import { type TensorRecord, tf } from "../tensor/mod.ts";
import { disposeState, type TrainingState } from "./state.ts";
import {
  drawBatch,
  excessOverMinimum,
  type StepMetrics,
  type TrainingProblem,
  trainingStep,
} from "./training_step.ts";

/** A run's state on the device, and the step that moves it on. */
export interface TrainingProgram {
  /**
   * Does one step. With `logging` it gives the step's metrics by name: reading them waits for the
   * device, so it is done only where they are to be noted.
   */
  step(logging: boolean): Promise<Record<string, number> | null>;
  /** After a step: the first one whose loss or gradient was not finite, or −1. */
  firstNonFinite(): Promise<number>;
  /** A copy of the state, which belongs to the caller. */
  state(): TrainingState;
  /** Frees everything. */
  dispose(): void;
}

/**
 * Makes the program of a run.
 *
 * @param problem stays the caller's
 * @param state where to start; it becomes the program's own, to free
 */
export async function openTrainingProgram(
  problem: TrainingProblem,
  state: TrainingState,
): Promise<TrainingProgram> {
  if (!compilesPrograms()) return eagerProgram(problem, state);
  try {
    return await compiledProgram(problem, state);
  } finally {
    disposeState(state);
  }
}

/** Draw and step in one function of the state, as it is compiled. */
export function wholeStep(problem: TrainingProblem) {
  return (state: TrainingState): { state: TrainingState; metrics: StepMetrics } =>
    trainingStep(problem, state, drawBatch(problem, state));
}

async function compiledProgram(
  problem: TrainingProblem,
  state: TrainingState,
): Promise<TrainingProgram> {
  type State = TrainingState & TensorRecord;
  const step = wholeStep(problem);
  const session = await jit((before: State) => {
    const { state, metrics } = step(before);
    const { firstNonFinite } = state.counters;
    return { state: state as State, metrics, firstNonFinite };
  }, { donate: true }).load(state as State);
  let excess: Promise<Session<TensorRecord>> | undefined;

  /** What {@link excessOverMinimum} says of the state before a step, on the step's batch. */
  const measureExcess = async () => {
    if (!problem.data.distribution?.mixture) return {};
    const before = session.state();
    try {
      excess ??= jit((state: State) =>
        excessOverMinimum(problem, state, drawBatch(problem, state)) as unknown as TensorRecord
      ).load(before);
      const program = await excess;
      program.write(0, before);
      program.run();
      return numbers(await program.read());
    } finally {
      disposeState(before);
    }
  };

  return {
    async step(logging) {
      const measured = logging ? await measureExcess() : {};
      session.run();
      if (!logging) return null;
      const { metrics } = await session.read() as { metrics: HostTree };
      return { ...numbers(metrics), ...measured };
    },
    async firstNonFinite() {
      const { firstNonFinite } = await session.read() as { firstNonFinite: Int32Array };
      return firstNonFinite[0];
    },
    state: () => session.state(),
    dispose() {
      session.dispose();
      excess?.then((program) => program.dispose(), () => {});
    },
  };
}

/** The scalars of a record. */
function numbers(tree: HostTree): Record<string, number> {
  const entries = Object.entries(tree as Record<string, Float32Array>);
  return Object.fromEntries(entries.map(([name, values]) => [name, values[0]]));
}

function eagerProgram(problem: TrainingProblem, start: TrainingState): TrainingProgram {
  let state = start;
  return {
    async step(logging) {
      const { next, metrics } = tf.tidy(() => {
        const batch = drawBatch(problem, state);
        const { state: next, metrics } = trainingStep(problem, state, batch);
        const excess = logging ? excessOverMinimum(problem, state, batch) : null;
        return { next, metrics: logging ? { ...metrics, ...excess } : {} } as never;
      }) as { next: TrainingState; metrics: Record<string, tf.Scalar> };
      disposeState(state);
      state = next;
      const line: Record<string, number> = {};
      for (const [name, scalar] of Object.entries(metrics)) line[name] = (await scalar.data())[0];
      tf.dispose(metrics);
      return logging ? line : null;
    },
    firstNonFinite: async () => (await state.counters.firstNonFinite.data())[0],
    state: () => tf.tidy(() => copyState(state) as never),
    dispose: () => disposeState(state),
  };
}

function copyState(state: TrainingState): TrainingState {
  const copy = (record: TensorRecord) =>
    Object.fromEntries(Object.entries(record).map(([name, tensor]) => [name, tf.clone(tensor)]));
  const { parameters, average, moments, counters } = state;
  return {
    parameters: copy(parameters),
    average: copy(average),
    moments: copy(moments),
    counters: copy(counters),
  };
}

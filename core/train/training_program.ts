/**
 * @file The training step as something that runs: compiled whole (batch, path, both gradients,
 * clipping, optimiser, averages) with its state on the device from the first step to the last, or,
 * on the device "cpu", kernel by kernel by TensorFlow.js, to compare with.
 */
import {
  type HostTree,
  jit,
  type PreparedProgram,
  type Session,
  type TensorSpec,
  type TensorTree,
  type Tree,
} from "../jit/mod.ts";
import { compilesPrograms, type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";
import { explainMemory } from "./memory.ts";
import { stateShapes, streamedSpecs } from "./state_shapes.ts";
import { disposeState, flattenState, type TrainingState, unflattenState } from "./state.ts";
import { batchParts, drawBatch, drawWholeBatch } from "./training_batch.ts";
import {
  excessOverMinimum,
  mixtureOfData,
  type StepMetrics,
  trainingStep,
  wholeStep,
} from "./training_step.ts";
import { type TrainingProblem } from "./training_problem.ts";

/** A run's state on the device, and the step that moves it on. */
export interface TrainingProgram {
  /** Bytes of device memory that the step takes, state and data included; null where it is not compiled. */
  readonly memoryBytes: number | null;
  /** Milliseconds that steps have waited for data so far. */
  readonly waitMilliseconds: number;
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

/** A program that is compiled, and whose state is still to come. */
export interface PreparedTraining {
  /**
   * Gives it its state.
   *
   * @param state where to start; it becomes the program's own, to free, also where this throws
   * @param step the steps that the state has done: where a streamed set goes on
   */
  open(state: TrainingState, step: number): Promise<TrainingProgram>;
  /** Frees a program that is not opened. */
  dispose(): void;
}

/**
 * Compiles the program of a run, for which nothing but shapes has to be known.
 *
 * @param problem stays the caller's
 * @throws {ConfigError} where a step needs more memory than the device has, with what would fit
 */
export async function prepareTraining(problem: TrainingProblem): Promise<PreparedTraining> {
  if (!compilesPrograms()) {
    return { open: eagerOpening(problem), dispose() {} };
  }
  const { size } = batchParts(problem.config), step = wholeStep(problem);
  const program = jit((before: ProgramState, ...words: Tensor[]) => {
    const { state, metrics } = step(before, ...words);
    const { firstNonFinite } = state.counters;
    return { state: state as ProgramState, metrics, firstNonFinite };
  }, { donate: true });
  const specs = [stateShapes(problem), ...streamedSpecs(problem, size)];
  try {
    const prepared = await program.prepare(...specs as Tree<TensorSpec>[]);
    return {
      dispose: prepared.dispose,
      open: async (state, step) => await openCompiled(problem, prepared, state, step),
    };
  } catch (error) {
    throw explainMemory(error, problem);
  }
}

/**
 * Makes the program of a run: {@link prepareTraining}, with its state.
 *
 * @param problem stays the caller's
 * @param state where to start; it becomes the program's own, to free
 * @param step the steps that the state has done
 * @throws {ConfigError} where a step needs more memory than the device has, with what would fit
 */
export async function openTrainingProgram(
  problem: TrainingProblem,
  state: TrainingState,
  step = 0,
): Promise<TrainingProgram> {
  const prepared = await prepareTraining(problem);
  return await prepared.open(state, step);
}

/** A state as a program takes it. */
type ProgramState = TrainingState & TensorRecord;

/** The batches of a streamed set, one part of a step after the other; of other data, nothing. */
interface Batches {
  /** What a program is compiled for: nothing, or words that stand for a batch's. */
  like(): Tensor[];
  /** The next part's words; null where parts are drawn. They belong to the caller. */
  next(): Promise<Tensor | null>;
  readonly waitMilliseconds: number;
  close(): void;
}

async function openBatches({ config, data }: TrainingProblem, step: number): Promise<Batches> {
  if (!data.stream) {
    return { like: () => [], next: () => Promise.resolve(null), waitMilliseconds: 0, close() {} };
  }
  const { size } = batchParts(config), shape = [size, data.stream.imageWords];
  const reader = await data.stream.open({
    seed: config.seed,
    batchSize: size,
    firstSample: step * config.training.batchSize,
  });
  let waited = 0;
  return {
    like: () => [tf.zeros(shape, "int32")],
    async next() {
      const { words, waitMilliseconds } = await reader.next();
      waited += waitMilliseconds;
      // A copy: the words are the reader's, and may lie in shared memory.
      return tf.tensor(words.slice(), shape, "int32");
    },
    get waitMilliseconds() {
      return waited;
    },
    close: () => reader.close(),
  };
}

/** Of a compiled step, all but the state. */
interface StepResults extends Record<string, TensorTree> {
  state: ProgramState;
  metrics: StepMetrics;
  firstNonFinite: Tensor;
}

async function openCompiled(
  problem: TrainingProblem,
  prepared: PreparedProgram<[ProgramState, ...Tensor[]], StepResults>,
  state: TrainingState,
  step: number,
): Promise<TrainingProgram> {
  let batches: Batches | undefined;
  try {
    batches = await openBatches(problem, step);
    const like = batches.like();
    const session = await prepared.load(state as ProgramState, ...like)
      .finally(() => tf.dispose(like));
    return compiledProgram(problem, session, batches);
  } catch (error) {
    batches?.close();
    prepared.dispose();
    throw error;
  } finally {
    disposeState(state);
  }
}

function compiledProgram(
  problem: TrainingProblem,
  session: Session<StepResults, ProgramState>,
  batches: Batches,
): TrainingProgram {
  const { count } = batchParts(problem.config);
  let excess: Promise<Session<TensorRecord>> | undefined;

  /** What {@link excessOverMinimum} says of the state before a step, on the step's batch. */
  const measureExcess = async () => {
    if (mixtureOfData(problem) === null) return {};
    const before = session.state();
    try {
      excess ??= jit((state: ProgramState) =>
        excessOverMinimum(problem, state, drawWholeBatch(problem, state)) as unknown as TensorRecord
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
    memoryBytes: session.statistics.arenaBytes,
    get waitMilliseconds() {
      return batches.waitMilliseconds;
    },
    async step(logging) {
      const measured = logging ? await measureExcess() : {}, breathe = breathing();
      for (let part = 0; part < count; part++) {
        await breathe();
        const words = await batches.next();
        if (words) session.write(1, words);
        words?.dispose();
        session.run();
      }
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
      batches.close();
      session.dispose();
      excess?.then((program) => program.dispose(), () => {});
    },
  };
}

/** Milliseconds between two turns of the event loop, within a step that has many parts. */
const BREATH = 50;

/** Lets other events in (a signal, a message) every so often: a step of many parts takes its time. */
function breathing(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < BREATH) return;
    await new Promise((resolve) => setTimeout(resolve));
    last = performance.now();
  };
}

/** The scalars of a record. */
function numbers(tree: HostTree): Record<string, number> {
  const entries = Object.entries(tree as Record<string, Float32Array>);
  return Object.fromEntries(entries.map(([name, values]) => [name, values[0]]));
}

function eagerOpening(problem: TrainingProblem): PreparedTraining["open"] {
  return async (state, step) => {
    try {
      return eagerProgram(problem, state, await openBatches(problem, step));
    } catch (error) {
      disposeState(state);
      throw error;
    }
  };
}

function eagerProgram(
  problem: TrainingProblem,
  start: TrainingState,
  batches: Batches,
): TrainingProgram {
  let state = start;
  const { count } = batchParts(problem.config);
  /** One part of a step. */
  const advance = async (logging: boolean) => {
    const words = await batches.next() ?? undefined;
    const { next, metrics } = tf.tidy(() => {
      const batch = drawBatch(problem, state, words);
      const { state: next, metrics } = trainingStep(problem, state, batch);
      const excess = logging
        ? excessOverMinimum(problem, state, drawWholeBatch(problem, state))
        : null;
      return { next, metrics: logging ? { ...metrics, ...excess } : {} } as never;
    }) as { next: TrainingState; metrics: Record<string, Tensor> };
    words?.dispose();
    disposeState(state);
    state = next;
    return metrics;
  };
  return {
    memoryBytes: null,
    get waitMilliseconds() {
      return batches.waitMilliseconds;
    },
    async step(logging) {
      const breathe = breathing();
      for (let part = 1; part < count; part++) {
        await advance(false);
        await breathe();
      }
      const metrics = await advance(logging);
      const line: Record<string, number> = {};
      for (const [name, scalar] of Object.entries(metrics)) line[name] = (await scalar.data())[0];
      tf.dispose(metrics);
      return logging ? line : null;
    },
    firstNonFinite: async () => (await state.counters.firstNonFinite.data())[0],
    state: () => tf.tidy(() => copyState(state) as never),
    dispose() {
      batches.close();
      disposeState(state);
    },
  };
}

function copyState(state: TrainingState): TrainingState {
  const copies: TensorRecord = {};
  for (const [path, tensor] of Object.entries(flattenState<Tensor>(state))) {
    copies[path] = tf.clone(tensor);
  }
  return unflattenState(copies);
}

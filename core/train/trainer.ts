/**
 * @file The training loop: draw, step, note, save. Everything that a run leaves behind it leaves
 * through the storage that is handed in; the loop itself knows no file system and no screen.
 */
import { NonFiniteError, VapoError } from "../errors.ts";
import { encodePng, type RgbImage } from "../picture/rgb_image.ts";
import { compilesPrograms } from "../flow/compiled_flow.ts";
import { jit } from "../jit/mod.ts";
import { type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";
import { loadCheckpoint, saveBest, saveCheckpoint } from "./checkpoint.ts";
import {
  appendEvaluation,
  appendMetrics,
  appendSpeed,
  type MetricsLine,
  newestCheckpoint,
  readEvaluations,
  rewindMetrics,
  rewindNotes,
  type SpeedLine,
} from "./run_directory.ts";
import type { RunConfig } from "./config.ts";
import type { RunStorage } from "./run_storage.ts";
import { drawPicture } from "./sample_picture.ts";
import { explainMemory } from "./memory.ts";
import { disposeState, type TrainingState } from "./state.ts";
import { stateShapes } from "./state_shapes.ts";
import { openTrainingProgram } from "./training_program.ts";
import {
  initializationSize,
  initialState,
  type StartingValues,
  startingValues,
  type TrainingProblem,
} from "./training_step.ts";

/** What a loop is told beside the problem. */
export interface TrainOptions {
  /** The run's directory. */
  readonly storage: RunStorage;
  /** Stops after the step at hand; the run is saved first. A picture at hand waits for a resume. */
  readonly signal?: AbortSignal;
  /** Called once, before the first step. */
  readonly onStart?: (facts: RunFacts) => void;
  /**
   * Called after each step with the steps done and, where they were read, the step's metrics and how
   * fast the run goes.
   */
  readonly onStep?: (
    step: number,
    metrics: MetricsLine | null,
    speed: SpeedLine | null,
  ) => void | Promise<void>;
  /** Told, in a line, of what went wrong and does not stop the run: a picture left out. */
  readonly onNotice?: (message: string) => void;
  /** A measure of the samples, taken on the way; the run keeps the checkpoint that is best by it. */
  readonly evaluation?: Evaluation;
}

/** A measure of how good a run's samples are, such as a Fréchet distance: less is better. */
export interface Evaluation {
  /** Its name, as in "fid". */
  readonly metric: string;
  /** Steps between two evaluations; the last step has one too. */
  readonly every: number;
  /**
   * Measures the averaged parameters, which stay the run's. A {@link VapoError}, or a value that is
   * not finite, is told as a notice, and the run goes on.
   */
  evaluate(parameters: TensorRecord, step: number, signal?: AbortSignal): Promise<number>;
}

/** What is known of a run once its first step is ready. */
export interface RunFacts {
  /** Bytes of device memory that a step takes, state and data included; null on "cpu". */
  readonly memoryBytes: number | null;
}

/** How a run ended. */
export interface TrainOutcome {
  /** Steps done, those of earlier sittings included. */
  readonly step: number;
  /** Whether the run has come to its end; false where the signal stopped it. */
  readonly finished: boolean;
}

/**
 * Trains until the configured number of steps, from the newest checkpoint in the storage or from
 * the start. A run resumed from any checkpoint goes on exactly as if it had never stopped.
 *
 * @param problem stays the caller's
 * @param options where the run's files go, and who is told of its progress
 * @throws {NonFiniteError} when a loss is not finite, with its step; the last checkpoint, which is
 * older than that step, stays
 * @throws {FormatError} when the newest checkpoint is damaged or belongs to another configuration
 * @throws {VapoError} when the metrics of an earlier sitting cannot be read
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import {
 *   assignConfig, memoryStorage, openDataSource, openDevice, presetConfig, readMetrics, train,
 *   trainingProblem,
 * } from "vapo";
 * await openDevice("cpu");
 * const config = assignConfig(presetConfig("rings"), [
 *   "training.steps=2", "training.logEvery=1", "training.batchSize=16",
 *   "potential.hidden=[8]", "sampling.n=8",
 * ]);
 * const problem = trainingProblem(config, await openDataSource("rings"));
 * const storage = memoryStorage();
 * assertEquals(await train(problem, { storage }), { step: 2, finished: true });
 * assertEquals((await readMetrics(storage)).map(({ step }) => step), [1, 2]);
 * ```
 */
export async function train(
  problem: TrainingProblem,
  options: TrainOptions,
): Promise<TrainOutcome> {
  const { storage, signal, onStart, onStep, onNotice, evaluation } = options;
  const { steps, batchSize, logEvery, checkpointEvery, keepCheckpoints, sampleEvery } =
    problem.config.training;
  const start = await startOrResume(problem, storage);
  let { step } = start;
  let saved = step;
  const program = await openTrainingProgram(problem, start.state, step);
  onStart?.({ memoryBytes: program.memoryBytes });
  /** Lets `use` have a copy of the state, and frees it. */
  const withState = async <T>(use: (state: TrainingState) => Promise<T>): Promise<T> => {
    const state = program.state();
    try {
      return await use(state);
    } finally {
      disposeState(state);
    }
  };
  const save = () =>
    withState(async (state) => {
      throwIfNotFinite((await state.counters.firstNonFinite.data())[0], storage, saved);
      await saveCheckpoint(storage, state, step, keepCheckpoints);
      saved = step;
    });
  let pictureWaits = false;
  const drawDue = async () => {
    if (step === 0 || (step % sampleEvery !== 0 && step !== steps)) return;
    pictureWaits = !await withState((state) =>
      savePicture(problem, state, step, { storage, signal, onNotice })
    );
  };
  const evaluateDue = async () => {
    if (!evaluation || step === 0 || (step % evaluation.every !== 0 && step !== steps)) return;
    await withState((state) => evaluateState(state, step, { ...options, evaluation }));
  };
  const stopwatch = startStopwatch(step);
  try {
    // Not before the checkpoint was read: a damaged one leaves the run as it is.
    const noted = await rewindMetrics(storage, step);
    await rewindNotes(storage, step);
    const due = step === steps ? step : step - step % logEvery;
    if (noted < due) {
      onNotice?.(
        `metrics.jsonl in ${storage.location} has lost lines: it ends at step ${noted}, expected ` +
          `${due}; the run goes on without them`,
      );
    }
    if (start.isNew) await save();
    // A run that was stopped at a picture begins with it.
    if (await storage.read(picturePath(step)) === null) await drawDue();
    while (step < steps && !signal?.aborted) {
      const logging = (step + 1) % logEvery === 0 || step + 1 === steps;
      const metrics = await program.step(logging);
      step++;
      const line = metrics && { step, ...metrics };
      const speed = line && stopwatch.lap(step, batchSize, program.waitMilliseconds);
      if (line && speed) {
        throwIfNotFinite(await program.firstNonFinite(), storage, saved);
        await appendMetrics(storage, line);
        await appendSpeed(storage, speed);
      }
      await stopwatch.pause(async () => {
        if (step % checkpointEvery === 0 || step === steps) await save();
        await evaluateDue();
        await drawDue();
      });
      await onStep?.(step, line, speed);
    }
    if (saved !== step) await save();
    return { step, finished: step >= steps && !pictureWaits };
  } finally {
    program.dispose();
  }
}

/**
 * Whether a run has come to its end: its last checkpoint is there, and its last picture.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { isComplete, memoryStorage, presetConfig } from "vapo";
 * assertEquals(await isComplete(presetConfig("rings"), memoryStorage()), false);
 * ```
 */
export async function isComplete(
  { training: { steps } }: RunConfig,
  storage: RunStorage,
): Promise<boolean> {
  const step = await newestCheckpoint(storage);
  return step !== null && step >= steps && await storage.read(picturePath(steps)) !== null;
}

function picturePath(step: number): string {
  return `samples/step-${String(step).padStart(8, "0")}.png`;
}

async function startOrResume(
  problem: TrainingProblem,
  storage: RunStorage,
): Promise<{ state: TrainingState; step: number; isNew: boolean }> {
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
  } catch (error) {
    throw explainMemory(error, problem);
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

/** Measures how fast a run goes between two of its lines of metrics; saving and drawing do not count. */
function startStopwatch(step: number) {
  let since = performance.now(), from = step, waited = 0;
  return {
    lap(step: number, batchSize: number, waitMilliseconds: number): SpeedLine {
      const now = performance.now(), seconds = (now - since) / 1000;
      const line = {
        step,
        samplesPerSecond: rounded((step - from) * batchSize / seconds),
        waitMilliseconds: rounded((waitMilliseconds - waited) / (step - from)),
      };
      [since, from, waited] = [now, step, waitMilliseconds];
      return line;
    },
    async pause(work: () => Promise<void>): Promise<void> {
      const start = performance.now();
      await work();
      since += performance.now() - start;
    },
  };
}

/** To four digits. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/** Evaluates a state, notes the value, and keeps the state where it is the best so far. */
async function evaluateState(
  state: TrainingState,
  step: number,
  { storage, signal, onNotice, evaluation }: TrainOptions & { readonly evaluation: Evaluation },
): Promise<void> {
  const { metric } = evaluation;
  let value: number;
  try {
    value = await evaluation.evaluate(state.average, step, signal);
    if (!Number.isFinite(value)) {
      throw new VapoError(`${metric} is ${value}: expected a finite number`);
    }
  } catch (error) {
    if (signal?.aborted) return;
    if (!(error instanceof VapoError)) throw error;
    onNotice?.(`no ${metric} at step ${step}: ${error.message}`);
    return;
  }
  const earlier = (await readEvaluations(storage)).filter((line) => line.metric === metric);
  await appendEvaluation(storage, { step, metric, value });
  if (earlier.every((line) => line.value > value)) {
    await saveBest(storage, state, step, { metric, value });
  }
}

/** Throws unless `step`, the first with a loss or a gradient that is not finite, is −1. */
function throwIfNotFinite(step: number, storage: RunStorage, saved: number): void {
  if (step < 0) return;
  throw new NonFiniteError(
    `the loss or its gradient is not finite at step ${step}; the checkpoint of step ${saved} in ` +
      `${storage.location} is kept. Start again with a smaller optimizer.learningRate or clipNorm`,
  );
}

/**
 * Draws and writes a picture; false where the signal came first. A solver that finds no finite step
 * early in training costs a picture, not the run.
 */
async function savePicture(
  problem: TrainingProblem,
  state: TrainingState,
  step: number,
  { storage, signal, onNotice }: TrainOptions,
): Promise<boolean> {
  const path = picturePath(step);
  let image: RgbImage;
  try {
    image = await drawPicture(problem, state.average, problem.config.seed, signal);
  } catch (error) {
    if (signal?.aborted) return false;
    if (!(error instanceof VapoError)) throw error;
    onNotice?.(`no ${path}: ${error.message}`);
    return true;
  }
  await storage.write(path, encodePng(image));
  return true;
}

/**
 * @file The training loop: draw, step, note, save. Everything that a run leaves behind it leaves
 * through the storage that is handed in; the loop itself knows no file system and no screen.
 */
import { NonFiniteError, VapoError } from "../errors.ts";
import { encodePng, type RgbImage } from "../picture/rgb_image.ts";
import { saveCheckpoint } from "./checkpoint.ts";
import type { RunConfig } from "./config.ts";
import {
  evaluateState,
  type Evaluation,
  evaluationChange,
  hasEvaluation,
  isEvaluated,
} from "./evaluation.ts";
import {
  appendMetrics,
  appendSpeed,
  type EvaluationLine,
  type MetricsLine,
  newestCheckpoint,
  rewindMetrics,
  rewindNotes,
  type SpeedLine,
} from "./run_directory.ts";
import type { RunStorage } from "./run_storage.ts";
import { drawPicture } from "./sample_picture.ts";
import { type Start, startOrResume } from "./start.ts";
import { disposeState, type TrainingState } from "./state.ts";
import { prepareTraining, type TrainingProgram } from "./training_program.ts";
import type { TrainingProblem } from "./training_problem.ts";

/** What a loop is told beside the problem. */
export interface TrainOptions {
  /** The run's directory. */
  readonly storage: RunStorage;
  /** Stops after the step at hand; the run is saved first. A picture at hand waits for a resume. */
  readonly signal?: AbortSignal;
  /** Told how many samples of a picture are drawn, where it takes more than one batch. */
  readonly onDrawing?: (done: number, total: number) => void;
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
  /**
   * Told, in a line, of what went wrong and does not stop the run: a picture left out. Where that was
   * no user's doing, what was thrown comes with it.
   */
  readonly onNotice?: (message: string, bug?: unknown) => void;
  /** A measure of the samples, taken on the way; the run keeps the checkpoint that is best by it. */
  readonly evaluation?: Evaluation;
  /** Told how far an evaluation is, or what all evaluations share, before the first step. */
  readonly onEvaluating?: (what: string, done: number, total: number) => void;
  /** Told of each evaluation, and whether it is the best so far. */
  readonly onEvaluated?: (line: EvaluationLine, isBest: boolean) => void;
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
 * @throws what the evaluation's `prepare` throws
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
  // Before anything of its size is computed: what does not fit the device is refused here.
  const prepared = await prepareTraining(problem);
  let start: Start;
  try {
    start = await startOrResume(problem, options.storage);
    await prepareEvaluation(start, options);
  } catch (error) {
    prepared.dispose();
    throw error;
  }
  const program = await prepared.open(start.state, start.step);
  try {
    options.onStart?.({ memoryBytes: program.memoryBytes });
    return await runSteps(problem, program, start, options);
  } finally {
    program.dispose();
  }
}

/** Lets the evaluation compute what it keeps, while the device is still empty. */
async function prepareEvaluation(
  { state }: Start,
  { evaluation, signal, onEvaluating }: TrainOptions,
): Promise<void> {
  try {
    await evaluation?.prepare?.({ signal, onProgress: onEvaluating });
  } catch (error) {
    if (signal?.aborted) return;
    disposeState(state);
    throw error;
  }
}

async function runSteps(
  problem: TrainingProblem,
  program: TrainingProgram,
  start: Start,
  options: TrainOptions,
): Promise<TrainOutcome> {
  const { storage, signal, onStep, evaluation } = options;
  const { steps, batchSize, logEvery, checkpointEvery, keepCheckpoints, sampleEvery } =
    problem.config.training;
  let { step } = start, saved = step;
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
  /** What the signal has kept from being done: it is done when the run goes on. */
  const waiting = { evaluation: false, picture: false };
  const evaluateDue = async () => {
    if (!evaluation || !isEvaluated(evaluation, step, steps)) return;
    waiting.evaluation = !await withState((state) =>
      evaluateState(evaluation, state, step, options)
    );
  };
  const drawDue = async () => {
    if (step === 0 || (step % sampleEvery !== 0 && step !== steps)) return;
    waiting.picture = !await withState((state) => savePicture(problem, state, step, options));
  };

  // Not before the checkpoint was read: a damaged one leaves the run as it is.
  await rewind(problem, step, options);
  const change = evaluation && await evaluationChange(evaluation, storage);
  if (change) options.onNotice?.(change);
  if (start.isNew) await save();
  if (evaluation && !await hasEvaluation(evaluation, storage, step)) await evaluateDue();
  if (await storage.read(picturePath(step)) === null) await drawDue();
  const stopwatch = startStopwatch(step);
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
  return { step, finished: step >= steps && !waiting.evaluation && !waiting.picture };
}

/** Takes back what the run will note again. */
async function rewind(
  { config: { training: { steps, logEvery } } }: TrainingProblem,
  step: number,
  { storage, onNotice }: TrainOptions,
): Promise<void> {
  const noted = await rewindMetrics(storage, step);
  await rewindNotes(storage, step);
  const due = step === steps ? step : step - step % logEvery;
  if (noted >= due) return;
  onNotice?.(
    `metrics.jsonl in ${storage.location} has lost lines: it ends at step ${noted}, expected ` +
      `${due}; the run goes on without them`,
  );
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
  { storage, signal, onNotice, onDrawing }: TrainOptions,
): Promise<boolean> {
  const path = picturePath(step);
  let image: RgbImage;
  try {
    image = await drawPicture(problem, state.average, problem.config.seed, { signal, onDrawing });
  } catch (error) {
    if (signal?.aborted) return false;
    if (!(error instanceof VapoError)) throw error;
    onNotice?.(`no ${path}: ${error.message}`);
    return true;
  }
  await storage.write(path, encodePng(image));
  return true;
}

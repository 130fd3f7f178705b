/**
 * @file A run that is open in the laboratory: its training program, the step that it is at, its metrics,
 * and copies of its averaged parameters for the pictures.
 */
import { FormatError, NonFiniteError } from "../../core/errors.ts";
import { deviceThreads } from "../../core/tensor/device.ts";
import { type DeviceInfo, openDevice, tf } from "../../core/tensor/mod.ts";
import { usableThreads } from "../../core/jit/wasm/thread_pool.ts";
import type { RunConfig } from "../../core/train/config.ts";
import { openDataSource } from "../../core/train/data_source.ts";
import { type MetricsLine, readMetrics } from "../../core/train/run_directory.ts";
import type { RunStorage } from "../../core/train/run_storage.ts";
import { startOrResume } from "../../core/train/start.ts";
import { disposeState, type TrainingState } from "../../core/train/state.ts";
import { prepareTraining, type TrainingProgram } from "../../core/train/training_program.ts";
import { type TrainingProblem, trainingProblem } from "../../core/train/training_problem.ts";
import { type PotentialSubject } from "./engine_subjects.ts";
import { serially } from "./engine_turns.ts";

/** What a device is opened with. */
export interface RunDevice {
  readonly name: RunConfig["device"];
  readonly threads: number;
  readonly wasmPath?: string;
}

/** A run between two steps. */
export interface TrainedRun {
  readonly config: RunConfig;
  readonly problem: TrainingProblem;
  readonly device: DeviceInfo;
  readonly threads: number;
  /** Numbers that are learned. */
  readonly parameters: number;
  /** Steps done. */
  readonly step: number;
  /** Lines of metrics so far. */
  readonly metrics: readonly MetricsLine[];
  /**
   * Does steps until `enough` says so, at most up to `until`; nothing else sees the run meanwhile.
   *
   * @returns whether it did one
   * @throws {NonFiniteError} where a loss or a gradient was not finite, at the next line of metrics
   */
  advance(until: number, enough: () => boolean): Promise<boolean>;
  /** Lets `use` have the averaged parameters of the present step, which live as long as it takes. */
  withAverage<T>(use: (subject: PotentialSubject) => Promise<T>): Promise<T>;
  /** Lets `use` have the whole state, with the step that it is of. */
  withState<T>(use: (state: TrainingState, step: number) => Promise<T>): Promise<T>;
  /** Waits for a step that is under way, and frees everything. */
  close(): Promise<void>;
}

/**
 * Opens the device and a run on it, at the newest checkpoint in the storage or at its start.
 *
 * @throws {VapoError} where the device is not there
 * @throws {ConfigError} where the run does not fit it
 * @throws {FormatError} for a damaged checkpoint, or one of another configuration
 */
export async function openTrainedRun(
  config: RunConfig,
  storage: RunStorage,
  { name, threads, wasmPath }: RunDevice,
): Promise<TrainedRun> {
  const device = await openDevice(name, { threads, wasmPath });
  const data = await openDataSource(config.data);
  const problem = trainingProblem(config, data);
  const prepared = await prepareTraining(problem);
  try {
    const lines = await readMetrics(storage);
    const { state, step } = await startOrResume(problem, storage);
    await requireStep(state, step, storage);
    const metrics = lines.filter((line) => line.step <= step);
    const parameters = Object.values(state.parameters).reduce((sum, { size }) => sum + size, 0);
    const program = await prepared.open(state, step);
    const threads = device.name === "wasm" ? usableThreads(deviceThreads()) : 1;
    const facts = { config, problem, device, threads, parameters };
    return trainable(facts, program, step, metrics);
  } catch (error) {
    prepared.dispose();
    throw error;
  }
}

/** A checkpoint that came without its directory may say another step than its name. */
async function requireStep(
  state: TrainingState,
  step: number,
  { location }: RunStorage,
): Promise<void> {
  const [done] = await state.counters.step.data();
  if (done === step) return;
  disposeState(state);
  throw new FormatError(
    `the checkpoint of ${location} has done ${done} steps: expected ${step}, as its name says; ` +
      "hand in the file of that step",
  );
}

/** A run from what of it stays and what of it changes. */
function trainable(
  facts: Pick<TrainedRun, "config" | "problem" | "device" | "threads" | "parameters">,
  program: TrainingProgram,
  start: number,
  lines: readonly MetricsLine[],
): TrainedRun {
  const { problem } = facts;
  const { steps, logEvery } = problem.config.training;
  let step = start;
  const metrics = [...lines];
  // Reading a step's metrics waits for the device; until then the state is ahead of `step`.
  const alone = serially();
  const averages = sharedAverages(problem, program);

  async function stepOnce(): Promise<void> {
    const logging = (step + 1) % logEvery === 0 || step + 1 === steps;
    const values = await program.step(logging);
    step++;
    if (!values) return;
    metrics.push({ step, ...values });
    const bad = await program.firstNonFinite();
    if (bad >= 0) {
      throw new NonFiniteError(
        `the loss or its gradient is not finite at step ${bad}: lower the learning rate, and reset`,
      );
    }
  }

  return {
    ...facts,
    get step() {
      return step;
    },
    metrics,
    advance: (until, enough) =>
      alone(async () => {
        const from = step;
        while (step < until && !enough()) await stepOnce();
        return step > from;
      }),
    async withAverage(use) {
      const held = await alone(() => Promise.resolve(averages.take(step)));
      try {
        return await use(held.subject);
      } finally {
        held.release();
      }
    },
    withState: (use) =>
      alone(async () => {
        const state = program.state();
        try {
          return await use(state, step);
        } finally {
          disposeState(state);
        }
      }),
    close: () =>
      alone(() => {
        averages.dispose();
        program.dispose();
        problem.data.dispose();
        return Promise.resolve();
      }),
  };
}

/** A copy of the averaged parameters, which one step's pictures share. */
interface SharedAverage {
  readonly subject: PotentialSubject;
  users: number;
}

/** Copies of the averaged parameters: made anew when the step has changed, freed when out of use. */
function sharedAverages({ potential, path }: TrainingProblem, program: TrainingProgram) {
  let newest: SharedAverage | null = null;
  const free = (average: SharedAverage) => {
    if (average.users === 0 && average !== newest) tf.dispose(average.subject.parameters);
  };
  const replace = (next: SharedAverage | null) => {
    const old = newest;
    newest = next;
    if (old) free(old);
  };
  const make = (step: number): SharedAverage => {
    const { average: parameters, ...rest } = program.state();
    for (const part of Object.values(rest)) tf.dispose(part);
    const stamp = `learned ${step}`;
    return { subject: { key: "learned", stamp, step, potential, path, parameters }, users: 0 };
  };
  return {
    take(step: number) {
      if (newest?.subject.step !== step) replace(make(step));
      const taken = newest!;
      taken.users++;
      return {
        subject: taken.subject,
        release() {
          taken.users--;
          free(taken);
        },
      };
    },
    dispose: () => replace(null),
  };
}

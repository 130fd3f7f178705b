/**
 * @file An engine on one thread with a small run, for tests.
 */
import { openDevice, randomKey, type TensorRecord } from "../../../core/tensor/mod.ts";
import { loadAverage, restoreCheckpoint } from "../../../core/train/checkpoint.ts";
import { openDataSource } from "../../../core/train/data_source.ts";
import { memoryStorage } from "../../../core/train/run_storage.ts";
import { type TrainingProblem, trainingProblem } from "../../../core/train/training_problem.ts";
import { type ClosableEngine, laboratoryEngine } from "../../../web/laboratory/engine.ts";
import type { Progress } from "../../../web/laboratory/engine_types.ts";
import type { LaboratorySettings } from "../../../web/laboratory/settings.ts";
import { readRunArchive } from "../../../web/laboratory/run_archive.ts";
import { defaultSettings, settingsConfig } from "../../../web/laboratory/settings_config.ts";

/** What an engine has told. */
export interface Told {
  readonly progress: Progress[];
  readonly failures: string[];
  /** Waits until what has been told holds. */
  until(holds: (last: Progress) => boolean): Promise<Progress>;
}

/** A run of a second. */
export const tinySettings: LaboratorySettings = {
  ...defaultSettings("8gaussians"),
  device: "wasm",
  width: 16,
  depth: 2,
  batchSize: 32,
  steps: 40,
};

/** Lets a test have an engine, and closes it. */
export async function withEngine(
  test: (engine: ClosableEngine, told: Told) => Promise<void>,
): Promise<void> {
  const progress: Progress[] = [], failures: string[] = [];
  let wake = () => {};
  const engine = laboratoryEngine({
    progress(event) {
      progress.push(event);
      wake();
    },
    failure(message) {
      failures.push(message);
      wake();
    },
  }, { threads: 1 });
  const told: Told = {
    progress,
    failures,
    async until(holds) {
      while (progress.length === 0 || !holds(progress.at(-1)!)) {
        await new Promise<void>((resolve) => wake = resolve);
      }
      return progress.at(-1)!;
    },
  };
  try {
    await test(engine, told);
  } finally {
    await engine.close();
  }
}

/** Trains up to a step. */
export async function trainTo(engine: ClosableEngine, told: Told, step: number): Promise<void> {
  const before = told.progress.length;
  await engine.play(step);
  await told.until((last) => told.progress.length > before && !last.playing && last.step >= step);
}

/** The run's problem and its averaged parameters, read from what the engine exports. */
export async function exportedPotential(
  engine: ClosableEngine,
  settings: LaboratorySettings = tinySettings,
): Promise<TrainingProblem & { readonly parameters: TensorRecord }> {
  const config = settingsConfig(settings);
  await openDevice("wasm", { threads: 1 });
  const problem = trainingProblem(config, await openDataSource(config.data));
  const { state, step } = await readRunArchive(await engine.exportRun("run"));
  const storage = memoryStorage();
  await restoreCheckpoint(storage, step, state);
  const like = problem.potential.initialize(randomKey(0));
  return { ...problem, parameters: await loadAverage(storage, step, like) };
}

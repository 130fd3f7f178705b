/**
 * @file A short run that any runtime can do: train, note the metrics, draw samples.
 */
import { drawSamples } from "../../core/flow/sampler.ts";
import { hasRelaxedSimd } from "../../core/jit/wasm/assembler.ts";
import { type DeviceName, type DeviceOptions, openDevice, tf } from "../../core/tensor/mod.ts";
import { loadCheckpoint } from "../../core/train/checkpoint.ts";
import { assignConfig } from "../../core/train/config.ts";
import { openDataSource } from "../../core/train/data_source.ts";
import { presetConfig } from "../../core/train/presets.ts";
import { type MetricsLine, readMetrics } from "../../core/train/run_directory.ts";
import { memoryStorage } from "../../core/train/run_storage.ts";
import { train } from "../../core/train/trainer.ts";
import { initialState } from "../../core/train/initial_state.ts";
import { trainingProblem } from "../../core/train/training_problem.ts";

/** What to run. */
export interface Task extends DeviceOptions {
  readonly device: DeviceName;
  /** Changes to the preset's configuration. */
  readonly changes?: readonly string[];
}

/** What came of it. */
export interface TinyRun {
  /** Of every step. */
  readonly metrics: MetricsLine[];
  /** By solver. */
  readonly samples: Record<string, number[]>;
  /** Where it is, products are fused with sums; results are the same only where both have it. */
  readonly relaxedSimd: boolean;
}

const steps = 20;
const solvers = [["rk45", 100], ["heun", 10]] as const;

/** The first steps of the preset 8gaussians, and samples of the average that they end with. */
export async function trainTiny({ device, changes = [], ...options }: Task): Promise<TinyRun> {
  await openDevice(device, options);
  const config = assignConfig(presetConfig("8gaussians"), [
    `training.steps=${steps}`,
    "training.logEvery=1",
    "sampling.n=64",
    "sampling.rtol=0.001",
    ...changes,
  ]);
  const problem = trainingProblem(config, await openDataSource(config.data.name));
  const storage = memoryStorage();
  await train(problem, { storage });
  const state = await loadCheckpoint(storage, steps, initialState(problem));
  const samples: Record<string, number[]> = {};
  for (const [solver, steps] of solvers) {
    const settings = { ...config.sampling, solver, steps, seed: 0 };
    const drawn = await drawSamples(problem.potential, state.average, problem.path, settings);
    samples[solver] = [...drawn.samples];
  }
  for (const record of Object.values(state)) tf.dispose(record);
  const metrics = await readMetrics(storage);
  return { metrics, samples, relaxedSimd: hasRelaxedSimd() };
}

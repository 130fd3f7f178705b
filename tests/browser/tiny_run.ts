/**
 * @file A run of a few steps that any runtime can do: train, note the metrics, draw samples.
 */
import { drawSamples } from "../../core/flow/sampler.ts";
import { type DeviceName, openDevice, tf } from "../../core/tensor/mod.ts";
import { loadCheckpoint } from "../../core/train/checkpoint.ts";
import { assignConfig } from "../../core/train/config.ts";
import { openDataSource } from "../../core/train/data_source.ts";
import { presetConfig } from "../../core/train/presets.ts";
import { readMetrics } from "../../core/train/run_directory.ts";
import { memoryStorage } from "../../core/train/run_storage.ts";
import { train } from "../../core/train/trainer.ts";
import { initialState, trainingProblem } from "../../core/train/training_step.ts";

/** Losses of the steps of a tiny run and the samples that it ends with. */
export async function trainTiny(
  device: DeviceName,
  wasmPath?: string,
): Promise<{ losses: number[]; samples: number[] }> {
  await openDevice(device, { wasmPath });
  const config = assignConfig(presetConfig("8gaussians"), [
    "potential.hidden=[16,16]",
    "training.batchSize=32",
    "training.steps=12",
    "training.logEvery=1",
    "sampling.n=16",
    "sampling.rtol=0.001",
  ]);
  const data = await openDataSource(config.data.name, () => Promise.reject(new Error("no files")));
  const problem = trainingProblem(config, data), storage = memoryStorage();
  await train(problem, { storage });
  const state = await loadCheckpoint(storage, 12, initialState(problem));
  const { samples } = await drawSamples(problem.potential, state.average, problem.path, {
    ...config.sampling,
    seed: 0,
  });
  tf.dispose(Object.values(state.average));
  const losses = (await readMetrics(storage)).map(({ loss }) => loss);
  return { losses, samples: [...samples] };
}

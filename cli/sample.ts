/**
 * @file `vapo sample`: draws samples from a run and writes them as a picture or as numbers.
 */
import { resolve } from "@std/path";
import { Command } from "commander";
import { VapoError } from "../core/errors.ts";
import { drawSamples, type SampleOptions } from "../core/flow/sampler.ts";
import { gaussianPath } from "../core/homotopy/gaussian_path.ts";
import type { Potential } from "../core/potential/potential.ts";
import type { DeviceName, TensorRecord } from "../core/tensor/mod.ts";
import type { RunConfig } from "../core/train/config.ts";
import { configuredPotential } from "../core/train/configured_potential.ts";
import { type SampleSpace, sampleSpace } from "../core/train/data_sets.ts";
import { readConfig } from "../core/train/run_directory.ts";
import { startDevice } from "./device.ts";
import {
  deviceOption,
  placeOnDisk,
  positiveNumber,
  threadsOption,
  wholeNumber,
} from "./options.ts";
import { progressBar } from "./progress_bar.ts";
import { type CheckpointName, checkpointName, chooseCheckpoint } from "./run_checkpoint.ts";
import { requireRun } from "./run_directories.ts";
import { directoryStorage } from "./run_storage.ts";
import {
  type Sampling,
  type SamplingFlags,
  samplingFlags,
  samplingOptions,
} from "./sampling_options.ts";
import {
  defaultOutput,
  encodeSamples,
  openOutput,
  requireEnding,
  sampleEndings,
} from "./sample_files.ts";
import { standardError, standardOutput } from "./terminal.ts";
import { shownPath, userPath } from "./user_paths.ts";

interface SampleFlags extends SamplingFlags {
  readonly n?: number;
  readonly checkpoint: CheckpointName;
  readonly out?: string;
  readonly force?: boolean;
  readonly trajectory?: string;
  readonly frames?: number;
  readonly device: DeviceName;
  readonly threads?: number;
  readonly refine?: number;
  readonly average?: number;
}

const epilog = `
What is not given is taken from the run's configuration (its section "sampling"; the seed
is the run's). By the ending of FILE:
  .png  a picture: points over the density of the data, images in a grid
  .npy  float32 of shape [n, d], or [n, height, width, channels]
  .csv  one sample a row, under the header x0,x1,…; images are flattened row by row
Numbers are in the scale of the data as it was trained on: for images -1 is black and 1
is white, and the border that pads them (MNIST: to 16×16 or 32×32) is kept. A
trajectory is float32 of shape [frames, n, …], at equal times from 0 to the end.

Adaptive solvers choose their steps by --rtol and --atol, for all samples of a batch at
once; with --steps they take that many equal ones. A stochastic solver ends at the
path's last time unless --until says otherwise.

Examples:
  vapo sample runs/8gaussians
  vapo sample runs/8gaussians --n 10000 --out points.npy
  vapo sample runs/mnist16 --n 64 --solver heun --steps 50 --out digits.png
  vapo sample runs/rings --out end.csv --trajectory flow.npy --frames 21`;

/** The command. */
export function sampleCommand(): Command {
  const command = new Command("sample")
    .description("draw samples from a run")
    .argument("<run>", "the run's directory", placeOnDisk)
    .option("--n <n>", "how many", wholeNumber(1));
  return samplingFlags(command)
    .option("--checkpoint <step>", "that of a step, last, or best", checkpointName, "last")
    .option("--average <decay>", "the moving average of another decay", positiveNumber("zero too"))
    .option(
      "--out <file>",
      "where to: .png, .npy or .csv (default: a new picture in RUN/samples)",
      placeOnDisk,
    )
    .option("--force", "write over files that are there")
    .option("--trajectory <file>", "the way of the samples too: .npy", placeOnDisk)
    .option("--frames <n>", "frames of the trajectory (default: 11)", wholeNumber(2))
    .addOption(deviceOption().default("auto"))
    .addOption(threadsOption())
    .option("--refine <steps>", "steps of Langevin dynamics at the end", wholeNumber(0))
    .addHelpText("after", epilog)
    .action(sample);
}

async function sample(run: string, flags: SampleFlags): Promise<void> {
  const path = userPath(run), location = shownPath(path);
  await requireRun(path, location);
  const storage = directoryStorage(path, location);
  const config = await readConfig(storage);
  const options = drawing(config, flags);
  const space = sampleSpace(config.data);
  requireFits(options, space);
  const { step, load } = await chooseCheckpoint(
    storage,
    config,
    flags.checkpoint,
    flags.average,
  );

  // Files are checked before the work, not after it.
  const { force = false } = flags;
  requireEnding(flags.out, sampleEndings, "--out");
  requireEnding(flags.trajectory, [".npy"], "--trajectory");
  const out = await openOutput(
    flags.out === undefined ? await defaultOutput(path, step, options.seed) : userPath(flags.out),
    force,
  );
  const trajectoryOut = flags.trajectory && await openOutput(userPath(flags.trajectory), force);
  if (trajectoryOut && resolve(trajectoryOut.path) === resolve(out.path)) {
    throw new VapoError(
      `--out and --trajectory are both ${shownPath(out.path)}: name two files`,
    );
  }

  const device = await startDevice(flags.device, flags.threads);
  const potential = configuredPotential(config.potential, space.sampleShape);
  const parameters = await load();
  const begin = performance.now();
  const result = await drawWithProgress(potential, parameters, config, options);
  const seconds = (performance.now() - begin) / 1000;
  await out.write(await encodeSamples(out.path, result.samples, result.shape, space));
  if (trajectoryOut) {
    const shape = [options.frames!, ...result.shape];
    const bytes = await encodeSamples(trajectoryOut.path, result.trajectory!, shape, space);
    await trajectoryOut.write(bytes);
  }
  const noun = options.n === 1 ? "sample" : "samples";
  standardOutput.line(
    `${options.n} ${noun} of step ${step}: ${options.solver}, ${result.nfev} evaluations, ` +
      `${seconds.toFixed(1)} s on ${device.name}`,
  );
  for (const file of [out, trajectoryOut]) {
    if (file) standardOutput.line(`  ${shownPath(file.path)}`);
  }
}

/** What a drawing may hold in memory: 2²⁶ numbers, 256 MiB. */
const LARGEST_DRAWING = 2 ** 26;

/** Checks that the samples and the frames of their trajectory fit in memory. */
function requireFits({ n, frames = 0 }: Drawing, { sampleShape }: SampleSpace): void {
  const size = sampleShape.reduce((product, length) => product * length, 1);
  const largest = Math.floor(LARGEST_DRAWING / size / (1 + frames));
  if (n <= largest) return;
  const framed = frames === 0 ? "" : ` in ${frames} frames`;
  throw new VapoError(
    `${n} samples of ${size} numbers${framed} are more than fit in memory: ` +
      (largest < 1
        ? "ask for fewer --frames"
        : `expected --n ${largest} or less; draw more in parts, each with a --seed of its own`),
  );
}

type Drawing = Sampling & Pick<SampleOptions, "n" | "frames" | "refineSteps">;

/** The run's sampling options with those of the command line in their place. */
function drawing(config: RunConfig, flags: SampleFlags): Drawing {
  if (flags.frames !== undefined && flags.trajectory === undefined) {
    throw new VapoError(`--frames ${flags.frames} without --trajectory: name a file for them`);
  }
  return {
    ...samplingOptions(config, flags),
    n: flags.n ?? config.sampling.n,
    frames: flags.trajectory === undefined ? 0 : flags.frames ?? 11,
    refineSteps: flags.refine ?? 0,
  };
}

async function drawWithProgress(
  potential: Potential,
  parameters: TensorRecord,
  config: RunConfig,
  options: Drawing,
) {
  const bar = standardError.isTerminal()
    ? progressBar(standardError, {
      label: "sampling",
      unit: "samples",
      total: options.n,
      start: 0,
    })
    : null;
  try {
    return await drawSamples(potential, parameters, gaussianPath(config.path), {
      ...options,
      onProgress: (done) => bar?.update(done),
    });
  } finally {
    bar?.clear();
  }
}

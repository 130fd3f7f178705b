/**
 * @file The directory of a prepared feature network: looked into, and filled. Both of its files are
 * written whole, the index last, so that a network is there or is not; what else is there is never
 * written over.
 */
import { join } from "@std/path";
import type { FeatureNetworkName } from "../../core/metrics/feature_network.ts";
import { FormatError, VapoError } from "../../core/errors.ts";
import {
  NETWORK_INDEX,
  NETWORK_WEIGHTS,
  type PreparedNetworkIndex,
  readNetworkIndex,
  readPreparedNetwork,
} from "../../core/metrics/prepared_features.ts";
import { dataDirectory } from "../data_directory.ts";
import { withFileErrors } from "../file_errors.ts";
import { LOCK_FILE, lockRun } from "../run_lock.ts";
import {
  directoryStorage,
  entryNames,
  isLeftover,
  isThere,
  removeLeftovers,
} from "../run_storage.ts";

/** A directory, and how it is called in messages. */
export interface NetworkDirectory {
  readonly directory: string;
  readonly location: string;
}

/** What was found in a directory. */
export type NetworkState =
  /** Nothing, or what a stopped process left. */
  | { readonly kind: "empty" }
  | { readonly kind: "there"; readonly index: PreparedNetworkIndex }
  /** The network, damaged; `problem` says how. */
  | { readonly kind: "damaged"; readonly problem: string };

/**
 * Looks into a directory without changing it. The weights are read, and held against the index.
 *
 * @throws {VapoError} where it holds something else than this network
 */
export async function networkState(
  { directory, location }: NetworkDirectory,
  name: FeatureNetworkName,
): Promise<NetworkState> {
  const names = await withFileErrors("open", location, () => entryNames(directory));
  if (!names.includes(NETWORK_INDEX)) {
    // Weights without an index are ours where the lock of whoever wrote them is.
    const ours = (each: string) =>
      each === LOCK_FILE || isLeftover(each) ||
      (each === NETWORK_WEIGHTS && names.includes(LOCK_FILE));
    if (names.every(ours)) return { kind: "empty" };
    throw new VapoError(
      `${location} is not empty and holds no feature network: expected a new or empty directory; ` +
        "choose another by --out",
    );
  }
  const files = dataDirectory(directory, location);
  const { network } = await readNetworkIndex(files);
  if (network !== name) {
    throw new VapoError(
      `${location} holds another network: ${network}, expected ${name}; choose another --out, or ` +
        `remove ${location}`,
    );
  }
  try {
    return { kind: "there", index: (await readPreparedNetwork(files)).index };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { kind: "damaged", problem: error.message };
  }
}

/**
 * Makes a network in a directory that is its own while this lasts. Where nothing comes of it, the
 * directory is as it was.
 *
 * @param make makes the files, by name; null where it was stopped. It is not called where another
 * process has made the network in the meantime
 * @returns whether they were made, are there, or the work was stopped
 * @throws {VapoError} where another process is at it, or the directory holds something else
 */
export async function fillNetworkDirectory(
  target: NetworkDirectory,
  name: FeatureNetworkName,
  make: () => Promise<Readonly<Record<string, Uint8Array>> | null>,
): Promise<"made" | "there" | "stopped"> {
  const { directory, location } = target;
  const existed = await withFileErrors("open", location, () => isThere(directory));
  await withFileErrors("make", location, () => Deno.mkdir(directory, { recursive: true }));
  let outcome: "made" | "there" | "stopped" = "stopped";
  const lock = await lockRun(directory, location, "data directory");
  try {
    outcome = await fill(target, name, make);
  } finally {
    lock[Symbol.dispose]();
    if (outcome === "stopped" && !existed) await removeUnused(directory);
  }
  return outcome;
}

async function fill(
  target: NetworkDirectory,
  name: FeatureNetworkName,
  make: () => Promise<Readonly<Record<string, Uint8Array>> | null>,
): Promise<"made" | "there" | "stopped"> {
  const { directory, location } = target;
  // Looked at again, since only now no other process writes there.
  const { kind } = await networkState(target, name);
  if (kind === "there") return "there";
  await removeLeftovers(directory, location);
  const files = await make();
  if (!files) return "stopped";
  const storage = directoryStorage(directory, location);
  // Without its index a network is not there, whatever its weights are.
  if (kind === "damaged") await storage.remove(NETWORK_INDEX);
  await storage.write(NETWORK_WEIGHTS, files[NETWORK_WEIGHTS]);
  await storage.write(NETWORK_INDEX, files[NETWORK_INDEX]);
  return "made";
}

/** Removes a directory with nothing in it but a lock. */
async function removeUnused(directory: string): Promise<void> {
  await Deno.remove(join(directory, LOCK_FILE)).catch(() => {});
  await Deno.remove(directory).catch(() => {}); // not empty: kept
}

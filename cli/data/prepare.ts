/**
 * @file A data set from its own files to shards and an index, in a directory of its own: what
 * `vapo data` does, without its words.
 */
import { join } from "@std/path";
import type { PreparedIndex, PreparedShard } from "../../core/data/prepared_index.ts";
import { VapoError } from "../../core/errors.ts";
import type { RunStorage } from "../../core/train/run_storage.ts";
import { withFileErrors } from "../file_errors.ts";
import { lockRun } from "../run_lock.ts";
import { directoryStorage, isThere, removeLeftovers } from "../run_storage.ts";
import { dataSet, type DataSetName, missingSource } from "./data_sets.ts";
import { type Address, downloadFiles } from "./download.ts";
import type { ImageSource, Work } from "./image_source.ts";
import { prepareSplits } from "./prepare_splits.ts";
import {
  INDEX_FILE,
  indexOf,
  type JournalContent,
  type JournalHead,
  type JournalLine,
  type ProgressJournal,
  readJournal,
  requireSame,
  startJournal,
} from "./progress_journal.ts";
import { damagedShards, DOWNLOAD_DIRECTORY, targetState } from "./target_directory.ts";

/** What is to be prepared. */
export interface PrepareRequest {
  readonly name: DataSetName;
  /** The absolute path of its files. */
  readonly source?: string;
  /** The directory that it goes to. */
  readonly directory: string;
  /** How that is called in messages. */
  readonly location: string;
  readonly size?: number;
  readonly extra?: boolean;
  readonly skipBad?: boolean;
  readonly unverified?: boolean;
  /** Reads what is there already and compares checksums. */
  readonly verify?: boolean;
  readonly download?: boolean;
  /** For tests: where files are fetched from, a storage that fails, short shards. */
  readonly address?: Address;
  readonly storage?: RunStorage;
  readonly shardBytes?: number;
}

/** How it ended. */
export interface PrepareOutcome {
  /** It was complete before, is complete now, or was asked to stop. */
  readonly kind: "complete" | "prepared" | "stopped";
  /** What has been made; of a set that is not complete, so far. */
  readonly index: PreparedIndex;
  /** The names of images that were left out. */
  readonly skipped: readonly string[];
}

/**
 * Prepares a set, goes on with one that was begun, or finds that it is complete.
 *
 * @throws {VapoError} for what the user can mend; what is done is kept
 * @throws the signal's reason where it is aborted before the first shard
 */
export async function prepare(request: PrepareRequest, work: Work): Promise<PrepareOutcome> {
  const { directory, location } = request;
  const complete = await completeSet(request, work);
  if (complete) return complete;
  if (request.download) return await locked(request, () => downloadAndMake(request, work));
  if (request.source === undefined && !dataSet(request.name).included) {
    throw missingSource(request.name);
  }
  const source = await openSource(request, request.source);
  try {
    // What is wrong with the files is found before a directory is made for them.
    const verify = () => verified(source, request, work);
    const exists = await withFileErrors("open", location, () => isThere(directory));
    if (!exists) await verify();
    return await locked(request, async () => {
      if (exists) await verify();
      return await makeSet(request, source, work);
    });
  } finally {
    source.close();
  }
}

async function verified(
  source: ImageSource,
  { unverified = false, name }: PrepareRequest,
  work: Work,
): Promise<void> {
  source.notices.forEach(work.notice);
  if (unverified) work.notice(`${source.location} is taken as it is, for all of ${name} or a part`);
  else await source.verify(work);
}

function openSource({ name, size, extra, unverified }: PrepareRequest, path?: string) {
  const flags = { unverified: unverified ?? false, extra: extra ?? false };
  return dataSet(name).open({ path, size, ...flags });
}

async function locked<T>(
  { directory, location }: PrepareRequest,
  make: () => Promise<T>,
): Promise<T> {
  await withFileErrors("make", location, () => Deno.mkdir(directory, { recursive: true }));
  using _lock = await lockRun(directory, location, "data directory");
  await removeLeftovers(directory, location);
  return await make();
}

async function downloadAndMake(request: PrepareRequest, work: Work): Promise<PrepareOutcome> {
  const { name, directory, extra = false, address } = request;
  const folder = join(directory, DOWNLOAD_DIRECTORY);
  await downloadFiles(dataSet(name).downloads!(extra), folder, work, address);
  const source = await openSource(request, folder);
  try {
    await source.verify(work);
    return await makeSet(request, source, work);
  } finally {
    source.close();
  }
}

/** The set in the directory, where it is complete and nothing is wrong with it. */
async function completeSet(request: PrepareRequest, work: Work): Promise<PrepareOutcome | null> {
  const { name, size, directory, location, verify = false } = request;
  const state = await targetState(directory, location);
  if (state.kind !== "finished") return null;
  const { index } = state;
  if (index.name !== name || (size !== undefined && index.shape[0] !== size)) {
    throw new VapoError(
      `${location} holds another set: ${index.name}, ${index.shape.join("×")}; choose another ` +
        `--out, or remove ${location}`,
    );
  }
  const damaged = await damagedShards(directory, index, verify, work);
  if (damaged.length > 0) {
    work.notice(`${location}: ${damaged.map(({ problem }) => problem).join("; ")}: made again`);
    return null;
  }
  await requireSameSource(request, index);
  return { kind: "complete", index, skipped: [] };
}

/** A finished set needs its files no more; where they are there, they have to be the same. */
async function requireSameSource(request: PrepareRequest, index: PreparedIndex): Promise<void> {
  const { source: path, location } = request;
  if (path === undefined || request.download) return;
  if (!await Deno.stat(path).then(() => true, () => false)) return;
  const source = await openSource({ ...request, unverified: true }, path);
  source.close();
  const { name, shape, labelsPerImage, made } = index;
  const wanted = headOf(request, source);
  // Another version of a library is no reason to make a set again.
  if (made.decoder !== undefined) wanted.made.decoder = made.decoder;
  requireSame(wanted, { name, shape, labelsPerImage, made }, location);
}

function headOf({ name }: PrepareRequest, source: ImageSource): JournalHead {
  const { shape: [height, width, channels], labelsPerImage, made } = source;
  return { name, shape: [height, width, channels], labelsPerImage, made: { ...made } };
}

async function makeSet(
  request: PrepareRequest,
  source: ImageSource,
  work: Work,
): Promise<PrepareOutcome> {
  const { directory, location, skipBad = false, unverified = false, name } = request;
  const storage = request.storage ?? directoryStorage(directory, location);
  const journal = await openJournal(request, storage, headOf(request, source), work);
  const done = await prepareSplits(source, {
    storage,
    journal,
    work,
    skipBad,
    counts: unverified ? {} : dataSet(name).counts ?? {},
    shardBytes: request.shardBytes,
  });
  const splits = Object.fromEntries(source.splits.map(({ name }) => [name, journal.of(name)]));
  const index = indexOf(journal.head, splits);
  if (done) {
    const text = JSON.stringify(index, null, 2);
    await storage.write(INDEX_FILE, new TextEncoder().encode(`${text}\n`));
  }
  const skipped = Object.values(splits).flatMap(({ skipped }) => skipped);
  return { kind: done ? "prepared" : "stopped", index, skipped };
}

/** The journal of what is there already, or a new one. */
async function openJournal(
  request: PrepareRequest,
  storage: RunStorage,
  head: JournalHead,
  work: Work,
): Promise<ProgressJournal> {
  const { directory, location } = request;
  // Looked at again, since only now no other process writes there.
  const { kind } = await targetState(directory, location);
  const begun = await readJournal(storage);
  if (begun) requireSame(head, begun.head, location);
  const lines = begun ? await intactLines(request, begun, work) : [];
  const journal = await startJournal(storage, head, lines);
  if (kind === "finished") await storage.remove(INDEX_FILE);
  return journal;
}

/** The lines before the first shard of each split whose files are not what they should be. */
async function intactLines(
  { directory, verify = false }: PrepareRequest,
  { head, lines }: JournalContent,
  work: Work,
): Promise<JournalLine[]> {
  const shards = new Map<string, PreparedShard[]>();
  for (const { split, shard } of lines) {
    if (!shards.has(split)) shards.set(split, []);
    if (shard) shards.get(split)!.push(shard);
  }
  const splits = Object.fromEntries([...shards].map(([split, shards]) => [split, { shards }]));
  const damaged = await damagedShards(directory, { ...head, splits }, verify, work);
  const firstDamaged = new Map(damaged.map(({ split, shard }) => [split, shard]));
  const seen = new Map<string, number>();
  return lines.filter(({ split, shard }) => {
    const number = seen.get(split) ?? 0;
    seen.set(split, number + (shard ? 1 : 0));
    return number < (firstDamaged.get(split) ?? Infinity);
  });
}

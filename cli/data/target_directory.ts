/**
 * @file The directory that a prepared set goes to: empty, begun, finished, or something else, which
 * is never written to.
 */
import { join } from "@std/path";
import {
  type PreparedIndex,
  preparedIndexSchema,
  type PreparedShard,
} from "../../core/data/prepared_index.ts";
import { FormatError, VapoError } from "../../core/errors.ts";
import { crc32 } from "../../core/formats/crc32.ts";
import { withFileErrors } from "../file_errors.ts";
import { LOCK_FILE } from "../run_lock.ts";
import { entryNames, isLeftover } from "../run_storage.ts";
import type { Work } from "./image_source.ts";
import { INDEX_FILE, JOURNAL_FILE } from "./progress_journal.ts";

/** Where `--download` puts what it fetches, in the set's own directory. */
export const DOWNLOAD_DIRECTORY = ".download";

/** What is in a directory. */
export type TargetState =
  | { readonly kind: "empty" | "begun" }
  | { readonly kind: "finished"; readonly index: PreparedIndex };

/**
 * Looks into a directory without changing it.
 *
 * @param directory where; it need not be there
 * @param location how it is called in messages
 * @throws {VapoError} where it holds something else
 */
export async function targetState(directory: string, location: string): Promise<TargetState> {
  const names = await withFileErrors("open", location, () => entryNames(directory));
  if (names.includes(INDEX_FILE)) {
    return { kind: "finished", index: await readIndex(directory, location) };
  }
  if (names.includes(JOURNAL_FILE)) return { kind: "begun" };
  const ours = (name: string) =>
    name === LOCK_FILE || name === DOWNLOAD_DIRECTORY || isLeftover(name);
  if (names.every(ours)) return { kind: "empty" };
  throw new VapoError(
    `${location} is not empty and holds no prepared set: expected a new or empty directory; ` +
      "choose another by --out",
  );
}

async function readIndex(directory: string, location: string): Promise<PreparedIndex> {
  const shown = `${location}/${INDEX_FILE}`;
  const text = await withFileErrors(
    "read",
    shown,
    () => Deno.readTextFile(join(directory, INDEX_FILE)),
  );
  try {
    return preparedIndexSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new FormatError(
      `${shown} is not the index of a prepared set, or is damaged: choose another --out, or ` +
        `remove ${location}`,
      { cause },
    );
  }
}

/** A file of a set that is not what it should be. */
export interface DamagedShard {
  readonly split: string;
  /** The number of its shard in the split. */
  readonly shard: number;
  /** What is wrong, in words. */
  readonly problem: string;
}

/**
 * Looks for the first file of each split that is missing or of the wrong length.
 *
 * @param checksums whether every file is read too; `work` hears of it
 */
export async function damagedShards(
  directory: string,
  index: Pick<PreparedIndex, "shape" | "labelsPerImage"> & {
    readonly splits: Readonly<Record<string, { readonly shards: readonly PreparedShard[] }>>;
  },
  checksums: boolean,
  work: Work,
): Promise<DamagedShard[]> {
  const [height, width, channels] = index.shape;
  const total = Object.values(index.splits).reduce((sum, { shards }) => sum + shards.length, 0);
  const damaged: DamagedShard[] = [];
  let done = 0;
  for (const [split, { shards }] of Object.entries(index.splits)) {
    for (const [number, { file, crc32, count, labels }] of shards.entries()) {
      const files = [{ file, crc32, length: count * height * width * channels }];
      if (labels) files.push({ ...labels, length: count * index.labelsPerImage });
      const problems = await Promise.all(
        files.map((file) => problemOf(directory, file, checksums)),
      );
      const problem = problems.find((each) => each !== null);
      if (checksums) {
        work.signal.throwIfAborted();
        work.progress("verify", ++done, total, "shards");
      }
      if (!problem) continue;
      damaged.push({ split, shard: number, problem });
      break;
    }
  }
  return damaged;
}

async function problemOf(
  directory: string,
  file: { readonly file: string; readonly crc32: number; readonly length: number },
  checksums: boolean,
): Promise<string | null> {
  const path = join(directory, file.file);
  return await withFileErrors("read", file.file, async () => {
    try {
      const { size, isFile } = await Deno.stat(path);
      if (!isFile) return `${file.file} is no file`;
      if (size !== file.length) {
        return `${file.file} is ${size} bytes long; expected ${file.length}`;
      }
      if (!checksums) return null;
      const found = crc32(await Deno.readFile(path));
      if (found === file.crc32) return null;
      const [a, b] = [found, file.crc32].map((sum) => sum.toString(16).padStart(8, "0"));
      return `${file.file} is damaged: checksum ${a}, expected ${b}`;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return `${file.file} is missing`;
      throw error;
    }
  });
}

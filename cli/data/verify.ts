/**
 * @file Files held against what is published of them: their sizes and MD5 sums.
 */
import { createHash } from "node:crypto";
import type { OfficialFile } from "../../core/data/official_files.ts";
import { VapoError } from "../../core/errors.ts";
import { withFileErrors } from "../file_errors.ts";
import { shownPath } from "../user_paths.ts";
import type { Work } from "./image_source.ts";

/** A file and what it should be. */
export interface ClaimedFile {
  readonly path: string;
  readonly official: OfficialFile;
}

/**
 * Checks sizes first, since that is quick, and then checksums.
 *
 * @throws {VapoError} for the first one that is not the official file
 */
export async function verifyFiles(files: readonly ClaimedFile[], work: Work): Promise<void> {
  for (const { path, official: { bytes, ...official } } of files) {
    const size = await fileSize(path);
    if (bytes === undefined || size === bytes) continue;
    throw mismatch(path, `is ${size} bytes long; expected ${bytes}`, official.url);
  }
  for (const { path, official: { md5, url } } of files) {
    if (md5 === undefined) continue;
    const found = await md5Of(path, work);
    if (found !== md5) throw mismatch(path, `has the MD5 sum ${found}; expected ${md5}`, url);
  }
}

function mismatch(path: string, what: string, url: string): VapoError {
  return new VapoError(
    `${shownPath(path)} ${what}: it is damaged or another file; download it again from ${url}, ` +
      "or take it as it is by --unverified",
  );
}

/** A file's size. */
export async function fileSize(path: string): Promise<number> {
  const { size } = await withFileErrors("read", shownPath(path), () => Deno.stat(path));
  return size;
}

/** A file's MD5 sum, read in parts. */
export async function md5Of(path: string, work: Work): Promise<string> {
  const shown = shownPath(path), total = await fileSize(path);
  return await withFileErrors("read", shown, async () => {
    using file = await Deno.open(path);
    const hash = createHash("md5");
    const buffer = new Uint8Array(2 ** 20);
    let done = 0;
    for (let length; (length = await file.read(buffer)) !== null;) {
      work.signal.throwIfAborted();
      hash.update(buffer.subarray(0, length));
      done += length;
      work.progress(`check ${shown}`, megabytes(done), megabytes(total), "MB");
    }
    return hash.digest("hex");
  });
}

/** Bytes as a whole number of MB, at least one. */
export function megabytes(bytes: number): number {
  return Math.max(1, Math.round(bytes / 1e6));
}

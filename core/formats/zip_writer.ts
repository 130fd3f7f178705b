/**
 * @file ZIP archives, written: entries as they are, without compression, ZIP64 or dates (PKWARE,
 * "APPNOTE.TXT - .ZIP File Format Specification", 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16). For
 * those who read them see `zip.ts`.
 */

import { VapoError } from "../errors.ts";
import { archivePath, quoted } from "./archive_path.ts";
import { crc32 } from "./crc32.ts";

/** A file to be put into an archive. */
export interface ZipContent {
  /** Relative, with "/" between its parts. */
  readonly path: string;
  readonly content: Uint8Array;
}

const localLength = 30, recordLength = 46, endLength = 22;
/** What the plain format has no numbers for; a size of just so much stands for one in ZIP64. */
const maxBytes = 0xffff_ffff, maxEntries = 0xffff;
/** Version 2.0 is needed to read it; the name is UTF-8. */
const version = 20, utf8Flag = 1 << 11;
/** 1 January 1980: the same content gives the same bytes. */
const date = 0x21;

/**
 * Writes an archive of files that are not compressed.
 *
 * @throws {VapoError} where it would be 4 GiB or more, or have more than 65,535 files, or where a
 * path is not relative or comes twice.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeZip, openZip } from "vapo";
 * const bytes = encodeZip([{ path: "a/b.bin", content: Uint8Array.of(1, 2, 3) }]);
 * const archive = await openZip({
 *   source: "x.zip",
 *   size: bytes.length,
 *   read: (offset, length) => Promise.resolve(bytes.slice(offset, offset + length)),
 * });
 * assertEquals(await archive.read(archive.entries[0]), Uint8Array.of(1, 2, 3));
 * ```
 */
export function encodeZip(files: readonly ZipContent[]): Uint8Array<ArrayBuffer> {
  const names = files.map(({ path }) => encodedPath(path));
  requireDistinct(files);
  const total = files.reduce(
    (sum, { content }, i) =>
      sum + localLength + recordLength + 2 * names[i].length + content.length,
    endLength,
  );
  if (total > maxBytes || files.length > maxEntries) {
    throw new VapoError(
      `a ZIP archive of ${files.length} files and ${total} bytes is too large; expected at most ${maxEntries} and ${maxBytes}: write it in parts`,
    );
  }
  const bytes = new Uint8Array(total);
  const places: number[] = [];
  const sums = files.map(({ content }) => crc32(content));
  let next = 0;
  files.forEach(({ content }, i) => {
    places.push(next);
    const local = new DataView(bytes.buffer, next);
    local.setUint32(0, 0x504b0304);
    writeCommon(local, 4, { sum: sums[i], size: content.length, name: names[i] });
    bytes.set(names[i], next + localLength);
    bytes.set(content, next + localLength + names[i].length);
    next += localLength + names[i].length + content.length;
  });
  const directory = next;
  files.forEach(({ content }, i) => {
    const record = new DataView(bytes.buffer, next);
    record.setUint32(0, 0x504b0102);
    record.setUint16(4, version, true);
    writeCommon(record, 6, { sum: sums[i], size: content.length, name: names[i] });
    record.setUint32(42, places[i], true);
    bytes.set(names[i], next + recordLength);
    next += recordLength + names[i].length;
  });
  const end = new DataView(bytes.buffer, next);
  end.setUint32(0, 0x504b0506);
  end.setUint16(8, files.length, true);
  end.setUint16(10, files.length, true);
  end.setUint32(12, next - directory, true);
  end.setUint32(16, directory, true);
  return bytes;
}

/** The fields that a local header and a record of the directory have in common. */
function writeCommon(
  view: DataView,
  at: number,
  { sum, size, name }: { sum: number; size: number; name: Uint8Array },
): void {
  view.setUint16(at, version, true);
  view.setUint16(at + 2, utf8Flag, true);
  view.setUint16(at + 8, date, true); // after the method, 0, and the time, 0:00
  view.setUint32(at + 10, sum, true);
  view.setUint32(at + 14, size, true);
  view.setUint32(at + 18, size, true);
  view.setUint16(at + 22, name.length, true);
}

function encodedPath(path: string): Uint8Array {
  const bytes = new TextEncoder().encode(archivePath(path, "a ZIP archive"));
  if (bytes.length <= 0xffff) return bytes;
  throw new VapoError(
    `the path ${quoted(path)} has ${bytes.length} bytes; expected at most 65535: shorten it`,
  );
}

function requireDistinct(files: readonly ZipContent[]): void {
  const seen = new Set<string>();
  for (const { path } of files) {
    if (seen.has(path)) {
      throw new VapoError(`the path ${quoted(path)} comes twice; expected every path once`);
    }
    seen.add(path);
  }
}

/**
 * @file ZIP archives, read in place: the list of entries at the archive's end first, then each
 * entry where it is (PKWARE, "APPNOTE.TXT - .ZIP File Format Specification", 6.3.10), ZIP64
 * included.
 *
 *     entries: local header "PK\3\4", content                              section 4.3.7
 *     central directory: one "PK\1\2" record an entry                      4.3.12
 *     ZIP64: "PK\6\6" record, "PK\6\7" locator                             4.3.14, 4.3.15
 *     end of central directory "PK\5\6", comment                           4.3.16
 *
 * zip.js reads more of the format, but keeps 7 KB of memory an entry (1.7 GB for the 202,599 of
 * CelebA, where this takes 30 MB), hence this reader.
 */

import { FormatError } from "../errors.ts";
import { archivePath, quoted } from "./archive_path.ts";
import { crc32 } from "./crc32.ts";
import { inflate } from "./decompression.ts";
import { type RandomAccessFile, readExactly } from "./random_access.ts";
import {
  decodeName,
  findDirectory,
  hasSignature,
  localLength,
  readDirectory,
  utf8Flag,
  viewOf,
  type ZipEntry,
} from "./zip_directory.ts";

export type { ZipEntry } from "./zip_directory.ts";

/** An open ZIP archive. */
export interface ZipArchive {
  /** Its files in the order of its directory; directories are left out. */
  readonly entries: readonly ZipEntry[];
  /**
   * Reads and verifies the content of an entry; several may be read at a time.
   *
   * @throws {FormatError} where it is damaged, encrypted, or longer than the limit.
   */
  read(entry: ZipEntry): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Opens a ZIP archive: reads its directory, and of an entry nothing until it is asked for.
 *
 * @param file the archive, read at any place
 * @param options.maxEntryBytes the longest content that is read; 1 GiB
 * @throws {FormatError} where the file is no ZIP archive, cut short or damaged, where a path would
 * leave the directory it is unpacked in or comes twice, or where entries share their content.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openZip } from "vapo";
 * const bytes = new Uint8Array(22); // an archive of nothing: the end of its directory
 * bytes.set([0x50, 0x4b, 5, 6]);
 * const archive = await openZip({
 *   source: "empty.zip",
 *   size: bytes.length,
 *   read: (offset, length) => Promise.resolve(bytes.slice(offset, offset + length)),
 * });
 * assertEquals(archive.entries, []);
 * ```
 */
export async function openZip(
  file: RandomAccessFile,
  { maxEntryBytes = 2 ** 30 }: { readonly maxEntryBytes?: number } = {},
): Promise<ZipArchive> {
  const directory = await findDirectory(file);
  const entries = await readDirectory(file, directory);
  return {
    entries,
    read: (entry) => readEntry(file, entry, directory.offset, maxEntryBytes),
  };
}

/** Bytes read along with an entry's content in the hope that its local header is no longer. */
const localSlack = 512;

async function readEntry(
  file: RandomAccessFile,
  entry: ZipEntry,
  end: number,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const where = `${file.source}: entry ${quoted(entry.path)} at byte ${entry.offset}`;
  checkReadable(entry, maxBytes, where);
  const content = await readContent(file, entry, end, where);
  const bytes = entry.method === 0
    ? content.slice()
    : await inflate(content, "deflate-raw", entry.size, where);
  const checksum = crc32(bytes);
  if (checksum !== entry.crc32) {
    throw new FormatError(
      `${where} has content with the CRC-32 ${checksum}; expected ${entry.crc32}: it is damaged, download it again`,
    );
  }
  return bytes;
}

function checkReadable(entry: ZipEntry, maxBytes: number, where: string): void {
  const { size, compressedSize, method, encrypted } = entry;
  const reason = encrypted
    ? "is encrypted; expected plain content: unpack it with its password and write it again"
    : method !== 0 && method !== 8
    ? `is compressed by method ${method}; expected 0, none, or 8, DEFLATE: write it again with zip`
    : Math.max(size, compressedSize) > maxBytes
    ? `is ${
      Math.max(size, compressedSize)
    } bytes long; expected at most ${maxBytes}: unpack it by hand if it is meant to be that large`
    : method === 0 && size !== compressedSize
    ? `has ${compressedSize} bytes that are not compressed; expected ${size}: it is damaged, download it again`
    : undefined;
  if (reason) throw new FormatError(`${where} ${reason}`);
}

/** The bytes that follow an entry's local header, which has to be of the same entry. */
async function readContent(
  file: RandomAccessFile,
  { path, compressedSize, offset, method }: ZipEntry,
  end: number,
  where: string,
): Promise<Uint8Array> {
  const guess = Math.min(localLength + localSlack + compressedSize, end - offset);
  const bytes = await readExactly(file, offset, guess, `entry ${quoted(path)}`);
  const local = viewOf(bytes);
  const nameEnd = localLength + local.getUint16(26, true);
  const start = nameEnd + local.getUint16(28, true);
  const isSame = hasSignature(local, 0, 3, 4) && local.getUint16(8, true) === method &&
    offset + start + compressedSize <= end;
  const header = nameEnd <= bytes.length ? bytes : await file.read(offset, nameEnd);
  const isUtf8 = (local.getUint16(6, true) & utf8Flag) !== 0;
  const name = header.subarray(localLength, nameEnd);
  if (!isSame || archivePath(decodeName(name, isUtf8, where), where) !== path) {
    throw new FormatError(
      `${where} has another header there than in the directory; expected the same: it is damaged, download it again`,
    );
  }
  return start + compressedSize <= bytes.length
    ? bytes.subarray(start, start + compressedSize)
    : await readExactly(file, offset + start, compressedSize, `entry ${quoted(path)}`);
}

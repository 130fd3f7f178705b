/**
 * @file The central directory of a ZIP archive: the list of its entries, at its end (PKWARE,
 * "APPNOTE.TXT - .ZIP File Format Specification", 6.3.10, sections 4.3.12 to 4.3.16, 4.5.3).
 */

import { FormatError } from "../errors.ts";
import { archivePath, quoted } from "./archive_path.ts";
import { type RandomAccessFile, readExactly } from "./random_access.ts";

/** A file in a ZIP archive. */
export interface ZipEntry {
  /** Relative, with "/" between its parts. */
  readonly path: string;
  /** The length of its content in bytes, once decompressed. */
  readonly size: number;
  /** The length of its content in the archive. */
  readonly compressedSize: number;
  /** The CRC-32 of its content. */
  readonly crc32: number;
  /** How it is compressed: 0 not at all, 8 by DEFLATE; others are refused when it is read. */
  readonly method: number;
  /** Where its local header is in the archive. */
  readonly offset: number;
  /** Whether it is encrypted, which is refused when it is read. */
  readonly encrypted: boolean;
}

/** The length of a local header, before its name. */
export const localLength = 30;

/** In an entry's flags: its name is UTF-8. */
export const utf8Flag = 1 << 11;

const encryptedFlag = 1;
const endLength = 22;
const locatorLength = 20;
const longEndLength = 56;
const recordLength = 46;

/** Bytes of the directory that are read at once: more than any record is long (46 + 3 · 65535). */
const windowLength = 1 << 20;

/** Where the central directory is. */
export interface ZipDirectory {
  readonly offset: number;
  readonly size: number;
  /** How many records it has; without ZIP64, modulo 65536. */
  readonly count: number;
  readonly isLong: boolean;
}

/** A view of bytes as they are in memory. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Whether "PK" and these two bytes are at a place. */
export function hasSignature(view: DataView, at: number, third: number, fourth: number): boolean {
  return view.byteLength >= at + 4 && view.getUint32(at) === 0x504b0000 + third * 256 + fourth;
}

/**
 * Finds the directory from the archive's end.
 *
 * @throws {FormatError} where there is none, or it does not end where the archive's end begins.
 */
export async function findDirectory(file: RandomAccessFile): Promise<ZipDirectory> {
  const { view, offset: end } = await readEnd(file);
  const short: ZipDirectory = {
    count: view.getUint16(10, true),
    size: view.getUint32(12, true),
    offset: view.getUint32(16, true),
    isLong: false,
  };
  const locator = end - locatorLength;
  const long = locator >= 0 ? await findLongDirectory(file, locator) : undefined;
  const disks = view.getUint32(4, true); // this one's number and that of the directory's
  if (!long && disks !== 0) refuseDisks(file.source, end + 4);
  const { directory, next } = long ?? { directory: short, next: end };
  if (directory.offset + directory.size !== next) {
    throw new FormatError(
      `${file.source} has a directory of ${directory.size} bytes at byte ${directory.offset}; expected it to end at byte ${next}: something is before the archive or it is damaged, download it again`,
    );
  }
  return directory;
}

/** The end of the central directory, which a comment of up to 65535 bytes may follow. */
async function readEnd(file: RandomAccessFile): Promise<{ view: DataView; offset: number }> {
  const length = Math.min(file.size, endLength + 0xffff);
  const tail = await readExactly(file, file.size - length, length, "a ZIP archive's end");
  const view = viewOf(tail);
  for (let at = length - endLength; at >= 0; at--) {
    const commentLength = length - at - endLength;
    if (hasSignature(view, at, 5, 6) && view.getUint16(at + 20, true) === commentLength) {
      return { view: viewOf(tail.subarray(at)), offset: file.size - length + at };
    }
  }
  throw new FormatError(
    `${file.source} has no end of a ZIP directory before byte ${file.size}, its end; expected one: it is no ZIP archive or cut short, download it again`,
  );
}

/** ZIP64: the directory of an archive that is too large for the fields of the plain format. */
async function findLongDirectory(
  file: RandomAccessFile,
  locatorOffset: number,
): Promise<{ directory: ZipDirectory; next: number } | undefined> {
  const locator = viewOf(await readExactly(file, locatorOffset, locatorLength, "a ZIP64 locator"));
  if (!hasSignature(locator, 0, 6, 7)) return undefined;
  const next = Number(locator.getBigUint64(8, true));
  const record = viewOf(await readExactly(file, next, longEndLength, "its ZIP64 directory's end"));
  if (!hasSignature(record, 0, 6, 6)) {
    throw new FormatError(
      `${file.source} has no end of a ZIP64 directory at byte ${next}; expected one: it is damaged, download it again`,
    );
  }
  if (locator.getUint32(4, true) !== 0 || record.getBigUint64(16, true) !== 0n) {
    refuseDisks(file.source, next + 16);
  }
  const directory = {
    count: Number(record.getBigUint64(32, true)),
    size: Number(record.getBigUint64(40, true)),
    offset: Number(record.getBigUint64(48, true)),
    isLong: true,
  };
  return { directory, next };
}

function refuseDisks(source: string, offset: number): never {
  throw new FormatError(
    `${source} is a part of an archive on several disks, by byte ${offset}; expected a whole one: join the parts with zip --split-size 0`,
  );
}

/**
 * Reads all records of the directory.
 *
 * @throws {FormatError} where it is damaged, a path would leave the directory it is unpacked in or
 * comes twice, or entries share their content.
 */
export async function readDirectory(
  file: RandomAccessFile,
  { offset, size, count, isLong }: ZipDirectory,
): Promise<ZipEntry[]> {
  const found: Records = { count: 0, entries: [] };
  const end = offset + size;
  for (let position = offset; position < end;) {
    const length = Math.min(windowLength, end - position);
    const window = await readExactly(file, position, length, "its directory");
    position += parseRecords(window, position, file.source, found);
  }
  if (isLong ? found.count !== count : (found.count - count) % 0x10000 !== 0) {
    throw new FormatError(
      `${file.source} has ${found.count} entries in its directory at byte ${offset}; expected ${count}: it is damaged, download it again`,
    );
  }
  checkPaths(found.entries, file.source);
  checkExtents(found.entries, offset, file.source);
  return found.entries;
}

/** The records so far: how many, and those of files. */
interface Records {
  count: number;
  readonly entries: ZipEntry[];
}

/** Adds the records that are whole in these bytes of the directory; returns their length. */
function parseRecords(
  bytes: Uint8Array,
  position: number,
  source: string,
  records: Records,
): number {
  const view = viewOf(bytes);
  let at = 0;
  while (at + recordLength <= bytes.length) {
    if (!hasSignature(view, at, 1, 2)) refuseRecord(position + at, source);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const length = recordLength + nameLength + extraLength + view.getUint16(at + 32, true);
    if (at + length > bytes.length) break;
    const entry = parseRecord(view, at, `${source} at byte ${position + at}`);
    if (entry) records.entries.push(entry);
    records.count++;
    at += length;
  }
  if (at === 0) refuseRecord(position, source);
  return at;
}

/** Reads one record; nothing where it is a directory's. */
function parseRecord(view: DataView, at: number, where: string): ZipEntry | undefined {
  const flags = view.getUint16(at + 8, true);
  const nameStart = view.byteOffset + at + recordLength;
  const name = new Uint8Array(view.buffer, nameStart, view.getUint16(at + 28, true));
  const path = decodeName(name, (flags & utf8Flag) !== 0, where);
  const { size, compressedSize, offset } = sizesAndOffset(view, at, where);
  if (path.endsWith("/") && size === 0) return undefined;
  return {
    path: archivePath(path, where),
    size,
    compressedSize,
    crc32: view.getUint32(at + 16, true),
    method: view.getUint16(at + 10, true),
    offset,
    encrypted: (flags & encryptedFlag) !== 0,
  };
}

function refuseRecord(offset: number, source: string): never {
  throw new FormatError(
    `${source} has no record of an entry at byte ${offset}; expected one in its directory: it is damaged, download it again`,
  );
}

/** The sizes and the place of the local header; those at their maximum are in a ZIP64 field. */
function sizesAndOffset(
  view: DataView,
  at: number,
  where: string,
): { size: number; compressedSize: number; offset: number } {
  const size = view.getUint32(at + 24, true);
  const compressedSize = view.getUint32(at + 20, true);
  const offset = view.getUint32(at + 42, true);
  if (Math.max(size, compressedSize, offset) < 0xffffffff) return { size, compressedSize, offset };
  const extraStart = at + recordLength + view.getUint16(at + 28, true);
  const extraEnd = extraStart + view.getUint16(at + 30, true);
  let field = extraStart;
  while (field + 4 <= extraEnd && view.getUint16(field, true) !== 1) {
    field += 4 + view.getUint16(field + 2, true);
  }
  const fieldEnd = field + 4 <= extraEnd ? field + 4 + view.getUint16(field + 2, true) : Infinity;
  let next = field + 4;
  const long = (short: number): number => {
    if (short < 0xffffffff) return short;
    if (fieldEnd > extraEnd || next + 8 > fieldEnd) {
      throw new FormatError(
        `${where} has a size or place of 4294967295; expected a ZIP64 field with the true one: it is damaged, download it again`,
      );
    }
    const value = Number(view.getBigUint64(next, true));
    next += 8;
    return value;
  };
  return { size: long(size), compressedSize: long(compressedSize), offset: long(offset) };
}

/** IBM's code page 437, from 128 on: what a name is in that is not marked as UTF-8 nor is it. */
const codePage437 = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
  "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The text of a name: UTF-8 where it is that, marked or not, since many programs leave the mark out.
 *
 * @throws {FormatError} where it is marked and is not.
 */
export function decodeName(name: Uint8Array, isUtf8: boolean, where: string): string {
  try {
    return utf8.decode(name);
  } catch {
    if (!isUtf8) return Array.from(name, codePage437Character).join("");
    throw new FormatError(
      `${where} has an entry whose path is not UTF-8; expected it as it is marked so: it is damaged, download it again`,
    );
  }
}

function codePage437Character(byte: number): string {
  return byte < 128 ? String.fromCharCode(byte) : codePage437[byte - 128];
}

/** Two contents under one path: which is meant would depend on the program that reads. */
function checkPaths(entries: readonly ZipEntry[], source: string): void {
  const paths = new Set<string>();
  for (const { path, offset } of entries) {
    if (paths.has(path)) {
      throw new FormatError(
        `${source} has a second entry ${
          quoted(path)
        } at byte ${offset}; expected every path once: unpack it and write it again`,
      );
    }
    paths.add(path);
  }
}

/** Entries end before the directory and share nothing, which would make much of a small file. */
function checkExtents(entries: readonly ZipEntry[], end: number, source: string): void {
  let total = 0;
  for (const { path, offset, compressedSize } of entries) {
    total += localLength + compressedSize;
    if (offset + localLength + compressedSize > end || total > end) {
      throw new FormatError(
        `${source} has the entry ${
          quoted(path)
        } of ${compressedSize} bytes at byte ${offset}; expected all entries one after the other before byte ${end}: it is damaged, download it again`,
      );
    }
  }
}

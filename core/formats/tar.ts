/**
 * @file tar archives, plain or compressed with gzip, as a stream: POSIX ustar and pax, and GNU's
 * long names (POSIX.1-2017, "pax: Extended Description"; "Basic Tar Format" of the GNU tar manual).
 *
 * An archive is made of blocks of 512 bytes. An entry is a block that describes it,
 *
 *     0    name[100]    100  mode, owner      124  size[12]   136  time
 *     148  checksum[8]  156  type             157  target of a link
 *     257  "ustar"      345  prefix[155]: what comes before the name
 *
 * and its content, filled up to a whole number of blocks. Two blocks of zeros end the archive.
 * The libraries there are for browsers and Deno take an archive that is cut between two entries for
 * a whole one and know no places in it, hence this reader.
 */

import { FormatError, VapoError } from "../errors.ts";
import { archivePath, quoted } from "./archive_path.ts";
import { type ByteReader, byteReader, startingWith, streamPieces } from "./byte_reader.ts";
import { decompressed } from "./decompression.ts";

/** A file in a tar archive. */
export interface TarEntry {
  /** Relative, with "/" between its parts. */
  readonly path: string;
  /** The length of its content in bytes. */
  readonly size: number;
  /** Where its description starts in the archive, once decompressed. */
  readonly offset: number;
  /**
   * Reads its content: once, and before the next entry is asked for.
   *
   * @throws {FormatError} where the archive ends before the content does, or the content is longer
   * than the limit.
   */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
}

const blockLength = 512;

/** The longest description in front of an entry that is read: a long path, pax attributes. */
const maxExtension = 1 << 20;

/**
 * Reads the files of a tar archive, one after the other; directories are passed over. Nothing of an
 * entry is kept in memory but what is asked for.
 *
 * @param stream the archive; compressed with gzip or not, which its first bytes tell
 * @param source its name, for error messages
 * @param options.maxEntryBytes the longest content that is read; 1 GiB
 * @throws {FormatError} from the generator, where the archive is cut short or damaged or no tar
 * archive, where a path would leave the directory it is unpacked in, or where there are links or
 * other things than files.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readTar } from "vapo";
 * const empty = new Blob([new Uint8Array(1024)]); // two blocks of zeros end an archive
 * const entries = await Array.fromAsync(readTar(empty.stream(), "empty.tar"));
 * assertEquals(entries, []);
 * ```
 */
export async function* readTar(
  stream: ReadableStream<Uint8Array>,
  source = "tar archive",
  { maxEntryBytes = 2 ** 30 }: { readonly maxEntryBytes?: number } = {},
): AsyncGenerator<TarEntry> {
  const reader = byteReader(await plainPieces(stream, source));
  try {
    while (true) {
      const header = await nextHeader(reader, source);
      if (!header) return;
      const content = contentReader(reader, header, source, maxEntryBytes);
      if (header.kind === "file") {
        const { path, size, offset } = header;
        yield { path, size, offset, bytes: content.read };
      }
      await content.finish();
    }
  } finally {
    await reader.close();
  }
}

/** What stands in front of an entry's content. */
interface TarHeader {
  readonly kind: "file" | "directory";
  readonly path: string;
  readonly size: number;
  readonly offset: number;
}

/** The archive as it is once decompressed. */
async function plainPieces(
  stream: ReadableStream<Uint8Array>,
  source: string,
): Promise<AsyncIterator<Uint8Array>> {
  const pieces = streamPieces(stream);
  let start = new Uint8Array(0);
  while (start.length < 2) { // a first piece may be one byte, or none
    const { done, value } = await pieces.next();
    if (done) break;
    const longer = new Uint8Array(start.length + value.length);
    longer.set(start);
    longer.set(value, start.length);
    start = longer;
  }
  const whole = startingWith(start, pieces);
  const isGzip = start[0] === 0x1f && start[1] === 0x8b;
  return isGzip ? decompressed(whole, "gzip", source) : whole;
}

/** Content that is read whole, or passed over. */
function contentReader(reader: ByteReader, header: TarHeader, source: string, maxBytes: number) {
  const { path, size, offset } = header;
  const where = `${source}: entry ${quoted(path)} at byte ${offset}`;
  let passed = false;
  let reading: Promise<Uint8Array<ArrayBuffer>> | undefined;

  async function readContent(): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(size);
    checkLength(await reader.fill(bytes), size, where);
    return bytes;
  }

  function read(): Promise<Uint8Array<ArrayBuffer>> {
    if (passed || reading) {
      return Promise.reject(
        new VapoError(
          `${where} has been ${
            reading ? "read" : "passed"
          } already; expected to be read once, before the next entry: keep its bytes`,
        ),
      );
    }
    if (size > maxBytes) {
      return Promise.reject(
        new FormatError(
          `${where} is ${size} bytes long; expected at most ${maxBytes}: unpack the archive by hand if it is meant to be that large`,
        ),
      );
    }
    return reading = readContent();
  }

  async function finish(): Promise<void> {
    passed = true;
    await reading;
    const padding = (blockLength - size % blockLength) % blockLength;
    const remaining = (reading ? 0 : size) + padding;
    checkLength(await reader.skip(remaining), remaining, where);
  }

  return { read, finish };
}

function checkLength(found: number, expected: number, where: string): void {
  if (found === expected) return;
  throw new FormatError(
    `${where} ends ${
      expected - found
    } bytes too early; expected a whole archive: it is cut short, download it again`,
  );
}

/** What the extensions before an entry say of it. */
interface Extension {
  path?: string;
  size?: number;
}

/** The next file or directory, with what stands in extensions before it; nothing at the end. */
async function nextHeader(reader: ByteReader, source: string): Promise<TarHeader | undefined> {
  const extension: Extension = {};
  while (true) {
    const offset = reader.offset;
    const block = await readBlock(reader, source);
    if (block.every((byte) => byte === 0)) {
      await checkEnd(reader, source);
      return undefined;
    }
    checkChecksum(block, offset, source);
    const type = String.fromCharCode(block[156] || 0x30);
    const size = number(block, 124, 12, offset, source);
    if ("xgLK".includes(type)) {
      await readExtension(reader, type, size, extension, `${source}: extension at byte ${offset}`);
      continue;
    }
    const raw = extension.path ?? headerPath(block);
    const kind = type === "5" || type === "0" && raw.endsWith("/") ? "directory" : "file";
    if (kind === "file" && !"07".includes(type)) refuseType(type, raw, offset, source);
    const path = kind === "file" ? archivePath(raw, `${source} at byte ${offset}`) : "";
    return { kind, path, size: kind === "file" ? extension.size ?? size : 0, offset };
  }
}

async function readBlock(reader: ByteReader, source: string): Promise<Uint8Array> {
  const block = new Uint8Array(blockLength);
  const offset = reader.offset;
  const length = await reader.fill(block);
  if (length < blockLength) {
    throw new FormatError(
      `${source} ends at byte ${
        offset + length
      }; expected another block of ${blockLength} bytes at byte ${offset}: it is ${
        reader.offset < blockLength ? "no tar archive" : "cut short, download it again"
      }`,
    );
  }
  return block;
}

/** After a block of zeros: a second one, and nothing but zeros up to the end. */
async function checkEnd(reader: ByteReader, source: string): Promise<void> {
  let block = await readBlock(reader, source);
  while (true) {
    const position = block.findIndex((byte) => byte !== 0);
    if (position >= 0) {
      throw new FormatError(
        `${source} goes on at byte ${
          reader.offset - block.length + position
        } after its end; expected zeros: it is damaged, or several archives in one file: join them with tar --concatenate`,
      );
    }
    const next = new Uint8Array(1 << 16);
    const length = await reader.fill(next);
    if (length === 0) return;
    block = next.subarray(0, length);
  }
}

/** The sum of a header's bytes, its own eight counted as spaces, stands in octal at byte 148. */
function checkChecksum(block: Uint8Array, offset: number, source: string): void {
  const sum = block.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  const stored = octal(block.subarray(148, 156));
  if (stored === sum) return;
  throw new FormatError(
    `${source} has the checksum ${stored ?? "that is no number"} at byte ${
      offset + 148
    }; expected ${sum}: it is ${offset === 0 ? "no tar archive" : "damaged, download it again"}`,
  );
}

function octal(field: Uint8Array): number | undefined {
  const text = String.fromCharCode(...field).replace(/[\0 ]+$/, "").trimStart();
  return /^[0-7]*$/.test(text) ? Number(`0o${text || 0}`) : undefined;
}

/** A number in octal, or in binary with the top bit set where octal has not enough digits (GNU). */
function number(
  block: Uint8Array,
  start: number,
  length: number,
  offset: number,
  source: string,
): number {
  const field = block.subarray(start, start + length);
  const value = field[0] === 0x80
    ? field.subarray(1).reduce((total, byte) => total * 256 + byte, 0)
    : octal(field);
  if (value !== undefined && value <= Number.MAX_SAFE_INTEGER) return value;
  throw new FormatError(
    `${source} has the size ${quoted(String.fromCharCode(...field))} at byte ${
      offset + start
    }; expected an octal number: it is damaged, download it again`,
  );
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return new TextDecoder("latin1").decode(bytes); // from before UTF-8: every byte is a letter
  }
}

/** The text of a field, which ends at its first zero. */
function text(field: Uint8Array): string {
  const end = field.indexOf(0);
  return decode(end < 0 ? field : field.subarray(0, end));
}

function headerPath(block: Uint8Array): string {
  const name = text(block.subarray(0, 100));
  // GNU's own format says "ustar " and has other things where the prefix is.
  const prefix = text(block.subarray(257, 263)) === "ustar" ? text(block.subarray(345, 500)) : "";
  return prefix ? `${prefix}/${name}` : name;
}

const refusedTypes: Readonly<Record<string, string>> = {
  "1": "a hard link; expected a file: write the archive again with tar --hard-dereference",
  "2": "a symbolic link; expected a file: write the archive again with tar --dereference",
  "3": "a device; expected a file: leave it out",
  "4": "a device; expected a file: leave it out",
  "6": "a named pipe; expected a file: leave it out",
  "S": "a sparse file; expected a plain one: write the archive again without tar --sparse",
};

function refuseType(type: string, path: string, offset: number, source: string): never {
  throw new FormatError(
    `${source}: entry ${quoted(path)} at byte ${offset} is ${
      refusedTypes[type] ??
        `of type ${quoted(type)}; expected a file: write the archive again with GNU tar`
    }`,
  );
}

/** Reads what stands in front of an entry: of a pax header its path and size, GNU's long path. */
async function readExtension(
  reader: ByteReader,
  type: string,
  size: number,
  extension: Extension,
  where: string,
): Promise<void> {
  if (size > maxExtension) {
    throw new FormatError(
      `${where} is ${size} bytes long; expected at most ${maxExtension}: the archive is damaged, download it again`,
    );
  }
  const padded = new Uint8Array(Math.ceil(size / blockLength) * blockLength);
  checkLength(await reader.fill(padded), padded.length, where);
  const bytes = padded.subarray(0, size);
  if (type === "L") extension.path = text(bytes);
  if (type === "x") readPax(bytes, extension, where);
}

/** Records of "length key=value\n", the length being that of the whole record. */
function readPax(bytes: Uint8Array, extension: Extension, where: string): void {
  const fail = (found: string): never => {
    throw new FormatError(
      `${where} has ${found}; expected records of a length, a key and a value: the archive is damaged, download it again`,
    );
  };
  for (let start = 0; start < bytes.length;) {
    const [digits] = /^[1-9]\d{0,6} /.exec(decode(bytes.subarray(start, start + 8))) ??
      fail(`no length at its byte ${start}`);
    const end = start + Number(digits);
    const record = decode(bytes.subarray(start + digits.length, end - 1));
    const equals = record.indexOf("=");
    if (end > bytes.length || bytes[end - 1] !== 0x0a || equals < 1) {
      fail(`a broken record at its byte ${start}`);
    }
    const key = record.slice(0, equals);
    const value = record.slice(equals + 1);
    if (key === "path") extension.path = value;
    if (key === "size") {
      if (!/^\d{1,15}$/.test(value)) fail(`the size ${quoted(value)}`);
      extension.size = Number(value);
    }
    if (key.startsWith("GNU.sparse.")) fail("a sparse file: write it without tar --sparse");
    start = end;
  }
}

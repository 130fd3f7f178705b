/**
 * @file gzip, zlib and raw DEFLATE (RFC 1952, 1950, 1951) by the engine's own DecompressionStream,
 * held to what a file promises: a small file cannot fill the memory, and a stream that is cut short
 * or followed by something is an error on every engine.
 */

import { FormatError } from "../errors.ts";
import { byteReader } from "./byte_reader.ts";

/**
 * Compressed bytes handed to the decompressor at once. An engine may hand out all that comes of
 * them in one piece, up to {@link maxExpansion} times as long.
 */
const pieceLength = 16_384;

/** DEFLATE makes at most this many bytes of one: 258 of two bits, with what is around them. */
const maxExpansion = 1032;

/** How a decompressed length is found in the decompressed bytes themselves. */
export interface LengthInHeader {
  /** How many bytes at the start tell it. */
  readonly headerLength: number;
  /** The length of the whole, header included. */
  lengthOf(header: Uint8Array): number;
}

/**
 * The decompressed bytes of compressed pieces, as they come. zlib's checksum is not always verified, nor
 * that a zlib or DEFLATE stream has an end: {@link inflate} does both.
 *
 * @param where the file, for error messages
 * @throws {FormatError} where they are damaged, cut short or followed by something.
 */
export async function* decompressed(
  pieces: AsyncIterator<Uint8Array>,
  format: "gzip" | "deflate" | "deflate-raw",
  where: string,
): AsyncGenerator<Uint8Array> {
  let taken = 0;
  const reader = smallPieces(pieces, (length) => taken += length)
    .pipeThrough(new DecompressionStream(format)).getReader();
  try {
    while (true) {
      const { done, value } = await reader.read().catch((cause) => {
        // A decompressor refuses with a TypeError; anything else is the source's own failure.
        if (!(cause instanceof TypeError)) throw cause;
        throw new FormatError(
          `${where} cannot be decompressed from somewhere in its first ${taken} bytes on; expected one whole ${
            format === "gzip" ? "gzip" : "DEFLATE"
          } stream: it is cut short or damaged, download it again`,
          { cause },
        );
      });
      if (done) return;
      yield value;
    }
  } finally {
    await pieces.return?.(); // first, since nothing may be left to come
    await reader.cancel().catch(() => {}); // a stream that failed has nothing left to say
  }
}

/**
 * Decompresses into one array of a length that is known or that the first bytes tell.
 *
 * @param bytes the compressed bytes, neither more nor fewer
 * @param format "deflate" is zlib's
 * @param length of what comes out; refused before memory is taken where `bytes` cannot back it
 * @param where the file and the place in it, for error messages
 * @throws {FormatError} where something else comes out.
 */
export async function inflate(
  bytes: Uint8Array,
  format: "deflate" | "deflate-raw",
  length: number | LengthInHeader,
  where: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = byteReader(decompressed(once(bytes), format, where));
  try {
    const header = new Uint8Array(typeof length === "number" ? 0 : length.headerLength);
    const headerFilled = await reader.fill(header);
    checkFilled(headerFilled, header.length, where);
    const total = typeof length === "number" ? length : length.lengthOf(header);
    const result = allocate(total, bytes.length, where);
    result.set(header);
    checkFilled(header.length + await reader.fill(result.subarray(header.length)), total, where);
    if (await reader.fill(new Uint8Array(1)) > 0) {
      throw new FormatError(
        `${where} decompresses to more than the ${total} bytes it promises; expected no more: it is damaged, download it again`,
      );
    }
    if (format === "deflate") checkAdler32(result, bytes, where);
    return result;
  } finally {
    await reader.close();
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Cuts pieces into smaller ones, of which the next is taken once the last is decompressed. */
function smallPieces(
  pieces: AsyncIterator<Uint8Array>,
  onPiece: (length: number) => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let bytes = new Uint8Array(0);
  let offset = 0;
  return new ReadableStream({
    async pull(controller) {
      while (offset >= bytes.length) {
        const { done, value } = await pieces.next();
        if (done) return controller.close();
        bytes = value as Uint8Array<ArrayBuffer>;
        offset = 0;
      }
      const piece = new Uint8Array(bytes.subarray(offset, offset += pieceLength));
      onPiece(piece.length);
      controller.enqueue(piece);
    },
    async cancel() {
      await pieces.return?.();
    },
  }, { highWaterMark: 0 });
}

function allocate(length: number, compressed: number, where: string): Uint8Array<ArrayBuffer> {
  if (length <= maxExpansion * compressed) {
    try {
      return new Uint8Array(length);
    } catch {
      // a RangeError: more than the engine can hold in one array
    }
  }
  throw new FormatError(
    `${where} promises ${length} bytes from ${compressed} compressed ones; expected at most ${maxExpansion} times as many, and what fits in memory: it is damaged or too large`,
  );
}

function checkFilled(filled: number, expected: number, where: string): void {
  if (filled === expected) return;
  throw new FormatError(
    `${where} decompresses to ${filled} bytes; expected ${expected}: it is cut short or damaged, download it again`,
  );
}

/** Compares with the checksum that ends a zlib stream: not every engine does. */
function checkAdler32(plain: Uint8Array, bytes: Uint8Array, where: string): void {
  const stored = bytes.subarray(-4).reduce((value, byte) => value * 256 + byte, 0);
  const found = adler32(plain);
  if (stored !== found) {
    throw new FormatError(
      `${where} decompresses to bytes with the Adler-32 checksum ${found}; expected ${stored}: it is cut short or damaged, download it again`,
    );
  }
}

/** The checksum of RFC 1950: s1 sums the bytes, s2 sums s1, both modulo 65521. */
function adler32(bytes: Uint8Array): number {
  let s1 = 1;
  let s2 = 0;
  for (let start = 0; start < bytes.length; start += 5552) { // the most that stays below 2³²
    const end = Math.min(start + 5552, bytes.length);
    for (let i = start; i < end; i++) s2 += s1 += bytes[i];
    s1 %= 65521;
    s2 %= 65521;
  }
  return (s2 * 65536 + s1) >>> 0;
}

/**
 * @file IDX, the format of MNIST and its kin (described at the foot of
 * http://yann.lecun.com/exdb/mnist/).
 *
 *     2 bytes   0, 0
 *     1 byte    the type of the values
 *     1 byte    r, the number of dimensions
 *     4r bytes  the sizes, unsigned 32-bit, big-endian
 *     the rest  the values, row-major, big-endian
 */

import { FormatError, VapoError } from "../errors.ts";
import { countElements } from "../formats/shape.ts";

/** A type of value and the array that holds it. */
interface ArrayOfDtype {
  uint8: Uint8Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  float32: Float32Array;
  float64: Float64Array;
}

/** The type of an IDX file's values. */
export type IdxDtype = keyof ArrayOfDtype;

/** The array of an IDX file: row-major, as many values as its shape says. */
export type IdxArray = {
  [D in IdxDtype]: {
    readonly dtype: D;
    readonly shape: readonly number[];
    readonly data: ArrayOfDtype[D];
  };
}[IdxDtype];

interface IdxType {
  readonly code: number;
  readonly type: {
    readonly name: string;
    readonly BYTES_PER_ELEMENT: number;
    new (buffer: ArrayBuffer): IdxArray["data"];
  };
}

const types: Readonly<Record<IdxDtype, IdxType>> = {
  uint8: { code: 0x08, type: Uint8Array },
  int8: { code: 0x09, type: Int8Array },
  int16: { code: 0x0b, type: Int16Array },
  int32: { code: 0x0c, type: Int32Array },
  float32: { code: 0x0d, type: Float32Array },
  float64: { code: 0x0e, type: Float64Array },
};

/** What the first bytes of a file promise. */
interface IdxHeader {
  readonly dtype: IdxDtype;
  readonly shape: number[];
  /** Where the values start. */
  readonly start: number;
  /** The length of the whole file. */
  readonly length: number;
}

/**
 * Reads an IDX file. The values are a copy; nothing is allocated that the bytes do not back.
 *
 * Source: the format's description with MNIST (LeCun, Cortes and Burges, 1998).
 *
 * @param bytes the whole file, decompressed ({@link readIdx} decompresses)
 * @param source its name, for error messages
 * @throws {FormatError} where the file is compressed, damaged or no IDX file.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeIdx, encodeIdx } from "vapo";
 *
 * const labels = encodeIdx({ dtype: "uint8", shape: [3], data: Uint8Array.of(5, 0, 4) });
 * assertEquals(labels.subarray(0, 8), Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 3));
 * assertEquals(decodeIdx(labels, "train-labels-idx1-ubyte").data, Uint8Array.of(5, 0, 4));
 * ```
 */
export function decodeIdx(bytes: Uint8Array, source = "IDX file"): IdxArray {
  if (isGzip(bytes)) {
    throw new FormatError(
      `${source} is compressed with gzip; expected a plain IDX file: decompress it with gunzip`,
    );
  }
  const { dtype, shape, start, length } = parseHeader(bytes, source);
  if (bytes.length !== length) {
    throw new FormatError(
      `${source} is ${bytes.length} bytes long; expected ${length} for shape [${
        shape.slice(0, 8)
      }] of ${dtype}: it is ${
        bytes.length > length ? "followed by something else" : "cut short"
      }, download it again`,
    );
  }
  const copy = new Uint8Array(bytes.subarray(start));
  const { type } = types[dtype];
  swapBytes(copy, type.BYTES_PER_ELEMENT);
  return { dtype, shape, data: new type(copy.buffer) } as IdxArray;
}

/**
 * Writes an array as an IDX file.
 *
 * @param array row-major values, as many as its shape of 1 to 255 sizes says
 * @throws {VapoError} where the values do not fit the shape or the dtype.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeIdx } from "vapo";
 *
 * const bytes = encodeIdx({ dtype: "int16", shape: [1], data: Int16Array.of(258) });
 * assertEquals(bytes, Uint8Array.of(0, 0, 0x0b, 1, 0, 0, 0, 1, 1, 2)); // big-endian
 * ```
 */
export function encodeIdx({ dtype, shape, data }: IdxArray): Uint8Array<ArrayBuffer> {
  if (!Object.hasOwn(types, dtype) || !(data instanceof types[dtype].type)) {
    throw new VapoError(
      `array has dtype ${dtype} in ${data.constructor.name}; expected one of ${
        Object.keys(types).join(", ")
      } in the array of that name: convert it`,
    );
  }
  const fits = shape.length >= 1 && shape.length <= 255 && shape.every((size) => size < 2 ** 32);
  if (!fits || countElements(shape) !== data.length) {
    throw new VapoError(
      `array has ${data.length} values for shape [${shape}]; expected the product of 1 to 255 sizes below 2³²: reshape it`,
    );
  }
  const start = 4 + 4 * shape.length;
  const bytes = new Uint8Array(start + data.byteLength);
  bytes.set([0, 0, types[dtype].code, shape.length]);
  const view = new DataView(bytes.buffer);
  shape.forEach((size, i) => view.setUint32(4 + 4 * i, size));
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start);
  swapBytes(bytes.subarray(start), data.BYTES_PER_ELEMENT);
  return bytes;
}

/**
 * Reads an IDX file, decompressing it first where it is compressed with gzip, as MNIST's files are
 * handed out. Decompression stops as soon as there is more than the header promises, or than
 * `maxBytes`, so that a small file cannot fill the memory.
 *
 * @param bytes the whole file, as it is on disk
 * @param source its name, for error messages
 * @param options.maxBytes the most that may come out of a compressed file; 1 GiB
 * @throws {FormatError} where the file is damaged, no IDX file, or too large.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeIdx, readIdx } from "vapo";
 *
 * const plain = encodeIdx({ dtype: "uint8", shape: [3], data: Uint8Array.of(5, 0, 4) });
 * const zipped = new Blob([plain]).stream().pipeThrough(new CompressionStream("gzip"));
 * const bytes = new Uint8Array(await new Response(zipped).arrayBuffer());
 * assertEquals((await readIdx(bytes, "labels.gz")).data, Uint8Array.of(5, 0, 4));
 * ```
 */
export async function readIdx(
  bytes: Uint8Array,
  source = "IDX file",
  { maxBytes = 2 ** 30 }: { readonly maxBytes?: number } = {},
): Promise<IdxArray> {
  if (!isGzip(bytes)) return decodeIdx(bytes, source);
  return decodeIdx(await gunzip(bytes, source, maxBytes), source);
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function parseHeader(bytes: Uint8Array, source: string): IdxHeader {
  const code = bytes[2];
  const rank = bytes[3];
  const dtype = (Object.keys(types) as IdxDtype[]).find((name) => types[name].code === code);
  if (!dtype || bytes[0] !== 0 || bytes[1] !== 0 || !(rank > 0)) {
    throw new FormatError(
      `${source} starts with bytes ${
        bytes.subarray(0, 4).join(" ") || "none"
      }; expected 0 0, a type (8, 9, 11 to 14) and a number of dimensions: it is no IDX file`,
    );
  }
  const start = 4 + 4 * rank;
  if (bytes.length < start) {
    throw new FormatError(
      `${source} is ${bytes.length} bytes long; expected ${start} of header for ${rank} dimensions: it is cut short, download it again`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const count = countElements(shape);
  if (count === undefined) {
    throw new FormatError(
      `${source} claims the shape [${
        shape.slice(0, 8)
      }]; expected one that a file can hold: it is damaged, download it again`,
    );
  }
  return { dtype, shape, start, length: start + count * types[dtype].type.BYTES_PER_ELEMENT };
}

/** Reverses the bytes of each value: the file is big-endian, every engine's arrays are not. */
function swapBytes(bytes: Uint8Array, size: number): void {
  if (size === 1) return;
  for (let start = 0; start < bytes.length; start += size) {
    for (let low = start, high = start + size - 1; low < high; low++, high--) {
      [bytes[low], bytes[high]] = [bytes[high], bytes[low]];
    }
  }
}

/** Compressed bytes handed to the decompressor at once: no piece can grow past 1032 times this. */
const pieceLength = 16384;

async function gunzip(bytes: Uint8Array, source: string, maxBytes: number): Promise<Uint8Array> {
  let offset = 0;
  const compressed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (offset >= bytes.length) return controller.close();
      controller.enqueue(new Uint8Array(bytes.subarray(offset, offset += pieceLength)));
    },
  });
  const reader = compressed.pipeThrough(new DecompressionStream("gzip")).getReader();
  const pieces: Uint8Array[] = [];
  let length = 0;
  let promised: number | undefined;
  try {
    while (true) {
      const { done, value } = await reader.read().catch((cause) => {
        throw new FormatError(
          `${source} cannot be decompressed; expected an undamaged gzip file: download it again`,
          { cause },
        );
      });
      if (done) return joined(pieces, length);
      pieces.push(value);
      length += value.length;
      promised ??= promisedLength(joined(pieces, length), source, maxBytes);
      if (length > (promised ?? Infinity)) {
        throw new FormatError(
          `${source} decompresses to more than the ${promised} bytes of its shape; expected no more: it is followed by something else, download it again`,
        );
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // a stream that failed has nothing left to say
  }
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

/** The length that the header at the start of these bytes promises; undefined in a part of one. */
function promisedLength(bytes: Uint8Array, source: string, maxBytes: number): number | undefined {
  if (bytes.length < 4 || bytes.length < 4 + 4 * bytes[3]) return undefined;
  const { length } = parseHeader(bytes, source);
  if (length > maxBytes) {
    throw new FormatError(
      `${source} promises ${length} bytes once decompressed; expected at most ${maxBytes}: decompress it with gunzip first if it is meant to be that large`,
    );
  }
  return length;
}

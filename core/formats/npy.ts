/**
 * @file NumPy's .npy format, version 1.0, for float32, float64, int32 and uint8: written in C
 * order, little-endian; read in any order of elements and bytes (NumPy Enhancement Proposal 1,
 * https://numpy.org/neps/nep-0001-npy-format.html).
 *
 *     6 bytes   \x93NUMPY
 *     2 bytes   version: 1, 0
 *     2 bytes   length of the header, unsigned, little-endian
 *     header    a Python dictionary {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), },
 *               padded with spaces and ended by a newline so that the values start at a multiple
 *               of 64
 *     the rest  the values
 */

import { FormatError, VapoError } from "../errors.ts";
import { countElements } from "./shape.ts";

/** An array of a .npy file: row-major, as many values as its shape says. */
export type NpyArray =
  | { readonly dtype: "float32"; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly dtype: "float64"; readonly shape: readonly number[]; readonly data: Float64Array }
  | { readonly dtype: "int32"; readonly shape: readonly number[]; readonly data: Int32Array }
  | { readonly dtype: "uint8"; readonly shape: readonly number[]; readonly data: Uint8Array };

const arrayTypes = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint8: Uint8Array,
} as const;
/** A byte has no order of bytes. */
const descriptors = { float32: "<f4", float64: "<f8", int32: "<i4", uint8: "|u1" } as const;
const dtypes = Object.keys(arrayTypes) as NpyArray["dtype"][];

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];
const preamble = magic.length + 2;

/**
 * Writes an array as a .npy file that `numpy.load` reads.
 *
 * Source: NumPy Enhancement Proposal 1, version 1.0 of the format.
 *
 * @param array row-major values, as many as its shape says
 * @throws {VapoError} where the values do not fit the shape or the dtype.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeNpy, encodeNpy } from "vapo";
 *
 * const bytes = encodeNpy({ dtype: "float32", shape: [2, 1], data: Float32Array.of(0.5, -1) });
 * assertEquals(decodeNpy(bytes, "samples.npy").shape, [2, 1]);
 * ```
 */
export function encodeNpy({ dtype, shape, data }: NpyArray): Uint8Array<ArrayBuffer> {
  if (!Object.hasOwn(arrayTypes, dtype) || !(data instanceof arrayTypes[dtype])) {
    throw new VapoError(
      `array has dtype ${dtype} in ${data.constructor.name}; expected float32, float64, int32 or uint8 in the array of that name: convert it`,
    );
  }
  if (countElements(shape) !== data.length) {
    throw new VapoError(
      `array has ${data.length} values for shape [${shape}]; expected the product of the shape: reshape it`,
    );
  }
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const dictionary = `{'descr': '${
    descriptors[dtype]
  }', 'fortran_order': False, 'shape': ${tuple}, }`;
  const start = Math.ceil((preamble + dictionary.length + 1) / 64) * 64;
  if (start - preamble > 0xffff) {
    throw new VapoError(
      `shape of ${shape.length} dimensions is too long for a .npy header; expected at most 65,535 characters: reshape it`,
    );
  }
  const bytes = new Uint8Array(start + data.byteLength);
  bytes.set(magic);
  new DataView(bytes.buffer).setUint16(magic.length, start - preamble, true);
  bytes.set(new TextEncoder().encode(dictionary.padEnd(start - preamble - 1) + "\n"), preamble);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start);
  return bytes;
}

/**
 * Reads a .npy file of float32, float64, int32 or uint8. The values are a copy, in C order whatever theirs
 * is in the file.
 *
 * Source: NumPy Enhancement Proposal 1, version 1.0 of the format.
 *
 * @param bytes the whole file
 * @param source its name, for error messages
 * @throws {FormatError} where the file is damaged, no .npy file, or holds another kind of array.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { decodeNpy, encodeNpy, FormatError } from "vapo";
 *
 * const bytes = encodeNpy({ dtype: "int32", shape: [3], data: Int32Array.of(1, 2, 3) });
 * assertEquals(decodeNpy(bytes, "labels.npy").data, Int32Array.of(1, 2, 3));
 * assertThrows(() => decodeNpy(bytes.subarray(0, 135), "labels.npy"), FormatError, "cut short");
 * ```
 */
export function decodeNpy(bytes: Uint8Array, source = "npy file"): NpyArray {
  if (bytes.length < preamble || magic.some((byte, i) => bytes[i] !== byte)) {
    throw new FormatError(
      `${source} does not start as a .npy file of version 1.0; expected the bytes "\\x93NUMPY", 1, 0: write it with numpy.save`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = preamble + view.getUint16(magic.length, true);
  if (start > bytes.length) {
    throw new FormatError(
      `${source} is ${bytes.length} bytes long; expected a header up to byte ${start}: it is cut short, copy it again`,
    );
  }
  const header = new TextDecoder("latin1").decode(bytes.subarray(preamble, start));
  const { dtype, shape, isBigEndian, isFortran } = parseHeader(header, source);
  const count = countElements(shape) ?? Infinity;
  const expected = count * arrayTypes[dtype].BYTES_PER_ELEMENT;
  const actual = bytes.length - start;
  if (actual !== expected) {
    throw new FormatError(
      `${source} has ${actual} bytes of values; expected ${
        expected === Infinity ? "more than any file has" : expected
      } for shape [${shape.slice(0, 8)}] of ${dtype}: it is ${
        actual > expected ? "followed by something else" : "cut short"
      }, copy it again`,
    );
  }
  const copy = new Uint8Array(bytes.subarray(start));
  if (isBigEndian) reverseBytes(copy, arrayTypes[dtype].BYTES_PER_ELEMENT);
  const data = new arrayTypes[dtype](copy.buffer);
  return { dtype, shape, data: isFortran ? rowMajor(data, shape) : data } as NpyArray;
}

/** Turns the bytes of each element around, in place. */
function reverseBytes(bytes: Uint8Array, size: number): void {
  for (let start = 0; start < bytes.length; start += size) {
    bytes.subarray(start, start + size).reverse();
  }
}

/** Values in Fortran order, the first index fastest, in C order, the last one fastest. */
function rowMajor(data: NpyArray["data"], shape: readonly number[]): NpyArray["data"] {
  const result = data.slice();
  if (data.length === 0) return result;
  const sizes = shape.filter((size) => size > 1);
  const last = sizes.length - 1;
  if (last < 1) return result;
  const strides = sizes.map((_, i) =>
    sizes.slice(0, i).reduce((product, size) => product * size, 1)
  );
  let next = 0;
  const visit = (dimension: number, at: number): void => {
    for (let i = 0; i < sizes[dimension]; i++, at += strides[dimension]) {
      if (dimension === last) result[next++] = data[at];
      else visit(dimension + 1, at);
    }
  };
  visit(0, 0);
  return result;
}

/** One entry of the dictionary: a key and a string, a truth value or a tuple of sizes. */
const entryPattern =
  /\s*(['"])(descr|fortran_order|shape)\1\s*:\s*(?:(['"])([^'"\\]*)\3|(True|False)|\(([\d, ]*)\))\s*(,|$)/y;

function parseHeader(
  header: string,
  source: string,
): { dtype: NpyArray["dtype"]; shape: number[]; isBigEndian: boolean; isFortran: boolean } {
  const fields = parseDictionary(header);
  const shape = parseTuple(fields?.shape);
  if (!fields || !shape) {
    throw new FormatError(
      `${source} has the header ${
        JSON.stringify(header.trim().slice(0, 80))
      }; expected {'descr': ..., 'fortran_order': ..., 'shape': (...), }: it is damaged, use another copy`,
    );
  }
  const isBigEndian = fields.descr.startsWith(">");
  const descriptor = fields.descr.replace(/^>/, "<");
  const dtype = dtypes.find((name) => descriptors[name] === descriptor);
  if (!dtype) {
    throw new FormatError(
      `${source} holds ${JSON.stringify(fields.descr.slice(0, 20))}; expected ${
        Object.values(descriptors).join(", ")
      }: save array.astype("<f4")`,
    );
  }
  return { dtype, shape, isBigEndian, isFortran: fields.fortran_order === "True" };
}

/** The texts of the three entries, or undefined where the header is anything else. */
function parseDictionary(
  header: string,
): Record<"descr" | "fortran_order" | "shape", string> | undefined {
  const inside = /^\s*\{(.*)\}\s*$/s.exec(header)?.[1].trim();
  if (inside === undefined) return undefined;
  const fields: Record<string, string> = {};
  const kinds = { descr: 4, fortran_order: 5, shape: 6 } as const;
  let end = 0;
  while (end < inside.length) {
    entryPattern.lastIndex = end;
    const match = entryPattern.exec(inside);
    if (!match) return undefined;
    const key = match[2] as keyof typeof kinds;
    const text = match[kinds[key]];
    if (text === undefined || Object.hasOwn(fields, key)) return undefined;
    fields[key] = text;
    end = entryPattern.lastIndex;
  }
  const { descr, fortran_order, shape } = fields;
  if (descr === undefined || fortran_order === undefined || shape === undefined) return undefined;
  return { descr, fortran_order, shape };
}

/** The sizes inside the parentheses of a Python tuple: "", "3,", "3, 4" or "3, 4,". */
function parseTuple(text: string | undefined): number[] | undefined {
  if (text === undefined) return undefined;
  if (text.trim() === "") return [];
  const sizes = text.split(",").map((size) => size.trim());
  if (sizes.length < 2) return undefined; // "(3)" is a number, not a tuple
  if (sizes.at(-1) === "") sizes.pop();
  return sizes.every((size) => /^(0|[1-9]\d{0,15})$/.test(size)) ? sizes.map(Number) : undefined;
}

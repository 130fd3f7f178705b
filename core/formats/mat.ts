/**
 * @file MATLAB's MAT-files of version 5 to 7, as MATLAB and SciPy's `savemat` write them (The
 * MathWorks, "MAT-File Format", "Level 5 MAT-File Format"): arrays of real numbers, little-endian.
 *
 *     128 bytes  text, version 0x0100, "IM" where little-endian
 *     elements   type and length in 32 bits each, then the data, filled up to a multiple of 8; data
 *                of up to 4 bytes may stand in place of the length, which the type's upper half is
 *     a variable an element that holds elements: flags with the class, sizes, name, values; or
 *                all that compressed with zlib
 */

import { FormatError } from "../errors.ts";
import { quoted } from "./archive_path.ts";
import { inflate } from "./decompression.ts";
import { countElements } from "./shape.ts";

/** A class of numbers and the array that holds them. */
interface ArrayOfClass {
  double: Float64Array<ArrayBuffer>;
  single: Float32Array<ArrayBuffer>;
  int8: Int8Array<ArrayBuffer>;
  uint8: Uint8Array<ArrayBuffer>;
  int16: Int16Array<ArrayBuffer>;
  uint16: Uint16Array<ArrayBuffer>;
  int32: Int32Array<ArrayBuffer>;
  uint32: Uint32Array<ArrayBuffer>;
  int64: BigInt64Array<ArrayBuffer>;
  uint64: BigUint64Array<ArrayBuffer>;
}

/** A class of numbers by MATLAB's name. */
export type MatClass = keyof ArrayOfClass;

/** An array of a MAT-file. */
export type MatArray = {
  [C in MatClass]: {
    readonly type: C;
    /** Two sizes at least; MATLAB drops those of 1 at the end beyond the second. */
    readonly dims: readonly number[];
    /** The values, the first index running fastest. */
    readonly data: ArrayOfClass[C];
  };
}[MatClass];

/** Makes an array of one class, out of an ArrayBuffer or of as many zeros. */
interface ArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): MatArray["data"];
  new (buffer: ArrayBuffer, byteOffset: number, length: number): MatArray["data"];
}

const arrayTypes: Readonly<Record<MatClass, ArrayConstructor>> = {
  double: Float64Array,
  single: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
};

/** The classes of variables, by their number in the file. */
const classes: Readonly<Record<number, MatClass>> = {
  6: "double",
  7: "single",
  8: "int8",
  9: "uint8",
  10: "int16",
  11: "uint16",
  12: "int32",
  13: "uint32",
  14: "int64",
  15: "uint64",
};

const refusedClasses: Readonly<Record<number, string>> = {
  1: "a cell array",
  2: "a structure",
  3: "an object",
  4: "text",
  5: "a sparse matrix",
  16: "a function",
  17: "an object",
};

/** The types of stored values, by their number: not always those of the class, to save space. */
const storedTypes: Readonly<Record<number, MatClass>> = {
  1: "int8",
  2: "uint8",
  3: "int16",
  4: "uint16",
  5: "int32",
  6: "uint32",
  7: "single",
  9: "double",
  12: "int64",
  13: "uint64",
};

const headerLength = 128;
const matrixType = 14;
const compressedType = 15;

/**
 * Reads the variables of a MAT-file: arrays of real numbers, of any class. What is compressed is
 * decompressed to where it is returned, so that the memory taken is that of the file and the values.
 *
 * Source: The MathWorks, "MAT-File Format", "Level 5 MAT-File Format".
 *
 * @param bytes the whole file
 * @param source its name, for error messages
 * @returns the arrays by name; their values are copies
 * @throws {FormatError} where the file is cut short, damaged, of another version or byte order, or
 * has a variable that is something else.
 *
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { FormatError, readMat } from "vapo";
 * const header = new Uint8Array(128);
 * header.set([0x20], 0); // text, then the version and the order of bytes
 * header.set([0x00, 0x01, 0x49, 0x4d], 124);
 * assertEquals(Object.keys(await readMat(header, "empty.mat")), []);
 * await assertRejects(() => readMat(header.subarray(1), "cut.mat"), FormatError, "cut.mat");
 * ```
 */
export async function readMat(
  bytes: Uint8Array,
  source = "MAT-file",
): Promise<Record<string, MatArray>> {
  checkHeader(bytes, source);
  const arrays: Record<string, MatArray> = Object.create(null);
  let at = headerLength;
  while (at < bytes.length) {
    const element = readTag(bytes, at, source);
    const variable = await readVariable(bytes, element, source);
    if (variable) {
      if (variable.name in arrays) {
        throw new FormatError(
          `${source} has a second variable ${
            quoted(variable.name)
          } at byte ${at}; expected every name once: write it again`,
        );
      }
      arrays[variable.name] = variable.array;
    }
    at = element.next;
  }
  return arrays;
}

function checkHeader(bytes: Uint8Array, source: string): void {
  const latin1 = (start: number, end: number) => String.fromCharCode(...bytes.subarray(start, end));
  const order = latin1(126, 128);
  const version = latin1(124, 126);
  const isHdf5 = latin1(0, 19) === "MATLAB 7.3 MAT-file" || latin1(512, 520).startsWith("\x89HDF");
  const reason = bytes.length < headerLength
    ? `is ${bytes.length} bytes long; expected at least the ${headerLength} of a MAT-file's header: it is cut short or no MAT-file`
    : isHdf5
    ? 'is of version 7.3 (HDF5), by its first bytes; expected version 7 or 5: save it with save(..., "-v7")'
    : order === "MI"
    ? "is big-endian, by byte 126; expected little-endian: load it and save it again on a PC"
    : order !== "IM" || version !== "\0\x01"
    ? `has version and byte order ${
      quoted(version + order)
    } at byte 124; expected "\\u0000\\u0001IM": it is no MAT-file of version 5 to 7`
    : undefined;
  if (reason) throw new FormatError(`${source} ${reason}`);
}

/** An element and where its data is, all within the bytes it was found in. */
interface MatElement {
  readonly type: number;
  /** Where its tag starts. */
  readonly offset: number;
  readonly start: number;
  readonly length: number;
  /** Where the one after it starts. */
  readonly next: number;
}

/** Reads the tag of an element; `where` names what the bytes are of. */
function readTag(bytes: Uint8Array, offset: number, where: string): MatElement {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const remaining = bytes.length - offset;
  const word = remaining >= 8 ? view.getUint32(offset, true) : 0;
  const shortLength = word >>> 16;
  const length = shortLength || (remaining >= 8 ? view.getUint32(offset + 4, true) : 8);
  const start = offset + (shortLength ? 4 : 8);
  if (remaining < 8 || shortLength > 4 || start + length > bytes.length) {
    throw new FormatError(
      `${where} has an element of ${length} bytes at byte ${offset}, where ${
        Math.max(0, bytes.length - start)
      } follow; expected a whole one: it is cut short or damaged, download it again`,
    );
  }
  const type = word & 0xffff;
  // A compressed variable alone is not filled up; nor, by some writers, the last of all.
  const padded = type === compressedType ? start + length : start + length + (-length & 7);
  const next = shortLength ? offset + 8 : Math.min(padded, bytes.length);
  return { type, offset, start, length, next };
}

interface MatVariable {
  readonly name: string;
  readonly array: MatArray;
}

/** Reads a variable, decompressing it first where it is; nothing where MATLAB keeps its own. */
async function readVariable(
  bytes: Uint8Array,
  element: MatElement,
  source: string,
): Promise<MatVariable | undefined> {
  const { type, offset, start, length } = element;
  const content = bytes.subarray(start, start + length);
  if (type === matrixType) {
    return readMatrix(content, `${source}: variable at byte ${offset}`, true);
  }
  if (type !== compressedType) {
    throw new FormatError(
      `${source} has an element of type ${type} at byte ${offset}; expected 14 or 15, a variable: it is damaged, download it again`,
    );
  }
  const where = `${source}: compressed variable at byte ${offset}`;
  const whole = await inflate(content, "deflate", {
    headerLength: 8,
    lengthOf(tag) {
      const [kind, size] = new Uint32Array(tag.buffer);
      if (kind === matrixType) return 8 + size;
      throw new FormatError(
        `${where} holds an element of type ${kind}; expected 14, a variable: it is damaged, download it again`,
      );
    },
  }, where);
  return readMatrix(whole.subarray(8), where, false);
}

/** What the first three elements of a variable say. */
interface MatrixHeader {
  readonly name: string;
  readonly classNumber: number;
  readonly isComplex: boolean;
  readonly dims: readonly number[];
  readonly values: number;
}

/**
 * Reads a variable from its elements.
 *
 * @param keepsBytes whether `content` stays the caller's, so that its values have to be copied
 */
function readMatrix(
  content: Uint8Array,
  where: string,
  keepsBytes: boolean,
): MatVariable | undefined {
  const { name, classNumber, isComplex, dims, values } = readMatrixHeader(content, where);
  const named = `${where}, ${quoted(name)},`;
  const type = classes[classNumber];
  if (!type || isComplex) {
    if (name === "" && classNumber in refusedClasses) return undefined; // of MATLAB's own
    throw new FormatError(
      `${named} is ${
        isComplex && type
          ? "an array of complex numbers"
          : refusedClasses[classNumber] ?? `of class ${classNumber}`
      }; expected an array of real numbers: save the file without it`,
    );
  }
  const element = readTag(content, values, named);
  const stored = storedTypes[element.type];
  const count = countElements(dims);
  const length = stored && count !== undefined
    ? count * arrayTypes[stored].BYTES_PER_ELEMENT
    : undefined;
  const isFloat = (kind: MatClass) => kind === "double" || kind === "single";
  if (length === undefined || element.length !== length || isFloat(stored) && !isFloat(type)) {
    throw new FormatError(
      `${named} has ${element.length} bytes of type ${element.type} for sizes [${
        dims.slice(0, 8).join(", ")
      }] of ${type}; expected ${
        length ?? "a whole number of them and"
      } bytes of such numbers: it is damaged, download it again`,
    );
  }
  if (element.next !== content.length) {
    throw new FormatError(
      `${named} has ${
        content.length - element.next
      } bytes after its values; expected none: it is damaged, download it again`,
    );
  }
  const found = arrayAt(content, element.start, stored, count!, keepsBytes);
  const data = stored === type ? found : converted(found, type);
  return name === "" ? undefined : { name, array: { type, dims, data } as MatArray };
}

function readMatrixHeader(content: Uint8Array, where: string): MatrixHeader {
  const flags = readTag(content, 0, where);
  const sizes = readTag(content, flags.next, where);
  const name = readTag(content, sizes.next, where);
  const rank = sizes.length / 4;
  const isHeader = flags.type === 6 && flags.length === 8 && sizes.type === 5 && rank >= 2 &&
    rank <= 64 && Number.isInteger(rank) && name.type === 1 && name.length <= 4096;
  if (!isHeader) {
    throw new FormatError(
      `${where} starts with elements of types ${flags.type}, ${sizes.type}, ${name.type} and lengths ${flags.length}, ${sizes.length}, ${name.length}; expected 6, 5, 1 and 8, 4 a size, that of a name: it is damaged, download it again`,
    );
  }
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  return {
    name: String.fromCharCode(...content.subarray(name.start, name.start + name.length)),
    classNumber: content[flags.start],
    isComplex: (content[flags.start + 1] & 8) !== 0,
    dims: Array.from({ length: rank }, (_, i) => view.getInt32(sizes.start + 4 * i, true)),
    values: name.next,
  };
}

/** Values as they are stored, in place where that can be and the bytes are ours. */
function arrayAt(
  content: Uint8Array,
  start: number,
  type: MatClass,
  count: number,
  keepsBytes: boolean,
): MatArray["data"] {
  const { BYTES_PER_ELEMENT: size } = arrayTypes[type];
  const mustCopy = keepsBytes || (content.byteOffset + start) % size !== 0;
  const bytes = content.subarray(start, start + count * size);
  const { buffer, byteOffset } = mustCopy ? new Uint8Array(bytes) : bytes;
  return new arrayTypes[type](buffer as ArrayBuffer, byteOffset, count);
}

/** Numbers in the array of another class; that they fit it, the file's writer has seen to. */
function converted(values: MatArray["data"], type: MatClass): MatArray["data"] {
  const result = new arrayTypes[type](values.length);
  const isBig = type === "int64" || type === "uint64";
  for (let i = 0; i < values.length; i++) result[i] = isBig ? BigInt(values[i]) : Number(values[i]);
  return result;
}

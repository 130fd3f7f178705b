/**
 * @file The elements of PyTorch's storages as float32, and tensors as views of storages: an offset
 * and a stride a dimension (torch/_utils.py, `_rebuild_tensor`).
 */

import { FormatError } from "../errors.ts";
import { countElements } from "./shape.ts";

/** A type of element, as PyTorch calls it. */
export type TorchDtype =
  | "float64"
  | "float32"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint8"
  | "bool";

/** How the elements of a type are stored, and the number that one stands for. */
interface Elements {
  /** The class of its storages: `torch.FloatStorage`. */
  readonly storage: string;
  readonly bytes: number;
  /** An array over the elements in little-endian bytes. */
  readonly array: new (
    buffer: ArrayBufferLike,
    byteOffset: number,
    length: number,
  ) => ArrayLike<number | bigint>;
  /** The number that an element stands for, where it is not that number itself. */
  decode?: (element: number) => number;
}

const elementTypes: Readonly<Record<TorchDtype, Elements>> = {
  float64: { storage: "DoubleStorage", bytes: 8, array: Float64Array },
  float32: { storage: "FloatStorage", bytes: 4, array: Float32Array },
  float16: {
    storage: "HalfStorage",
    bytes: 2,
    array: Uint16Array,
    decode: halfPrecision,
  },
  bfloat16: {
    storage: "BFloat16Storage",
    bytes: 2,
    array: Uint16Array,
    decode: upperHalf,
  },
  int64: { storage: "LongStorage", bytes: 8, array: BigInt64Array },
  int32: { storage: "IntStorage", bytes: 4, array: Int32Array },
  int16: { storage: "ShortStorage", bytes: 2, array: Int16Array },
  int8: { storage: "CharStorage", bytes: 1, array: Int8Array },
  uint8: { storage: "ByteStorage", bytes: 1, array: Uint8Array },
  bool: { storage: "BoolStorage", bytes: 1, array: Uint8Array },
};

/** The types and the classes of their storages. */
export const storageClasses: readonly { readonly dtype: TorchDtype; readonly name: string }[] =
  (Object.keys(elementTypes) as TorchDtype[]).map((dtype) => ({
    dtype,
    name: elementTypes[dtype].storage,
  }));

/** How many bytes an element takes. */
export function elementBytes(dtype: TorchDtype): number {
  return elementTypes[dtype].bytes;
}

/** IEEE 754 binary16: one bit of sign, five of exponent, ten of fraction. */
function halfPrecision(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0
    ? sign * fraction * 2 ** -24
    : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const word = new Uint32Array(1), wordAsFloat = new Float32Array(word.buffer);

/** bfloat16: the upper half of a binary32. */
function upperHalf(bits: number): number {
  word[0] = bits << 16;
  return wordAsFloat[0];
}

/** Which elements of a storage a tensor has. */
export interface StridedView {
  /** Of its first element, in elements from the storage's start. */
  readonly offset: number;
  readonly shape: readonly number[];
  /** Elements between neighbours, a number a dimension. */
  readonly strides: readonly number[];
}

/**
 * Checks that a view lies within its storage.
 *
 * @param view whatever a file says
 * @param length the storage's, in elements
 * @param maxCount the most elements that it may have: a stride of 0 makes many of one
 * @param where the file and the tensor, for error messages
 * @returns how many elements it has
 * @throws {FormatError} where it does not, or its numbers are no counts.
 */
export function checkView(
  { offset, shape, strides }: StridedView,
  length: number,
  maxCount: number,
  where: string,
): number {
  const fail = (found: string, expected: string): never => {
    throw new FormatError(`${where} has ${found}; expected ${expected}: it is damaged or forged`);
  };
  const text = (numbers: readonly number[]) =>
    `[${numbers.slice(0, 8).map(String).join(", ")}${numbers.length > 8 ? ", …" : ""}]`;
  const count = countElements(shape);
  if (shape.length > maxDimensions || count === undefined || count > maxCount) {
    return fail(`shape ${text(shape)}`, `sizes that are counts of at most ${maxCount} elements`);
  }
  if (strides.length !== shape.length || !strides.every(isCount)) {
    return fail(`strides ${text(strides)}`, `${shape.length} that are not negative`);
  }
  if (!isCount(offset)) return fail(`offset ${offset}`, "one that is not negative");
  const last = shape.reduce((last, size, i) => last + (size - 1) * strides[i], offset);
  if (count > 0 && !(last < length)) {
    return fail(
      `shape ${text(shape)} and strides ${text(strides)} from element ${offset} on`,
      `elements of its storage, which has ${length}`,
    );
  }
  return count;
}

/** More than PyTorch's own limit. */
const maxDimensions = 64;

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/**
 * The first and the last element of a view that {@link checkView} has passed: all that has to be
 * read of the storage. Nothing, [0, 0), of a view without elements.
 */
export function viewExtent({ offset, shape, strides }: StridedView): [begin: number, end: number] {
  if (shape.includes(0)) return [0, 0];
  return [offset, shape.reduce((last, size, i) => last + (size - 1) * strides[i], offset) + 1];
}

/**
 * The elements of a view in row-major order.
 *
 * @param bytes the storage from `firstElement` on, little-endian
 * @param view a view that lies within it
 * @returns what float32 can hold of each number; whole numbers beyond 2²⁴ are rounded, truth values
 * are 0 and 1
 */
export function gatherView(
  bytes: Uint8Array,
  dtype: TorchDtype,
  view: StridedView,
  firstElement: number,
): Float32Array<ArrayBuffer> {
  const { array, decode, bytes: size } = elementTypes[dtype];
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const count = Math.floor(aligned.length / size);
  const elements = new array(aligned.buffer, aligned.byteOffset, count);
  const values = new Float32Array(view.shape.reduce((product, each) => product * each, 1));
  const { shape, strides } = mergeDimensions(view);
  const first = view.offset - firstElement;
  if (elements instanceof Float32Array && shape.length <= 1 && (strides[0] ?? 1) === 1) {
    values.set(elements.subarray(first, first + values.length));
    return values;
  }
  const last = shape.length - 1, length = shape[last] ?? 1, stride = strides[last] ?? 0;
  let next = 0;
  /** Rows are read in a loop, what is around them by recursion: as deep as there are dimensions. */
  const visit = (dimension: number, at: number): void => {
    if (dimension < last) {
      for (let i = 0; i < shape[dimension]; i++, at += strides[dimension]) visit(dimension + 1, at);
      return;
    }
    for (let i = 0; i < length; i++, at += stride) {
      const element = Number(elements[at]);
      values[next++] = decode ? decode(element) : element;
    }
  };
  if (values.length > 0) visit(0, first);
  return values;
}

/** The same elements in the same order, with as few dimensions as that takes. */
function mergeDimensions({ shape, strides }: StridedView): { shape: number[]; strides: number[] } {
  const merged: { shape: number[]; strides: number[] } = { shape: [], strides: [] };
  shape.forEach((size, i) => {
    const last = merged.shape.length - 1;
    if (size === 1) return;
    if (last >= 0 && merged.strides[last] === size * strides[i]) {
      merged.shape[last] *= size;
      merged.strides[last] = strides[i];
    } else {
      merged.shape.push(size);
      merged.strides.push(strides[i]);
    }
  });
  return merged;
}

/** Elements that lie one after the other, as {@link gatherView} gives them. */
export function tensorValues(bytes: Uint8Array, dtype: TorchDtype): Float32Array<ArrayBuffer> {
  const count = Math.floor(bytes.length / elementBytes(dtype));
  return gatherView(bytes, dtype, { offset: 0, shape: [count], strides: [1] }, 0);
}

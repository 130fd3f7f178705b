/**
 * @file safetensors: named arrays in one file, as the reference implementation reads and writes
 * them (https://github.com/huggingface/safetensors, README "Format").
 *
 *     8 bytes   N, the length of the header, unsigned, little-endian
 *     N bytes   JSON: {"__metadata__": {text: text}, NAME: {dtype, shape, data_offsets}, ...},
 *               padded with spaces to a multiple of 8
 *     the rest  the arrays, row-major, little-endian, one after the other without a hole
 *
 * The format has no checksum: a flipped bit in a weight goes unseen. The writer here adds one as an
 * entry of `__metadata__`, which other readers take for free text. It is a CRC-32 of the whole file
 * with its own eight digits taken as zeros, so that names, shapes and offsets are covered as well
 * as the payload. CRC-32 rather than SHA-256 because the enemy is a bad disk or a cut transfer,
 * not a forger: it detects every burst of up to 32 bits and misses one in 2³² of other damage, it
 * needs no asynchronous call, it is there on pages without a secure context, where crypto.subtle is
 * not, and it runs at the same speed (0.77 against 0.6 GB/s on one core).
 */

import { FormatError, VapoError } from "../errors.ts";
import { crc32 } from "./crc32.ts";
import { countElements } from "./shape.ts";

/** A dtype and the array that holds its values; half precision and 8-bit floats as raw bits. */
interface ArrayOfDtype {
  U64: BigUint64Array;
  I64: BigInt64Array;
  F64: Float64Array;
  F32: Float32Array;
  U32: Uint32Array;
  I32: Int32Array;
  BF16: Uint16Array;
  F16: Uint16Array;
  U16: Uint16Array;
  I16: Int16Array;
  F8_E4M3: Uint8Array;
  F8_E5M2: Uint8Array;
  I8: Int8Array;
  U8: Uint8Array;
  BOOL: Uint8Array;
}

/** The name that a safetensors file gives to a type of element. */
export type SafetensorsDtype = keyof ArrayOfDtype;

/**
 * One array of a file: row-major, as many values as its shape says. F16, BF16 and the 8-bit floats
 * are raw bits, BOOL is bytes 0 and 1.
 */
export type SafetensorsTensor = {
  [D in SafetensorsDtype]: {
    readonly dtype: D;
    readonly shape: readonly number[];
    readonly data: ArrayOfDtype[D];
  };
}[SafetensorsDtype];

/** What a file holds. */
export interface SafetensorsFile {
  /** The arrays by name; without a prototype, so that any name is safe to look up. */
  readonly tensors: Readonly<Record<string, SafetensorsTensor>>;
  /** The entries of `__metadata__`, less the checksum. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The checksum that the file carries and that its bytes were found to have, if it carries one. */
  readonly checksum?: string;
}

/** What is known of an array before its values are read. */
interface TensorEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * How each dtype is stored, in the order in which the reference implementation writes arrays:
 * largest elements first, so that each is aligned to its own size.
 */
const arrayTypes: {
  readonly [D in SafetensorsDtype]: {
    readonly name: string;
    readonly BYTES_PER_ELEMENT: number;
    new (buffer: ArrayBuffer): ArrayOfDtype[D];
  };
} = {
  U64: BigUint64Array,
  I64: BigInt64Array,
  F64: Float64Array,
  F32: Float32Array,
  U32: Uint32Array,
  I32: Int32Array,
  BF16: Uint16Array,
  F16: Uint16Array,
  U16: Uint16Array,
  I16: Int16Array,
  F8_E4M3: Uint8Array,
  F8_E5M2: Uint8Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
};
const dtypes = Object.keys(arrayTypes) as SafetensorsDtype[];

const metadataKey = "__metadata__";
const checksumKey = "vapo.crc32";
const checksumDigits = 8;
/** How the header of a file with a checksum starts; the eight digits follow. */
const checksumPrefix = `{"${metadataKey}":{"${checksumKey}":"`;
const checksumStart = 8 + checksumPrefix.length;
const noChecksum = "0".repeat(checksumDigits);

/** As in the reference implementation: more is taken for an attack. */
const maxHeaderLength = 100_000_000;
/** A JSON text of 100 MB can make objects of many gigabytes; no description of arrays needs more. */
const maxDepth = 64;
const maxValues = 4_000_000;

/**
 * Writes arrays as one safetensors file, with a checksum that {@link decodeSafetensors} verifies.
 * Readable by every other implementation. The same arrays give the same bytes in whatever order
 * they are handed in.
 *
 * Source: https://github.com/huggingface/safetensors, README, "Format".
 *
 * @param tensors the arrays by name; row-major values, as many as the shape says
 * @param metadata free text entries for `__metadata__`
 * @param options.checksum whether to add the checksum; true
 * @throws {VapoError} where an array does not fit its shape or dtype, a name is reserved, or the
 * header would be longer than 100 MB.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeSafetensors, encodeSafetensors } from "vapo";
 *
 * const bytes = encodeSafetensors(
 *   { bias: { dtype: "F32", shape: [2], data: Float32Array.of(0.5, -1) } },
 *   { step: "1000" },
 * );
 * const { tensors, metadata } = decodeSafetensors(bytes, "model.safetensors");
 * assertEquals(tensors.bias.data, Float32Array.of(0.5, -1));
 * assertEquals(metadata, { step: "1000" });
 * ```
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, SafetensorsTensor>>,
  metadata: Readonly<Record<string, string>> = {},
  { checksum = true }: { readonly checksum?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const ordered = Object.entries(tensors).sort(([nameA, a], [nameB, b]) =>
    dtypes.indexOf(a.dtype) - dtypes.indexOf(b.dtype) || (nameA < nameB ? -1 : 1)
  );
  for (const [name, tensor] of ordered) checkTensor(name, tensor);
  const header = encodeHeader(ordered, metadata, checksum);
  const payload = ordered.reduce((sum, [, { data }]) => sum + data.byteLength, 0);
  const bytes = new Uint8Array(8 + header.length + payload);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  let offset = 8 + header.length;
  for (const [, { data }] of ordered) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  if (checksum) bytes.set(new TextEncoder().encode(checksumOf(bytes)), checksumStart);
  return bytes;
}

/**
 * The checksum that belongs into a file written with one: the CRC-32 of all its bytes with the
 * eight digits of the checksum itself taken as zeros, as eight hexadecimal digits.
 *
 * @param bytes a file of {@link encodeSafetensors}
 * @param source its name, for error messages
 * @throws {FormatError} where the file has no place for a checksum.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { checksumOf, decodeSafetensors, encodeSafetensors } from "vapo";
 *
 * const bytes = encodeSafetensors({ x: { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) } });
 * assertEquals(decodeSafetensors(bytes).checksum, checksumOf(bytes));
 * ```
 */
export function checksumOf(bytes: Uint8Array, source = "safetensors file"): string {
  if (carriedChecksum(bytes) === undefined) {
    throw new FormatError(
      `${source} has no place for a checksum; expected metadata entry ${checksumKey} first: write it with the checksum option`,
    );
  }
  const before = crc32(bytes.subarray(0, checksumStart));
  const blank = crc32(new TextEncoder().encode(noChecksum), before);
  const crc = crc32(bytes.subarray(checksumStart + checksumDigits), blank);
  return crc.toString(16).padStart(checksumDigits, "0");
}

/**
 * Reads a safetensors file, checked as in the reference implementation: lengths, JSON without
 * duplicate keys, dtypes, shapes and offsets that cover the payload without a hole or an overlap.
 * A checksum, where there is one, is verified. The arrays are copies; nothing is allocated that the
 * bytes do not back.
 *
 * @param bytes the whole file
 * @param source its name, for error messages
 * @param options.checksum "required" refuses a file that carries none, as a checkpoint must (a bit
 * flipped in the entry's own name would otherwise hide it); "optional", the default, lets files of
 * other writers through
 * @throws {FormatError} where the file is damaged or no safetensors file.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { decodeSafetensors, encodeSafetensors, FormatError } from "vapo";
 *
 * const bytes = encodeSafetensors({ x: { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) } });
 * assertEquals(decodeSafetensors(bytes).tensors.x.shape, [3]);
 *
 * bytes[bytes.length - 1] ^= 4; // one flipped bit
 * assertThrows(() => decodeSafetensors(bytes, "model.safetensors"), FormatError, "damaged");
 * ```
 */
export function decodeSafetensors(
  bytes: Uint8Array,
  source = "safetensors file",
  { checksum = "optional" }: { readonly checksum?: "required" | "optional" } = {},
): SafetensorsFile {
  const text = headerText(bytes, source);
  const carried = carriedChecksum(bytes);
  if (carried === undefined && checksum === "required") {
    throw new FormatError(
      `${source} has no checksum; expected metadata entry ${checksumKey} first: it is damaged or another program's, use a copy written by vapo`,
    );
  }
  if (carried !== undefined && carried !== checksumOf(bytes)) {
    throw new FormatError(
      `${source} is damaged: checksum ${checksumOf(bytes)}, expected ${
        brief(carried)
      }; use another copy or an earlier checkpoint`,
    );
  }
  const { metadata, entries } = parseHeader(text, source);
  if (Object.hasOwn(metadata, checksumKey)) {
    if (carried === undefined) {
      throw new FormatError(
        `${source} was rewritten by another program: its checksum is not where it was; remove metadata entry ${checksumKey}`,
      );
    }
    delete metadata[checksumKey];
  }
  const start = bytes.length - coveredLength(entries, bytes.length - payloadStart(bytes), source);
  const tensors = Object.fromEntries(
    entries.map((entry) => [entry.name, readTensor(bytes, start, entry)]),
  );
  return { tensors: Object.setPrototypeOf(tensors, null), metadata, checksum: carried };
}

// Writing

function checkTensor(name: string, { dtype, shape, data }: SafetensorsTensor): void {
  const named = `tensor ${brief(name)}`;
  if (name === metadataKey || !name.isWellFormed()) {
    throw new VapoError(
      `${named} has a name that cannot be stored; expected Unicode text other than ${metadataKey}: rename it`,
    );
  }
  if (!Object.hasOwn(arrayTypes, dtype)) {
    throw new VapoError(
      `${named} has dtype ${JSON.stringify(dtype)}; expected one of ${dtypes.join(", ")}`,
    );
  }
  if (!(data instanceof arrayTypes[dtype])) {
    throw new VapoError(
      `${named} of dtype ${dtype} is held in another array type; expected ${
        arrayTypes[dtype].name
      }: convert it`,
    );
  }
  if (countElements(shape) !== data.length) {
    throw new VapoError(
      `${named} has ${data.length} values for shape [${shape}]; expected the product of the shape: reshape it`,
    );
  }
}

function encodeHeader(
  ordered: readonly (readonly [string, SafetensorsTensor])[],
  metadata: Readonly<Record<string, string>>,
  checksum: boolean,
): Uint8Array {
  const texts = Object.entries(metadata).map(([key, value]) => {
    if (key === checksumKey || !key.isWellFormed() || !value.isWellFormed()) {
      throw new VapoError(
        `metadata entry ${
          brief(key)
        } cannot be stored; expected Unicode text under a key other than ${checksumKey}: change it`,
      );
    }
    return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  });
  if (checksum) texts.unshift(`"${checksumKey}":"${noChecksum}"`);
  const fields = texts.length > 0 ? [`"${metadataKey}":{${texts.join(",")}}`] : [];
  let offset = 0;
  for (const [name, { dtype, shape, data }] of ordered) {
    const entry = { dtype, shape, data_offsets: [offset, offset += data.byteLength] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
  }
  const unpadded = new TextEncoder().encode(`{${fields.join(",")}}`);
  const header = new Uint8Array(Math.ceil(unpadded.length / 8) * 8).fill(0x20);
  if (header.length > maxHeaderLength) {
    throw new VapoError(
      `the header would be ${header.length} bytes long; expected at most ${maxHeaderLength}: write fewer tensors or shorter names`,
    );
  }
  header.set(unpadded);
  return header;
}

// Reading

/** The eight digits where a checksum stands, whatever they are, or undefined where none does. */
function carriedChecksum(bytes: Uint8Array): string | undefined {
  const decoder = new TextDecoder("latin1");
  const prefix = decoder.decode(bytes.subarray(8, checksumStart));
  if (prefix !== checksumPrefix) return undefined;
  return decoder.decode(bytes.subarray(checksumStart, checksumStart + checksumDigits));
}

/** Where the arrays start, once {@link headerText} has found the length in range. */
function payloadStart(bytes: Uint8Array): number {
  return 8 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

function headerText(bytes: Uint8Array, source: string): string {
  if (bytes.length < 8) {
    throw new FormatError(
      `${source} is ${bytes.length} bytes long; expected at least the 8 of a safetensors header length: it is cut short or another format`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > maxHeaderLength || Number(length) > bytes.length - 8) {
    throw new FormatError(
      `${source} claims a header of ${length} bytes; expected at most ${
        Math.min(maxHeaderLength, bytes.length - 8)
      }: it is cut short or another format`,
    );
  }
  const header = bytes.subarray(8, 8 + Number(length));
  if (header[0] !== 0x7b) {
    throw new FormatError(
      `${source} has a header that does not start with "{"; expected JSON: it is damaged or another format`,
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header);
  } catch {
    throw new FormatError(
      `${source} has a header that is not UTF-8; expected JSON: it is damaged, use another copy`,
    );
  }
}

function parseHeader(
  text: string,
  source: string,
): { metadata: Record<string, string>; entries: TensorEntry[] } {
  let header: unknown;
  let duplicate: string | undefined;
  try {
    duplicate = findDuplicateKey(text);
    header = JSON.parse(text);
  } catch {
    throw new FormatError(
      `${source} has a header that is not valid JSON of at most ${maxValues} values, ${maxDepth} deep; expected an object of tensors: it is damaged, use another copy`,
    );
  }
  if (duplicate !== undefined) {
    throw new FormatError(
      `${source} names ${
        brief(duplicate)
      } twice in one object; expected every key once: write it again`,
    );
  }
  if (!isObject(header)) {
    throw new FormatError(
      `${source} has a header that is no JSON object; expected an object of tensors`,
    );
  }
  const metadata = Object.hasOwn(header, metadataKey) ? header[metadataKey] : {};
  if (!isObject(metadata) || Object.values(metadata).some((value) => typeof value !== "string")) {
    throw new FormatError(
      `${source} has a ${metadataKey} that does not map text to text; expected strings: write it again`,
    );
  }
  const entries = Object.entries(header).filter(([name]) => name !== metadataKey)
    .map(([name, value]) => parseEntry(name, value, source));
  return { metadata: Object.setPrototypeOf(metadata, null), entries };
}

/**
 * The first key that comes twice in one object of a JSON text, which JSON.parse would let pass.
 * Takes anything: what is not JSON is left for JSON.parse to refuse, except what would need many
 * times the memory of the text.
 *
 * @throws {SyntaxError} for that, or a key that is no JSON string.
 */
function findDuplicateKey(text: string): string | undefined {
  const open: (Set<string> | null)[] = []; // the keys of each open object, null for an array
  let values = 0; // or a few more: each follows a bracket or a comma
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === "{") open.push(new Set());
    else if (character === "[") open.push(null);
    else if (character === "}" || character === "]") open.pop();
    else if (character === '"') {
      const start = i++;
      while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
      const keys = open.at(-1);
      if (keys && isKey(text, i + 1)) {
        const quoted = text.slice(start, i + 1);
        const key = quoted.includes("\\") ? JSON.parse(quoted) : quoted.slice(1, -1);
        if (keys.has(key)) return key;
        keys.add(key);
      }
    }
    if (character === "{" || character === "[" || character === ",") values++;
    if (open.length > maxDepth || values > maxValues) throw new SyntaxError("too large a tree");
  }
}

/** Whether a colon follows the string that ends before `index`. */
function isKey(text: string, index: number): boolean {
  while (" \t\r\n".includes(text[index] ?? "x")) index++;
  return text[index] === ":";
}

function parseEntry(name: string, value: unknown, source: string): TensorEntry {
  const fail = (found: string, expected: string): never => {
    throw new FormatError(
      `${source}: tensor ${
        brief(name)
      } has ${found}; expected ${expected}: the file is damaged or of a newer format`,
    );
  };
  if (!isObject(value)) return fail(`entry ${brief(value)}`, "dtype, shape and data_offsets");
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(arrayTypes, dtype)) {
    return fail(`dtype ${brief(dtype)}`, `one of ${dtypes.join(", ")}`);
  }
  if (!isCounts(shape)) return fail(`shape ${brief(shape)}`, "a list of sizes");
  if (!isCounts(offsets) || offsets.length !== 2) {
    return fail(`data_offsets ${brief(offsets)}`, "[begin, end]");
  }
  const [begin, end] = offsets;
  const known = dtype as SafetensorsDtype;
  const count = countElements(shape);
  const length = (count ?? NaN) * arrayTypes[known].BYTES_PER_ELEMENT;
  if (end - begin !== length) {
    return fail(
      `${end - begin} bytes for shape ${brief(shape)} of ${known}`,
      count === undefined ? "a shape that a file can hold" : `${length}`,
    );
  }
  return { name, dtype: known, shape, begin, end };
}

/** The length of the payload, once the arrays are known to cover it without hole or overlap. */
function coveredLength(entries: TensorEntry[], payload: number, source: string): number {
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== covered) {
      throw new FormatError(
        `${source}: tensor ${
          brief(name)
        } starts at byte ${begin}; expected ${covered}, where the one before it ends: the file is damaged`,
      );
    }
    covered = end;
  }
  if (covered !== payload) {
    throw new FormatError(
      `${source} has ${payload} bytes of arrays; expected ${covered}: it is ${
        payload < covered ? "cut short" : "followed by something else"
      }, copy it again`,
    );
  }
  return payload;
}

function readTensor(bytes: Uint8Array, start: number, entry: TensorEntry): SafetensorsTensor {
  const { dtype, shape, begin, end } = entry;
  const copy = new Uint8Array(bytes.subarray(start + begin, start + end));
  return { dtype, shape, data: new arrayTypes[dtype](copy.buffer) } as SafetensorsTensor;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** A value from a file on one line of an error message, however long it is in the file. */
function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? "none";
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

/**
 * @file Rows that were costly to compute (samples, features, logits), kept in files by what they are
 * a function of, so that an evaluation that was interrupted goes on where it stopped and a later one
 * finds them.
 *
 * An array is kept in parts of a fixed number of rows. A part is a safetensors file that carries the
 * whole key and a checksum: it says by itself whether it is what was asked for, so there is no list
 * of parts that two processes could overwrite with different content. A part appears whole or not at
 * all; whoever writes one that is there already writes the same rows. A damaged part is computed
 * again.
 */
import { VapoError } from "../errors.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsTensor,
} from "../formats/safetensors.ts";
import { sha256 } from "../formats/sha256.ts";

/** Where rows are kept; a `RunStorage` is one. */
export interface EvaluationFiles {
  /** How the directory is called in messages. */
  readonly location: string;
  /** A file's bytes, or null where there is none. */
  read(name: string): Promise<Uint8Array | null>;
  /** Writes a file so that a reader sees the old one or the new one whole, never a part. */
  write(name: string, bytes: Uint8Array): Promise<void>;
}

/**
 * All that rows are a function of beside their number: kind, SHA-256 of parameters, solver, seed …
 * Row i must depend on this and on i alone, or on what chunk i is in.
 */
export type CacheKey = Readonly<Record<string, unknown>>;

/** Which rows are wanted. */
export interface RowsWanted {
  /** How many, from row 0 on. */
  readonly rows: number;
  /** The shape of one. */
  readonly rowShape: readonly number[];
  readonly dtype: "float32" | "uint8";
  /** Rows that are computed and kept together; rows by another chunk are other rows. */
  readonly chunk: number;
}

/** Rows, one after the other. */
type Rows = Float32Array | Uint8Array;

/** How a computation is watched and stopped. */
export interface CachedRowsOptions {
  /** Looked at before each chunk. */
  readonly signal?: AbortSignal;
  /** Told how many rows are there, those that were found included. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * The rows of a key: those that are kept are read, the others are computed in chunks, each written as
 * soon as it is there. More rows of the same key reuse those there are.
 *
 * @param files where rows are kept; nowhere where undefined
 * @param key what the rows are a function of, as JSON has it; the order of entries does not matter
 * @param wanted how many rows, their shape, and how they are cut into chunks
 * @param compute rows `from` (a multiple of the chunk) to `to`, without `to`: at most a chunk, less
 * only where the last of `wanted.rows` is
 * @param options.signal aborts between two chunks
 * @param options.onProgress called after each chunk
 * @returns [rows, …rowShape], float32 or bytes as wanted; the caller's
 * @throws {VapoError} for a key that JSON cannot hold, counts that are no counts, or rows computed
 * that are not as many or not of the type wanted
 * @throws what `compute`, `files` or the signal throw; chunks written before are kept
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { cachedRows, memoryStorage } from "vapo";
 * const files = memoryStorage(), computed: number[] = [];
 * const squares = (rows: number) =>
 *   cachedRows(
 *     files,
 *     { kind: "squares" },
 *     { rows, rowShape: [], dtype: "float32", chunk: 2 },
 *     (from, to) => {
 *       computed.push(from);
 *       return Promise.resolve(Float32Array.from({ length: to - from }, (_, i) => (from + i) ** 2));
 *     },
 *   );
 * assertEquals(await squares(4), Float32Array.of(0, 1, 4, 9));
 * assertEquals(await squares(6), Float32Array.of(0, 1, 4, 9, 16, 25));
 * assertEquals(computed, [0, 2, 4]); // the first two chunks were found
 * ```
 */
export async function cachedRows(
  files: EvaluationFiles | undefined,
  key: CacheKey,
  wanted: RowsWanted,
  compute: (from: number, to: number) => Promise<Rows>,
  { signal, onProgress }: CachedRowsOptions = {},
): Promise<Rows> {
  const { rows, rowShape, dtype, chunk } = wanted;
  checkWanted(wanted);
  const width = rowShape.reduce((product, side) => product * side, 1);
  const result = dtype === "uint8" ? new Uint8Array(rows * width) : new Float32Array(rows * width);
  const parts = files && await openParts(files, key, wanted);
  for (let from = 0; from < rows; from += chunk) {
    const to = Math.min(rows, from + chunk);
    signal?.throwIfAborted();
    let part = await parts?.read(from, to);
    if (!part) {
      part = checkComputed(await compute(from, to), to - from, width, dtype);
      await parts?.write(from, to, part);
    }
    result.set(part, from * width);
    onProgress?.(to, rows);
  }
  return result;
}

/** The parts of one key, by their rows `from` to `to`, without `to`. */
interface Parts {
  /** Null where it is not there, or damaged. */
  read(from: number, to: number): Promise<Rows | null>;
  write(from: number, to: number, rows: Rows): Promise<void>;
}

async function openParts(
  files: EvaluationFiles,
  key: CacheKey,
  { rowShape, dtype, chunk }: RowsWanted,
): Promise<Parts> {
  const text = canonicalJson({ key, rowShape, dtype, chunk });
  const name = await cacheName(key, text);
  // What a file holds is a function of its name, also where the last part is not a whole chunk.
  const part = (from: number, to: number) => {
    const [first, end] = [from, to].map((row) => String(row).padStart(8, "0"));
    return `${name}-rows-${first}-${end}.safetensors`;
  };
  return {
    async read(from, to) {
      for (const end of to === from + chunk ? [to] : [from + chunk, to]) {
        const shape = [end - from, ...rowShape];
        const bytes = await files.read(part(from, end));
        const rows = bytes && rowsOfPart(bytes, { key: text, from: String(from) }, shape, dtype);
        if (rows) return rows.subarray(0, (to - from) * rows.length / (end - from));
      }
      return null;
    },
    async write(from, to, rows) {
      const tensor = partTensor(rows, [to - from, ...rowShape]);
      const bytes = encodeSafetensors({ rows: tensor }, { key: text, from: String(from) });
      if (from === 0) await files.write(`${name}-key.json`, new TextEncoder().encode(text + "\n"));
      await files.write(part(from, to), bytes);
    },
  };
}

function partTensor(data: Rows, shape: readonly number[]): SafetensorsTensor {
  return data instanceof Uint8Array ? { dtype: "U8", shape, data } : { dtype: "F32", shape, data };
}

/** The rows of a part; null where the file is not that part, whole. */
function rowsOfPart(
  bytes: Uint8Array,
  expected: { readonly key: string; readonly from: string },
  shape: readonly number[],
  dtype: RowsWanted["dtype"],
): Rows | null {
  let file;
  try {
    file = decodeSafetensors(bytes, "part", { checksum: "required" });
  } catch (error) {
    // Damage costs the time to compute the part again; to stop for it would cost more.
    if (error instanceof VapoError) return null;
    throw error;
  }
  const { metadata, tensors: { rows } } = file;
  if (metadata.key !== expected.key || metadata.from !== expected.from || !rows) return null;
  const same = rows.shape.length === shape.length && shape.every((n, i) => n === rows.shape[i]);
  if (!same || rows.dtype !== (dtype === "uint8" ? "U8" : "F32")) return null;
  return rows.data as Rows;
}

/** How the files of a key begin: its kind, for people, and half of the SHA-256 of all of it. */
async function cacheName({ kind }: CacheKey, text: string): Promise<string> {
  const digest = (await sha256(text)).slice(0, 32);
  return typeof kind === "string" && /^[a-z][a-z0-9-]{0,30}$/.test(kind)
    ? `${kind}-${digest}`
    : digest;
}

/**
 * JSON that is the same text for the same values: names sorted, none that is undefined.
 *
 * @param value numbers, texts, booleans, null, arrays and plain objects of them
 * @throws {VapoError} for what JSON does not tell apart (NaN and infinities become null) or has not
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
      entries.sort(([a], [b]) => a < b ? -1 : 1);
      return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(",")}}`;
    }
  } else if (
    value === null || typeof value === "string" || typeof value === "boolean" ||
    Number.isFinite(value)
  ) {
    return JSON.stringify(value);
  }
  throw new VapoError(
    `a cache key holds ${String(value)}: expected texts, finite numbers, booleans, null, ` +
      "arrays and plain objects of them",
  );
}

function checkWanted({ rows, rowShape, chunk }: RowsWanted): void {
  const isPositive = (value: number) => Number.isInteger(value) && value > 0;
  if (Number.isInteger(rows) && rows >= 0 && [...rowShape, chunk].every(isPositive)) return;
  throw new VapoError(
    `${rows} rows of [${rowShape}] in chunks of ${chunk}: expected whole numbers, ` +
      "of which only the number of rows may be 0",
  );
}

function checkComputed(part: Rows, count: number, width: number, dtype: RowsWanted["dtype"]): Rows {
  const type = part instanceof Uint8Array ? "uint8" : "float32";
  if (part.length === count * width && type === dtype) return part;
  throw new VapoError(
    `${part.length} values (${type}) were computed for ${count} rows of ${width}: ` +
      `expected ${count * width} (${dtype})`,
  );
}

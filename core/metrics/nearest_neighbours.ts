/**
 * @file The nearest of a large set of images, or of their features, to each of some queries: exact,
 * and as fast as matrix products are. The device computes |y|² − 2 x·y for all pairs in float32, part
 * after part of the set; rounding errors of that are bounded, so that what may be among the nearest is
 * known for certain, and for these few the host computes distances in float64.
 */
import { ConfigError, NonFiniteError, VapoError } from "../errors.ts";
import { jit } from "../jit/mod.ts";
import { pauses } from "../pauses.ts";
import {
  compilesPrograms,
  packBytes,
  type Tensor,
  tf,
  unpackBytes,
  wordsOfBytes,
} from "../tensor/mod.ts";

/** How neighbours are sought. */
export interface NeighbourOptions {
  /** Ends the search early; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told after each part of the set; the total is the members of the set that are looked at. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The nearest of a set to each query. */
export interface Neighbours {
  /** How many for each query. */
  readonly k: number;
  /** [queries, k]: places in the set, the nearest first; of equally near ones the smaller first. */
  readonly indices: Int32Array;
  /** [queries, k]: Euclidean distances. */
  readonly distances: Float64Array;
}

/**
 * The k nearest images to each query, by the Euclidean distance of pixels in [−1, 1], which is that of
 * bytes over 127.5. Exact: differences of bytes are whole numbers, so order and ties are those of the
 * images. A set of 60,000 × 3,072 bytes takes less than a second for 100 queries on two cores.
 *
 * @param queries images, rows from the top, channels last
 * @param set images of the same shape
 * @param shape [height, width, channels]
 * @param k how many, at most as many as there are images in the set
 * @param options how the work is watched
 * @throws {VapoError} where bytes are not whole images, or there are none.
 * @throws {ConfigError} where there are not k images.
 * @example
 * ```ts
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 * import { nearestImages, openDevice } from "vapo";
 * await openDevice("wasm");
 * // Images of one pixel: the nearest to 10 are 12 and, before the equally near 13, 7.
 * const set = Uint8Array.of(13, 200, 12, 7);
 * const { indices, distances } = await nearestImages(Uint8Array.of(10), set, [1, 1, 1], 2);
 * assertEquals([...indices], [2, 0]);
 * assertAlmostEquals(distances[0], 2 / 127.5);
 * ```
 */
export async function nearestImages(
  queries: Uint8Array,
  set: Uint8Array,
  [height, width, channels]: readonly [number, number, number],
  k: number,
  options: NeighbourOptions = {},
): Promise<Neighbours> {
  const size = height * width * channels;
  for (const bytes of [queries, set]) {
    const count = bytes.length / size;
    if (!(Number.isInteger(count) && count > 0)) {
      throw new VapoError(
        `${bytes.length} bytes are not whole images of ${height}×${width}×${channels}; expected a ` +
          `multiple of ${size}, at least one image`,
      );
    }
  }
  const found = await search(options, k, {
    size,
    queries: queries.length / size,
    members: set.length / size,
    input: (kind, start, end, rows) => {
      const bytes = (kind === "queries" ? queries : set).subarray(start * size, end * size);
      const words = filledUp(packBytes(bytes, size), rows * wordsOfBytes(size));
      return tf.tensor2d(words, [rows, wordsOfBytes(size)], "int32");
    },
    // Halves are exact in float32, and small in the middle of the range.
    values: (words) => tf.sub(unpackBytes(words, size), 127.5),
    reject: (kind, index) => new VapoError(`image ${index} of the ${kind} has an infinite norm`),
    squaredDistance: (query, member) => {
      let sum = 0;
      for (let i = query * size, j = member * size, end = i + size; i < end; i++, j++) {
        const difference = queries[i] - set[j];
        sum += difference * difference;
      }
      return sum;
    },
  });
  return { ...found, distances: found.distances.map((distance) => distance / 127.5) };
}

/**
 * The k nearest points to each query, by Euclidean distance, such as those of features of images.
 * Order and distances are those of float64.
 *
 * @param queries n·d numbers, row by row
 * @param set m·d numbers, row by row
 * @param dimension d
 * @param k how many, at most m
 * @param options how the work is watched
 * @throws {VapoError} where numbers are not whole points, there are none, or their squares are too
 * large for float32.
 * @throws {ConfigError} where there are not k points.
 * @throws {NonFiniteError} where a number is not finite.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { nearestPoints, openDevice } from "vapo";
 * await openDevice("wasm");
 * const set = Float32Array.of(0, 0, 3, 4, 6, 8);
 * const { indices, distances } = await nearestPoints(Float32Array.of(0, 0), set, 2, 3);
 * assertEquals([...indices], [0, 1, 2]);
 * assertEquals([...distances], [0, 5, 10]);
 * ```
 */
export async function nearestPoints(
  queries: Float32Array,
  set: Float32Array,
  dimension: number,
  k: number,
  options: NeighbourOptions = {},
): Promise<Neighbours> {
  return await search(options, k, {
    size: dimension,
    queries: countPoints(queries, dimension),
    members: countPoints(set, dimension),
    input: (kind, start, end, rows) => {
      const points = (kind === "queries" ? queries : set)
        .subarray(start * dimension, end * dimension);
      return tf.tensor2d(filledUp(points, rows * dimension), [rows, dimension]);
    },
    values: (points) => points,
    reject: (kind, index) => rejection(kind === "queries" ? queries : set, dimension, index),
    squaredDistance: (query, member) => {
      let sum = 0;
      for (
        let i = query * dimension, j = member * dimension, end = i + dimension;
        i < end;
        i++, j++
      ) {
        const difference = queries[i] - set[j];
        sum += difference * difference;
      }
      return sum;
    },
  });
}

/** How many points there are; whether they are finite shows in their squared lengths. */
function countPoints(points: Float32Array, dimension: number): number {
  const count = points.length / dimension;
  if (Number.isInteger(dimension) && Number.isInteger(count) && count > 0) return count;
  throw new VapoError(
    `${points.length} numbers are not whole points of dimension ${dimension}; expected a multiple ` +
      "of a positive integer, at least one point",
  );
}

function rejection(points: Float32Array, dimension: number, index: number): VapoError {
  const point = points.subarray(index * dimension, (index + 1) * dimension);
  const wrong = point.find((value) => !Number.isFinite(value));
  return wrong === undefined
    ? new VapoError(
      `the squared length of point ${index} is beyond float32; expected numbers below 10¹⁸: scale ` +
        "the points down",
    )
    : new NonFiniteError(
      `point ${index} holds ${wrong}; expected finite numbers: what it was computed from diverged`,
    );
}

/** Followed by zeros up to a length. */
function filledUp<T extends Int32Array | Float32Array>(values: T, length: number): T {
  if (values.length === length) return values;
  const whole = new (values.constructor as new (length: number) => T)(length);
  whole.set(values);
  return whole;
}

/** What is searched, in units of its own. */
interface SearchProblem {
  /** Numbers of a point. */
  readonly size: number;
  readonly queries: number;
  readonly members: number;
  /** Points from start to end as a program takes them, filled up with others to so many rows. */
  input(kind: "queries" | "members", start: number, end: number, rows: number): Tensor;
  /** Points [rows, size], float32 and exact, from an input. */
  values(input: Tensor): Tensor;
  /** What to say of a point whose squared length is not finite in float32. */
  reject(kind: "queries" | "members", index: number): VapoError;
  squaredDistance(query: number, member: number): number;
}

/** Queries that are compared at once, and numbers of members: as many as stay in a cache. */
const QUERIES_AT_ONCE = 1024, NUMBERS_AT_ONCE = 2 ** 20;

async function search(
  { signal, onProgress }: NeighbourOptions,
  k: number,
  problem: SearchProblem,
): Promise<Neighbours> {
  const { queries, members } = problem;
  if (!(Number.isInteger(k) && k > 0 && k <= members)) {
    throw new ConfigError(
      `${k} neighbours of ${members} members: expected a number from 1 to that`,
    );
  }
  const indices = new Int32Array(queries * k), distances = new Float64Array(queries * k);
  const pause = pauses(signal);
  const blocks = Math.ceil(queries / QUERIES_AT_ONCE);
  for (let first = 0, block = 0; first < queries; first += QUERIES_AT_ONCE, block++) {
    const last = Math.min(first + QUERIES_AT_ONCE, queries);
    const selection = await compareAll(problem, k, first, last, async (done) => {
      onProgress?.(block * members + done, blocks * members);
      await pause();
    });
    for (let query = first; query < last; query++) {
      const nearest = selection.candidates(query - first)
        .map((member) => ({ member, squared: problem.squaredDistance(query, member) }))
        .sort((a, b) => a.squared - b.squared || a.member - b.member);
      for (let i = 0; i < k; i++) {
        indices[query * k + i] = nearest[i].member;
        distances[query * k + i] = Math.sqrt(nearest[i].squared);
      }
      await pause();
    }
  }
  return { k, indices, distances };
}

/** Shows all members to some of the queries, part after part. */
async function compareAll(
  problem: SearchProblem,
  k: number,
  first: number,
  last: number,
  pause: (done: number) => Promise<void>,
): Promise<Selection> {
  const { size, members } = problem;
  const rows = Math.min(members, Math.max(64, Math.ceil(NUMBERS_AT_ONCE / size)));
  const program = await openComparison(problem, first, last, rows);
  try {
    const lengths = await program.queryNorms();
    requireFinite(lengths, (i) => problem.reject("queries", first + i));
    const selection = openSelection(k, lengths, size);
    for (let start = 0; start < members; start += rows) {
      const end = Math.min(start + rows, members);
      const { products, norms } = await program.compare(start, end);
      requireFinite(norms.subarray(0, end - start), (i) => problem.reject("members", start + i));
      selection.add(start, end - start, products, norms);
      await pause(end);
    }
    return selection;
  } finally {
    program.dispose();
  }
}

/** What the device computes: [rows, queries] and [rows]. */
interface Comparison {
  readonly products: Float32Array;
  readonly norms: Float32Array;
}

/** The device's part, for so many queries and so many members at a time. */
interface ComparisonProgram {
  /** |x|² of each query. */
  queryNorms(): Promise<Float32Array>;
  compare(start: number, end: number): Promise<Comparison>;
  dispose(): void;
}

async function openComparison(
  problem: SearchProblem,
  first: number,
  last: number,
  rows: number,
): Promise<ComparisonProgram> {
  // A width that vectors divide.
  const width = 8 * Math.ceil((last - first) / 8);
  const norms = (points: Tensor) => tf.sum(tf.square(points), 1);
  const points = tf.tidy(() => problem.values(problem.input("queries", first, last, width)));
  const columns = tf.transpose(points);
  const compare = (input: Tensor, columns: Tensor) => {
    const members = problem.values(input);
    return { products: tf.matMul(members, columns) as Tensor, norms: norms(members) };
  };
  const queryNorms = async () => {
    const squared = tf.tidy(() => norms(points));
    const found = await squared.data().finally(() => squared.dispose()) as Float32Array;
    return found.slice(0, last - first);
  };
  const input = (start: number, end: number) => problem.input("members", start, end, rows);
  if (!compilesPrograms()) {
    return {
      queryNorms,
      async compare(start, end) {
        const found = tf.tidy(() => compare(input(start, end), columns));
        const [products, norms] = await Promise.all([found.products.data(), found.norms.data()]);
        tf.dispose(found);
        return { products, norms } as Comparison;
      },
      dispose: () => tf.dispose([points, columns]),
    };
  }
  const program = jit(compare, { static: [1] });
  const start = input(0, Math.min(rows, problem.members));
  const session = await program.load(start, columns).finally(() => tf.dispose([start, columns]));
  return {
    queryNorms,
    async compare(start, end) {
      const members = input(start, end);
      session.write(0, members);
      members.dispose();
      session.run();
      return await session.read() as unknown as Comparison;
    },
    dispose() {
      points.dispose();
      session.dispose();
    },
  };
}

/** What may be among the k nearest, as far as float32 tells. */
interface Selection {
  /** Takes note of members from `start` on. */
  add(start: number, count: number, products: Float32Array, norms: Float32Array): void;
  /** Members that may be among a query's k nearest; all that are, are in it. */
  candidates(query: number): number[];
}

/** A query's candidates so far. */
interface Candidates {
  /** The k smallest upper bounds of a squared distance, less |x|², in increasing order. */
  readonly upper: Float64Array;
  /** Places in the set, and the lower bounds of theirs. */
  members: number[];
  lower: number[];
  /** How many to keep before those are dropped that are out of the race. */
  capacity: number;
}

/**
 * Bounds: a product of `size` terms in float32, added in any order, is off by at most γ Σ|x_i y_i| ≤
 * γ|x||y| with γ = size·2⁻²⁴/(1 − size·2⁻²⁴) (Higham, "Accuracy and Stability of Numerical Algorithms",
 * 2002, eq. 3.5), so |y|² − 2 x·y by at most γ(|y|² + 2|x||y|).
 */
function openSelection(k: number, queryNorms: Float32Array, size: number): Selection {
  // Some terms more for the rounding of the norms, which the bound itself is made of.
  const rounding = (size + 8) * 2 ** -24, gamma = rounding / (1 - rounding);
  const lengths = Float64Array.from(queryNorms, Math.sqrt);
  const queries = lengths.length, width = 8 * Math.ceil(queries / 8);
  const all = Array.from({ length: queries }, (): Candidates => ({
    upper: new Float64Array(k).fill(Infinity),
    members: [],
    lower: [],
    capacity: 4 * k + 64,
  }));
  // The k-th smallest upper bounds, side by side: what nearly every member is compared with.
  const limits = new Float64Array(queries).fill(Infinity);
  return {
    add(start, count, products, norms) {
      for (let row = 0; row < count; row++) {
        const norm = norms[row], fixed = norm - gamma * norm, slope = 2 * gamma * Math.sqrt(norm);
        for (let query = 0, i = row * width; query < queries; query++, i++) {
          const lower = fixed - 2 * products[i] - slope * lengths[query];
          if (lower > limits[query]) continue;
          const upper = norm + gamma * norm - 2 * products[i] + slope * lengths[query];
          limits[query] = admit(all[query], start + row, lower, upper);
        }
      }
    },
    candidates: (query) => {
      prune(all[query]);
      return all[query].members;
    },
  };
}

/** Adds a candidate and returns the limit that the next has to keep. */
function admit(candidates: Candidates, member: number, lower: number, upper: number): number {
  const { upper: best } = candidates, last = best.length - 1;
  if (upper < best[last]) {
    let place = last;
    for (; place > 0 && best[place - 1] > upper; place--) best[place] = best[place - 1];
    best[place] = upper;
  }
  candidates.members.push(member);
  candidates.lower.push(lower);
  if (candidates.members.length > candidates.capacity) {
    prune(candidates);
    candidates.capacity = Math.max(candidates.capacity, 2 * candidates.members.length);
  }
  return best[last];
}

/** Drops those whose lower bound is above k upper bounds. */
function prune(candidates: Candidates): void {
  const { upper, members, lower } = candidates, limit = upper[upper.length - 1];
  candidates.members = members.filter((_, i) => lower[i] <= limit);
  candidates.lower = lower.filter((bound) => bound <= limit);
}

function requireFinite(norms: Float32Array, reject: (place: number) => VapoError): void {
  const place = norms.findIndex((norm) => !Number.isFinite(norm));
  if (place >= 0) throw reject(place);
}

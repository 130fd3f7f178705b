/**
 * @file Batches of a prepared data set that is too large for the device's memory: shards are read
 * window by window in the order of {@link shuffledOrder}, the next window while this one is used.
 */
import { ConfigError } from "../errors.ts";
import { requireWhole } from "../whole_number.ts";
import type { PreparedSet } from "./prepared_set.ts";
import {
  imageAt,
  largestBuffer,
  type ShuffledOrder,
  shuffledOrder,
  type WindowOrder,
} from "./shuffled_order.ts";

/** Which batches of a set, and what they may take. */
export interface BatchStreamOptions {
  /** What the order is a function of: an integer in [0, 2⁵³). */
  readonly seed: number;
  /** Images in a batch. */
  readonly batchSize: number;
  /** The first image of the first batch, counted over all epochs: step × batch size. Default 0. */
  readonly firstSample?: number;
  /** How many images are shuffled with each other, at least. The order is a function of it. */
  readonly bufferImages: number;
  /** The most bytes of shards to hold at once: two windows. The order is no function of it. */
  readonly memoryBytes?: number;
}

/** Batches, one after another, without end. */
export interface BatchStream {
  /** Bytes of an image in a batch: those of its pixels, up to a multiple of four. */
  readonly imageBytes: number;
  /** Bytes of a batch. */
  readonly batchBytes: number;
  /**
   * The next batch: [batchSize, imageBytes]; after the pixels of an image come zeros. Batches go on
   * from one window to the next, and from one epoch to the next. To be called once at a time.
   *
   * @param into where it goes, zeros or an earlier batch, as long as a batch; default a new array
   * @throws {FormatError} where a shard is missing or damaged
   */
  next(into?: Uint8Array): Promise<Uint8Array>;
}

/**
 * Opens a stream of batches. Sample i of the stream is a function of (seed, bufferImages, i) alone.
 *
 * @param set stays the caller's
 * @throws {ConfigError} for options out of range, and where two windows take more than `memoryBytes`
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openBatchStream, openPreparedSet } from "vapo";
 * // Two images of 1×2 pixels, one channel, without labels.
 * const shard = { file: "train-0.bin", count: 2, crc32: 0xb63cfbcd };
 * const index = {
 *   format: "vapo-images", version: 1, name: "tiny", shape: [1, 2, 1], labelsPerImage: 0,
 *   splits: { train: { count: 2, skipped: 0, shards: [shard] } }, made: {},
 * };
 * const contents: Record<string, Uint8Array> = {
 *   "index.json": new TextEncoder().encode(JSON.stringify(index)),
 *   "train-0.bin": Uint8Array.of(1, 2, 3, 4),
 * };
 * const read = (name: string) => Promise.resolve(contents[name] ?? null);
 * const set = await openPreparedSet({ location: "memory", read }, "train");
 * const stream = openBatchStream(set, { seed: 7, batchSize: 2, bufferImages: 2 });
 * const batch = await stream.next(); // an epoch: both images, each filled up to four bytes
 * assertEquals(batch.length, 8);
 * assertEquals([...batch].sort(), [0, 0, 0, 0, 1, 2, 3, 4]);
 * ```
 */
export function openBatchStream(set: PreparedSet, options: BatchStreamOptions): BatchStream {
  const { batchSize, firstSample = 0 } = options;
  const order = checkedOrder(set, options);
  const pixelBytes = set.shape[0] * set.shape[1] * set.shape[2];
  const imageBytes = paddedImageBytes(set.shape);
  const batchBytes = batchSize * imageBytes;
  const windows = windowReader(set, order);
  const start = order.positionOf(firstSample);
  let { index } = start;
  let current: Window | undefined;
  // Shards that are damaged are said to be when they are needed.
  let coming = windows.read(start.epoch, start.window);

  /** The window that the next image is in; reading of the one after it goes on meanwhile. */
  async function openWindow(): Promise<Window> {
    if (current && index < current.order.images.length) return current;
    if (current) index = 0;
    current = undefined;
    const { epoch, window, ...rest } = await coming;
    const last = window + 1 === order.windowsPerEpoch;
    coming = windows.read(last ? epoch + 1 : epoch, last ? 0 : window + 1);
    return current = { epoch, window, ...rest };
  }

  return {
    imageBytes,
    batchBytes,
    async next(into = new Uint8Array(batchBytes)) {
      for (let done = 0; done < batchSize;) {
        const window = await openWindow();
        const count = Math.min(batchSize - done, window.order.images.length - index);
        for (let i = 0; i < count; i++) {
          const { shard, image } = imageAt(window.order, index + i);
          const pixels = window.shards.get(shard)!;
          const from = image * pixelBytes;
          into.set(pixels.subarray(from, from + pixelBytes), (done + i) * imageBytes);
        }
        index += count;
        done += count;
      }
      return into;
    },
  };
}

/** Bytes of an image that is filled up to whole 32-bit words. */
export function paddedImageBytes([height, width, channels]: readonly number[]): number {
  return Math.ceil(height * width * channels / 4) * 4;
}

/** A window that has been read. */
interface Window {
  readonly epoch: number;
  readonly window: number;
  readonly order: WindowOrder;
  /** The pixels of its shards, by the shards' numbers. */
  readonly shards: ReadonlyMap<number, Uint8Array>;
}

/** Reads windows one after another; a shard that the window before has too is not read again. */
function windowReader(set: PreparedSet, order: ShuffledOrder) {
  let held: ReadonlyMap<number, Uint8Array> = new Map();

  async function read(epoch: number, window: number): Promise<Window> {
    const windowOrder = order.windowOrder(epoch, window);
    const shards = new Map<number, Uint8Array>();
    for (const shard of windowOrder.shards) {
      shards.set(shard, held.get(shard) ?? await set.readShard(shard));
    }
    held = shards;
    return { epoch, window, order: windowOrder, shards };
  }

  return {
    read(epoch: number, window: number): Promise<Window> {
      const reading = read(epoch, window);
      // Whoever waits for it gets the error; until then it is nobody's.
      reading.catch(() => {});
      return reading;
    },
  };
}

function checkedOrder(set: PreparedSet, options: BatchStreamOptions): ShuffledOrder {
  const { seed, batchSize, firstSample = 0, bufferImages, memoryBytes = Infinity } = options;
  requireWhole("batchSize", batchSize, 1);
  requireWhole("firstSample", firstSample, 0);
  const shardCounts = set.shards.map(({ count }) => count);
  const order = shuffledOrder({ seed, shardCounts, bufferImages });
  const needed = streamMemoryBytes(set, bufferImages);
  if (needed <= memoryBytes) return order;
  const fitting = fittingBuffer(set, memoryBytes);
  throw new ConfigError(
    `bufferImages is ${bufferImages}, which takes ${needed} bytes for two windows of ` +
      `${order.windowShards} shards; expected at most ${memoryBytes}: ` +
      (fitting === null
        ? `two shards do not fit; raise the limit to ${streamMemoryBytes(set, 1)}`
        : `lower bufferImages to ${fitting}, or raise the limit`),
  );
}

/**
 * The most bytes of shards that a stream holds at once.
 *
 * @param set only its index is looked at
 * @param bufferImages as in {@link BatchStreamOptions}
 */
export function streamMemoryBytes(set: PreparedSet, bufferImages: number): number {
  const shardCounts = set.shards.map(({ count }) => count);
  const { windowShards } = shuffledOrder({ seed: 0, shardCounts, bufferImages });
  return windowMemoryBytes(set, windowShards);
}

/** The bytes of two windows, a shard in both counted once: of the longest shards. */
function windowMemoryBytes({ shards, shape }: PreparedSet, windowShards: number): number {
  const counts = shards.map(({ count }) => count).sort((a, b) => b - a);
  const images = counts.slice(0, 2 * windowShards).reduce((sum, count) => sum + count, 0);
  return images * shape[0] * shape[1] * shape[2];
}

/** The largest `bufferImages` for so many bytes, null where none is small enough. */
function fittingBuffer(set: PreparedSet, memoryBytes: number): number | null {
  const shardCounts = set.shards.map(({ count }) => count);
  for (let shards = shardCounts.length; shards >= 1; shards--) {
    if (windowMemoryBytes(set, shards) > memoryBytes) continue;
    return largestBuffer(shardCounts, shards);
  }
  return null;
}

/**
 * @file The order in which a set of images in shards is trained on: the shards in a random order,
 * cut into windows of successive shards, and the images of each window in a random order. Each image
 * comes once an epoch, and shards are read one after another; the order is that of a shuffle buffer
 * of the size of a window, but a function of (seed, epoch) that can be entered anywhere.
 *
 * Random integers come from Philox (Salmon et al., SC 2011); permutations from Fisher and Yates's
 * shuffle in Durstenfeld's form ("Algorithm 235: Random permutation", CACM 1964).
 */
import { ConfigError } from "../errors.ts";
import { philoxBlock } from "../tensor/philox.ts";
import { requireWhole } from "../whole_number.ts";

/** What an order is a function of. */
export interface ShuffledOrderOptions {
  /** An integer in [0, 2⁵³). */
  readonly seed: number;
  /** How many images each shard has, one at least. */
  readonly shardCounts: readonly number[];
  /**
   * How many images are shuffled with each other, at least: a window has as many shards as have that
   * many images where each is as long as the longest, or all shards.
   */
  readonly bufferImages: number;
}

/** The place of a sample in the endless sequence of epochs. */
export interface SamplePosition {
  readonly epoch: number;
  /** The window of the epoch. */
  readonly window: number;
  /** How many images of the window come before it. */
  readonly index: number;
}

/** The images of a window in their order. */
export interface WindowOrder {
  /** Numbers of its shards. */
  readonly shards: readonly number[];
  /** How many images of the window come before each shard's, unshuffled; and how many there are. */
  readonly starts: readonly number[];
  /** A permutation of the window's images: what comes at each index. */
  readonly images: Uint32Array;
}

/** An image of a set. */
export interface ShardImage {
  readonly shard: number;
  /** Its number in the shard. */
  readonly image: number;
}

/** An order of all epochs, of which nothing is kept but the current epoch's shards. */
export interface ShuffledOrder {
  /** Images in an epoch: each of the set's once. */
  readonly imagesPerEpoch: number;
  readonly windowsPerEpoch: number;
  /** The most shards in a window. */
  readonly windowShards: number;
  /** Where a sample is, counted over all epochs; takes the time of a permutation of the shards. */
  positionOf(sample: number): SamplePosition;
  /** The order of a window. */
  windowOrder(epoch: number, window: number): WindowOrder;
}

/** Philox streams, far from those that a run's other draws are likely to take. */
const streams = { shards: 0x73687264, images: 0x696d6773 } as const;

/**
 * Makes an order.
 *
 * @throws {ConfigError} for no shard, a shard without images, or options out of range
 */
export function shuffledOrder(
  { seed, shardCounts, bufferImages }: ShuffledOrderOptions,
): ShuffledOrder {
  checkOptions({ seed, shardCounts, bufferImages });
  const imagesPerEpoch = sum(shardCounts);
  const windowsPerEpoch = countWindows(shardCounts, bufferImages);
  let current: { epoch: number; shards: Uint32Array } | undefined;

  /** The shards of an epoch in their order. */
  function shardsOf(epoch: number): Uint32Array {
    if (current?.epoch !== epoch) {
      const words = philoxWords(seed, epoch, 0, streams.shards);
      current = { epoch, shards: permutation(shardCounts.length, words) };
    }
    return current.shards;
  }

  /** The shards of a window: windows differ by one shard at most. */
  function windowShards(epoch: number, window: number): number[] {
    const edge = (i: number) => Math.floor(i * shardCounts.length / windowsPerEpoch);
    return [...shardsOf(epoch).subarray(edge(window), edge(window + 1))];
  }

  return {
    imagesPerEpoch,
    windowsPerEpoch,
    windowShards: Math.ceil(shardCounts.length / windowsPerEpoch),
    positionOf(sample) {
      const epoch = Math.floor(sample / imagesPerEpoch);
      let index = sample - epoch * imagesPerEpoch;
      for (let window = 0;; window++) {
        const count = sum(windowShards(epoch, window).map((shard) => shardCounts[shard]));
        if (index < count) return { epoch, window, index };
        index -= count;
      }
    },
    windowOrder(epoch, window) {
      const shards = windowShards(epoch, window);
      const starts = [0];
      for (const shard of shards) starts.push(starts.at(-1)! + shardCounts[shard]);
      const words = philoxWords(seed, epoch, window, streams.images);
      return { shards, starts, images: permutation(starts.at(-1)!, words) };
    },
  };
}

function checkOptions({ seed, shardCounts, bufferImages }: ShuffledOrderOptions): void {
  requireWhole("seed", seed, 0);
  requireWhole("bufferImages", bufferImages, 1);
  const bad = shardCounts.find((count) => !Number.isSafeInteger(count) || count < 1);
  if (shardCounts.length === 0 || bad !== undefined) {
    throw new ConfigError(
      `images in a shard: ${bad ?? "no shards"}; expected at least one shard, each of at least one`,
    );
  }
}

/** How many windows an epoch has: as many as the buffer's size allows. */
function countWindows(shardCounts: readonly number[], bufferImages: number): number {
  const shards = shardsToHold(bufferImages, shardCounts);
  return Math.max(1, Math.floor(shardCounts.length / shards));
}

/** How many full shards have so many images. */
function shardsToHold(images: number, shardCounts: readonly number[]): number {
  return Math.ceil(images / longest(shardCounts));
}

/**
 * The largest `bufferImages` for which no window has more than so many shards, at least 1.
 */
export function largestBuffer(shardCounts: readonly number[], windowShards: number): number {
  if (windowShards >= shardCounts.length) return sum(shardCounts);
  const windows = Math.ceil(shardCounts.length / windowShards);
  return Math.floor(shardCounts.length / windows) * longest(shardCounts);
}

/** The image that comes at an index of a window. */
export function imageAt({ shards, starts, images }: WindowOrder, index: number): ShardImage {
  const place = images[index];
  let low = 0, high = shards.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (starts[middle] <= place) low = middle;
    else high = middle;
  }
  return { shard: shards[low], image: place - starts[low] };
}

/** The words of a Philox stream, one after another: counters (0, window, epoch, stream), (1, …), … */
function philoxWords(seed: number, epoch: number, window: number, stream: number): () => number {
  const block = new Uint32Array(4);
  const key0 = seed >>> 0, key1 = Math.floor(seed / 2 ** 32);
  let next = 0;
  return () => {
    if (next % 4 === 0) philoxBlock(next / 4, window, epoch, stream, key0, key1, block);
    return block[next++ % 4];
  };
}

/** A permutation of 0, …, count − 1, each as probable as any other. */
function permutation(count: number, words: () => number): Uint32Array {
  const result = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = boundedInteger(i + 1, words);
    const value = result[i];
    result[i] = result[j];
    result[j] = value;
  }
  return result;
}

/** An integer in [0, bound), each as probable: words beyond the last whole multiple are drawn anew. */
function boundedInteger(bound: number, words: () => number): number {
  const end = 2 ** 32 - 2 ** 32 % bound;
  let word = words();
  while (word >= end) word = words();
  return word % bound;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function longest(counts: readonly number[]): number {
  return counts.reduce((most, count) => Math.max(most, count), 0);
}

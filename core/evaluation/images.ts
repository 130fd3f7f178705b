/**
 * @file The images that an evaluation is about, as bytes of the size that a potential takes: samples
 * are rounded to grey levels first, as a PNG would, so that what is measured is what one looks at,
 * and features are those of 8-bit images, as the field's are.
 */
import { crc32 } from "../formats/crc32.ts";
import { type ImageFormat, imageShape, type ImageSize, storedBytes } from "../data/images.ts";
import { type OriginalPart, readOriginalImages } from "../data/original_images.ts";
import { type DataFiles, openPreparedSet, type PreparedSet } from "../data/prepared_set.ts";
import { randomSubset } from "../metrics/kernel_distance.ts";
import type { ImageSet } from "../train/data_sets.ts";

/** Images of bytes. */
export interface ByteImages {
  /** [count, height, width, channels]. */
  readonly pixels: Uint8Array;
  readonly count: number;
  /** [height, width, channels]. */
  readonly shape: readonly [number, number, number];
}

/**
 * A split: the images to train on, or others of the same kind, which are the test images or, where a
 * set has none, those to validate with.
 */
export type Split = "train" | "held-out";

/** The images that are taken where nothing is said: what figures of the field are mostly of. */
const MOST_IMAGES = 60_000;

/** Images of a split of a data set. */
export interface SplitImages extends ByteImages {
  /** As in "cifar10 train". */
  readonly name: string;
  /** How many the split has in all; `count` of them are here. */
  readonly available: number;
  /** CRC-32 of these pixels. */
  readonly checksum: number;
}

/**
 * The grey levels of samples: clamped to [−1, 1] and rounded to the nearest of 256.
 *
 * @param samples in [−1, 1], whatever their shape
 * @returns as many bytes; what is not a number becomes 0
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { greyLevels } from "vapo";
 * assertEquals(greyLevels(Float32Array.of(-1, 0, 0.1, 7)), Uint8Array.of(0, 128, 140, 255));
 * ```
 */
export function greyLevels(samples: Float32Array): Uint8Array {
  // Clamped arrays round halves to even; a half is added here, so that they go up.
  return Uint8Array.from(
    samples,
    (x) => Math.floor(Math.min(255, Math.max(0, (x + 1) * 127.5)) + 0.5),
  );
}

/**
 * Stored images at the size that a potential takes: averaged over blocks, rounded to grey levels, and
 * padded with black, as `imagesOfWords` makes them but for the rounding.
 *
 * @param format how the bytes are stored, and what is made of them
 * @param pixels [count, …format.stored]
 * @returns [count, …imageShape(format)]
 * @throws {ConfigError} where the format's sizes do not fit each other
 */
export function bytesAtSize(format: ImageFormat, pixels: Uint8Array): Uint8Array {
  const [height, width, channels] = imageShape(format);
  const [storedHeight, storedWidth] = format.stored;
  if (height === storedHeight && width === storedWidth) return pixels;
  const block = format.poolTo === undefined ? 1 : storedHeight / format.poolTo;
  const inner = [storedHeight / block, storedWidth / block];
  const top = Math.floor((height - inner[0]) / 2), left = Math.floor((width - inner[1]) / 2);
  const stored = storedBytes(format), size = height * width * channels;
  const count = pixels.length / stored, area = block * block;
  const result = new Uint8Array(count * size);
  for (let image = 0; image < count; image++) {
    for (let row = 0; row < inner[0]; row++) {
      for (let column = 0; column < inner[1]; column++) {
        for (let channel = 0; channel < channels; channel++) {
          let sum = 0;
          for (let i = 0; i < area; i++) {
            const y = row * block + Math.floor(i / block), x = column * block + i % block;
            sum += pixels[image * stored + (y * storedWidth + x) * channels + channel];
          }
          const place = ((top + row) * width + left + column) * channels + channel;
          result[image * size + place] = Math.floor(sum / area + 0.5);
        }
      }
    }
  }
  return result;
}

/**
 * Reads images of a split of a data set, prepared or as its authors hand it out, at the size that a
 * potential takes.
 *
 * @param set which data set, and what is made of its images
 * @param files its files
 * @param split which part
 * @param limit the most that are taken, drawn among all, the same ones each time; 60,000 where left out
 * @throws {VapoError} where the files or the split are not there
 * @throws {FormatError} where a file is damaged
 */
export async function readSplit(
  { prepared, format }: Pick<ImageSet, "prepared" | "format">,
  files: DataFiles,
  split: Split,
  limit = MOST_IMAGES,
): Promise<SplitImages> {
  if (await files.read("index.json") === null) {
    const part: OriginalPart = split === "train" ? "train" : "test";
    const { records } = await readOriginalImages(prepared, part, files);
    const pixels = chosenImages(records.pixels, storedBytes(format), limit);
    return splitImages(`${prepared} ${part}`, format, pixels, records.count);
  }
  return await readPreparedSplit(format, files, split, limit);
}

/**
 * Reads images of a split of a prepared data set, of whatever size they are stored in.
 *
 * @param size pooling and padding of the images
 * @param files the set's files
 * @param split which part
 * @param limit the most that are taken, drawn among all, the same ones each time; 60,000 where left out
 * @throws {VapoError} where the set or the split is not there
 * @throws {FormatError} where a file is damaged
 */
export async function readPreparedSplit(
  { poolTo, padTo }: ImageSize,
  files: DataFiles,
  split: Split,
  limit = MOST_IMAGES,
): Promise<SplitImages> {
  const { set, name } = await openSplit(files, split);
  const stored: ImageFormat["stored"] = [set.shape[0], set.shape[1], set.shape[2]];
  const pixels = await someImages(set, limit);
  const format = { stored, poolTo, padTo };
  return splitImages(`${set.index.name} ${name}`, format, pixels, set.count);
}

async function openSplit(
  files: DataFiles,
  split: Split,
): Promise<{ set: PreparedSet; name: string }> {
  if (split === "train") return { set: await openPreparedSet(files, "train"), name: "train" };
  const { index } = await openPreparedSet(files, "train");
  const name = (index.splits.test?.count ?? 0) === 0 && index.splits.validation?.count
    ? "validation"
    : "test";
  return { set: await openPreparedSet(files, name), name };
}

/** Images of fewer shards than these would be of few kinds where a set is sorted. */
const FEWEST_SHARDS = 16;

/** A set of at most so many bytes is read whole where a part of it is wanted: 512 MiB. */
const READ_WHOLE = 2 ** 29;

/** Some images of a set: drawn among all or, of a large set, among those of as many shards as it takes. */
async function someImages(set: PreparedSet, limit: number): Promise<Uint8Array> {
  const size = set.shape[0] * set.shape[1] * set.shape[2];
  const few = limit < set.count && set.count * size > READ_WHOLE;
  const order = few
    ? randomSubset(set.shards.length, set.shards.length, CHOICE)
    : Array.from({ length: set.shards.length }, (_, shard) => shard);
  let needed = 0, shards = 0;
  while (shards < order.length && (needed < limit || shards < FEWEST_SHARDS || !few)) {
    needed += set.shards[order[shards++]].count;
  }
  const pixels = new Uint8Array(needed * size);
  let done = 0;
  for (const shard of order.slice(0, shards)) {
    const bytes = await set.readShard(shard);
    pixels.set(bytes, done);
    done += bytes.length;
  }
  return chosenImages(pixels, size, limit);
}

/** Which images are taken where not all are: the same ones each time. */
const CHOICE = { seed: 0, subset: 0, set: 0 };

/**
 * So many of the images, drawn without replacement, in their own order: the first ones may be of another
 * kind than the rest (MNIST's first 5,000 test images are easier than the others, as its authors say).
 */
function chosenImages(pixels: Uint8Array, size: number, limit: number): Uint8Array {
  const count = pixels.length / size;
  if (count <= limit) return pixels;
  const chosen = randomSubset(count, limit, CHOICE).sort();
  const result = new Uint8Array(limit * size);
  chosen.forEach((image, i) => {
    result.set(pixels.subarray(image * size, (image + 1) * size), i * size);
  });
  return result;
}

function splitImages(
  name: string,
  format: ImageFormat,
  pixels: Uint8Array,
  available: number,
): SplitImages {
  const taken = bytesAtSize(format, pixels);
  return {
    name,
    count: pixels.length / storedBytes(format),
    available,
    shape: imageShape(format),
    pixels: taken,
    checksum: crc32(taken),
  };
}

/**
 * @file Image data sets that live on the device: uploaded once as bytes, four to a word, and drawn by
 * gathering. All that makes images of bytes (scaling, pooling, padding, mirroring) is done to the
 * batch, inside the step that draws it, so that a resident set takes a byte a pixel and channel:
 * MNIST's 60,000 × 28 × 28 take 47 MB, padded to 32 × 32 as float32 they would take 246 MB.
 */

import { ConfigError, VapoError } from "../errors.ts";
import {
  fork,
  gatherBytes,
  packBytes,
  randomIndices,
  type RandomKey,
  randomUniform,
  type Tensor,
  type Tensor4D,
  tf,
  unpackBytes,
  wordsOfBytes,
} from "../tensor/mod.ts";
import type { ImageRecords } from "./image_records.ts";

/** How images of bytes are brought to the size that a potential takes. */
export interface ImageSize {
  /** Average over equal square blocks down to this height and width; it has to divide both. */
  readonly poolTo?: number;
  /** Pad (after pooling) with −1, black, to this height and width, the image in the middle. */
  readonly padTo?: number;
}

/** What the bytes of an image are, and what becomes of them. */
export interface ImageFormat extends ImageSize {
  /** [height, width, channels] of the bytes: rows from the top, channels last. */
  readonly stored: readonly [number, number, number];
}

/** Images on a device. */
export interface ImageDataset {
  /** int32 [count, ⌈h·w·c/4⌉], as `packBytes` packs an image's bytes; dispose of it when done. */
  readonly words: Tensor;
  /** How many images there are. */
  readonly count: number;
  /** What the words hold. */
  readonly format: ImageFormat;
  /** [height, width, channels] of a drawn image, pooled and padded. */
  readonly shape: readonly [number, number, number];
}

/** Sides of an image on its way: [height, width]. */
type Sides = readonly [number, number];

/** What a format comes to, checked. */
interface Geometry {
  /** Pixels that are averaged, down and across. */
  readonly block: Sides;
  readonly pooled: Sides;
  readonly padded: Sides;
}

function geometryOf({ stored: [height, width], poolTo, padTo }: ImageFormat): Geometry {
  const block: Sides = poolTo === undefined ? [1, 1] : [height / poolTo, width / poolTo];
  if (![poolTo ?? 1, ...block].every((side) => Number.isInteger(side) && side > 0)) {
    throw new ConfigError(
      `poolTo is ${poolTo} for images of ${height}×${width}; expected a size that divides both`,
    );
  }
  const pooled: Sides = [height / block[0], width / block[1]];
  const padded: Sides = padTo === undefined ? pooled : [padTo, padTo];
  if (!padded.every((side, axis) => Number.isInteger(side) && side >= pooled[axis])) {
    throw new ConfigError(
      `padTo is ${padTo} for images of ${pooled[0]}×${pooled[1]}; expected a size not below them`,
    );
  }
  return { block, pooled, padded };
}

/**
 * [height, width, channels] of the images of a format, pooled and padded.
 *
 * @throws {ConfigError} where `poolTo` does not divide the size or `padTo` is below it.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { imageShape } from "vapo";
 * assertEquals(imageShape({ stored: [28, 28, 1], poolTo: 14, padTo: 16 }), [16, 16, 1]);
 * ```
 */
export function imageShape(format: ImageFormat): [number, number, number] {
  return [...geometryOf(format).padded, format.stored[2]];
}

/**
 * Puts images of bytes on the device.
 *
 * @param pixels rows from the top, channels last, image after image
 * @param shape [count, height, width, channels]
 * @param size pooling and padding of what is drawn; as it is where left out
 * @throws {VapoError} where `pixels` has another length than `shape` says.
 * @throws {ConfigError} where `poolTo` does not divide the size or `padTo` is below it.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { drawImages, fromUint8, openDevice, randomKey } from "vapo";
 * await openDevice("cpu");
 * const dataset = fromUint8(Uint8Array.of(0, 255), [1, 1, 2, 1], { padTo: 2 });
 * assertEquals(dataset.shape, [2, 2, 1]);
 * assertEquals([...await drawImages(dataset, 1, randomKey(7)).data()], [-1, 1, -1, -1]);
 * ```
 */
export function fromUint8(
  pixels: Uint8Array,
  [count, height, width, channels]: readonly [number, number, number, number],
  size: ImageSize = {},
): ImageDataset {
  const rowBytes = height * width * channels;
  if (pixels.length !== count * rowBytes || count < 1) {
    throw new VapoError(
      `image data hold ${pixels.length} bytes; expected ${count * rowBytes} for ${count} images ` +
        `of ${height}×${width}×${channels}, at least one: pass them all, channels last`,
    );
  }
  const format: ImageFormat = { ...size, stored: [height, width, channels] };
  const shape = imageShape(format);
  const words = packBytes(pixels, rowBytes);
  return {
    words: tf.tensor2d(words, [count, wordsOfBytes(rowBytes)], "int32"),
    count,
    format,
    shape,
  };
}

/**
 * Puts records of images on the device.
 *
 * @param records their labels are left out
 * @param size pooling and padding of what is drawn; as it is where left out
 * @throws {VapoError} where there are no images, or their bytes do not fit their shape.
 * @throws {ConfigError} where `poolTo` does not divide the size or `padTo` is below it.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, readCifar, residentImages } from "vapo";
 * await openDevice("cpu");
 * const record = new Uint8Array(1 + 3072); // a black aeroplane
 * const dataset = residentImages(readCifar(record, { name: "cifar10" }));
 * assertEquals([dataset.count, dataset.shape], [1, [32, 32, 3]]);
 * ```
 */
export function residentImages(
  { count, shape, pixels }: ImageRecords,
  size: ImageSize = {},
): ImageDataset {
  return fromUint8(pixels, [count, ...shape], size);
}

/**
 * The images that words hold: scaled from 0 … 255 to [−1, 1], pooled and padded as their format says.
 * Made of few operations, so that it costs next to nothing inside of a compiled function.
 *
 * @param format what the words hold
 * @param words int32 [n, ⌈h·w·c/4⌉], an image's bytes a row, as {@link packBytes} packs them
 * @returns float32 [n, height, width, channels]
 * @throws {VapoError} where the words are too few for the stored size.
 * @throws {ConfigError} where `poolTo` does not divide the size or `padTo` is below it.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { imagesOfWords, openDevice, packBytes, tf } from "vapo";
 * await openDevice("cpu");
 * const words = tf.tensor2d(packBytes(Uint8Array.of(0, 255, 255, 255), 4), [1, 1], "int32");
 * const images = imagesOfWords({ stored: [2, 2, 1], poolTo: 1 }, words);
 * assertEquals([...await images.data()], [0.5]);
 * ```
 */
export function imagesOfWords(format: ImageFormat, words: Tensor): Tensor4D {
  return tf.tidy(() => imagesOfBytes(format, unpackBytes(words, storedBytes(format))));
}

/** How many bytes a stored image has. */
export function storedBytes({ stored: [height, width, channels] }: ImageFormat): number {
  return height * width * channels;
}

/** Images from numbers from 0 to 255, [n, h·w·c]. */
function imagesOfBytes(format: ImageFormat, bytes: Tensor): Tensor4D {
  const { block, pooled, padded } = geometryOf(format), channels = format.stored[2];
  const area = block[0] * block[1];
  const inBlocks = [bytes.shape[0], pooled[0], block[0], pooled[1], block[1], channels];
  const shape: [number, number, number, number] = [bytes.shape[0], ...pooled, channels];
  // Sums of whole numbers are exact, and so is the difference: one rounding, and 255 becomes 1.
  const sums = area === 1 ? bytes : tf.sum(tf.reshape(bytes, inBlocks), [2, 4]);
  const middle = 127.5 * area;
  const scaled = tf.mul(tf.sub(tf.reshape(sums, shape), middle), 1 / middle) as Tensor4D;
  return padImages(scaled, padded);
}

/** Pads images [n, h, w, c] with black; the odd row or column goes below and to the right. */
function padImages(images: Tensor4D, padded: Sides): Tensor4D {
  const sides = padded.map((side, axis): [number, number] => {
    const missing = side - images.shape[axis + 1];
    return [Math.floor(missing / 2), Math.ceil(missing / 2)];
  });
  if (sides.every(([, after]) => after === 0)) return images;
  return tf.pad(images, [[0, 0], ...sides, [0, 0]], -1);
}

/**
 * Draws images with replacement: [n, height, width, channels]. Image i is a function of the key and
 * i alone, so a batch is a prefix of every larger one.
 *
 * @param dataset where from
 * @param n how many
 * @param key what the draw is a function of
 * @param options.flip mirror each image left to right with probability ½; default false
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { drawImages, fromUint8, openDevice, randomKey } from "vapo";
 * await openDevice("cpu");
 * const dataset = fromUint8(Uint8Array.of(0, 255, 255), [3, 1, 1, 1]);
 * const five = await drawImages(dataset, 5, randomKey(7)).data();
 * const three = await drawImages(dataset, 3, randomKey(7)).data();
 * assertEquals([...three], [...five.slice(0, 3)]);
 * ```
 */
export function drawImages(
  { words, count, format }: ImageDataset,
  n: number,
  key: RandomKey,
  { flip = false }: { readonly flip?: boolean } = {},
): Tensor4D {
  return tf.tidy(() => {
    const indices = randomIndices(fork(key, "image"), [n], count);
    const images = imagesOfBytes(format, gatherBytes(words, indices, storedBytes(format)));
    return flip ? flipSome(images, fork(key, "flip")) : images;
  });
}

/**
 * Mirrors each image left to right with probability ½; which ones is a function of the key and their
 * place in the batch.
 *
 * @param images [n, height, width, channels]
 * @param key what the choice is a function of
 * @returns images of the same shape
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { flipSome, openDevice, randomKey, tf } from "vapo";
 * await openDevice("cpu");
 * const images = tf.tile(tf.tensor4d([0, 1], [1, 1, 2, 1]), [100, 1, 1, 1]) as tf.Tensor4D;
 * const left = flipSome(images, randomKey(7)).slice([0, 0, 0, 0], [-1, 1, 1, 1]).dataSync();
 * assert(left.includes(0) && left.includes(1));
 * ```
 */
export function flipSome(images: Tensor4D, key: RandomKey): Tensor4D {
  return tf.tidy(() => {
    const mirrored: Tensor = tf.reverse(images, 2);
    const heads = tf.less(randomUniform(key, [images.shape[0], 1, 1, 1]), 0.5);
    return tf.where(heads, mirrored, images) as Tensor4D;
  });
}

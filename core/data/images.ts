/**
 * @file Image data sets that live on the device: uploaded once, drawn by gathering. Pooling happens
 * before the upload and padding after the gather, so that the resident copy is as small as it can
 * be (MNIST as 60,000 × 28 × 28 float32: 188 MB; padded to 32 × 32 it would be 246 MB).
 */

import { ConfigError, VapoError } from "../errors.ts";
import {
  fork,
  randomIndices,
  type RandomKey,
  randomUniform,
  type Tensor,
  type Tensor4D,
  tf,
} from "../tensor/mod.ts";

/** Images on a device. */
export interface ImageDataset {
  /** [count, h, w, channels], float32 in [−1, 1], before padding; dispose of it when done. */
  readonly images: Tensor4D;
  /** How many images there are. */
  readonly count: number;
  /** [height, width, channels] of a drawn image, padding included. */
  readonly shape: readonly [number, number, number];
}

/** How images of bytes are brought to the size that a potential takes. */
export interface ImageSize {
  /** Average over equal square blocks down to this height and width; it has to divide both. */
  readonly poolTo?: number;
  /** Pad (after pooling) with −1, black, to this height and width, the image in the middle. */
  readonly padTo?: number;
}

/**
 * Puts images of bytes on the device, scaled from [0, 255] to [−1, 1].
 *
 * @param data pixels row by row, channels last
 * @param shape [count, height, width, channels]
 * @param size pooling and padding; as it is where left out
 * @throws {VapoError} where `data` has another length than `shape` says.
 * @throws {ConfigError} where `poolTo` does not divide the size or `padTo` is below it.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { fromUint8, openDevice } from "vapo";
 * await openDevice("cpu");
 * const dataset = fromUint8(Uint8Array.of(0, 255, 255, 0), [1, 2, 2, 1], { padTo: 4 });
 * assertEquals([...await dataset.images.data()], [-1, 1, 1, -1]);
 * assertEquals(dataset.shape, [4, 4, 1]);
 * ```
 */
export function fromUint8(
  data: Uint8Array,
  shape: readonly [number, number, number, number],
  { poolTo, padTo }: ImageSize = {},
): ImageDataset {
  const [count, height, width, channels] = shape;
  const expected = count * height * width * channels;
  if (data.length !== expected || count < 1) {
    throw new VapoError(
      `image data hold ${data.length} bytes; expected ${expected} for ${count} images of ` +
        `${height}×${width}×${channels}, at least one: pass them all, channels last`,
    );
  }
  const block = poolTo === undefined ? [1, 1] : [height / poolTo, width / poolTo];
  if (![poolTo ?? 1, ...block].every((side) => Number.isInteger(side) && side > 0)) {
    throw new ConfigError(
      `poolTo is ${poolTo} for images of ${height}×${width}; expected a size that divides both`,
    );
  }
  const pooled = [height / block[0], width / block[1]];
  const outer = padTo === undefined ? pooled : [padTo, padTo];
  if (!outer.every((side, axis) => Number.isInteger(side) && side >= pooled[axis])) {
    throw new ConfigError(
      `padTo is ${padTo} for images of ${pooled[0]}×${pooled[1]}; expected a size not below them`,
    );
  }
  const scaled = averageBlocks(data, shape, block[0], block[1]);
  return {
    images: tf.tensor4d(scaled, [count, pooled[0], pooled[1], channels]),
    count,
    shape: [outer[0], outer[1], channels],
  };
}

/** Means over blocks of bytes, scaled to [−1, 1]. */
function averageBlocks(
  data: Uint8Array,
  [count, height, width, channels]: readonly [number, number, number, number],
  blockHeight: number,
  blockWidth: number,
): Float32Array {
  const out = new Float32Array(data.length / (blockHeight * blockWidth));
  const scale = 1 / (127.5 * blockHeight * blockWidth);
  let index = 0;
  for (let top = 0; top < count * height; top += blockHeight) {
    for (let left = 0; left < width; left += blockWidth) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (let y = top; y < top + blockHeight; y++) {
          for (let x = left; x < left + blockWidth; x++) {
            sum += data[(y * width + x) * channels + channel];
          }
        }
        out[index++] = sum * scale - 1;
      }
    }
  }
  return out;
}

/**
 * Pads images [n, h, w, c] of a data set with black to the size that it promises; the odd row or
 * column goes below and to the right.
 */
function padImages(dataset: ImageDataset, images: Tensor4D): Tensor4D {
  const sides = [0, 1].map((axis): [number, number] => {
    const missing = dataset.shape[axis] - images.shape[axis + 1];
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
  dataset: ImageDataset,
  n: number,
  key: RandomKey,
  { flip = false }: { readonly flip?: boolean } = {},
): Tensor4D {
  return tf.tidy(() => {
    const indices = randomIndices(fork(key, "image"), [n], dataset.count);
    const images = padImages(dataset, tf.gather(dataset.images, indices));
    return flip ? flipSome(images, fork(key, "flip")) : images;
  });
}

/** Mirrors each image left to right with probability ½. */
function flipSome(images: Tensor4D, key: RandomKey): Tensor4D {
  const mirrored: Tensor = tf.reverse(images, 2);
  const heads = tf.less(randomUniform(key, [images.shape[0], 1, 1, 1]), 0.5);
  return tf.where(heads, mirrored, images) as Tensor4D;
}

/**
 * @file Bilinear resizing of images without antialiasing, as `torch.nn.functional.interpolate` does
 * it with mode "bilinear" and align_corners False: pixel centres lie at half-integers, and what would
 * be beyond the first or last centre takes that pixel's value.
 */
import * as tf from "@tensorflow/tfjs";
import type { Tensor, Tensor4D } from "@tensorflow/tfjs";

/** Along an axis, result i is x[first] + fraction·(x[second] − x[first]). */
interface Neighbours {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly fraction: Float32Array;
}

function neighboursOf(from: number, to: number): Neighbours {
  const first = new Int32Array(to), second = new Int32Array(to), fraction = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const place = Math.max(0, (i + 0.5) * (from / to) - 0.5);
    first[i] = Math.min(Math.floor(place), from - 1);
    second[i] = Math.min(first[i] + 1, from - 1);
    fraction[i] = place - first[i];
  }
  return { first, second, fraction };
}

/**
 * Images of another size, by bilinear interpolation without antialiasing: what
 * `torch.nn.functional.interpolate(…, mode="bilinear", align_corners=False)` gives.
 *
 * Axis by axis, rows of pixels are gathered and mixed, the narrower image first: compiled that takes
 * a half to a sixth of the time of products with interpolation matrices.
 *
 * @param images [n, h, w, c], float32
 * @param size [height, width] of the result
 * @returns [n, height, width, c]
 */
export function resizeBilinear(
  images: Tensor4D,
  [height, width]: readonly [number, number],
): Tensor4D {
  const [n, h, w, c] = images.shape;
  const wide = w === width
    ? images
    : mixPixels(tf.reshape(images, [n * h, w, c]), neighboursOf(w, width), width);
  if (h === height) return tf.reshape(wide, [n, height, width, c]);
  const rows = tf.reshape(wide, [n, h, width * c]);
  return tf.reshape(mixRows(rows, neighboursOf(h, height), height), [n, height, width, c]);
}

/** [rows, w, c] → [rows, width, c]. */
function mixPixels(x: Tensor, { first, second, fraction }: Neighbours, width: number): Tensor {
  const pixels = (indices: Int32Array) => tf.gather(x, tf.tensor1d(indices, "int32"), 1);
  return mix(pixels(first), pixels(second), tf.tensor2d(fraction, [width, 1]));
}

/** [n, h, row] → [n, height, row]. The rows of all images are those of one table. */
function mixRows(x: Tensor, { first, second, fraction }: Neighbours, height: number): Tensor {
  const [n, h, row] = x.shape;
  const table = tf.reshape(x, [n * h, row]);
  const rows = (indices: Int32Array) => {
    const ofAll = Int32Array.from(
      { length: n * height },
      (_, i) => h * Math.floor(i / height) + indices[i % height],
    );
    return tf.reshape(tf.gather(table, tf.tensor1d(ofAll, "int32")), [n, height, row]);
  };
  return mix(rows(first), rows(second), tf.tensor2d(fraction, [height, 1]));
}

function mix(a: Tensor, b: Tensor, fraction: Tensor): Tensor {
  return tf.add(a, tf.mul(tf.sub(b, a), fraction));
}

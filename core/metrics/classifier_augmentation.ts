/**
 * @file Images of digits and clothes changed a little, sample by sample, while a classifier is trained
 * on them: moved, stretched, mirrored, and some at half their resolution.
 */
import {
  averagePool2,
  fork,
  nearestUpsample2,
  type RandomKey,
  randomUniform,
  type Tensor,
  type Tensor4D,
  tf,
} from "../tensor/mod.ts";

/** How much images are changed. */
export interface Augmentation {
  /** Moved by up to so many pixels, down and across. */
  readonly shift: number;
  /** Stretched about the middle by up to this logarithm, down and across. */
  readonly stretch: number;
  /** Whether they are mirrored left to right with probability ½. */
  readonly mirror: boolean;
  /** The share of images at half the resolution, as evaluations of 16×16 have them. */
  readonly coarse: number;
}

/**
 * Images changed at random. What comes in from outside is black.
 *
 * Moving, stretching and mirroring is a linear interpolation, and so a product with a matrix on either
 * side, one for the rows and one for the columns.
 *
 * @param images [n, side, side, 1] in [−1, 1], the side even
 * @param key what the changes are a function of
 * @returns images of the same shape
 */
export function augmentedImages(
  images: Tensor4D,
  key: RandomKey,
  options: Augmentation,
): Tensor4D {
  const [n, side] = images.shape;
  const light = tf.reshape(tf.add(images, 1), [n, side, side]);
  const down = interpolation(images.shape, fork(key, "down"), { ...options, mirror: false });
  const across = interpolation(images.shape, fork(key, "across"), options);
  const moved = tf.matMul(tf.matMul(down, light), across, false, true);
  const fine = tf.sub(tf.reshape(moved, images.shape), 1) as Tensor4D;
  const coarse = nearestUpsample2(averagePool2(fine));
  const isCoarse = tf.less(randomUniform(fork(key, "coarse"), [n, 1, 1, 1]), options.coarse);
  return tf.where(isCoarse, coarse, fine);
}

/** Matrices [n, side, side] that make lines of pixels of others: row i is what pixel i is made of. */
function interpolation(
  [n, side]: readonly number[],
  key: RandomKey,
  { shift, stretch, mirror }: Augmentation,
): Tensor {
  /** Uniform in (−1, 1). */
  const draw = (what: string) => tf.sub(tf.mul(randomUniform(fork(key, what), [n, 1, 1]), 2), 1);
  const places = tf.sub(tf.range(0, side), (side - 1) / 2);
  const size = tf.exp(tf.mul(draw("stretch"), stretch));
  const factor = mirror ? tf.mul(size, tf.sign(draw("mirror"))) : size;
  const from = tf.add(tf.mul(tf.reshape(places, [1, -1, 1]), factor), tf.mul(draw("shift"), shift));
  return tf.relu(tf.sub(1, tf.abs(tf.sub(from, tf.reshape(places, [1, 1, -1])))));
}

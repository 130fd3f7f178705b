/**
 * @file Group normalisation after Wu and He, "Group Normalization" (2018), with derivatives of every
 * order in closed form: with z = (x − mean)·r and r = 1/√(variance + ε), over groups of N values,
 *
 *   z' applied to d = r·(d − mean(d) − z·mean(d·z)),   ∂r/∂x = −r²·z/N.
 *
 * Sums go over pixels first and over the channels of a group at the end, so that what is large is
 * read channel by channel; and the sums over pixels that the gradient needs are those that gain and
 * shift need.
 */
import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "@tensorflow/tfjs";

type Save = (tensors: Tensor[]) => void;

/** What is divided into how many groups, and ε. */
interface Grouping {
  readonly groups: number;
  readonly epsilon: number;
}

/**
 * Values of each group of neighbouring channels to zero mean and unit variance, sample by sample.
 *
 * @param x [n, pixels, channels]
 * @param grouping the number of groups, a divisor of the channels; ε, added to the variance
 * @returns the shape of x
 */
export function standardizeGroups(x: Tensor, grouping: Grouping): Tensor {
  const standardize = tf.customGrad((input, save) => {
    const x = input as Tensor;
    (save as Save)([x]);
    const centred = tf.sub(x, groupMean(x, grouping.groups));
    return {
      value: tf.mul(centred, inverseDeviation(x, grouping)),
      gradFunc: (dy: Tensor, [x]: Tensor[]) => {
        const z = standardizeGroups(x, grouping);
        const constant = groupMean(dy, grouping.groups);
        const slope = groupMean(tf.mul(dy, z), grouping.groups);
        const rest = tf.sub(tf.sub(dy, constant), tf.mul(z, slope));
        return tf.mul(rest, inverseDeviation(x, grouping));
      },
    };
  });
  return standardize(x);
}

/** 1/√(variance + ε) of each group: [n, pixels, channels] → [n, 1, channels]. */
function inverseDeviation(x: Tensor, grouping: Grouping): Tensor {
  const { groups, epsilon } = grouping;
  const inverse = tf.customGrad((input, save) => {
    const x = input as Tensor;
    (save as Save)([x]);
    const variance = groupMean(tf.square(tf.sub(x, groupMean(x, groups))), groups);
    return {
      value: tf.div(1, tf.sqrt(tf.add(variance, epsilon))),
      gradFunc: (dr: Tensor, [x]: Tensor[]) => {
        const r = inverseDeviation(x, grouping);
        const factor = tf.mul(groupMean(dr, groups), tf.mul(tf.square(r), -1 / x.shape[1]!));
        return tf.mul(standardizeGroups(x, grouping), factor);
      },
    };
  });
  return inverse(x);
}

/** The mean of each group, once for each of its channels: [n, pixels, channels] → [n, 1, channels]. */
function groupMean(x: Tensor, groups: number): Tensor {
  const [n, pixels, channels] = x.shape;
  const size = channels / groups;
  const grouped = tf.reshape(tf.sum(x, 1), [n, groups, size]);
  const mean = tf.mul(tf.sum(grouped, 2, true), 1 / (pixels * size));
  return tf.reshape(tf.mul(mean, tf.ones([n, groups, size])), [n, 1, channels]);
}

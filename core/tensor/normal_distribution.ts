/**
 * @file The normal distribution function and its density, with derivatives of every order:
 * Φ' = φ and φ' = −xφ.
 */
import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "@tensorflow/tfjs";

/**
 * Beyond |x| = 8.5 the density stays as it is there, 2e-16 of its maximum, which is nothing beside
 * the distribution function's 0 or 1. Its tail would be subnormal numbers, and so would all that is
 * multiplied by it; processors compute with those a hundred times more slowly.
 */
const smallestExponent = -36;

type Save = (tensors: Tensor[]) => void;

/** φ(x) = exp(−x²/2)/√(2π): the shape of x. */
export function normalDensity(x: Tensor): Tensor {
  const density = tf.customGrad((x, save) => {
    (save as Save)([x as Tensor]);
    const exponent = tf.maximum(tf.mul(tf.square(x as Tensor), -0.5), smallestExponent);
    return {
      value: tf.mul(tf.exp(exponent), 1 / Math.sqrt(2 * Math.PI)),
      gradFunc: (dy: Tensor, [x]: Tensor[]) => tf.mul(dy, tf.neg(tf.mul(x, normalDensity(x)))),
    };
  });
  return density(x);
}

/** Φ(x) = ½(1 + erf(x/√2)): the shape of x. */
export function normalDistribution(x: Tensor): Tensor {
  const distribution = tf.customGrad((x, save) => {
    (save as Save)([x as Tensor]);
    return {
      value: tf.mul(tf.add(tf.erf(tf.mul(x as Tensor, Math.SQRT1_2)), 1), 0.5),
      gradFunc: (dy: Tensor, [x]: Tensor[]) => tf.mul(dy, normalDensity(x)),
    };
  });
  return distribution(x);
}

/**
 * @file Draws of components that are not equally likely, by inversion: a component is the place of a
 * uniform draw among the cumulative weights. A small change of the weights leaves most draws as they
 * were.
 */
import { ConfigError } from "../errors.ts";
import { type Tensor, tf } from "../tensor/mod.ts";

/** Cumulative weights are compared in rows of so many, found by comparing the rows' ends first. */
const ROW = 64;

/**
 * Weights as probabilities; null where they are left out or all the same, for what is equally likely
 * is drawn without weights.
 *
 * @param weights one a component, at least 0, of any scale
 * @param count how many components there are
 * @param name of the distribution, for messages
 * @throws {ConfigError} for another number of them, numbers below 0, or all 0
 */
export function probabilities(
  weights: readonly number[] | null,
  count: number,
  name: string,
): readonly number[] | null {
  if (weights === null) return null;
  const said = "data.distribution.weights";
  if (weights.length !== count) {
    throw new ConfigError(
      `${said} has ${weights.length} numbers for the ${count} components of data "${name}": expected ` +
        (count === 0 ? "null, for it has none" : `${count}, or null for equal ones`),
    );
  }
  const wrong = weights.findIndex((weight) => !(weight >= 0 && Number.isFinite(weight)));
  if (wrong >= 0) {
    throw new ConfigError(
      `${said} has ${weights[wrong]} at place ${wrong + 1}: expected finite numbers of at least 0`,
    );
  }
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  if (largest === 0) {
    throw new ConfigError(
      `${said} are all 0: expected one above 0 at least, or null for equal ones`,
    );
  }
  if (weights.every((weight) => weight === largest)) return null;
  // Divided by the largest first: the sum of numbers near the largest float64 is not finite.
  const scaled = weights.map((weight) => weight / largest);
  const total = scaled.reduce((sum, weight) => sum + weight, 0);
  return scaled.map((weight) => weight / total);
}

/**
 * Components by weight, from uniform draws.
 *
 * @param uniform in (0, 1): [n, 1]
 * @param weights probabilities, one a component
 * @returns int32 [n]: k with probability weights[k]
 */
export function weightedIndices(uniform: Tensor, weights: readonly number[]): Tensor {
  const ends = upperEnds(weights);
  const rows = Math.ceil(ends.length / ROW);
  if (rows === 1) return endsBelow(uniform, tf.tensor2d([ends]));
  // No draw reaches 2, so that what fills the last row is never passed.
  const filled = [...ends, ...new Array(rows * ROW - ends.length).fill(2)];
  const table = tf.tensor2d(filled, [rows, ROW]);
  const row = endsBelow(uniform, tf.tensor2d([filled.filter((_, i) => i % ROW === ROW - 1)]));
  return tf.add(tf.mul(row, tf.scalar(ROW, "int32")), endsBelow(uniform, tf.gather(table, row)));
}

/** Where each component's part of [0, 1] ends; 2 for the last that has a part. */
export function upperEnds(weights: readonly number[]): number[] {
  const last = weights.findLastIndex((weight) => weight > 0);
  let sum = 0;
  return weights.map((weight, k) => k >= last ? 2 : sum += weight);
}

/** How many of a row's ends are at or below the draw: int32 [n]. */
function endsBelow(uniform: Tensor, ends: Tensor): Tensor {
  return tf.sum(tf.cast(tf.greaterEqual(uniform, ends), "int32"), 1);
}

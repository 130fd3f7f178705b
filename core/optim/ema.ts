/**
 * @file Exponential moving average of parameters (Polyak averaging), with the warm-up of
 * TensorFlow's ExponentialMovingAverage: early on the decay is (1 + t)/(10 + t), so that the random
 * start is soon forgotten.
 */
import { type Scalar, type TensorRecord, tf } from "../tensor/mod.ts";

/**
 * average ← d·average + (1 − d)·parameters with d = min(decay, (1 + t)/(10 + t)).
 *
 * Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; the
 * warm-up is that of TensorFlow's ExponentialMovingAverage.
 *
 * @param average of the names and shapes of the parameters
 * @param parameters those after the update
 * @param decay in [0, 1); 0 takes the parameters as they are
 * @param step updates done before this one, as a float32 scalar
 * @returns a new record; both inputs stay the caller's
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { openDevice, tf, updateAverage } from "vapo";
 * await openDevice("cpu");
 * const average = { w: tf.scalar(0) }, parameters = { w: tf.scalar(1) };
 * const early = updateAverage(average, parameters, 0.999, tf.scalar(0));
 * const late = updateAverage(average, parameters, 0.999, tf.scalar(1e6));
 * assertAlmostEquals(early.w.dataSync()[0], 0.9, 1e-6); // d = 1/10
 * assertAlmostEquals(late.w.dataSync()[0], 0.001, 1e-6);
 * ```
 */
export function updateAverage(
  average: TensorRecord,
  parameters: TensorRecord,
  decay: number,
  step: Scalar,
): TensorRecord {
  const d = tf.minimum(decay, tf.div(tf.add(step, 1), tf.add(step, 10)));
  const updated: TensorRecord = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    // average + (1 − d)(parameter − average): exact at the fixed point.
    updated[name] = tf.add(
      average[name],
      tf.mul(tf.sub(1, d), tf.sub(parameter, average[name])),
    );
  }
  return updated;
}

/**
 * @file Exponential moving average of parameters (Polyak averaging), with the warm-up of
 * TensorFlow's ExponentialMovingAverage: early on the decay is (1 + t)/(10 + t), so that the random
 * start is soon forgotten.
 */
import { type Scalar, type TensorRecord, tf } from "../tensor/mod.ts";

/**
 * average ← d·average + (1 − d)·parameters with d = min(decay, (1 + t)/(10 + t)).
 *
 * @param step updates done before this one, as a float32 scalar
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

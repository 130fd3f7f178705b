/**
 * @file Learning-rate schedules as tensor functions of the step: linear warm-up, then constant or
 * cosine decay (Loshchilov and Hutter, 2017).
 */
import { type Scalar, tf } from "../tensor/mod.ts";

/** A learning rate over a run. */
export interface ScheduleOptions {
  /** What follows the warm-up. */
  readonly kind: "constant" | "cosine";
  /** The rate after warm-up. */
  readonly learningRate: number;
  /** Steps of linear warm-up: step t has rate·(t + 1)/warmupSteps. */
  readonly warmupSteps: number;
  /** Steps of the whole run, where the cosine reaches zero. */
  readonly totalSteps: number;
}

/**
 * The learning rate at a step.
 *
 * Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
 * equation 5, with one period.
 *
 * @param options the schedule of the whole run
 * @param step updates done so far, as a float32 scalar
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { learningRateAt, openDevice, tf } from "vapo";
 * await openDevice("cpu");
 * const rateAt = (step: number) =>
 *   learningRateAt(
 *     { kind: "cosine", learningRate: 2, warmupSteps: 10, totalSteps: 110 },
 *     tf.scalar(step),
 *   ).dataSync()[0];
 * assertAlmostEquals(rateAt(4), 1, 1e-6); // half way up
 * assertAlmostEquals(rateAt(60), 1, 1e-6); // half way down
 * assertAlmostEquals(rateAt(110), 0, 1e-6);
 * ```
 */
export function learningRateAt(options: ScheduleOptions, step: Scalar): Scalar {
  const { kind, learningRate, warmupSteps, totalSteps } = options;
  const warm = warmupSteps > 0 ? tf.minimum(1, tf.div(tf.add(step, 1), warmupSteps)) : 1;
  if (kind === "constant") return tf.mul(warm, learningRate);
  const length = Math.max(1, totalSteps - warmupSteps);
  const progress = tf.clipByValue(tf.div(tf.sub(step, warmupSteps), length), 0, 1);
  const cosine = tf.mul(0.5, tf.add(1, tf.cos(tf.mul(Math.PI, progress))));
  return tf.mul(tf.mul(warm, cosine), learningRate);
}

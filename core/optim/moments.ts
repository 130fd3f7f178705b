/**
 * @file Exponential moving moments of gradients, shared by Adam and LAMB.
 */
import { type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";

/**
 * The moments that an optimiser starts from: zeros of each parameter's shape, under `m/NAME`
 * (first) and `v/NAME` (second).
 *
 * @param parameters by name
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, tf, zeroMoments } from "vapo";
 * await openDevice("cpu");
 * const moments = zeroMoments({ "dense0.bias": tf.ones([2]) });
 * assertEquals(Object.keys(moments), ["m/dense0.bias", "v/dense0.bias"]);
 * assertEquals([...moments["v/dense0.bias"].dataSync()], [0, 0]);
 * ```
 */
export function zeroMoments(parameters: TensorRecord): TensorRecord {
  const moments: TensorRecord = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    moments[`m/${name}`] = tf.zerosLike(parameter);
    moments[`v/${name}`] = tf.zerosLike(parameter);
  }
  return moments;
}

/** m ← β₁m + (1 − β₁)g and v ← β₂v + (1 − β₂)g² of one parameter. */
export function moveMoments(
  moments: TensorRecord,
  name: string,
  gradient: Tensor,
  beta1: number,
  beta2: number,
): { m: Tensor; v: Tensor } {
  const m = tf.add(tf.mul(moments[`m/${name}`], beta1), tf.mul(gradient, 1 - beta1));
  const v = tf.add(tf.mul(moments[`v/${name}`], beta2), tf.mul(tf.square(gradient), 1 - beta2));
  return { m, v };
}

/**
 * @file Exponential moving moments of gradients, shared by Adam and LAMB.
 */
import { type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";

/** Zero moments for each parameter: `m/NAME` and `v/NAME`. */
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

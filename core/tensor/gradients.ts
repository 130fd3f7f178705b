/**
 * @file Reverse-mode derivatives in the two forms that the method needs: of a batch of scalars with
 * respect to its input, and of a loss with respect to a record of parameters. They nest, so the
 * gradient of a loss that holds ∇Φ is a gradient of a gradient.
 */
import * as tf from "@tensorflow/tfjs";
import type { Scalar, Tensor } from "@tensorflow/tfjs";

/** A flat record of named tensors: parameters, their gradients, the moments of an optimiser. */
export type TensorRecord = Record<string, Tensor>;

/**
 * Values and gradients of a batch of scalar functions: f maps x [n, …] to [n], row by row.
 *
 * @param f differentiable, and each row of its result a function of the same row of x alone
 * @param x [n, …]
 * @returns value [n] and gradient [n, …], the gradient of each row's value in its own input; both
 * belong to the caller (or to the enclosing `tf.tidy`)
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { batchValueAndGradient, openDevice, tf } from "vapo";
 * await openDevice("cpu");
 * const x = tf.tensor2d([[1, 2], [3, 4]]);
 * const { value, gradient } = batchValueAndGradient((x) => tf.sum(tf.square(x), 1), x);
 * assertEquals([...value.dataSync()], [5, 25]);
 * assertEquals([...gradient.dataSync()], [2, 4, 6, 8]); // 2x
 * ```
 */
export function batchValueAndGradient(
  f: (x: Tensor) => Tensor,
  x: Tensor,
): { value: Tensor; gradient: Tensor } {
  const { value, grads } = tf.engine().gradients(
    () => f(x),
    [x],
    undefined as unknown as Tensor,
    true,
  );
  return { value, gradient: grads[0] ?? tf.zerosLike(x) };
}

/**
 * A loss, its gradient in each parameter, and whatever else `f` computed on the way.
 *
 * @param f returns the loss (a scalar) and a record of scalars to report
 * @param parameters the record that `f` closes over; one without influence has a zero gradient
 * @returns the loss, the report, and gradients of the names and shapes of `parameters`; all belong
 * to the caller (or to the enclosing `tf.tidy`)
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { lossAndGradients, openDevice, tf } from "vapo";
 * await openDevice("cpu");
 * const w = tf.scalar(3), unused = tf.scalar(1);
 * const { loss, report, gradients } = lossAndGradients(
 *   () => ({ loss: tf.square(w), report: { double: tf.mul(w, 2) } }),
 *   { w, unused },
 * );
 * const values = [loss, report.double, gradients.w, gradients.unused];
 * assertEquals(values.map((tensor) => tensor.dataSync()[0]), [9, 6, 6, 0]);
 * ```
 */
export function lossAndGradients<A extends TensorRecord>(
  f: () => { loss: Scalar; report: A },
  parameters: TensorRecord,
): { loss: Scalar; report: A; gradients: TensorRecord } {
  const names = Object.keys(parameters);
  const kept: TensorRecord = {};
  try {
    const { value, grads } = tf.engine().gradients(
      () => {
        const { loss, report } = f();
        // The scope of the gradient ends before its caller's: what is reported has to outlive it.
        for (const [name, tensor] of Object.entries(report)) kept[name] = tf.keep(tf.clone(tensor));
        return loss;
      },
      names.map((name) => parameters[name]),
      undefined as unknown as Scalar,
      true,
    );
    const report: TensorRecord = {}, gradients: TensorRecord = {};
    for (const [name, tensor] of Object.entries(kept)) report[name] = tf.clone(tensor);
    names.forEach((name, i) => gradients[name] = grads[i] ?? tf.zerosLike(parameters[name]));
    return { loss: value, report: report as A, gradients };
  } finally {
    tf.dispose(kept);
  }
}

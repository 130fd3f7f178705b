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
 * @returns value [n] and gradient [n, …], the gradient of each row's value in its own input
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
 */
export function lossAndGradients<A extends TensorRecord>(
  f: () => { loss: Scalar; report: A },
  parameters: TensorRecord,
): { loss: Scalar; report: A; gradients: TensorRecord } {
  const names = Object.keys(parameters);
  const reported: TensorRecord = {};
  const { value, grads } = tf.engine().gradients(
    () => {
      const { loss, report } = f();
      // The scope of the gradient ends before its caller's: what is reported has to outlive it.
      for (const [name, tensor] of Object.entries(report)) {
        reported[name] = tf.keep(tf.clone(tensor));
      }
      return loss;
    },
    names.map((name) => parameters[name]),
    undefined as unknown as Scalar,
    true,
  );
  const report: TensorRecord = {};
  for (const [name, kept] of Object.entries(reported)) {
    report[name] = tf.clone(kept);
    kept.dispose();
  }
  const gradients: TensorRecord = {};
  names.forEach((name, i) => gradients[name] = grads[i] ?? tf.zerosLike(parameters[name]));
  return { loss: value, report: report as A, gradients };
}

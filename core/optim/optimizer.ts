/**
 * @file What an optimiser is: a pure function of (parameters, gradients, moments, learning rate,
 * step). Moments are a flat record of named tensors, so that they are stored like parameters.
 */
import type { Scalar, TensorRecord } from "../tensor/mod.ts";

/** The inputs of one update. */
export interface UpdateInputs {
  /** Float32, by name. */
  readonly parameters: TensorRecord;
  /** Of the names and shapes of the parameters. */
  readonly gradients: TensorRecord;
  /** First moments under `m/NAME`, second moments under `v/NAME`. */
  readonly moments: TensorRecord;
  /** A float32 scalar. */
  readonly learningRate: Scalar;
  /** Updates done before this one, as a float32 scalar. */
  readonly step: Scalar;
}

/** A gradient-based optimiser with two moments. */
export interface Optimizer {
  /** The parameters and moments after one update: new tensors, the inputs stay the caller's. */
  update(inputs: UpdateInputs): { parameters: TensorRecord; moments: TensorRecord };
}

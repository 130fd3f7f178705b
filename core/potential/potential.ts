/**
 * @file What a potential is: one scalar function Φ(x[, u]) of a sample, as a pure function of a flat
 * record of named parameters. Its gradient in x is the velocity of the flow [VPF, eq. 12].
 */
import type { RandomKey, Tensor, TensorRecord } from "../tensor/mod.ts";
import type { Layers } from "./layers.ts";

/** How a potential is evaluated. */
export interface ApplyOptions {
  /**
   * Drops features at random, where the potential has a rate for that, as a function of this key: in
   * training. Each sample has masks of its own, one for each layer. Default none are dropped.
   */
  readonly dropout?: RandomKey;
}

/**
 * A potential Φ. Time-implicit potentials (the paper's choice) do not read u; time-explicit ones
 * take it as a further input.
 */
export interface Potential {
  /** The shape of one sample: [d], or [height, width, channels]. */
  readonly sampleShape: readonly number[];
  /** Whether u is read; then Φ is known on [0, uMax] only, and the flow has to end there. */
  readonly timeExplicit: boolean;
  /** Fresh parameters, float32, a function of the key alone; they belong to the caller. */
  initialize(key: RandomKey): TensorRecord;
  /**
   * Parameters whose every weight-normalised layer has zero mean and unit variance on this batch
   * (x: [n, …sampleShape], u: [n]); potentials without such layers leave this out.
   */
  initializeFromData?(parameters: TensorRecord, x: Tensor, u: Tensor): TensorRecord;
  /**
   * Values of the potential, twice differentiable in x and, mixed, in the parameters.
   *
   * @param x [n, …sampleShape]
   * @param u [n], read by time-explicit potentials only
   * @param options whether features are dropped
   * @returns Φ: [n]
   */
  apply(parameters: TensorRecord, x: Tensor, u: Tensor, options?: ApplyOptions): Tensor;
  /**
   * Values made by layers that are handed over, to watch them: what {@link describeLayers} looks at;
   * left out by potentials that are not made of layers.
   */
  applyWith?(layers: Layers, parameters: TensorRecord, x: Tensor, u: Tensor): Tensor;
}

/**
 * The number of values in one sample, d.
 *
 * @param potential whatever has the shape of a sample
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { sampleSize } from "vapo";
 * assertEquals(sampleSize({ sampleShape: [32, 32, 3] }), 3072);
 * ```
 */
export function sampleSize(potential: Pick<Potential, "sampleShape">): number {
  return potential.sampleShape.reduce((product, size) => product * size, 1);
}

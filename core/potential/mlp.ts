/**
 * @file The multilayer-perceptron potential, for points in the plane: dense layers and exact GELU.
 */
import { type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";
import { gelu, initializeNormalized, initializePlain, type Layers } from "./layers.ts";
import { layeredPotential } from "./layered_potential.ts";
import type { Potential } from "./potential.ts";

/** The shape of an MLP potential. */
export interface MlpOptions {
  /** The data dimension d. */
  readonly dimension: number;
  /** Widths of the hidden layers. */
  readonly hidden: readonly number[];
  /** Whether u is an input. */
  readonly timeExplicit: boolean;
  /**
   * For a time-explicit potential, how many octaves of u are inputs beside u itself: the sine and
   * cosine of (π/2)u, πu, 2πu, … Default 0.
   */
  readonly timeFeatures?: number;
  /** Weight-normalised dense layers in place of plain ones. Default false. */
  readonly weightNormalization?: boolean;
}

/**
 * An MLP potential. Parameters are `dense0.kernel` [inputs, outputs], `dense0.bias` [outputs], …,
 * or `dense0.v`, `dense0.g`, `dense0.bias` with weight normalisation. Samples have the shape [d].
 *
 * @param options widths and inputs (not checked: a configuration's are)
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { mlpPotential, openDevice, randomKey, tf } from "vapo";
 * await openDevice("cpu");
 * const potential = mlpPotential({ dimension: 2, hidden: [16], timeExplicit: true });
 * const parameters = potential.initialize(randomKey(1));
 * assertEquals(parameters["dense0.kernel"].shape, [3, 16]); // two coordinates and the time
 * const phi = potential.apply(parameters, tf.zeros([5, 2]), tf.zeros([5]));
 * assertEquals(phi.shape, [5]);
 * ```
 */
export function mlpPotential(options: MlpOptions): Potential {
  const { dimension, hidden, timeExplicit, timeFeatures = 0, weightNormalization = false } =
    options;
  const inputs = dimension + (timeExplicit ? 1 + 2 * timeFeatures : 0);
  const sizes = [inputs, ...hidden, 1];
  const depth = sizes.length - 1;

  const forward = (use: Layers, parameters: TensorRecord, x: Tensor, u: Tensor): Tensor => {
    let h = timeExplicit ? tf.concat([x, timeInputs(u, timeFeatures)], 1) : x;
    for (let i = 0; i < depth; i++) {
      h = use.dense(parameters, `dense${i}`, h);
      if (i < depth - 1) h = gelu(h);
    }
    return tf.reshape(h, [-1]);
  };

  return layeredPotential({
    sampleShape: [dimension],
    timeExplicit,
    normalized: weightNormalization,
    initialize(parameters, key) {
      const initialize = weightNormalization ? initializeNormalized : initializePlain;
      for (let i = 0; i < depth; i++) {
        initialize(parameters, key, `dense${i}`, [sizes[i], sizes[i + 1]]);
      }
    },
    forward,
  });
}

/** u [n] → [n, 1 + 2·octaves]: u, then the sine and cosine of 2ᵏ(π/2)u, k = 0, 1, … */
function timeInputs(u: Tensor, octaves: number): Tensor {
  const column = tf.reshape(u, [-1, 1]);
  const features = [column];
  for (let k = 0; k < octaves; k++) {
    const angle = tf.mul(column, 2 ** k * Math.PI / 2);
    features.push(tf.sin(angle), tf.cos(angle));
  }
  return features.length === 1 ? column : tf.concat(features, 1);
}

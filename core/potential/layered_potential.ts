/**
 * @file A potential from its two ingredients: fresh parameters, and a forward pass written against
 * {@link Layers}, which serves for values, for dropout and for initialisation from data.
 */
import type { RandomKey, Tensor, TensorRecord } from "../tensor/mod.ts";
import { initializingLayers, type Layers, layers, layersWithDropout } from "./layers.ts";
import type { Potential } from "./potential.ts";

/** What differs from one potential to the next. */
export interface LayeredPotential extends Pick<Potential, "sampleShape" | "timeExplicit"> {
  /** Whether there are weight-normalised layers, which are initialised from data. */
  readonly normalized: boolean;
  /** Writes fresh parameters into an empty record. */
  readonly initialize: (parameters: TensorRecord, key: RandomKey) => void;
  /** x [n, …sampleShape], u [n] → Φ [n], with the layers that it is handed. */
  readonly forward: (use: Layers, parameters: TensorRecord, x: Tensor, u: Tensor) => Tensor;
}

/** Makes the potential. */
export function layeredPotential(
  { sampleShape, timeExplicit, normalized, initialize, forward }: LayeredPotential,
): Potential {
  return {
    sampleShape,
    timeExplicit,
    initialize(key) {
      const parameters: TensorRecord = {};
      initialize(parameters, key);
      return parameters;
    },
    ...(normalized && {
      initializeFromData(parameters, x, u) {
        const initialized = { ...parameters };
        forward(initializingLayers, initialized, x, u);
        return initialized;
      },
    }),
    apply: (parameters, x, u, { dropout } = {}) =>
      forward(dropout ? layersWithDropout(dropout) : layers, parameters, x, u),
    applyWith: forward,
  };
}

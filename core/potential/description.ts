/**
 * @file What a potential is made of, in words and numbers, without computing anything: its forward
 * pass and its initialisation are recorded, as for the compiler, and only shapes are looked at.
 */
import { VapoError } from "../errors.ts";
import { shapesOf, type TensorSpec } from "../jit/mod.ts";
import { randomKey, type Tensor, type TensorRecord } from "../tensor/mod.ts";
import { type Layer, type Layers, layers } from "./layers.ts";
import type { Potential } from "./potential.ts";

/** One layer of a potential. */
export interface LayerDescription {
  /** As its parameters' names begin. */
  readonly name: string;
  /** What it does, in a word or two: "convolution", "group norm", "average pool". */
  readonly kind: string;
  /** The shape of what it gives for one sample: [] for a scalar. */
  readonly output: readonly number[];
  /** How many numbers it has to learn. */
  readonly parameters: number;
}

const kinds: Readonly<Record<keyof Layers, string>> = {
  dense: "dense",
  convolution: "convolution",
  groupNorm: "group norm",
  attention: "attention",
  averagePool: "average pool",
  upsample: "nearest up-sampling",
  concatenate: "concatenation",
  dropout: "dropout",
  sumPixels: "sum over pixels",
  squaredDistance: "squared distance",
  innerProduct: "inner product",
};

/**
 * The shapes of a potential's parameters, by their names, in the order in which they are made. No
 * parameter is made.
 *
 * @param potential any
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { mlpPotential, parameterShapes } from "vapo";
 * const potential = mlpPotential({ dimension: 2, hidden: [512], timeExplicit: false });
 * assertEquals(parameterShapes(potential), {
 *   "dense0.kernel": [2, 512], "dense0.bias": [512], "dense1.kernel": [512, 1], "dense1.bias": [1],
 * });
 * ```
 */
export function parameterShapes(potential: Potential): Record<string, number[]> {
  const specs = shapesOf(() => potential.initialize(randomKey(0)));
  return Object.fromEntries(
    Object.entries(specs).map(([name, { shape }]) => [name, [...shape]]),
  );
}

/**
 * The layers of a potential in the order in which they run; activations and sums of two branches are
 * left out. No parameter is made and nothing is computed.
 *
 * @param potential one of this library's
 * @throws {VapoError} for a potential that is not made of this library's layers
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { describeLayers, wideResnetPotential } from "vapo";
 * const layers = describeLayers(wideResnetPotential({
 *   imageShape: [32, 32, 3], channels: 128, multipliers: [1, 2, 2, 2], blocksPerLevel: 8,
 *   timeExplicit: false,
 * }));
 * assertEquals(layers[0], {
 *   name: "stem", kind: "convolution", output: [32, 32, 128], parameters: 3 * 3 * 3 * 128 + 2 * 128,
 * });
 * assertEquals(layers.at(-1)!.kind, "dense");
 * ```
 */
export function describeLayers(potential: Potential): LayerDescription[] {
  const { applyWith, sampleShape } = potential;
  if (!applyWith) {
    throw new VapoError(
      "a potential without applyWith cannot be described: expected one that is made of layers; " +
        "use this library's potentials, or give it an applyWith",
    );
  }
  const shapes = parameterShapes(potential);
  const sizes = parametersByLayer(shapes);
  const found: LayerDescription[] = [];
  const watched = watchedLayers((kind, name, { shape }) =>
    found.push({ name, kind, output: shape.slice(1), parameters: sizes.get(name) ?? 0 })
  );
  const spec = (shape: readonly number[]): TensorSpec => ({ shape, dtype: "float32" });
  const parameters = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, spec(shape)]),
  );
  shapesOf(
    (parameters: TensorRecord, x: Tensor, u: Tensor) => applyWith(watched, parameters, x, u),
    parameters,
    spec([1, ...sampleShape]),
    spec([1]),
  );
  return found;
}

/** The layers as they are, each telling what it gave. */
function watchedLayers(note: (kind: string, name: string, output: Tensor) => void): Layers {
  const entries = Object.entries(layers) as [keyof Layers, Layer<unknown[]>][];
  const watched = entries.map(([key, layer]) => {
    const watch: Layer<unknown[]> = (parameters, name, x, ...options) => {
      const output = layer(parameters, name, x, ...options);
      note(kinds[key], name, output);
      return output;
    };
    return [key, watch];
  });
  return Object.fromEntries(watched) as unknown as Layers;
}

/** How many values the parameters "layer.what" have, by the layer. */
function parametersByLayer(shapes: Record<string, number[]>): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const [name, shape] of Object.entries(shapes)) {
    const layer = name.slice(0, name.lastIndexOf("."));
    const size = shape.reduce((product, extent) => product * extent, 1);
    sizes.set(layer, (sizes.get(layer) ?? 0) + size);
  }
  return sizes;
}

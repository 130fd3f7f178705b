/**
 * @file Weights of the FID Inception network that are a function of a seed alone: the state
 * dictionary that `inception.py` beside this file computes too, to the bit.
 */
import { inceptionProducts } from "../../core/metrics/inception_architecture.ts";

/** An array of a state dictionary. */
interface WeightArray {
  readonly shape: number[];
  readonly data: Float32Array;
}

/** The state dictionary of a seed, under PyTorch's names. */
export function randomInceptionWeights(seed: number): Map<string, WeightArray> {
  const weights = new Map<string, WeightArray>();
  const add = (name: string, shape: number[], middle: number, width: number) =>
    weights.set(name, { shape, data: uniform(seed, name, shape, middle, width) });
  for (const { size, inputs, parts } of inceptionProducts) {
    for (const { name, outputs } of parts) {
      const he = Math.sqrt(6 / (size[0] * size[1] * inputs));
      add(`${name}.conv.weight`, [outputs, inputs, ...size], 0, he);
      add(`${name}.bn.weight`, [outputs], 1, 0.25);
      add(`${name}.bn.bias`, [outputs], 0, 0.25);
      add(`${name}.bn.running_mean`, [outputs], 0, 0.25);
      add(`${name}.bn.running_var`, [outputs], 1, 0.5);
    }
  }
  add("fc.weight", [1008, 2048], 0, Math.sqrt(3 / 2048));
  add("fc.bias", [1008], 0, 0.25);
  return weights;
}

/** Within a width of a middle, from MurmurHash3's finaliser over seed, name (FNV-1a) and place. */
function uniform(
  seed: number,
  name: string,
  shape: readonly number[],
  middle: number,
  width: number,
): Float32Array {
  let start = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) start = Math.imul(start ^ byte, 0x01000193);
  start = (start + Math.imul(seed, 0x9e3779b1)) | 0;
  const values = new Float32Array(shape.reduce((product, extent) => product * extent, 1));
  for (let i = 0; i < values.length; i++) {
    let h = (Math.imul(i, 0x9e3779b1) + start) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
    values[i] = middle + width * ((h >>> 8) / 2 ** 23 - 1);
  }
  return values;
}

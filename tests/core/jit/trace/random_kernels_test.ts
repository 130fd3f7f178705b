import { assertEquals, assertNotEquals } from "@std/assert";
import { toyDistributions, type ToyName, toyNames } from "../../../../core/data/toy.ts";
import {
  fork,
  openDevice,
  randomBits,
  randomIndices,
  type RandomKey,
  randomKey,
  randomNormal,
  randomUniform,
  type Tensor,
} from "../../../../core/tensor/mod.ts";
import { assertAgrees, onDevices, run, traceCleanly } from "./agreement.ts";

/** A function of a key as one of the key's tensors. */
function ofKey(draw: (key: RandomKey) => Tensor) {
  return ({ seed, step }: { seed: Tensor; step: Tensor }) => draw({ seed, step, stream: 0 });
}

function keyTensors(seed: number): { seed: Tensor; step: Tensor } {
  const key = randomKey(seed);
  return { seed: key.seed, step: key.step };
}

onDevices("draws are kernels of the graph, with the same integers", () => {
  const draws: Record<string, (key: RandomKey) => Tensor> = {
    bits: (key) => randomBits(fork(key, "bits"), [7, 3]),
    uniform: (key) => randomUniform(fork(key, "uniform"), [5, 2, 3]),
    normal: (key) => randomNormal(key, [11]),
    indices: (key) => randomIndices({ ...key, firstSample: 9 }, [13], 6),
  };
  for (const [name, draw] of Object.entries(draws)) {
    assertAgrees(name, ofKey(draw), [keyTensors(7)], { relative: 1e-6 });
  }
});

onDevices("every toy distribution can be drawn in a compiled step", () => {
  for (const name of toyNames) {
    const sample = ofKey((key) => toyDistributions[name as ToyName].sample(17, key));
    assertAgrees(name, sample, [keyTensors(3)]);
  }
});

Deno.test("one trace draws anew for every seed", async () => {
  await openDevice("cpu");
  const f = ofKey((key) => randomUniform(key, [4]));
  const traced = traceCleanly(f, [keyTensors(1)]);
  const [[first], [again], [other]] = [1, 1, 2].map((seed) => run(traced, [keyTensors(seed)]));
  assertEquals(first, again);
  assertNotEquals(first, other);
});

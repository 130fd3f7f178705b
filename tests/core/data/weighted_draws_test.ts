import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { probabilities, upperEnds, weightedIndices } from "../../../core/data/weighted_draws.ts";
import { ConfigError } from "../../../core/errors.ts";
import { openDevice, randomKey, randomUniform, tf } from "../../../core/tensor/mod.ts";
import { webgpuTest } from "../../webgpu.ts";

const n = 20_000;

/** By the definition: the first component whose part ends above the draw. */
function byDefinition(draws: Float32Array, weights: readonly number[]): Int32Array {
  const ends = Float32Array.from(upperEnds(weights));
  return Int32Array.from(draws, (draw) => ends.findIndex((end) => draw < end));
}

/** Uneven weights, every seventh 0, the last ones too. */
function uneven(count: number): readonly number[] {
  const weights = Array.from({ length: count }, (_, k) => k % 7 === 3 ? 0 : 1 + k % 4);
  weights[count - 1] = 0;
  weights[0] = 9;
  return probabilities(weights, count, "test")!;
}

async function assertInversion(): Promise<void> {
  const uniform = randomUniform(randomKey(5), [n, 1]);
  const draws = await uniform.data<"float32">();
  for (const count of [2, 5, 63, 64, 65, 128, 129, 4096]) {
    const weights = uneven(count);
    const indices = weightedIndices(uniform, weights);
    assertEquals([indices.shape, indices.dtype], [[n], "int32"]);
    assertEquals(await indices.data(), byDefinition(draws, weights), `${count} components`);
    indices.dispose();
  }
  uniform.dispose();
}

Deno.test("a component is the place of its draw among the cumulative weights, few or thousands", async () => {
  await openDevice("wasm");
  await assertInversion();
});

webgpuTest("a component is the place of its draw on webgpu too", assertInversion);

Deno.test("components come up by their weights; those of weight 0 never", async () => {
  await openDevice("wasm");
  const weights = uneven(70);
  const indices = await tf.tidy(() => weightedIndices(randomUniform(randomKey(6), [n, 1]), weights))
    .data();
  const counts = weights.map((_, k) => indices.filter((index) => index === k).length);
  counts.forEach((count, k) => {
    if (weights[k] === 0) assertEquals(count, 0, `component ${k}`);
    const error = Math.sqrt(weights[k] * (1 - weights[k]) * n);
    assert(Math.abs(count - n * weights[k]) <= 4.5 * error, `component ${k}: ${count}`);
  });
});

Deno.test("the ends of the draws belong to the first and the last component that has a weight", async () => {
  await openDevice("cpu");
  const ends = tf.tensor2d([[2 ** -24], [1 - 2 ** -24]]);
  const weights = [0, 0.3, 0.7 - 1e-12, 1e-12, 0];
  assertEquals([...weightedIndices(ends, [0, 1, 0]).dataSync()], [1, 1]);
  // No float32 draw reaches the part of the fourth: it is not drawn, and the fifth neither.
  assertEquals([...weightedIndices(ends, weights).dataSync()], [1, 2]);
});

Deno.test("probabilities have the weights' proportions, whatever their scale", () => {
  const weight = fc.double({ min: 0, max: 1e308, noNaN: true });
  fc.assert(
    fc.property(fc.array(weight, { minLength: 2, maxLength: 20 }), (weights) => {
      fc.pre(weights.some((weight) => weight > 0));
      const shares = probabilities(weights, weights.length, "test");
      if (shares === null) return weights.every((weight) => weight === weights[0]);
      const total = shares.reduce((sum, share) => sum + share, 0);
      const largest = weights.indexOf(Math.max(...weights));
      return Math.abs(total - 1) < 1e-12 && shares.every((share) => share >= 0) &&
        weights.every((weight, k) =>
          Math.abs(weight / weights[largest] - shares[k] / shares[largest]) < 1e-12
        );
    }),
    { seed: 1 },
  );
  assertEquals(probabilities([2, 6], 2, "test"), [0.25, 0.75]);
  assertEquals(probabilities([1e308, 1e308, 0], 3, "test"), [0.5, 0.5, 0]);
});

Deno.test("weights that are equal or left out are none; those that are no weights say so", () => {
  assertEquals(probabilities(null, 3, "test"), null);
  assertEquals(probabilities([5, 5, 5], 3, "test"), null);
  const refused = (weights: number[], count: number, message: string) =>
    assertThrows(() => probabilities(weights, count, "rings"), ConfigError, message);
  refused([1, 2], 4, '2 numbers for the 4 components of data "rings": expected 4');
  refused([1], 0, "expected null, for it has none");
  refused([1, -2], 2, "has -2 at place 2: expected finite numbers of at least 0");
  refused([NaN, 1], 2, "has NaN at place 1");
  refused([1, Infinity], 2, "has Infinity at place 2");
  refused([0, 0], 2, "are all 0: expected one above 0 at least");
});

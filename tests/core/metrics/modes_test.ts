import { assert, assertEquals, assertThrows } from "@std/assert";
import { NonFiniteError, VapoError } from "../../../core/errors.ts";
import { fractionWithinModes, modeHistogram } from "../../../core/metrics/modes.ts";
import { seededNormals } from "../homotopy/numerics.ts";

const mixture = { means: [[-3, 0], [0, 4], [3, 0]], std: 0.5 };

Deno.test("fractions are those of the Rayleigh distribution: 1 − exp(−k²/2) in two dimensions", () => {
  const n = 20_000, noise = seededNormals(2 * n, 3);
  const samples = noise.map((z, i) => mixture.means[(i >> 1) % 2][i % 2] + mixture.std * z);
  for (const k of [1, 2, 3]) {
    const expected = 1 - Math.exp(-k * k / 2);
    const error = Math.abs(fractionWithinModes(samples, mixture, k) - expected);
    assert(error < 4.5 * Math.sqrt(expected * (1 - expected) / n), `k = ${k}: off by ${error}`);
  }
  assertEquals(fractionWithinModes(samples, mixture), fractionWithinModes(samples, mixture, 3));
  assertEquals([...modeHistogram(samples, mixture)], [0.5, 0.5, 0]);
});

Deno.test("a point on the limit is within, one beyond is not, and both count for their mode", () => {
  const samples = Float32Array.of(-3, 1.5, 3, -1.625, 0, 4, 2, 0);
  assertEquals(fractionWithinModes(samples, mixture), 0.75);
  assertEquals([...modeHistogram(samples, mixture)], [0.25, 0.25, 0.5]);
});

Deno.test("samples of another dimension, or not finite, are refused", () => {
  assertThrows(() => modeHistogram(new Float32Array(3), mixture), VapoError, "3 numbers");
  assertThrows(() => fractionWithinModes(new Float32Array(), mixture), VapoError, "0 samples");
  const diverged = Float32Array.of(0, 1, Infinity, 2);
  assertThrows(() => modeHistogram(diverged, mixture), NonFiniteError, "sample 1 holds Infinity");
});

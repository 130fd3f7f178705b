import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  mean,
  meanAndError,
  populationDeviation,
  quantiles,
  sampleVariance,
} from "../../../core/metrics/moments.ts";

Deno.test("moments of numbers whose moments are known", () => {
  // NumPy: mean 5, var(ddof=1) 32/7, std 2.
  const values = Float64Array.of(2, 4, 4, 4, 5, 5, 7, 9);
  assertEquals(mean(values), 5);
  assertAlmostEquals(sampleVariance(values), 32 / 7, 1e-15);
  assertEquals(populationDeviation(values), 2);
  const { value, standardError } = meanAndError(values);
  assertEquals(value, 5);
  assertAlmostEquals(standardError!, Math.sqrt(32 / 7 / 8), 1e-15);
});

Deno.test("a large mean does not swallow a small spread", () => {
  const values = Float64Array.of(1e9, 1e9 + 1, 1e9 + 2);
  assertEquals([mean(values), sampleVariance(values)], [1e9 + 1, 1]);
});

Deno.test("one value has a mean and no error", () => {
  assertEquals(meanAndError([3]), { value: 3 });
  assertEquals([sampleVariance([3]), populationDeviation([3]), mean([])], [NaN, 0, NaN]);
});

Deno.test("quantiles are values of the set, of the nearest rank, in any order and type", () => {
  // numpy.quantile([1, 2, 4, 8, 16], shares, method="nearest")
  const values = Float64Array.of(16, 1, 8, 2, 4);
  assertEquals(quantiles(values, [0, 0.05, 0.3, 0.5, 0.9, 1]), [1, 1, 2, 4, 16, 16]);
  assertEquals([...values], [16, 1, 8, 2, 4]);
  assertEquals(quantiles([10, 9, -1], [0, 0.5, 1]), [-1, 9, 10]);
  assertEquals(quantiles([7], [0, 0.5, 1]), [7, 7, 7]);
});

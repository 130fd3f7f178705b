import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { NonFiniteError, VapoError } from "../../../core/errors.ts";
import { kolmogorovSmirnov } from "../../../core/metrics/kolmogorov_smirnov.ts";
import fixture from "../../fixtures/statistics.json" with { type: "json" };
import { seededNormals } from "../homotopy/numerics.ts";
import { firstSample, secondSample } from "./statistics_samples.ts";

/** Equal up to a share of the expected value. */
function assertRelative(actual: number, expected: number, tolerance: number): void {
  assertAlmostEquals(actual / expected, 1, tolerance, `${actual}, not ${expected}`);
}

Deno.test("statistic and exact p-value are SciPy's and whole numbers', far tails included", () => {
  for (const each of fixture.cases) {
    const x = firstSample(each), y = secondSample(each);
    for (const [a, b] of [[x, y], [y, x]]) {
      const { statistic, pValue, method } = kolmogorovSmirnov(a, b);
      assertEquals(method, "exact");
      assertAlmostEquals(statistic, each.statistic, 1e-14);
      assertRelative(pValue, each.exact, 1e-10);
    }
  }
});

Deno.test("the asymptotic p-value is SciPy's", () => {
  for (const each of fixture.large) {
    const { statistic, pValue, method } = kolmogorovSmirnov(firstSample(each), secondSample(each));
    assertEquals(method, "asymptotic");
    assertAlmostEquals(statistic, each.statistic, 1e-14);
    assertRelative(pValue, each.pValue, 1e-7);
  }
  // Where SciPy computes the distribution of fewer than 140 points exactly, the expansion is close.
  for (const each of fixture.cases) {
    if (each.n * each.m / (each.n + each.m) < 100) continue;
    const x = firstSample(each), y = secondSample(each);
    const { pValue } = kolmogorovSmirnov(x, y, { method: "asymptotic" });
    assertRelative(pValue, each.asymptotic, 1e-4);
  }
});

Deno.test("cases by hand", () => {
  const of = (x: number[], y: number[]) =>
    kolmogorovSmirnov(Float64Array.from(x), Float64Array.from(y));
  assertEquals(of([1], [1]), { statistic: 0, pValue: 1, method: "exact" });
  assertEquals(of([1], [2]), { statistic: 1, pValue: 1, method: "exact" });
  // Of the six orders of two and two, two are separated; D ≥ ½ holds for all.
  assertAlmostEquals(of([1, 2], [3, 4]).pValue, 1 / 3, 1e-15);
  assertAlmostEquals(of([1, 3], [2, 4]).pValue, 1, 1e-15);
  assertEquals(of([1, 1, 2, 2], [1, 2]).statistic, 0);
  assertAlmostEquals(of([1, 1, 1, 2], [1, 2]).statistic, 0.25, 1e-15);
});

Deno.test("p-values of samples of one distribution are as often small as they say", () => {
  let below = 0;
  for (let i = 0; i < 400; i++) {
    const x = seededNormals(60, 2 * i + 1), y = seededNormals(90, 2 * i + 2);
    if (kolmogorovSmirnov(x, y).pValue <= 0.2) below++;
  }
  // At most 0.2 in the mean, less by what one step of a discrete distribution takes.
  assert(below > 50 && below < 105, `${below} of 400 below 0.2`);
});

const small = fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 12 });

Deno.test("the statistic is the largest distance of the distribution functions, symmetric", () => {
  fc.assert(fc.property(small, small, (a, b) => {
    const share = (values: number[], t: number) =>
      values.filter((value) => value <= t).length / values.length;
    const distance = Math.max(...[...a, ...b].map((t) => Math.abs(share(a, t) - share(b, t))));
    const x = Float32Array.from(a), y = Float64Array.from(b);
    const found = kolmogorovSmirnov(x, y), swapped = kolmogorovSmirnov(y, x);
    assertAlmostEquals(found.statistic, distance, 1e-12);
    assertAlmostEquals(found.pValue, swapped.pValue, 1e-12);
    assert(found.pValue > 0 && found.pValue <= 1);
  }));
});

Deno.test("samples that are empty or not finite are refused", () => {
  const x = Float64Array.of(1, 2);
  assertThrows(() => kolmogorovSmirnov(x, new Float64Array()), VapoError, "0 samples");
  assertThrows(() => kolmogorovSmirnov(Float64Array.of(NaN), x), NonFiniteError, "NaN");
});

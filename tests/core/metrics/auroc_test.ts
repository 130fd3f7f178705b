import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { NonFiniteError, VapoError } from "../../../core/errors.ts";
import { auroc, rocCurve } from "../../../core/metrics/auroc.ts";
import fixture from "../../fixtures/statistics.json" with { type: "json" };
import { seededNormals } from "../homotopy/numerics.ts";
import { firstSample, secondSample } from "./statistics_samples.ts";

Deno.test("the area is SciPy's U over n·m, the standard error DeLong's from all pairs", () => {
  for (const each of fixture.cases) {
    const { area, standardError } = auroc(firstSample(each), secondSample(each));
    assertAlmostEquals(area, each.area, 1e-13);
    assertAlmostEquals(standardError, each.standardError, 1e-13);
  }
});

Deno.test("cases by hand: order, ties, constant scores, no overlap", () => {
  const of = (x: number[], y: number[]) => auroc(Float64Array.from(x), Float64Array.from(y));
  assertEquals(of([3, 4], [1, 2]), { area: 1, standardError: 0 });
  assertEquals(of([1, 2], [3, 4]), { area: 0, standardError: 0 });
  assertEquals(of([5, 5, 5], [5, 5]), { area: 0.5, standardError: 0 });
  assertEquals(of([-0, 0], [0, -0]).area, 0.5);
  // Pairs: 1 against 1 a tie, against 2 not in order; 2 against 1 in order, against 2 a tie.
  assertEquals(of([1, 2], [1, 2]).area, 0.5);
  // Shares below of the positives: ¼ and ¾ of one, variance ⅛; likewise of the negatives.
  assertAlmostEquals(of([1, 2], [1, 2]).standardError, Math.sqrt(1 / 16 + 1 / 16), 1e-15);
});

Deno.test("the standard error is the scatter of the area over repeated draws", () => {
  const areas: number[] = [], errors: number[] = [];
  for (let i = 0; i < 200; i++) {
    const x = seededNormals(80, 2 * i + 1).map((v) => v + 1), y = seededNormals(50, 2 * i + 2);
    const { area, standardError } = auroc(x, y);
    areas.push(area);
    errors.push(standardError);
  }
  const mean = areas.reduce((a, b) => a + b) / 200;
  const scatter = Math.sqrt(areas.reduce((a, b) => a + (b - mean) ** 2, 0) / 199);
  // N(1, 1) is above N(0, 1) with the chance of N(1, 2) > 0, the normal distribution at 1/√2.
  assertAlmostEquals(mean, 0.760249938906523, 4 * scatter / Math.sqrt(200));
  const ratio = errors.reduce((a, b) => a + b) / 200 / scatter;
  assert(ratio > 0.85 && ratio < 1.15, `DeLong's over the scatter: ${ratio}`);
});

const scores = fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 2, maxLength: 30 });

Deno.test("the trapezoids under the curve are the area; swapped, or reversed, it is 1 − the area", () => {
  fc.assert(fc.property(scores, scores, (a, b) => {
    const x = Float64Array.from(a), y = Float32Array.from(b);
    const { area, standardError } = auroc(x, y);
    const { falsePositiveRate: f, truePositiveRate: t, thresholds } = rocCurve(x, y);
    let sum = 0;
    for (let i = 1; i < f.length; i++) {
      assert(thresholds[i] < thresholds[i - 1] && f[i] >= f[i - 1] && t[i] >= t[i - 1]);
      sum += (f[i] - f[i - 1]) * (t[i] + t[i - 1]) / 2;
    }
    assertEquals([f[0], t[0], f.at(-1), t.at(-1)], [0, 0, 1, 1]);
    assertAlmostEquals(sum, area, 1e-12);
    assertAlmostEquals(auroc(y, x).area, 1 - area, 1e-12);
    assertAlmostEquals(auroc(x.map((v) => -v), y.map((v) => -v)).area, 1 - area, 1e-12);
    assertAlmostEquals(auroc(y, x).standardError, standardError, 1e-12);
    // A function of the order alone.
    assertAlmostEquals(auroc(x.map(Math.exp), Float64Array.from(y, Math.exp)).area, area, 1e-12);
  }));
});

Deno.test("scores that are too few or not finite are refused", () => {
  const x = Float64Array.of(1, 2);
  assertThrows(() => auroc(x, Float64Array.of(1)), VapoError, "1 samples given");
  assertThrows(() => auroc(Float64Array.of(Infinity, 1), x), NonFiniteError, "sample 0");
  assertThrows(() => auroc(x, Float64Array.of(1, NaN)), NonFiniteError, "sample 1 holds NaN");
  assertThrows(() => rocCurve(x, new Float64Array()), VapoError, "0 samples given");
  assertThrows(() => rocCurve(x, Float64Array.of(-Infinity)), NonFiniteError, "-Infinity");
});

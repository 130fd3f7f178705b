import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import { ConfigError, VapoError } from "../../../core/errors.ts";
import {
  maximumMeanDiscrepancy,
  medianBandwidth,
} from "../../../core/metrics/maximum_mean_discrepancy.ts";
import fixture from "../../fixtures/metrics.json" with { type: "json" };
import { assertClose, seededNormals } from "../homotopy/numerics.ts";

Deno.test("discrepancies and medians of small sets are NumPy's", () => {
  for (const { dimension, x, y, bandwidths, squaredMmd, median } of fixture.cases) {
    const a = Float64Array.from(x), b = Float64Array.from(y);
    const actual = maximumMeanDiscrepancy(a, b, dimension, { bandwidths });
    assertAlmostEquals(actual, squaredMmd, 1e-14);
    assertClose([medianBandwidth(a, b, dimension)], [median], 1e-14);
  }
});

Deno.test("two points against two, by hand", () => {
  // Kernels of distances 1 within x, 2 within y; 3, 5, 2 and 4 between, at h = 1.
  const kernel = (distance: number) => Math.exp(-(distance ** 2) / 2);
  const expected = kernel(1) + kernel(2) - (kernel(3) + kernel(5) + kernel(2) + kernel(4)) / 2;
  const x = Float32Array.of(0, 1), y = Float32Array.of(3, 5);
  assertAlmostEquals(maximumMeanDiscrepancy(x, y, 1, { bandwidths: [1] }), expected, 1e-15);
});

Deno.test("N(0, I) against N(μ, I) is the closed form; against itself it scatters around 0", () => {
  // E exp(−|Z|²/2h²) for Z ~ N(m, 2I) in d dimensions: (h²/(h² + 2))^{d/2} exp(−|m|²/2(h² + 2)).
  const n = 2000, h = 1.5, mu = 1;
  const kernelMean = (squaredShift: number) =>
    h ** 2 / (h ** 2 + 2) * Math.exp(-squaredShift / (2 * (h ** 2 + 2)));
  const expected = 2 * kernelMean(0) - 2 * kernelMean(2 * mu ** 2);
  const x = seededNormals(2 * n, 3), y = seededNormals(2 * n, 4);
  const options = { bandwidths: [h] };
  const shifted = maximumMeanDiscrepancy(x, y.map((value) => value + mu), 2, options);
  assertAlmostEquals(shifted, expected, 0.03);
  const same = maximumMeanDiscrepancy(x, y, 2, options);
  assert(Math.abs(same) < 5 / n, `${same}`);
});

Deno.test("without bandwidths it is the one at the median", () => {
  const x = seededNormals(60, 1), y = seededNormals(40, 2).map((value) => value + 1);
  const median = medianBandwidth(x, y, 2);
  assertAlmostEquals(
    maximumMeanDiscrepancy(x, y, 2),
    maximumMeanDiscrepancy(x, y, 2, { bandwidths: [median] }),
    1e-15,
  );
  // The median of |Z|, Z ~ N(0, 2I) in two dimensions, is 2√(ln 2): of many points thinned.
  const many = medianBandwidth(seededNormals(20_000, 5), seededNormals(20_000, 6), 2);
  assertAlmostEquals(many, 2 * Math.sqrt(Math.LN2), 0.08);
});

Deno.test("bandwidths that are not positive, and single samples, are refused", () => {
  const x = Float64Array.of(0, 1), same = Float64Array.of(2, 2);
  const of = (bandwidths: number[]) => () => maximumMeanDiscrepancy(x, same, 1, { bandwidths });
  assertThrows(of([]), ConfigError, "bandwidths are []");
  assertThrows(of([1, 0]), ConfigError, "bandwidths are [1, 0]");
  assertThrows(of([NaN]), ConfigError, "bandwidths are [NaN]");
  assertThrows(() => maximumMeanDiscrepancy(same, same, 1), ConfigError, "pass bandwidths");
  assertThrows(() => maximumMeanDiscrepancy(x, same, 2), VapoError, "1 samples given");
});

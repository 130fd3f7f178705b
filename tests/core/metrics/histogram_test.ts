import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError, NonFiniteError, VapoError } from "../../../core/errors.ts";
import { histogram, histogramEdges } from "../../../core/metrics/histogram.ts";
import fixture from "../../fixtures/statistics.json" with { type: "json" };
import { assertClose } from "../homotopy/numerics.ts";
import { firstSample } from "./statistics_samples.ts";

Deno.test("edges of one set are NumPy's by Freedman and Diaconis, counts and densities NumPy's", () => {
  for (const each of fixture.histograms) {
    const values = firstSample(each);
    assertClose(histogramEdges([values]), each.edges, 1e-14);
    const even = histogram(values, each.edges);
    assertEquals([...even.counts], each.counts);
    assertClose(even.density, each.density, 1e-13);
    const uneven = histogram(values, each.uneven);
    assertEquals([...uneven.counts], each.unevenCounts);
    assertClose(uneven.density, each.unevenDensity, 1e-13);
  }
});

Deno.test("a set that lies far off keeps the bins of the others", () => {
  const values = firstSample(fixture.histograms[0]);
  const [first, second] = histogramEdges([values]), width = second - first;
  const far = values.map((value) => 10 + 3 * value);
  const both = histogramEdges([values, far]);
  assertAlmostEquals(both[1] - both[0], width, 0.1 * width);
  assertEquals([both[0], both.at(-1)], [first, Math.max(...far)]);
  assertEquals(histogramEdges([values, far], { mostBins: 20 }).length, 21);
});

Deno.test("sets without spread have one bin", () => {
  const constant = Float64Array.of(3, 3, 3);
  assertEquals([...histogramEdges([constant])], [2.5, 3.5]);
  assertEquals(histogramEdges([constant, Float64Array.of(5, 5)]).length, 2);
  assertEquals([...histogram(constant, histogramEdges([constant])).counts], [3]);
  // A spread that rounding hides.
  assertEquals(histogramEdges([Float64Array.of(1, 1, 1, 1, 1, 1, 1, 2)]).length, 2);
});

Deno.test("every value is in one bin or outside; the density's integral is 1", () => {
  const values = fc.array(fc.float({ noNaN: true, min: -8, max: 8 }), {
    minLength: 1,
    maxLength: 50,
  });
  fc.assert(fc.property(values, values, fc.integer({ min: 1, max: 9 }), (a, b, bins) => {
    const x = Float32Array.from(a), y = Float64Array.from(b);
    const edges = histogramEdges([x, y], { bins });
    for (const each of [x, y]) {
      const { counts, density, outside } = histogram(each, edges);
      assertEquals(outside, 0);
      assertEquals(counts.reduce((sum, count) => sum + count, 0), each.length);
      const integral = density.reduce((sum, d, i) => sum + d * (edges[i + 1] - edges[i]), 0);
      assertAlmostEquals(integral, 1, 1e-9);
    }
  }));
  const none = histogram(Float64Array.of(5), [0, 1]);
  assertEquals([none.outside, none.density[0]], [1, 0]);
});

Deno.test("what cannot be binned is refused", () => {
  const x = Float64Array.of(1, 2);
  assertThrows(() => histogram(x, [1]), ConfigError, "[1]");
  assertThrows(() => histogram(x, [1, 1]), ConfigError, "increasing");
  assertThrows(() => histogram(x, [0, NaN]), ConfigError, "NaN");
  assertThrows(() => histogram(Float64Array.of(Infinity), [0, 1]), NonFiniteError, "Infinity");
  assertThrows(() => histogramEdges([]), ConfigError, "at least one set");
  assertThrows(() => histogramEdges([new Float64Array()]), VapoError, "0 samples");
  assertThrows(() => histogramEdges([x], { bins: 0 }), ConfigError, "0 bins");
});

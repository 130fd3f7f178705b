import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { NonFiniteError, VapoError } from "../../../core/errors.ts";
import { pathLengths } from "../../../core/metrics/path_length.ts";
import { seededNormals } from "../homotopy/numerics.ts";

Deno.test("a straight line with equal steps has ratio 1, a half circle nears π/2", () => {
  const steps = 1001;
  const line = Float64Array.from(
    { length: 3 * steps },
    (_, i) => Math.floor(i / 3) * [1, 2, 2][i % 3],
  );
  const straight = pathLengths(line, [1, steps, 3]);
  assertAlmostEquals(straight.lengths[0], 3000, 1e-9);
  assertAlmostEquals(straight.ratios[0], 1, 1e-12);
  assertAlmostEquals(straight.longestShares[0], 1 / 1000, 1e-12);
  const circle = Float64Array.from({ length: 2 * steps }, (_, i) => {
    const angle = Math.PI * Math.floor(i / 2) / 1000;
    return i % 2 ? Math.sin(angle) : Math.cos(angle);
  });
  assertAlmostEquals(pathLengths(circle, [1, steps, 2]).ratios[0], Math.PI / 2, 1e-6);
});

Deno.test("one jump is the whole length; a path that stands still, or returns, has no ratio", () => {
  const points = Float32Array.of(0, 0, 7, 7, /**/ 1, 1, 1, 1, /**/ 0, 2, 1, 0);
  const { lengths, distances, ratios, longestShares } = pathLengths(points, [3, 4, 1]);
  assertEquals([...lengths], [7, 0, 4]);
  assertEquals([...distances], [7, 0, 0]);
  assertEquals([...ratios], [1, NaN, Infinity]);
  assertEquals([...longestShares], [1, NaN, 0.5]);
});

Deno.test("no path is shorter than the distance, and none changes when moved or reversed", () => {
  const sizes = fc.tuple(
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 2, max: 6 }),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 1e6 }),
  );
  fc.assert(fc.property(sizes, ([paths, steps, d, seed]) => {
    const points = seededNormals(paths * steps * d, seed);
    const found = pathLengths(points, [paths, steps, d]);
    const moved = pathLengths(points.map((x) => 5 - x), [paths, steps, d]);
    for (let i = 0; i < paths; i++) {
      assert(found.ratios[i] >= 1 - 1e-12);
      assertAlmostEquals(moved.lengths[i], found.lengths[i], 1e-9);
    }
  }));
});

Deno.test("what is no paths is refused", () => {
  const points = new Float32Array(12);
  assertThrows(() => pathLengths(points, [2, 3, 3]), VapoError, "4 points for 2 paths of 3");
  assertThrows(() => pathLengths(points, [12, 1, 1]), VapoError, "at least two");
  assertThrows(() => pathLengths(Float32Array.of(0, NaN), [1, 2, 1]), NonFiniteError, "NaN");
});

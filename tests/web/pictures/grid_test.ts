import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../../../core/errors.ts";
import { bilinearAt, cellCentre, cubicTaps, resampled } from "../../../web/pictures/grid.ts";
import { gridOf } from "./known_fields.ts";

Deno.test("cubic interpolation is exact for quadratics up to the edges", () => {
  const quadratic = (x: number, y: number) => 2 + x - 3 * y + 0.5 * x * x - x * y + 2 * y * y;
  const values = gridOf(7, 3, quadratic);
  for (const places of ["nodes", "centres"] as const) {
    const count = 31;
    const fine = resampled(values, 7, count, places);
    for (let row = 0; row < count; row++) {
      for (let column = 0; column < count; column++) {
        const at = (i: number) => places === "nodes" ? i / (count - 1) : (i + 0.5) / count;
        const x = 3 * (2 * at(column) - 1), y = 3 * (1 - 2 * at(row));
        assertAlmostEquals(fine[row * count + column], quadratic(x, y), 1e-4);
      }
    }
  }
});

Deno.test("cubic interpolation goes through the values of the grid", () => {
  const values = Float32Array.from({ length: 81 }, (_, i) => Math.sin(37 * i));
  const same = resampled(values, 9, 9, "centres");
  values.forEach((value, i) => assertAlmostEquals(same[i], value, 1e-6));
});

Deno.test("weights of every place sum to 1 and stay on the axis", () => {
  fc.assert(fc.property(
    fc.integer({ min: 4, max: 40 }),
    fc.integer({ min: 1, max: 200 }),
    fc.constantFrom("nodes" as const, "centres" as const),
    (size, count, places) => {
      const { base, weights } = cubicTaps(size, count, places);
      for (let i = 0; i < count; i++) {
        assert(base[i] >= 0 && base[i] + 3 < size);
        const sum = weights.subarray(4 * i, 4 * i + 4).reduce((a, b) => a + b);
        assertAlmostEquals(sum, 1, 1e-5);
      }
    },
  ));
});

Deno.test("bilinear interpolation is exact for linear fields, beyond the outermost points too", () => {
  const grid = { size: 6, extent: 2 };
  const velocity = new Float32Array(72);
  gridOf(6, 2, (x, y) => 3 * x - y + 1).forEach((v, i) => velocity[2 * i] = v);
  gridOf(6, 2, (x, y) => x + 5 * y).forEach((v, i) => velocity[2 * i + 1] = v);
  for (const [x, y] of [[0, 0], [2, 2], [-2, 2], [1.99, -1.99], [0.3, -1.1]]) {
    assertAlmostEquals(bilinearAt(velocity, grid, x, y, 2, 0), 3 * x - y + 1, 1e-5);
    assertAlmostEquals(bilinearAt(velocity, grid, x, y, 2, 1), x + 5 * y, 1e-5);
  }
});

Deno.test("cell centres: rows from the top", () => {
  assertAlmostEquals(cellCentre({ size: 4, extent: 2 }, 0), -1.5);
  assertAlmostEquals(cellCentre({ size: 4, extent: 2 }, 3), 1.5);
  // The first row is the highest.
  assert(gridOf(4, 2, (_, y) => y)[0] > 0);
});

Deno.test("a wrong count of values is said in one line", () => {
  assertThrows(() => resampled(new Float32Array(15), 4, 8, "nodes"), ConfigError, "15 values");
  assertThrows(() => resampled(new Float32Array(9), 3, 8, "nodes"), ConfigError, "3 points");
});

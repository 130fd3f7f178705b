import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../../../core/errors.ts";
import type { Extent } from "../../../core/picture/axes.ts";
import { bilinear, kernelDensity } from "../../../core/picture/kernel_density.ts";

const total = (values: Float64Array) => values.reduce((a, b) => a + b, 0);

Deno.test("kernelDensity agrees with the sum of Gaussians that it approximates", () => {
  const points = [0.31, 0.12, -0.77, 0.4, -0.2, -0.6, 0.9, 0.93, 1.1, 0.2, 7, 7];
  const extent: Extent = [-1, 1, -1.5, 1.5];
  const [rows, cols, h] = [240, 160, 0.15];
  const { values } = kernelDensity(points, extent, rows, cols, h);
  const peak = 1 / (2 * Math.PI * h * h) / 6;
  for (let r = 0; r < rows; r += 7) {
    for (let c = 0; c < cols; c += 7) {
      const x = -1 + 2 * (c + 0.5) / cols;
      const y = 1.5 - 3 * (r + 0.5) / rows; // row 0 is the top
      let exact = 0;
      for (let i = 0; i < 12; i += 2) {
        exact += peak * Math.exp(-((x - points[i]) ** 2 + (y - points[i + 1]) ** 2) / (2 * h * h));
      }
      assertAlmostEquals(values[r * cols + c], exact, 3e-3 * peak);
    }
  }
});

Deno.test("kernelDensity integrates to 1 over an extent that holds all points well inside", () => {
  const inside = fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 2 });
  fc.assert(
    fc.property(inside, fc.integer({ min: 20, max: 60 }), (numbers, rows) => {
      const points = numbers.slice(0, 2 * Math.floor(numbers.length / 2));
      const { values } = kernelDensity(points, [-4, 4, -5, 5], rows, 50, 0.3);
      assertAlmostEquals(total(values) * (8 / 50) * (10 / rows), 1, 1e-9);
    }),
    { numRuns: 50 },
  );
});

Deno.test("points outside count, points that are not finite do not", () => {
  const extent: Extent = [-1, 1, -1, 1];
  const half = kernelDensity([0, 0, 50, 50, NaN, 0, 0, Infinity], extent, 40, 40, 0.1);
  assertAlmostEquals(total(half.values) * 0.05 ** 2, 0.5, 1e-6);
  const edge = kernelDensity([1, 0], extent, 40, 40, 0.1);
  assertAlmostEquals(total(edge.values) * 0.05 ** 2, 0.5, 1e-3);
  assertEquals(total(kernelDensity([], extent, 4, 4, 0.1).values), 0);
});

Deno.test("any finite points and bandwidth give a density: finite, not negative, at most 1", () => {
  const anything = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 20 });
  const bandwidth = fc.double({ min: 1e-6, max: 0.5, noNaN: true });
  fc.assert(fc.property(anything, bandwidth, (numbers, h) => {
    const points = numbers.slice(0, 2 * Math.floor(numbers.length / 2));
    const { values } = kernelDensity(points, [-1, 1, -2, 2], 12, 10, h);
    assert(values.every((v) => Number.isFinite(v) && v >= 0));
    assert(total(values) * 0.2 * (4 / 12) <= 1 + 1e-9);
  }));
});

Deno.test("kernelDensity refuses what it cannot do", () => {
  const call = (points: number[], extent: Extent, rows: number, h: number) => () =>
    kernelDensity(points, extent, rows, 10, h);
  assertThrows(call([1, 2, 3], [0, 1, 0, 1], 10, 0.1), ConfigError, "two a point");
  assertThrows(call([1, 2], [0, 1, 0, 1], 10, 0), ConfigError, "bandwidth 0");
  assertThrows(call([1, 2], [0, 1, 0, 1], 10, 0.3), ConfigError, "bandwidth 0.3");
  assertThrows(call([1, 2], [1, 0, 0, 1], 10, 0.1), ConfigError, "xMin < xMax");
  assertThrows(call([1, 2], [0, 1, 0, NaN], 10, 0.1), ConfigError);
  assertThrows(call([1, 2], [0, 1, 0, 1], 2.5, 0.1), ConfigError, "cells");
});

Deno.test("bilinear is exact on linear fields between the outermost centres", () => {
  const [rows, cols] = [5, 8];
  const f = (s: number, t: number) => 3 * s - 7 * t + 2;
  const values = Float64Array.from(
    { length: rows * cols },
    (_, i) => f((i % cols + 0.5) / cols, (Math.floor(i / cols) + 0.5) / rows),
  );
  const within = (cells: number) =>
    fc.double({ min: 0.5 / cells, max: 1 - 0.5 / cells, noNaN: true });
  fc.assert(fc.property(within(cols), within(rows), (s, t) => {
    assertAlmostEquals(bilinear({ values, rows, cols }, s, t), f(s, t), 1e-12);
  }));
  assertEquals(bilinear({ values, rows, cols }, 0, 0), values[0]);
  assertEquals(bilinear({ values, rows, cols }, 1, 1), values[rows * cols - 1]);
});

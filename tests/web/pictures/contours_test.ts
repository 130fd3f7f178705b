import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  contourLevels,
  type ContourLine,
  contourLines,
  fieldContours,
  type Lattice,
} from "../../../web/pictures/contours.ts";
import { gridOf } from "./known_fields.ts";

function latticeOf(count: number, extent: number, f: (x: number, y: number) => number): Lattice {
  const step = 2 * extent / (count - 1);
  const values = Float64Array.from({ length: count * count }, (_, i) => {
    const column = i % count;
    return f(column * step - extent, extent - (i - column) / count * step);
  });
  return { values, cols: count, rows: count, left: -extent, top: extent, dx: step, dy: step };
}

function vertices({ points }: ContourLine): [number, number][] {
  return Array.from({ length: points.length / 2 }, (_, i) => [points[2 * i], points[2 * i + 1]]);
}

Deno.test("circles: every level is one closed line on its circle", () => {
  const levels = [0.5, 1, 2, 3];
  const lines = contourLines(latticeOf(81, 2, (x, y) => x * x + y * y), levels);
  assertEquals(lines.map(({ level }) => level), levels);
  for (const line of lines) {
    assert(line.closed);
    // Linear interpolation along an edge of length h is off by at most h²/4 / (2r) here.
    for (const [x, y] of vertices(line)) {
      assertAlmostEquals(Math.hypot(x, y), Math.sqrt(line.level), 0.05 ** 2 / 4 / Math.sqrt(0.5));
    }
    // Once around.
    const angles = vertices(line).map(([x, y]) => Math.atan2(y, x));
    const turned = angles.reduce((sum, a, i) => {
      const d = angles[(i + 1) % angles.length] - a;
      return sum + d - 2 * Math.PI * Math.round(d / (2 * Math.PI));
    }, 0);
    assertAlmostEquals(Math.abs(turned), 2 * Math.PI, 1e-4);
  }
});

Deno.test("a circle that the rim cuts is four open arcs that end at the rim", () => {
  const lines = contourLines(latticeOf(41, 1, (x, y) => x * x + y * y), [1.5]);
  assertEquals(lines.length, 4);
  for (const line of lines) {
    assert(!line.closed);
    const all = vertices(line);
    for (const [x, y] of [all[0], all[all.length - 1]]) {
      assertAlmostEquals(Math.max(Math.abs(x), Math.abs(y)), 1, 1e-6);
    }
  }
});

Deno.test("a plane has straight lines, exactly where they belong", () => {
  const lines = contourLines(latticeOf(17, 2, (x, y) => x + 2 * y), [-3, -1.3, 0, 0.7, 5]);
  assertEquals(lines.length, 5);
  for (const line of lines) {
    assert(!line.closed);
    for (const [x, y] of vertices(line)) assertAlmostEquals(x + 2 * y, line.level, 1e-6);
  }
});

Deno.test("a saddle has two hyperbolas a level, and its corners are resolved by the mean", () => {
  for (const level of [0.3, -0.3]) {
    const lines = contourLines(latticeOf(64, 2, (x, y) => x * y), [level]);
    assertEquals(lines.length, 2);
    for (const line of lines) {
      for (const [x, y] of vertices(line)) assertAlmostEquals(x * y, level, 2e-3);
      assertEquals(new Set(vertices(line).map(([x]) => Math.sign(x))).size, 1);
    }
  }
  // One cell: its mean says which corners are joined.
  const cell = (values: number[]): Lattice => ({
    values,
    cols: 2,
    rows: 2,
    left: 0,
    top: 1,
    dx: 1,
    dy: 1,
  });
  // Top left and bottom right are high: a line cuts off the corner that it is the only one near.
  const near = (lines: ContourLine[], x: number, y: number) =>
    lines.some((line) => vertices(line).every(([px, py]) => Math.hypot(px - x, py - y) < 0.8));
  const high = contourLines(cell([1, 0, 0, 1]), [0.4]);
  assert(high.length === 2 && near(high, 1, 1) && near(high, 0, 0));
  const low = contourLines(cell([1, 0, 0, 1]), [0.6]);
  assert(low.length === 2 && near(low, 0, 1) && near(low, 1, 0));
  const mirrored = contourLines(cell([0, 1, 1, 0]), [0.4]);
  assert(mirrored.length === 2 && near(mirrored, 0, 1) && near(mirrored, 1, 0));
});

Deno.test("a plateau on a level is surrounded once", () => {
  const lines = contourLines(
    latticeOf(21, 1, (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.55 ? 1 : 0),
    [1],
  );
  assertEquals(lines.length, 1);
  assert(lines[0].closed);
  for (const [x, y] of vertices(lines[0])) {
    assertAlmostEquals(Math.max(Math.abs(x), Math.abs(y)), 0.5, 1e-6);
  }
  // A level everywhere has no line, nor has one that is nowhere.
  assertEquals(contourLines(latticeOf(5, 1, () => 2), [2, 3]), []);
});

Deno.test("a single node on a level is not a line", () => {
  assertEquals(contourLines(latticeOf(5, 1, (x, y) => -x * x - y * y), [0]), []);
});

Deno.test("lines end at cells that are not finite", () => {
  const hole = latticeOf(41, 2, (x, y) => x > 0.9 && Math.abs(y) < 0.32 ? NaN : x * x + y * y);
  const lines = contourLines(hole, [1]);
  assertEquals(lines.length, 1);
  assert(!lines[0].closed);
  for (const [x, y] of vertices(lines[0])) {
    assert(Number.isFinite(x + y));
    assertAlmostEquals(Math.hypot(x, y), 1, 0.01);
  }
  assertEquals(contourLines(latticeOf(9, 1, () => NaN), [0]), []);
});

Deno.test("a field's lines reach the edges of its square, as exact as its interpolation", () => {
  const extent = 3;
  const lines = fieldContours(gridOf(16, extent, (x, y) => x * x + y), { size: 16, extent }, [1]);
  assertEquals(lines.length, 1);
  const all = vertices(lines[0]);
  for (const [x, y] of all) assertAlmostEquals(x * x + y, 1, 0.01);
  // It enters at the lower edge: x² = 1 + 3.
  for (const [x, y] of [all[0], all[all.length - 1]]) {
    assertAlmostEquals(y, -3, 1e-6);
    assertAlmostEquals(Math.abs(x), 2, 0.01);
  }
});

Deno.test("any field: vertices are on edges, where interpolation gives the level", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 36, maxLength: 36 }),
    fc.integer({ min: -3, max: 3 }),
    (numbers, level) => {
      const lattice: Lattice = { values: numbers, cols: 6, rows: 6, left: 0, top: 0, dx: 1, dy: 1 };
      for (const line of contourLines(lattice, [level + 0.5])) {
        for (const [x, y] of vertices(line)) {
          const c = Math.min(5, Math.floor(x + 1e-5)), r = Math.min(5, Math.floor(-y + 1e-5));
          const s = x - c, t = -y - r;
          assert(Math.min(Math.abs(s), Math.abs(t)) < 1e-4);
          const a = numbers[r * 6 + c];
          const b = s > t
            ? numbers[r * 6 + Math.min(5, c + 1)]
            : numbers[Math.min(5, r + 1) * 6 + c];
          assertAlmostEquals(a + Math.max(s, t) * (b - a), level + 0.5, 1e-4);
        }
      }
    },
  ));
});

Deno.test("any field: every crossed edge is in one line once", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 49, maxLength: 49 }),
    (numbers) => {
      const lattice: Lattice = { values: numbers, cols: 7, rows: 7, left: 0, top: 0, dx: 1, dy: 1 };
      let edges = 0;
      for (let i = 0; i < 49; i++) {
        if (i % 7 < 6 && numbers[i] !== numbers[i + 1]) edges++;
        if (i < 42 && numbers[i] !== numbers[i + 7]) edges++;
      }
      const all = contourLines(lattice, [0.5]).flatMap(vertices);
      assertEquals(all.length, edges);
      assertEquals(new Set(all.map(String)).size, edges);
    },
  ));
});

Deno.test("levels are multiples of 1, 2 or 5 times a power of ten, 0 among them", () => {
  assertEquals(contourLevels([-1, 1], 10), [-1, -0.8, -0.6, -0.4, -0.2, 0, 0.2, 0.4, 0.6, 0.8, 1]);
  assertEquals(contourLevels([3, 3.01], 2), [3, 3.005, 3.01]);
  assertEquals(contourLevels([2, 2]), []);
  assertEquals(contourLevels([NaN, NaN]), []);
});

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { arrowHeads, type Streamline, streamlines } from "../../../web/pictures/streamlines.ts";
import { velocityOf } from "./known_fields.ts";

const grid = { size: 32, extent: 2 };

/** The smallest distance between points of different lines. */
function closest(lines: readonly Streamline[]): number {
  let least = Infinity;
  lines.forEach(({ points: a }, i) =>
    lines.slice(0, i).forEach(({ points: b }) => {
      for (let k = 0; k < a.length; k += 2) {
        for (let l = 0; l < b.length; l += 2) {
          least = Math.min(least, Math.hypot(a[k] - b[l], a[k + 1] - b[l + 1]));
        }
      }
    })
  );
  return least;
}

Deno.test("a rotation has circles, closed where they fit into the square", () => {
  const lines = streamlines(velocityOf(32, 2, (x, y) => [-y, x]), grid);
  assert(lines.length > 5);
  for (const { points, closed } of lines) {
    const radius = Math.hypot(points[0], points[1]);
    for (let i = 0; i < points.length; i += 2) {
      assertAlmostEquals(Math.hypot(points[i], points[i + 1]), radius, 1e-3);
    }
    assertEquals(closed, radius < 2, `radius ${radius}`);
    // Against the clock, as the flow goes.
    assert(points[0] * points[3] - points[1] * points[2] > 0);
  }
});

Deno.test("the gradient of x² + y² has rays that point away from the middle", () => {
  const lines = streamlines(velocityOf(32, 2, (x, y) => [2 * x, 2 * y]), grid);
  assert(lines.length > 10);
  for (const { points } of lines) {
    const angle = Math.atan2(points[points.length - 1], points[points.length - 2]);
    let before = 0;
    for (let i = 0; i < points.length; i += 2) {
      const radius = Math.hypot(points[i], points[i + 1]);
      assert(radius > before);
      before = radius;
      if (radius < 0.1) continue;
      assertAlmostEquals(Math.cos(Math.atan2(points[i + 1], points[i]) - angle), 1, 1e-5);
    }
  }
});

Deno.test("no two lines are nearer than the test distance, and seeds keep the separation", () => {
  const fields = [
    velocityOf(32, 2, (x, y) => [-y, x]),
    velocityOf(32, 2, (x, y) => [2 * x, 2 * y]),
    velocityOf(32, 2, (x, y) => [Math.sin(2 * y), Math.cos(3 * x)]),
    velocityOf(32, 2, (x, y) => [x - 4 * y, 4 * x + y]),
  ];
  for (const velocity of fields) {
    for (const separation of [0.2, 0.5]) {
      const lines = streamlines(velocity, grid, { separation, testShare: 0.6 });
      // To rounding: points are kept in float32.
      assert(closest(lines) >= 0.6 * separation - 1e-6);
      lines.forEach(({ seed: [x, y] }, i) => {
        for (const { points } of lines.slice(0, i)) {
          for (let k = 0; k < points.length; k += 2) {
            assert(Math.hypot(points[k] - x, points[k + 1] - y) >= separation - 1e-6);
          }
        }
      });
    }
  }
});

Deno.test("lines fill the square: nowhere is farther from one than twice the separation", () => {
  const separation = 0.4;
  const lines = streamlines(velocityOf(32, 2, () => [1, 0.3]), grid, { separation });
  for (let x = -1.9; x < 2; x += 0.2) {
    for (let y = -1.9; y < 2; y += 0.2) {
      const distances = lines.flatMap(({ points }) =>
        Array.from(
          { length: points.length / 2 },
          (_, i) => Math.hypot(points[2 * i] - x, points[2 * i + 1] - y),
        )
      );
      assert(Math.min(...distances) < 2 * separation);
    }
  }
});

Deno.test("a line stays apart from itself: a spiral is left after a turn", () => {
  const [line] = streamlines(velocityOf(32, 2, (x, y) => [-0.02 * x - y, x - 0.02 * y]), grid, {
    seeds: [1, 0],
  });
  assert(!line.closed);
  const length = line.points.length / 2;
  const step = Math.hypot(line.points[2] - line.points[0], line.points[3] - line.points[1]);
  // Both ways together are not much more than two turns.
  assert(length * step < 5 * Math.PI);
});

Deno.test("the same field has the same lines; seeds of before come first", () => {
  const velocity = velocityOf(32, 2, (x, y) => [Math.sin(2 * y), Math.cos(3 * x)]);
  const lines = streamlines(velocity, grid);
  assertEquals(lines, streamlines(velocity, grid));
  const seeds = lines.flatMap(({ seed }) => [...seed]);
  const nearly = velocityOf(32, 2, (x, y) => [Math.sin(2 * y) + 0.01, Math.cos(3 * x)]);
  const moved = streamlines(nearly, grid, { seeds });
  const kept = lines.filter(({ seed }) => moved.some((line) => `${line.seed}` === `${seed}`));
  assert(kept.length > 0.8 * lines.length);
});

Deno.test("a field at rest, or one that is not finite, has no lines", () => {
  assertEquals(streamlines(new Float32Array(2 * 32 * 32), grid), []);
  assertEquals(streamlines(new Float32Array(2 * 32 * 32).fill(NaN), grid), []);
  const half = velocityOf(32, 2, (x) => x > 0 ? [NaN, NaN] : [0, 1]);
  for (const { points } of streamlines(half, grid)) assert(points.every(Number.isFinite));
});

Deno.test("arrow heads are on their lines, at even distances, along the flow", () => {
  const lines = streamlines(velocityOf(32, 2, () => [3, 0]), grid, { separation: 0.5 });
  const heads = arrowHeads(lines, 1);
  // Lines as long as the square have four heads each.
  assertEquals(heads.length / 4, 4 * lines.length);
  for (let i = 0; i < heads.length; i += 4) {
    assertAlmostEquals(heads[i + 2], 1, 1e-5);
    assertAlmostEquals(heads[i + 3], 0, 1e-5);
    const onLine = lines.some(({ points }) => Math.abs(points[1] - heads[i + 1]) < 1e-5);
    assert(onLine);
  }
  for (let i = 4; i < 16; i += 4) assertAlmostEquals(heads[i] - heads[i - 4], 1, 0.1);
});

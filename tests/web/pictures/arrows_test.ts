import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { arrowField } from "../../../web/pictures/arrows.ts";
import { velocityOf } from "./known_fields.ts";

Deno.test("arrows point along the field, with lengths by the square root of speeds", () => {
  const grid = { size: 24, extent: 3 };
  const { arrows, key } = arrowField(velocityOf(24, 3, (x, y) => [-y, x]), grid, 9, 2);
  const spacing = 6 / 9;
  for (let i = 0; i < arrows.length; i += 4) {
    const [x, y, dx, dy] = arrows.subarray(i, i + 4);
    const speed = Math.hypot(x, y);
    assertAlmostEquals(dx * -y + dy * x, Math.hypot(dx, dy) * speed, 1e-4);
    const expected = 0.92 * spacing * Math.sqrt(Math.min(1, speed / 2));
    assertAlmostEquals(Math.hypot(dx, dy), expected, 1e-4);
  }
  // All but the one in the middle, where the field rests.
  assertEquals(arrows.length / 4, 80);
  assertEquals(key.speed, 1);
  assertEquals(key.label, "1");
  assertAlmostEquals(key.length, 0.92 * spacing * Math.sqrt(0.5), 1e-9);
});

Deno.test("the longest arrows are those of all but the fastest few", () => {
  const grid = { size: 24, extent: 3 };
  const velocity = velocityOf(24, 3, () => [1, 0]);
  velocity[2 * 24 * 12 + 2 * 12] = 1e6;
  const { arrows } = arrowField(velocity, grid, 8);
  for (let i = 0; i < arrows.length; i += 4) {
    assertAlmostEquals(Math.hypot(arrows[i + 2], arrows[i + 3]), 0.92 * 6 / 8, 1e-3);
  }
});

Deno.test("what is not finite has no arrows, and rest has none", () => {
  const grid = { size: 24, extent: 3 };
  const { arrows } = arrowField(velocityOf(24, 3, (x) => [x > 0 ? NaN : 1, 0]), grid, 8);
  assert(arrows.length > 0);
  for (let i = 0; i < arrows.length; i += 4) assert(arrows[i] < 0);
  const rest = arrowField(new Float32Array(2 * 24 * 24), grid, 8);
  assertEquals([rest.arrows.length, rest.key.length, rest.key.label], [0, 0, "0"]);
});

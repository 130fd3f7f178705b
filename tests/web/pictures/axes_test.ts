import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { planeAxes } from "../../../web/pictures/axes.ts";
import { planeView, toCanvas, toPlane } from "../../../web/pictures/view.ts";

Deno.test("ticks are where their values are on the canvas", () => {
  // 400 pixels for −4 to 4, in the middle of 600: 50 pixels a unit, 0 at 300.
  const view = planeView({ width: 600, height: 400 }, 4);
  const { x, y } = planeAxes(view);
  for (const { value, label, place } of x) {
    assertAlmostEquals(place, 300 + 50 * value);
    assertEquals(label, String(value).replace("-", "−"));
  }
  for (const { value, place } of y) assertAlmostEquals(place, 200 - 50 * value);
  assertEquals(x.map(({ value }) => value), [-2, 0, 2]);
  assertEquals(y.map(({ value }) => value), [-2, 0, 2]);
});

Deno.test("labels are not cut off by an edge, and there are some on any canvas", () => {
  for (const side of [160, 358, 900]) {
    for (const ratio of [1, 2]) {
      for (const extent of [1, 3.7, 6, 20]) {
        const view = planeView({ width: side * ratio, height: side * ratio }, extent, ratio);
        const { x, y } = planeAxes(view);
        assert(x.length > 0 && y.length > 0);
        for (const { place } of [...x, ...y]) {
          assert(place > 12 * ratio && place < (side - 12) * ratio);
        }
      }
    }
  }
});

Deno.test("the square of a view: its corners, and a picture of it alone", () => {
  const view = planeView({ width: 300, height: 200 }, 5);
  assertEquals(toCanvas(view, -5, 5), [50, 0]);
  assertEquals(toCanvas(view, 5, -5), [250, 200]);
  const [x, y] = toPlane(view, ...toCanvas(view, 1.25, -3));
  assertAlmostEquals(x, 1.25);
  assertAlmostEquals(y, -3);
});

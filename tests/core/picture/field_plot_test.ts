import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { decode } from "fast-png";
import fc from "fast-check";
import { ConfigError } from "../../../core/errors.ts";
import type { Extent } from "../../../core/picture/axes.ts";
import { colorAt, coolWarm, NON_FINITE_COLOR } from "../../../core/picture/colormap.ts";
import {
  fieldOverContours,
  fieldPlotFrame,
  type FieldPlotOptions,
  gradientArrows,
} from "../../../core/picture/field_plot.ts";
import { encodePng, pixelAt, type RgbImage } from "../../../core/picture/rgb_image.ts";

function draw(options: FieldPlotOptions): RgbImage {
  const { width, height, data } = decode(encodePng(fieldOverContours(options)));
  return { width, height, data: Uint8Array.from(data) };
}

/** f at the centres of cells that tile the extent. */
function fieldOf(f: (x: number, y: number) => number, extent: Extent, rows: number, cols: number) {
  const [xMin, xMax, yMin, yMax] = extent;
  const values = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      const x = xMin + (xMax - xMin) * (c + 0.5) / cols;
      values[r * cols + c] = f(x, yMax - (yMax - yMin) * (r + 0.5) / rows);
    }
  }
  return { values, rows, cols };
}

Deno.test("a field that grows to the right has upright bands in the colours of their order", () => {
  const extent: Extent = [0, 8, 0, 8];
  const options = {
    ...fieldOf((x) => x, extent, 80, 80),
    extent,
    range: [0, 8] as const,
    bands: 8,
    size: 400,
  };
  const image = draw(options);
  const { left, top, width, height } = fieldPlotFrame(options);
  for (let band = 0; band < 8; band++) {
    for (const down of [0.1, 0.5, 0.9]) {
      const column = left + Math.floor((band + 0.5) / 8 * width);
      const pixel = pixelAt(image, column, top + Math.floor(down * height));
      assertEquals(pixel, colorAt(coolWarm, band / 7));
    }
  }
});

Deno.test("y points upwards: the larger values at the top are the warm ones", () => {
  const extent: Extent = [-1, 1, -1, 1];
  const options = { ...fieldOf((_, y) => y, extent, 40, 40), extent, size: 300 };
  const image = draw(options);
  const { left, top, width, height } = fieldPlotFrame(options);
  const middle = left + Math.floor(width / 2);
  assertEquals(pixelAt(image, middle, top + 1), colorAt(coolWarm, 1));
  assertEquals(pixelAt(image, middle, top + height - 2), colorAt(coolWarm, 0));
});

Deno.test("the contour of a level lies where the field has that value", () => {
  const extent: Extent = [-2, 2, -2, 2];
  const options = {
    ...fieldOf((x, y) => x * x + y * y, extent, 200, 200),
    extent,
    range: [0, 8] as const,
    bands: 8,
    size: 640,
  };
  const image = draw(options);
  const { left, top, width, height } = fieldPlotFrame(options);
  const row = top + Math.floor(height / 2);
  const color = (x: number) => pixelAt(image, left + Math.floor((x + 2) / 4 * width), row);
  for (const level of [1, 2, 3]) {
    const radius = Math.sqrt(level);
    assertEquals(color(radius - 0.03), colorAt(coolWarm, (level - 1) / 7));
    assertEquals(color(radius + 0.03), colorAt(coolWarm, level / 7));
    assertEquals(color(-radius - 0.03), colorAt(coolWarm, level / 7));
  }
});

Deno.test("gradientArrows is exact on quadratic fields", () => {
  const extent: Extent = [-3, 3, -2, 2];
  const field = fieldOf((x, y) => x * x - 2 * y * y + 3 * x, extent, 90, 120);
  const arrows = gradientArrows(field, extent, 12);
  assertEquals(arrows.length, 4 * 12 * 8);
  for (let i = 0; i < arrows.length; i += 4) {
    const [x, y, dx, dy] = arrows.subarray(i, i + 4);
    assertAlmostEquals(dx, 2 * x + 3, 1e-9);
    assertAlmostEquals(dy, -4 * y, 1e-9);
  }
});

Deno.test("an arrow's head points along its vector, upwards where dy is positive", () => {
  const extent: Extent = [-1, 1, -1, 1];
  const flat = { values: new Float64Array(4), rows: 2, cols: 2 };
  /** Dark pixels right of the middle minus left of it, and above minus below. */
  const lean = (dx: number, dy: number) => {
    const options = { ...flat, extent, arrows: [0, 0, dx, dy], size: 640 };
    const image = draw(options);
    const { left, top, width, height } = fieldPlotFrame(options);
    let [across, up] = [0, 0];
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        if (pixelAt(image, left + column, top + row)[0] > 120) continue;
        across += Math.sign(column + 0.5 - width / 2);
        up += Math.sign(height / 2 - row - 0.5);
      }
    }
    return [across, up];
  };
  const [right, level] = lean(1, 0);
  assert(right > 5 && Math.abs(level) < right / 2, `${right} ${level}`);
  assert(lean(-1, 0)[0] < -5);
  assert(lean(0, 1)[1] > 5);
  assert(lean(0, -1)[1] < -5);
});

Deno.test("values that are not finite are shown in magenta", () => {
  const extent: Extent = [0, 1, 0, 1];
  const options = { values: Float64Array.of(NaN, 1, 0, 1), rows: 2, cols: 2, extent, size: 300 };
  const { left, top } = fieldPlotFrame(options);
  assertEquals(pixelAt(draw(options), left, top), NON_FINITE_COLOR);
});

Deno.test("never throws for finite input", () => {
  const value = fc.double({ min: -1e99, max: 1e99, noNaN: true });
  const input = fc.record({
    values: fc.oneof(
      fc.array(value, { minLength: 6, maxLength: 6 }),
      fc.constant(new Array(6).fill(3)),
      fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 6, maxLength: 6 }),
    ),
    arrows: fc.array(value, { maxLength: 12 }),
  });
  fc.assert(
    fc.property(input, ({ values, arrows }) => {
      const image = fieldOverContours({
        values: Float64Array.from(values),
        rows: 3,
        cols: 2,
        extent: [-1, 1, -1, 1],
        arrows: arrows.slice(0, 4 * Math.floor(arrows.length / 4)),
        size: 240,
      });
      assertEquals(image.data.length, image.width * image.height * 3);
      assertEquals(pixelAt(image, 0, 0), [255, 255, 255]);
    }),
    { numRuns: 40 },
  );
});

Deno.test("fieldOverContours refuses what it cannot draw", () => {
  const field = { values: new Float64Array(4), rows: 2, cols: 2 };
  const extent: Extent = [0, 1, 0, 1];
  const call = (options: Partial<FieldPlotOptions>) => () =>
    fieldOverContours({ ...field, extent, ...options });
  assertThrows(call({ arrows: [1, 2, 3] }), ConfigError, "x, y, dx, dy");
  assertThrows(call({ rows: 3 }), ConfigError, "4 values");
  assertThrows(call({ range: [1, 0] }), ConfigError, "ascending");
  assertThrows(call({ bands: 0 }), ConfigError, "bands");
  assertThrows(() => gradientArrows(field, extent, 0), ConfigError, "arrows across");
});

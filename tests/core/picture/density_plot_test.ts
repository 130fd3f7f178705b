import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { decode } from "fast-png";
import fc from "fast-check";
import { ConfigError } from "../../../core/errors.ts";
import type { Extent } from "../../../core/picture/axes.ts";
import { colorAt, magma } from "../../../core/picture/colormap.ts";
import {
  densityPlotFrame,
  type DensityPlotOptions,
  dotStyle,
  scatterOverDensity,
} from "../../../core/picture/density_plot.ts";
import { encodePng, pixelAt, type RgbImage } from "../../../core/picture/rgb_image.ts";

/** Through the PNG and back, so that what is looked at is what a viewer shows. */
function draw(options: DensityPlotOptions): RgbImage {
  const { width, height, data } = decode(encodePng(scatterOverDensity(options)));
  return { width, height, data: Uint8Array.from(data) };
}

const BLANK = colorAt(magma, 0);

Deno.test("a point lights the pixel at its coordinates, y upwards, and no other place", () => {
  const options = { points: [0.5, 0.8], extent: [-1, 1, -1, 1] as const, size: 400, title: "one" };
  const image = draw(options);
  const { left, top, width, height } = densityPlotFrame(options);
  const at = (x: number, y: number) =>
    pixelAt(
      image,
      left + Math.floor((x + 1) / 2 * width),
      top + Math.floor((1 - y) / 2 * height),
    );
  assert(Math.min(...at(0.5, 0.8)) > 200, `${at(0.5, 0.8)}`);
  assertEquals(at(0.5, -0.8), BLANK);
  assertEquals(at(-0.5, 0.8), BLANK);
  assertEquals(at(0.8, 0.5), BLANK);
});

Deno.test("the dot's middle is the point: the lit pixels' centroid", () => {
  const extent: Extent = [-3, 5, -2, 2];
  const point = fc.tuple(
    fc.double({ min: -2.5, max: 4.5, noNaN: true }),
    fc.double({ min: -1.5, max: 1.5, noNaN: true }),
  );
  fc.assert(
    fc.property(point, ([x, y]) => {
      const options = { points: [x, y], extent, size: 200 };
      const image = scatterOverDensity(options);
      const { left, top, width, height } = densityPlotFrame(options);
      let [sum, sumX, sumY] = [0, 0, 0];
      for (let row = top; row < top + height; row++) {
        for (let column = left; column < left + width; column++) {
          const light = pixelAt(image, column, row)[1];
          sum += light;
          sumX += light * (column + 0.5);
          sumY += light * (row + 0.5);
        }
      }
      assertAlmostEquals(sumX / sum, left + (x + 3) / 8 * width, 0.1);
      assertAlmostEquals(sumY / sum, top + (2 - y) / 4 * height, 0.1);
    }),
    { numRuns: 15 },
  );
});

Deno.test("row 0 of the density is at the top, and its peak has the last colour", () => {
  const density = { values: Float64Array.of(4, 1, 0, 0), rows: 2, cols: 2 };
  const extent: Extent = [0, 1, 0, 1];
  const options = { density, points: [], extent, size: 300, colormap: magma };
  const image = draw(options);
  const { left, top, width, height } = densityPlotFrame(options);
  assertEquals(pixelAt(image, left, top), colorAt(magma, 1));
  // A quarter of the peak, at the default gamma of one half.
  assertEquals(pixelAt(image, left + width - 1, top), colorAt(magma, 0.5));
  assertEquals(pixelAt(image, left, top + height - 1), BLANK);
  // Half way between the upper two centres the density is half way between theirs.
  const between = pixelAt(image, left + Math.floor(width / 2), top);
  const expected = colorAt(magma, (2.5 / 4) ** 0.5);
  between.forEach((v, i) => assertAlmostEquals(v, expected[i], 3));
});

Deno.test("units are equal on both axes and the longer side has the size asked for", () => {
  const extent = fc.tuple(
    fc.double({ min: -1e6, max: 1e6, noNaN: true }),
    fc.double({ min: 1, max: 10, noNaN: true }),
    fc.double({ min: 1, max: 10, noNaN: true }),
  );
  fc.assert(fc.property(extent, fc.integer({ min: 300, max: 1000 }), ([x, w, h], size) => {
    const frame = densityPlotFrame({ points: [], extent: [x, x + w, -h / 2, h / 2], size });
    assertAlmostEquals(Math.max(frame.imageWidth, frame.imageHeight), size, 1);
    assertAlmostEquals(frame.width / w, frame.height / h, 0.6 / Math.min(w, h) + 0.1);
  }));
});

Deno.test("samples that cannot be shown are counted in a note, which takes room", () => {
  const extent: Extent = [-1, 1, -1, 1];
  /** Dark pixels below the tick labels. */
  const inkBelow = (points: number[]) => {
    const options = { points, extent, size: 300 };
    const image = scatterOverDensity(options);
    const { top, height, unit } = densityPlotFrame(options);
    let dark = 0;
    for (let row = Math.round(top + height + 25 * unit); row < image.height; row++) {
      for (let c = 0; c < image.width; c++) {
        if (pixelAt(image, c, row)[2] < 140) dark++;
      }
    }
    return dark;
  };
  assertEquals(inkBelow([0, 0, 1, -1]), 0);
  const [stray, broken, both] = [[0, 0, 5, 5], [0, 0, NaN, 0], [5, 5, NaN, 0]].map(inkBelow);
  assert(stray > 40 && broken > 20 && both > Math.max(stray, broken), `${[stray, broken, both]}`);
});

Deno.test("dots get smaller and fainter as they get more, and fainter in heaps", () => {
  // Evenly over 600 × 600 pixels: Roberts' R2 sequence.
  const spread = (n: number) =>
    dotStyle(Float64Array.from(
      { length: 2 * n },
      (_, i) => Math.floor(i / 2) * (i % 2 ? 0.5698402909980532 : 0.7548776662466927) % 1 * 600,
    ));
  let last = { radius: 10, opacity: 1 };
  for (const n of [1, 100, 500, 2000, 20000, 100000]) {
    const style = spread(n);
    assert(style.radius <= last.radius && style.opacity <= last.opacity);
    assert(style.radius >= 0.9 && style.opacity >= 0.15);
    last = style;
  }
  assert(spread(100).radius > 2.5);
  assert(dotStyle(new Float64Array(4000)).opacity < spread(2000).opacity / 2);
});

Deno.test("never throws for finite input, and the margins stay paper", () => {
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
  const input = fc.record({
    numbers: fc.array(fc.oneof(finite, fc.double({ min: -2, max: 2, noNaN: true }))),
    values: fc.array(finite, { minLength: 6, maxLength: 6 }),
    title: fc.string({ unit: "grapheme" }),
    xLabel: fc.string(),
    yLabel: fc.string(),
    low: fc.double({ min: -100, max: 100, noNaN: true }),
  });
  fc.assert(
    fc.property(input, ({ numbers, values, title, xLabel, yLabel, low }) => {
      const image = scatterOverDensity({
        points: Float64Array.from(numbers.slice(0, 2 * Math.floor(numbers.length / 2))),
        density: { values: Float64Array.from(values), rows: 2, cols: 3 },
        extent: [low, low + 3, -1, 1],
        size: 200,
        title,
        xLabel,
        yLabel,
      });
      assertEquals(image.data.length, image.width * image.height * 3);
      assertEquals(pixelAt(image, 0, 0), [255, 255, 255]);
      assertEquals(pixelAt(image, image.width - 1, image.height - 1), [255, 255, 255]);
    }),
    { numRuns: 40 },
  );
});

Deno.test("scatterOverDensity refuses what it cannot draw", () => {
  const call = (options: Partial<DensityPlotOptions>) => () =>
    scatterOverDensity({ points: [], extent: [0, 1, 0, 1], ...options });
  assertThrows(call({ points: [1, 2, 3] }), ConfigError, "two a point");
  assertThrows(call({ extent: [0, 0, 0, 1] }), ConfigError, "extent");
  assertThrows(call({ extent: [0, 100, 0, 1] }), ConfigError, "20 times");
  assertThrows(call({ size: 30 }), ConfigError, "160");
  assertThrows(call({ gamma: -1 }), ConfigError, "gamma");
  const density = { values: new Float64Array(5), rows: 2, cols: 3 };
  assertThrows(call({ density }), ConfigError, "5 values");
});

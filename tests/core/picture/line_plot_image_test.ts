import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../../core/errors.ts";
import {
  linePlotImage,
  type LinePlotImageOptions,
  seriesColor,
} from "../../../core/picture/line_plot_image.ts";
import { PALETTE } from "../../../core/picture/line_plot.ts";
import { pixelAt, type Rgb, type RgbImage } from "../../../core/picture/rgb_image.ts";

const frame = { title: "", xLabel: "", yLabel: "", width: 300, height: 240 };

/** The places of all pixels of a colour, below the legend of one line. */
function places(image: RgbImage, color: Rgb): [column: number, row: number][] {
  const found: [number, number][] = [];
  for (let row = 60; row < image.height; row++) {
    for (let column = 0; column < image.width; column++) {
      if (String(pixelAt(image, column, row)) === String(color)) found.push([column, row]);
    }
  }
  return found;
}

/** The middle of the places in a column. */
function heightAt(found: readonly [number, number][], column: number): number {
  const rows = found.filter(([c]) => c === column).map(([, row]) => row);
  return rows.reduce((sum, row) => sum + row, 0) / rows.length;
}

Deno.test("colours are those of the plots in SVG", () => {
  const hex = (color: Rgb) => `#${color.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
  assertEquals(PALETTE.map((_, i) => hex(seriesColor(i))), [...PALETTE]);
  assertEquals(seriesColor(PALETTE.length), seriesColor(0));
});

Deno.test("an exponential is straight on a logarithmic axis and bent on a linear one", () => {
  const x = [0, 1, 2, 3, 4], y = x.map((v) => 10 ** -v);
  for (const yLog of [true, false]) {
    const image = linePlotImage({ ...frame, yLog, series: [{ name: "", x, y }] });
    const found = places(image, seriesColor(0));
    const columns = found.map(([column]) => column);
    const first = Math.min(...columns) + 10, last = Math.max(...columns) - 10;
    const middle = Math.round((first + last) / 2);
    const straight = (heightAt(found, first) + heightAt(found, last)) / 2;
    if (yLog) assertAlmostEquals(heightAt(found, middle), straight, 3);
    else assert(heightAt(found, middle) > straight + 30);
  }
});

Deno.test("a point that is not finite breaks the line", () => {
  const draw = (y: number[]) =>
    places(
      linePlotImage({ ...frame, series: [{ name: "", x: [0, 1, 2, 3, 4], y }] }),
      seriesColor(0),
    );
  const whole = new Set(draw([1, 1, 1, 1, 2]).map(([column]) => column));
  const broken = new Set(draw([1, 1, NaN, 1, 2]).map(([column]) => column));
  const columns = [...whole];
  const middle = Math.round((Math.min(...columns) + Math.max(...columns)) / 2);
  assertEquals([whole.has(middle), broken.has(middle)], [true, false]);
});

Deno.test("a band covers what is between its edges, around its line", () => {
  const x = [0, 1], y = [2, 2];
  const series = [{ name: "", x, y, low: [1, 1], high: [3, 3] }];
  const image = linePlotImage({ ...frame, series });
  const line = seriesColor(0);
  const tint = line.map((v) => Math.round(255 + 0.2 * (v - 255))) as unknown as Rgb;
  const tinted = places(image, tint).map(([, row]) => row);
  const middle = places(image, line).map(([, row]) => row);
  const centre = middle.reduce((sum, row) => sum + row, 0) / middle.length;
  const [above, below] = [centre - Math.min(...tinted), Math.max(...tinted) - centre];
  assertAlmostEquals(above, below, 3);
  // 4 % of room is left beyond the band, whose height is the rest of the plot's.
  assert(above > 50);
});

Deno.test("a dashed line is on about seven twelfths of its way", () => {
  const series = (dashed: boolean) => [{ name: "", x: [0, 1], y: [1, 1], dashed }];
  const columns = (dashed: boolean) =>
    new Set(
      places(linePlotImage({ ...frame, width: 600, series: series(dashed) }), seriesColor(0))
        .map(([column]) => column),
    ).size;
  const share = columns(true) / columns(false);
  assert(share > 0.5 && share < 0.8, `share ${share}`);
});

Deno.test("what cannot be plotted is refused", () => {
  const refuse = (options: Partial<LinePlotImageOptions>, message: string) =>
    assertThrows(
      () => linePlotImage({ ...frame, series: [{ name: "s", x: [1], y: [1] }], ...options }),
      ConfigError,
      message,
    );
  refuse({ series: [] }, "no series");
  refuse({ scale: 0 }, "scale 0");
  refuse({ series: [{ name: "s", x: [1], y: [NaN] }] }, "no point");
  refuse({ series: [{ name: "s", x: [1, 2], y: [1, 1], low: [1] }] }, "a band of 1 and 2");
});

import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../../../core/errors.ts";
import { type HistogramSeries, svgHistogramPlot } from "../../../core/picture/histogram_plot.ts";
import { PALETTE } from "../../../core/picture/line_plot.ts";

const labels = { title: "t", xLabel: "x" };

/** Where the label with this text is. */
function labelAt(svg: string, text: string): { x: number; y: number } {
  const match = svg.match(new RegExp(`<text x="([-\\d.]+)" y="([-\\d.]+)"[^>]*>${text}</text>`));
  if (!match) throw new Error(`no label ${text}`);
  return { x: +match[1], y: +match[2] };
}

/** The corners of a histogram's step line. */
function corners(svg: string, name: string): [number, number][] {
  const group = svg.split(`<g data-series="${name}">`)[1].split("</g>")[0];
  const [, path] = group.match(/<path d="([^"]+)" fill="none"/)!;
  let x = 0, y = 0;
  return [...path.matchAll(/([MHV])([-\d.]+)(?: ([-\d.]+))?/g)].map(([, command, a, b]) => {
    if (command === "M") [x, y] = [+a, +b];
    else if (command === "H") x = +a;
    else y = +a;
    return [x, y];
  });
}

Deno.test("steps stand at their tick labels, from 0 and back to 0", () => {
  const series = [{ name: "a", edges: [0, 20, 40, 100], heights: [0.4, 0.4, 2] }];
  const svg = svgHistogramPlot({ ...labels, series });
  const found = corners(svg, "a");
  const at = (text: string) => labelAt(svg, text);
  const [, frameTop, frameHeight] = svg.match(/y="(\S+)" width="\S+" height="(\S+)" fill="none"/)!;
  const bottom = +frameTop + +frameHeight;
  const [left, middle, right] = ["0", "40", "100"].map((text) => at(text).x);
  const expected = [
    [left, bottom],
    [left, at("0.4").y],
    [middle, at("0.4").y],
    [middle, at("2.0").y],
    [right, at("2.0").y],
    [right, bottom],
  ];
  assertEquals(found.length, expected.length);
  found.forEach(([x, y], i) => {
    assertAlmostEquals(x, expected[i][0], 0.02);
    assertAlmostEquals(y, expected[i][1], 0.02);
  });
});

Deno.test("each histogram has its colour and its name, escaped; all lie within the frame", () => {
  const heights = fc.array(fc.float({ min: 0, max: 1e6, noNaN: true }), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(fc.property(heights, heights, fc.integer({ min: -100, max: 100 }), (a, b, start) => {
    const edges = (count: number, low: number) =>
      Array.from({ length: count + 1 }, (_, i) => low + i);
    const series: HistogramSeries[] = [
      { name: "a & b", edges: edges(a.length, 0), heights: a },
      { name: "other", edges: edges(b.length, start), heights: b },
    ];
    const svg = svgHistogramPlot({ ...labels, series });
    const [, x, y, w, h] = svg.match(
      /<rect x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)" fill="none"/,
    )!.map(Number);
    series.forEach(({ name }, k) => {
      const escaped = name.replace("&", "&amp;");
      assert(svg.includes(`${escaped}</text>`) && svg.includes(PALETTE[k]));
      for (const [px, py] of corners(svg, escaped)) {
        assert(px >= x - 0.01 && px <= x + w + 0.01 && py >= y - 0.01 && py <= y + h + 0.01);
      }
    });
  }));
});

Deno.test("what cannot be plotted is refused", () => {
  const plot = (...series: HistogramSeries[]) => svgHistogramPlot({ ...labels, series });
  const good = { name: "a", edges: [0, 1], heights: [1] };
  assertThrows(() => plot(), ConfigError, "no histograms");
  assertThrows(() => plot({ ...good, edges: [0] }), ConfigError, "1 edges and 1 heights");
  assertThrows(() => plot({ ...good, edges: [0], heights: [] }), ConfigError, "0 heights");
  assertThrows(() => plot(good, { ...good, heights: [-1] }), ConfigError, "height -1");
  assertThrows(() => plot({ ...good, heights: [NaN] }), ConfigError, "height NaN");
  assertThrows(() => plot({ ...good, edges: [1, 1] }), ConfigError, "increasing order");
  assertThrows(() => plot({ ...good, edges: [0, Infinity] }), ConfigError, "finite");
  const series = [good];
  assertThrows(() => svgHistogramPlot({ ...labels, series, width: 10 }), ConfigError, "10 × 440");
});

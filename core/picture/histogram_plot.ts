/**
 * @file Histograms laid over each other as stand-alone SVG: a step line each, and its area in the same
 * colour, through which the others are seen. Axes and colours are those of the line plots.
 */
import { ConfigError } from "../errors.ts";
import {
  type Axis,
  axisOf,
  columnsOf,
  coordinate,
  escapeXml,
  LEGEND_LINE,
  PALETTE,
  type PlotBox,
  rowsOf,
  svgAxes,
  svgDocument,
} from "./line_plot.ts";
import { linearTicks } from "./ticks.ts";

/** One histogram of a plot. */
export interface HistogramSeries {
  /** What is written beside the plot. */
  readonly name: string;
  /** In increasing order, one more than there are bins. */
  readonly edges: ArrayLike<number>;
  /** The height of each bin, from 0 on: a density or counts. */
  readonly heights: ArrayLike<number>;
}

/** What to draw. */
export interface HistogramPlotOptions {
  /** One line above the plot. */
  readonly title: string;
  /** What x is, with its unit. */
  readonly xLabel: string;
  /** What the heights are (default "density"). */
  readonly yLabel?: string;
  /** At least one. */
  readonly series: readonly HistogramSeries[];
  /** In CSS pixels (default 720). */
  readonly width?: number;
  /** In CSS pixels (default 440). */
  readonly height?: number;
}

/**
 * Histograms on one pair of axes as the text of an SVG file. The y axis begins at 0; names stand to
 * the right of the plot.
 *
 * @param options labels, axes and histograms; edges may differ between them
 * @returns well-formed XML with `<svg>` as its root, in CSS pixels
 * @throws {ConfigError} if there is no histogram, one has no bins, other than one edge more than it has
 *   heights, edges that do not increase, or a height that is negative or not finite, or a size is out of
 *   range
 * @example
 * ```ts
 * import { svgHistogramPlot } from "vapo";
 * import { assertStringIncludes } from "@std/assert";
 * const svg = svgHistogramPlot({
 *   title: "Potential",
 *   xLabel: "Φ",
 *   series: [{ name: "data", edges: [0, 1, 2], heights: [0.25, 0.75] }],
 * });
 * assertStringIncludes(svg, "<svg");
 * assertStringIncludes(svg, "data");
 * ```
 */
export function svgHistogramPlot(options: HistogramPlotOptions): string {
  checkHistograms(options);
  const { series, title, xLabel, yLabel = "density" } = options;
  const rows = rowsOf(options, false);
  const highest = Math.max(...series.flatMap(({ heights }) => Array.from(heights)));
  const yAxis = axisFromZero(highest, (rows.bottom - rows.top) / 45);
  const columns = columnsOf(options, yAxis);
  const ends = series.flatMap(({ edges }) => [edges[0], edges[edges.length - 1]]);
  const xAxis = axisOf(ends, false, (columns.right - columns.left) / 90);
  const box = { ...rows, ...columns };
  return svgDocument(title, columns.width, rows.height, [
    ...svgAxes(box, xAxis, yAxis, { title, xLabel, yLabel }),
    ...series.flatMap((each, k) => svgSteps(each, PALETTE[k % PALETTE.length], box, xAxis, yAxis)),
    ...series.flatMap(({ name }, k) => svgName(name, PALETTE[k % PALETTE.length], k, box)),
  ]);
}

function checkHistograms({ title, series, width = 720, height = 440 }: HistogramPlotOptions): void {
  if (series.length === 0) {
    throw new ConfigError(`plot "${title}" has no histograms: give at least one`);
  }
  for (const { name, edges, heights } of series) {
    if (heights.length === 0 || edges.length !== heights.length + 1) {
      throw new ConfigError(
        `histogram "${name}" has ${edges.length} edges and ${heights.length} heights: give one edge ` +
          "more than heights, at least two",
      );
    }
    const wrong = Array.from(heights).find((value) => !(value >= 0 && value < 1e280));
    if (wrong !== undefined) {
      throw new ConfigError(
        `histogram "${name}" has the height ${wrong}: give finite ones from 0 on`,
      );
    }
    const increase = Array.from(edges).every((edge, i) =>
      Math.abs(edge) < 1e280 && (i === 0 || edge > edges[i - 1])
    );
    if (!increase) {
      throw new ConfigError(`edges of histogram "${name}": give finite ones in increasing order`);
    }
  }
  for (const side of [width, height]) {
    if (!(side >= 200 && side <= 10000)) {
      throw new ConfigError(`a plot of ${width} × ${height} pixels: give each side 200 to 10000`);
    }
  }
}

/** An axis from 0 to a little above the highest bin. */
function axisFromZero(highest: number, ticks: number): Axis {
  const high = highest > 1e-280 ? 1.05 * highest : 1;
  const labels = linearTicks(0, high, Math.max(2, Math.round(ticks)));
  return { low: 0, high, ticks: labels, place: (value) => value / high };
}

function svgSteps(
  { name, edges, heights }: HistogramSeries,
  color: string,
  { left, right, top, bottom }: PlotBox,
  xAxis: Axis,
  yAxis: Axis,
): string[] {
  const atX = (i: number) => coordinate(left + xAxis.place(edges[i]) * (right - left));
  const atY = (value: number) => coordinate(bottom - yAxis.place(value) * (bottom - top));
  let path = `M${atX(0)} ${coordinate(bottom)}`;
  for (let i = 0; i < heights.length; i++) {
    // Equal neighbours share a line.
    if (i === 0 || heights[i] !== heights[i - 1]) path += `V${atY(heights[i])}`;
    if (heights[i] !== heights[i + 1]) path += `H${atX(i + 1)}`;
  }
  path += `V${coordinate(bottom)}`;
  return [
    `<g data-series="${escapeXml(name)}">`,
    `<path d="${path}Z" fill="${color}" fill-opacity="0.18"/>`,
    `<path d="${path}" fill="none" stroke="${color}" stroke-width="1.6" stroke-linejoin="round"/>`,
    "</g>",
  ];
}

/** A name with a swatch, from the top down. */
function svgName(name: string, color: string, place: number, { right, top }: PlotBox): string[] {
  const left = right + 12, y = top + 12 + place * LEGEND_LINE;
  return [
    `<rect x="${left}" y="${y - 6}" width="28" height="12" fill="${color}" fill-opacity="0.18" ` +
    `stroke="${color}" stroke-width="1.6"/>`,
    `<text x="${left + 36}" y="${y}" dy="0.35em">${escapeXml(name)}</text>`,
  ];
}

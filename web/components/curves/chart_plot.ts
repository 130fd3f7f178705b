/**
 * @file A chart on a canvas, drawn by uPlot (https://github.com/leeoniya/uPlot): made once in an
 * element, then given new data as often as there are any. It takes its colours from the page's style
 * sheets as they are, fills its element, and follows both as they change.
 *
 * uPlot because it draws ten thousand points in a few milliseconds and has 20 kB; it is loaded by the
 * first chart that is seen.
 */
import type uPlot from "uplot";
import { linearTicks, logTicks, type Ticks } from "../../../core/picture/ticks.ts";
import {
  aligned,
  type ChartSeries,
  decimated,
  positionRange,
  type Range,
  valueRange,
} from "./chart_data.ts";
import { isOpenMarker, lookOf, markerPath } from "./chart_marks.ts";

/** What a chart draws. */
export interface PlotModel {
  readonly series: readonly ChartSeries[];
  readonly xLabel: string;
  readonly logX: boolean;
  readonly logY: boolean;
  /** CSS pixels. */
  readonly height: number;
}

/** A chart in the page. */
export interface ChartPlot {
  /** Draws other data. */
  update(model: PlotModel): void;
  close(): void;
}

/** What is called while the pointer is over a chart: the position under it, or null. */
export type OnHover = (x: number | null) => void;

/** uPlot and what it reads whenever it draws. */
interface PlotState {
  model: PlotModel;
  x: Range;
  y: Range;
  colors: Colors;
}

/** Colours as the canvas takes them. */
interface Colors {
  readonly series: readonly string[];
  readonly text: string;
  readonly grid: string;
  readonly surface: string;
}

const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
/** CSS pixels of a marker's radius. */
const RADIUS = 4;

/**
 * Makes a chart in an element, which it fills.
 *
 * @param element positioned, as wide as the chart is to be
 * @param model the first data
 */
export async function openPlot(
  element: HTMLElement,
  model: PlotModel,
  onHover: OnHover,
): Promise<ChartPlot> {
  const { default: Plot } = await import("uplot");
  const state: PlotState = { model, x: [0, 1], y: [0, 1], colors: colorsOf(element, model) };
  let structure = "", plot: uPlot | null = null;
  const draw = () => {
    const width = element.clientWidth;
    // A chart in a closed fold has no width: it is drawn once that opens.
    if (width === 0) return;
    const wanted = structureOf(state.model);
    if (plot && structure !== wanted) plot = closed(plot);
    const data = plotData(state, width);
    if (plot) {
      if (plot.width !== width) plot.setSize({ width, height: state.model.height });
      plot.setData(data);
    } else {
      plot = new Plot(plotOptions(state, width, onHover), data, element);
      structure = wanted;
    }
  };
  draw();
  const endFollowing = followPage(element, {
    resized: draw,
    recolored: () => {
      state.colors = colorsOf(element, state.model);
      plot?.redraw(false);
    },
  });
  return {
    update(next) {
      if (structureOf(next) !== structure) state.colors = colorsOf(element, next);
      state.model = next;
      draw();
    },
    close() {
      endFollowing();
      if (plot) plot = closed(plot);
    },
  };
}

function closed(plot: uPlot): null {
  plot.destroy();
  return null;
}

/** What cannot change without making the chart anew. */
function structureOf({ series, xLabel, logX, logY, height }: PlotModel): string {
  const looks = series.map((one, i) => [lookOf(one, i), one.faint, one.marker, one.scattered]);
  return JSON.stringify([looks, xLabel, logX, logY, height]);
}

/** Data as uPlot takes them; sets the ranges that its axes will ask for. */
function plotData(state: PlotState, width: number): uPlot.AlignedData {
  const { series, logX, logY } = state.model;
  state.x = positionRange(series, logX);
  state.y = valueRange(series, logY);
  const { x, rows } = aligned(series.map((one) => decimated(one, width)));
  return [x, ...rows];
}

function plotOptions(state: PlotState, width: number, onHover: OnHover): uPlot.Options {
  const { series, xLabel, logX, logY, height } = state.model;
  const axis = (side: "x" | "y", log: boolean, label?: string): uPlot.Axis => ({
    scale: side,
    font: FONT,
    labelFont: FONT,
    label,
    labelSize: 16,
    labelGap: 0,
    gap: 4,
    size: side === "x" ? 22 : widestLabel,
    stroke: () => state.colors.text,
    grid: { stroke: () => state.colors.grid, width: 1 },
    ticks: { show: false },
    ...tickOptions(log, side === "x" ? 70 : 34),
  });
  return {
    width,
    height,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    scales: {
      x: { time: false, distr: logX ? 3 : 1, range: () => [...state.x] },
      y: { distr: logY ? 3 : 1, range: () => [...state.y] },
    },
    axes: [axis("x", logX, xLabel), axis("y", logY)],
    series: [{}, ...series.map((one, i) => seriesOptions(state, one, i))],
    cursor: {
      y: false,
      drag: { x: false, y: false, setScale: false },
      dataIdx: nearestShown,
      points: { size: 7, fill: (_, i) => state.colors.series[i - 1] },
    },
    hooks: {
      draw: [(plot) => drawMarkers(plot, state)],
      setCursor: [(plot) => {
        const { left } = plot.cursor;
        onHover(left === undefined || left < 0 ? null : plot.posToVal(left, "x"));
      }],
    },
  };
}

/** The curve's own point that is nearest to the pointer, since curves may have different positions. */
function nearestShown(plot: uPlot, series: number, index: number): number | null {
  if (series === 0) return index;
  const row = plot.data[series], x = plot.data[0];
  if (row[index] !== undefined) return row[index] === null ? null : index;
  let left = index - 1, right = index + 1;
  while (left >= 0 && row[left] == null) left--;
  while (right < x.length && row[right] == null) right++;
  if (left < 0 && right >= x.length) return null;
  if (left < 0 || right >= x.length) return left < 0 ? right : left;
  return x[index] - x[left] <= x[right] - x[index] ? left : right;
}

function seriesOptions(state: PlotState, series: ChartSeries, index: number): uPlot.Series {
  return {
    label: series.label,
    stroke: () => state.colors.series[index],
    width: series.scattered ? 0 : series.faint ? 1 : 2,
    alpha: series.faint ? 0.4 : 1,
    dash: [...lookOf(series, index).dash],
    points: { show: () => isLonely(state.model.series[index]), size: 6 },
    ...(series.scattered ? { paths: () => null } : {}),
  };
}

/** Whether there is but one point, which no line would show. */
function isLonely({ x, marker }: ChartSeries): boolean {
  return !marker && x.length === 1;
}

/**
 * Ticks of the project's own pictures, about one in so many CSS pixels. All of them are labelled:
 * uPlot by itself leaves out labels of logarithmic axes, all of an axis without a power of ten too.
 */
export function tickOptions(
  log: boolean,
  pixels: number,
): Required<Pick<uPlot.Axis, "splits" | "values" | "filter">> {
  const ticks = (plot: uPlot, axis: number, low: number, high: number): Ticks => {
    const { width, height } = plot.bbox;
    const length = (axis === 0 ? width : height) / (globalThis.devicePixelRatio || 1);
    const count = Math.max(2, Math.round(length / pixels));
    return (log ? logTicks : linearTicks)(low, high, count);
  };
  return {
    splits: (plot, axis, low, high) => [...ticks(plot, axis, low, high).values],
    filter: (_, splits) => splits,
    values: (plot, splits, axis) => {
      const { min, max } = plot.scales[axis === 0 ? "x" : "y"];
      const { values, labels } = ticks(plot, axis, min!, max!);
      return splits.map((split) => labels[values.indexOf(split)] ?? "");
    },
  };
}

/** CSS pixels that the labels of an axis take. */
function widestLabel(plot: uPlot, labels: string[] | null): number {
  const { ctx } = plot;
  ctx.save();
  ctx.font = FONT;
  const widest = Math.max(18, ...(labels ?? []).map((label) => ctx.measureText(label).width));
  ctx.restore();
  return Math.ceil(widest) + 9;
}

function drawMarkers(plot: uPlot, { model, colors }: PlotState): void {
  const { ctx } = plot, ratio = globalThis.devicePixelRatio || 1;
  ctx.save();
  ctx.lineWidth = 1.75 * ratio;
  model.series.forEach(({ marker, x, y }, s) => {
    if (!marker) return;
    ctx.strokeStyle = colors.series[s];
    ctx.fillStyle = colors.surface;
    x.forEach((position, i) => {
      if (!Number.isFinite(y[i])) return;
      const px = plot.valToPos(position, "x", true), py = plot.valToPos(y[i], "y", true);
      const path = new Path2D(markerPath(marker, px, py, RADIUS * ratio));
      if (!isOpenMarker(marker)) ctx.fill(path);
      ctx.stroke(path);
    });
  });
  ctx.restore();
}

/** What the page's style sheets say just now, in words that a canvas understands. */
function colorsOf(element: HTMLElement, { series }: PlotModel): Colors {
  const probe = document.createElement("span");
  element.append(probe);
  const resolved = (color: string) => {
    probe.style.color = "";
    probe.style.color = color;
    return getComputedStyle(probe).color;
  };
  const colors = {
    series: series.map((one, i) => resolved(lookOf(one, i).color)),
    text: resolved("var(--muted)"),
    grid: resolved("var(--line)"),
    surface: resolved("var(--surface)"),
  };
  probe.remove();
  return colors;
}

/** Calls back when the element's width or the page's theme changes, until it is ended. */
function followPage(
  element: HTMLElement,
  { resized, recolored }: { resized: () => void; recolored: () => void },
): () => void {
  let frame = 0;
  const observer = new ResizeObserver(() => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(resized);
  });
  observer.observe(element);
  const theme = matchMedia("(prefers-color-scheme: dark)");
  theme.addEventListener("change", recolored);
  return () => {
    cancelAnimationFrame(frame);
    observer.disconnect();
    theme.removeEventListener("change", recolored);
  };
}

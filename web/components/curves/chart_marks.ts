/**
 * @file What tells the curves of a chart apart beside their colour: dashes and markers. The colours
 * themselves are tokens of `panels.css`, one set for each theme.
 */
import type { ChartSeries, Marker } from "./chart_data.ts";

/** Dashes and gaps in CSS pixels, curve by curve. */
const DASHES: readonly (readonly number[])[] = [
  [],
  [7, 4],
  [2, 3],
  [10, 3, 2, 3],
  [4, 2],
  [12, 3, 2, 3, 2, 3],
];

/** Colours that `panels.css` has as `--series-1` and so on. */
export const SERIES_COLORS = 6;

/** All markers. */
export const MARKERS: readonly Marker[] = [
  "circle",
  "square",
  "triangle",
  "diamond",
  "cross",
  "plus",
];

/** How a curve is drawn. */
export interface SeriesLook {
  readonly color: string;
  readonly dash: readonly number[];
}

/** The colour and the dashes of the i-th of a few curves: a whole line for the first. */
export function seriesLook(index: number): SeriesLook {
  return { color: seriesColor(index), dash: DASHES[index % DASHES.length] };
}

/** How the curve of this index is drawn: as it says, or with a colour and dashes of its own. */
export function lookOf(series: ChartSeries, index: number): SeriesLook {
  const { color, dash } = seriesLook(index);
  return {
    color: series.color ?? color,
    dash: series.dash ?? (series.faint || series.marker ? [] : dash),
  };
}

/** The colour of the curve of this index, as CSS. */
export function seriesColor(index: number): string {
  return `var(--series-${1 + index % SERIES_COLORS})`;
}

/**
 * A marker and a colour for the i-th of many kinds: no pair comes twice in the first 36, and none of
 * the first six has a colour or a marker of another.
 */
export function markOf(index: number): { readonly color: string; readonly marker: Marker } {
  const turn = Math.floor(index / MARKERS.length);
  return { color: seriesColor(index), marker: MARKERS[(index + turn) % MARKERS.length] };
}

/** The outline of a marker as an SVG path, around (x, y) with radius r. */
export function markerPath(marker: Marker, x: number, y: number, r: number): string {
  switch (marker) {
    case "circle":
      return `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`;
    case "square":
      return `M${x - r},${y - r}h${2 * r}v${2 * r}h${-2 * r}Z`;
    case "triangle":
      return `M${x},${y - 1.15 * r}L${x + 1.1 * r},${y + 0.85 * r}H${x - 1.1 * r}Z`;
    case "diamond":
      return `M${x},${y - 1.3 * r}L${x + 1.3 * r},${y}L${x},${y + 1.3 * r}L${x - 1.3 * r},${y}Z`;
    case "cross":
      return `M${x - r},${y - r}L${x + r},${y + r}M${x - r},${y + r}L${x + r},${y - r}`;
    case "plus":
      return `M${x - 1.3 * r},${y}H${x + 1.3 * r}M${x},${y - 1.3 * r}V${y + 1.3 * r}`;
  }
}

/** Whether a marker is lines alone, so that there is nothing to fill. */
export function isOpenMarker(marker: Marker): boolean {
  return marker === "cross" || marker === "plus";
}

/**
 * @file What a chart does to its data before it draws them: thousands of points are thinned to those
 * that can be seen, curves over different positions are brought onto one axis, and the axes' ranges
 * are chosen. Pure functions; nothing here draws.
 */

/** How a point is marked; a path of each is in `chart_marks.ts`. */
export type Marker = "circle" | "square" | "triangle" | "diamond" | "cross" | "plus";

/** One curve. */
export interface ChartSeries {
  /** What the legend calls it. */
  readonly label: string;
  /** Ascending. */
  readonly x: readonly number[];
  /** As long as x; not finite where the curve is broken. */
  readonly y: readonly number[];
  /** Lengths of dashes and gaps in CSS pixels, [] for a whole line; its own for each curve where left out. */
  readonly dash?: readonly number[];
  /** A CSS colour, `var(--token)` included; its own for each curve where left out. */
  readonly color?: string;
  /** In the background, thin and pale: its outliers do not stretch the axis, and it is in no legend. */
  readonly faint?: boolean;
  /** Marks each point. */
  readonly marker?: Marker;
  /** Marks without a line between them (default false). */
  readonly scattered?: boolean;
}

/** Above so many points a curve is thinned. */
export const DECIMATE_ABOVE = 5000;

/**
 * Which points to keep so that a curve looks the same: of each of `buckets` equal parts of the axis
 * the first, the lowest, the highest and the last, and one place where the curve is broken.
 *
 * Source: U. Jugel, Z. Jerzak, G. Hackenbroich, V. Markl, "M4: A Visualization-Oriented Time Series
 * Data Aggregation", VLDB 2014.
 *
 * @param x ascending
 * @param y as long; not finite where the curve is broken
 * @param buckets pixels of the axis
 * @returns indices, ascending, at most 5 a bucket
 */
export function visibleIndices(
  x: readonly number[],
  y: readonly number[],
  buckets: number,
): number[] {
  const low = x[0], width = (x[x.length - 1] - low) / buckets || 1;
  const bucketOf = (i: number) => Math.min(buckets - 1, Math.floor((x[i] - low) / width));
  const kept: number[] = [];
  for (let start = 0; start < x.length;) {
    const bucket = bucketOf(start);
    let end = start + 1;
    while (end < x.length && bucketOf(end) === bucket) end++;
    kept.push(...extremes(y, start, end));
    start = end;
  }
  return kept;
}

/** First, lowest, highest, last and a break, of the points from start to before end; ascending. */
function extremes(y: readonly number[], start: number, end: number): number[] {
  let lowest = -1, highest = -1, gap = -1;
  for (let i = start; i < end; i++) {
    if (!Number.isFinite(y[i])) gap = i;
    else {
      if (lowest < 0 || y[i] < y[lowest]) lowest = i;
      if (highest < 0 || y[i] > y[highest]) highest = i;
    }
  }
  const chosen = new Set([start, lowest, highest, gap, end - 1].filter((i) => i >= 0));
  return [...chosen].sort((a, b) => a - b);
}

/** The curve thinned to what can be seen on so many pixels, where it has more than {@link DECIMATE_ABOVE} points. */
export function decimated(series: ChartSeries, pixels: number): ChartSeries {
  if (series.x.length <= DECIMATE_ABOVE) return series;
  const kept = visibleIndices(series.x, series.y, Math.max(1, Math.round(pixels)));
  return { ...series, x: kept.map((i) => series.x[i]), y: kept.map((i) => series.y[i]) };
}

/**
 * Curves on one axis: all their positions, ascending, and a row for each curve, with null where it is
 * broken and undefined where it has no point at all, which a line goes across.
 */
export function aligned(
  series: readonly ChartSeries[],
): { x: number[]; rows: (number | null | undefined)[][] } {
  const value = (y: number) => Number.isFinite(y) ? y : null;
  const first = series[0]?.x ?? [];
  if (series.every(({ x }) => x === first || sameNumbers(x, first))) {
    return { x: [...first], rows: series.map(({ y }) => y.map(value)) };
  }
  const x = [...new Set(series.flatMap((one) => one.x))].sort((a, b) => a - b);
  const place = new Map(x.map((position, i) => [position, i]));
  const rows = series.map((one) => {
    const row = new Array<number | null | undefined>(x.length).fill(undefined);
    one.x.forEach((position, i) => row[place.get(position)!] = value(one.y[i]));
    return row;
  });
  return { x, rows };
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Whether a logarithmic axis can show all that is finite. */
export function allPositive(values: readonly (readonly number[])[]): boolean {
  return values.every((row) => row.every((value) => !Number.isFinite(value) || value > 0));
}

/** The range of an axis, lowest and highest. */
export type Range = readonly [low: number, high: number];

/** What of a faint curve may leave the axis at either end. */
const FAINT_TAIL = 0.01;

/**
 * The range of the vertical axis: all curves with some room, of faint ones all but their outliers.
 *
 * @returns [0, 1] where nothing is finite; [1, 10] of a logarithmic axis
 */
export function valueRange(series: readonly ChartSeries[], log: boolean): Range {
  let low = Infinity, high = -Infinity;
  for (const { y, faint } of series) {
    const [from, to] = faint ? middleOf(y) : extentOf(y);
    low = Math.min(low, from);
    high = Math.max(high, to);
  }
  return padded(low, high, log, 0.06);
}

/** The range of the horizontal axis: all positions. */
export function positionRange(series: readonly ChartSeries[], log: boolean): Range {
  let low = Infinity, high = -Infinity;
  for (const { x } of series) {
    const [from, to] = extentOf(x);
    low = Math.min(low, from);
    high = Math.max(high, to);
  }
  return padded(low, high, log, log ? 0.06 : 0);
}

function padded(low: number, high: number, log: boolean, room: number): Range {
  if (low > high) return log ? [1, 10] : [0, 1];
  if (log) {
    const factor = high > low ? (high / low) ** room : Math.sqrt(10);
    return [low / factor, high * factor];
  }
  const space = high > low ? (high - low) * room : Math.abs(low) * 0.1 || 1;
  return [low - space, high + space];
}

function extentOf(values: readonly number[]): Range {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** From one small quantile to the other. */
function middleOf(values: readonly number[]): Range {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return [Infinity, -Infinity];
  const tail = Math.floor(sorted.length * FAINT_TAIL);
  return [sorted[tail], sorted[sorted.length - 1 - tail]];
}

/** The index of the finite point that is nearest to a position; -1 where there is none. */
export function nearestPoint({ x, y }: ChartSeries, position: number): number {
  let low = 0, high = x.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle] < position) low = middle + 1;
    else high = middle;
  }
  let left = low - 1, right = low;
  while (left >= 0 && !Number.isFinite(y[left])) left--;
  while (right < x.length && !Number.isFinite(y[right])) right++;
  if (left < 0) return right < x.length ? right : -1;
  if (right >= x.length) return left;
  return position - x[left] <= x[right] - position ? left : right;
}

/** Rows of a table of the curves: at most `count` positions, evenly over all, the last among them. */
export function sampledRows(
  series: readonly ChartSeries[],
  count: number,
): { x: number; values: (number | undefined)[] }[] {
  const { x, rows } = aligned(series);
  const n = Math.min(count, x.length);
  return Array.from({ length: n }, (_, k) => {
    const i = n === 1 ? x.length - 1 : Math.round(k * (x.length - 1) / (n - 1));
    return {
      x: x[i],
      values: series.map((one, s) => {
        const value = rows[s][i];
        return value === undefined ? undefined : value ?? one.y[one.x.indexOf(x[i])];
      }),
    };
  });
}

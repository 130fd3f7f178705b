/**
 * @file A chart in words, for those who do not see it: where each curve is now, and where it is going.
 */
import type { ChartSeries } from "./chart_data.ts";
import { formatNumber, formatPosition } from "./numbers.ts";
import { meanOf } from "./smoothing.ts";

/** Where a curve is going, at its end. */
export type Trend = "falling" | "rising" | "level";

/**
 * Where a curve is going: the mean of its last fifth against the fifth before. It is level where the
 * two differ by less than two standard errors, or by less than a hundredth of what the curve spans.
 *
 * @returns null for fewer than 10 finite values
 */
export function trendOf(values: readonly number[]): Trend | null {
  const finite = values.filter(Number.isFinite);
  if (finite.length < 10) return null;
  const fifth = Math.floor(finite.length / 5);
  const last = finite.slice(-fifth), before = finite.slice(-2 * fifth, -fifth);
  const difference = meanOf(last)! - meanOf(before)!;
  const error = Math.sqrt((varianceOf(last) + varianceOf(before)) / fifth);
  let low = Infinity, high = -Infinity;
  for (const value of finite) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (Math.abs(difference) <= Math.max(2 * error, 0.01 * (high - low))) return "level";
  return difference < 0 ? "falling" : "rising";
}

function varianceOf(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = meanOf(values)!;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
}

/** What a chart says of itself. */
export interface ChartDescription {
  readonly title: string;
  readonly xLabel: string;
  readonly series: readonly ChartSeries[];
  /** Whether the vertical axis is logarithmic: then factors make the trend, not differences. */
  readonly logY?: boolean;
}

/**
 * A chart in words: "Loss: smoothed −1.21 at step 3,000, falling; known minimum −1.3." Faint curves
 * are left out; of marked points the first and the last are said.
 */
export function describeChart({ title, xLabel, series, logY = false }: ChartDescription): string {
  const parts = series.filter(({ faint }) => !faint).map((one) => seriesInWords(one, xLabel, logY));
  const said = parts.filter((part) => part !== null);
  return said.length === 0 ? `${title}: nothing to show yet.` : `${title}: ${said.join("; ")}.`;
}

function seriesInWords(
  { label, x, y, scattered, marker }: ChartSeries,
  xLabel: string,
  logY: boolean,
): string | null {
  let last = y.length - 1;
  while (last >= 0 && !Number.isFinite(y[last])) last--;
  if (last < 0) return null;
  if (scattered || marker) return markedInWords({ label, x, y });
  const trend = trendOf(logY ? y.map(Math.log) : y);
  const constant = y.every((value) => value === y[last]);
  const place = constant && y.length > 1 ? "" : ` at ${xLabel} ${formatPosition(x[last])}`;
  return `${label} ${formatNumber(y[last])}${place}${constant || !trend ? "" : `, ${trend}`}`;
}

/** "Heun 0.2 at 10 to 0.0005 at 200". */
function markedInWords({ label, x, y }: Pick<ChartSeries, "label" | "x" | "y">): string {
  const said = y.flatMap((value, i) =>
    Number.isFinite(value) ? [`${formatNumber(value)} at ${formatPosition(x[i])}`] : []
  );
  return `${label} ${[...new Set([said[0], said[said.length - 1]])].join(" to ")}`;
}

/**
 * @file The curves of a training, from its lines of metrics: the loss and its parts, what is known to
 * be the least loss, and how far above it the potential is.
 */
import type { MetricsLine } from "../../../core/train/run_directory.ts";
import type { ChartSeries } from "./chart_data.ts";
import { type SeriesLook, seriesLook } from "./chart_marks.ts";
import { meanOf, smoothed } from "./smoothing.ts";

/** Steps at which a curve is, and its values there. */
export interface Column {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** One number of all lines that have it: elsewhere the curve just has no point. */
export function metricColumn(lines: readonly MetricsLine[], name: string): Column {
  const x: number[] = [], y: number[] = [];
  for (const line of lines) {
    // JSON has no NaN: what was not a number is written as null, and is a break.
    const value = line[name] as number | null | undefined;
    if (value === undefined) continue;
    x.push(line.step);
    y.push(value ?? NaN);
  }
  return { x, y };
}

/**
 * A curve as it is, faint, and smoothed above it; nothing where there are no values.
 *
 * @param memory of the smoothing, from 0, with which the curve is alone, to below 1
 * @param look of both (default that of the first curve)
 */
export function smoothedSeries(
  { x, y }: Column,
  label: string,
  memory: number,
  look: SeriesLook = seriesLook(0),
): ChartSeries[] {
  if (x.length === 0) return [];
  if (memory === 0) return [{ label, x, y, ...look }];
  return [
    { label: `${label}, unsmoothed`, x, y, faint: true, color: look.color },
    { label, x, y: smoothed(y, memory), ...look },
  ];
}

/** The loss, with the least that it can be where that is known. */
export function lossSeries(lines: readonly MetricsLine[], memory: number): ChartSeries[] {
  const column = metricColumn(lines, "loss");
  const series = smoothedSeries(column, "loss", memory);
  const minimum = knownMinimum(lines);
  if (minimum === null || column.x.length === 0) return series;
  return [...series, {
    label: "known minimum",
    x: column.x,
    y: column.x.map(() => minimum),
    ...seriesLook(1),
  }];
}

/**
 * The loss of the exact potential, −½ E w|∇Φ*|²: each line has an estimate of it on its own batch, and
 * this is their mean. null for data of which it is not known.
 */
export function knownMinimum(lines: readonly MetricsLine[]): number | null {
  return meanOf(metricColumn(lines, "minimum").y);
}

/** The parts of a loss by their names in lines of metrics, and what they are called. */
const PARTS = [
  ["transport", "transport"],
  ["kinetic", "kinetic"],
  ["gap", "spectral gap"],
  ["spectral", "singular values"],
] as const;

/** The parts that the loss is the sum of; those that are 0 throughout are left out. */
export function partSeries(lines: readonly MetricsLine[], memory: number): ChartSeries[] {
  return PARTS.flatMap(([name, label], i) => {
    const column = metricColumn(lines, name);
    const isUsed = column.y.some((value) => value !== 0);
    return isUsed ? smoothedSeries(column, label, memory, seriesLook(i)) : [];
  });
}

/** How far the loss is above its minimum, ½ E w|∇Φ − ∇Φ*|²; nothing where that is not known. */
export function excessSeries(lines: readonly MetricsLine[], memory: number): ChartSeries[] {
  return smoothedSeries(metricColumn(lines, "excess"), "excess", memory);
}

/** The norm of the gradient, before it is clipped. */
export function gradientSeries(lines: readonly MetricsLine[], memory: number): ChartSeries[] {
  return smoothedSeries(metricColumn(lines, "gradientNorm"), "gradient norm", memory);
}

/** The learning rate of each step. */
export function rateSeries(lines: readonly MetricsLine[]): ChartSeries[] {
  return smoothedSeries(metricColumn(lines, "learningRate"), "learning rate", 0);
}

/** A curve's last value, NaN where it was not a number; null where there is none. */
export function lastValue(series: readonly ChartSeries[], label: string): number | null {
  const y = series.find((one) => one.label === label)?.y ?? [];
  return y.at(-1) ?? null;
}

/**
 * @file The curves of what was measured on the samples, each with the best that it can be.
 */
import type { Measures } from "../../laboratory/engine_types.ts";
import type { ChartSeries } from "../curves/chart_data.ts";
import { meanOf } from "../curves/smoothing.ts";

/** Of a normal distribution in the plane, the share within 3 standard deviations: 1 − exp(−9/2). */
export const TRUE_SHARE = 1 - Math.exp(-4.5);

/** Of the samples, solid; of what they can be at best, dashed. */
const MEASURED = { color: "var(--series-1)", dash: [] } as const;
const BEST = { color: "var(--series-2)", dash: [7, 4] } as const;

/**
 * The squared energy distance of samples to data, and that of two sets of data, which is the mean of
 * all that were measured: it does not change as training goes on.
 */
export function energyDistanceSeries(measures: readonly Measures[]): ChartSeries[] {
  const level = meanOf(measures.map(({ energyDistanceOfData }) => energyDistanceOfData));
  return withLevel(measures, "samples to data", (m) => m.energyDistance, "data to data", level);
}

/** The negative log-likelihood in nats, and the entropy of the data where that is known. */
export function likelihoodSeries(
  measures: readonly Measures[],
  entropy: number | null,
): ChartSeries[] {
  return withLevel(measures, "samples", (m) => m.negativeLogLikelihood, "entropy", entropy);
}

/** Percent of the samples within 3 standard deviations of a mode, and of true draws. */
export function shareSeries(measures: readonly Measures[]): ChartSeries[] {
  const percent = ({ withinModes }: Measures) => withinModes === null ? NaN : 100 * withinModes;
  return withLevel(measures, "samples", percent, "true draws", 100 * TRUE_SHARE);
}

function withLevel(
  measures: readonly Measures[],
  label: string,
  value: (measures: Measures) => number,
  levelLabel: string,
  level: number | null,
): ChartSeries[] {
  if (measures.length === 0) return [];
  const x = measures.map(({ step }) => step);
  const series: ChartSeries[] = [{ label, x, y: measures.map(value), ...MEASURED }];
  if (level === null) return series;
  return [...series, { label: levelLabel, x, y: x.map(() => level), ...BEST }];
}

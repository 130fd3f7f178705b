/**
 * @file What a run's curves are drawn from: its lines of metrics, speed and evaluations, as series.
 */
import type { EvaluationLine, MetricsLine, SpeedLine } from "../../../core/train/run_directory.ts";
import type { ChartSeries } from "../curves/chart_data.ts";
import { smoothed } from "../curves/smoothing.ts";

/** About how many lines a smoothed value is the mean of: 1/(1 − memory). */
const memory = 0.9;

/** What a number of a line of metrics is called in a legend. */
const labels: Readonly<Record<string, string>> = {
  loss: "loss",
  minimum: "known minimum",
  excess: "above the minimum",
  transport: "transport",
  kinetic: "kinetic",
  gap: "spectral gap",
  spectral: "sum of singular values",
  largestSingularValue: "largest singular value",
  gradientNorm: "gradient norm",
  learningRate: "learning rate",
};

/**
 * Curves of some of the numbers in lines of metrics; those that no line has are left out.
 *
 * @param keys as in metrics.jsonl
 * @param smooth whether each is a running mean, with what it is the mean of pale behind it
 */
export function metricsSeries(
  lines: readonly MetricsLine[],
  keys: readonly string[],
  smooth: boolean,
): ChartSeries[] {
  return keys.filter((key) => lines.some((line) => line[key] !== undefined)).flatMap((key) => {
    const x = lines.map(({ step }) => step);
    // NaN and infinities come as null: JSON has no others.
    const y = lines.map((line) => line[key] ?? NaN);
    const label = labels[key] ?? key;
    const dash = key === "minimum" ? { dash: [6, 4] } : {};
    const curve = { label, x, y, ...dash };
    if (!smooth || lines.length < 20) return [curve];
    return [{ ...curve, faint: true }, { ...curve, y: smoothed(y, memory) }];
  });
}

/** Whether any line has another value than 0. */
export function isUsed(lines: readonly MetricsLine[], key: string): boolean {
  return lines.some((line) => line[key] !== undefined && line[key] !== 0);
}

/** Samples a second. */
export function speedSeries(lines: readonly SpeedLine[], smooth: boolean): ChartSeries[] {
  const x = lines.map(({ step }) => step);
  const y = lines.map(({ samplesPerSecond }) => samplesPerSecond ?? NaN);
  const curve = { label: "samples a second", x, y };
  if (!smooth || lines.length < 20) return lines.length === 0 ? [] : [curve];
  return [{ ...curve, faint: true }, { ...curve, y: smoothed(y, memory) }];
}

/** The evaluations of one metric. */
export interface EvaluationCurves {
  readonly metric: string;
  /** One for each way of measuring it: values of different ways are not compared. */
  readonly series: readonly ChartSeries[];
}

/** Curves of a run's evaluations, metric by metric, in the order in which they first appear. */
export function evaluationCurves(lines: readonly EvaluationLine[]): EvaluationCurves[] {
  const metrics = [...new Set(lines.map(({ metric }) => metric))];
  return metrics.map((metric) => {
    const own = lines.filter((line) => line.metric === metric);
    const ways = [...new Set(own.map(({ of }) => JSON.stringify(of ?? null)))];
    const series = ways.map((way, i): ChartSeries => {
      const points = own.filter(({ of }) => JSON.stringify(of ?? null) === way)
        .toSorted((a, b) => a.step - b.step);
      return {
        label: ways.length === 1 ? metric : `${metric}, ${wayText(own, ways, i)}`,
        x: points.map(({ step }) => step),
        y: points.map(({ value }) => value ?? NaN),
        marker: i % 2 ? "square" : "circle",
      };
    });
    return { metric, series };
  });
}

/** In what one way of measuring differs from the others. */
function wayText(lines: readonly EvaluationLine[], ways: readonly string[], i: number): string {
  const parsed = ways.map((way) => (JSON.parse(way) ?? {}) as Record<string, unknown>);
  const keys = Object.keys(Object.assign({}, ...parsed)).filter((key) =>
    new Set(parsed.map((way) => JSON.stringify(way[key]))).size > 1
  );
  const words = keys.map((key) => `${key} ${String(parsed[i][key] ?? "not noted")}`);
  return words.join(", ") || `way ${i + 1} of ${lines.length}`;
}

/**
 * @file What a run's curves are drawn from: its lines of metrics, speed and evaluations, as series.
 */
import type { EvaluationLine, MetricsLine, SpeedLine } from "../../../core/train/run_directory.ts";
import type { ChartSeries } from "../curves/chart_data.ts";
import { seriesColor } from "../curves/chart_marks.ts";
import { type Column, metricColumn, smoothedSeries } from "../curves/metric_series.ts";

/** What a number of a line of metrics is called. */
const labels: Readonly<Record<string, string>> = {
  gap: "spectral gap",
  spectral: "singular values",
  gradientNorm: "gradient norm",
  learningRate: "learning rate",
};

/** Dashes of the curves of one chart. */
const dashes: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [10, 3, 2, 3]];

/**
 * Curves of some of the numbers in lines of metrics; those that no line has are left out.
 *
 * @param keys as in metrics.jsonl
 * @param memory of the smoothing, from 0, which is none, to below 1
 */
export function metricsSeries(
  lines: readonly MetricsLine[],
  keys: readonly string[],
  memory: number,
): ChartSeries[] {
  return keys.flatMap((key, i) => {
    const look = { color: seriesColor(i), dash: dashes[i % dashes.length] };
    return drawn(metricColumn(lines, key), labels[key] ?? key, memory, look);
  });
}

/** What the loss is the sum of, without the parts that the run does not have. */
export function lossPartsSeries(lines: readonly MetricsLine[], memory: number): ChartSeries[] {
  const used = ["transport", "kinetic", "gap", "spectral"].filter((key) =>
    lines.some((line) => line[key] !== undefined && line[key] !== 0)
  );
  return metricsSeries(lines, used, memory);
}

/** Samples a second. */
export function speedSeries(lines: readonly SpeedLine[], memory: number): ChartSeries[] {
  const x = lines.map(({ step }) => step);
  const y = lines.map(({ samplesPerSecond }) => samplesPerSecond ?? NaN);
  return drawn({ x, y }, "samples a second", memory, { color: seriesColor(0), dash: [] });
}

/** A curve, smoothed where that is asked for, what it was before pale behind it. */
function drawn(
  column: Column,
  label: string,
  memory: number,
  look: Pick<ChartSeries, "color" | "dash">,
): ChartSeries[] {
  if (memory > 0) return smoothedSeries(column, label, memory, look);
  return column.x.length === 0 ? [] : [{ label, ...column, ...look }];
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

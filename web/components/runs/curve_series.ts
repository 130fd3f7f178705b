/**
 * @file What a run's curves beside those of its metrics are drawn from: its lines of speed and of
 * evaluations, as series.
 */
import type { EvaluationLine, SpeedLine } from "../../../core/train/run_directory.ts";
import type { ChartSeries } from "../curves/chart_data.ts";
import { markOf } from "../curves/chart_marks.ts";
import { smoothedSeries } from "../curves/metric_series.ts";

/** Samples a second. */
export function speedSeries(lines: readonly SpeedLine[], memory: number): ChartSeries[] {
  const x = lines.map(({ step }) => step);
  const y = lines.map(({ samplesPerSecond }) => samplesPerSecond ?? NaN);
  return smoothedSeries({ x, y }, "samples a second", memory);
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
        label: ways.length === 1 ? metric : `${metric}, ${wayText(ways, i)}`,
        x: points.map(({ step }) => step),
        y: points.map(({ value }) => value ?? NaN),
        ...markOf(i),
      };
    });
    return { metric, series };
  });
}

/** In what one way of measuring differs from the others. */
function wayText(ways: readonly string[], i: number): string {
  const parsed = ways.map((way) => (JSON.parse(way) ?? {}) as Record<string, unknown>);
  const keys = Object.keys(Object.assign({}, ...parsed)).filter((key) =>
    new Set(parsed.map((way) => JSON.stringify(way[key]))).size > 1
  );
  const words = keys.map((key) => `${key} ${String(parsed[i][key] ?? "not noted")}`);
  return words.join(", ") || `way ${i + 1} of ${ways.length}`;
}

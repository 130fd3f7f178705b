/**
 * @file A run's curves, growing while it runs.
 */
import { type ReadonlySignal, useComputed, useSignal } from "@preact/signals";
import type { EvaluationLine, MetricsLine, SpeedLine } from "../../../core/train/run_directory.ts";
import { LineChart } from "../curves/line_chart.tsx";
import {
  excessSeries,
  gradientSeries,
  lossSeries,
  partSeries,
  rateSeries,
} from "../curves/metric_series.ts";
import { evaluationCurves, speedSeries } from "./curve_series.ts";

/** What is drawn. */
export interface RunCurvesProps {
  readonly metrics: ReadonlySignal<readonly MetricsLine[]>;
  readonly speed: ReadonlySignal<readonly SpeedLine[]>;
  readonly evaluations: ReadonlySignal<readonly EvaluationLine[]>;
}

/** A smoothed value is the mean of about 1/(1 − this) lines. */
const smoothing = 0.9;

/** Loss with its known minimum, its parts, gradient norm, learning rate, speed, evaluations. */
export function RunCurves({ metrics, speed, evaluations }: RunCurvesProps) {
  const smooth = useSignal(true);
  const memory = useComputed(() => smooth.value ? smoothing : 0);
  return (
    <section class="panel run-curves" aria-labelledby="curves-heading">
      <div class="row spread">
        <h2 id="curves-heading">Curves</h2>
        <label class="check">
          <input
            type="checkbox"
            checked={smooth}
            onChange={(event) => smooth.value = event.currentTarget.checked}
          />
          Smooth
        </label>
      </div>
      <div class="charts">
        <LossCharts metrics={metrics} memory={memory} />
        <StepCharts metrics={metrics} memory={memory} />
        <SpeedChart speed={speed} memory={memory} />
        <EvaluationCharts evaluations={evaluations} />
      </div>
    </section>
  );
}

interface ChartsProps {
  readonly metrics: RunCurvesProps["metrics"];
  readonly memory: ReadonlySignal<number>;
}

/** Charts that are drawn anew only when there are new lines. */
function LossCharts({ metrics, memory }: ChartsProps) {
  const loss = useComputed(() => lossSeries(metrics.value, memory.value));
  const parts = useComputed(() => partSeries(metrics.value, memory.value));
  const excess = useComputed(() => excessSeries(metrics.value, memory.value));
  const hasMinimum = loss.value.some(({ label }) => label === "known minimum");
  return (
    <>
      <LineChart
        title="Loss"
        description={hasMinimum ? "Dashed: the least it can be, known for these data." : undefined}
        series={loss.value}
        xLabel="step"
        yLabel="loss"
      />
      <LineChart title="Parts of the loss" series={parts.value} xLabel="step" yLabel="loss" />
      {excess.value.length > 0 && (
        <LineChart
          title="Loss above its minimum"
          series={excess.value}
          xLabel="step"
          yLabel="loss"
          logY
        />
      )}
    </>
  );
}

function StepCharts({ metrics, memory }: ChartsProps) {
  const norm = useComputed(() => gradientSeries(metrics.value, memory.value));
  const rate = useComputed(() => rateSeries(metrics.value));
  return (
    <>
      <LineChart title="Gradient norm" series={norm.value} xLabel="step" yLabel="norm" logY />
      <LineChart title="Learning rate" series={rate.value} xLabel="step" yLabel="rate" />
    </>
  );
}

function SpeedChart(
  { speed, memory }: Pick<RunCurvesProps, "speed"> & Pick<ChartsProps, "memory">,
) {
  const series = useComputed(() => speedSeries(speed.value, memory.value));
  return <LineChart title="Speed" series={series.value} xLabel="step" yLabel="samples a second" />;
}

function EvaluationCharts({ evaluations }: Pick<RunCurvesProps, "evaluations">) {
  const curves = useComputed(() => evaluationCurves(evaluations.value));
  return (
    <>
      {curves.value.map(({ metric, series }) => (
        <LineChart
          key={metric}
          title={`Evaluation: ${metric}`}
          series={series}
          xLabel="step"
          yLabel={metric}
        />
      ))}
    </>
  );
}

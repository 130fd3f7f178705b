/**
 * @file A run's curves, growing while it runs.
 */
import { type ReadonlySignal, useComputed, useSignal } from "@preact/signals";
import type { EvaluationLine, MetricsLine, SpeedLine } from "../../../core/train/run_directory.ts";
import { LineChart } from "../curves/line_chart.tsx";
import { evaluationCurves, isUsed, metricsSeries, speedSeries } from "./curve_series.ts";

/** What is drawn. */
export interface RunCurvesProps {
  readonly metrics: ReadonlySignal<readonly MetricsLine[]>;
  readonly speed: ReadonlySignal<readonly SpeedLine[]>;
  readonly evaluations: ReadonlySignal<readonly EvaluationLine[]>;
}

/** Loss with its known minimum, its parts, gradient norm, learning rate, speed, evaluations. */
export function RunCurves({ metrics, speed, evaluations }: RunCurvesProps) {
  const smooth = useSignal(true);
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
        <LossCharts metrics={metrics} smooth={smooth} />
        <StepCharts metrics={metrics} smooth={smooth} />
        <SpeedChart speed={speed} smooth={smooth} />
        <EvaluationCharts evaluations={evaluations} />
      </div>
    </section>
  );
}

interface ChartsProps {
  readonly metrics: RunCurvesProps["metrics"];
  readonly smooth: ReadonlySignal<boolean>;
}

/** Charts that are drawn anew only when there are new lines. */
function LossCharts({ metrics, smooth }: ChartsProps) {
  const loss = useComputed(() => metricsSeries(metrics.value, ["loss", "minimum"], smooth.value));
  const excess = useComputed(() => metricsSeries(metrics.value, ["excess"], smooth.value));
  const parts = useComputed(() => {
    const used = ["transport", "kinetic", "gap", "spectral"].filter((key) =>
      isUsed(metrics.value, key)
    );
    return metricsSeries(metrics.value, used, smooth.value);
  });
  const hasMinimum = loss.value.some(({ dash }) => dash);
  return (
    <>
      <LineChart
        title="Loss"
        description={hasMinimum ? "Dashed: the least it can be, known for these data." : undefined}
        series={loss.value}
        xLabel="step"
        yLabel="loss"
        height={220}
      />
      <LineChart
        title="Parts of the loss"
        series={parts.value}
        xLabel="step"
        yLabel="loss"
        height={220}
      />
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

function StepCharts({ metrics, smooth }: ChartsProps) {
  const norm = useComputed(() => metricsSeries(metrics.value, ["gradientNorm"], smooth.value));
  const rate = useComputed(() => metricsSeries(metrics.value, ["learningRate"], false));
  return (
    <>
      <LineChart
        title="Gradient norm"
        series={norm.value}
        xLabel="step"
        yLabel="norm"
        logY
      />
      <LineChart
        title="Learning rate"
        series={rate.value}
        xLabel="step"
        yLabel="rate"
      />
    </>
  );
}

function SpeedChart(
  { speed, smooth }: Pick<RunCurvesProps, "speed"> & Pick<ChartsProps, "smooth">,
) {
  const series = useComputed(() => speedSeries(speed.value, smooth.value));
  return (
    <LineChart
      title="Speed"
      series={series.value}
      xLabel="step"
      yLabel="samples a second"
    />
  );
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

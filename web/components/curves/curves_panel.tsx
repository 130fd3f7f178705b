/**
 * @file The curves of the run in the laboratory: the loss against the least that it can be, its parts,
 * the excess, and how fast training goes.
 */
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { MetricsLine } from "../../../core/train/run_directory.ts";
import type { LaboratoryStore } from "../../laboratory/store_types.ts";
import { Choice } from "./choice.tsx";
import { Facts } from "./facts.tsx";
import { LineChart } from "./line_chart.tsx";
import {
  excessSeries,
  gradientSeries,
  knownMinimum,
  lastValue,
  lossSeries,
  partSeries,
  rateSeries,
} from "./metric_series.ts";
import { formatCount, formatNumber } from "./numbers.ts";
import { useSlowValue } from "./slow_value.ts";

/** Milliseconds between two drawings of a curve that grows. */
const DRAW_EVERY = 250;

/** How much smoothing remembers, by what the choice says. */
const MEMORIES = { none: 0, some: 0.9, much: 0.98 } as const;

type View = "loss" | "parts" | "excess" | "speed";
type Smoothing = keyof typeof MEMORIES;

const VIEWS = { loss: "Loss", parts: "Parts", excess: "Excess", speed: "Speed" } as const;

/** The panel. */
export function CurvesPanel({ store }: { readonly store: LaboratoryStore }) {
  const view = useSignal<View>("loss");
  const smoothing = useSignal<Smoothing>("some");
  const lines = useSlowValue(store.metrics, DRAW_EVERY);
  const memory = MEMORIES[smoothing.value];
  return (
    <section class="panel curves-panel" aria-labelledby="curves-panel-heading">
      <div class="row panel-head">
        <h2 id="curves-panel-heading">Curves</h2>
        <Choice
          name="curves-view"
          legend="Curve"
          placed="hidden"
          options={VIEWS}
          value={view.value}
          onChange={(chosen) => view.value = chosen}
        />
      </div>
      <PresentNumbers store={store} lines={lines} memory={memory} />
      <ShownCurve view={view.value} store={store} lines={lines} memory={memory} />
      <Choice
        name="curves-smoothing"
        legend="Smoothing"
        placed="before"
        options={{ none: "none", some: "some", much: "much" }}
        value={smoothing.value}
        onChange={(chosen) => smoothing.value = chosen}
      />
      <OptimiserFold lines={lines} memory={memory} />
    </section>
  );
}

interface CurveProps {
  readonly lines: readonly MetricsLine[];
  readonly memory: number;
}

function PresentNumbers(
  { store, lines, memory }: CurveProps & { readonly store: LaboratoryStore },
) {
  const facts = useMemo(() => [
    { label: "loss", value: formatNumber(lastValue(lossSeries(lines, memory), "loss")) },
    { label: "minimum", value: formatNumber(knownMinimum(lines)) },
    { label: "excess", value: formatNumber(lastValue(excessSeries(lines, memory), "excess"), 3) },
  ], [lines, memory]);
  const speed = useSlowValue(store.stepsPerSecond, DRAW_EVERY);
  return (
    <Facts facts={[...facts, { label: "steps a second", value: formatNumber(speed || null, 3) }]} />
  );
}

function ShownCurve(
  { view, store, lines, memory }: CurveProps & {
    readonly view: View;
    readonly store: LaboratoryStore;
  },
) {
  switch (view) {
    case "loss":
      return <LossChart lines={lines} memory={memory} />;
    case "parts":
      return <PartsChart lines={lines} memory={memory} />;
    case "excess":
      return <ExcessChart lines={lines} memory={memory} />;
    case "speed":
      return <SpeedChart store={store} />;
  }
}

function LossChart({ lines, memory }: CurveProps) {
  const series = useMemo(() => lossSeries(lines, memory), [lines, memory]);
  const minimum = knownMinimum(lines);
  return (
    <LineChart
      title="Loss"
      description={minimum === null
        ? "The least it can be is known for mixtures of Gaussians only."
        : "No potential has a lower loss than the exact one, whose loss is −½\u00a0E\u00a0w|∇Φ*|²."}
      series={series}
      xLabel="step"
      yLabel="energy loss"
    />
  );
}

function PartsChart({ lines, memory }: CurveProps) {
  const series = useMemo(() => partSeries(lines, memory), [lines, memory]);
  return (
    <LineChart
      title="Parts of the loss"
      description="Transport pulls Φ along the path, kinetic ½ E w|∇Φ|² holds its slope, gap ½ η E w Φ² its size."
      series={series}
      xLabel="step"
      yLabel="energy loss"
    />
  );
}

function ExcessChart({ lines, memory }: CurveProps) {
  const series = useMemo(() => excessSeries(lines, memory), [lines, memory]);
  return (
    <LineChart
      title="Excess over the minimum"
      description={series.length > 0 || lines.length === 0
        ? "½ E w|∇Φ − ∇Φ*|²: how wrong the velocity is. 0 is the exact flow."
        : "Known for mixtures of Gaussians only: these data have no exact potential in closed form."}
      series={series}
      xLabel="step"
      yLabel="energy loss"
      logY
    />
  );
}

function SpeedChart({ store }: { readonly store: LaboratoryStore }) {
  const speeds = useSlowValue(store.speeds, DRAW_EVERY);
  const series = useMemo(() => [{
    label: "steps a second",
    x: speeds.map(({ step }) => step),
    y: speeds.map(({ stepsPerSecond }) => stepsPerSecond),
  }], [speeds]);
  const device = store.facts.value?.device.name;
  return (
    <LineChart
      title="Speed"
      description={device === undefined
        ? undefined
        : `On ${device}; what is measured and drawn takes its time from training.`}
      series={series}
      xLabel="step"
      yLabel="steps a second"
    />
  );
}

/** Gradient norm and learning rate, for those who look for them. */
function OptimiserFold({ lines, memory }: CurveProps) {
  const open = useSignal(false);
  const gradient = useMemo(() => gradientSeries(lines, memory), [lines, memory]);
  const rate = useMemo(() => rateSeries(lines), [lines]);
  return (
    <details
      class="fold"
      onToggle={({ currentTarget }) => open.value = (currentTarget as HTMLDetailsElement).open}
    >
      <summary>
        Gradient norm {formatNumber(lastValue(gradient, "gradient norm"), 3)}, learning rate{" "}
        {formatNumber(lastValue(rate, "learning rate"), 3)}, {formatCount(lines.length)} lines
      </summary>
      {open.value && (
        <div class="fold-body">
          <LineChart
            title="Gradient norm"
            series={gradient}
            xLabel="step"
            yLabel="before clipping"
            height={130}
            logY
          />
          <LineChart
            title="Learning rate"
            series={rate}
            xLabel="step"
            yLabel="of this step"
            height={110}
          />
        </div>
      )}
    </details>
  );
}

/**
 * @file How far the samples are from the data, over the steps of training: energy distance, negative
 * log-likelihood, and the share of samples at a mode, each with the best that it can be.
 */
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Measures, RunFacts } from "../../laboratory/engine_types.ts";
import type { LaboratoryStore } from "../../laboratory/store_types.ts";
import { Choice } from "../curves/choice.tsx";
import { type Fact, Facts } from "../curves/facts.tsx";
import { LineChart } from "../curves/line_chart.tsx";
import { formatCount, formatNumber, formatShare } from "../curves/numbers.ts";
import { useSlowValue } from "../curves/slow_value.ts";
import {
  energyDistanceSeries,
  likelihoodSeries,
  shareSeries,
  TRUE_SHARE,
} from "./measure_series.ts";

type View = "energy" | "likelihood" | "share";

/** The panel. */
export function MeasuresPanel({ store }: { readonly store: LaboratoryStore }) {
  const view = useSignal<View>("energy");
  const asking = useSignal(false);
  const measures = useSlowValue(store.measures, 250);
  const facts = store.facts.value;
  const latest = measures.at(-1) ?? null;
  const hasModes = latest?.withinModes !== null && latest !== null;
  const measure = async () => {
    asking.value = true;
    await store.measureNow().catch(() => {}).finally(() => asking.value = false);
  };
  return (
    <section class="panel measures-panel" aria-labelledby="measures-panel-heading">
      <div class="row panel-head">
        <h2 id="measures-panel-heading">Samples against data</h2>
        <Choice
          name="measures-view"
          legend="Measure"
          placed="hidden"
          options={{
            energy: "Energy distance",
            likelihood: "NLL",
            ...(hasModes ? { share: "At a mode" } : {}),
          }}
          value={view.value}
          onChange={(chosen) => view.value = chosen}
        />
      </div>
      <Facts facts={presentNumbers(latest, facts)} />
      <MeasureChart view={view.value} measures={measures} facts={facts} />
      <div class="row">
        <button
          type="button"
          class="button"
          disabled={asking.value || store.status.value !== "ready"}
          onClick={measure}
        >
          {asking.value ? "Measuring …" : "Measure now"}
        </button>
        <label class="check">
          <input
            type="checkbox"
            checked={store.measuring.value}
            onChange={({ currentTarget }) => store.measuring.value = currentTarget.checked}
          />
          every two seconds while training
        </label>
      </div>
    </section>
  );
}

/** The last measures in words, each with what it is at best. */
export function presentNumbers(latest: Measures | null, facts: RunFacts | null): Fact[] {
  const entropy = facts?.entropy ?? null;
  const numbers: Fact[] = [
    {
      label: "energy distance",
      value: formatNumber(latest?.energyDistance, 3),
      note: latest ? `data to data ${formatNumber(latest.energyDistanceOfData, 3)}` : undefined,
    },
    {
      label: "NLL, nats",
      value: formatNumber(latest?.negativeLogLikelihood),
      note: entropy === null ? undefined : `at best ${formatNumber(entropy)}`,
    },
  ];
  if (latest && latest.withinModes !== null) {
    numbers.push({
      label: "within 3 std",
      value: formatShare(latest.withinModes),
      note: `data ${formatShare(TRUE_SHARE)}`,
    });
  }
  return [...numbers, { label: "at step", value: formatCount(latest?.step) }];
}

function MeasureChart(
  { view, measures, facts }: {
    readonly view: View;
    readonly measures: readonly Measures[];
    readonly facts: RunFacts | null;
  },
) {
  switch (view) {
    case "energy":
      return <EnergyDistanceChart measures={measures} />;
    case "likelihood":
      return <LikelihoodChart measures={measures} entropy={facts?.entropy ?? null} />;
    case "share":
      return <ShareChart measures={measures} />;
  }
}

interface MeasuresProps {
  readonly measures: readonly Measures[];
}

function EnergyDistanceChart({ measures }: MeasuresProps) {
  const series = useMemo(() => energyDistanceSeries(measures), [measures]);
  return (
    <LineChart
      title="Squared energy distance"
      description="Samples to fresh data. Two fresh sets of data are as far apart as the dashed line: less cannot be told from nothing."
      series={series}
      xLabel="step"
      yLabel="data units"
      logY
    />
  );
}

function LikelihoodChart(
  { measures, entropy }: MeasuresProps & { readonly entropy: number | null },
) {
  const series = useMemo(() => likelihoodSeries(measures, entropy), [measures, entropy]);
  return (
    <LineChart
      title="Negative log-likelihood"
      description={entropy === null
        ? "Of fresh data under the flow; the least it can be, the entropy of the data, is not known here."
        : "Of fresh data under the flow; the least it can be is the entropy of the data."}
      series={series}
      xLabel="step"
      yLabel="nats"
    />
  );
}

function ShareChart({ measures }: MeasuresProps) {
  const series = useMemo(() => shareSeries(measures), [measures]);
  return (
    <LineChart
      title="Samples within 3 standard deviations of a mode"
      description="Of true draws, 98.9 % are."
      series={series}
      xLabel="step"
      yLabel="%"
    />
  );
}

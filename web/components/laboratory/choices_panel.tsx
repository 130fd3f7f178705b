/** @file The panel of choices: how a run is trained. Each of them starts training anew. */
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import {
  deviceLabels,
  estimatorLabels,
  offered,
  optimizerLabels,
  pathLabels,
  reasons,
  timeLawLabels,
  timeWeightLabels,
} from "../../laboratory/choices.ts";
import type { LaboratorySettings } from "../../laboratory/settings.ts";
import type { LaboratoryPageStore } from "../../laboratory/store_types.ts";
import { formatCount } from "../curves/numbers.ts";
import { NameField, NumberField, RestartMark } from "./controls.tsx";
import { Icon } from "./icons.tsx";

/** The panel. */
export function ChoicesPanel({ store }: { readonly store: LaboratoryPageStore }) {
  const explained = useSignal(false);
  return (
    <section class="panel lab-choices" aria-labelledby="lab-choices-heading">
      <div class="row panel-head">
        <h2 id="lab-choices-heading">Training</h2>
        <button
          type="button"
          class="button quiet lab-explain"
          aria-pressed={explained.value}
          onClick={() => explained.value = !explained.value}
        >
          Why each matters
        </button>
      </div>
      <p class="muted lab-small">
        <span aria-hidden="true">↻</span>{" "}
        Changing one starts training anew; if it was running, it goes on.
      </p>
      <div class="lab-grid">
        <LossChoices store={store} explained={explained.value} />
        <PotentialChoices store={store} explained={explained.value} />
        <OptimizerChoices store={store} explained={explained.value} />
      </div>
    </section>
  );
}

interface GroupProps {
  readonly store: LaboratoryPageStore;
  readonly explained: boolean;
}

/** What every choice of a group has in common, and how one key is set. */
function useChoices({ store, explained }: GroupProps) {
  const settings = store.settings.value;
  const bind = <K extends keyof LaboratorySettings>(key: K, reason: keyof typeof reasons) => ({
    restarts: true,
    explained,
    reason: reasons[reason],
    value: settings[key],
    onChange: (value: LaboratorySettings[K]) => store.change({ [key]: value }),
  });
  return { settings, bind };
}

function LossChoices(props: GroupProps) {
  const { settings, bind } = useChoices(props);
  return (
    <>
      <NameField
        label="Estimator"
        options={estimatorLabels}
        {...bind("estimator", "estimator")}
      />
      <NameField
        label="Time weight w(u)"
        options={timeWeightLabels}
        {...bind("timeWeight", "timeWeight")}
      />
      <NameField label="Path" options={pathLabels} {...bind("path", "path")} />
      <NameField label="Time law" options={timeLawLabels} {...bind("timeLaw", "timeLaw")} />
      <NumberField
        label="Spectral gap η"
        offered={offered.spectralGap}
        {...bind("spectralGap", "spectralGap")}
      />
      <NumberField label="Width σ" offered={offered.sigma} {...bind("sigma", "sigma")} />
      <NameField
        label="Time as input"
        options={{ explicit: "yes: Φ(x, u)", implicit: "no: Φ(x)" }}
        {...bind("timeExplicit", "timeInput")}
        value={settings.timeExplicit ? "explicit" : "implicit"}
        onChange={(value) => props.store.change({ timeExplicit: value === "explicit" })}
      />
    </>
  );
}

function PotentialChoices(props: GroupProps) {
  const { bind } = useChoices(props);
  return (
    <>
      <NumberField label="Units a layer" offered={offered.width} {...bind("width", "width")} />
      <NumberField label="Hidden layers" offered={offered.depth} {...bind("depth", "depth")} />
    </>
  );
}

function OptimizerChoices(props: GroupProps) {
  const { bind } = useChoices(props);
  return (
    <>
      <NameField label="Optimiser" options={optimizerLabels} {...bind("optimizer", "optimizer")} />
      <NumberField
        label="Learning rate"
        offered={offered.learningRate}
        {...bind("learningRate", "learningRate")}
      />
      <NumberField label="Batch" offered={offered.batchSize} {...bind("batchSize", "batchSize")} />
      <NumberField label="Steps" offered={offered.steps} {...bind("steps", "steps")} />
      <NameField label="Device" options={deviceLabels} {...bind("device", "device")} />
      <Seed {...props} />
    </>
  );
}

function Seed({ store, explained }: GroupProps) {
  const id = useId(), { seed } = store.settings.value;
  const set = (value: number) => {
    const isSeed = Number.isSafeInteger(value) && value >= 0;
    if (isSeed) store.change({ seed: value });
    return isSeed;
  };
  return (
    <div class="field lab-field">
      <span class="lab-label">
        <label for={id} title={reasons.seed}>Seed</label>
        <RestartMark />
      </span>
      <span class="lab-seed">
        <input
          id={id}
          type="number"
          min={0}
          max={Number.MAX_SAFE_INTEGER}
          step={1}
          value={seed}
          aria-describedby={`${id}-reason`}
          onChange={({ currentTarget }) => {
            if (!set(currentTarget.valueAsNumber)) currentTarget.value = String(seed);
          }}
        />
        <button
          type="button"
          class="button"
          aria-label={`Another seed than ${formatCount(seed)}`}
          title="Another seed"
          onClick={() => set(seed < Number.MAX_SAFE_INTEGER ? seed + 1 : 0)}
        >
          <Icon name="die" />
        </button>
      </span>
      <p id={`${id}-reason`} class="lab-reason" hidden={!explained}>{reasons.seed}</p>
    </div>
  );
}

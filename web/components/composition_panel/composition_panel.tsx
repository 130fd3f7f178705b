/**
 * @file Composition: keeping potentials, and carrying particles in a weighted sum of them, the product
 * of their densities (G. E. Hinton, "Training Products of Experts by Minimizing Contrastive
 * Divergence", 2002).
 */
import { batch, type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { KeptPotential } from "../../laboratory/engine_types.ts";
import { errorLine } from "../../laboratory/run_control.ts";
import type { LaboratoryStore } from "../../laboratory/store_types.ts";
import { Choice } from "../curves/choice.tsx";
import { formatCount } from "../curves/numbers.ts";
import {
  type Composition,
  compositionOf,
  DEFAULT_WEIGHT,
  formatWeight,
  type Part,
  partOf,
  STIRRING,
  subjectAfter,
  sumInWords,
  sumOf,
  sumProblem,
  termsOf,
} from "./composition.ts";

interface PanelProps {
  readonly store: LaboratoryStore;
}

interface CompositionProps extends PanelProps {
  readonly composition: Signal<Composition>;
}

interface ProblemProps extends CompositionProps {
  /** One line of what went wrong; null for nothing. */
  readonly problem: Signal<string | null>;
}

/** The panel. */
export function CompositionPanel({ store }: PanelProps) {
  const composition = useSignal(compositionOf(store.kept.peek(), store.subject.peek()));
  const problem = useSignal<string | null>(null);
  const kept = store.kept.value;
  useEffect(() => {
    const wanted = subjectAfter(store.subject.peek(), kept, composition.value);
    if (JSON.stringify(wanted) !== JSON.stringify(store.subject.peek())) {
      store.subject.value = wanted;
    }
  }, [kept, composition.value]);
  return (
    <section class="panel composition-panel" aria-labelledby="composition-panel-heading">
      <h2 id="composition-panel-heading">Composition</h2>
      <KeepForm store={store} composition={composition} problem={problem} />
      {problem.value && <p class="notice bad" role="alert">{problem.value}</p>}
      {kept.length === 0 ? <Guide /> : (
        <>
          <KeptList store={store} composition={composition} problem={problem} />
          <SumChoice store={store} composition={composition} />
        </>
      )}
      <Explanation />
    </section>
  );
}

function KeepForm({ store, composition, problem }: ProblemProps) {
  const name = useSignal("");
  const busy = useSignal(false);
  const standard = `${store.settings.value.data.name} ${store.step.value}`;
  const keep = async (event: Event) => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    problem.value = null;
    try {
      const made = await store.engine.keep(name.value.trim() || standard);
      const others = store.kept.value.filter(({ id }) => id !== made.id);
      store.kept.value = [...others, made];
      changePart(composition, made.id, { chosen: true, weight: DEFAULT_WEIGHT });
      name.value = "";
    } catch (error) {
      problem.value = errorLine(error);
    } finally {
      busy.value = false;
    }
  };
  return (
    <form class="row end keep-form" onSubmit={keep}>
      <div class="field">
        <label for="composition-name">Keep the present potential as</label>
        <input
          id="composition-name"
          type="text"
          maxLength={60}
          autocomplete="off"
          placeholder={standard}
          value={name.value}
          onInput={({ currentTarget }) => name.value = currentTarget.value}
        />
      </div>
      <button
        type="submit"
        class="button"
        disabled={busy.value || store.status.value !== "ready"}
      >
        Keep
      </button>
    </form>
  );
}

function changePart(composition: Signal<Composition>, id: number, changes: Partial<Part>): void {
  const { parts, normalised } = composition.peek();
  composition.value = {
    parts: { ...parts, [id]: { ...partOf(parts, id), ...changes } },
    normalised,
  };
}

function KeptList({ store, composition, problem }: ProblemProps) {
  const kept = store.kept.value, terms = termsOf(kept, composition.value);
  const remove = async ({ id }: KeptPotential) => {
    problem.value = null;
    // What is to be gone leaves the sum before it is gone, so that nothing asks for it any more.
    batch(() => {
      store.kept.value = store.kept.value.filter((one) => one.id !== id);
      changePart(composition, id, { chosen: false });
      store.subject.value = subjectAfter(store.subject.value, store.kept.value, composition.value);
    });
    await store.engine.drop(id).catch((error) => problem.value = errorLine(error));
  };
  return (
    <ul class="kept-list" aria-label="Kept potentials">
      {kept.map((one) => (
        <KeptRow
          key={one.id}
          kept={one}
          part={partOf(composition.value.parts, one.id)}
          weight={terms.find((term) => term.kept.id === one.id)?.weight}
          onChange={(changes) => changePart(composition, one.id, changes)}
          onRemove={() => remove(one)}
        />
      ))}
    </ul>
  );
}

function KeptRow(
  { kept, part, weight, onChange, onRemove }: {
    readonly kept: KeptPotential;
    readonly part: Part;
    /** In the sum; undefined outside it. */
    readonly weight: number | undefined;
    readonly onChange: (changes: Partial<Part>) => void;
    readonly onRemove: () => void;
  },
) {
  const { id, name, step, timeExplicit } = kept, { chosen } = part;
  const written = weight === undefined ? "not in the sum" : formatWeight(weight);
  return (
    <li class="kept-row">
      <label class="check kept-name">
        <input
          type="checkbox"
          checked={chosen}
          onChange={({ currentTarget }) => onChange({ chosen: currentTarget.checked })}
        />
        <span>
          {name}{" "}
          <span class="muted tabular">
            step {formatCount(step)}
            {timeExplicit ? "" : ", without time"}
          </span>
        </span>
      </label>
      <button type="button" class="button quiet" onClick={onRemove}>
        Remove<span class="visually-hidden">{` ${name}`}</span>
      </button>
      <div class="field kept-weight">
        <label for={`composition-weight-${id}`}>
          Weight<span class="visually-hidden">{` of ${name}`}</span>{" "}
          <span class="tabular slider-value" aria-hidden="true">{written}</span>
        </label>
        <input
          id={`composition-weight-${id}`}
          type="range"
          min={0}
          max={2}
          step={0.05}
          value={part.weight}
          aria-valuetext={written}
          disabled={!chosen}
          onInput={({ currentTarget }) => onChange({ weight: currentTarget.valueAsNumber })}
        />
      </div>
    </li>
  );
}

/** Whether the plane shows the sum, and what that is. */
function SumChoice({ store, composition }: CompositionProps) {
  const kept = store.kept.value, sum = sumOf(kept, composition.value);
  const terms = termsOf(kept, composition.value);
  const shown = store.subject.value.kind === "sum" ? "sum" : "learned";
  const amiss = sumProblem(terms);
  return (
    <div class="sum-choice">
      <Choice
        name="composition-subject"
        legend="The plane shows"
        placed="above"
        options={{ learned: "What is learned", ...(sum ? { sum: "The sum" } : {}) }}
        value={shown}
        onChange={(choice) =>
          store.subject.value = choice === "sum" && sum ? sum : { kind: "learned" }}
      />
      <p class="tabular">
        {terms.length > 0 && <>Φ = {sumInWords(terms)}.</>}
        {terms.length < 2 && `Tick ${terms.length === 0 ? "two potentials" : "another"} to add.`}
      </p>
      <label class="check">
        <input
          type="checkbox"
          checked={composition.value.normalised}
          onChange={({ currentTarget }) =>
            composition.value = {
              ...composition.value,
              normalised: currentTarget.checked,
            }}
        />
        Weights sum to 1
      </label>
      {amiss && <p class="notice">{amiss}</p>}
      {shown === "sum" && <Carrying store={store} />}
    </div>
  );
}

/** Solvers that mend what the sum's flow gets wrong. */
function Carrying({ store }: PanelProps) {
  const { solver, steps, noise } = store.flowChoice.value;
  const stirred = Object.entries(STIRRING).every(([key, value]) =>
    value === { solver, steps, noise }[key as keyof typeof STIRRING]
  );
  return (
    <>
      <div class="row">
        <button
          type="button"
          class="button"
          disabled={stirred}
          onClick={() => store.flowChoice.value = { ...store.flowChoice.peek(), ...STIRRING }}
        >
          Carry with noise
        </button>
        <span class="muted">
          {stirred
            ? "Euler–Maruyama in 800 steps, κ = 5."
            : "So that particles leave modes that are not shared."}
        </span>
      </div>
      <Refinement store={store} />
    </>
  );
}

/** Langevin steps at the end of the flow, which tidy each mode. */
function Refinement({ store }: PanelProps) {
  const steps = store.flowChoice.value.refineSteps ?? 0;
  return (
    <div class="field">
      <label for="composition-refine">
        Langevin refinement at the end{" "}
        <span class="tabular slider-value" aria-hidden="true">{stepsInWords(steps)}</span>
      </label>
      <input
        id="composition-refine"
        type="range"
        min={0}
        max={200}
        step={10}
        value={steps}
        aria-valuetext={stepsInWords(steps)}
        onInput={({ currentTarget }) =>
          store.flowChoice.value = {
            ...store.flowChoice.peek(),
            refineSteps: currentTarget.valueAsNumber,
          }}
      />
    </div>
  );
}

function stepsInWords(steps: number): string {
  return steps === 0 ? "none" : `${formatCount(steps)} steps`;
}

function Guide() {
  return (
    <div class="notice">
      <p>Two landscapes can be added. To try it:</p>
      <ol class="guide">
        <li>train 8 Gaussians, and keep it;</li>
        <li>choose rings as the data, train, and keep that too;</li>
        <li>show their sum: particles go where a mode and a ring meet.</li>
      </ol>
    </div>
  );
}

function Explanation() {
  return (
    <details class="fold">
      <summary>What a sum does</summary>
      <div class="fold-body">
        <p>
          Adding potentials multiplies densities: with weights that sum to 1 the score at each time
          is that of the density ∝ Π ρᵢ^wᵢ (a product of experts), so that samples go where all of
          them agree.
        </p>
        <p>
          The flow carries that product only approximately, and leaves particles behind near modes
          that are not shared. A stochastic solver with much noise leads them on: of 8 Gaussians and
          three, two of them shared, it brings 3 in 4 particles to the shared ones, where RK45
          brings 1 in 2. Langevin refinement at the end crosses between modes only where they
          overlap.
        </p>
      </div>
    </details>
  );
}

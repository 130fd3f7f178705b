/**
 * @file Solvers of the flow: which one carries the particles, what it costs and how exact it is, and a
 * second one beside it from the same particles.
 */
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { SolverName } from "../../../core/flow/sampler.ts";
import { solverLabels } from "../../laboratory/choices.ts";
import type { SolverChoice } from "../../laboratory/engine_types.ts";
import { browserPage } from "../../laboratory/page_environment.ts";
import type { LaboratoryStore } from "../../laboratory/store_types.ts";
import { LineChart } from "../curves/line_chart.tsx";
import { formatCount } from "../curves/numbers.ts";
import {
  formatTolerance,
  NOISES,
  PARTICLES,
  SOLVER_GROUPS,
  solverFacts,
  type SolverGroup,
  solverOrder,
  STEPS,
  TOLERANCES,
} from "./solver_facts.ts";
import { SolverResults } from "./solver_results.tsx";
import { SolverSign } from "./solver_sign.tsx";
import { type SolverStudy, solverStudy } from "./solver_study.ts";
import { StopSlider } from "./stop_slider.tsx";
import { workPrecisionSeries } from "./work_precision.ts";

/** The panel. */
export function SolverPanel({ store }: { readonly store: LaboratoryStore }) {
  const study = useMemo(() => solverStudy(store), [store]);
  const panel = useRef<HTMLElement>(null);
  useEffect(() => study.start(browserPage()), [study]);
  useEffect(() => followSeen(panel.current!, study), [study]);
  const choice = store.flowChoice.value, second = study.second.value;
  return (
    <section class="panel solver-panel" aria-labelledby="solver-panel-heading" ref={panel}>
      <h2 id="solver-panel-heading">Solvers</h2>
      <SolverControls
        letter="A"
        choice={choice}
        onChange={(changes) => store.flowChoice.value = { ...store.flowChoice.peek(), ...changes }}
      />
      <label class="check">
        <input
          type="checkbox"
          checked={second !== null}
          onChange={({ currentTarget }) =>
            study.second.value = currentTarget.checked ? secondBeside(choice) : null}
        />
        A second solver, from the same particles
      </label>
      {second && (
        <SolverControls
          letter="B"
          choice={second}
          onChange={(changes) => study.second.value = { ...second, ...changes }}
        />
      )}
      <SolverResults store={store} study={study} />
      <ParticleControls store={store} />
      <WorkPrecision study={study} store={store} />
    </section>
  );
}

/** A second solver that shows a difference: Euler's, or another where the first is that. */
function secondBeside({ solver }: SolverChoice): SolverChoice {
  return { solver: solver === "euler" ? "rk45" : "euler", steps: 20, tolerance: 1e-3 };
}

/** Tells the study whether the panel is seen. */
function followSeen(panel: HTMLElement, { seen }: SolverStudy): () => void {
  const observer = new IntersectionObserver((entries) => {
    seen.value = entries[entries.length - 1].isIntersecting;
  });
  observer.observe(panel);
  return () => observer.disconnect();
}

function SolverControls(
  { letter, choice, onChange }: {
    readonly letter: "A" | "B";
    readonly choice: SolverChoice;
    readonly onChange: (changes: Partial<SolverChoice>) => void;
  },
) {
  const { about, adaptive, order, group } = solverFacts[choice.solver];
  const id = `solver-${letter.toLowerCase()}`;
  return (
    <div class="solver-controls">
      <div class="field">
        <label for={id}>
          <SolverSign letter={letter} /> Solver {letter}
        </label>
        <select
          id={id}
          value={choice.solver}
          aria-describedby={`${id}-about`}
          onChange={({ currentTarget }) => onChange({ solver: currentTarget.value as SolverName })}
        >
          <SolverOptions chosen={choice.solver} />
        </select>
      </div>
      {adaptive
        ? (
          <StopSlider
            id={`${id}-tolerance`}
            label="Tolerance"
            of={`of solver ${letter}`}
            stops={TOLERANCES}
            value={choice.tolerance}
            format={formatTolerance}
            onChange={(tolerance) => onChange({ tolerance })}
          />
        )
        : (
          <StopSlider
            id={`${id}-steps`}
            label="Steps"
            of={`of solver ${letter}`}
            stops={STEPS}
            value={choice.steps}
            format={formatCount}
            onChange={(steps) => onChange({ steps })}
          />
        )}
      {group === "stochastic" && (
        <StopSlider
          id={`${id}-noise`}
          label="Noise κ"
          of={`of solver ${letter}`}
          stops={NOISES}
          value={choice.noise ?? 0.5}
          format={String}
          onChange={(noise) => onChange({ noise })}
        />
      )}
      <p id={`${id}-about`} class="muted solver-about">
        {about} {group === "stochastic" ? "Weak order" : "Order"} {order}.
      </p>
    </div>
  );
}

function SolverOptions({ chosen }: { readonly chosen: SolverName }) {
  return (Object.entries(SOLVER_GROUPS) as [SolverGroup, string][]).map(([group, title]) => (
    <optgroup label={title} key={group}>
      {solverOrder.filter((name) => solverFacts[name].group === group).map((name) => (
        <option value={name} key={name} selected={name === chosen}>{solverLabels[name]}</option>
      ))}
    </optgroup>
  ));
}

function ParticleControls({ store }: { readonly store: LaboratoryStore }) {
  const { n, seed } = store.flowChoice.value;
  const change = (changes: { n?: number; seed?: number }) =>
    store.flowChoice.value = { ...store.flowChoice.peek(), ...changes };
  return (
    <div class="row end particle-controls">
      <StopSlider
        id="solver-particles"
        label="Particles"
        stops={PARTICLES}
        value={n}
        format={formatCount}
        onChange={(chosen) => change({ n: chosen })}
      />
      <div class="field seed-field">
        <label for="solver-seed">
          Seed<span class="visually-hidden">{` of the particles`}</span>
        </label>
        <input
          id="solver-seed"
          type="number"
          min={0}
          max={4294967295}
          step={1}
          value={seed}
          onChange={({ currentTarget }) => {
            const chosen = currentTarget.valueAsNumber;
            const whole = Number.isInteger(chosen) && chosen >= 0 && chosen <= 4294967295;
            if (whole) change({ seed: chosen });
            else currentTarget.value = String(seed);
          }}
        />
      </div>
      <button type="button" class="button" onClick={() => change({ seed: seed + 1 })}>
        Other particles
      </button>
    </div>
  );
}

function WorkPrecision(
  { store, study }: { readonly store: LaboratoryStore; readonly study: SolverStudy },
) {
  const { points } = study.tried.value;
  const series = useMemo(() => workPrecisionSeries(points), [points]);
  const { solver } = store.flowChoice.value;
  return (
    <div class="work-precision">
      <LineChart
        title="Work against precision"
        description="All that was tried on this flow: further down is more exact, further left cheaper."
        series={series}
        xLabel="velocity evaluations and Hessian products"
        yLabel="error, data units"
        height={200}
        logX
        logY
      />
      <div class="row">
        <button
          type="button"
          class="button"
          disabled={study.tracing.value || solverFacts[solver].group === "stochastic"}
          onClick={() => study.trace()}
        >
          {study.tracing.value ? "Trying …" : `Try ${solverLabels[solver]} at six settings`}
        </button>
        <button
          type="button"
          class="button quiet"
          disabled={points.length === 0}
          onClick={() => study.clear()}
        >
          Clear
        </button>
        <span class="muted tabular">{formatCount(points.length)} tried</span>
      </div>
    </div>
  );
}

/**
 * @file Starts a training from the page: a preset, and what is to differ from it.
 */
import { useSignal } from "@preact/signals";
import type { TrainingQuestion } from "../../runs/run_types.ts";
import type { PageSession, SessionRequests } from "./session.ts";

/** What can be trained, and whom to ask. */
export interface StartTrainingProps {
  readonly presets: PageSession["presets"];
  readonly requests: SessionRequests;
  /** The name of a training that has just been started. */
  readonly onStart: (name: string) => void;
}

/** The form. */
export function StartTraining({ presets, requests, onStart }: StartTrainingProps) {
  const preset = useSignal(presets[0]?.name ?? "");
  const name = useSignal(""), seed = useSignal(""), steps = useSignal("");
  const busy = useSignal(false);
  const problem = useSignal<string | null>(null);
  const started = useSignal<string | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    problem.value = started.value = null;
    const question: TrainingQuestion = {
      preset: preset.value,
      name: name.value.trim() || null,
      seed: numberOrNull(seed.value),
      steps: numberOrNull(steps.value),
    };
    try {
      const answer = await requests.post("/api/trainings", question);
      started.value = ((await answer.json()) as { name: string }).name;
      name.value = "";
      onStart(started.value);
    } catch (error) {
      problem.value = (error as Error).message;
    }
    busy.value = false;
  };
  const description = presets.find((each) => each.name === preset.value)?.description;
  return (
    <form class="start-training" onSubmit={submit}>
      <div class="start-fields">
        <div class="field start-preset">
          <label for="start-preset">Preset</label>
          <select
            id="start-preset"
            value={preset}
            onChange={(event) => preset.value = event.currentTarget.value}
            aria-describedby="start-description"
            required
          >
            {presets.map((each) => (
              <option key={each.name} value={each.name} selected={each.name === preset.value}>
                {each.name}
              </option>
            ))}
          </select>
        </div>
        <div class="field">
          <label for="start-name">Name</label>
          <input
            id="start-name"
            type="text"
            value={name}
            onInput={(event) => name.value = event.currentTarget.value}
            placeholder={preset.value}
            maxLength={80}
            autocomplete="off"
            spellcheck={false}
          />
        </div>
        <NumberField id="start-seed" label="Seed" value={seed} min={0} />
        <NumberField id="start-steps" label="Steps" value={steps} min={1} />
        <button type="submit" class="button primary" disabled={busy}>
          {busy.value ? "Starting…" : "Start training"}
        </button>
      </div>
      <p class="muted" id="start-description" aria-live="polite">
        {description && `${capitalized(description)}. `}
        What is left empty is the preset's own; one training runs at a time.
      </p>
      {problem.value && <p class="notice bad" role="alert">{problem}</p>}
      <p role="status" class="start-said">
        {started.value && (
          <>
            Started:{" "}
            <a href={`/runs/${encodeURIComponent(started.value)}`}>watch {started.value}</a>
          </>
        )}
      </p>
    </form>
  );
}

interface NumberFieldProps {
  readonly id: string;
  readonly label: string;
  readonly value: { value: string };
  readonly min: number;
}

function NumberField({ id, label, value, min }: NumberFieldProps) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="number"
        inputMode="numeric"
        min={min}
        step={1}
        value={value.value}
        onInput={(event) => value.value = event.currentTarget.value}
        placeholder="preset's"
      />
    </div>
  );
}

function numberOrNull(text: string): number | null {
  return text.trim() === "" ? null : Number(text);
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

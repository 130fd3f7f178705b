/** @file What the pictures show. None of it changes the run. */
import { compareLabels, fieldLabels, velocityLabels } from "../../laboratory/choices.ts";
import type { LaboratoryPageStore, PictureChoices } from "../../laboratory/store_types.ts";
import { Choice } from "../curves/choice.tsx";
import { Check } from "./controls.tsx";

/** Why what is learned cannot be held against an exact answer now; null where it can. */
export function withoutExact(store: LaboratoryPageStore): string | null {
  if (store.comparison.value) return "two solvers are compared";
  if (store.subject.value.kind === "sum") return "a composition has no exact answer";
  if (store.subject.value.kind === "exact") return "the exact answer is what is seen";
  if (store.facts.value && !store.facts.value.exact) {
    return "exact answers are known for mixtures of Gaussians and for drawn points";
  }
  return null;
}

/** The choices. */
export function PictureChoiceRow({ store }: { readonly store: LaboratoryPageStore }) {
  const choices = store.pictures.value;
  const set = (changes: Partial<PictureChoices>) =>
    store.pictures.value = { ...choices, ...changes };
  const why = withoutExact(store);
  return (
    <div class="lab-view">
      <div class="row lab-view-row">
        <Choice
          name="lab-field"
          legend="Field"
          options={fieldLabels}
          value={choices.field}
          onChange={(field) => set({ field })}
        />
        <Choice
          name="lab-velocity"
          legend="Velocity ∇Φ"
          options={velocityLabels}
          value={choices.velocity}
          onChange={(velocity) => set({ velocity })}
        />
        <Choice
          name="lab-compare"
          legend="Against the exact answer"
          options={compareLabels}
          unavailable={why ? { both: why, difference: why } : {}}
          value={why ? "learned" : choices.compare}
          onChange={(compare) => set({ compare })}
        />
      </div>
      <div class="row lab-view-row">
        <Check
          label="Contours"
          checked={choices.contours}
          onChange={(contours) => set({ contours })}
        />
        <Check
          label="Particles"
          checked={choices.particles}
          onChange={(particles) => set({ particles })}
        />
        <Check label="Trails" checked={choices.trails} onChange={(trails) => set({ trails })} />
        <Check label="Data" checked={choices.data} onChange={(data) => set({ data })} />
        <Check label="3-D relief" checked={choices.relief} onChange={(relief) => set({ relief })} />
        {why && <p class="muted lab-small">No exact answer to hold it against: {why}.</p>}
      </div>
    </div>
  );
}

/**
 * @file Which planes are side by side: what is learned alone, beside the exact answer, their
 * difference, a composition, or two solvers from the same particles. What each is called and what it
 * is drawn from.
 */
import type { Field, Flow } from "../../laboratory/engine_types.ts";
import type { LaboratoryPageStore } from "../../laboratory/store_types.ts";
import type { ParticleShape } from "../../pictures/raster.ts";

/** A plane of the picture. */
export interface PlaneSource {
  /** Told apart from its neighbours. */
  readonly key: "learned" | "exact" | "difference" | "first" | "second";
  /** Above the plane; null for one that says itself what it is. */
  readonly title: string | null;
  /** Whose it is, for its description. */
  readonly whose: string;
  /** What it is drawn from, now. */
  field(): Field | null;
  /** What the field is held against. */
  reference(): Field | null;
  /** One set of particles, or two in the same plane. */
  flows(): Flow[];
  /** How each set is drawn, where it is not as the plane draws them by itself. */
  readonly shapes?: readonly ParticleShape[];
}

const nothing = () => null;

function flowList(...flows: (Flow | null)[]): Flow[] {
  return flows.filter((flow) => flow !== null);
}

/** The planes that there are now; reads the signals that decide it, and not those of what is drawn. */
export function planeSources(store: LaboratoryPageStore): PlaneSource[] {
  const { field, exactField, flow, exactFlow } = store;
  if (store.comparison.value) return solverSources(store);
  const comparing = store.comparing.value;
  const learned: PlaneSource = {
    key: "learned",
    ...subjectWords(store),
    field: () => field.value,
    reference: nothing,
    flows: () => flowList(flow.value),
  };
  if (comparing === "both") {
    return [
      { ...learned, title: "Learned", reference: () => exactField.value },
      {
        key: "exact",
        title: "Exact",
        whose: "exact",
        field: () => exactField.value,
        reference: () => field.value,
        flows: () => flowList(exactFlow.value),
      },
    ];
  }
  if (comparing === "difference") {
    return [{
      ...learned,
      key: "difference",
      title: "Learned (discs) − exact (rings)",
      whose: "learned less exact",
      reference: () => exactField.value,
      flows: () => flowList(flow.value, exactFlow.value),
    }];
  }
  return [learned];
}

/** Two solvers from the same particles. */
function solverSources({ comparison, field }: LaboratoryPageStore): PlaneSource[] {
  return comparison.value!.flows.slice(0, 2).map((one, i) => {
    const name = i === 0 ? "Solver A" : "Solver B";
    return {
      key: i === 0 ? "first" : "second",
      title: "failure" in one
        ? `${name}: ${one.failure}`
        : `${name} (${i === 0 ? "discs" : "rings"})`,
      whose: name,
      // As the panel of solvers marks them.
      shapes: [i === 0 ? "disc" : "ring"],
      field: () => field.value,
      reference: nothing,
      // Read from the signal, so that what is drawn is drawn again when the solvers are compared anew.
      flows() {
        const now = comparison.value?.flows[i];
        return now && !("failure" in now) ? [now] : [];
      },
    };
  });
}

function subjectWords(store: LaboratoryPageStore): Pick<PlaneSource, "title" | "whose"> {
  const { kind } = store.subject.value;
  if (kind === "exact") return { title: "Exact", whose: "exact" };
  if (kind === "sum") {
    return { title: "Composition: where all that is added agree", whose: "of the composition" };
  }
  return { title: null, whose: "learned" };
}

/**
 * @file What the laboratory's page knows, as signals: made by `state.ts`, read and written by its
 * components.
 */
import type { ReadonlySignal, Signal } from "@preact/signals";
import type { MetricsLine } from "../../core/train/run_directory.ts";
import type {
  Field,
  Flow,
  FlowRequest,
  KeptPotential,
  LaboratoryEngine,
  Measures,
  RunFacts,
  SolverComparison,
  Subject,
} from "./engine_types.ts";
import type { LaboratorySettings } from "./settings.ts";

/** How the plane's picture shows Φ or the density. */
export type FieldView = "potential" | "density" | "none";

/** What is drawn on the plane. */
export interface PictureChoices {
  readonly field: FieldView;
  readonly contours: boolean;
  readonly velocity: "arrows" | "streamlines" | "none";
  readonly particles: boolean;
  readonly trails: boolean;
  readonly data: boolean;
  /** Learned alone, beside the exact one, or the difference of the two. */
  readonly compare: "learned" | "both" | "difference";
  /** The 3-D relief of Φ beside the plane. */
  readonly relief: boolean;
}

/** Everything that the page knows. */
export interface LaboratoryStore {
  /** Calls go to the worker; they reject with one line to show. */
  readonly engine: LaboratoryEngine;
  /** "starting" until the worker has the first run open. */
  readonly status: ReadonlySignal<"starting" | "ready" | "failed">;
  /** What the present run is of. */
  readonly settings: ReadonlySignal<LaboratorySettings>;
  /** Changes settings, and starts the run anew where that needs it. */
  readonly change: (changes: Partial<LaboratorySettings>) => void;
  readonly facts: ReadonlySignal<RunFacts | null>;
  readonly step: ReadonlySignal<number>;
  readonly playing: ReadonlySignal<boolean>;
  readonly finished: ReadonlySignal<boolean>;
  readonly stepsPerSecond: ReadonlySignal<number>;
  /** All lines of the present run. */
  readonly metrics: ReadonlySignal<readonly MetricsLine[]>;
  /** Steps a second at a row of steps. */
  readonly speeds: ReadonlySignal<
    readonly { readonly step: number; readonly stepsPerSecond: number }[]
  >;
  readonly measures: ReadonlySignal<readonly Measures[]>;
  /** The one time that drives all pictures. */
  readonly u: Signal<number>;
  /** The largest u of the slider: uMax, or beyond 1 for time-implicit potentials. */
  readonly uEnd: ReadonlySignal<number>;
  /** Whether u runs by itself. */
  readonly timePlaying: Signal<boolean>;
  /** Whose potential is seen: what is learned, or a composition. */
  readonly subject: Signal<Subject>;
  /** How particles are drawn and carried. */
  readonly flowChoice: Signal<Omit<FlowRequest, "subject" | "frames">>;
  readonly field: ReadonlySignal<Field | null>;
  readonly exactField: ReadonlySignal<Field | null>;
  readonly flow: ReadonlySignal<Flow | null>;
  readonly exactFlow: ReadonlySignal<Flow | null>;
  /** Solvers side by side: while it is not null the plane shows its flows. */
  readonly comparison: Signal<SolverComparison | null>;
  readonly kept: Signal<readonly KeptPotential[]>;
  readonly pictures: Signal<PictureChoices>;
  /** One line of what went wrong; null for nothing. */
  readonly problem: Signal<string | null>;
}

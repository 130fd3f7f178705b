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
  LaboratoryEvents,
  Measures,
  RunFacts,
  RunFiles,
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
  /**
   * Whether measures are asked for every two seconds of training, and once a run pauses: true while
   * the panel that shows them is open.
   */
  readonly measuring: Signal<boolean>;
  /**
   * Measures at once, for the measures panel's button, and appends to {@link measures}; resolves when
   * that is done. A call while one is under way resolves with it; what fails goes to {@link problem}.
   * Implemented by `state.ts`.
   */
  measureNow(): Promise<void>;
}

/** A stroke of a drawing: points that are weighted together. */
export interface Stroke {
  readonly points: readonly (readonly [number, number])[];
  /** Not normalised; 1 is the weight of a point that nobody has weighted. */
  readonly weight: number;
}

/** A run that was trained elsewhere and is open here. */
export interface OpenedRun {
  readonly name: string;
  /** The step of the checkpoint that it was opened at. */
  readonly step: number;
  /** Whether the server has it, so that `?run=NAME` opens it again. */
  readonly served: boolean;
}

/** How the page is given its worker: `connect` of `connection.ts`, or a fake of tests. */
export type Connect = (
  events: LaboratoryEvents,
) => { readonly engine: LaboratoryEngine; close(): void };

/** What the laboratory's own components read and do beside what its panels need. */
export interface LaboratoryPageStore extends LaboratoryStore {
  /** Loads the worker and opens the run of the address; once, in a page that is live. */
  start(): void;
  /** Ends the worker. */
  close(): void;
  /** A new worker, after a failure: the same run anew. */
  startAgain(): void;
  /** Trains on, to the end. */
  play(): void;
  pause(): void;
  /** One step. */
  stepOnce(): void;
  /** Back to step 0, paused. */
  reset(): void;
  /** Whether an answer to the last change is still on its way. */
  readonly opening: ReadonlySignal<boolean>;
  /** A training to the step of an address, while it is under way. */
  readonly replay: ReadonlySignal<{ readonly to: number } | null>;
  /** How fast u runs by itself: 1 takes four seconds a unit of u. */
  readonly timeSpeed: Signal<number>;
  /** Moves u on by so many milliseconds, while it runs by itself. */
  advance(milliseconds: number): void;
  /** Half the side of the square of the plane that is seen, in data units. */
  readonly extent: ReadonlySignal<number>;
  /** What of `pictures.compare` can be had now. */
  readonly comparing: ReadonlySignal<PictureChoices["compare"]>;
  /** Samples of the present run's data, [n, 2]. */
  readonly dataSamples: ReadonlySignal<Float32Array | null>;
  /** The drawing, where the data are points. */
  readonly strokes: ReadonlySignal<readonly Stroke[]>;
  /** Takes a drawing as the data. */
  draw(strokes: readonly Stroke[]): void;
  /** A run that was trained elsewhere, or null. */
  readonly opened: ReadonlySignal<OpenedRun | null>;
  /** Opens a run that was trained elsewhere. */
  openRun(files: RunFiles, served?: boolean): Promise<void>;
  /** The fragment of the address for the present state, without "#". */
  address(): string;
  /** What of the address could not be read: one line each; empty for nothing. */
  readonly addressProblems: Signal<readonly string[]>;
}

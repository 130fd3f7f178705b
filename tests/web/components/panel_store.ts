/**
 * @file A store of the laboratory for tests of its panels: signals that can be set, and an engine that
 * answers as a test says.
 */
import { type Signal, signal } from "@preact/signals";
import type {
  Flow,
  KeptPotential,
  LaboratoryEngine,
  Measures,
  RunFacts,
  SolverChoice,
  SolverComparison,
  SolverComparisonRequest,
  Subject,
} from "../../../web/laboratory/engine_types.ts";
import type { LaboratoryStore } from "../../../web/laboratory/store_types.ts";
import type { MetricsLine } from "../../../core/train/run_directory.ts";

/** Signals that the panels only read, to be set. */
export interface PanelStore extends LaboratoryStore {
  readonly status: Signal<"starting" | "ready" | "failed">;
  readonly facts: Signal<RunFacts | null>;
  readonly step: Signal<number>;
  readonly playing: Signal<boolean>;
  readonly stepsPerSecond: Signal<number>;
  readonly uEnd: Signal<number>;
  readonly metrics: Signal<readonly MetricsLine[]>;
  readonly measures: Signal<readonly Measures[]>;
}

/** Facts of a mixture's run; its entropy is known. */
export const mixtureFacts = {
  device: { name: "wasm", reason: "asked for" },
  uMax: 0.99,
  entropy: 2.0723,
  exact: true,
} as RunFacts;

/** A flow that a solver has solved: so many evaluations, and an error. */
export function solvedFlow(evaluations: number, error: number | null, hessianProducts = 0) {
  const flow: Flow = {
    subject: { kind: "learned" },
    step: 7,
    n: 500,
    times: new Float32Array(2),
    positions: new Float32Array(4),
    evaluations,
    hessianProducts,
    milliseconds: 12,
  };
  return { ...flow, error, largestError: error === null ? null : 3 * error };
}

/** What a comparison comes to, with a tight solution of Dormand and Prince's order 8. */
export function comparisonOf(flows: SolverComparison["flows"]): SolverComparison {
  return { flows, reference: { solver: "dop853", tolerance: 1e-7, evaluations: 812 } };
}

/** A solver with settings that a test need not say. */
export function choiceOf(
  solver: SolverChoice["solver"],
  settings: Partial<SolverChoice> = {},
): SolverChoice {
  return { solver, steps: 100, tolerance: 1e-3, ...settings };
}

/** A store in which nothing has happened yet. */
export function panelStore(
  compare?: (request: SolverComparisonRequest) => Promise<SolverComparison>,
): PanelStore {
  const store: Partial<Record<keyof LaboratoryStore, unknown>> = {
    engine: { compareSolvers: compare } as LaboratoryEngine,
    status: signal("starting"),
    settings: signal({ data: { name: "8gaussians" } }),
    facts: signal(null),
    step: signal(0),
    playing: signal(false),
    finished: signal(false),
    stepsPerSecond: signal(0),
    metrics: signal([]),
    speeds: signal([]),
    measures: signal([]),
    uEnd: signal(0.99),
    subject: signal<Subject>({ kind: "learned" }),
    flowChoice: signal({ ...choiceOf("rk45"), n: 500, seed: 0, until: null, refineSteps: 0 }),
    flow: signal(null),
    comparison: signal(null),
    kept: signal<KeptPotential[]>([]),
    problem: signal(null),
    measuring: signal(true),
  };
  return store as unknown as PanelStore;
}

/**
 * @file Measuring solvers on the flow that is seen: asks the engine to compare the chosen ones with a
 * tight solution whenever something has changed, one call at a time, and collects what comes out.
 */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type {
  RunFacts,
  SolverChoice,
  SolverComparison,
  SolverComparisonRequest,
} from "../../laboratory/engine_types.ts";
import type { PageEnvironment } from "../../laboratory/page_environment.ts";
import { makePump, type Wanted } from "../../laboratory/pump.ts";
import { errorLine } from "../../laboratory/run_control.ts";
import type { LaboratoryStore } from "../../laboratory/store_types.ts";
import { solverFacts, traceOf } from "./solver_facts.ts";
import { type Tried, withTried } from "./work_precision.ts";

/** What came out, and of which solvers. */
export interface SolverAnswer {
  readonly choices: readonly SolverChoice[];
  readonly comparison: SolverComparison;
}

/** The state of the panel. */
export interface SolverStudy {
  /** The solver beside the one of `store.flowChoice`; null for none. */
  readonly second: Signal<SolverChoice | null>;
  /** Whether the panel is seen; unseen, and without a second solver, nothing is asked. */
  readonly seen: Signal<boolean>;
  /** Of the chosen ones; null before the first. */
  readonly answer: ReadonlySignal<SolverAnswer | null>;
  /** All that was tried on the flow that is seen. */
  readonly tried: ReadonlySignal<Tried>;
  /** Why the last call failed as a whole, in one line; null where it did not. */
  readonly failure: ReadonlySignal<string | null>;
  /** Whether the first solver's whole curve is on its way. */
  readonly tracing: ReadonlySignal<boolean>;
  /** Tries the first solver at a row of settings. */
  trace(): void;
  /** Forgets what was tried. */
  clear(): void;
  /** Asks until what is returned is called; then the plane shows no comparison any more. */
  start(page: Pick<PageEnvironment, "now" | "later" | "hidden">): () => void;
}

/**
 * Positions of the flows that the plane shows, in a unit of time; without a second solver only their
 * ends matter.
 */
const SHOWN_FRAMES = 60;
const NOTHING_TRIED: Tried = { context: "", points: [] };

interface Question {
  /** Of the run that it is of. */
  readonly facts: RunFacts | null;
  readonly request: SolverComparisonRequest;
  readonly context: string;
  readonly traced: boolean;
}

/**
 * Where the flow that is seen ends: beyond the path's end where the slider goes on beyond it, which no
 * stochastic solver can, for want of a score there.
 */
function endOf({ flowChoice, facts, uEnd }: LaboratoryStore, solvers: readonly SolverChoice[]) {
  const { until } = flowChoice.value, uMax = facts.value?.uMax ?? 1;
  const stochastic = solvers.some(({ solver }) => solverFacts[solver].group === "stochastic");
  return until ?? (uEnd.value > uMax && !stochastic ? uEnd.value : null);
}

/** Makes the study of a store. */
export function solverStudy(store: LaboratoryStore): SolverStudy {
  const second = signal<SolverChoice | null>(null), seen = signal(true);
  const answer = signal<SolverAnswer | null>(null), failure = signal<string | null>(null);
  const tried = signal<Tried>(NOTHING_TRIED);
  const tracing = signal<readonly SolverChoice[] | null>(null);
  let asked: Question | null = null, run = 0, facts = store.facts.peek();

  function question(): Question | null {
    if (store.status.value !== "ready" || !(seen.value || second.value || tracing.value)) {
      return null;
    }
    // A run begun anew is another flow at the same step.
    if (facts !== store.facts.value) run++;
    facts = store.facts.value;
    const { until: _until, refineSteps: _refined, n, seed, ...choice } = store.flowChoice.value;
    const traced = tracing.value !== null;
    const solvers = tracing.value ??
      [choice, ...(second.value ? [second.value] : [])];
    const until = endOf(store, solvers);
    const particles = { subject: store.subject.value, n, seed, until };
    return {
      facts,
      request: {
        ...particles,
        frames: second.value && !traced ? Math.round(SHOWN_FRAMES * (until ?? 1)) + 1 : 2,
        refineSteps: 0,
        solvers,
      },
      context: JSON.stringify([run, store.step.value, particles]),
      traced,
    };
  }

  function wanted(): Wanted<SolverComparison> | null {
    const next = question();
    return next && {
      key: JSON.stringify([next.context, next.request.solvers, next.request.frames]),
      ask: () => store.engine.compareSolvers((asked = next).request),
    };
  }

  /** Whether what was asked is of a run that has since been replaced. */
  const isStale = () => asked!.facts !== store.facts.peek();

  function answered(comparison: SolverComparison): void {
    if (isStale()) return;
    const { request, context, traced } = asked!;
    failure.value = null;
    tried.value = withTried(tried.peek(), context, request.solvers, comparison);
    if (traced) tracing.value = null;
    else {
      answer.value = { choices: request.solvers, comparison };
      if (second.peek() && request.solvers.length > 1) store.comparison.value = comparison;
    }
  }

  return {
    second,
    seen,
    answer,
    failure,
    tried,
    tracing: computed(() => tracing.value !== null),
    trace: () => tracing.value = traceOf(store.flowChoice.peek()),
    clear: () => tried.value = NOTHING_TRIED,
    start(page) {
      const pump = makePump({
        page,
        wanted,
        answered,
        failed(error) {
          if (isStale()) return;
          failure.value = errorLine(error);
          tracing.value = null;
        },
        // Comparing takes its time from training: no more than a fifth of it.
        spacing: (took) =>
          store.playing.peek() ? Math.max(1200, 5 * took) : Math.max(150, 0.5 * took),
      });
      const endAsking = effect(() => {
        wanted();
        pump.poke();
      });
      const endForgetting = effect(() => {
        void store.facts.value;
        failure.value = null;
      });
      const endComparing = effect(() => {
        if (second.value === null) store.comparison.value = null;
      });
      return () => {
        endAsking();
        endForgetting();
        endComparing();
        store.comparison.value = null;
      };
    },
  };
}

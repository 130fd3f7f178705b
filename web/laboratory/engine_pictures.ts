/**
 * @file A run's pictures: fields, flows, comparisons and measures, each kind in a queue of its own, since
 * what it has compiled is used by one at a time.
 */
import {
  type ComparedFlow,
  DOUBLE_PRECISION_TIGHT,
  SINGLE_PRECISION_TIGHT,
  type SolverComparer,
  solverComparer,
} from "./engine_comparison.ts";
import {
  exactDensity,
  exactField,
  type ExactFlow,
  exactFlowOf,
  exactParticles,
  type Interruption,
  requireExact,
} from "./engine_exact.ts";
import { type FieldMaker, fieldMaker } from "./engine_fields.ts";
import { type FlowMaker, flowMaker } from "./engine_flows.ts";
import { type Measurer, runMeasurer } from "./engine_measures.ts";
import type { TrainedRun } from "./engine_run.ts";
import type { KeptPotentials, PotentialSubject } from "./engine_subjects.ts";
import { serially } from "./engine_turns.ts";
import type {
  Field,
  FieldRequest,
  Flow,
  FlowRequest,
  LaboratoryEngine,
  SolverComparison,
  SolverComparisonRequest,
  Subject,
} from "./engine_types.ts";

/** What can be seen of a run. */
export interface RunPictures
  extends Pick<LaboratoryEngine, "field" | "flow" | "compareSolvers" | "measure"> {
  /** Waits until nothing is under way, and frees everything. */
  close(): Promise<void>;
}

/** What makes a run's pictures. */
interface Pictures {
  readonly run: TrainedRun;
  readonly kept: KeptPotentials;
  readonly exact: ExactFlow | null;
  readonly fields: FieldMaker;
  readonly flows: FlowMaker;
  readonly comparedFlows: FlowMaker;
  readonly comparer: SolverComparer;
  readonly measurer: Measurer;
  readonly interruption: Interruption;
}

/**
 * Makes the pictures of a run.
 *
 * @param run stays the caller's
 * @param kept what sums are made of
 * @param interruption lets others in; once its signal is aborted nothing more is begun
 */
export function runPictures(
  run: TrainedRun,
  kept: KeptPotentials,
  interruption: Interruption,
): RunPictures {
  const { signal, turns } = interruption;
  const pictures: Pictures = {
    run,
    kept,
    exact: exactFlowOf(run.problem),
    fields: fieldMaker(turns),
    flows: flowMaker(turns),
    comparedFlows: flowMaker(turns),
    comparer: solverComparer(),
    measurer: runMeasurer(run.problem),
    interruption,
  };
  const queues = {
    fields: serially(),
    flows: serially(),
    comparedFlows: serially(),
    measurer: serially(),
  };
  const add = <T>(queue: keyof typeof queues, work: () => Promise<T>): Promise<T> =>
    queues[queue](() => {
      signal.throwIfAborted();
      return work();
    });
  return {
    field: (request) => add("fields", () => makeField(pictures, request)),
    flow: (request) => add("flows", () => makeFlow(pictures, request)),
    compareSolvers: (request) => add("comparedFlows", () => compare(pictures, request)),
    measure: () =>
      add(
        "measurer",
        () => run.withAverage((subject) => pictures.measurer.measure(subject, interruption)),
      ),
    async close() {
      for (const name of Object.keys(queues) as (keyof typeof queues)[]) {
        await queues[name](() => Promise.resolve(pictures[name].dispose()));
      }
    },
  };
}

/** Lets `use` have the potential of a subject that is not exact. */
function withPotential<T>(
  { run, kept }: Pictures,
  subject: Exclude<Subject, { kind: "exact" }>,
  use: (subject: PotentialSubject) => Promise<T>,
): Promise<T> {
  return subject.kind === "learned" ? run.withAverage(use) : kept.withSum(subject.terms, use);
}

async function makeField(pictures: Pictures, request: FieldRequest): Promise<Field> {
  const { run, exact, fields, interruption } = pictures;
  const { subject, u, size, extent } = request, grid = { size, extent };
  const { step, values } = subject.kind === "exact"
    ? {
      step: run.step,
      values: await exactField(requireExact(run.problem), grid, u, interruption),
    }
    : await withPotential(pictures, subject, async (potential) => ({
      step: potential.step,
      values: await fields.make(potential, grid, u, interruption.signal),
    }));
  const density = exact && subject.kind !== "sum"
    ? await exactDensity(exact, grid, u, interruption)
    : null;
  return { subject, u, size, extent, step, ...values, density };
}

async function makeFlow(
  pictures: Pictures,
  { subject, ...request }: FlowRequest,
): Promise<Flow> {
  const { run, flows, interruption } = pictures, { n } = request;
  if (subject.kind === "exact") {
    const flow = await exactParticles(requireExact(run.problem), request, interruption);
    return { subject, step: run.step, n, ...flow };
  }
  return await withPotential(pictures, subject, async (potential) => {
    const flow = await flows.draw(potential, request, interruption.signal);
    return { subject, step: potential.step, n, ...flow };
  });
}

async function compare(
  pictures: Pictures,
  request: SolverComparisonRequest,
): Promise<SolverComparison> {
  const { run, comparedFlows, comparer, interruption } = pictures, { subject } = request;
  if (subject.kind === "exact") {
    const exact = requireExact(run.problem);
    const flow: ComparedFlow = {
      stamp: "exact",
      step: run.step,
      tightTolerance: DOUBLE_PRECISION_TIGHT,
      draw: (request) => exactParticles(exact, request, interruption),
    };
    return await comparer.compare(flow, request);
  }
  return await withPotential(pictures, subject, (potential) =>
    comparer.compare({
      stamp: potential.stamp,
      step: potential.step,
      tightTolerance: SINGLE_PRECISION_TIGHT,
      draw: (request) => comparedFlows.draw(potential, request, interruption.signal),
    }, request));
}

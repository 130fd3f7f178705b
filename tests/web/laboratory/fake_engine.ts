/**
 * @file An engine without a core, for tests of the page: a harmonic potential whose field and flow are
 * closed forms, training that is told of by hand, and a record of every call.
 */
import type {
  Field,
  FieldRequest,
  Flow,
  FlowRequest,
  LaboratoryEngine,
  LaboratoryEvents,
  Progress,
  RunFacts,
} from "../../../web/laboratory/engine_types.ts";
import type { LaboratorySettings } from "../../../web/laboratory/settings.ts";
import type { Connect } from "../../../web/laboratory/store_types.ts";

/** A call of the engine. */
export interface Call {
  readonly name: keyof LaboratoryEngine;
  readonly given: readonly unknown[];
}

/** An engine that tests look into. */
export interface FakeEngine {
  readonly connect: Connect;
  readonly calls: Call[];
  /** How many workers were made, and how many of them ended. */
  readonly made: { connections: number; closed: number };
  /** Calls of one method. */
  of(name: keyof LaboratoryEngine): Call[];
  /** Tells the page of progress. */
  tell(progress: Partial<Progress>): void;
  fail(message: string): void;
  /** Methods that reject, with their line. */
  readonly broken: Map<keyof LaboratoryEngine, string>;
  /** Settings that `open` rejects, with their line; null for those that it takes. */
  refusal: (settings: LaboratorySettings) => string | null;
  /** When true, calls are not answered before {@link release}. */
  hold: boolean;
  release(): void;
  /** What open answers, beside what follows from the settings. */
  facts: Partial<RunFacts>;
}

/** Φ = ½k|x|² with k = 1 + step/1000 for what is learned, and k = 2 for the exact one. */
function stiffness(request: { readonly subject: { readonly kind: string } }, step: number): number {
  return request.subject.kind === "exact" ? 2 : 1 + step / 1000;
}

/** The harmonic potential and its gradient at the centres of cells. */
export function harmonicField(request: FieldRequest, step: number): Field {
  const { size, extent } = request, k = stiffness(request, step);
  const potential = new Float32Array(size * size), velocity = new Float32Array(2 * size * size);
  for (let i = 0; i < size * size; i++) {
    const x = ((i % size + 0.5) / size * 2 - 1) * extent;
    const y = (1 - (Math.floor(i / size) + 0.5) / size * 2) * extent;
    potential[i] = 0.5 * k * (x * x + y * y);
    velocity.set([k * x, k * y], 2 * i);
  }
  return { ...request, step, potential, velocity, density: null };
}

/** Particles on the unit circle that its gradient carries away: |x| = exp(ku). */
export function harmonicFlow(request: FlowRequest, step: number): Flow {
  const { n, frames } = request, end = request.until ?? 0.99, k = stiffness(request, step);
  const times = Float32Array.from({ length: frames }, (_, i) => end * i / (frames - 1));
  const positions = new Float32Array(frames * n * 2);
  times.forEach((u, frame) => {
    for (let i = 0; i < n; i++) {
      const angle = 2 * Math.PI * i / n, radius = Math.exp(k * u);
      positions.set([radius * Math.cos(angle), radius * Math.sin(angle)], 2 * (frame * n + i));
    }
  });
  const { subject } = request;
  return {
    ...{ subject, step, n, times, positions },
    ...{ evaluations: 26, hessianProducts: 0, milliseconds: 1 },
  };
}

function factsOf(settings: LaboratorySettings): RunFacts {
  const components = settings.data.name === "8gaussians"
    ? Array.from({ length: 8 }, (_, i) => `component ${i + 1}`)
    : [];
  return {
    device: { name: "wasm", reason: "asked for" },
    threads: 1,
    step: 0,
    steps: settings.steps,
    uMax: 0.99,
    timeExplicit: settings.timeExplicit,
    exact: components.length > 0,
    components,
    noise: 0.24,
    parameters: 33_000,
    entropy: null,
    metrics: [],
  };
}

/** Makes an engine; nothing is connected. */
export function fakeEngine(): FakeEngine {
  const calls: Call[] = [], broken = new Map<keyof LaboratoryEngine, string>();
  const held: (() => void)[] = [];
  let events: LaboratoryEvents | null = null, step = 0, settings: LaboratorySettings | null = null;
  const made = { connections: 0, closed: 0 };

  function answer<R>(name: keyof LaboratoryEngine, given: unknown[], make: () => R): Promise<R> {
    calls.push({ name, given });
    const problem = broken.get(name) ??
      (name === "open" ? fake.refusal(given[0] as LaboratorySettings) : null) ?? undefined;
    return new Promise((resolve, reject) => {
      const settle = () => problem === undefined ? resolve(make()) : reject(new Error(problem));
      if (fake.hold) held.push(settle);
      else settle();
    });
  }

  const engine: LaboratoryEngine = {
    open: (next) =>
      answer("open", [next], () => {
        step = 0;
        settings = next;
        return { ...factsOf(next), ...fake.facts };
      }),
    openRun: (files) =>
      answer("openRun", [files], () => {
        step = files.step;
        settings = JSON.parse(files.config) as LaboratorySettings;
        return { facts: { ...factsOf(settings), step, ...fake.facts }, settings };
      }),
    play: (until) => answer("play", until === undefined ? [] : [until], () => {}),
    pause: () => answer("pause", [], () => {}),
    step: () => answer("step", [], () => fake.tell({ step: step + 1 })),
    field: (request) => answer("field", [request], () => harmonicField(request, step)),
    flow: (request) => answer("flow", [request], () => harmonicFlow(request, step)),
    compareSolvers: () =>
      answer("compareSolvers", [], () => ({
        flows: [],
        reference: { solver: "dop853", tolerance: 1e-8, evaluations: 200 },
      })),
    measure: () =>
      answer("measure", [], () => ({
        step,
        energyDistance: 1 / (1 + step),
        energyDistanceOfData: 1e-3,
        negativeLogLikelihood: 2.1,
        withinModes: 0.9,
      })),
    dataSamples: (n) => answer("dataSamples", [n], () => new Float32Array(2 * n)),
    keep: (name) =>
      answer("keep", [name], () => ({ id: 1, name, step, timeExplicit: true, uMax: 0.99 })),
    drop: (id) => answer("drop", [id], () => {}),
    exportRun: (name) => answer("exportRun", [name], () => new Uint8Array(3)),
  };

  const fake: FakeEngine = {
    calls,
    broken,
    made,
    refusal: () => null,
    hold: false,
    facts: {},
    connect(told) {
      made.connections++;
      events = told;
      return { engine, close: () => void made.closed++ };
    },
    of: (wanted) => calls.filter(({ name }) => name === wanted),
    tell(progress) {
      step = progress.step ?? step;
      const finished = step >= (settings?.steps ?? Infinity);
      events?.progress({
        ...{ step, playing: false, finished, stepsPerSecond: 0, metrics: [] },
        ...progress,
      });
    },
    fail: (message) => events?.failure(message),
    release: () => held.splice(0).forEach((settle) => settle()),
  };
  return fake;
}

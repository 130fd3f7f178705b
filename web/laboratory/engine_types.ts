/**
 * @file What the laboratory's engine does, as the page sees it: types alone, so that the page does not
 * load the core. The engine (`engine.ts`) runs in a worker; `connection.ts` calls it from the page.
 * All arrays are row by row; positions and velocities are pairs (x, y) in data units.
 */
import type { SolverName } from "../../core/flow/sampler.ts";
import type { DeviceInfo } from "../../core/tensor/device.ts";
import type { MetricsLine } from "../../core/train/run_directory.ts";
import type { LaboratorySettings } from "./settings.ts";

/**
 * The engine: one run at a time, and potentials that are kept. Every method may be called at any time:
 * it waits for a run that is being opened, and what was under way when another run was opened is
 * answered by that one. No event is sent of a run that was replaced.
 */
export interface LaboratoryEngine {
  /**
   * Starts a run anew, at step 0 and paused; the one before it is dropped. Of several calls in a row
   * only the last opens a run, and all resolve with its facts.
   *
   * @throws {ConfigError} for settings that make no run; the present one stays then
   */
  open(settings: LaboratorySettings): Promise<RunFacts>;
  /**
   * Opens a run that was trained elsewhere, at the checkpoint given, paused; it can go on.
   *
   * @throws {VapoError} for one that is not of points in the plane; {FormatError} for damaged files
   */
  openRun(files: RunFiles): Promise<{ facts: RunFacts; settings: LaboratorySettings }>;
  /** Trains until {@link pause}, or until `steps`, or to the run's end. Resolves at once. */
  play(until?: number): Promise<void>;
  /** Stops after the step at hand. */
  pause(): Promise<void>;
  /** One step. */
  step(): Promise<void>;
  /** Φ and its gradient on a square grid, of the averaged parameters. */
  field(request: FieldRequest): Promise<Field>;
  /** Particles from the prior, carried along. */
  flow(request: FlowRequest): Promise<Flow>;
  /** Two solvers from the same particles, each against a tight solution. */
  compareSolvers(request: SolverComparisonRequest): Promise<SolverComparison>;
  /** How far the samples are from the data. */
  measure(): Promise<Measures>;
  /** Samples of the run's data, [n, 2]. */
  dataSamples(n: number): Promise<Float32Array>;
  /** Keeps a copy of the present potential, to be composed with others. */
  keep(name: string): Promise<KeptPotential>;
  /** Drops a kept potential. */
  drop(id: number): Promise<void>;
  /** The run as a directory that `vapo sample` reads, in a ZIP archive: NAME/config.json, … */
  exportRun(name: string): Promise<Uint8Array>;
}

/** What the engine tells without being asked. */
export interface LaboratoryEvents {
  /** Lines of metrics since the last event, and where the run is. */
  progress(progress: Progress): void;
  /** A training that cannot go on, in one line. */
  failure(message: string): void;
}

/** Where a run is. */
export interface Progress {
  readonly step: number;
  readonly playing: boolean;
  /** Whether the run has come to its last step. */
  readonly finished: boolean;
  /** In the last second or so; 0 while paused. */
  readonly stepsPerSecond: number;
  /** Ascending steps: loss, transport, kinetic, gap, gradientNorm, learningRate; excess, minimum of mixtures. */
  readonly metrics: readonly MetricsLine[];
}

/** A run's directory, or a part of it that suffices. */
export interface RunFiles {
  readonly name: string;
  /** config.json. */
  readonly config: string;
  /** checkpoints/step-…/state.safetensors, and the step that it is of. */
  readonly state: Uint8Array;
  readonly step: number;
  /** metrics.jsonl, for the curves. */
  readonly metrics?: string;
}

/** What a run is. */
export interface RunFacts {
  readonly device: DeviceInfo;
  readonly threads: number;
  readonly step: number;
  readonly steps: number;
  /** The end of the time that training draws from. */
  readonly uMax: number;
  readonly timeExplicit: boolean;
  /** Whether exact answers are known: the data are a mixture of Gaussians. */
  readonly exact: boolean;
  /** Names of the data's components, whose weights can be set; empty where it has none. */
  readonly components: readonly string[];
  /** The data's own noise, which `noise: null` stands for. */
  readonly noise: number;
  /** Numbers that are learned. */
  readonly parameters: number;
  /** The entropy of the data in nats, the least negative log-likelihood; null where it is not known. */
  readonly entropy: number | null;
  /** Lines of metrics that are there already. */
  readonly metrics: readonly MetricsLine[];
}

/** Whose field or flow: what was learned so far, the exact one, or a sum Σ wᵢΦᵢ of kept potentials. */
export type Subject =
  | { readonly kind: "learned" }
  | { readonly kind: "exact" }
  | {
    readonly kind: "sum";
    readonly terms: readonly { readonly id: number; readonly weight: number }[];
  };

/** A potential that is kept. */
export interface KeptPotential {
  readonly id: number;
  readonly name: string;
  readonly step: number;
  readonly timeExplicit: boolean;
  readonly uMax: number;
}

/** The square grid [−extent, extent]², points at the centres of size² cells, y downwards from +extent. */
export interface Grid {
  readonly size: number;
  readonly extent: number;
}

/** What a field is asked for. */
export interface FieldRequest extends Grid {
  readonly subject: Subject;
  readonly u: number;
}

/** A potential and its gradient on a grid, at one time. */
export interface Field extends Grid {
  readonly subject: Subject;
  readonly u: number;
  /** The training step that it is of. */
  readonly step: number;
  /** Φ, [size, size], rows from the top; its mean weighted with the exact or mean density is not removed. */
  readonly potential: Float32Array;
  /** ∇Φ, [size, size, 2]. */
  readonly velocity: Float32Array;
  /** The exact density ρ̄ at u, [size, size]; null where it is not known. */
  readonly density: Float32Array | null;
}

/** How particles are carried along. */
export interface SolverChoice {
  readonly solver: SolverName;
  /** Of fixed-step and stochastic solvers. */
  readonly steps: number;
  /** Relative and absolute tolerance of adaptive ones. */
  readonly tolerance: number;
  /** How much noise a stochastic solver adds, κ of `solveSde`; default 0.5. */
  readonly noise?: number;
}

/** What a flow is asked for. */
export interface FlowRequest extends SolverChoice {
  readonly subject: Subject;
  /** Particles. */
  readonly n: number;
  readonly seed: number;
  /** Where it ends; null is uMax. */
  readonly until: number | null;
  /** Positions are given at so many equal times from 0 to the end. */
  readonly frames: number;
  /** Steps of Langevin refinement at the end; default 0. The last frame is the refined one. */
  readonly refineSteps?: number;
}

/** Particles at a row of times. */
export interface Flow {
  readonly subject: Subject;
  readonly step: number;
  readonly n: number;
  /** [frames], ascending from 0. */
  readonly times: Float32Array;
  /** [frames, n, 2]. */
  readonly positions: Float32Array;
  /** Velocity evaluations, and products with the Hessian that implicit solvers take besides. */
  readonly evaluations: number;
  readonly hessianProducts: number;
  readonly milliseconds: number;
}

/** What solvers are compared on. */
export interface SolverComparisonRequest extends Omit<FlowRequest, keyof SolverChoice> {
  readonly solvers: readonly SolverChoice[];
}

/** Solvers side by side, from the same particles. */
export interface SolverComparison {
  /** One each, in the order asked for; a solver that failed says why. */
  readonly flows: readonly (SolvedFlow | { readonly failure: string })[];
  /** The tight solution: which solver, tolerance and evaluations. */
  readonly reference: {
    readonly solver: SolverName;
    readonly tolerance: number;
    readonly evaluations: number;
  };
}

/** A flow, and how far its end is from the tight solution's. */
export interface SolvedFlow extends Flow {
  /** Root mean square over particles of the distance at the end, in data units; null for stochastic solvers. */
  readonly error: number | null;
  /** The largest of the distances. */
  readonly largestError: number | null;
}

/** How far the samples of the averaged parameters are from the data. */
export interface Measures {
  readonly step: number;
  /** Squared energy distance to fresh data, and that of two fresh sets of data (what it can be at best). */
  readonly energyDistance: number;
  readonly energyDistanceOfData: number;
  /** Mean negative log-likelihood of fresh data in nats. */
  readonly negativeLogLikelihood: number;
  /** Of mixtures, the share of samples within 3 standard deviations of a component; else null. */
  readonly withinModes: number | null;
}

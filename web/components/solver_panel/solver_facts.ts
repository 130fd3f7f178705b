/**
 * @file The solvers of the flow as somebody chooses among them: their groups, what each is in a line,
 * and the settings that are offered. Orders and kinds are those of `core/flow/ode/methods.ts`, which a
 * test compares; the page does not load the core for them.
 */
import type { SolverName } from "../../../core/flow/sampler.ts";
import type { SolverChoice } from "../../laboratory/engine_types.ts";

/** Groups of solvers, in order. */
export const SOLVER_GROUPS = {
  fixed: "Explicit, equal steps",
  adaptive: "Explicit, adaptive steps",
  implicit: "Implicit",
  stochastic: "Stochastic",
} as const;

/** A group's key. */
export type SolverGroup = keyof typeof SOLVER_GROUPS;

/** What there is to know of a solver. */
export interface SolverFacts {
  readonly group: SolverGroup;
  /** The error at the end falls as h^order with the step size h; of stochastic ones that of averages. */
  readonly order: number;
  /** Whether it is told a tolerance; else a number of steps. */
  readonly adaptive: boolean;
  /** What it is, in a line. */
  readonly about: string;
}

/** All solvers, in the order in which they are offered. */
export const solverFacts: Readonly<Record<SolverName, SolverFacts>> = {
  "euler": {
    group: "fixed",
    order: 1,
    adaptive: false,
    about: "One velocity a step, followed straight: the simplest there is.",
  },
  "midpoint": {
    group: "fixed",
    order: 2,
    adaptive: false,
    about: "Takes the velocity half a step ahead.",
  },
  "heun": {
    group: "fixed",
    order: 2,
    adaptive: false,
    about: "Averages the velocities at both ends of a step.",
  },
  "rk4": {
    group: "fixed",
    order: 4,
    adaptive: false,
    about: "The classical Runge-Kutta method, four velocities a step.",
  },
  "bogacki-shampine": {
    group: "adaptive",
    order: 3,
    adaptive: true,
    about: "A pair of orders 3 and 2, for loose tolerances.",
  },
  "rk45": {
    group: "adaptive",
    order: 5,
    adaptive: true,
    about: "Dormand and Prince's pair, with SciPy's very steps: a good first choice.",
  },
  "dop853": {
    group: "adaptive",
    order: 8,
    adaptive: true,
    about: "Dormand and Prince's order 8, for tight tolerances on smooth fields.",
  },
  "backward-euler": {
    group: "implicit",
    order: 1,
    adaptive: false,
    about:
      "Takes the velocity at the step's end, solving for it with Hessian products: never unstable.",
  },
  "radau": {
    group: "implicit",
    order: 5,
    adaptive: true,
    about: "Radau IIA, Hessian products in place of matrices: for stiff fields.",
  },
  "euler-maruyama": {
    group: "stochastic",
    order: 1,
    adaptive: false,
    about:
      "Adds noise and its correction by the score, so that samples forget the solver's errors.",
  },
  "stochastic-heun": {
    group: "stochastic",
    order: 2,
    adaptive: false,
    about: "The same with both ends of a step averaged, two velocities a step.",
  },
};

/** The names, in the order of {@link solverFacts}. */
export const solverOrder = Object.keys(solverFacts) as readonly SolverName[];

/** Tolerances that the slider stops at, loose to tight. */
export const TOLERANCES: readonly number[] = [
  1e-1,
  3e-2,
  1e-2,
  3e-3,
  1e-3,
  3e-4,
  1e-4,
  3e-5,
  1e-5,
  3e-6,
  1e-6,
  3e-7,
  1e-7,
  3e-8,
  1e-8,
];

/** Numbers of steps that the slider stops at. */
export const STEPS: readonly number[] = [
  ...[1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 64, 80, 100],
  ...[128, 160, 200, 256, 320, 400, 500, 640, 800, 1000],
];

/** Numbers of particles that the slider stops at. */
export const PARTICLES: readonly number[] = [100, 200, 300, 500, 1000, 2000, 3000, 5000, 10000];

/** How much noise a stochastic solver adds, κ. */
export const NOISES: readonly number[] = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20];

/** The stop that is nearest to a value on a logarithmic scale. */
export function nearestStop(stops: readonly number[], value: number): number {
  const distance = (stop: number) => Math.abs(Math.log(stop) - Math.log(value));
  return stops.reduce((best, stop, i) => distance(stop) < distance(stops[best]) ? i : best, 0);
}

/** A tolerance as people write it: "1e−3". */
export function formatTolerance(value: number): string {
  return value.toExponential().replace("e-", "e−").replace("e+", "e");
}

/** A solver at settings from coarse to fine, to draw its whole curve of work against precision. */
export function traceOf({ solver, steps, tolerance }: SolverChoice): SolverChoice[] {
  return solverFacts[solver].adaptive
    ? [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6].map((each) => ({ solver, steps, tolerance: each }))
    : [5, 10, 20, 40, 80, 160].map((each) => ({ solver, steps: each, tolerance }));
}

/**
 * @file Flows: particles from the prior carried along a potential by any solver, with frames at equal
 * times that cost no evaluation.
 */
import { VapoError } from "../../core/errors.ts";
import { keptPrograms } from "../../core/flow/kept_programs.ts";
import { type OdeMethodName, odeMethods } from "../../core/flow/ode/methods.ts";
import { openSampler, type SampleOptions, type Sampler } from "../../core/flow/sampler.ts";
import { isSdeMethod } from "../../core/flow/sde.ts";
import { terminalTime } from "../../core/flow/terminal_time.ts";
import type { Turns } from "../../core/pauses.ts";
import { requireWhole } from "../../core/whole_number.ts";
import type { PotentialSubject } from "./engine_subjects.ts";
import { timedTurns } from "./engine_turns.ts";
import type { Flow, FlowRequest, SolverChoice } from "./engine_types.ts";

/** A flow, of whatever subject. */
export type FlowResult = Omit<Flow, "subject" | "step" | "n">;

/** Draws flows; what it compiles it keeps. */
export interface FlowMaker {
  /** One flow after the other, never two at a time. */
  draw(
    subject: PotentialSubject,
    request: Omit<FlowRequest, "subject">,
    signal: AbortSignal,
  ): Promise<FlowResult>;
  dispose(): void;
}

/** The most particles, one batch of {@link openSampler}. */
const MOST_PARTICLES = 2 ** 17;
/** The most positions of all frames together. */
const MOST_POSITIONS = 2 ** 23;
/**
 * Evaluations, products with the Hessian included, after which a solver is given up: some 20 seconds
 * with a thousand particles.
 */
export const MOST_EVALUATIONS = 5000;
/** Programs of one potential: solvers by number of particles. */
const PROGRAMS = 8;

/** What is learned, and two sums. */
const SUBJECTS = 3;

/** Makes flows on the open device. */
export function flowMaker(turns: Turns): FlowMaker {
  const samplers = keptPrograms(SUBJECTS);
  return {
    async draw({ key, potential, path, parameters }, request, signal) {
      const until = terminalTime(potential, path, request.until, "until");
      const plan = planFrames(request, until);
      const sampler = await samplers.get<Sampler>(
        key,
        () => Promise.resolve(openSampler(potential, parameters, path, PROGRAMS, "changing")),
      );
      sampler.bind(parameters);
      const timed = timedTurns(turns), start = performance.now();
      const { samples, trajectory, nfev, hessianProducts } = await sampler.draw({
        ...sampleOptions(request),
        until,
        frames: plan.drawn.length,
        refineSteps: request.refineSteps,
        signal,
        turns: timed,
      });
      return {
        ...plan.finish(trajectory!, samples),
        evaluations: nfev,
        hessianProducts,
        milliseconds: performance.now() - start - timed.waited(),
      };
    },
    dispose: () => samplers.dispose(),
  };
}

/** Whether a solver chooses its steps. */
export function isAdaptive(solver: SolverChoice["solver"]): boolean {
  return !isSdeMethod(solver) && (odeMethods[solver as OdeMethodName]?.adaptive ?? false);
}

/** Below this a step's error is lost among the rounding errors of positions in single precision. */
const SINGLE_PRECISION = 1e-5;

/**
 * What {@link drawSamples} is told of a request. Tolerances below 1e-5 get positions in double
 * precision, without which no step would be accurate enough.
 */
export function sampleOptions(
  { n, seed, solver, steps, tolerance, noise }: Omit<FlowRequest, "subject" | "until" | "frames">,
): Omit<SampleOptions, "until"> {
  return {
    n,
    seed,
    solver,
    steps,
    rtol: tolerance,
    atol: tolerance,
    noise,
    doublePrecision: isAdaptive(solver) && tolerance < SINGLE_PRECISION,
    batchSize: n,
    maxEvaluations: MOST_EVALUATIONS,
  };
}

/** Where frames are taken, and how those asked for are made of them. */
export interface FramePlan {
  /** The times of the frames that the solver gives, equal, from 0 to the end. */
  readonly drawn: readonly number[];
  /**
   * The frames asked for.
   *
   * @param trajectory [drawn, n, 2]
   * @param samples the last frame, refined where that was asked for: [n, 2]
   */
  finish(
    trajectory: Float32Array,
    samples: Float32Array,
  ): Pick<Flow, "times" | "positions">;
}

/**
 * Plans the frames of a flow. A solver of fixed steps would take further steps to end one at each
 * frame, and so be another solver: its frames are taken at ends of its own steps and, between them,
 * on straight lines.
 *
 * @throws {VapoError} for no particles or no frames, or more than memory is taken for
 */
export function planFrames(
  { n, frames, solver, steps }: Pick<FlowRequest, "n" | "frames" | "solver" | "steps">,
  until: number,
): FramePlan {
  requireWhole("n", n, 1);
  requireWhole("frames", frames, 1);
  if (n > MOST_PARTICLES || n * frames > MOST_POSITIONS) {
    throw new VapoError(
      `a flow of ${n} particles in ${frames} frames: expected at most ${MOST_PARTICLES} particles ` +
        `and ${MOST_POSITIONS} positions in all; take fewer`,
    );
  }
  const last = Math.max(1, frames - 1);
  const intervals = isAdaptive(solver) ? last : savedIntervals(steps, last);
  const times = Float32Array.from(
    { length: frames },
    (_, i) => frames === 1 ? until : until * (i / last),
  );
  return {
    drawn: Array.from({ length: intervals + 1 }, (_, i) => until * (i / intervals)),
    finish(trajectory, samples) {
      const positions = new Float32Array(frames * 2 * n);
      for (let i = 0; i + 1 < frames; i++) {
        const place = i * intervals / last, before = Math.floor(place), share = place - before;
        const [a, b] = [before, Math.min(intervals, before + 1)].map((k) =>
          trajectory.subarray(2 * n * k, 2 * n * (k + 1))
        );
        const frame = positions.subarray(2 * n * i, 2 * n * (i + 1));
        for (let j = 0; j < frame.length; j++) frame[j] = a[j] + share * (b[j] - a[j]);
      }
      positions.set(samples, 2 * n * (frames - 1));
      return { times, positions };
    },
  };
}

/** The least divisor of the steps that is no less than the intervals asked for, else all steps. */
function savedIntervals(steps: number, asked: number): number {
  requireWhole("steps", steps, 1);
  for (let intervals = asked; intervals < steps; intervals++) {
    if (steps % intervals === 0) return intervals;
  }
  return steps;
}

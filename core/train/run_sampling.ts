/**
 * @file How samples of a run are drawn where its configuration alone says it.
 */
import type { SampleOptions, SolverName } from "../flow/sampler.ts";
import { isSdeMethod } from "../flow/sde.ts";
import type { RunConfig } from "./config.ts";

/** How samples are drawn, but for how many. */
export type RunSampling = Pick<
  SampleOptions,
  "seed" | "solver" | "steps" | "equalSteps" | "rtol" | "atol" | "until" | "batchSize"
>;

/**
 * A configuration's section `sampling`, for its own solver or another one. A stochastic solver goes to
 * the path's end: `until` may lie beyond it, where no score is known.
 */
export function runSampling(
  { sampling, seed }: Pick<RunConfig, "sampling" | "seed">,
  solver: SolverName = sampling.solver,
): RunSampling {
  const { steps, rtol, atol, batchSize } = sampling;
  const until = isSdeMethod(solver) ? null : sampling.until;
  return { seed, solver, steps, equalSteps: false, rtol, atol, until, batchSize };
}

/**
 * @file What is counted rather than timed: kernels a step, the time that compiling takes, and memory
 * against the least that any plan could need.
 */
import type { ProgramStatistics } from "../../core/jit/mod.ts";
import { tf } from "../../core/tensor/mod.ts";
import { disposeState } from "../../core/train/state.ts";
import { initialState } from "../../core/train/initial_state.ts";
import { eagerStep } from "../peers/eager_peer.ts";
import { openWorkProblem } from "./problem.ts";
import type { PotentialWork } from "./works.ts";

/** Counts of one step. */
export interface StepCounts {
  readonly name: string;
  /** Kernels that eager TensorFlow.js runs a step, where it was counted. */
  readonly eagerKernels?: number;
  /** Of the compiled program. */
  readonly compiled?: ProgramStatistics;
}

/** Kernels that eager TensorFlow.js runs in one step. */
export async function eagerKernels(work: PotentialWork): Promise<number> {
  const problem = openWorkProblem(work);
  let state = initialState(problem);
  const { kernels } = await tf.profile(() => {
    state = eagerStep(problem, state);
    return state.counters.step;
  });
  disposeState(state);
  problem.data.dispose();
  return kernels.length;
}

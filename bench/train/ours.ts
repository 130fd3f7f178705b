/**
 * @file The works done by this project's compiled programs, on the device that is open.
 */
import { jit, type ProgramStatistics, type Session } from "../../core/jit/mod.ts";
import { type Tensor, type TensorRecord, tf } from "../../core/tensor/mod.ts";
import { disposeState, type TrainingState } from "../../core/train/state.ts";
import { wholeStep } from "../../core/train/training_step.ts";
import { initialState } from "../../core/train/initial_state.ts";
import { type StepMetrics } from "../../core/train/training_step.ts";
import { localPeer, type Peer, type Prepared } from "./peer.ts";
import { openWorkProblem, tensorProgram } from "./problem.ts";
import type { PotentialWork, Work } from "./works.ts";

/** A compiled work. */
export interface CompiledWork extends Prepared {
  /** What the program is like. */
  readonly statistics: ProgramStatistics;
}

type State = TrainingState & TensorRecord;

async function compileStep(work: PotentialWork, threads: number) {
  const problem = openWorkProblem(work);
  const state = initialState(problem) as State;
  const step = wholeStep(problem) as unknown as (
    state: State,
  ) => { state: State; metrics: StepMetrics };
  try {
    return await jit(step, { donate: true, threads }).load(state);
  } finally {
    // The program has copies of its own.
    disposeState(state);
    problem.data.dispose();
  }
}

async function compileTensorProgram(work: Work, threads: number) {
  const { f, a, b, parameters, dispose } = tensorProgram(work);
  try {
    const compiled = jit(
      (a: Tensor, b: Tensor, parameters: TensorRecord) => ({ result: f(a, b, parameters) }),
      { static: [2], threads },
    );
    return await compiled.load(a, b, parameters);
  } finally {
    dispose();
  }
}

/** Compiles a work for so many threads. */
export async function compileWork(work: Work, threads: number): Promise<CompiledWork> {
  const session =
    (work.kind === "step"
      ? await compileStep(work, threads)
      : await compileTensorProgram(work, threads)) as Pick<
        Session<TensorRecord>,
        "statistics" | "run" | "read" | "dispose"
      >;
  // WebAssembly is done when `run` returns; a GPU is when a result has been read.
  const waits = tf.getBackend() === "webgpu";
  return {
    statistics: session.statistics,
    async run(times) {
      session.run(times);
      if (waits) await session.read();
    },
    dispose: () => session.dispose(),
  };
}

/** This project's peer; `openDevice` comes first. */
export function ourPeer(): Peer {
  const threads = navigator.hardwareConcurrency > 1 ? [1, 2] : [1];
  return localPeer({
    name: "vapo",
    describe: () => Promise.resolve({ target: tf.getBackend() }),
    variants: () => tf.getBackend() === "webgpu" ? [{}] : threads.map((threads) => ({ threads })),
    prepare: (work, { threads = 1 }) => compileWork(work, threads),
  });
}

/**
 * @file The works done by eager TensorFlow.js on its WebAssembly backend, with this project's own
 * kernels where it lacks some or is slow: one kernel after another, on one thread (it has no more
 * under Deno).
 */
import { tf } from "../../core/tensor/mod.ts";
import { disposeState, type TrainingState } from "../../core/train/state.ts";
import { drawBatch } from "../../core/train/training_batch.ts";
import { initialState } from "../../core/train/initial_state.ts";
import { type TrainingProblem } from "../../core/train/training_problem.ts";
import { trainingStep } from "../../core/train/training_step.ts";
import { localPeer, type Peer, type Prepared } from "../train/peer.ts";
import { openWorkProblem, tensorProgram } from "../train/problem.ts";
import type { Work } from "../train/works.ts";

/** One step; the state that it was given is freed. */
export function eagerStep(problem: TrainingProblem, state: TrainingState): TrainingState {
  const next = tf.tidy(() =>
    trainingStep(problem, state, drawBatch(problem, state)).state as never
  ) as TrainingState;
  disposeState(state);
  return next;
}

function prepare(work: Work): Prepared {
  if (work.kind === "step") {
    const problem = openWorkProblem(work);
    let state = initialState(problem);
    return {
      run(times) {
        for (let i = 0; i < times; i++) state = eagerStep(problem, state);
      },
      dispose() {
        disposeState(state);
        problem.data.dispose();
      },
    };
  }
  const { f, a, b, parameters, dispose } = tensorProgram(work);
  return {
    run(times) {
      for (let i = 0; i < times; i++) tf.tidy(() => f(a, b, parameters)).dispose();
    },
    dispose,
  };
}

/** Eager TensorFlow.js; `openDevice("wasm")` comes first. Its kernels return when they are done. */
export function eagerPeer(): Peer {
  return localPeer({
    name: "TensorFlow.js",
    describe: () =>
      Promise.resolve({ version: tf.version.tfjs, backend: tf.getBackend(), threads: 1 }),
    variants: () => [{}],
    prepare: (work) => Promise.resolve(prepare(work)),
  });
}

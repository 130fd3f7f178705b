/**
 * @file A measure of the samples that is taken while a run goes on, and the checkpoint that is best by
 * it: the paper chooses its checkpoint by the Fréchet distance of 2,500 samples.
 */
import { VapoError } from "../errors.ts";
import type { TensorRecord } from "../tensor/mod.ts";
import { saveBest } from "./checkpoint.ts";
import { appendEvaluation, type EvaluationLine, readEvaluations } from "./run_directory.ts";
import type { RunStorage } from "./run_storage.ts";
import type { TrainingState } from "./state.ts";

/** A measure of how good a run's samples are, such as a Fréchet distance: less is better. */
export interface Evaluation {
  /** Its name, as in "fid". */
  readonly metric: string;
  /** Steps between two evaluations; the last step has one too. */
  readonly every: number;
  /**
   * Measures the averaged parameters, which stay the run's. A {@link VapoError}, or a value that is
   * not finite, is told as a notice, and the run goes on.
   */
  evaluate(parameters: TensorRecord, step: number, signal?: AbortSignal): Promise<number>;
}

/** Whether a step is one at which a run is evaluated. */
export function isEvaluated({ every }: Evaluation, step: number, steps: number): boolean {
  return step > 0 && (step % every === 0 || step === steps);
}

/** Whether a run's notes have the evaluation of a step. */
export async function hasEvaluation(
  { metric }: Evaluation,
  storage: RunStorage,
  step: number,
): Promise<boolean> {
  return (await readEvaluations(storage)).some((line) =>
    line.step === step && line.metric === metric
  );
}

/**
 * Evaluates a state, keeps it where it is the best so far, and notes the value. The note comes last:
 * a run that is killed before it evaluates once more.
 *
 * @returns false where the signal came first
 */
export async function evaluateState(
  evaluation: Evaluation,
  state: TrainingState,
  step: number,
  { storage, signal, onNotice, onEvaluated }: {
    readonly storage: RunStorage;
    readonly signal?: AbortSignal;
    readonly onNotice?: (message: string) => void;
    readonly onEvaluated?: (line: EvaluationLine, isBest: boolean) => void;
  },
): Promise<boolean> {
  const { metric } = evaluation;
  let value: number;
  try {
    value = await evaluation.evaluate(state.average, step, signal);
    if (!Number.isFinite(value)) {
      throw new VapoError(`${metric} is ${value}: expected a finite number`);
    }
  } catch (error) {
    if (signal?.aborted) return false;
    if (!(error instanceof VapoError)) throw error;
    onNotice?.(`no ${metric} at step ${step}: ${error.message}`);
    return true;
  }
  const earlier = (await readEvaluations(storage)).filter((line) => line.metric === metric);
  const isBest = earlier.every((line) => line.value > value);
  if (isBest) await saveBest(storage, state, step, { metric, value });
  await appendEvaluation(storage, { step, metric, value });
  onEvaluated?.({ step, metric, value }, isBest);
  return true;
}

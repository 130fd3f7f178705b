/**
 * @file A measure of the samples that is taken while a run goes on, and the checkpoint that is best by
 * it: the paper chooses its checkpoint by the Fréchet distance of 2,500 samples. Values are compared
 * only where they are of the same: a distance of more samples is smaller, whatever the samples are.
 */
import { VapoError } from "../errors.ts";
import type { TensorRecord } from "../tensor/mod.ts";
import { saveBest } from "./checkpoint.ts";
import {
  appendEvaluation,
  type EvaluatedOf,
  type EvaluationLine,
  readEvaluations,
} from "./run_directory.ts";
import type { RunStorage } from "./run_storage.ts";
import type { TrainingState } from "./state.ts";

/** How an evaluation is watched and stopped. */
export interface EvaluationWatch {
  readonly signal?: AbortSignal;
  /** Told how far a piece of work is. */
  readonly onProgress?: (what: string, done: number, total: number) => void;
}

/** A measure of how good a run's samples are, such as a Fréchet distance: less is better. */
export interface Evaluation {
  /** Its name, as in "fid". */
  readonly metric: string;
  /** What its values are a function of beside the parameters; left out, of nothing else. */
  readonly of?: EvaluatedOf;
  /** Steps between two evaluations; the last step has one too. */
  readonly every: number;
  /**
   * Computes what all evaluations share: called once, before the first step. What it throws ends the
   * run there, and not after thousands of steps.
   */
  prepare?(watch?: EvaluationWatch): Promise<void>;
  /**
   * Measures the averaged parameters, which stay the run's. Whatever it throws, or a value that is
   * not finite, is told as a notice, and the run goes on.
   */
  evaluate(parameters: TensorRecord, step: number, watch?: EvaluationWatch): Promise<number>;
}

/** Whether a step is one at which a run is evaluated. */
export function isEvaluated({ every }: Evaluation, step: number, steps: number): boolean {
  return step > 0 && (step % every === 0 || step === steps);
}

/** Whether a run's notes have the evaluation of a step. */
export async function hasEvaluation(
  evaluation: Evaluation,
  storage: RunStorage,
  step: number,
): Promise<boolean> {
  return (await readEvaluations(storage)).some((line) =>
    line.step === step && isComparable(line, evaluation)
  );
}

/** What is evaluated: a metric, and what its values are a function of. */
type Evaluated = Pick<EvaluationLine, "metric" | "of">;

/** Whether two values are of the same. */
function isComparable(a: Evaluated, b: Evaluated): boolean {
  const key = ({ metric, of }: Evaluated) =>
    JSON.stringify([metric, Object.entries(of ?? {}).sort()]);
  return key(a) === key(b);
}

/**
 * What differs between an evaluation and those that a run had last, in a line; null where nothing
 * does.
 */
export async function evaluationChange(
  evaluation: Evaluation,
  storage: RunStorage,
): Promise<string | null> {
  const last = (await readEvaluations(storage)).at(-1);
  if (!last || isComparable(last, evaluation)) return null;
  const before: EvaluatedOf = { metric: last.metric, ...last.of };
  const now: EvaluatedOf = { metric: evaluation.metric, ...evaluation.of };
  const changes = [...new Set([...Object.keys(now), ...Object.keys(before)])]
    .filter((name) => now[name] !== before[name])
    .map((name) => `${name} ${shown(now[name])}, before ${shown(before[name])}`);
  const what = last.of || last.metric !== evaluation.metric
    ? changes.join("; ")
    : "what the earlier ones are of is not noted";
  return `evaluations are others from step ${last.step} on (${what}): they are not compared with ` +
    "the earlier ones, and the next one becomes checkpoints/best";
}

function shown(value: EvaluatedOf[string] | undefined): string {
  if (value === undefined) return "not noted";
  const text = String(value);
  return text.length > 20 ? `${text.slice(0, 12)}…` : text;
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
  { storage, signal, onNotice, onEvaluating, onEvaluated }: {
    readonly storage: RunStorage;
    readonly signal?: AbortSignal;
    readonly onNotice?: (message: string, bug?: unknown) => void;
    readonly onEvaluating?: EvaluationWatch["onProgress"];
    readonly onEvaluated?: (line: EvaluationLine, isBest: boolean) => void;
  },
): Promise<boolean> {
  if (signal?.aborted) return false;
  const { metric, of } = evaluation;
  let value: number;
  try {
    value = await evaluation.evaluate(state.average, step, { signal, onProgress: onEvaluating });
    if (!Number.isFinite(value)) {
      throw new VapoError(`${metric} is ${value}: expected a finite number`);
    }
  } catch (error) {
    if (signal?.aborted) return false;
    const isBug = !(error instanceof VapoError);
    const reason = error instanceof Error ? error.message : String(error);
    const message = `no ${metric} at step ${step}: ${isBug ? "a bug: " : ""}${reason}`;
    onNotice?.(message, ...(isBug ? [error] : []));
    return true;
  }
  const line: EvaluationLine = { step, metric, value, ...(of && { of }) };
  const isBest = (await competitors(evaluation, storage)).every((other) => other.value > value);
  if (isBest) await saveBest(storage, state, step, line);
  await appendEvaluation(storage, line);
  onEvaluated?.(line, isBest);
  return true;
}

/**
 * The lines that a value is compared with: those since the last one of something else, whose best
 * checkpoint has taken the place of any before it.
 */
async function competitors(
  evaluation: Evaluation,
  storage: RunStorage,
): Promise<EvaluationLine[]> {
  const lines = await readEvaluations(storage);
  return lines.slice(lines.findLastIndex((line) => !isComparable(line, evaluation)) + 1);
}

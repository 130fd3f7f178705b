/**
 * @file What the parts of a batch have taught so far, as one record: what a state carries from one part
 * to the next.
 */
import { type Scalar, type TensorRecord, tf } from "../tensor/mod.ts";
import type { TrainingProblem } from "./training_problem.ts";
import type { BatchLoss } from "./training_step.ts";

/** The means of a batch's loss as one record, `gradients/NAME`, `parts/NAME` and `loss`. */
export function flattenLoss({ loss, parts, gradients }: Omit<BatchLoss, "spectral">): TensorRecord {
  const under = (part: string, record: TensorRecord) =>
    Object.entries(record).map(([name, tensor]) => [`${part}/${name}`, tensor] as const);
  return Object.fromEntries([
    ["loss", loss] as const,
    ...under("parts", parts),
    ...under("gradients", gradients),
  ]);
}

/** The inverse of {@link flattenLoss}. */
export function unflattenLoss(flat: TensorRecord): Omit<BatchLoss, "spectral"> {
  const { loss, ...rest } = flat;
  const records: Record<string, TensorRecord> = { parts: {}, gradients: {} };
  for (const [path, tensor] of Object.entries(rest)) {
    const slash = path.indexOf("/");
    records[path.slice(0, slash)][path.slice(slash + 1)] = tensor;
  }
  const { parts, gradients } = records;
  return { loss: loss as Scalar, parts: parts as BatchLoss["parts"], gradients };
}

/** The sums of {@link TrainingState.accumulated} before a batch's first part. */
export function zeroAccumulation(
  { config }: TrainingProblem,
  parameters: TensorRecord,
): TensorRecord {
  const zero = () => tf.scalar(0);
  const gradients = Object.fromEntries(
    Object.entries(parameters).map(([name, tensor]) => [name, tf.zerosLike(tensor)]),
  );
  const parts: TensorRecord = { transport: zero(), kinetic: zero(), gap: zero() };
  if (config.loss.spectralRegularization > 0) {
    Object.assign(parts, { spectral: zero(), largestSingularValue: zero() });
  }
  return flattenLoss({ loss: zero(), parts: parts as BatchLoss["parts"], gradients });
}

/**
 * @file Points of a distribution to measure by, which no training has seen.
 */
import { fork, randomKey, tf } from "../tensor/mod.ts";
import type { EvaluationContext } from "./context.ts";

/**
 * Fresh points of a distribution, of a stream that is not training's.
 *
 * @param stream what they are for: streams of other names are independent
 */
export async function freshPoints(
  { subject: { space }, sampling }: EvaluationContext,
  n: number,
  stream: string,
): Promise<Float32Array> {
  const draws = tf.tidy(() =>
    space.distribution!.sample(n, fork(randomKey(sampling.seed), `evaluation/${stream}`))
  );
  const values = await draws.data() as Float32Array;
  draws.dispose();
  return values;
}

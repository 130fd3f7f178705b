/**
 * @file The errors of the compiler.
 */
import { VapoError } from "../errors.ts";

/**
 * A function that cannot be compiled: it reads a tensor on the host, calls an operation that the
 * compiler does not have, or is used with other arguments than it was compiled for. The message
 * names the operation and the line in the function.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { jit, JitError, openDevice, tf, type Tensor } from "vapo";
 * await openDevice("cpu");
 * const mean = jit(({ x }: { x: Tensor }) => {
 *   const [first] = tf.neg(x).dataSync(); // there are no values yet
 *   return { y: tf.mul(x, first) };
 * });
 * await assertRejects(() => mean({ x: tf.ones([3]) }), JitError, "Neg");
 * ```
 */
export class JitError extends VapoError {
  /** The name of the class. */
  override name = "JitError";
}

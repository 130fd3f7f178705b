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

/**
 * A program that needs more memory than its device gives to one: see {@link deviceMemory}. It is
 * thrown before anything is allocated, unless it is the allocation itself that fails.
 *
 * @example
 * ```ts
 * import { assert, assertRejects } from "@std/assert";
 * import { DeviceMemoryError, jit, openDevice, type Tensor, tf } from "vapo";
 * await openDevice("wasm");
 * const square = jit((x: Tensor) => {
 *   const all = tf.exp(tf.add(tf.reshape(x, [-1, 1]), tf.reshape(x, [1, -1])));
 *   return { all }; // [100 000, 100 000]: 37 GiB
 * });
 * const error = await assertRejects(() => square(tf.ones([100_000])), DeviceMemoryError);
 * assert(error.bytes > error.limit);
 * ```
 */
export class DeviceMemoryError extends JitError {
  /** The name of the class. */
  override name = "DeviceMemoryError";
  /** How much the program needs, in bytes. */
  readonly bytes: number;
  /** The most that it can have, in bytes; NaN where the device refused it without a reason. */
  readonly limit: number;

  /**
   * @param message one line with both sizes and the remedy
   * @param sizes what is needed and what there is, in bytes
   * @param options the error that led to this one
   */
  constructor(
    message: string,
    { bytes, limit }: { readonly bytes: number; readonly limit: number },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.bytes = bytes;
    this.limit = limit;
  }
}

/** A size in words: whole mebibytes. */
export function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}

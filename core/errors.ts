/**
 * @file The errors that a user can cause. Each message is one line that names the value that was
 * wrong, what was expected, and what to do; the command line prints it and exits with 2.
 */

/**
 * An error that the user can mend: bad input, a damaged file, a device that is not there. The base
 * of all other errors that are thrown on purpose.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { decodeNpy, odeMethodName, presetConfig, VapoError } from "vapo";
 * assertThrows(() => odeMethodName("dop835"), VapoError, 'did you mean "dop853"');
 * assertThrows(() => presetConfig("ring"), VapoError, 'did you mean "rings"'); // a ConfigError
 * assertThrows(() => decodeNpy(new Uint8Array(3)), VapoError); // a FormatError
 * ```
 */
export class VapoError extends Error {
  /** The name of the class. */
  override name = "VapoError";
}

/**
 * A file whose content is not what its format promises (truncated, flipped bits, another format).
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { decodeNpy, FormatError } from "vapo";
 * assertThrows(() => decodeNpy(new Uint8Array(3), "samples.npy"), FormatError, "samples.npy");
 * ```
 */
export class FormatError extends VapoError {
  /** The name of the class. */
  override name = "FormatError";
}

/**
 * A configuration or an option with an unknown key, a value of the wrong type, or one out of range.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { ConfigError, gaussianPath } from "vapo";
 * assertThrows(() => gaussianPath({ omega: -1 }), ConfigError, "omega is -1");
 * ```
 */
export class ConfigError extends VapoError {
  /** The name of the class. */
  override name = "ConfigError";
}

/**
 * A computation whose result is no longer finite: a diverged training step or solver.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { NonFiniteError, solveOde } from "vapo";
 * // dy/dt = y² from 1 has the solution 1/(1 − t), which ends at t = 1.
 * const square = (_t: number, y: Float64Array) => y.map((value) => value * value);
 * await assertRejects(() => solveOde(square, [0, 2], Float64Array.of(1)), NonFiniteError);
 * ```
 */
export class NonFiniteError extends VapoError {
  /** The name of the class. */
  override name = "NonFiniteError";
}

/**
 * @file The errors that a user can cause. Each message is one line that names the value that was
 * wrong, what was expected, and what to do; the command line prints it and exits with 2.
 */

/** An error that the user can mend: bad input, a damaged file, a device that is not there. */
export class VapoError extends Error {
  override name = "VapoError";
}

/** A file whose content is not what its format promises (truncated, flipped bits, another format). */
export class FormatError extends VapoError {
  override name = "FormatError";
}

/** A configuration with an unknown key, a value of the wrong type, or one out of range. */
export class ConfigError extends VapoError {
  override name = "ConfigError";
}

/** A computation whose result is no longer finite: a diverged training step or solver. */
export class NonFiniteError extends VapoError {
  override name = "NonFiniteError";
}

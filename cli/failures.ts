/**
 * @file How the program ends when something is wrong. What a user can mend is one line on stderr and
 * exit code 2; anything else is a bug, said to be one, with its stack and exit code 70 (EX_SOFTWARE
 * of BSD's sysexits.h).
 */
import { CommanderError } from "commander";
import { VapoError } from "../core/errors.ts";
import { standardError } from "./terminal.ts";

/** The codes that the program exits with. */
export const exitCodes = {
  success: 0,
  /** Something that the user can mend, a diverged run included. */
  userError: 2,
  bug: 70,
  /** Stopped by SIGINT or SIGTERM, the run saved. */
  interrupted: 130,
} as const;

/** What is printed on stderr, and the exit code. */
export interface Failure {
  readonly text: string;
  readonly exitCode: number;
}

/** What the program says of an error, and the code it exits with. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof VapoError) return userError(error.message);
  if (error instanceof CommanderError) {
    // Help and the version come as errors with exit code 0, already printed.
    if (error.exitCode === 0) return { text: "", exitCode: exitCodes.success };
    return userError(error.message.replace(/^error: /, ""));
  }
  if (error instanceof Deno.errors.NotCapable) {
    return userError(`${error.message}; start the program by "deno task vapo"`);
  }
  const stack = error instanceof Error ? error.stack ?? error.message : String(error);
  return {
    text: `vapo: this is a bug; please report it with these lines\n${stack}`,
    exitCode: exitCodes.bug,
  };
}

/** Says on stderr what went wrong; the code to exit with. */
export function printFailure(error: unknown): number {
  const { text, exitCode } = describeFailure(error);
  if (text !== "") standardError.line(text);
  return exitCode;
}

function userError(message: string): Failure {
  // Text of a damaged file may hold what moves a terminal's cursor.
  // deno-lint-ignore no-control-regex -- these are what is looked for
  const text = message.replace(/\s*\n\s*/g, " ").replace(/[\x00-\x1f\x7f-\x9f]/g, "\ufffd");
  return { text: `vapo: ${text}`, exitCode: exitCodes.userError };
}

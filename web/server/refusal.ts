/**
 * @file What the server answers where it refuses: one line, as JSON, with a status.
 */
import { VapoError } from "../../core/errors.ts";

/** The statuses that refusals have. */
export type RefusalStatus = 400 | 403 | 404 | 405 | 409 | 413 | 414 | 415 | 500 | 503;

/** A request that is refused; its message is the line that the client is given. */
export class Refusal extends VapoError {
  /** The name of the class. */
  override name = "Refusal";
  /** The status of the answer. */
  readonly status: RefusalStatus;

  /**
   * @param status the status of the answer
   * @param message one line: what was wrong, what was expected, what to do
   */
  constructor(status: RefusalStatus, message: string) {
    super(message);
    this.status = status;
  }
}

/** The longest line that is shown of a damaged file or of a process. */
const LONGEST = 400;

/** Text as one line that can be shown: no line breaks and no control characters, cut where it is long. */
export function oneLine(text: string): string {
  const line = text.replace(/\s+/g, " ").replace(/\p{Cc}/gu, "\ufffd").trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}

/**
 * What is told of an error: a refusal's own line and status, other errors that a user can mend with
 * 500, and of a bug no more than that it is one.
 */
export function describeRefusal(error: unknown): { status: RefusalStatus; line: string } {
  if (error instanceof Refusal) return { status: error.status, line: oneLine(error.message) };
  if (error instanceof VapoError) return { status: 500, line: oneLine(error.message) };
  return {
    status: 500,
    line: "the server has a bug: the terminal that it runs in says more; please report it",
  };
}

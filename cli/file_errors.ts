/**
 * @file What the operating system refuses, in the words of the command line: the path, the reason,
 * the remedy.
 */
import { VapoError } from "../core/errors.ts";

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: make room and try again",
  EDQUOT: "the disk quota is used up: make room and try again",
  EFBIG: "the file would be larger than the system allows: raise the limit",
  EACCES: "no permission: choose another place or change its permissions",
  EPERM: "no permission: choose another place or change its permissions",
  EROFS: "the file system is read-only: choose another place",
  ENOTDIR: "a part of the path is a file, not a directory: choose another path",
  EEXIST: "there is a file of that name: choose another path",
  EISDIR: "it is a directory: name a file",
  ENOENT: "there is no such file or directory: check the path",
  ENAMETOOLONG: "the name is too long: choose a shorter one",
  EIO: "the device reports an error: check the disk",
};

/**
 * Runs file operations; what the system refuses comes out as one line.
 *
 * @param what the verb of the message, as in "write"
 * @param path the path of the message, as the user knows it
 * @throws {VapoError} `cannot WHAT PATH: REASON` for every error of the operating system
 */
export async function withFileErrors<T>(
  what: string,
  path: string,
  operation: () => Promise<T>,
): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw fileError(what, path, error);
  }
}

/** What {@link withFileErrors} throws in place of an error. */
export function fileError(what: string, path: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof VapoError) return error;
  if (error instanceof Deno.errors.NotCapable) {
    return new VapoError(
      `cannot ${what} ${path}: Deno does not permit it: choose another place, ` +
        'or start the program by "deno task vapo"',
    );
  }
  const { code } = error as { code?: unknown };
  if (typeof code !== "string") return error;
  // What the system says, less the number and the call that Deno adds to it.
  const reason = remedies[code] ?? error.message.replace(/ \(os error \d+\).*$/s, "");
  return new VapoError(`cannot ${what} ${path}: ${reason}`);
}

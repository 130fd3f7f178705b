/** @file Paths of archives' entries, which come from strangers and must stay below one directory. */

import { FormatError } from "../errors.ts";

/** A text from a file on one line of an error message, however long it is in the file. */
export function quoted(text: string): string {
  const quotes = JSON.stringify(text);
  return quotes.length <= 120 ? quotes : `${quotes.slice(0, 60)}...${quotes.slice(-57)}`;
}

/**
 * A file's path with "/" between its parts, without those that are empty or ".".
 *
 * @param where the archive and the entry's place in it, for error messages
 * @throws {FormatError} where the path is absolute, climbs out with "..", or is one that another
 * system would take for such: with a backslash, a drive letter or a control character.
 */
export function archivePath(path: string, where: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  const reason = path.startsWith("/")
    ? "is absolute"
    : parts.includes("..")
    ? "climbs out of its directory"
    : path.includes("\\")
    ? "has a backslash"
    : /^[A-Za-z]:/.test(parts[0] ?? "")
    ? "has a drive letter"
    // deno-lint-ignore no-control-regex -- control characters are what is looked for
    : /[\0-\x1f\x7f]/.test(path)
    ? "has a control character"
    : path.endsWith("/")
    ? "is that of a directory"
    : parts.length === 0
    ? "is empty"
    : undefined;
  if (reason) {
    throw new FormatError(
      `${where} has an entry whose path ${
        quoted(path)
      } ${reason}; expected a relative path with "/" between its parts: do not trust this archive, or write it again`,
    );
  }
  return parts.join("/");
}

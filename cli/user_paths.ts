/**
 * @file Where the user is. `deno task` runs a program in the project's directory and says in
 * INIT_CWD where it was called; paths that a user types are relative to there.
 */
import { dirname, fromFileUrl, isAbsolute, join, relative } from "@std/path";

/** Whether the program was started by `deno task`, and not where the user is. */
function startedByTask(): boolean {
  return import.meta.url.startsWith("file:") && Deno.env.get("INIT_CWD") !== undefined &&
    Deno.cwd() === dirname(dirname(fromFileUrl(import.meta.url)));
}

/** The directory that the user is in. */
function userDirectory(): string {
  return startedByTask() ? Deno.env.get("INIT_CWD")! : Deno.cwd();
}

/** The absolute path of one that the user typed. */
export function userPath(path: string): string {
  return isAbsolute(path) ? path : join(userDirectory(), path);
}

/** An absolute path as the user would type it: relative, where it lies below the user's directory. */
export function shownPath(path: string): string {
  const shown = relative(userDirectory(), path);
  return shown === "" || shown.startsWith("..") || isAbsolute(shown) ? path : shown;
}

/** A command line to type next, in the way the program was started. */
export function commandLine(...words: string[]): string {
  const task = Deno.execPath().includes("_npx")
    ? ["npx", "-y", `deno@${Deno.version.deno}`, "task"]
    : ["deno", "task"];
  const program = startedByTask() ? task : ["vapo"];
  return [...program, ...words.map(quoted)].join(" ");
}

/** A word as a POSIX shell takes it for one. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

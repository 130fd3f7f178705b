/**
 * @file From names in addresses to files on disk, and never to a file outside: a run is one directory
 * of the runs directory, and what is read of it lies in that directory in truth, links resolved.
 */
import { join, SEPARATOR } from "@std/path";
import { fileError } from "../../cli/file_errors.ts";
import { oneLine, Refusal } from "./refusal.ts";

/** The longest name of a run in bytes: file systems have 255, of which a file beside it takes some. */
const LONGEST_NAME = 240;

/**
 * Whether a text can be the name of a run: one segment of a path that is not hidden. Neither
 * separators nor percent signs are let in, so that nothing comes of decoding twice; nor control or
 * formatting characters, which no one sees.
 */
export function isRunName(name: string): boolean {
  if (name === "" || name.startsWith(".") || /[/\\%]|[\p{Cc}\p{Cf}\p{Cs}]/u.test(name)) {
    return false;
  }
  if (Deno.build.os === "windows" && (/[:*?"<>|]/.test(name) || /[. ]$/.test(name))) return false;
  return new TextEncoder().encode(name).length <= LONGEST_NAME;
}

/**
 * A run's name as it came in an address, decoded.
 *
 * @throws {Refusal} 404 where there can be no such run
 */
export function requireRunName(name: string | undefined): string {
  if (name !== undefined && isRunName(name)) return name;
  throw new Refusal(
    404,
    `there is no run ${shownName(name ?? "")}: expected the name of a directory in the runs ` +
      "directory, without / \\ or %, and not hidden",
  );
}

function shownName(name: string): string {
  const shown = JSON.stringify(oneLine(name));
  return shown.length > 60 ? `${shown.slice(0, 59)}…` : shown;
}

/** Where a run is. */
export interface RunPlace {
  readonly name: string;
  /** Its real path: absolute, with no link in it. */
  readonly directory: string;
}

/** Whether a real path is a directory's or lies below it. */
export function isInside(path: string, directory: string): boolean {
  const prefix = directory.endsWith(SEPARATOR) ? directory : directory + SEPARATOR;
  return path === directory || path.startsWith(prefix);
}

/** The real path of a directory, or null where there is none. */
async function realDirectory(path: string): Promise<string | null> {
  try {
    const real = await Deno.realPath(path);
    return (await Deno.stat(real)).isDirectory ? real : null;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** Whether the system says that there is nothing of that name. */
export function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory ||
    (error as { code?: unknown })?.code === "ENOTDIR";
}

/**
 * Finds a run's directory.
 *
 * @param runs the runs directory
 * @param name see {@link isRunName}
 * @returns null where there is no directory of that name
 * @throws {Refusal} 403 for a link that leads out of the runs directory, or that leads nowhere known
 */
export async function findRun(runs: string, name: string): Promise<RunPlace | null> {
  try {
    const root = await realDirectory(runs);
    const directory = root && await realDirectory(join(root, name));
    if (!directory) return null;
    if (isInside(directory, root) && directory !== root) return { name, directory };
  } catch (error) {
    throw new Refusal(403, (fileError("open run", name, error) as Error).message);
  }
  throw new Refusal(
    403,
    `${name} is a link that leads out of the runs directory: start the server with --runs on the ` +
      "directory that it leads to",
  );
}

/**
 * The real path of something in a directory, or null where there is nothing of that name.
 *
 * @param directory a real path
 * @param path names joined by /
 * @throws {Refusal} 403 where it leads out of the directory
 */
export async function realInside(directory: string, path: string): Promise<string | null> {
  let real: string;
  try {
    real = await Deno.realPath(join(directory, ...path.split("/")));
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  if (isInside(real, directory)) return real;
  throw new Refusal(403, `${path} is a link that leads out of its directory: it is not read`);
}

/** A file that can be read, with what the system says of it. */
export interface FoundFile {
  readonly path: string;
  readonly info: Deno.FileInfo;
}

/**
 * Finds a file in a directory.
 *
 * @param directory a real path
 * @param path names joined by /
 * @returns null where there is no file of that name, but nothing or a directory
 * @throws {Refusal} 403 where it leads out of the directory
 */
export async function findFile(directory: string, path: string): Promise<FoundFile | null> {
  const found = await findInside(directory, path);
  // Neither a pipe, which would be waited for, nor a device.
  return found?.info.isFile ? found : null;
}

/** As {@link findFile}, for whatever is there. */
export async function findInside(directory: string, path: string): Promise<FoundFile | null> {
  const real = await realInside(directory, path);
  if (real === null) return null;
  try {
    return { path: real, info: await Deno.stat(real) };
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/**
 * @file A run's directory on disk. Every file and every checkpoint appears whole or not at all, also
 * when the process is killed or the power fails: it is written under a temporary name beside its
 * place, flushed, and renamed, and the directory that holds the name is flushed.
 */
import { dirname, join } from "@std/path";
import { VapoError } from "../core/errors.ts";
import type { RunStorage } from "../core/train/run_storage.ts";
import { withFileErrors } from "./file_errors.ts";

/** Names of what is not finished begin so; a killed process leaves them behind. */
const TEMPORARY = ".tmp-";
/** A directory that another is about to take the place of. */
const REPLACED = ".replaced-";

/**
 * The storage of a run in a directory.
 *
 * @param directory where; made when the first file is written
 * @param location how it is called in messages
 * @throws {VapoError} from each operation that the system refuses or whose path leaves the directory
 */
export function directoryStorage(directory: string, location = directory): RunStorage {
  const explained = async <T>(
    what: string,
    path: string,
    operation: (full: string) => Promise<T>,
  ): Promise<T> => {
    const full = join(directory, insidePath(path, location));
    return await withFileErrors(what, `${location}/${path}`, () => operation(full));
  };
  return {
    location,
    read: (path) => explained("read", path, readIfThere),
    write: (path, bytes) => explained("write", path, (full) => writeWhole(full, bytes)),
    writeDirectory: (path, files) =>
      explained("write", path, (full) => writeDirectoryWhole(full, files)),
    append: (path, bytes) => explained("append to", path, (full) => appendAndFlush(full, bytes)),
    list: (path) => explained("list", path, listNames),
    remove: (path) => explained("remove", path, removeIfThere),
  };
}

/** A path as it is, once it is sure to stay inside. */
function insidePath(path: string, location: string): string {
  const parts = path.split("/");
  const bad = parts.some((part) => part === "" || part === "." || part === "..") ||
    /[\\\0]/.test(path) || /^[A-Za-z]:/.test(path);
  if (bad) {
    throw new VapoError(
      `path ${JSON.stringify(path)} leaves the run directory ${location}: ` +
        "expected names joined by /, as in samples/step-00000500.png",
    );
  }
  return path;
}

async function readIfThere(path: string): Promise<Uint8Array | null> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/**
 * Writes a file so that a reader sees the old one or the new one whole.
 *
 * @throws what Deno throws; nothing is left behind then
 */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await makeDirectory(dirname(path));
  const temporary = temporaryName(path);
  try {
    await writeAndFlush(temporary, bytes);
    await Deno.rename(temporary, path);
  } catch (error) {
    await removeIfThere(temporary);
    throw error;
  }
  await flushDirectory(dirname(path));
}

async function writeDirectoryWhole(
  path: string,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<void> {
  await makeDirectory(dirname(path));
  const temporary = temporaryName(path);
  try {
    await Deno.mkdir(temporary);
    for (const [name, bytes] of Object.entries(files)) {
      await writeAndFlush(join(temporary, name), bytes);
    }
    await flushDirectory(temporary);
    await moveInPlace(temporary, path);
  } catch (error) {
    await removeIfThere(temporary);
    throw error;
  }
  await flushDirectory(dirname(path));
}

/** Renames a directory over another, which is set aside first: a rename replaces only empty ones. */
async function moveInPlace(temporary: string, path: string): Promise<void> {
  const aside = siblingName(path, REPLACED);
  const replaces = await isThere(path);
  if (replaces) {
    await removeIfThere(aside);
    await Deno.rename(path, aside);
  }
  await Deno.rename(temporary, path);
  if (replaces) await removeIfThere(aside);
}

async function appendAndFlush(path: string, bytes: Uint8Array): Promise<void> {
  await makeDirectory(dirname(path));
  using file = await Deno.open(path, { append: true, create: true });
  await writeAll(file, bytes);
  await file.sync();
}

async function writeAndFlush(path: string, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  await writeAll(file, bytes);
  await file.sync();
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}

/** Makes a renamed or new name last. Windows has no such call, and needs none. */
async function flushDirectory(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using directory = await Deno.open(path);
  await directory.sync();
}

async function makeDirectory(path: string): Promise<void> {
  if (await isThere(path)) return;
  await Deno.mkdir(path, { recursive: true });
  await flushDirectory(dirname(path));
}

/** Whether there is anything of that name, a link that leads nowhere included. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function listNames(path: string): Promise<string[]> {
  return (await entryNames(path)).filter((name) => !isLeftover(name));
}

/** All names in a directory, those of what is unfinished included; none where it is not there. */
export async function entryNames(path: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function temporaryName(path: string): string {
  return siblingName(path, `${TEMPORARY}${crypto.randomUUID().slice(0, 8)}-`);
}

/** The path of a name beside another, made of that name and a prefix. */
function siblingName(path: string, prefix: string): string {
  const parent = dirname(path);
  return join(parent, prefix + path.slice(parent.length).replace(/^[/\\]/, ""));
}

/** Whether a name is that of something unfinished. */
export function isLeftover(name: string): boolean {
  return /^\.tmp-[0-9a-f]{8}-/.test(name) || name.startsWith(REPLACED);
}

/**
 * Removes what a killed process left unfinished in a run's directory, and puts back what it had set
 * aside and not yet replaced. Only for whoever holds the run's lock.
 */
export async function removeLeftovers(directory: string, location: string): Promise<void> {
  await withFileErrors("clean", location, async () => {
    for (const inside of [".", "checkpoints", "samples"]) {
      const parent = join(directory, inside);
      if (!await isThere(parent)) continue;
      for (const { name } of await Array.fromAsync(Deno.readDir(parent))) {
        if (!isLeftover(name)) continue;
        const place = join(parent, name.slice(REPLACED.length));
        const lost = name.startsWith(REPLACED) && !await isThere(place);
        if (lost) await Deno.rename(join(parent, name), place);
        else await removeIfThere(join(parent, name));
      }
    }
  });
}

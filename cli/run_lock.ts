/**
 * @file One process at a time in a run's directory: an advisory lock of the operating system on
 * `.lock`, which is released however the process ends. The file holds the process's id, for the
 * message that another one prints.
 */
import { join } from "@std/path";
import { VapoError } from "../core/errors.ts";
import { withFileErrors } from "./file_errors.ts";

/** The name of the lock's file; it stays when the lock is released. */
export const LOCK_FILE = ".lock";

/**
 * Takes the lock of a run's directory.
 *
 * @param directory where; it has to be there
 * @param location how it is called in messages
 * @param what what kind of directory it is, in messages
 * @returns the lock, to be disposed of
 * @throws {VapoError} when another process has it
 */
export async function lockRun(
  directory: string,
  location: string,
  what = "run directory",
): Promise<Disposable> {
  return await withFileErrors("lock", location, async () => {
    const path = join(directory, LOCK_FILE);
    const file = await Deno.open(path, { read: true, write: true, create: true });
    try {
      if (!await tryTwice(file)) throw await inUse(path, `${what} ${location}`);
      await file.truncate(0);
      await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  });
}

/** How long a look at the lock may take, of a program that shows whether a run is under way. */
const LOOK_MILLISECONDS = 20;

/**
 * Takes a lock, also where another program has just been looking whether it is free.
 *
 * @returns whether it has it
 */
export async function tryTwice(file: Deno.FsFile): Promise<boolean> {
  if (await file.tryLock(true)) return true;
  await new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS));
  return await file.tryLock(true);
}

async function inUse(path: string, place: string): Promise<VapoError> {
  // Where locks are mandatory (Windows) the file cannot be read.
  const text = await Deno.readTextFile(path).catch(() => "");
  const owner = /^\d+$/.test(text.trim()) ? `process ${text.trim()}` : "another process";
  return new VapoError(
    `${place} is in use by ${owner}: ` +
      "wait for it or stop it, or choose another directory",
  );
}

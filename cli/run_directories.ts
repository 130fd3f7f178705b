/**
 * @file Finding and making run directories. A directory that holds anything is never written over.
 */
import { dirname, join } from "@std/path";
import { VapoError } from "../core/errors.ts";
import { withFileErrors } from "./file_errors.ts";
import { LOCK_FILE, lockRun } from "./run_lock.ts";
import { isLeftover, removeLeftovers } from "./run_storage.ts";
import { shownPath, userPath } from "./user_paths.ts";

/** A new run's directory, empty and locked. */
export interface ClaimedDirectory {
  readonly directory: string;
  /** How it is called in messages. */
  readonly location: string;
  readonly lock: Disposable;
  /** Takes back what a run that never started has written into it, and a directory made for it. */
  abandon(): Promise<void>;
}

/**
 * Makes the directory of a new run and locks it: the one that is named, or `runs/PRESET`,
 * `runs/PRESET-2`, … whichever is not there yet.
 *
 * @throws {VapoError} when the one named holds something or is in use
 */
export async function claimNewDirectory(
  out: string | undefined,
  preset: string,
): Promise<ClaimedDirectory> {
  const directory = out === undefined ? await makeNumbered(preset) : userPath(out);
  const location = shownPath(directory);
  await withFileErrors("make", location, () => Deno.mkdir(directory, { recursive: true }));
  await requireEmpty(directory, location);
  const lock = await lockRun(directory, location);
  try {
    await removeLeftovers(directory, location);
    await requireEmpty(directory, location);
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
  const abandon = () =>
    withFileErrors("clean", location, async () => {
      for (const name of await entryNames(directory)) {
        if (name !== LOCK_FILE) await Deno.remove(join(directory, name), { recursive: true });
      }
      if (out === undefined) await Deno.remove(directory, { recursive: true });
    });
  return { directory, location, lock, abandon };
}

/** Making a directory fails where it is there already: two processes cannot get the same. */
async function makeNumbered(preset: string): Promise<string> {
  for (let number = 1;; number++) {
    const directory = userPath(join("runs", number === 1 ? preset : `${preset}-${number}`));
    const made = await withFileErrors("make", shownPath(directory), async () => {
      await Deno.mkdir(dirname(directory), { recursive: true });
      try {
        await Deno.mkdir(directory);
        return true;
      } catch (error) {
        if (error instanceof Deno.errors.AlreadyExists) return false;
        throw error;
      }
    });
    if (made) return directory;
  }
}

async function requireEmpty(directory: string, location: string): Promise<void> {
  const names = await withFileErrors("read", location, () => entryNames(directory));
  // A process killed at its start leaves no more than this.
  if (names.every((name) => name === LOCK_FILE || isLeftover(name))) return;
  throw new VapoError(
    `--out ${location} is not empty: expected a new or empty directory; ` +
      (names.includes("config.json")
        ? `to go on with the run there, use --resume ${location}`
        : "choose another"),
  );
}

async function entryNames(directory: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name);
}

/** Checks that a directory is there and holds a run, without writing to it. */
export async function requireRun(directory: string, location: string): Promise<void> {
  const names = await withFileErrors("open run", location, () => entryNames(directory));
  if (names.includes("config.json")) return;
  throw new VapoError(
    `${location} is not a run: it has no config.json; start one with "vapo train"`,
  );
}

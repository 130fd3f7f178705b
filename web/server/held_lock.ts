/**
 * @file Whether a process holds a lock (`cli/run_lock.ts`), found out without being in anyone's way.
 *
 * The only question that systems answer alike is "may I have it?", and whoever asks has it for an
 * instant, in which a program that starts would be refused. So the question is asked as seldom as can
 * be. While the lock is held, asking takes nothing. Where it was found free, it stays free until
 * somebody takes it, and who takes it writes to the file: it is not asked again before the file's time
 * has changed. That leaves one instant of some 20 µs for each time that a lock is released, with a
 * shared lock, taken and given back without a pause in between; and a program that starts tries twice.
 */
import { memoryCache } from "./memory_cache.ts";
import { findFile } from "./run_paths.ts";

/** Answers whether locks are held. */
export interface LockWatch {
  /**
   * Whether a process holds the lock.
   *
   * @param directory a real path
   * @param file the lock's file in it
   * @returns the text of the file and when it was written, where it is held; null otherwise
   */
  holder(directory: string, file: string): Promise<LockHolder | null>;
}

/** Who holds a lock. */
export interface LockHolder {
  /** What it has written into the file: of a run's lock, the id of its process. */
  readonly text: string;
  /** Since when: milliseconds since 1970. */
  readonly since: number;
}

/** The longest text that is read of a lock's file. */
const LONGEST_TEXT = 4096;

/** Makes a watch of locks, which remembers those that it found free. */
export function lockWatch(): LockWatch {
  /** When the file of a free lock was last written to. */
  const free = memoryCache<number>(4096);
  return {
    async holder(directory, name) {
      // Before the question: who takes the lock after it changes the time.
      const found = await findFile(directory, name);
      if (!found) return null;
      const { path, info } = found, time = info.mtime?.getTime() ?? 0;
      if (free.get(path) === time) return null;
      using file = await Deno.open(path, { read: true });
      if (file.tryLockSync(false)) {
        file.unlockSync();
        free.set(path, time);
        return null;
      }
      return { text: await startOf(file), since: time };
    },
  };
}

async function startOf(file: Deno.FsFile): Promise<string> {
  const bytes = new Uint8Array(LONGEST_TEXT);
  try {
    const length = await file.read(bytes) ?? 0;
    return new TextDecoder().decode(bytes.subarray(0, length));
  } catch {
    return ""; // Where locks are mandatory (Windows) the file cannot be read.
  }
}

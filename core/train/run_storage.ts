/**
 * @file What a run needs of a file system. The core never touches one: the command line hands in a
 * directory, a browser may hand in its own store, a test a map in memory.
 */

/** A run's directory. Paths are relative, with forward slashes. */
export interface RunStorage {
  /** How the directory is called in messages. */
  readonly location: string;
  /** A file's bytes, or null where there is none. */
  read(path: string): Promise<Uint8Array | null>;
  /** Writes a file so that a reader sees the old one or the new one whole, never a part. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Writes a directory of files so that it is there whole or not at all. */
  writeDirectory(path: string, files: Readonly<Record<string, Uint8Array>>): Promise<void>;
  /** Appends to a file and flushes it. */
  append(path: string, bytes: Uint8Array): Promise<void>;
  /** Names in a directory; none where it is not there. */
  list(path: string): Promise<string[]>;
  /** Removes a file or a directory with all that is in it. */
  remove(path: string): Promise<void>;
}

/**
 * A storage in memory, for tests and for browsers that keep nothing.
 *
 * @param location how it is called in messages
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { memoryStorage } from "vapo";
 * const storage = memoryStorage();
 * await storage.append("samples/list", Uint8Array.of(1));
 * await storage.append("samples/list", Uint8Array.of(2, 3));
 * assertEquals(await storage.read("samples/list"), Uint8Array.of(1, 2, 3));
 * assertEquals(await storage.list("samples"), ["list"]);
 * ```
 */
export function memoryStorage(location = "memory"): RunStorage {
  const files = new Map<string, Uint8Array>();
  const inside = (directory: string) =>
    [...files.keys()].filter((path) => path.startsWith(`${directory}/`));
  return {
    location,
    read: (path) => Promise.resolve(files.get(path)?.slice() ?? null),
    write(path, bytes) {
      files.set(path, bytes.slice());
      return Promise.resolve();
    },
    writeDirectory(path, contents) {
      for (const old of inside(path)) files.delete(old);
      for (const [name, bytes] of Object.entries(contents)) {
        files.set(`${path}/${name}`, bytes.slice());
      }
      return Promise.resolve();
    },
    append(path, bytes) {
      const old = files.get(path) ?? new Uint8Array();
      const both = new Uint8Array(old.length + bytes.length);
      both.set(old);
      both.set(bytes, old.length);
      files.set(path, both);
      return Promise.resolve();
    },
    list(path) {
      const names = inside(path).map((file) => file.slice(path.length + 1).split("/")[0]);
      return Promise.resolve([...new Set(names)]);
    },
    remove(path) {
      for (const file of [path, ...inside(path)]) files.delete(file);
      return Promise.resolve();
    },
  };
}

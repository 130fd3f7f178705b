/**
 * @file Image files in a folder, however deep, or in a ZIP archive: listed in one order whatever the
 * file system's, read one at a time.
 */
import { basename, join } from "@std/path";
import { crc32 } from "../../core/formats/crc32.ts";
import type { RandomAccessFile } from "../../core/formats/random_access.ts";
import { openZip } from "../../core/formats/zip.ts";
import { withFileErrors } from "../file_errors.ts";
import { shownPath } from "../user_paths.ts";

/** Files below a place. */
export interface FileTree {
  /** How the place is called in messages. */
  readonly location: string;
  /** Relative paths with "/" between their parts, sorted by code points; hidden files left out. */
  readonly paths: readonly string[];
  /**
   * Reads a file.
   *
   * @throws {FormatError} where it is in an archive and damaged
   */
  read(path: string): Promise<Uint8Array>;
  /** Lets go of an archive. */
  close(): void;
}

/** Whether a name ends like that of an image that can be taken. */
export function isImageName(path: string): boolean {
  return /\.(png|jpe?g|webp)$/i.test(path);
}

/**
 * Lists what is in a folder or in a ZIP archive.
 *
 * @throws {VapoError} where it cannot be read
 * @throws {FormatError} where an archive is damaged
 */
export async function openFileTree(path: string): Promise<FileTree> {
  const location = shownPath(path);
  const { isDirectory } = await withFileErrors("open", location, () => Deno.stat(path));
  return isDirectory ? await folderTree(path, location) : await zipTree(path, location);
}

async function folderTree(root: string, location: string): Promise<FileTree> {
  const paths: string[] = [];
  const open = [""];
  for (let inside = open.pop(); inside !== undefined; inside = open.pop()) {
    await withFileErrors("read", join(location, inside), async () => {
      for await (const entry of Deno.readDir(join(root, inside))) {
        if (isHidden(entry.name)) continue;
        const path = inside === "" ? entry.name : `${inside}/${entry.name}`;
        if (entry.isDirectory) open.push(path);
        else if (entry.isFile || await isLinkedFile(join(root, path))) paths.push(path);
      }
    });
  }
  return {
    location,
    paths: paths.sort(byCodePoints),
    read: (path) =>
      withFileErrors("read", join(location, path), () => Deno.readFile(join(root, path))),
    close() {},
  };
}

/** A link to a file counts as one; a link to a directory is not followed: it may lead in circles. */
async function isLinkedFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function zipTree(path: string, location: string): Promise<FileTree> {
  const file = await withFileErrors("open", location, () => Deno.open(path));
  const archive = await openZip(await fileOnDisk(file, location)).catch((error) => {
    file.close();
    throw error;
  });
  const entries = new Map(archive.entries.map((entry) => [entry.path, entry]));
  const visible = [...entries.keys()].filter((path) =>
    !path.split("/").some((part) => isHidden(part) || part === "__MACOSX")
  );
  return {
    location,
    paths: visible.sort(byCodePoints),
    read: (path) => archive.read(entries.get(path)!),
    close: () => file.close(),
  };
}

async function fileOnDisk(file: Deno.FsFile, location: string): Promise<RandomAccessFile> {
  const { size } = await withFileErrors("open", location, () => file.stat());
  let turn: Promise<unknown> = Promise.resolve();
  const readAt = (offset: number, length: number) =>
    withFileErrors("read", location, async () => {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      await file.seek(offset, Deno.SeekMode.Start);
      let done = 0;
      while (done < bytes.length) {
        const read = await file.read(bytes.subarray(done));
        if (read === null) break;
        done += read;
      }
      return bytes.subarray(0, done);
    });
  return {
    source: location,
    size,
    read(offset, length) {
      // One at a time: there is one position in the file.
      const result = turn.then(() => readAt(offset, length));
      turn = result.catch(() => {});
      return result;
    },
  };
}

function isHidden(name: string): boolean {
  return name.startsWith(".");
}

/** The order of code points, which is also that of the paths' UTF-8 bytes. */
export function byCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i), y = b.charCodeAt(i);
    if (x !== y) return aboveSurrogates(x) - aboveSurrogates(y);
  }
  return a.length - b.length;
}

/** UTF-16's surrogates stand for code points above all others, and are not above all others. */
function aboveSurrogates(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit;
}

/** A checksum of a list of names: two sources with the same one hold files of the same names. */
export function namesChecksum(names: Iterable<string>): string {
  const encoder = new TextEncoder();
  let checksum = 0;
  for (const name of names) checksum = crc32(encoder.encode(`${name}\n`), checksum);
  return checksum.toString(16).padStart(8, "0");
}

/** The files that are no images, for a notice: how many, and the first few. */
export function otherFiles(paths: readonly string[]): string | null {
  const others = paths.filter((path) => !isImageName(path));
  if (others.length === 0) return null;
  const few = others.slice(0, 3).map((path) => basename(path)).join(", ");
  return `${others.length} other ${others.length === 1 ? "file" : "files"} (${few}${
    others.length > 3 ? ", …" : ""
  })`;
}

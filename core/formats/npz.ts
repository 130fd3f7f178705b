/**
 * @file NumPy's .npz files: a ZIP archive of .npy files, one an array, that `numpy.load` and
 * `numpy.savez` read and write (numpy.lib.npyio).
 */

import { FormatError } from "../errors.ts";
import { quoted } from "./archive_path.ts";
import { decodeNpy, encodeNpy, type NpyArray } from "./npy.ts";
import type { RandomAccessFile } from "./random_access.ts";
import { openZip } from "./zip.ts";
import { encodeZip } from "./zip_writer.ts";

/** An open .npz file. */
export interface NpzFile {
  /** The names of its arrays, in the order of the archive. */
  readonly names: readonly string[];
  /**
   * Reads an array.
   *
   * @throws {FormatError} where there is none of that name, or it is damaged or of another type than
   * `decodeNpy` reads.
   */
  read(name: string): Promise<NpyArray>;
}

const ending = ".npy";

/**
 * Opens a .npz file, compressed or not: reads the list of its arrays, and of those nothing until
 * they are asked for.
 *
 * @param file the archive
 * @param options.maxArrayBytes the longest array that is read, with its header; 1 GiB
 * @throws {FormatError} where it is no ZIP archive, or damaged.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeNpz, openNpz } from "vapo";
 * const bytes = encodeNpz({ mu: { dtype: "float64", shape: [2], data: Float64Array.of(1, 2) } });
 * const file = await openNpz({
 *   source: "stats.npz",
 *   size: bytes.length,
 *   read: (offset, length) => Promise.resolve(bytes.slice(offset, offset + length)),
 * });
 * assertEquals(file.names, ["mu"]);
 * assertEquals((await file.read("mu")).data, Float64Array.of(1, 2));
 * ```
 */
export async function openNpz(
  file: RandomAccessFile,
  { maxArrayBytes = 2 ** 30 }: { readonly maxArrayBytes?: number } = {},
): Promise<NpzFile> {
  const archive = await openZip(file, { maxEntryBytes: maxArrayBytes });
  const entries = new Map(
    archive.entries.filter(({ path }) => path.endsWith(ending))
      .map((entry) => [entry.path.slice(0, -ending.length), entry]),
  );
  const names = [...entries.keys()];
  return {
    names,
    async read(name) {
      const entry = entries.get(name);
      if (!entry) {
        throw new FormatError(
          `${file.source} has no array ${quoted(name)}; expected one among its ${names.length}${
            names.length > 0 ? ` (${quoted(names.slice(0, 8).join(", ")).slice(1, -1)})` : ""
          }: choose another file`,
        );
      }
      return decodeNpy(await archive.read(entry), `${file.source}: array ${quoted(name)}`);
    },
  };
}

/**
 * Writes arrays as a .npz file, without compression, as `numpy.savez` does.
 *
 * @param arrays row-major values, by name
 * @throws {VapoError} where an array does not fit its shape, a name is no path, or the file would be
 * 4 GiB or more.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeNpz } from "vapo";
 * const bytes = encodeNpz({ x: { dtype: "float32", shape: [1], data: Float32Array.of(0.5) } });
 * assertEquals(new TextDecoder().decode(bytes.subarray(30, 35)), "x.npy");
 * ```
 */
export function encodeNpz(arrays: Readonly<Record<string, NpyArray>>): Uint8Array<ArrayBuffer> {
  return encodeZip(
    Object.entries(arrays).map(([name, array]) => ({
      path: `${name}${ending}`,
      content: encodeNpy(array),
    })),
  );
}

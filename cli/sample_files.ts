/**
 * @file The files that `vapo sample` writes: a picture, NumPy's .npy, or comma-separated values.
 */
import { basename, dirname, extname, join } from "@std/path";
import { VapoError } from "../core/errors.ts";
import { encodeNpy } from "../core/formats/npy.ts";
import { encodePng } from "../core/picture/rgb_image.ts";
import type { SampleSpace } from "../core/train/data_sets.ts";
import { samplePicture } from "../core/train/sample_picture.ts";
import { withFileErrors } from "./file_errors.ts";
import { isThere, writeWhole } from "./run_storage.ts";
import { shownPath } from "./user_paths.ts";

/** The endings of files of samples. */
export const sampleEndings = [".png", ".npy", ".csv"] as const;

/**
 * Checks the ending of a file's name, if there is one.
 *
 * @throws {VapoError} for one that is not known
 */
export function requireEnding(
  file: string | undefined,
  endings: readonly string[],
  option: string,
): void {
  if (file === undefined || endings.includes(extname(file).toLowerCase())) return;
  throw new VapoError(
    `${option} ${file} has ${
      extname(file) === "" ? "no ending" : `the ending ${extname(file)}`
    }: expected ${endings.join(", ")}`,
  );
}

/** A file that is going to be written. */
export interface OutputFile {
  readonly path: string;
  write(bytes: Uint8Array): Promise<void>;
}

/**
 * Makes sure that a file can be written: that it is not there, and that its directory, made where it
 * is missing, takes files.
 *
 * @param force whether it may be there
 * @throws {VapoError} where it cannot be
 */
export async function openOutput(path: string, force: boolean): Promise<OutputFile> {
  const shown = shownPath(path);
  const requireFree = async () => {
    if (force || !await isThere(path)) return;
    throw new VapoError(`file ${shown} is there already: choose another name, or use --force`);
  };
  await withFileErrors("write", shown, async () => {
    await requireFree();
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.remove(await Deno.makeTempFile({ dir: dirname(path), prefix: ".tmp-" }));
  });
  return {
    path,
    write: (bytes) =>
      withFileErrors("write", shown, async () => {
        await requireFree();
        await writeWhole(path, bytes);
      }),
  };
}

/** A picture in a run's directory that is not there yet. */
export async function defaultOutput(run: string, step: number, seed: number): Promise<string> {
  const name = `step-${String(step).padStart(8, "0")}-seed-${seed}`;
  for (let number = 1;; number++) {
    const path = join(run, "samples", `${name}${number === 1 ? "" : `-${number}`}.png`);
    if (!await withFileErrors("write", shownPath(path), () => isThere(path))) return path;
  }
}

/**
 * Samples as the bytes of a file, by the ending of its name.
 *
 * @param shape [n, …]; for a trajectory [frames, n, …]
 */
export async function encodeSamples(
  path: string,
  samples: Float32Array,
  shape: readonly number[],
  space: SampleSpace,
): Promise<Uint8Array> {
  switch (extname(basename(path)).toLowerCase()) {
    case ".npy":
      return encodeNpy({ dtype: "float32", shape, data: samples });
    case ".csv":
      return await encodeCsv(samples, shape[0]);
    default:
      return encodePng(await samplePicture(space, samples));
  }
}

/** One sample a row; each number in the fewest digits that give the same float32 again. */
async function encodeCsv(samples: Float32Array, n: number): Promise<Uint8Array> {
  const size = samples.length / n;
  const header = Array.from({ length: size }, (_, i) => `x${i}`).join(",");
  // In parts: all of it may be longer than a string can be.
  const parts = [`${header}\n`];
  for (let row = 0; row < n; row++) {
    const numbers = Array.from(samples.subarray(row * size, (row + 1) * size), shortest);
    parts.push(`${numbers.join(",")}\n`);
  }
  return await new Blob(parts).bytes();
}

function shortest(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return String(text);
  }
  return String(Number(value.toPrecision(9)));
}

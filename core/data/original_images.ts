/**
 * @file The images of a data set as its authors hand it out, not prepared: MNIST, Fashion-MNIST and
 * CIFAR, whose files are small enough to be read whole.
 */
import { VapoError } from "../errors.ts";
import { cifarFiles, readCifar } from "./cifar.ts";
import { type ImageRecords, joinedRecords } from "./image_records.ts";
import { mnistImageFiles, readMnist } from "./mnist.ts";
import type { DataFiles } from "./prepared_set.ts";

/** A part of a data set. */
export type OriginalPart = "train" | "test";

/** Images, and the files that they come from, in words. */
export interface OriginalImages {
  readonly records: ImageRecords;
  readonly names: string;
}

/**
 * Reads the images of one part.
 *
 * @param prepared the data set's name, as in `vapo data NAME`
 * @param part the images to train on or those to test with
 * @param files where they are; MNIST's may be gzipped
 * @throws {VapoError} where the files are not there, or the set is not read in this form
 * @throws {FormatError} where one is damaged
 */
export async function readOriginalImages(
  prepared: string,
  part: OriginalPart,
  files: DataFiles,
): Promise<OriginalImages> {
  if (prepared === "mnist" || prepared === "fashion-mnist") {
    const { count, data } = await readMnist(async (name) => {
      const bytes = await files.read(name) ?? await files.read(`${name}.gz`);
      if (bytes) return bytes;
      throw missing(prepared, files, name);
    }, part);
    const labels = new Uint8Array();
    const records = { count, shape: [28, 28, 1], pixels: data, labels, labelsPerImage: 0 } as const;
    return { records, names: mnistImageFiles[part] };
  }
  if (prepared === "cifar10" || prepared === "cifar100") {
    return await readCifarFiles(prepared, cifarFiles[prepared][part], files);
  }
  throw missing(prepared, files);
}

async function readCifarFiles(
  prepared: "cifar10" | "cifar100",
  wanted: readonly string[],
  files: DataFiles,
): Promise<OriginalImages> {
  const parts: ImageRecords[] = [], found: string[] = [];
  for (const name of wanted) {
    const bytes = await files.read(name);
    if (!bytes) continue;
    found.push(name);
    parts.push(readCifar(bytes, { name: prepared, source: `${files.location}/${name}` }));
  }
  if (parts.length === 0) throw missing(prepared, files, wanted.join(", "));
  // A part of the set is a set: the report says which it was.
  const names = found.length < wanted.length
    ? `${found.join(", ")} (${found.length} of ${wanted.length} files)`
    : `${wanted.length} ${wanted.length === 1 ? "file" : "files"}`;
  return { records: joinedRecords(parts), names };
}

/** The command that prepares a data set. */
export function preparationCommand(prepared: string): string {
  return `vapo data ${prepared} --source PATH`;
}

function missing(prepared: string, { location }: DataFiles, original?: string): VapoError {
  return new VapoError(
    `no data set "${prepared}" in ${location}: expected index.json of a prepared set` +
      `${original ? ` or ${original}` : ""}; run "${preparationCommand(prepared)}", or name the ` +
      "directory with --data",
  );
}

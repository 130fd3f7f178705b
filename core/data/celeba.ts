/**
 * @file CelebA, 202,599 faces (Liu, Luo, Wang, Tang, "Deep Learning Face Attributes in the Wild",
 * ICCV 2015): its aligned pictures of 178 × 218 are in a ZIP archive, and which part each belongs to
 * is in a text file.
 */

import { FormatError } from "../errors.ts";
import { quoted } from "../formats/archive_path.ts";

/** A part of CelebA. */
export type CelebaPart = "train" | "validation" | "test";

/** The archive of the aligned pictures, and the text that divides them. */
export const celebaFiles = {
  images: "img_align_celeba.zip",
  partition: "list_eval_partition.txt",
} as const;

/** How many pictures each part has. */
export const celebaCounts: Readonly<Record<CelebaPart, number>> = {
  train: 162_770,
  validation: 19_867,
  test: 19_962,
};

/** The size of the aligned pictures. */
export const celebaSize = { width: 178, height: 218 } as const;

/** The square in the middle of a picture that is brought to 64 × 64. */
export const celebaCrop = { left: 0, top: 20, width: 178, height: 178 } as const;

/** The parts by their number in the file. */
const parts: readonly CelebaPart[] = ["train", "validation", "test"];

/**
 * Reads CelebA's division into parts: lines such as "000001.jpg 0", with 0 for training, 1 for
 * validation and 2 for testing.
 *
 * @param text the content of list_eval_partition.txt
 * @param source its name, for error messages
 * @returns the part of each picture by its file's name
 * @throws {FormatError} where a line is something else, a picture comes twice, or there is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readCelebaPartition } from "vapo";
 * const partition = readCelebaPartition("000001.jpg 0\n162771.jpg 1\n");
 * assertEquals(partition.get("162771.jpg"), "validation");
 * ```
 */
export function readCelebaPartition(
  text: string,
  source: string = celebaFiles.partition,
): Map<string, CelebaPart> {
  const partition = new Map<string, CelebaPart>();
  let offset = 0;
  for (const [index, line] of text.split("\n").entries()) {
    const [, name, number] = /^([\w-]+\.(?:jpg|png))[ \t]+([012])\s*$/.exec(line) ?? [];
    const where = `${source} has on line ${index + 1}, at character ${offset},`;
    offset += line.length + 1;
    if (name === undefined && line.trim() === "") continue;
    if (name === undefined) {
      throw new FormatError(
        `${where} ${
          quoted(line)
        }; expected a picture and its part, such as "000001.jpg 0": take CelebA's ${celebaFiles.partition}`,
      );
    }
    if (partition.has(name)) {
      throw new FormatError(
        `${where} ${
          quoted(name)
        } again; expected every picture once: take CelebA's ${celebaFiles.partition}`,
      );
    }
    partition.set(name, parts[Number(number)]);
  }
  if (partition.size === 0) {
    throw new FormatError(
      `${source} has no line up to character ${text.length}, its end; expected a picture and its part on each: take CelebA's ${celebaFiles.partition}`,
    );
  }
  return partition;
}

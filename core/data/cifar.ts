/**
 * @file CIFAR-10 and CIFAR-100, 50,000 + 10,000 pictures of 32 × 32 (Krizhevsky, "Learning Multiple
 * Layers of Features from Tiny Images", 2009), from the files of their binary version
 * (https://www.cs.toronto.edu/~kriz/cifar.html): records of labels, one byte each, and 3072 bytes of
 * pixels, the red ones first, then the green and the blue, each row by row.
 */

import { FormatError } from "../errors.ts";
import type { ImageRecords } from "./image_records.ts";

/** The names of the files that each part is in. */
export const cifarFiles = {
  cifar10: {
    train: [
      "data_batch_1.bin",
      "data_batch_2.bin",
      "data_batch_3.bin",
      "data_batch_4.bin",
      "data_batch_5.bin",
    ],
    test: ["test_batch.bin"],
  },
  cifar100: { train: ["train.bin"], test: ["test.bin"] },
} as const;

/** CIFAR-10 or CIFAR-100. */
export type CifarName = keyof typeof cifarFiles;

/** What the labels of a record are, in their order, and how many values each has. */
const labelKinds: Readonly<Record<CifarName, readonly { name: string; values: number }[]>> = {
  cifar10: [{ name: "label", values: 10 }],
  cifar100: [{ name: "coarse label", values: 20 }, { name: "fine label", values: 100 }],
};

const planeLength = 32 * 32;
const pixelsLength = 3 * planeLength;

/**
 * Reads a file of CIFAR-10 or CIFAR-100 in the binary version.
 *
 * Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
 *
 * @param bytes the whole file, of any number of records
 * @param options.name which of the two
 * @param options.source the file's name, for error messages
 * @returns pixels [count, 32, 32, 3]; CIFAR-100 has two labels an image, the coarse one first
 * @throws {FormatError} where the file is no whole number of records or a label is out of range.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readCifar } from "vapo";
 * const file = new Uint8Array(2 * 3073); // two records
 * file[0] = 9; // the first is a truck,
 * file.fill(200, 1, 1 + 1024); // all red
 * const { count, shape, pixels, labels } = readCifar(file, { name: "cifar10" });
 * assertEquals([count, ...shape], [2, 32, 32, 3]);
 * assertEquals(pixels.subarray(0, 3), Uint8Array.of(200, 0, 0));
 * assertEquals(labels, Uint8Array.of(9, 0));
 * ```
 */
export function readCifar(
  bytes: Uint8Array,
  { name, source = `${name} file` }: { readonly name: CifarName; readonly source?: string },
): ImageRecords {
  const kinds = labelKinds[name];
  const recordLength = kinds.length + pixelsLength;
  const count = bytes.length / recordLength;
  if (count < 1 || !Number.isInteger(count)) refuseLength(bytes, name, recordLength, source);
  const pixels = new Uint8Array(count * pixelsLength);
  const labels = new Uint8Array(count * kinds.length);
  for (let record = 0; record < count; record++) {
    const start = record * recordLength;
    kinds.forEach((kind, i) => {
      const label = bytes[start + i];
      if (label >= kind.values) {
        throw new FormatError(
          `${source} has the ${kind.name} ${label} in record ${record}, at byte ${
            start + i
          }; expected 0 to ${
            kind.values - 1
          }: it is damaged or no file of ${name}'s binary version, download it again`,
        );
      }
      labels[record * kinds.length + i] = label;
    });
    interleave(bytes, start + kinds.length, pixels, record * pixelsLength);
  }
  return { count, shape: [32, 32, 3], pixels, labels, labelsPerImage: kinds.length };
}

/** Planes of red, green and blue to pixels. */
function interleave(planes: Uint8Array, from: number, pixels: Uint8Array, to: number): void {
  for (let i = 0; i < planeLength; i++) {
    pixels[to + 3 * i] = planes[from + i];
    pixels[to + 3 * i + 1] = planes[from + planeLength + i];
    pixels[to + 3 * i + 2] = planes[from + 2 * planeLength + i];
  }
}

function refuseLength(
  bytes: Uint8Array,
  name: CifarName,
  recordLength: number,
  source: string,
): never {
  const whole = Math.floor(bytes.length / recordLength);
  throw new FormatError(
    `${source} is ${bytes.length} bytes long, and its last record at byte ${
      whole * recordLength
    } has ${
      bytes.length - whole * recordLength
    }; expected records of ${recordLength} bytes: it is cut short or no file of ${name}'s binary version, download it again`,
  );
}

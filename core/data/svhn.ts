/**
 * @file SVHN's cropped digits, 73,257 + 26,032 (+ 531,131 easier ones) house numbers of 32 × 32
 * (Netzer, Wang, Coates, Bissacco, Wu, Ng, "Reading Digits in Natural Images with Unsupervised
 * Feature Learning", 2011), from its MAT-files: X, [32, 32, 3, n] bytes with the first index, the
 * row, running fastest, and y, [n, 1], where 10 stands for the digit 0.
 */

import { FormatError } from "../errors.ts";
import { type MatArray, readMat } from "../formats/mat.ts";
import type { ImageRecords } from "./image_records.ts";

/** The name of each part's file. */
export const svhnFiles = {
  train: "train_32x32.mat",
  test: "test_32x32.mat",
  extra: "extra_32x32.mat",
} as const;

/** A part of SVHN. */
export type SvhnPart = keyof typeof svhnFiles;

const side = 32;
const imageLength = side * side * 3;

/**
 * Reads a file of SVHN's cropped digits.
 *
 * Source: Netzer et al., "Reading Digits in Natural Images with Unsupervised Feature Learning",
 * 2011; http://ufldl.stanford.edu/housenumbers/.
 *
 * @param bytes the whole file, such as train_32x32.mat
 * @param source its name, for error messages
 * @returns pixels [count, 32, 32, 3] and a label an image, 0 to 9
 * @throws {FormatError} where the file is damaged or no such file.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { FormatError, readSvhn } from "vapo";
 * await assertRejects(() => readSvhn(new Uint8Array(9), "train_32x32.mat"), FormatError, "cut short");
 * ```
 */
export async function readSvhn(bytes: Uint8Array, source = "SVHN file"): Promise<ImageRecords> {
  const { X: images, y: digits } = await readMat(bytes, source);
  const file = { source, length: bytes.length };
  const count = imageCount(images, file);
  return {
    count,
    shape: [side, side, 3],
    pixels: rowsFirst(images.data as Uint8Array, count),
    labels: readDigits(digits, count, file),
    labelsPerImage: 1,
  };
}

/** What messages say of the file. */
interface MatFile {
  readonly source: string;
  readonly length: number;
}

function imageCount(images: MatArray | undefined, file: MatFile): number {
  const [height, width, channels, count = 1, ...more] = images?.dims ?? []; // [32, 32, 3] is of one
  const isSvhn = images?.type === "uint8" && height === side && width === side &&
    channels === 3 && count > 0 && more.length === 0;
  if (!isSvhn) {
    throw new FormatError(
      `${file.source} has ${
        describe("X", images, file)
      }; expected uint8 [32, 32, 3, n]: take one of SVHN's cropped digits, such as train_32x32.mat`,
    );
  }
  return count;
}

function describe(name: string, array: MatArray | undefined, { length }: MatFile): string {
  return array
    ? `${name} of ${array.type} [${array.dims.slice(0, 8).join(", ")}]`
    : `no ${name} up to byte ${length}, its end`;
}

/**
 * From [count][channel][column][row], as the file runs, to [count][row][column][channel]: image by
 * image, 3 KB each, which stay in the innermost cache.
 */
function rowsFirst(values: Uint8Array, count: number): Uint8Array {
  const pixels = new Uint8Array(count * imageLength);
  for (let start = 0; start < pixels.length; start += imageLength) {
    let from = start;
    for (let channel = 0; channel < 3; channel++) {
      for (let column = 0; column < side; column++) {
        let to = start + 3 * column + channel;
        for (let row = 0; row < side; row++, to += 3 * side) pixels[to] = values[from++];
      }
    }
  }
  return pixels;
}

/** Digits from 1 to 10, where 10 is 0. */
function readDigits(digits: MatArray | undefined, count: number, file: MatFile): Uint8Array {
  if (digits?.data.length !== count) {
    throw new FormatError(
      `${file.source} has ${
        describe("y", digits, file)
      }; expected [${count}, 1], a digit for each image: it is damaged, download it again`,
    );
  }
  return Uint8Array.from({ length: count }, (_, i) => {
    const digit = Number(digits.data[i]);
    if (!(Number.isInteger(digit) && digit >= 1 && digit <= 10)) {
      throw new FormatError(
        `${file.source} has the digit ${digit} in y at index ${i}; expected 1 to 10: it is damaged, download it again`,
      );
    }
    return digit % 10;
  });
}

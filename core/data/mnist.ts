/**
 * @file MNIST, 60,000 + 10,000 handwritten digits of 28 × 28 (LeCun, Cortes and Burges 1998), and
 * Fashion-MNIST, as many pictures of clothes in files of the same names and format (Xiao, Rasul and
 * Vollgraf 2017), from their IDX files. What reads the files is handed in, so that this runs in a
 * browser too.
 */

import { FormatError } from "../errors.ts";
import { readIdx } from "./idx.ts";
import type { ImageRecords } from "./image_records.ts";
import { type ImageDataset, type ImageSize, residentImages } from "./images.ts";

/** Reads a file of a data set by name, such as "train-images-idx3-ubyte"; gzip is let through. */
export type ReadFile = (name: string) => Promise<Uint8Array>;

/** The name of each part's file of images. */
export const mnistImageFiles = {
  train: "train-images-idx3-ubyte",
  test: "t10k-images-idx3-ubyte",
} as const;

/** The name of each part's file of labels. */
export const mnistLabelFiles = {
  train: "train-labels-idx1-ubyte",
  test: "t10k-labels-idx1-ubyte",
} as const;

/** A part of the data: 60,000 images to train on, 10,000 to test with. */
export type MnistPart = keyof typeof mnistImageFiles;

const in32 = { padTo: 32 }, in16 = { poolTo: 14, padTo: 16 };

/**
 * The sizes that both come in: padded to 32 × 32, or averaged over 2 × 2 blocks to 14 × 14 and padded
 * to 16 × 16.
 */
export const mnistSizes = {
  "mnist": in32,
  "mnist16": in16,
  "fashion-mnist": in32,
  "fashion-mnist16": in16,
} as const satisfies Record<string, ImageSize>;

/** A data set of this format and the size that it comes in. */
export type MnistName = keyof typeof mnistSizes;

/** The bytes of MNIST: `count` images of 28 × 28, row by row. */
export interface MnistBytes {
  readonly count: number;
  readonly data: Uint8Array;
}

/**
 * Reads the images of one part as bytes.
 *
 * @param readFile reads a file by name
 * @throws {FormatError} where the file is not images of 28 × 28 bytes in IDX format.
 */
export async function readMnist(
  readFile: ReadFile,
  part: MnistPart = "train",
): Promise<MnistBytes> {
  const name = mnistImageFiles[part];
  const { dtype, shape, data } = await readIdx(await readFile(name), name);
  const isMnist = dtype === "uint8" && shape.length === 3 && shape[0] > 0 && shape[1] === 28 &&
    shape[2] === 28;
  if (!isMnist) {
    throw new FormatError(
      `${name} holds ${dtype} of shape [${shape.join(", ")}]; expected uint8 of shape ` +
        `[n, 28, 28]: take MNIST's own file`,
    );
  }
  return { count: shape[0], data: data as Uint8Array };
}

/**
 * Reads the labels of one part: the digits, or the kinds of clothes.
 *
 * @param readFile reads a file by name
 * @param part which part
 * @param count how many there have to be, where that is known
 * @returns a number from 0 to 9 an image
 * @throws {FormatError} where the file is not so many labels from 0 to 9 in IDX format.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeIdx, readMnistLabels } from "vapo";
 * // Three labels in place of the real file.
 * const file = encodeIdx({ dtype: "uint8", shape: [3], data: Uint8Array.of(5, 0, 4) });
 * assertEquals([...await readMnistLabels(() => Promise.resolve(file))], [5, 0, 4]);
 * ```
 */
export async function readMnistLabels(
  readFile: ReadFile,
  part: MnistPart = "train",
  count?: number,
): Promise<Uint8Array> {
  const name = mnistLabelFiles[part];
  const { dtype, shape, data } = await readIdx(await readFile(name), name);
  if (dtype !== "uint8" || shape.length !== 1 || shape[0] !== (count ?? shape[0])) {
    throw new FormatError(
      `${name} holds ${dtype} of shape [${shape.join(", ")}]; expected uint8 of shape ` +
        `[${count ?? "n"}]: take MNIST's own file`,
    );
  }
  const wrong = data.findIndex((label) => label > 9);
  if (wrong >= 0) {
    throw new FormatError(
      `${name} holds the label ${
        data[wrong]
      } for image ${wrong}; expected 0 to 9: download it again`,
    );
  }
  return data as Uint8Array;
}

/**
 * Reads the images of one part and their labels.
 *
 * @param readFile reads a file by name
 * @throws {FormatError} where the files are not images of 28 × 28 bytes and as many labels from 0 to 9
 * in IDX format.
 */
export async function readMnistRecords(
  readFile: ReadFile,
  part: MnistPart = "train",
): Promise<ImageRecords> {
  const { count, data: pixels } = await readMnist(readFile, part);
  const labels = await readMnistLabels(readFile, part, count);
  return { count, shape: [28, 28, 1], pixels, labels, labelsPerImage: 1 };
}

/**
 * The images of MNIST or Fashion-MNIST on the device.
 *
 * Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998; Xiao, Rasul and
 * Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms", 2017.
 *
 * @param name which size: "mnist" and "fashion-mnist" are 32 × 32, "mnist16" and "fashion-mnist16"
 * 16 × 16; the files have the same names for both
 * @param readFile reads a file by name: "train-images-idx3-ubyte" or "t10k-images-idx3-ubyte"
 * @param part the images to train on or those to test with
 * @throws {FormatError} where the file is not images of 28 × 28 bytes in IDX format.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { loadMnist, openDevice } from "vapo";
 * await openDevice("cpu");
 * // One black image in IDX format, in place of the real file.
 * const header = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28];
 * const file = new Uint8Array(header.length + 28 * 28);
 * file.set(header);
 * const dataset = await loadMnist("mnist16", () => Promise.resolve(file));
 * assertEquals(dataset.words.shape, [1, 28 * 28 / 4]);
 * assertEquals(dataset.shape, [16, 16, 1]);
 * ```
 */
export async function loadMnist(
  name: MnistName,
  readFile: ReadFile,
  part: MnistPart = "train",
): Promise<ImageDataset> {
  const { count, data: pixels } = await readMnist(readFile, part);
  const records = { count, shape: [28, 28, 1], pixels, labels: new Uint8Array() } as const;
  return residentImages({ ...records, labelsPerImage: 0 }, mnistSizes[name]);
}

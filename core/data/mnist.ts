/**
 * @file MNIST, 60,000 + 10,000 handwritten digits of 28 × 28 (LeCun, Cortes and Burges 1998), from
 * its IDX files. What reads the files is handed in, so that this runs in a browser too.
 */

import { FormatError } from "../errors.ts";
import { readIdx } from "./idx.ts";
import { fromUint8, type ImageDataset, type ImageSize } from "./images.ts";

/** Reads a file of a data set by name, such as "train-images-idx3-ubyte"; gzip is let through. */
export type ReadFile = (name: string) => Promise<Uint8Array>;

/** The name of each part's file of images. */
export const mnistImageFiles = {
  train: "train-images-idx3-ubyte",
  test: "t10k-images-idx3-ubyte",
} as const;

/** A part of MNIST: 60,000 images to train on, 10,000 to test with. */
export type MnistPart = keyof typeof mnistImageFiles;

/**
 * The sizes that MNIST comes in: `mnist` is padded to 32 × 32; `mnist16` is averaged over 2 × 2
 * blocks to 14 × 14 and padded to 16 × 16.
 */
export const mnistSizes = {
  mnist: { padTo: 32 },
  mnist16: { poolTo: 14, padTo: 16 },
} as const satisfies Record<string, ImageSize>;

/** The name of a size that MNIST comes in. */
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
 * MNIST on the device.
 *
 * Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
 *
 * @param name which size: "mnist" (32 × 32) or "mnist16" (16 × 16)
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
 * assertEquals(dataset.images.shape, [1, 14, 14, 1]);
 * assertEquals(dataset.shape, [16, 16, 1]);
 * ```
 */
export async function loadMnist(
  name: MnistName,
  readFile: ReadFile,
  part: MnistPart = "train",
): Promise<ImageDataset> {
  const { count, data } = await readMnist(readFile, part);
  return fromUint8(data, [count, 28, 28, 1], mnistSizes[name]);
}

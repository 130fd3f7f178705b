/**
 * @file Where a run's data comes from: a toy distribution that draws itself on the device, or an
 * image set that lies there. Either way a batch is a pure function of a random key.
 */
import { VapoError } from "../errors.ts";
import { type RandomKey, type Tensor } from "../tensor/mod.ts";
import { type Distribution, toyDistributions, type ToyName, toyNames } from "../data/toy.ts";
import { drawImages, type ImageDataset } from "../data/images.ts";
import { loadMnist, mnistSizes } from "../data/mnist.ts";

const imageNames = ["mnist16", "mnist"] as const;

/**
 * Everything that can be trained on: the toy distributions, then the image sets.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { dataNames, toyNames } from "vapo";
 * assertEquals(dataNames.slice(toyNames.length), ["mnist16", "mnist"]);
 * ```
 */
export const dataNames = [...toyNames, ...imageNames] as const;

/** The name of a data set. */
export type DataName = typeof dataNames[number];

/** Reads a data set's file by its name; handed in by whoever has a file system or a network. */
export type ReadDataFile = (name: string) => Promise<Uint8Array>;

/** What the samples of a data set are like: all that drawing samples needs to know of it. */
export interface SampleSpace {
  /** The data set's. */
  readonly name: DataName;
  /** [d], or [height, width, channels]. */
  readonly sampleShape: readonly number[];
  /** The distribution itself, for the toy ones. */
  readonly distribution?: Distribution;
}

/** A source of training data. */
export interface DataSource extends SampleSpace {
  /** n samples: [n, …sampleShape]; sample i depends on the key and on i alone. */
  draw(n: number, key: RandomKey): Tensor;
  /** Frees what lies on the device. */
  dispose(): void;
}

/**
 * What the samples of a data set are like, without reading it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { sampleSpace } from "vapo";
 * assertEquals(sampleSpace("mnist16").sampleShape, [16, 16, 1]);
 * assertEquals(sampleSpace("rings").distribution?.dimension, 2);
 * ```
 */
export function sampleSpace(name: DataName): SampleSpace {
  if (isToy(name)) {
    const distribution = toyDistributions[name];
    return { name, sampleShape: [distribution.dimension], distribution };
  }
  const side = mnistSizes[name].padTo;
  return { name, sampleShape: [side, side, 1] };
}

/**
 * Opens a data set by its name. Image sets are read through `readFile` and kept on the device.
 *
 * @param name which one
 * @param readFile reads a file of an image set by its name; toy distributions need none
 * @returns the source; its `dispose` frees what lies on the device
 * @throws {VapoError} for an image set without `readFile`; whatever `readFile` throws
 * @throws {FormatError} where a file is damaged or not the data set's
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { openDataSource, openDevice, randomKey, VapoError } from "vapo";
 * await openDevice("cpu");
 * const rings = await openDataSource("rings");
 * assertEquals(rings.draw(5, randomKey(7)).shape, [5, ...rings.sampleShape]);
 * await assertRejects(() => openDataSource("mnist"), VapoError, "train-images-idx3-ubyte");
 * ```
 */
export async function openDataSource(
  name: DataName,
  readFile: ReadDataFile = noFiles,
): Promise<DataSource> {
  if (isToy(name)) {
    const draw = (n: number, key: RandomKey) => toyDistributions[name].sample(n, key);
    return { ...sampleSpace(name), draw, dispose() {} };
  }
  const dataset: ImageDataset = await loadMnist(name, readFile);
  return {
    name,
    sampleShape: dataset.shape,
    draw: (n, key) => drawImages(dataset, n, key),
    dispose: () => dataset.images.dispose(),
  };
}

function noFiles(name: string): Promise<never> {
  return Promise.reject(
    new VapoError(`data file ${name} cannot be read: expected a function that reads it; pass one`),
  );
}

function isToy(name: DataName): name is ToyName {
  return (toyNames as readonly string[]).includes(name);
}

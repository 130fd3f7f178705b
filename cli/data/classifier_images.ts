/**
 * @file The images that a classifier of digits or clothes is trained on and tested with: of a prepared
 * set, of IDX files, or MNIST's, which come with the program.
 */
import { join } from "@std/path";
import type { ImageRecords } from "../../core/data/image_records.ts";
import { openPreparedSet } from "../../core/data/prepared_set.ts";
import { VapoError } from "../../core/errors.ts";
import { sha256 } from "../../core/formats/sha256.ts";
import { dataDirectory } from "../data_directory.ts";
import { withFileErrors } from "../file_errors.ts";
import { isThere } from "../run_storage.ts";
import { commandLine, shownPath, userPath } from "../user_paths.ts";
import { dataSet } from "./data_sets.ts";
import type { FeatureNetworkRequest } from "./feature_networks.ts";
import type { ImageSource } from "./image_source.ts";
import { INDEX_FILE } from "./progress_journal.ts";

/** A data set that there is a classifier for. */
export type ClassifierDataset = "mnist" | "fashion-mnist";

/** Its images. */
export interface ClassifierImages {
  readonly train: ImageRecords;
  readonly test: ImageRecords;
  /** Of the images to train on and their labels: the SHA-256 of both SHA-256, as text. */
  readonly checksum: string;
  /** Whether those are the official ones. */
  readonly official: boolean;
}

/** The checksums of the official files of today. */
const officialChecksums: Readonly<Record<ClassifierDataset, string>> = {
  "mnist": "c0d44fb2ad09c08eeff128d21ac628197687c8b74c828915124a26f830035cff",
  "fashion-mnist": "30eb5b225890e335b8a248c7b59e03952012e99cb6a0183904b7e3031e2168f5",
};

/**
 * Reads them.
 *
 * @throws {VapoError} where they are not there, are another set's, or lack a split
 */
export async function readClassifierImages(
  name: ClassifierDataset,
  request: FeatureNetworkRequest,
): Promise<ClassifierImages> {
  const prepared = await preparedDirectory(name, request.source);
  const { train, test } = prepared === null
    ? await readSource(name, request)
    : await readPrepared(name, prepared);
  const checksum = await sha256(await sha256(train.pixels) + await sha256(train.labels));
  return { train, test, checksum, official: checksum === officialChecksums[name] };
}

/** The directory of a prepared set to read, or null to read files or what comes with the program. */
async function preparedDirectory(name: ClassifierDataset, source?: string): Promise<string | null> {
  if (source !== undefined) return await hasIndex(source) ? source : null;
  if (name === "mnist") return null;
  const directory = userPath(join("data", name));
  if (await hasIndex(directory)) return directory;
  const { expects, origin } = dataSet(name);
  throw new VapoError(
    `${shownPath(directory)} is not there, and ${name}-features is trained on it: make it by ` +
      `"${commandLine("data", name, "--source", "PATH")}", or pass --source PATH: ${expects}; ` +
      `get them from ${origin}`,
  );
}

function hasIndex(directory: string): Promise<boolean> {
  const index = join(directory, INDEX_FILE);
  return withFileErrors("open", shownPath(directory), () => isThere(index));
}

type Images = Pick<ClassifierImages, "train" | "test">;

async function readPrepared(name: ClassifierDataset, directory: string): Promise<Images> {
  const files = dataDirectory(directory, shownPath(directory));
  const [train, test] = await Promise.all(
    ["train", "test"].map((split) => openPreparedSet(files, split)),
  );
  if (train.index.name !== name) {
    throw new VapoError(
      `${files.location} holds ${train.index.name}; expected ${name}: pass another --source`,
    );
  }
  return { train: await train.readAll(), test: await test.readAll() };
}

async function readSource(
  name: ClassifierDataset,
  { source: path, unverified, signal, onNotice }: FeatureNetworkRequest,
): Promise<Images> {
  const source = await dataSet(name).open({ path, unverified, extra: false });
  try {
    source.notices.forEach(onNotice);
    if (!unverified) {
      await source.verify({ signal, notice: onNotice, progress() {} }); // it takes a second
    }
    return { train: await readSplit(source, "train"), test: await readSplit(source, "test") };
  } finally {
    source.close();
  }
}

/** The images of a split in one piece. */
async function readSplit(source: ImageSource, name: string): Promise<ImageRecords> {
  const { shape, labelsPerImage, splits, location } = source;
  const split = splits.find((split) => split.name === name);
  if (!split) {
    throw new VapoError(
      `${location} has no images of the split ${name}; expected those to train on and those to ` +
        "test with: pass all four files",
    );
  }
  const { count, images } = await split.open();
  const size = shape[0] * shape[1] * shape[2];
  const pixels = new Uint8Array(count * size), labels = new Uint8Array(count * labelsPerImage);
  let i = 0;
  for await (const image of images(0)) {
    pixels.set(await image.pixels(), i * size);
    labels.set(image.labels, i * labelsPerImage);
    i++;
  }
  return { count, shape, pixels, labels, labelsPerImage };
}

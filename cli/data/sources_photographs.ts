/**
 * @file Folders and ZIP archives of photographs, and the LSUN scenes as they are exported to such
 * (Yu et al., "LSUN: Construction of a Large-scale Image Dataset using Deep Learning with Humans in
 * the Loop", arXiv 1506.03365).
 */
import { VapoError } from "../../core/errors.ts";
import { type Square, squareDecoder, squareRecipe } from "./decode.ts";
import {
  type FileTree,
  isImageName,
  namesChecksum,
  openFileTree,
  otherFiles,
} from "./image_files.ts";
import type { ImageSource, OpenSplit } from "./image_source.ts";

/** Images of a split by path, in their order. */
type SplitPaths = ReadonlyMap<string, readonly string[]>;

/** A source of photographs. */
export interface PhotographOptions {
  /** An absolute path. */
  readonly path: string;
  /** The side of the squares. */
  readonly size: number;
}

/**
 * The images of a folder or an archive. Where all that is at its top is directories called train,
 * test, val or validation (or `…_train`, `…_train_lmdb` and so on, as LSUN's are), these are the
 * splits; otherwise all images are of the split `train`.
 *
 * @throws {VapoError} where there are none
 */
export async function photographSource({ path, size }: PhotographOptions): Promise<ImageSource> {
  const tree = await openFileTree(path);
  const images = tree.paths.filter(isImageName);
  if (images.length === 0) {
    throw new VapoError(
      `${tree.location} has no image: expected files that end with .png, .jpg, .jpeg or .webp, ` +
        "at any depth",
    );
  }
  const others = otherFiles(tree.paths);
  const notices = others ? [`${tree.location}: ${others} passed over`] : [];
  return await sourceOfTree(tree, splitPaths(images), { size }, notices);
}

/**
 * LSUN's scenes, exported to images; without directories for splits, all are of `train`.
 *
 * @throws {VapoError} where there are no images to train on
 */
export async function lsunSource(options: PhotographOptions): Promise<ImageSource> {
  const source = await photographSource(options);
  if (source.splits[0].name === "train") return source;
  source.close();
  throw new VapoError(
    `${source.location} has no images to train on: expected a directory that ends with _train`,
  );
}

/** A source of images in a tree of files, once it is known which belong to which split. */
export async function sourceOfTree(
  tree: FileTree,
  splits: SplitPaths,
  square: Square,
  notices: readonly string[] = [],
): Promise<ImageSource> {
  const decoder = await squareDecoder();
  const open = (paths: readonly string[]): OpenSplit => ({
    count: paths.length,
    *images(first) {
      for (let i = first; i < paths.length; i++) {
        const name = `${tree.location}/${paths[i]}`;
        yield {
          name,
          labels: new Uint8Array(0),
          pixels: async () => decoder.square(await tree.read(paths[i]), name, square),
        };
      }
    },
  });
  return {
    location: tree.location,
    shape: [square.size, square.size, 3],
    labelsPerImage: 0,
    splits: [...splits].map(([name, paths]) => ({
      name,
      open: () => Promise.resolve(open(paths)),
    })),
    made: {
      files: `${[...splits].map(([name, { length }]) => `${length} ${name}`).join(", ")}`,
      names: namesChecksum(namesOf(splits)),
      ...squareRecipe,
      decoder: decoder.versions,
    },
    notices,
    verify: () => Promise.resolve(), // images of one's own: nothing is published of them
    close: () => tree.close(),
  };
}

function* namesOf(splits: SplitPaths): Generator<string> {
  for (const [name, paths] of splits) {
    yield `${name}:`;
    yield* paths;
  }
}

function splitPaths(images: readonly string[]): SplitPaths {
  const top = new Map<string, string | undefined>();
  for (const path of images) {
    const directory = path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
    if (!top.has(directory)) top.set(directory, splitName(directory));
  }
  if (![...top.values()].every((split) => split !== undefined)) return new Map([["train", images]]);
  const splits = new Map<string, string[]>();
  for (const split of ["train", "validation", "test"]) {
    const paths = images.filter((path) => top.get(path.slice(0, path.indexOf("/"))) === split);
    if (paths.length > 0) splits.set(split, paths);
  }
  return splits;
}

/** The split that a directory's name stands for. */
function splitName(directory: string): string | undefined {
  const word = /^(?:.*_)?(train|test|val|valid|validation)(?:_lmdb)?$/i.exec(directory)?.[1];
  if (word === undefined) return undefined;
  return word.toLowerCase().startsWith("val") ? "validation" : word.toLowerCase();
}

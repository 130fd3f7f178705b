/**
 * @file CelebA's aligned faces: the archive as it is handed out or the folder that is in it, and the
 * list that divides them, in one of them or beside.
 */
import { basename, dirname, join } from "@std/path";
import {
  celebaFiles,
  type CelebaPart,
  celebaSize,
  readCelebaPartition,
} from "../../core/data/celeba.ts";
import { officialDatasets } from "../../core/data/official_files.ts";
import { FormatError, VapoError } from "../../core/errors.ts";
import { withFileErrors } from "../file_errors.ts";
import { isThere } from "../run_storage.ts";
import { shownPath } from "../user_paths.ts";
import type { SourceRequest } from "./data_sets.ts";
import { byCodePoints, type FileTree, isImageName, openFileTree } from "./image_files.ts";
import type { ImageSource } from "./image_source.ts";
import { sourceOfTree } from "./sources_photographs.ts";
import { type ClaimedFile, verifyFiles } from "./verify.ts";

const size = 64;
const parts: readonly CelebaPart[] = ["train", "validation", "test"];
const [officialImages, officialPartition] = officialDatasets.celeba64.files.train;

/**
 * Finds the images and the list, and which image is of which split.
 *
 * @throws {VapoError} where the list or images are missing, unless `unverified` for some of these
 */
export async function celebaSource({ path, unverified }: SourceRequest): Promise<ImageSource> {
  const archive = await archiveAt(path!);
  const tree = await openFileTree(archive ?? path!);
  try {
    const list = await findPartition(path!, tree);
    const partition = readCelebaPartition(list.text, list.location);
    const { splits, missing, others } = divide(tree, partition);
    if (missing.length > 0 && !unverified) {
      throw new VapoError(
        `${tree.location} lacks ${missing.length} images of ${list.location}, ${missing[0]} the ` +
          "first: expected all of them; or take what is there by --unverified",
      );
    }
    const notices = others.length === 0 ? [] : [
      `${tree.location}: ${others.length} images that are not in ${list.location} passed over ` +
      `(${others[0]}${others.length > 1 ? ", …" : ""})`,
    ];
    const claims: ClaimedFile[] = [
      ...(list.path ? [{ path: list.path, official: officialPartition }] : []),
      ...(archive ? [{ path: archive, official: officialImages }] : []),
    ];
    const source = await sourceOfTree(tree, splits, { size, dimensions: celebaSize }, notices);
    return {
      ...source,
      async verify(work) {
        await verifyFiles(claims, work);
        if (archive) return;
        work.notice(
          `${tree.location}: of unpacked images no checksums are published; counts are checked`,
        );
      },
    };
  } catch (error) {
    tree.close();
    throw error;
  }
}

/** The archive at a path or in a folder. */
async function archiveAt(path: string): Promise<string | null> {
  return await withFileErrors("open", shownPath(path), async () => {
    if (!(await Deno.stat(path)).isDirectory) return path;
    const inside = join(path, celebaFiles.images);
    return await isThere(inside) ? inside : null;
  });
}

interface PartitionText {
  readonly text: string;
  readonly location: string;
  /** Where it is on disk; left out for one in an archive. */
  readonly path?: string;
}

async function findPartition(path: string, tree: FileTree): Promise<PartitionText> {
  const { partition: name } = celebaFiles;
  const folders = [path, dirname(path)].flatMap((folder) => [folder, join(folder, "Eval")]);
  for (const candidate of folders.map((folder) => join(folder, name))) {
    const text = await textIfThere(candidate);
    if (text !== null) return { text, location: shownPath(candidate), path: candidate };
  }
  const inside = tree.paths.find((path) => basename(path) === name);
  if (inside !== undefined) {
    const text = new TextDecoder().decode(await tree.read(inside));
    return { text, location: `${tree.location}/${inside}` };
  }
  throw new VapoError(
    `there is no ${name} in ${tree.location} or beside it: expected the list of CelebA's splits, ` +
      `from ${officialPartition.url}`,
  );
}

async function textIfThere(path: string): Promise<string | null> {
  return await withFileErrors("read", shownPath(path), async () => {
    try {
      return await Deno.readTextFile(path);
    } catch (error) {
      // The path may lead through a file: an archive beside which the list is looked for.
      if (error instanceof Deno.errors.NotFound) return null;
      if (error instanceof Deno.errors.NotADirectory) return null;
      throw error;
    }
  });
}

/** The paths of each split's images, in the order of their names. */
function divide(tree: FileTree, partition: ReadonlyMap<string, CelebaPart>) {
  const paths = new Map<string, string>(), others: string[] = [];
  for (const path of tree.paths.filter(isImageName)) {
    const name = basename(path);
    if (!partition.has(name)) {
      others.push(path);
      continue;
    }
    if (paths.has(name)) {
      throw new FormatError(
        `${tree.location} has ${name} twice, ${
          paths.get(name)
        } and ${path}: expected the aligned ` +
          "images alone; name their folder by --source",
      );
    }
    paths.set(name, path);
  }
  const divided: Record<CelebaPart, string[]> = { train: [], validation: [], test: [] };
  const missing: string[] = [];
  for (const [name, part] of partition) {
    const path = paths.get(name);
    if (path === undefined) missing.push(name);
    else divided[part].push(path);
  }
  if (paths.size === 0) {
    throw new VapoError(
      `${tree.location} has none of the images in its list: expected ${missing[0]} and so on`,
    );
  }
  const splits = new Map(
    parts.filter((part) => divided[part].length > 0).map((
      part,
    ) => [part, divided[part].sort(byCodePoints)]),
  );
  return { splits, missing, others };
}

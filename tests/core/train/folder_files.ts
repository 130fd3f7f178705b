/** @file Small prepared sets of images in memory, as the trainer reads them. */
import type { ImageFiles } from "../../../core/train/data_source.ts";
import {
  type Contents,
  encodeJson,
  memoryFiles,
  preparedContents,
} from "../data/prepared_files.ts";

export interface FolderOptions {
  readonly name?: string;
  readonly shape?: readonly [number, number, number];
  /** How many images the index says there are in the first shard. */
  readonly count?: number;
}

/** A prepared set of the name "folder": images of 8×8×3 that begin with their number. */
export function folderContents(
  shardCounts: readonly number[],
  { name = "folder", shape = [8, 8, 3], count }: FolderOptions = {},
): Contents {
  const contents = preparedContents({ shardCounts, shape });
  const index = JSON.parse(new TextDecoder().decode(contents["index.json"]));
  const { train } = index.splits;
  if (count !== undefined) {
    train.count += count - train.shards[0].count;
    train.shards[0].count = count;
  }
  return { ...contents, "index.json": encodeJson({ ...index, name }) };
}

/** The files as a data source reads them. */
export function imageFilesOf(contents: Contents): ImageFiles {
  return memoryFiles(contents);
}

/** @file Small prepared sets in memory, whose images say which they are. */
import type { DataFiles } from "../../../core/data/prepared_set.ts";
import type { PreparedIndex, PreparedShard } from "../../../core/data/prepared_index.ts";
import { crc32 } from "../../../core/formats/crc32.ts";

/** The contents of a set's files by name. */
export type Contents = Record<string, Uint8Array>;

export interface SetOptions {
  readonly shardCounts: readonly number[];
  /** [height, width, channels]; an image begins with its number in the split, 16 bits. */
  readonly shape?: readonly [number, number, number];
  readonly labelsPerImage?: number;
  readonly split?: string;
}

/** Makes a set. */
export function preparedContents(
  { shardCounts, shape = [1, 5, 1], labelsPerImage = 0, split = "train" }: SetOptions,
): Contents {
  const contents: Contents = {};
  const imageBytes = shape[0] * shape[1] * shape[2];
  let number = 0;
  const shards = shardCounts.map((count, i): PreparedShard => {
    const pixels = new Uint8Array(count * imageBytes).fill(0xee);
    for (let image = 0; image < count; image++, number++) {
      pixels.set([number & 255, number >> 8], image * imageBytes);
    }
    const file = `${split}-${i}.bin`;
    contents[file] = pixels;
    const shard = { file, count, crc32: crc32(pixels) };
    if (labelsPerImage === 0) return shard;
    const labels = Uint8Array.from({ length: count * labelsPerImage }, (_, k) => 10 * i + k);
    contents[`${split}-${i}.labels`] = labels;
    return { ...shard, labels: { file: `${split}-${i}.labels`, crc32: crc32(labels) } };
  });
  const index: PreparedIndex = {
    format: "vapo-images",
    version: 1,
    name: "numbers",
    shape: [...shape],
    labelsPerImage,
    splits: { [split]: { count: number, skipped: 0, shards } },
    made: { by: "a test" },
  };
  return { ...contents, "index.json": encodeJson(index) };
}

/** An index as its file. */
export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Files in memory: each reading gives bytes of its own. */
export function memoryFiles(contents: Contents): DataFiles {
  return {
    location: "data/numbers",
    read: (name) => Promise.resolve(contents[name]?.slice() ?? null),
  };
}

/** The numbers of a batch's images. */
export function imageNumbers(batch: Uint8Array, imageBytes: number): number[] {
  return Array.from(
    { length: batch.length / imageBytes },
    (_, i) => batch[i * imageBytes] + 256 * batch[i * imageBytes + 1],
  );
}

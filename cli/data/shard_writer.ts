/**
 * @file Images gathered into shards of about 16 MiB: files of bytes without a header, a whole number
 * of images each, with the labels in a file beside.
 */
import type { PreparedShard } from "../../core/data/prepared_index.ts";
import { crc32 } from "../../core/formats/crc32.ts";
import type { RunStorage } from "../../core/train/run_storage.ts";

/** A shard holds as many images as fit into this. */
const SHARD_BYTES = 2 ** 24;

/** How many images of a shape a shard holds. */
export function imagesPerShard(
  [height, width, channels]: readonly number[],
  shardBytes = SHARD_BYTES,
): number {
  return Math.max(1, Math.floor(shardBytes / (height * width * channels)));
}

/** A shard that is being filled. */
export interface ShardBuffer {
  /** How many images are in it. */
  readonly count: number;
  /** Whether it takes no more. */
  readonly full: boolean;
  /** Adds an image. */
  add(pixels: Uint8Array, labels: Uint8Array): void;
  /** Writes what is in it as the shard of a number, and empties it. */
  write(storage: RunStorage, split: string, number: number): Promise<PreparedShard>;
}

/** An empty shard. */
export function shardBuffer(
  capacity: number,
  imageBytes: number,
  labelsPerImage: number,
): ShardBuffer {
  const pixels = new Uint8Array(capacity * imageBytes);
  const labels = new Uint8Array(capacity * labelsPerImage);
  let count = 0;
  return {
    get count() {
      return count;
    },
    get full() {
      return count === capacity;
    },
    add(image, imageLabels) {
      if (image.length !== imageBytes || imageLabels.length !== labelsPerImage) {
        throw new RangeError(
          `image of ${image.length} bytes with ${imageLabels.length} labels in a shard of ` +
            `${imageBytes} and ${labelsPerImage}`,
        );
      }
      pixels.set(image, count * imageBytes);
      labels.set(imageLabels, count * labelsPerImage);
      count++;
    },
    async write(storage, split, number) {
      const name = `${split}-${String(number).padStart(5, "0")}`;
      const put = async (file: string, bytes: Uint8Array) => {
        await storage.write(file, bytes);
        return { file, crc32: crc32(bytes) };
      };
      const images = await put(`${name}.images`, pixels.subarray(0, count * imageBytes));
      const shard = {
        file: images.file,
        count,
        crc32: images.crc32,
        ...(labelsPerImage > 0 && {
          labels: await put(`${name}.labels`, labels.subarray(0, count * labelsPerImage)),
        }),
      };
      count = 0;
      return shard;
    },
  };
}

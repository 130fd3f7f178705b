/**
 * @file Data sets whose own files hold images of bytes, read into memory a split at a time: MNIST and
 * its like, CIFAR, SVHN.
 */
import { basename } from "@std/path";
import type { ImageRecords } from "../../core/data/image_records.ts";
import type { OpenSplit, SourceSplit } from "./image_source.ts";
import { fileSize } from "./verify.ts";

/** A split that a function reads. */
export function splitOfRecords(
  name: string,
  location: string,
  read: () => Promise<ImageRecords>,
): SourceSplit {
  return { name, open: async () => openRecords(await read(), `${location}, ${name}`) };
}

function openRecords(records: ImageRecords, location: string): OpenSplit {
  const { count, shape: [height, width, channels], pixels, labels, labelsPerImage } = records;
  const size = height * width * channels;
  return {
    count,
    *images(first) {
      for (let i = first; i < count; i++) {
        yield {
          name: `${location}, image ${i}`,
          labels: labels.subarray(i * labelsPerImage, (i + 1) * labelsPerImage),
          pixels: () => pixels.subarray(i * size, (i + 1) * size),
        };
      }
    },
  };
}

/** Files with their sizes, for the index: what the images are from. */
export async function describeFiles(paths: readonly string[]): Promise<string> {
  const described = await Promise.all(
    paths.map(async (path) => `${basename(path)} of ${await fileSize(path)} bytes`),
  );
  return described.join(", ");
}

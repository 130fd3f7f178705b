/**
 * @file Where training data comes from: a distribution, a set of images that lies whole in the
 * device's memory, or one that is read from disk in batches.
 */
import type { ImageRecords } from "../data/image_records.ts";
import {
  drawImages,
  flipSome,
  type ImageFormat,
  imagesOfWords,
  residentImages,
  storedBytes,
} from "../data/images.ts";
import { type DataFiles, openPreparedSet, type PreparedSet } from "../data/prepared_set.ts";
import { type BatchStreamOptions, openBatchStream } from "../data/batch_stream.ts";
import { preparationCommand, readOriginalImages } from "../data/original_images.ts";
import { FormatError, VapoError } from "../errors.ts";
import { crc32 } from "../formats/crc32.ts";
import { fork, type RandomKey, type Tensor, tf, wordsOfBytes } from "../tensor/mod.ts";
import {
  type DataChoice,
  type DataName,
  type ImageSet,
  imageSet,
  isResident,
  type SampleSpace,
  sampleSpace,
} from "./data_sets.ts";

/** Batches of a streamed set, one after another, without end. */
export interface BatchReader {
  /**
   * The next batch as int32 words, four bytes each, [batchSize × words of an image], valid until the
   * call after it; and how long the caller waited for it.
   */
  next(): Promise<{ readonly words: Int32Array; readonly waitMilliseconds: number }>;
  /** Ends the reading. */
  close(): void;
}

/** Where a set of images is read from, and how; the core itself has no file system. */
export interface ImageFiles extends DataFiles {
  /**
   * Reads batches in a thread of its own, so that the next one is there when it is wanted; where it
   * is left out, the caller's thread reads them.
   */
  readonly openBatches?: (options: BatchStreamOptions) => Promise<BatchReader>;
}

/** A configuration's `data` section; what is left out is as in the section's defaults. */
export interface DataOptions extends DataChoice {
  /** Whether each image is mirrored with probability ½. Default no. */
  readonly flip?: boolean;
  /** Whether it lies on the device or is read in batches; "auto", the default, goes by its size. */
  readonly placement?: "auto" | "device" | "stream";
  /** Images that a streamed set is shuffled among. Default 8192. */
  readonly bufferImages?: number;
  /** What {@link ImagesFacts} has to say of the images; null, the default, takes any. */
  readonly checksum?: number | null;
}

/** What a set of images is, for people and to know it again. */
export interface ImagesFacts {
  /** How many images there are. */
  readonly count: number;
  /** The files that they come from, in words. */
  readonly files: string;
  /** CRC-32 of the images, or of the index's own sums of them. */
  readonly checksum: number;
}

/** A set of images that is read in batches: they come from outside of the step. */
export interface StreamedImages {
  /** What a row of a batch's words holds. */
  readonly format: ImageFormat;
  /** How many words an image takes. */
  readonly imageWords: number;
  /** Images in all. */
  readonly count: number;
  /** Batches from a sample on, counted from the start of the run. */
  open(
    options: Pick<BatchStreamOptions, "seed" | "batchSize" | "firstSample">,
  ): Promise<BatchReader>;
}

/** A source of training data. */
export interface DataSource extends SampleSpace {
  /** Where images lie; null for distributions. */
  readonly placement: "device" | "stream" | null;
  /** Whether images are mirrored with probability ½. */
  readonly flip: boolean;
  /** Of a set of images, what it is. */
  readonly images?: ImagesFacts;
  /** Where batches are read from; left out where they are drawn. */
  readonly stream?: StreamedImages;
  /**
   * n samples: [n, …sampleShape]; sample i depends on the key and on i alone. Of a streamed set they
   * are made of the batch's words, int32 [n, words of an image].
   */
  draw(n: number, key: RandomKey, words?: Tensor): Tensor;
  /** Frees what lies on the device. */
  dispose(): void;
}

/** Images a streamed set is shuffled among where nothing is said. */
const BUFFER_IMAGES = 8192;

/**
 * Opens a data set. A set of images is read through `files`: a prepared set (`index.json` and
 * shards, as `vapo data` makes it), or the original files of MNIST, Fashion-MNIST and CIFAR.
 *
 * @param choice its name, or a configuration's section `data`
 * @param files reads the files of a set of images; toy distributions need none
 * @returns the source; its `dispose` frees what lies on the device
 * @throws {VapoError} where the files are not there
 * @throws {FormatError} where a file is damaged or not the data set's
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { openDataSource, openDevice, randomKey, VapoError } from "vapo";
 * await openDevice("cpu");
 * const rings = await openDataSource("rings");
 * assertEquals(rings.draw(5, randomKey(7)).shape, [5, ...rings.sampleShape]);
 * await assertRejects(() => openDataSource("celeba64"), VapoError, "vapo data celeba64");
 * ```
 */
export async function openDataSource(
  choice: DataName | DataOptions,
  files: ImageFiles = noFiles,
): Promise<DataSource> {
  const options = typeof choice === "string" ? { name: choice } : choice;
  const space = sampleSpace(options);
  if (space.distribution) {
    const { sample } = space.distribution;
    return { ...space, placement: null, flip: false, draw: sample, dispose() {} };
  }
  const set = imageSet(options);
  const prepared = await openPrepared(options.name, set, files);
  if (prepared && placementOf(options, set, prepared) === "stream") {
    const images = requireSame(preparedFacts(prepared), options, files);
    return { ...space, images, ...streamedImages(set, prepared, options, files) };
  }
  if (!prepared && options.placement === "stream") {
    throw new VapoError(
      `${files.location} has no ${INDEX}: expected a prepared set to stream from; run ` +
        `"${
          preparationCommand(set.prepared)
        }", name its directory with --data, or set data.placement to "device"`,
    );
  }
  const { records, names } = prepared
    ? { records: await prepared.readAll(), names: "" }
    : await readOriginalImages(set.prepared, "train", files);
  const facts = prepared ? preparedFacts(prepared) : originalFacts(records, names, files);
  const images = requireSame(facts, options, files);
  return { ...space, images, ...imagesOnDevice(set, records, options) };
}

function preparedFacts({ count, shards, location }: PreparedSet): ImagesFacts {
  const sums = shards.map(({ count, crc32 }) => `${count}:${crc32}`).join();
  return { count, files: location, checksum: crc32(new TextEncoder().encode(sums)) };
}

function originalFacts(
  { count, pixels }: ImageRecords,
  names: string,
  { location }: ImageFiles,
): ImagesFacts {
  return { count, files: `${names} in ${location}`, checksum: crc32(pixels) };
}

/** The facts, once they are known to be of the images that a run was started with. */
function requireSame(
  facts: ImagesFacts,
  { checksum = null }: DataOptions,
  { location }: ImageFiles,
): ImagesFacts {
  if (checksum === null || checksum === facts.checksum) return facts;
  throw new VapoError(
    `the ${facts.count} images in ${location} are not those that the run was started with: their ` +
      `checksum is ${facts.checksum}, expected ${checksum}; name that set's directory with --data, ` +
      "or start another run",
  );
}

const INDEX = "index.json";

async function openPrepared(
  name: DataName,
  { prepared, format }: ImageSet,
  files: ImageFiles,
): Promise<PreparedSet | null> {
  if (await files.read(INDEX) === null) return null;
  const set = await openPreparedSet(files, "train");
  if (set.index.name !== prepared || set.shape.join() !== format.stored.join()) {
    throw new FormatError(
      `${files.location}/${INDEX} is of "${set.index.name}", ${set.shape.join("×")}: expected ` +
        `"${prepared}", ${format.stored.join("×")}, for data "${name}"; name its directory, or ` +
        `run "${preparationCommand(prepared)}"` +
        (set.index.name === "folder"
          ? `; to train on these images, --set data.name=folder --set data.size=${set.shape[0]}`
          : ""),
    );
  }
  return set;
}

function placementOf(
  { placement = "auto" }: DataOptions,
  { format }: ImageSet,
  { count }: PreparedSet,
): "device" | "stream" {
  if (placement !== "auto") return placement;
  return isResident(format, count) ? "device" : "stream";
}

type Opened = Omit<DataSource, keyof SampleSpace>;

function imagesOnDevice(
  { format }: ImageSet,
  records: ImageRecords,
  { flip = false }: DataOptions,
): Opened {
  const { stored: _, ...size } = format;
  const dataset = residentImages(records, size);
  return {
    placement: "device",
    flip,
    draw: (n, key) => drawImages(dataset, n, key, { flip }),
    dispose: () => dataset.words.dispose(),
  };
}

function streamedImages(
  { format }: ImageSet,
  set: PreparedSet,
  { flip = false, bufferImages = BUFFER_IMAGES }: DataOptions,
  { openBatches }: ImageFiles,
): Opened {
  const open = openBatches ??
    ((options: BatchStreamOptions) => Promise.resolve(readerOf(set, options)));
  return {
    placement: "stream",
    flip,
    stream: {
      format,
      imageWords: wordsOfBytes(storedBytes(format)),
      count: set.count,
      open: (where) => open({ ...where, bufferImages }),
    },
    draw(_n, key, words) {
      if (!words) {
        throw new VapoError(
          `a batch of "${set.index.name}", which is streamed, has no words: expected those that its ` +
            "reader gives; open one with data.stream.open, or train with train()",
        );
      }
      return tf.tidy(() => {
        const images = imagesOfWords(format, words);
        return flip ? flipSome(images, fork(key, "flip")) : images;
      });
    },
    dispose() {},
  };
}

/** Batches that the caller's own thread reads. */
function readerOf(set: PreparedSet, options: BatchStreamOptions): BatchReader {
  const stream = openBatchStream(set, options);
  return {
    async next() {
      const start = performance.now();
      const { buffer } = await stream.next();
      const words = new Int32Array(buffer as ArrayBuffer);
      return { words, waitMilliseconds: performance.now() - start };
    },
    close() {},
  };
}

const noFiles: ImageFiles = {
  location: "(no directory)",
  read: () => Promise.resolve(null),
};

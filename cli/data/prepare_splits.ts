/**
 * @file The work itself: image after image of a source into shards, each noted in the journal once
 * it is whole on disk.
 */
import { FormatError, VapoError } from "../../core/errors.ts";
import type { RunStorage } from "../../core/train/run_storage.ts";
import type { ImageSource, OpenSplit, SourceImage, SourceSplit, Work } from "./image_source.ts";
import { mappedInOrder } from "./mapped_in_order.ts";
import type { ProgressJournal } from "./progress_journal.ts";
import { imagesPerShard, shardBuffer } from "./shard_writer.ts";

/** How it is done. */
export interface SplitOptions {
  readonly storage: RunStorage;
  readonly journal: ProgressJournal;
  readonly work: Work;
  /** Leaves images out that cannot be decoded. */
  readonly skipBad: boolean;
  /** How many images each split has to have; those not named may have any number. */
  readonly counts: Readonly<Record<string, number>>;
  /** For tests: a shard's length in bytes. */
  readonly shardBytes?: number;
}

/** Images that are decoded at once, for each core: one at work, one waiting for its turn. */
const UNDER_WAY_PER_CORE = 2;

/**
 * Prepares every split that is not done.
 *
 * @returns whether all are done; false where the signal came before
 * @throws {FormatError} for an image that cannot be decoded, unless such are skipped
 */
export async function prepareSplits(source: ImageSource, options: SplitOptions): Promise<boolean> {
  for (const split of source.splits) {
    if (options.journal.of(split.name).done) continue;
    if (options.work.signal.aborted) return false;
    if (!await prepareSplit(source, split, options)) return false;
  }
  return true;
}

type Taken =
  | { readonly name: string; readonly pixels: Uint8Array; readonly labels: Uint8Array }
  | { readonly name: string; readonly bad: FormatError };

async function prepareSplit(
  source: ImageSource,
  split: SourceSplit,
  { storage, journal, work, skipBad, counts, shardBytes }: SplitOptions,
): Promise<boolean> {
  const { name } = split;
  const opened = await split.open();
  requireCount(source, name, opened.count, counts[name]);
  const { shards, next: first } = journal.of(name);
  const [height, width, channels] = source.shape;
  const shard = shardBuffer(
    Math.min(imagesPerShard(source.shape, shardBytes), opened.count),
    height * width * channels,
    source.labelsPerImage,
  );
  let number = shards.length, next = first, skipped: string[] = [];
  const note = async (done?: true) => {
    const written = shard.count > 0 ? await shard.write(storage, name, number++) : undefined;
    await journal.add({ split: name, next, skipped, shard: written, done });
    skipped = [];
  };
  work.progress(name, next, opened.count, "images");
  for await (const taken of imagesFrom(opened, first)) {
    next++;
    if ("bad" in taken) {
      if (!skipBad) throw withRemedy(taken.bad);
      skipped.push(taken.name);
      work.notice(`${taken.bad.message}: left out`);
    } else {
      shard.add(taken.pixels, taken.labels);
    }
    work.progress(name, next, opened.count, "images");
    if (!shard.full) continue;
    await note();
    if (work.signal.aborted && next < opened.count) return false;
  }
  await note(true);
  requireSome(source, name, journal);
  return true;
}

function imagesFrom(split: OpenSplit, first: number): AsyncIterable<Taken> {
  const limit = UNDER_WAY_PER_CORE * navigator.hardwareConcurrency;
  return mappedInOrder(split.images(first), limit, take);
}

async function take(image: SourceImage): Promise<Taken> {
  const { name, labels } = image;
  try {
    return { name, labels, pixels: await image.pixels() };
  } catch (error) {
    if (error instanceof FormatError) return { name, bad: error };
    throw error;
  }
}

function withRemedy({ message, cause }: FormatError): FormatError {
  return new FormatError(`${message}; mend it, or leave such images out by --skip-bad`, { cause });
}

function requireCount(
  { location }: ImageSource,
  split: string,
  found: number,
  expected: number | undefined,
): void {
  if (expected === undefined || found === expected) return;
  throw new VapoError(
    `${location} has ${found} images of split ${split}; expected ${expected}: take all of them, ` +
      "or these as they are by --unverified",
  );
}

function requireSome({ location }: ImageSource, split: string, journal: ProgressJournal): void {
  if (journal.of(split).shards.length > 0) return;
  throw new VapoError(
    `${location} has no image of split ${split} that can be taken: all ` +
      `${journal.of(split).skipped.length} were left out`,
  );
}

/**
 * @file What is done of a set that is being prepared: `.progress.jsonl` in its directory, a first
 * line that says what is being made and then a line for every shard that is whole on disk. A process
 * that goes on with the set, or mends it, starts from there; `index.json` says that all is done.
 */
import { z } from "zod";
import {
  type PreparedIndex,
  preparedIndexSchema,
  type PreparedShard,
} from "../../core/data/prepared_index.ts";
import { FormatError, VapoError } from "../../core/errors.ts";
import type { RunStorage } from "../../core/train/run_storage.ts";

/** The journal's name. */
export const JOURNAL_FILE = ".progress.jsonl";
/** The index's name. */
export const INDEX_FILE = "index.json";

const split = preparedIndexSchema.shape.splits.valueType;

const headSchema = z.strictObject({
  format: z.literal("vapo-progress"),
  version: z.literal(1),
  ...preparedIndexSchema.pick({ name: true, shape: true, labelsPerImage: true, made: true }).shape,
});

const lineSchema = z.strictObject({
  split: z.string(),
  /** How many of the source's images are behind, skipped ones included. */
  next: z.int().min(0),
  /** The names of those skipped since the line before. */
  skipped: z.array(z.string()),
  /** The shard; left out where a split ends without one. */
  shard: split.shape.shards.element.optional(),
  /** Set on the last line of a split. */
  done: z.literal(true).optional(),
});

/** What is being made. */
export type JournalHead = Omit<z.infer<typeof headSchema>, "format" | "version">;

/** A step towards it. */
export type JournalLine = z.infer<typeof lineSchema>;

/** What a journal holds. */
export interface JournalContent {
  readonly head: JournalHead;
  readonly lines: readonly JournalLine[];
}

/** How far a split is. */
export interface SplitProgress {
  readonly shards: readonly PreparedShard[];
  /** How many of the source's images are behind. */
  readonly next: number;
  readonly skipped: readonly string[];
  readonly done: boolean;
}

/** A journal that is open for more. */
export interface ProgressJournal {
  readonly head: JournalHead;
  /** How far a split is. */
  of(split: string): SplitProgress;
  /** Notes a step, once its files are whole on disk. */
  add(line: JournalLine): Promise<void>;
}

const encoder = new TextEncoder();
const nothing: SplitProgress = { shards: [], next: 0, skipped: [], done: false };

/** Starts a journal with lines that are known to hold. */
export async function startJournal(
  storage: RunStorage,
  head: JournalHead,
  lines: readonly JournalLine[] = [],
): Promise<ProgressJournal> {
  const records = [{ format: "vapo-progress", version: 1, ...head }, ...lines];
  await storage.write(JOURNAL_FILE, encoder.encode(records.map(toLine).join("")));
  return openJournal(storage, head, lines);
}

/**
 * Reads the journal of a directory; null where there is none.
 *
 * @throws {FormatError} where it is damaged
 */
export async function readJournal(storage: RunStorage): Promise<JournalContent | null> {
  const bytes = await storage.read(JOURNAL_FILE);
  if (bytes === null) return null;
  try {
    // What follows the last end of a line was being written when the process was killed.
    const [first, ...rest] = new TextDecoder().decode(bytes).split("\n").slice(0, -1);
    const { format: _format, version: _version, ...head } = headSchema.parse(JSON.parse(first));
    return { head, lines: rest.map((line) => lineSchema.parse(JSON.parse(line))) };
  } catch (cause) {
    throw new FormatError(
      `${storage.location}/${JOURNAL_FILE} is damaged: expected what is done of the set there; ` +
        `remove ${storage.location} and prepare it anew`,
      { cause },
    );
  }
}

function openJournal(
  storage: RunStorage,
  head: JournalHead,
  lines: readonly JournalLine[],
): ProgressJournal {
  const splits = new Map<string, SplitProgress>();
  const note = ({ split, next, skipped, shard, done }: JournalLine) => {
    const before = splits.get(split) ?? nothing;
    splits.set(split, {
      shards: shard ? [...before.shards, shard] : before.shards,
      next,
      skipped: [...before.skipped, ...skipped],
      done: done === true,
    });
  };
  lines.forEach(note);
  return {
    head,
    of: (split) => splits.get(split) ?? nothing,
    async add(line) {
      await storage.append(JOURNAL_FILE, encoder.encode(toLine(line)));
      note(line);
    },
  };
}

function toLine(record: unknown): string {
  return `${JSON.stringify(record)}\n`;
}

/**
 * Checks that what was begun is what is wanted now.
 *
 * @throws {VapoError} that names what differs
 */
export function requireSame(wanted: JournalHead, begun: JournalHead, location: string): void {
  const flat = ({ made, ...rest }: JournalHead) => ({ ...made, ...rest });
  const now: Record<string, unknown> = flat(wanted), then: Record<string, unknown> = flat(begun);
  const keys = new Set([...Object.keys(then), ...Object.keys(now)]);
  for (const key of keys) {
    const [a, b] = [then[key], now[key]].map((value) => JSON.stringify(value) ?? "left out");
    if (a === b) continue;
    throw new VapoError(
      `${location} holds another set: its ${key} is ${a}, that of this one ${b}; ` +
        `choose another --out, or remove ${location}`,
    );
  }
}

/** The index of a set whose splits are all done. */
export function indexOf(
  { name, shape, labelsPerImage, made }: JournalHead,
  splits: Readonly<Record<string, SplitProgress>>,
): PreparedIndex {
  const entries = Object.entries(splits).map(([split, { shards, skipped }]) => {
    const count = shards.reduce((sum, shard) => sum + shard.count, 0);
    return [split, { count, skipped: skipped.length, shards: [...shards] }];
  });
  return preparedIndexSchema.parse({
    format: "vapo-images",
    version: 1,
    name,
    shape,
    labelsPerImage,
    splits: Object.fromEntries(entries),
    made,
  });
}

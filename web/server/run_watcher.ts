/**
 * @file Watches one run for all who follow it: looks every half second whether its files have changed,
 * as long as anybody follows. What is new is read, checked and written as an event once, whoever asks
 * for it next; those who come later, or read slowly, read it from the files again.
 */
import { VapoError } from "../../core/errors.ts";
import type { RunDetail } from "../runs/run_types.ts";
import {
  ChangedFile,
  fileStart,
  type LineFollower,
  lineFollower,
  type Position,
} from "./line_follower.ts";
import { type LineKind, lineKinds } from "./json_lines.ts";
import { memoryCache } from "./memory_cache.ts";

/** How far a follower of a run has read each of its files. */
export type Positions = Readonly<Record<LineKind, Position>>;

/** Where everybody begins. */
export const runStart: Positions = {
  metrics: fileStart,
  speed: fileStart,
  evaluations: fileStart,
};

/** Some lines of a file, as the data of an event. */
export interface EventChunk {
  /** JSON; null where none of the lines could be read. */
  readonly data: string | null;
  /** Where the follower is after it. */
  readonly end: Position;
}

/** What a follower has to take back. */
export interface RunRewind {
  /** Lines after it are void. */
  readonly step: number;
  /** Where those end that are not. */
  readonly ends: Positions;
}

/** A run that is watched. */
export interface RunWatcher {
  /** Resolves when the files have been looked at for the first time. */
  readonly ready: Promise<void>;
  /** Counts how often lines were taken back. */
  readonly generation: number;
  /** Counts how often the detail has changed. */
  readonly version: number;
  /** The run in full as JSON; null where there is none. */
  readonly detail: string | null;
  /** How far the files can be read. */
  end(kind: LineKind): Position;
  /** What a follower of a generation has to take back to be of this one. */
  rewindSince(generation: number): RunRewind;
  /** Whether the files bear out that somebody has read so far. */
  bears(positions: Positions): Promise<boolean>;
  /**
   * The lines of a file from a position on, as an event.
   *
   * @throws {ChangedFile} where the file has changed meanwhile
   */
  chunk(kind: LineKind, position: Position): Promise<EventChunk>;
  /** Looks now. */
  look(): Promise<void>;
  /** Counts changes of any kind. */
  readonly changes: number;
  /** Calls back at the next change, once; what is returned takes that back. */
  onChange(call: () => void): () => void;
}

/** What a watcher needs. */
export interface RunWatcherOptions {
  /** The real path of the run's directory; null where there is none. */
  readonly directory: () => Promise<string | null>;
  readonly detail: () => Promise<RunDetail | null>;
  readonly pollMilliseconds: number;
  /** Told of what is no user's doing. */
  readonly onBug: (error: unknown) => void;
}

/** How often a detail is told of that differs only in what the lines say too: milliseconds. */
const DETAIL_MILLISECONDS = 5000;
/** The events that are kept for all who are at the same place. */
const CHUNKS = 24;
/** The rewinds that are remembered for those who read slowly. */
const REWINDS = 64;

/** Starts to watch a run; until it is closed. */
export function watchRun(options: RunWatcherOptions): RunWatcher & { close(): void } {
  let directory: string | null = null;
  const files = Object.fromEntries(
    lineKinds.map((kind) => [kind, lineFollower(() => Promise.resolve(directory), kind)]),
  ) as Record<LineKind, LineFollower>;
  const chunks = memoryCache<Promise<EventChunk>>(CHUNKS);
  const rewinds: { readonly generation: number; readonly rewind: RunRewind }[] = [];
  const told = toldDetail();
  const waiting = new Set<() => void>();
  let generation = 0, changes = 0, known = "";
  let timer: ReturnType<typeof setTimeout> | undefined, closed = false;

  async function lookAtFiles(): Promise<void> {
    const looks = await Promise.all(lineKinds.map((kind) => files[kind].look()));
    const back = looks.flatMap(({ rewind }) => rewind ?? []);
    if (back.length > 0) {
      const step = Math.min(...back.map(({ step }) => step));
      const ends = await Promise.all(looks.map(async ({ rewind, positionAfter }, i) => {
        const end = rewind?.step === step ? rewind.end : await positionAfter(step);
        return [lineKinds[i], end] as const;
      }));
      const rewind = { step, ends: Object.fromEntries(ends) as Record<LineKind, Position> };
      rewinds.push({ generation: ++generation, rewind });
      if (rewinds.length > REWINDS) rewinds.shift();
      chunks.clear();
    }
    // Together with the generation: no one sees the one without the other.
    for (const { commit } of looks) commit();
  }

  /** What there is to be read, as a text that is another one when there is more, or other. */
  const extent = () => [generation, ...lineKinds.map((kind) => files[kind].end.offset)].join();

  async function lookOnce(): Promise<void> {
    let isTold = false;
    try {
      directory = await options.directory();
      await lookAtFiles();
      isTold = told.tell(await options.detail(), Date.now());
    } catch (error) {
      // A file was replaced just now, or the system refuses for once: the next look sees it.
      if (!isPassing(error)) options.onBug(error);
    }
    const now = extent();
    if (isTold || now !== known) wake();
    known = now;
  }
  const wake = () => {
    changes++;
    const calls = [...waiting];
    waiting.clear();
    for (const call of calls) call();
  };

  let looking: Promise<void> | null = null;
  const look = () => looking ??= lookOnce().finally(() => looking = null);
  const keepLooking = async () => {
    await look();
    if (!closed) timer = setTimeout(keepLooking, options.pollMilliseconds);
  };
  return {
    ready: keepLooking(),
    get generation() {
      return generation;
    },
    get version() {
      return told.version;
    },
    get detail() {
      return told.json;
    },
    end: (kind) => files[kind].end,
    rewindSince(since) {
      const missed = rewinds.filter((entry) => entry.generation > since);
      if (missed.length < generation - since) return { step: -1, ends: runStart };
      return missed.map(({ rewind }) => rewind).reduce((a, b) => b.step <= a.step ? b : a);
    },
    async bears(positions) {
      const borne = await Promise.all(lineKinds.map((kind) => files[kind].bears(positions[kind])));
      return borne.every((one) => one);
    },
    chunk(kind, position) {
      const key = `${kind} ${position.offset} ${position.crc}`;
      let chunk = chunks.get(key);
      if (!chunk) {
        chunk = readChunk(files[kind], position);
        chunks.set(key, chunk);
        chunk.catch(() => chunks.delete(key));
      }
      return chunk;
    },
    look,
    get changes() {
      return changes;
    },
    onChange(call) {
      waiting.add(call);
      return () => waiting.delete(call);
    },
    close() {
      closed = true;
      clearTimeout(timer);
      wake();
    },
  };
}

/** Whether an error may be gone at the next look. */
function isPassing(error: unknown): boolean {
  return error instanceof ChangedFile || error instanceof VapoError ||
    typeof (error as { code?: unknown } | null)?.code === "string";
}

async function readChunk(file: LineFollower, position: Position): Promise<EventChunk> {
  const { lines, end } = await file.read(position);
  return { data: lines.length > 0 ? JSON.stringify(lines) : null, end };
}

/** The detail as it was last told. */
function toldDetail() {
  let json: string | null = null, version = 0, lasting = "", time = -Infinity;
  return {
    get json() {
      return json;
    },
    get version() {
      return version;
    },
    /** Whether there is something to tell: then the version is a new one. */
    tell(detail: RunDetail | null, now: number): boolean {
      const found = detail ?? (json && vanished(JSON.parse(json)));
      const next = found && JSON.stringify(found);
      if (next === json || !found) return false;
      const { step: _s, loss: _l, modified: _m, ...rest } = found;
      const nextLasting = JSON.stringify(rest);
      if (nextLasting === lasting && now - time < DETAIL_MILLISECONDS) return false;
      [json, lasting, time] = [next, nextLasting, now];
      version++;
      return true;
    },
  };
}

/** What is told of a run whose directory is no longer there. */
function vanished(detail: RunDetail): RunDetail {
  const problem = `${detail.name} is no longer there: its directory was moved or removed`;
  return { ...detail, status: "damaged", problem };
}

/**
 * @file A run's server-sent events (the HTML standard, "Server-sent events"). Each carries as its id
 * how far the files were read, so that a connection that comes back goes on from there, also with
 * another server. A connection asks for the next event only when the one before it was taken off its
 * hands: whoever reads slowly holds one event in memory and is later given from the files what it has
 * not seen.
 */
import { ChangedFile, type Position } from "./line_follower.ts";
import { type LineKind, lineKinds } from "./json_lines.ts";
import { Refusal } from "./refusal.ts";
import {
  type Positions,
  runStart,
  type RunWatcher,
  type RunWatcherOptions,
  watchRun,
} from "./run_watcher.ts";

/** The events of runs. */
export interface EventConnections {
  /**
   * Opens a connection.
   *
   * @param name the run's
   * @param lastId the id of the last event that the client has, or null
   * @throws {Refusal} 503 where there are too many
   */
  open(name: string, lastId: string | null): ReadableStream<Uint8Array<ArrayBuffer>>;
  /** How many there are. */
  readonly count: number;
  /** How many runs are watched. */
  readonly watched: number;
  /** Ends them all. */
  close(): void;
}

/** What connections need. */
export interface EventConnectionsOptions {
  /** How a run is watched. */
  readonly watcher: (name: string) => RunWatcherOptions;
  /** The most connections. */
  readonly limit: number;
  /** How often a connection shows that it is there. */
  readonly heartbeatMilliseconds: number;
}

/** Milliseconds after which a browser comes back. */
const RETRY_MILLISECONDS = 1000;

/** How long a file that changes while it is read is left alone. */
const SETTLING_MILLISECONDS = 50;

const encoder = new TextEncoder();

/** The id of an event: how far each file was read, and the checksum of what was. */
export function eventId(positions: Positions): string {
  return lineKinds.map((kind) => {
    const { offset, crc } = positions[kind];
    return `${kind[0]}${offset}${offset > 0 ? `-${crc.toString(16)}` : ""}`;
  }).join(".");
}

/** What an id says; null where it is none. */
export function parseEventId(id: string): Positions | null {
  const match =
    /^m(\d{1,15})(?:-([0-9a-f]{1,8}))?\.s(\d{1,15})(?:-([0-9a-f]{1,8}))?\.e(\d{1,15})(?:-([0-9a-f]{1,8}))?$/
      .exec(id);
  if (!match) return null;
  const position = (i: number): Position => ({
    offset: Number(match[i]),
    crc: parseInt(match[i + 1] ?? "0", 16),
  });
  return { metrics: position(1), speed: position(3), evaluations: position(5) };
}

/** Makes the connections of a server. */
export function eventConnections(options: EventConnectionsOptions): EventConnections {
  const watchers = new Map<string, { watcher: ReturnType<typeof watchRun>; followers: number }>();
  const closers = new Set<() => void>();
  const follow = (name: string) => {
    let entry = watchers.get(name);
    if (!entry) {
      entry = { watcher: watchRun(options.watcher(name)), followers: 0 };
      watchers.set(name, entry);
    }
    entry.followers++;
    return entry.watcher;
  };
  const unfollow = (name: string) => {
    const entry = watchers.get(name);
    if (!entry || --entry.followers > 0) return;
    watchers.delete(name);
    entry.watcher.close();
  };
  return {
    open(name, lastId) {
      if (closers.size >= options.limit) {
        throw new Refusal(
          503,
          `${options.limit} pages follow runs already: close some of them, and load this one again`,
        );
      }
      const reader = runReader(follow(name), lastId, options.heartbeatMilliseconds);
      const end = () => {
        if (!closers.delete(close)) return;
        reader.close();
        unfollow(name);
      };
      let close = end;
      const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
        start(controller) {
          close = () => {
            end();
            controller.close();
          };
          closers.add(close);
        },
        async pull(controller) {
          try {
            const event = await reader.next();
            if (event && closers.has(close)) controller.enqueue(event);
          } catch (error) {
            end();
            throw error;
          }
        },
        cancel: end,
        // Nothing is made before it is asked for.
      }, { highWaterMark: 0 });
      return stream;
    },
    get count() {
      return closers.size;
    },
    get watched() {
      return watchers.size;
    },
    close() {
      for (const close of [...closers]) close();
    },
  };
}

/** Reads a run for one connection, event by event. */
function runReader(watcher: RunWatcher, lastId: string | null, heartbeatMilliseconds: number) {
  let positions = runStart, generation = -1, version = -1, closed = false;
  let wake = () => {};

  /** Where the client is, so far as the files bear it out. */
  async function begin(): Promise<Uint8Array<ArrayBuffer>> {
    await watcher.ready;
    const hello = `retry: ${RETRY_MILLISECONDS}\n\n`;
    const asked = lastId ? parseEventId(lastId) : null;
    const since = watcher.generation;
    const isBorne = asked !== null && await watcher.bears(asked);
    generation = since;
    if (isBorne) positions = asked;
    else if (lastId) return encoder.encode(hello + event("rewind", { step: -1 }));
    return encoder.encode(hello);
  }

  function event(type: string, data: unknown): string {
    const text = typeof data === "string" ? data : JSON.stringify(data);
    return `event: ${type}\nid: ${eventId(positions)}\ndata: ${text}\n\n`;
  }

  /** What lines the client has to take back, if any. */
  function takeBack(): string | null {
    const { step, ends } = watcher.rewindSince(generation);
    generation = watcher.generation;
    const held = positions;
    positions = Object.fromEntries(
      lineKinds.map((kind) =>
        [kind, held[kind].offset < ends[kind].offset ? held[kind] : ends[kind]] as const
      ),
    ) as Record<LineKind, Position>;
    const isFurther = lineKinds.some((kind) => held[kind].offset > ends[kind].offset);
    return isFurther ? event("rewind", { step }) : null;
  }

  async function nextLines(): Promise<string | null> {
    for (const kind of lineKinds) {
      while (positions[kind].offset < watcher.end(kind).offset) {
        const { data, end } = await watcher.chunk(kind, positions[kind]);
        // While it was read, lines may have been taken back.
        if (generation !== watcher.generation) return null;
        positions = { ...positions, [kind]: end };
        if (data) return event(kind, data);
      }
    }
    return null;
  }

  async function nextEvent(): Promise<string | null> {
    const back = generation === watcher.generation ? null : takeBack();
    if (back) return back;
    if (version !== watcher.version && watcher.detail !== null) {
      version = watcher.version;
      return event("detail", watcher.detail);
    }
    return await nextLines();
  }

  /** Waits for a change, or until it is time to show that the connection is there. */
  async function wait(): Promise<string | null> {
    return await new Promise((resolve) => {
      const done = (text: string | null) => {
        clearTimeout(timer);
        takeBackCall();
        wake = () => {};
        resolve(text);
      };
      const timer = setTimeout(() => done(": still here\n\n"), heartbeatMilliseconds);
      const takeBackCall = watcher.onChange(() => done(null));
      wake = () => done(null);
    });
  }

  return {
    /** The next event, as soon as there is one; null once it is closed. */
    async next(): Promise<Uint8Array<ArrayBuffer> | null> {
      while (!closed) {
        try {
          if (generation < 0) return await begin();
          // What changes while nothing is found is not slept through.
          const before = watcher.changes;
          const text = await nextEvent() ?? (before === watcher.changes ? await wait() : null);
          if (text !== null && !closed) return encoder.encode(text);
        } catch (error) {
          if (!(error instanceof ChangedFile)) throw error;
          await watcher.look();
          await new Promise((resolve) => setTimeout(resolve, SETTLING_MILLISECONDS));
        }
      }
      return null;
    },
    close() {
      closed = true;
      wake();
    },
  };
}

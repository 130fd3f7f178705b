/**
 * @file Follows a run as it grows: the server-sent events of `web/runs/run_types.ts`, held in signals.
 * A connection that is lost is built anew, a little later each time, and says how far it had come, so
 * that nothing is missed and no line is there twice.
 */
import { batch, type Signal } from "@preact/signals";
import type { EvaluationLine, MetricsLine, SpeedLine } from "../../../core/train/run_directory.ts";
import type { RunDetail, RunEvents } from "../../runs/run_types.ts";

/** How it stands with the connection. */
export type ConnectionState = "connecting" | "live" | "lost" | "resting";

/** What is held of a run. */
export interface RunSignals {
  /** Ascending steps. */
  readonly metrics: Signal<readonly MetricsLine[]>;
  /** Ascending steps. */
  readonly speed: Signal<readonly SpeedLine[]>;
  /** Steps do not descend; each metric has lines of its own. */
  readonly evaluations: Signal<readonly EvaluationLine[]>;
  readonly detail: Signal<RunDetail>;
  readonly connection: Signal<ConnectionState>;
}

/** What of the browser's EventSource is used. */
export interface EventStream {
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

/** What a page has of the world; all but tests take the browser's. */
export interface FollowOptions {
  /** Opens a stream; default is a new EventSource. */
  readonly open?: (address: string) => EventStream;
  /** Calls back after some milliseconds; what is returned takes it back. */
  readonly later?: (call: () => void, milliseconds: number) => () => void;
  /** Called whenever a lost connection is there again: the server may be another one. */
  readonly onRecovery?: () => void;
}

/** A connection that can rest while nobody looks. */
export interface RunConnection {
  /** Closes the stream; what has come is kept. */
  rest(): void;
  /** Goes on where {@link rest} left off. */
  wake(): void;
  /** For good. */
  close(): void;
}

/** Milliseconds before the first attempt after a loss, and before any later one at most. */
const firstWait = 500, longestWait = 10_000;

/**
 * Follows a run's events until it is closed.
 *
 * @param name the run's
 * @param signals are changed as events come
 */
export function followRun(
  name: string,
  signals: RunSignals,
  { open = openEventSource, later = afterTimeout, onRecovery }: FollowOptions = {},
): RunConnection {
  const address = `/api/runs/${encodeURIComponent(name)}/events`;
  let stream: EventStream | null = null, cancel = () => {};
  let lastId = "", wait = firstWait, awake = true, interrupted = false;
  const drop = () => {
    cancel();
    stream?.close();
    stream = null;
  };
  const connect = () => {
    drop();
    const opened = stream = open(
      lastId ? `${address}?after=${encodeURIComponent(lastId)}` : address,
    );
    const lose = () => {
      drop();
      interrupted = true;
      signals.connection.value = "lost";
      cancel = later(connect, wait);
      wait = Math.min(2 * wait, longestWait);
    };
    opened.addEventListener("open", () => {
      if (opened !== stream) return;
      signals.connection.value = "live";
      if (interrupted) onRecovery?.();
      interrupted = false;
    });
    for (const type of eventTypes) {
      opened.addEventListener(type, (event) => {
        if (opened !== stream) return;
        // An id is only held with what it stands for: what cannot be read is asked for again.
        try {
          batch(() => takeEvent(signals, type, event.data));
        } catch {
          return lose();
        }
        if (event.lastEventId) lastId = event.lastEventId;
        wait = firstWait;
      });
    }
    opened.addEventListener("error", () => {
      if (opened === stream) lose();
    });
  };
  connect();
  return {
    rest() {
      if (!awake) return;
      awake = false;
      drop();
      signals.connection.value = "resting";
    },
    wake() {
      if (awake) return;
      awake = true;
      wait = firstWait;
      // As after a loss: the server may have been started again meanwhile.
      interrupted = true;
      signals.connection.value = "connecting";
      connect();
    },
    close() {
      awake = true;
      drop();
    },
  };
}

const eventTypes = ["metrics", "speed", "evaluations", "rewind", "detail"] as const;

/**
 * Takes one event into the signals. Lines that are there already are left out, whatever is sent.
 *
 * @throws {SyntaxError} where the data are no JSON
 */
export function takeEvent(signals: RunSignals, type: keyof RunEvents, data: string): void {
  const value: unknown = JSON.parse(data);
  switch (type) {
    case "metrics":
      signals.metrics.value = appended(signals.metrics.value, value as MetricsLine[]);
      return;
    case "speed":
      signals.speed.value = appended(signals.speed.value, value as SpeedLine[]);
      return;
    case "evaluations":
      signals.evaluations.value = withEvaluations(
        signals.evaluations.value,
        value as EvaluationLine[],
      );
      return;
    case "rewind": {
      const { step } = value as RunEvents["rewind"];
      signals.metrics.value = upTo(signals.metrics.value, step);
      signals.speed.value = upTo(signals.speed.value, step);
      signals.evaluations.value = upTo(signals.evaluations.value, step);
      return;
    }
    case "detail":
      signals.detail.value = value as RunDetail;
  }
}

/** Lines of ascending steps; only what goes beyond the last one is added. */
function appended<T extends { readonly step: number }>(
  held: readonly T[],
  lines: readonly T[],
): readonly T[] {
  const last = held.at(-1)?.step ?? -Infinity;
  const fresh = lines.filter(({ step }) => step > last);
  return fresh.length === 0 ? held : [...held, ...fresh];
}

/** A step has one line for each metric and each way of measuring it. */
function withEvaluations(
  held: readonly EvaluationLine[],
  lines: readonly EvaluationLine[],
): readonly EvaluationLine[] {
  const known = new Set(held.map(evaluationKey));
  const fresh = lines.filter((line) => {
    const key = evaluationKey(line);
    return !known.has(key) && known.add(key);
  });
  return fresh.length === 0 ? held : [...held, ...fresh];
}

function evaluationKey({ step, metric, of }: EvaluationLine): string {
  return JSON.stringify([step, metric, of ?? null]);
}

function upTo<T extends { readonly step: number }>(
  lines: readonly T[],
  step: number,
): readonly T[] {
  return lines.filter((line) => line.step <= step);
}

function openEventSource(address: string): EventStream {
  return new EventSource(address);
}

function afterTimeout(call: () => void, milliseconds: number): () => void {
  const timer = setTimeout(call, milliseconds);
  return () => clearTimeout(timer);
}

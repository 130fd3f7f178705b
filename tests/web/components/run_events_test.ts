/**
 * @file Following a run: events of a fake stream, losses of it, and what is held afterwards.
 */
import { signal } from "@preact/signals";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type ConnectionState,
  type EventStream,
  followRun,
  type RunSignals,
  takeEvent,
} from "../../../web/components/runs/run_events.ts";
import type { EvaluationLine, MetricsLine, SpeedLine } from "../../../core/train/run_directory.ts";
import { runDetail } from "./run_samples.ts";

function emptySignals(): RunSignals {
  return {
    metrics: signal<readonly MetricsLine[]>([]),
    speed: signal<readonly SpeedLine[]>([]),
    evaluations: signal<readonly EvaluationLine[]>([]),
    detail: signal(runDetail()),
    connection: signal<ConnectionState>("connecting"),
  };
}

/** A stream whose events the test makes. */
class FakeStream implements EventStream {
  closed = false;
  readonly #listeners = new Map<string, (event: MessageEvent<string>) => void>();
  constructor(readonly address: string) {}
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void) {
    this.#listeners.set(type, listener);
  }
  close() {
    this.closed = true;
  }
  emit(type: string, data: unknown = null, lastEventId = "") {
    this.emitText(type, JSON.stringify(data), lastEventId);
  }
  emitText(type: string, data: string, lastEventId = "") {
    this.#listeners.get(type)?.(new MessageEvent(type, { data, lastEventId }));
  }
}

/** A followed run, its streams in the order in which they were opened, and a clock of its own. */
function follow(name = "rings") {
  const signals = emptySignals(), streams: FakeStream[] = [];
  const waits: number[] = [];
  let due: (() => void) | null = null, recoveries = 0;
  const connection = followRun(name, signals, {
    open: (address) => {
      streams.push(new FakeStream(address));
      return streams.at(-1)!;
    },
    later: (call, milliseconds) => {
      waits.push(milliseconds);
      due = call;
      return () => due = null;
    },
    onRecovery: () => recoveries++,
  });
  return {
    signals,
    streams,
    waits,
    connection,
    stream: () => streams.at(-1)!,
    elapse: () => {
      const call = due;
      due = null;
      call?.();
    },
    isWaiting: () => due !== null,
    recoveries: () => recoveries,
  };
}

const line = (step: number): MetricsLine => ({ step, loss: -step });
const steps = (lines: readonly { step: number }[]) => lines.map(({ step }) => step);

Deno.test("lines are appended as they come, each kind by itself", () => {
  const { signals, stream } = follow();
  stream().emit("open");
  assertEquals(signals.connection.value, "live");
  stream().emit("metrics", [line(10), line(20)], "a");
  stream().emit("speed", [{ step: 10, samplesPerSecond: 5, waitMilliseconds: 0 }], "b");
  stream().emit("metrics", [line(30)], "c");
  stream().emit("evaluations", [{ step: 30, metric: "fid", value: 7 }], "d");
  stream().emit("detail", runDetail({ step: 30 }), "d");
  assertEquals(signals.metrics.value, [line(10), line(20), line(30)]);
  assertEquals(steps(signals.speed.value), [10]);
  assertEquals(signals.evaluations.value, [{ step: 30, metric: "fid", value: 7 }]);
  assertEquals(signals.detail.value.step, 30);
});

Deno.test("a rewind takes back all lines after its step, and what comes then is added", () => {
  const { signals, stream } = follow();
  stream().emit("metrics", [line(10), line(20), line(30)], "a");
  stream().emit("evaluations", [10, 30].map((step) => ({ step, metric: "fid", value: 1 })), "b");
  stream().emit("rewind", { step: 15 }, "c");
  assertEquals(steps(signals.metrics.value), [10]);
  assertEquals(steps(signals.evaluations.value), [10]);
  stream().emit("metrics", [{ step: 20, loss: 5 }], "d");
  assertEquals(signals.metrics.value.at(-1), { step: 20, loss: 5 });
  stream().emit("rewind", { step: -1 }, "e");
  assertEquals(signals.metrics.value, []);
});

Deno.test("a lost connection is built anew from the last id, and says that it is lost", () => {
  const { signals, streams, stream, elapse, recoveries } = follow("a run/№ 1");
  assertEquals(stream().address, "/api/runs/a%20run%2F%E2%84%96%201/events");
  stream().emit("open");
  stream().emit("metrics", [line(10)], "m10&x");
  stream().emit("error");
  assertEquals(streams[0].closed, true);
  assertEquals(signals.connection.value, "lost");
  assertEquals(streams.length, 1);
  elapse();
  assertEquals(streams.length, 2);
  assertEquals(stream().address.split("?")[1], "after=m10%26x");
  assertEquals([signals.connection.value, recoveries()], ["lost", 0]);
  stream().emit("open");
  assertEquals([signals.connection.value, recoveries()], ["live", 1]);
  stream().emit("metrics", [line(20)], "m20");
  assertEquals(steps(signals.metrics.value), [10, 20]);
});

Deno.test("the first connection is no recovery", () => {
  const { stream, recoveries } = follow();
  stream().emit("open");
  assertEquals(recoveries(), 0);
});

Deno.test("attempts are further apart each time, up to a limit, and near again after an event", () => {
  const { waits, stream, elapse } = follow();
  for (let i = 0; i < 8; i++) {
    stream().emit("error");
    elapse();
  }
  assertEquals(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  stream().emit("open");
  stream().emit("metrics", [line(10)], "a");
  stream().emit("error");
  assertEquals(waits.at(-1), 500);
});

Deno.test("no line is there twice, also where a server sends them again", () => {
  const { signals, stream, elapse } = follow();
  const evaluation = { step: 10, metric: "fid", value: 1, of: { n: 5 } };
  stream().emit("metrics", [line(10), line(20)], "a");
  stream().emit("evaluations", [evaluation], "b");
  stream().emit("error");
  elapse();
  stream().emit("metrics", [line(10), line(20), line(30)], "c");
  stream().emit("evaluations", [
    evaluation,
    { ...evaluation, of: { n: 6 } },
    { ...evaluation, metric: "nll" },
  ], "d");
  assertEquals(steps(signals.metrics.value), [10, 20, 30]);
  assertEquals(signals.evaluations.value.length, 3);
});

Deno.test("an event that cannot be read is asked for again", () => {
  const { signals, stream, elapse } = follow();
  stream().emit("metrics", [line(10)], "a");
  stream().emitText("metrics", '[{"step": 20', "b");
  assertEquals(signals.connection.value, "lost");
  elapse();
  assertEquals(stream().address.split("?")[1], "after=a");
});

Deno.test("a stream that was closed says nothing any more", () => {
  const { signals, streams, stream, elapse } = follow();
  stream().emit("error");
  elapse();
  streams[0].emit("metrics", [line(10)], "late");
  streams[0].emit("error");
  assertEquals(signals.metrics.value, []);
  assertEquals(streams[1].closed, false);
});

Deno.test("a connection rests, wakes where it was, and ends for good", () => {
  const { signals, streams, stream, connection, recoveries, isWaiting } = follow();
  stream().emit("open");
  stream().emit("metrics", [line(10)], "a");
  connection.rest();
  connection.rest();
  assertEquals([signals.connection.value, streams[0].closed], ["resting", true]);
  connection.wake();
  connection.wake();
  assertEquals(streams.length, 2);
  assertEquals(stream().address.split("?")[1], "after=a");
  // Nobody is told of a loss that there was none of; but the server may be another one.
  assertEquals(signals.connection.value, "connecting");
  stream().emit("open");
  assertEquals([signals.connection.value, recoveries()], ["live", 1]);
  stream().emit("error");
  connection.close();
  assertEquals(isWaiting(), false);
});

Deno.test("whatever is cut, lost and sent again: what is held is the file", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 40 }),
    fc.array(
      fc.record({
        from: fc.integer({ min: 0, max: 40 }),
        count: fc.integer({ min: 0, max: 15 }),
        rewind: fc.option(fc.integer({ min: -1, max: 40 }), { freq: 5 }),
      }),
      { maxLength: 12 },
    ),
    (length, pieces) => {
      const signals = emptySignals(), held = () => signals.metrics.value;
      const file = Array.from({ length }, (_, i) => line(i + 1));
      for (const { from, count, rewind } of pieces) {
        if (rewind !== null) takeEvent(signals, "rewind", JSON.stringify({ step: rewind }));
        // A server begins no later than where the client is, and may go back.
        const begin = Math.min(from, held().length);
        takeEvent(signals, "metrics", JSON.stringify(file.slice(begin, begin + count)));
        assertEquals(held(), file.slice(0, held().length));
      }
      takeEvent(signals, "metrics", JSON.stringify(file.slice(held().length)));
      assertEquals(held(), file);
    },
  ));
});

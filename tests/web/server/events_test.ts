/** @file Events of runs: with real files that grow, tear, shrink and are replaced. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { join } from "@std/path";
import { eventId, parseEventId } from "../../../web/server/run_events.ts";
import { memoryCache } from "../../../web/server/memory_cache.ts";
import {
  type Fixture,
  makeRun,
  metricsLine,
  newPage,
  readEvents,
  replace,
  stepsOf,
  takeUntil,
  withServer,
  write,
} from "./server_fixture.ts";

async function follow({ get }: Fixture, name: string, lastId = "") {
  const path = `/api/runs/${name}/events`;
  const answer = await get(path, lastId ? { "last-event-id": lastId } : {});
  assertEquals(answer.status, 200);
  assertEquals(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
  return readEvents(answer);
}

const append = (path: string, text: string) => Deno.writeTextFile(path, text, { append: true });
const countTo = (end: number, every = 10) =>
  Array.from({ length: end / every }, (_, i) => (i + 1) * every);

Deno.test("a connection gets all lines, then those that are appended, and no torn one", () =>
  withServer(async (server) => {
    const run = await makeRun(server.runs, "rings"), page = newPage();
    const reader = await follow(server, "rings");
    await takeUntil(reader, page, ({ metrics }) => metrics.length === 2);
    assertEquals(page.detail?.name, "rings");
    assertEquals(page.metrics, [{ step: 10, loss: -0.01 }, { step: 20, loss: -0.02 }]);

    const torn = metricsLine(40);
    await append(join(run, "metrics.jsonl"), metricsLine(30) + torn.slice(0, 12));
    await takeUntil(reader, page, ({ metrics }) => metrics.length === 3);
    assertEquals(stepsOf(page.metrics), [10, 20, 30]);
    await append(join(run, "metrics.jsonl"), torn.slice(12));
    await takeUntil(reader, page, ({ metrics }) => metrics.length === 4);
    assertEquals(stepsOf(page.metrics), [10, 20, 30, 40]);

    await write(run, "speed.jsonl", '{"step":10,"samplesPerSecond":5,"waitMilliseconds":0}\n');
    await write(run, "evaluations.jsonl", '{"step":20,"metric":"nll","value":1.5}\n');
    await takeUntil(
      reader,
      page,
      ({ speed, evaluations }) => speed.length === 1 && evaluations.length === 1,
    );
    await reader.close();
    assertEquals(server.connections(), { followers: 0, runs: 0 });
  }));

Deno.test("who comes back with an id gets what was missed, from another server too", () =>
  withServer(async (server) => {
    const run = await makeRun(server.runs, "rings", { lines: countTo(100) }), page = newPage();
    const first = await follow(server, "rings");
    await takeUntil(first, page, ({ metrics }) => metrics.length === 10);
    await first.close();
    await append(join(run, "metrics.jsonl"), metricsLine(110) + metricsLine(120));
    const second = await follow(server, "rings", page.lastId);
    const events = await takeUntil(second, page, ({ metrics }) => metrics.length >= 12);
    assertEquals(stepsOf(page.metrics), countTo(120));
    assert(events.every(({ type }) => type !== "rewind"));
    await second.close();

    // By the address, which a page can choose.
    await append(join(run, "metrics.jsonl"), metricsLine(130));
    const answer = await server.get(`/api/runs/rings/events?after=${page.lastId}`);
    const third = readEvents(answer);
    await takeUntil(third, page, ({ metrics }) => metrics.length >= 13);
    assertEquals(stepsOf(page.metrics), countTo(130));
    await third.close();
  }));

Deno.test("an id that the files do not bear out is answered by everything from the start", () =>
  withServer(async (server) => {
    const run = await makeRun(server.runs, "rings", { lines: countTo(50) }), page = newPage();
    const first = await follow(server, "rings");
    await takeUntil(first, page, ({ metrics }) => metrics.length === 5);
    await first.close();
    // Another history, longer than the first.
    await replace(run, "metrics.jsonl", countTo(90).map((step) => metricsLine(step, 7)).join(""));
    for (const id of [page.lastId, "m999999-1.s0.e0", "nonsense", "m5-0.s0.e0"]) {
      const reader = await follow(server, "rings", id);
      const [{ type, data }] = await takeUntil(reader, page, ({ metrics }) => metrics.length === 9);
      assertEquals([type, data], ["rewind", { step: -1 }]);
      assertEquals(page.metrics.map(({ loss }) => loss), new Array(9).fill(7));
      await reader.close();
    }
  }));

Deno.test("a run that is resumed from an earlier step takes its later lines back", () =>
  withServer(async (server) => {
    const run = await makeRun(server.runs, "rings", { lines: countTo(100) }), page = newPage();
    await write(
      run,
      "speed.jsonl",
      countTo(100).map((step) => `{"step":${step},"samplesPerSecond":5,"waitMilliseconds":0}\n`)
        .join(""),
    );
    const reader = await follow(server, "rings");
    await takeUntil(reader, page, ({ metrics, speed }) => metrics.length + speed.length === 20);
    await replace(run, "metrics.jsonl", countTo(60).map((step) => metricsLine(step)).join(""));
    const [rewind] = await takeUntil(reader, page, (_, { type }) => type === "rewind");
    assertEquals(rewind.data, { step: 60 });
    assertEquals(stepsOf(page.metrics), countTo(60));
    await append(join(run, "metrics.jsonl"), metricsLine(70, 1));
    await takeUntil(reader, page, ({ metrics, speed }) => metrics.length + speed.length === 17);
    assertEquals(page.metrics.at(-1), { step: 70, loss: 1 });
    // The speeds had not been taken back yet; now they are.
    assertEquals(stepsOf(page.speed), countTo(100));
    await replace(
      run,
      "speed.jsonl",
      countTo(60).map((step) => `{"step":${step},"samplesPerSecond":5,"waitMilliseconds":0}\n`)
        .join(""),
    );
    await takeUntil(
      reader,
      page,
      ({ metrics, speed }) => speed.length === 6 && metrics.length === 7,
    );
    assertEquals([stepsOf(page.speed), stepsOf(page.metrics)], [countTo(60), countTo(70)]);
    await reader.close();
  }));

Deno.test("a run that is resumed where it stopped is told of without a rewind", () =>
  withServer(async (server) => {
    const run = await makeRun(server.runs, "rings", { lines: countTo(100) }), page = newPage();
    const reader = await follow(server, "rings");
    await takeUntil(reader, page, ({ metrics }) => metrics.length === 10);
    const text = countTo(100).map((step) => metricsLine(step)).join("");
    await replace(run, "metrics.jsonl", text);
    await append(join(run, "metrics.jsonl"), metricsLine(110));
    const events = await takeUntil(reader, page, ({ metrics }) => metrics.length === 11);
    assert(events.every(({ type }) => type !== "rewind"));
    await reader.close();
  }));

Deno.test("a run may appear after those who wait for it, and go", () =>
  withServer(async (server) => {
    const page = newPage(), reader = await follow(server, "later");
    const waiting = takeUntil(reader, page, ({ metrics }) => metrics.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 60));
    assertEquals(page.detail, null);
    await makeRun(server.runs, "later");
    await waiting;
    assertEquals(stepsOf(page.metrics), [10, 20]);
    await Deno.remove(join(server.runs, "later"), { recursive: true });
    await takeUntil(
      reader,
      page,
      ({ metrics, detail }) =>
        metrics.length === 0 && detail?.status === "damaged" &&
        /no longer there/.test(detail.problem!),
    );
    await reader.close();
  }));

Deno.test("lines that cannot be read cost themselves alone, also endless ones", () =>
  withServer(async (server) => {
    const run = await makeRun(server.runs, "rings", { lines: [] }), page = newPage();
    const garbage = [
      "",
      "null",
      "[1]",
      '{"step":"1"}',
      '{"loss":1}',
      "\0\xff",
      "{",
      '{"step":1,"loss":"x"}',
    ];
    await write(
      run,
      "metrics.jsonl",
      metricsLine(10) + garbage.join("\n") + "\n" + metricsLine(20) + "x".repeat(700_000) + "\n" +
        `${" ".repeat(300_000)}{"step":25,"loss":1}\n` + metricsLine(30),
    );
    const reader = await follow(server, "rings");
    await takeUntil(reader, page, ({ metrics }) => metrics.at(-1)?.step === 30);
    assertEquals(stepsOf(page.metrics).filter((step) => step !== 25), [10, 20, 30]);
    await reader.close();
  }));

Deno.test("all who follow a run get the same bytes", () =>
  withServer(async (server) => {
    const run = await makeRun(server.runs, "rings", { lines: [] });
    const pages = Array.from({ length: 20 }, newPage);
    const readers = await Promise.all(pages.map(() => follow(server, "rings")));
    assertEquals(server.connections(), { followers: 20, runs: 1 });
    const all = readers.map((reader, i) =>
      takeUntil(reader, pages[i], ({ metrics }) => metrics.length === 30)
    );
    for (const step of countTo(300)) {
      await append(join(run, "metrics.jsonl"), metricsLine(step));
      if (step % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 25));
    }
    await Promise.all(all);
    for (const { metrics } of pages) assertEquals(stepsOf(metrics), countTo(300));
    assertEquals(new Set(pages.map(({ lastId }) => lastId)).size, 1);
    for (const reader of readers) await reader.close();
    assertEquals(server.connections(), { followers: 0, runs: 0 });
  }));

Deno.test("connections are counted, too many refused, and all ended at the end", () =>
  withServer(async (server) => {
    await makeRun(server.runs, "rings");
    const readers = await Promise.all([follow(server, "rings"), follow(server, "rings")]);
    const refused = await server.get("/api/runs/rings/events");
    assertEquals(refused.status, 503);
    assertEquals(Object.keys(await refused.json()), ["error"]);
    await readers[0].close();
    readers[0] = await follow(server, "rings");
    await server.close();
    for (const reader of readers) while (await reader.next() !== null);
    assertEquals(server.connections(), { followers: 0, runs: 0 });
    const head = await server.app.request("http://127.0.0.1:8787/api/runs/rings/events", {
      method: "HEAD",
    });
    assertEquals([head.status, server.connections().followers], [405, 0]);
  }, { connections: 2 }));

Deno.test("a connection without events shows that it is there", () =>
  withServer(async (server) => {
    await makeRun(server.runs, "rings", { lines: [] });
    const answer = await server.get("/api/runs/rings/events");
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes(": still here\n\n: still here\n\n")) text += (await reader.read()).value;
    await reader.cancel();
  }, { heartbeatMilliseconds: 10 }));

Deno.test("who reads slowly holds one event, and reads the files as they are then", () =>
  withServer(async (server) => {
    const lines = countTo(100_000), page = newPage();
    const run = await makeRun(server.runs, "rings", { lines });
    const reader = await follow(server, "rings");
    await takeUntil(reader, page, ({ metrics }) => metrics.length === 1000);
    // 9,000 lines are to be read; had they been queued, they would still come.
    await replace(run, "metrics.jsonl", metricsLine(10) + metricsLine(20));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const events = await takeUntil(reader, page, (_, { type }) => type === "rewind");
    assert(events.filter(({ type }) => type === "metrics").length <= 1);
    await takeUntil(reader, page, ({ metrics }) => metrics.length === 2);
    assertEquals(stepsOf(page.metrics), [10, 20]);
    await reader.close();
  }));

Deno.test("ids survive writing and reading, and what is no id is told", () => {
  const position = fc.record({ offset: fc.nat(), crc: fc.nat(0xffffffff) })
    .map(({ offset, crc }) => ({ offset, crc: offset === 0 ? 0 : crc }));
  fc.assert(
    fc.property(fc.record({ metrics: position, speed: position, evaluations: position }), (at) => {
      assertEquals(parseEventId(eventId(at)), at);
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => {
    const read = parseEventId(text);
    if (read) assertNotEquals(text, "");
  }));
  for (const id of ["", "m1", "m-1.s0.e0", "m1.s0.e0.g3", `m${"9".repeat(20)}.s0.e0`]) {
    assertEquals(parseEventId(id), null);
  }
});

/** What may happen to a file of lines, and to a page that follows it. */
type Happening =
  | { readonly do: "append"; readonly count: number }
  | { readonly do: "tear"; readonly share: number }
  | { readonly do: "resume"; readonly share: number; readonly inPlace: boolean }
  | { readonly do: "garbage" }
  | { readonly do: "wait" }
  | { readonly do: "reconnect" };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ do: fc.constant("append" as const), count: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ do: fc.constant("append" as const), count: fc.integer({ min: 1, max: 2500 }) }),
  fc.record({
    do: fc.constant("tear" as const),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({
    do: fc.constant("resume" as const),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    inPlace: fc.boolean(),
  }),
  fc.record({ do: fc.constant("garbage" as const) }),
  fc.record({ do: fc.constant("wait" as const) }),
  fc.record({ do: fc.constant("reconnect" as const) }),
);

/** Lets things happen to a file; calls back whenever a page shall wait or come back. */
async function happen(path: string, happenings: readonly Happening[], page: {
  wait(): Promise<void>;
  reconnect(): Promise<void>;
}): Promise<number[]> {
  let lines: string[] = [], sitting = 0, torn = "";
  for (const it of happenings) {
    switch (it.do) {
      case "append": {
        const last = lines.findLast((line) => line.startsWith("{"));
        const from = last ? JSON.parse(last).step + 1 : 1;
        const more = Array.from({ length: it.count }, (_, i) => metricsLine(from + i, sitting));
        // What is torn stays torn until the run is resumed: then it is part of no line.
        await append(path, (torn ? "\n" : "") + more.join(""));
        if (torn) lines.push("torn\n");
        torn = "";
        lines.push(...more);
        break;
      }
      case "tear": {
        const text = metricsLine(1e6);
        torn = torn || text.slice(0, 1 + Math.floor(it.share * (text.length - 3)));
        await append(path, torn);
        if (lines.length === 0 || torn !== "") break;
        break;
      }
      case "resume":
        lines = lines.filter((line) => line.startsWith("{"));
        lines = lines.slice(0, Math.round(it.share * lines.length));
        torn = "";
        sitting++;
        if (it.inPlace) await Deno.writeTextFile(path, lines.join(""));
        else {
          await Deno.writeTextFile(`${path}.tmp`, lines.join(""));
          await Deno.rename(`${path}.tmp`, path);
        }
        break;
      case "garbage":
        if (torn) break;
        await append(path, "garbage\n");
        lines.push("garbage\n");
        break;
      case "wait":
        await page.wait();
        break;
      case "reconnect":
        await page.reconnect();
    }
  }
  return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line).loss);
}

Deno.test("whatever happens to the file, a page has its lines in the end, each once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 14 }), async (happenings) => {
      await withServer(async (server) => {
        const run = await makeRun(server.runs, "rings", { lines: [] });
        const path = join(run, "metrics.jsonl"), page = newPage();
        let reader = await follow(server, "rings");
        let done = false, wanted = -1, events = 0;
        let taking: Promise<unknown> = Promise.resolve();
        const end = JSON.stringify({ step: 10_000_000, loss: 0.5 });
        const takeAll = () =>
          taking = takeUntil(reader, page, ({ metrics }) => {
            events++;
            return metrics.at(-1)?.loss === 0.5;
          }).catch((error) => {
            if (!done && wanted < 0 && !/ended/.test(String(error))) throw error;
          });
        takeAll();
        const losses = await happen(path, happenings, {
          wait: () => new Promise((resolve) => setTimeout(resolve, 12)),
          async reconnect() {
            await reader.close();
            await taking;
            reader = await follow(server, "rings", page.lastId);
            takeAll();
          },
        });
        wanted = losses.length;
        await append(path, `\n${end}\n`);
        await taking;
        done = true;
        await reader.close();
        assertEquals(page.metrics.map(({ loss }) => loss), [...losses, 0.5]);
        assertEquals(
          stepsOf(page.metrics).toSorted((a, b) => a - b),
          stepsOf(page.metrics),
        );
        assert(events > 0);
      }, { pollMilliseconds: 3 });
    }),
    { numRuns: 60 },
  );
});

Deno.test("a cache keeps what was asked for last, and no more than it may", () => {
  const cache = memoryCache<string>(10, (text) => text.length);
  cache.set("a", "1234");
  cache.set("b", "1234");
  cache.get("a");
  cache.set("c", "1234");
  assertEquals(["a", "b", "c"].map((key) => cache.get(key) !== undefined), [true, false, true]);
  cache.set("d", "too long for it");
  assertEquals([cache.get("d"), cache.used], [undefined, 8]);
  cache.set("a", "1");
  assertEquals(cache.used, 5);
});

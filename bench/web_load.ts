/**
 * @file Many pages that follow one run, over real connections: a server in a process of its own, a
 * writer that appends lines, and clients that lose their connection now and then and come back with the
 * id of the last event they had. Each checks that it gets every line, once and in order.
 */
import { join } from "@std/path";
import { webApp } from "../web/server.ts";

/** How many pages, for how long. */
export interface LoadWork {
  readonly pages: number;
  readonly seconds: number;
  /** Lines that are appended in a second. */
  readonly linesPerSecond: number;
  /** Lines that are there before anybody comes. */
  readonly linesBefore: number;
  /** A connection lasts so long on average, then the page drops it. */
  readonly connectionSeconds: number;
}

/** The server's own figures at a time. */
export interface ServerSample {
  /** Seconds since the server began. */
  readonly seconds: number;
  readonly residentBytes: number;
  /** What is left of the heap after a collection: what is in use. */
  readonly heapBytes: number;
  /** Connections that follow a run. */
  readonly followers: number;
}

/** What one page has seen. */
interface PageResult {
  readonly lines: number;
  readonly connections: number;
  /** Milliseconds from the writing of a line to its arrival, of lines that came while connected. */
  readonly delays: readonly number[];
}

/** What a load has come to. */
export interface LoadResult {
  /** Lines that were written in all. */
  readonly lines: number;
  readonly pages: readonly PageResult[];
  readonly server: readonly ServerSample[];
  /** Connections that were left when all pages had gone. */
  readonly followersAtEnd: number;
}

/** A server in a process of its own. */
interface ServerProcess {
  readonly port: number;
  readonly samples: ServerSample[];
  close(): Promise<void>;
}

const SAMPLING_MILLISECONDS = 2000;
const NAME = "load";

async function startServer(runs: string): Promise<ServerProcess> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--v8-flags=--expose-gc"],
      ...[new URL(import.meta.url).pathname, runs],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const samples: ServerSample[] = [], port = Promise.withResolvers<number>();
  const reading = (async () => {
    let text = "";
    for await (const part of process.stdout.pipeThrough(new TextDecoderStream())) {
      text += part;
      const lines = text.split("\n");
      text = lines.pop()!;
      for (const line of lines) {
        const value = JSON.parse(line);
        if ("port" in value) port.resolve(value.port);
        else samples.push(value);
      }
    }
    port.reject(new Error("the server has ended"));
  })();
  return {
    port: await port.promise,
    samples,
    async close() {
      await process.stdin.close();
      await process.status;
      await reading;
    },
  };
}

/** The server's process: tells its port, then how it is, until nobody listens to it any more. */
async function serve(runs: string): Promise<void> {
  const begin = performance.now();
  // The port is known when it listens, and a server is made for a port.
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const web = webApp({ runs, port });
  Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, web.app.fetch);
  console.log(JSON.stringify({ port }));
  const collect = (globalThis as { gc?: () => void }).gc;
  const timer = setInterval(() => {
    collect?.();
    const { rss: residentBytes, heapUsed: heapBytes } = Deno.memoryUsage();
    const seconds = (performance.now() - begin) / 1000;
    const { followers } = web.connections();
    console.log(JSON.stringify({ seconds, residentBytes, heapBytes, followers }));
  }, SAMPLING_MILLISECONDS);
  for await (const _ of Deno.stdin.readable);
  clearInterval(timer);
  Deno.exit();
}

function lineOf(step: number, writtenAt: number): string {
  return `${JSON.stringify({ step, loss: -1 / step, writtenAt })}\n`;
}

/** Appends lines at equal times; some are torn in the middle for a moment. */
async function writeLines(path: string, from: number, work: LoadWork): Promise<number> {
  const begin = performance.now(), every = 1000 / work.linesPerSecond;
  let step = from;
  while (performance.now() - begin < work.seconds * 1000) {
    step++;
    const line = lineOf(step, Date.now()), cut = step % 7 === 0 ? line.length >> 1 : 0;
    if (cut > 0) {
      await Deno.writeTextFile(path, line.slice(0, cut), { append: true });
      await pause(every / 4);
    }
    await Deno.writeTextFile(path, line.slice(cut), { append: true });
    await pause(begin + (step - from) * every - performance.now());
  }
  return step;
}

const pause = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));

/** A page until it has seen a last line. */
async function followRun(
  port: number,
  last: Promise<number>,
  { connectionSeconds }: LoadWork,
): Promise<PageResult> {
  const address = `http://127.0.0.1:${port}/api/runs/${NAME}/events`, delays: number[] = [];
  let lines = 0, lastId = "", connections = 0, final = Infinity;
  let leaving = new AbortController();
  const leaveAtEnd = () => {
    if (lines >= final) leaving.abort();
  };
  last.then((step) => {
    final = step;
    leaveAtEnd();
  });
  while (lines < final) {
    leaving = new AbortController();
    connections++;
    const opened = Date.now(), stays = -Math.log(Math.random()) * connectionSeconds * 1000;
    const timer = setTimeout(() => leaving.abort(), stays);
    try {
      const headers: HeadersInit = lastId ? { "last-event-id": lastId } : {};
      const answer = await fetch(address, { headers, signal: leaving.signal });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      for await (const { type, id, data } of eventsOf(answer)) {
        if (type === "rewind") throw new Error("lines were taken back");
        for (const { step, writtenAt } of type === "metrics" ? JSON.parse(data) : []) {
          if (step !== lines + 1) throw new Error(`line ${step} came after line ${lines}`);
          lines++;
          if (writtenAt > opened) delays.push(Date.now() - writtenAt);
        }
        lastId = id;
        leaveAtEnd();
      }
    } catch (error) {
      if (!leaving.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
    }
  }
  return { lines, connections, delays };
}

/** The events of an answer; one that was cut off in the middle is none. */
async function* eventsOf(answer: Response) {
  let text = "";
  for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      const field = (name: string) =>
        block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ??
          "";
      if (field("data")) yield { type: field("event"), id: field("id"), data: field("data") };
    }
  }
}

/** Lets pages follow a run that grows. @throws where one of them misses a line or gets one twice */
export async function runLoad(work: LoadWork): Promise<LoadResult> {
  const runs = await Deno.makeTempDir({ prefix: "vapo-web-load-" });
  const path = join(runs, NAME, "metrics.jsonl");
  await Deno.mkdir(join(runs, NAME));
  const before = Array.from({ length: work.linesBefore }, (_, i) => lineOf(i + 1, 0));
  await Deno.writeTextFile(path, before.join(""));
  const server = await startServer(runs);
  try {
    const writing = writeLines(path, work.linesBefore, work);
    const pages = await Promise.all(
      Array.from({ length: work.pages }, () => followRun(server.port, writing, work)),
    );
    const lines = await writing;
    for (let waited = 0; (server.samples.at(-1)?.followers ?? 1) > 0 && waited < 5; waited++) {
      await pause(SAMPLING_MILLISECONDS);
    }
    const followersAtEnd = server.samples.at(-1)!.followers;
    return { lines, pages, server: server.samples, followersAtEnd };
  } finally {
    await server.close();
    await Deno.remove(runs, { recursive: true });
  }
}

if (import.meta.main) await serve(Deno.args[0]);

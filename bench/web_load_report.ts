/**
 * @file `deno task bench:web`: two hundred pages that follow one run for a minute, each dropping its
 * connection every ten seconds or so and coming back with the id of the last event it had. Every page
 * has to get every line, once and in order, and the server's memory has to stay where it is.
 * Writes a table (web_load.md, and to standard output) and everything behind it (web_load.json) into
 * bench/results.
 */
import { cpus } from "node:os";
import { markdownTable } from "./markdown_table.ts";
import { type LoadResult, type LoadWork, runLoad, type ServerSample } from "./web_load.ts";

const RESULTS = new URL("./results/", import.meta.url);
const MEBIBYTE = 2 ** 20;

const work: LoadWork = {
  pages: 200,
  seconds: 60,
  linesPerSecond: 20,
  linesBefore: 5000,
  connectionSeconds: 10,
};

const whole = (value: number) => Math.round(value).toLocaleString("en-US");
const mebibytes = (bytes: number) => (bytes / MEBIBYTE).toFixed(0);

/** The sample that is nearest to a time. */
function at(samples: readonly ServerSample[], seconds: number): ServerSample {
  return samples.reduce((a, b) =>
    Math.abs(b.seconds - seconds) < Math.abs(a.seconds - seconds) ? b : a
  );
}

function memoryTable(samples: readonly ServerSample[]): string {
  const times = [1, 10, 20, 30, 40, 50, 60].filter((time) => time <= work.seconds);
  const rows = times.map((time) => {
    const { seconds, residentBytes, heapBytes, followers } = at(samples, time);
    return [seconds.toFixed(0), followers, mebibytes(residentBytes), mebibytes(heapBytes)];
  });
  return markdownTable(["seconds", "connections", "process, MiB", "heap in use, MiB"], rows);
}

/** The value below which a share of sorted values lies. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

function summaryTable({ pages, lines, followersAtEnd }: LoadResult): string {
  const received = pages.reduce((sum, page) => sum + page.lines, 0);
  const connections = pages.reduce((sum, page) => sum + page.connections, 0);
  const delays = pages.flatMap((page) => page.delays).sort((a, b) => a - b);
  return markdownTable(["", ""], [
    ["pages", pages.length],
    ["lines of the run at the end", whole(lines)],
    ["lines that pages got, each once and in order", whole(received)],
    ["lines missed, or got twice", whole(lines * pages.length - received)],
    ["connections, those that came back included", whole(connections)],
    ["from a line's writing to its arrival, median", `${whole(quantile(delays, 0.5))} ms`],
    ["99 of 100 within", `${whole(quantile(delays, 0.99))} ms`],
    ["connections left when all had gone", followersAtEnd],
  ]);
}

async function report(): Promise<void> {
  const machine = `${cpus()[0].model}, ${navigator.hardwareConcurrency} cores`;
  const load = Deno.loadavg()[0];
  const result = await runLoad(work);
  const text = [
    `${machine}, load before ${load.toFixed(1)}. ${work.pages} pages follow one run for ` +
    `${work.seconds} s, over connections of their own; ${work.linesPerSecond} lines are appended ` +
    `in a second, every seventh torn in the middle for a moment. A page drops its connection after ` +
    `${work.connectionSeconds} s on average and comes back. The server looks at a run's files ` +
    "every half second; pages and writer share the machine with it.",
    summaryTable(result),
    "The server's memory, the heap after a collection:",
    memoryTable(result.server),
  ].join("\n\n") + "\n";
  const pages = result.pages.map(({ lines, connections }) => ({ lines, connections }));
  const json = { machine, load, work, ...result, pages };
  await Deno.mkdir(RESULTS, { recursive: true });
  await Deno.writeTextFile(new URL("web_load.json", RESULTS), `${JSON.stringify(json)}\n`);
  await Deno.writeTextFile(new URL("web_load.md", RESULTS), text);
  console.log(text);
}

if (import.meta.main) await report();

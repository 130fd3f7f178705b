/**
 * @file `deno task bench:loader`: how many images a second the loader brings from a prepared set on
 * disk to a training loop that computes nothing, how long a loop that is busy has to wait for a
 * batch, and how much memory the process takes while it streams a set ten times as large as it may
 * hold. Sets are random bytes in a temporary directory.
 * Writes a table (loader.md, and to standard output) and everything behind it (loader.json) into
 * bench/results.
 */
import { cpus } from "node:os";
import { setImmediate } from "node:timers/promises";
import { type BatchLoaderOptions, openBatchLoader } from "../cli/batch_loader.ts";
import { dataDirectory } from "../cli/data_directory.ts";
import { openBatchStream, streamMemoryBytes } from "../core/data/batch_stream.ts";
import type { PreparedIndex, PreparedShard } from "../core/data/prepared_index.ts";
import { openPreparedSet } from "../core/data/prepared_set.ts";
import { crc32 } from "../core/formats/crc32.ts";
import { markdownTable } from "./markdown_table.ts";

const RESULTS = new URL("./results/", import.meta.url);
/** As `vapo data` makes them. */
const SHARD_BYTES = 2 ** 24;
const MEBIBYTE = 2 ** 20;
const SAMPLING_SECONDS = 0.1;

/** Where batches are made. */
type Place = "thread" | "in-process";
const places: readonly Place[] = ["thread", "in-process"];
const placeNames: Record<Place, string> = {
  "thread": "a thread",
  "in-process": "the loop's thread",
};

/** A set to stream, and how. */
interface Work {
  readonly side: number;
  /** Bytes of the set. */
  readonly bytes: number;
  readonly batchSize: number;
  readonly memoryBytes: number;
  readonly seconds: number;
  /** How long the loop's thread is busy between two batches, with nothing in particular. */
  readonly busyMilliseconds?: number;
  /** Images a second. */
  readonly target?: number;
}

const speeds: readonly Work[] = [
  { side: 32, bytes: 2 ** 28, batchSize: 128, memoryBytes: 2 ** 27, seconds: 5, target: 20_000 },
  { side: 64, bytes: 2 ** 28, batchSize: 64, memoryBytes: 2 ** 27, seconds: 5, target: 2_000 },
];
/** Steps as short as those of the smallest nets. */
const busy: readonly Work[] = speeds.map((work) => ({ ...work, busyMilliseconds: 10 }));
const memory: Work = {
  side: 32,
  bytes: 10 * 2 ** 26,
  batchSize: 128,
  memoryBytes: 2 ** 26,
  seconds: 20,
};

/** What streaming brought. */
interface Streamed {
  readonly images: number;
  readonly seconds: number;
  readonly bufferImages: number;
  readonly batches: number;
  /** Milliseconds in which the loop waited for batches, of all and of the one that took longest. */
  readonly waited: number;
  readonly longestWait: number;
  /** The memory of the process in MiB, before anything is opened and then every 0.1 s. */
  readonly resident: readonly number[];
}

interface Result extends Streamed {
  readonly work: Work;
  readonly place: Place;
}

/** Writes a set of random images. */
async function writeSet(directory: string, { side, bytes }: Work): Promise<void> {
  const imageBytes = side * side * 3;
  const shardImages = Math.floor(SHARD_BYTES / imageBytes);
  const pixels = new Uint8Array(shardImages * imageBytes);
  const shards: PreparedShard[] = [];
  for (let left = Math.floor(bytes / imageBytes); left > 0; left -= shardImages) {
    const count = Math.min(left, shardImages);
    const shard = pixels.subarray(0, count * imageBytes);
    for (let i = 0; i < shard.length; i += 65_536) {
      crypto.getRandomValues(shard.subarray(i, i + 65_536));
    }
    const file = `train-${shards.length}.bin`;
    await Deno.writeFile(`${directory}/${file}`, shard);
    shards.push({ file, count, crc32: crc32(shard) });
  }
  const count = shards.reduce((sum, shard) => sum + shard.count, 0);
  const index: PreparedIndex = {
    format: "vapo-images",
    version: 1,
    name: "random",
    shape: [side, side, 3],
    labelsPerImage: 0,
    splits: { train: { count, skipped: 0, shards } },
    made: {},
  };
  await Deno.writeTextFile(`${directory}/index.json`, JSON.stringify(index));
}

/** The largest buffer that the memory allows, in steps of a shard. */
async function largestBuffer(directory: string, { memoryBytes }: Work): Promise<number> {
  const set = await openPreparedSet(dataDirectory(directory), "train");
  const shard = set.shards[0].count;
  let shards = 1;
  while (
    shards < set.shards.length && streamMemoryBytes(set, (shards + 1) * shard) <= memoryBytes
  ) shards++;
  return shards * shard;
}

/** A source of batches that are not looked at; how long each was waited for, in milliseconds. */
async function openSource(options: BatchLoaderOptions, place: Place) {
  if (place === "thread") {
    const loader = await openBatchLoader(options);
    return { next: async () => (await loader.next()).waitMilliseconds, close: loader.close };
  }
  const set = await openPreparedSet(dataDirectory(options.directory), options.split);
  const stream = openBatchStream(set, options);
  const batch = new Uint8Array(stream.batchBytes);
  const next = async () => {
    const start = performance.now();
    await stream.next(batch);
    return performance.now() - start;
  };
  return { next, close() {} };
}

/** Streams a set, in a process of its own. */
async function stream(directory: string, work: Work, place: Place): Promise<Streamed> {
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  const residentNow = () => Math.round(Deno.memoryUsage().rss / MEBIBYTE);
  const resident = [residentNow()];
  const { batchSize, memoryBytes, seconds, busyMilliseconds = 0 } = work;
  const bufferImages = await largestBuffer(directory, work);
  const options = { directory, split: "train", seed: 1, batchSize, bufferImages, memoryBytes };
  const source = await openSource(options, place);
  await source.next();
  const first = elapsed();
  let batches = 0, waited = 0, longestWait = 0;
  while (elapsed() < first + seconds) {
    const wait = await source.next();
    waited += wait;
    longestWait = Math.max(longestWait, wait);
    batches++;
    const now = elapsed();
    if (now > first + SAMPLING_SECONDS * resident.length) resident.push(residentNow());
    while (elapsed() < now + busyMilliseconds / 1000);
    // As a training loop does between two steps.
    await setImmediate();
  }
  const took = elapsed() - first, images = batches * batchSize;
  source.close();
  return { images, batches, seconds: took, bufferImages, waited, longestWait, resident };
}

async function measure(directory: string, work: Work, place: Place): Promise<Result> {
  const args = ["run", "-A", new URL(import.meta.url).pathname];
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: [...args, JSON.stringify({ directory, work, place })],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`streaming from ${directory} has failed`);
  return { work, place, ...JSON.parse(new TextDecoder().decode(stdout)) as Streamed };
}

const perSecond = ({ images, seconds }: Streamed) => images / seconds;
const whole = (value: number) => Math.round(value).toLocaleString("en-US");
const mebibytes = (bytes: number) => whole(bytes / MEBIBYTE);

function speedTable(results: readonly Result[]): string {
  const head = ["images", "batches made in", "images/s", "MB/s", "target", "met"];
  const rows = results.map((result) => {
    const { side, target = 0 } = result.work;
    return [
      `${side}×${side}×3`,
      placeNames[result.place],
      whole(perSecond(result)),
      whole(perSecond(result) * side * side * 3 / 1e6),
      `≥ ${whole(target)}`,
      perSecond(result) >= target ? "yes" : "no",
    ];
  });
  return markdownTable(head, rows);
}

function waitTable(results: readonly Result[]): string {
  const head = ["images", "batch", "batches made in", "mean wait, ms", "longest wait, ms"];
  const rows = results.map(({ work: { side, batchSize }, place, waited, batches, longestWait }) => [
    `${side}×${side}×3`,
    batchSize,
    placeNames[place],
    (waited / batches).toFixed(2),
    longestWait.toFixed(1),
  ]);
  return markdownTable(head, rows);
}

function memoryTable(results: readonly Result[]): string {
  const head = ["batches made in", "set", "limit", "before", "after 2 s", "most", "end", "images"];
  const rows = results.map(({ work, place, resident, images }) => {
    return [
      placeNames[place],
      mebibytes(work.bytes),
      mebibytes(work.memoryBytes),
      resident[0],
      resident[Math.round(2 / SAMPLING_SECONDS)],
      Math.max(...resident),
      resident.at(-1)!,
      whole(images),
    ];
  });
  return markdownTable(head, rows);
}

interface Report {
  readonly machine: string;
  /** Processes that were running or ready to, on average, before this one began. */
  readonly load: number;
  readonly speed: readonly Result[];
  readonly busy: readonly Result[];
  readonly memory: readonly Result[];
}

function markdown({ machine, load, ...results }: Report): string {
  return [
    `${machine}, load before ${load.toFixed(1)}; compute stubbed out. Shards of ` +
    `${mebibytes(SHARD_BYTES)} MiB, each checked by its CRC-32 whenever it is read; files just ` +
    "written, so that they come from the system's page cache: from a disk, its own speed is the " +
    "limit where it is below the MB/s here.",
    speedTable(results.speed),
    `How long a loop that is busy for ${busy[0].busyMilliseconds} ms a step waits for a batch:`,
    waitTable(results.busy),
    `Memory of the whole process, MiB, over ${memory.seconds} s at full speed. The limit is on ` +
    "shards; runtime, threads and what is not yet collected come on top:",
    memoryTable(results.memory),
  ].join("\n\n") + "\n";
}

async function inTemporarySet<T>(work: Work, run: (directory: string) => Promise<T>): Promise<T> {
  const directory = await Deno.makeTempDir({ prefix: "vapo-loader-" });
  try {
    await writeSet(directory, work);
    return await run(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Measures works on one set, each in both places. */
async function measureAll(works: readonly Work[]): Promise<Result[][]> {
  return await inTemporarySet(works[0], async (directory) => {
    const results: Result[][] = [];
    for (const work of works) {
      const both: Result[] = [];
      for (const place of places) both.push(await measure(directory, work, place));
      results.push(both);
    }
    return results;
  });
}

async function report(): Promise<void> {
  const machine = `${cpus()[0].model}, ${navigator.hardwareConcurrency} cores`;
  const load = Deno.loadavg()[0];
  const fast: Result[] = [], waits: Result[] = [];
  for (const [i, work] of speeds.entries()) {
    const [ofSpeed, ofBusy] = await measureAll([work, busy[i]]);
    fast.push(...ofSpeed);
    waits.push(...ofBusy);
  }
  const [flat] = await measureAll([memory]);
  const result: Report = { machine, load, speed: fast, busy: waits, memory: flat };
  // Memory over time is of interest in one table only.
  const withoutMemory = (results: readonly Result[]) =>
    results.map(({ resident: _, ...rest }) => rest);
  const json = { ...result, speed: withoutMemory(fast), busy: withoutMemory(waits) };
  await Deno.mkdir(RESULTS, { recursive: true });
  await Deno.writeTextFile(new URL("loader.json", RESULTS), `${JSON.stringify(json, null, 2)}\n`);
  await Deno.writeTextFile(new URL("loader.md", RESULTS), markdown(result));
  console.log(markdown(result));
}

if (import.meta.main) {
  if (Deno.args.length === 0) await report();
  else {
    const { directory, work, place } = JSON.parse(Deno.args[0]);
    console.log(JSON.stringify(await stream(directory, work, place)));
  }
}

/**
 * @file `deno task bench:neighbours`: the ten nearest of 60,000 images to each of a hundred, by pixels
 * and by features, by this project and by PyTorch (`cdist` and `topk`), alternating in one run. PyTorch
 * counts at its better of one and two threads and of some sizes of parts. Writes a table (neighbours.md,
 * and to standard output) and everything behind it (neighbours.json) into bench/results.
 */
import { Command } from "commander";
import { cpus } from "node:os";
import { mnistFileReader } from "../cli/mnist_files.ts";
import { readMnist } from "../core/data/mnist.ts";
import {
  nearestImages,
  nearestPoints,
  type Neighbours,
} from "../core/metrics/nearest_neighbours.ts";
import { openDevice } from "../core/tensor/mod.ts";
import { fillPhilox } from "../core/tensor/philox.ts";
import { markdownTable } from "./markdown_table.ts";
import { startTorch, stillness, type TorchProcess } from "./peers/torch_process.ts";
import { median } from "./train/rounds.ts";

const RESULTS = new URL("./results/", import.meta.url);
const QUERIES = 100, MEMBERS = 60_000, K = 10;
/** Seconds that a search among images may take. */
const TARGET = 2;

interface Options {
  readonly rounds: number;
  readonly python: string;
  readonly save: boolean;
}

/** A search. */
interface Work {
  readonly name: string;
  /** Numbers of a point. */
  readonly size: number;
  readonly queries: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  readonly set: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  /** By this project. */
  search(): Promise<Neighbours>;
}

/** How PyTorch does it. */
interface Variant {
  readonly threads: number;
  /** Points of the set at a time. */
  readonly part: number;
}

interface Result {
  readonly name: string;
  /** The first search, compiling included, in seconds. */
  readonly first: number;
  /** Seconds of each round. */
  readonly ours: readonly number[];
  readonly torch?: {
    readonly trials: readonly (Variant & { readonly seconds: number })[];
    readonly best: Variant;
    readonly seconds: readonly number[];
    /** The median over the rounds of our seconds, in PyTorch's. */
    readonly ratio: number;
    /** The share of neighbours at the same place of both lists. */
    readonly agreement: number;
    /** The largest difference of a distance to ours, relative. */
    readonly difference: number;
  };
}

interface Report {
  readonly machine: Readonly<Record<string, unknown>>;
  readonly torch: unknown;
  readonly results: readonly Result[];
}

function images(
  name: string,
  shape: readonly [number, number, number],
  queries: Uint8Array<ArrayBuffer>,
  set: Uint8Array<ArrayBuffer>,
): Work {
  const size = shape[0] * shape[1] * shape[2];
  return { name, size, queries, set, search: () => nearestImages(queries, set, shape, K) };
}

async function digits(): Promise<Work> {
  const read = async (part: "train" | "test") =>
    new Uint8Array((await readMnist(mnistFileReader(), part)).data);
  const test = (await read("test")).slice(0, QUERIES * 784);
  return images("MNIST, 28×28", [28, 28, 1], test, await read("train"));
}

/** Images that are smooth as photographs are: six waves a channel, and some noise. */
function waves(): Work {
  const side = 32, size = side * side * 3;
  const make = (count: number, seed: number) => {
    const bytes = new Uint8Array(count * size), draws = new Float32Array(count * 72);
    fillPhilox(draws, "normal", 72, { seed: [seed, 0], step: 0, stream: 0 });
    const noise = new Int32Array(count * size / 4);
    fillPhilox(noise, "bits", size / 4, { seed: [seed, 1], step: 0, stream: 0 });
    const small = new Uint8Array(noise.buffer);
    const row = new Float64Array(side), column = new Float64Array(side);
    for (let image = 0, at = 0; image < count; image++, at += size) {
      const plane = new Float64Array(size);
      for (let wave = 0; wave < 18; wave++) {
        const [amplitude, phase, x, y] = draws.subarray(image * 72 + 4 * wave);
        for (let i = 0; i < side; i++) {
          row[i] = 25 * amplitude * Math.cos(phase + 0.15 * y * i);
          column[i] = Math.cos(phase + 0.15 * x * i);
        }
        for (let i = wave % 3, k = 0; i < size; i += 3, k++) {
          plane[i] += row[k >> 5] * column[k & 31];
        }
      }
      for (let i = 0; i < size; i++) {
        bytes[at + i] = Math.max(0, Math.min(255, 128 + plane[i] + (small[at + i] >> 4)));
      }
    }
    return bytes;
  };
  return images("generated, 32×32×3", [side, side, 3], make(QUERIES, 1), make(MEMBERS, 2));
}

/** Numbers from 0 on, as many and about as large as those of Inception's last pooling. */
function features(): Work {
  const size = 2048;
  const make = (count: number, seed: number) => {
    const values = new Float32Array(count * size);
    fillPhilox(values, "normal", size, { seed: [seed, 0], step: 0, stream: 0 });
    return values.map((value) => 0.5 * Math.abs(value));
  };
  const queries = make(QUERIES, 3), set = make(MEMBERS, 4);
  return {
    ...{ name: "features, 2048", size, queries, set },
    search: () => nearestPoints(queries, set, size, K),
  };
}

async function seconds(work: Work): Promise<{ seconds: number; found: Neighbours }> {
  const start = performance.now();
  const found = await work.search();
  return { seconds: (performance.now() - start) / 1000, found };
}

async function loadInto(torch: TorchProcess, work: Work): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "vapo-neighbours-" });
  try {
    const paths = { queries: `${directory}/queries`, set: `${directory}/set` };
    for (const name of ["queries", "set"] as const) {
      const { buffer, byteOffset, byteLength } = work[name];
      await Deno.writeFile(paths[name], new Uint8Array(buffer, byteOffset, byteLength));
    }
    const type = work.set instanceof Uint8Array ? "uint8" : "float32";
    await torch.ask({ load: { ...paths, type, size: work.size } });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function torchSeconds(torch: TorchProcess, variant: Variant, repeats: number) {
  const answer = await torch.ask<{ seconds: number[] }>({ k: K, ...variant, repeats });
  await stillness(torch);
  return answer.seconds;
}

async function measure(work: Work, torch: TorchProcess | null, rounds: number): Promise<Result> {
  const { seconds: first, found } = await seconds(work);
  const ours: number[] = [], theirs: number[] = [], trials: (Variant & { seconds: number })[] = [];
  if (torch) {
    await loadInto(torch, work);
    for (const threads of navigator.hardwareConcurrency > 1 ? [1, 2] : [1]) {
      for (const part of [1024, 8192, MEMBERS]) {
        const times = await torchSeconds(torch, { threads, part }, 2);
        trials.push({ threads, part, seconds: Math.min(...times) });
      }
    }
  }
  const best = trials.toSorted((a, b) => a.seconds - b.seconds).at(0);
  for (let round = 0; round < rounds; round++) {
    const own = async () => ours.push((await seconds(work)).seconds);
    if (round % 2 === 0) await own();
    if (torch && best) theirs.push(...await torchSeconds(torch, best, 1));
    if (round % 2 === 1) await own();
  }
  if (!torch || !best) return { name: work.name, first, ours };
  const ratio = median(ours.map((own, i) => own / theirs[i]));
  const { threads, part } = best;
  return {
    ...{ name: work.name, first, ours },
    torch: {
      trials,
      best: { threads, part },
      seconds: theirs,
      ratio,
      ...await compare(torch, found),
    },
  };
}

/** How far PyTorch's neighbours, by float32 alone, are ours. */
async function compare(torch: TorchProcess, { indices, distances }: Neighbours) {
  const theirs = await torch.ask<{ indices: number[]; distances: number[] }>(
    { k: K, neighbours: true },
  );
  const same = theirs.indices.filter((index, i) => index === indices[i]).length;
  const differences = theirs.distances.map((distance, i) =>
    distances[i] === 0 ? 0 : Math.abs(distance / distances[i] - 1)
  );
  return { agreement: same / indices.length, difference: Math.max(...differences) };
}

function markdown({ machine, results }: Report): string {
  const table = markdownTable(
    [
      `${K} nearest of 60,000 to each of ${QUERIES}`,
      "vapo, s",
      "first time, s",
      "PyTorch, s",
      "vapo ÷ PyTorch",
      "same neighbours",
      "largest error of PyTorch's distances",
      `≤ ${TARGET} s`,
    ],
    results.map(({ name, ours, first, torch }) => [
      name,
      median(ours).toFixed(2),
      first.toFixed(2),
      torch ? median(torch.seconds).toFixed(2) : "–",
      torch ? `${torch.ratio.toFixed(2)}×` : "–",
      torch ? `${(100 * torch.agreement).toFixed(1)} %` : "–",
      torch ? torch.difference.toExponential(0) : "–",
      median(ours) <= TARGET ? "yes" : "no",
    ]),
  );
  const { processor, cores, load } = machine;
  return [
    `${processor}, ${cores} cores; medians of ${results[0].ours.length} rounds, in turn; load ` +
    `${(load as number).toFixed(1)} before.`,
    table,
    "vapo's neighbours are exact: order and distances are those of float64. PyTorch's are those of " +
    "`cdist` in float32, at its better of one and two threads and of parts of 1,024, 8,192 and all " +
    "images. Both begin with bytes in the host's memory.",
  ].join("\n\n") + "\n";
}

async function report({ rounds, python, save }: Options): Promise<void> {
  const machine = {
    processor: cpus()[0]?.model ?? "unknown processor",
    cores: navigator.hardwareConcurrency,
    deno: Deno.version.deno,
    load: Deno.loadavg()[0],
  };
  await openDevice("wasm");
  const torch = await startTorch(python, "./torch_neighbours_peer.py");
  if (!torch) console.error(`${python} has no PyTorch: vapo is timed alone`);
  try {
    const results: Result[] = [];
    for (const make of [digits, waves, features]) {
      results.push(await measure(await make(), torch, rounds));
      console.error(JSON.stringify(results.at(-1)));
    }
    const found: Report = { machine, torch: await torch?.ask({ describe: true }), results };
    if (save) {
      const write = (name: string, text: string) =>
        Deno.writeTextFile(new URL(name, RESULTS), text);
      await write("neighbours.json", JSON.stringify(found, null, 1) + "\n");
      await write("neighbours.md", markdown(found));
    }
    console.log(markdown(found));
  } finally {
    await torch?.close();
  }
}

function positive(text: string): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value > 0)) throw new Error(`"${text}" is no number from 1 on`);
  return value;
}

if (import.meta.main) {
  const options = new Command("neighbours_report")
    .description("Times the search for nearest neighbours against PyTorch's.")
    .option("--rounds <n>", "rounds in which both take turns", positive, 7)
    .option("--python <path>", "a Python with PyTorch", "/usr/bin/python3")
    .option("--no-save", "do not write bench/results/neighbours.md and neighbours.json")
    .parse(["deno", "neighbours_report", ...Deno.args]).opts<Options>();
  await report(options);
  Deno.exit(0); // threads of programs would keep the process alive
}

/**
 * @file `deno task bench:inception`: images a second through the Inception network, by this project's
 * compiled program and by PyTorch, alternating in one run, with the same random weights. Each counts
 * at its better of one and two threads and its best batch size. Writes a table (inception.md, and to
 * standard output) and everything behind it (inception.json) into bench/results.
 */
import { Command } from "commander";
import { cpus } from "node:os";
import { jit, type Session } from "../core/jit/mod.ts";
import { inceptionNetwork } from "../core/metrics/inception.ts";
import { inceptionParameters } from "../core/metrics/inception_weights.ts";
import { openDevice, type Tensor4D, type TensorRecord, tf } from "../core/tensor/mod.ts";
import { randomInceptionWeights } from "../tests/reference/inception_weights.ts";
import { markdownTable } from "./markdown_table.ts";
import { startTorch, stillness, type TorchProcess } from "./peers/torch_process.ts";
import { median } from "./train/rounds.ts";

const RESULTS = new URL("./results/", import.meta.url);

/** Images come in CIFAR-10's size. */
const side = 32;
/** As in `peers/torch_inception_peer.py`. */
const seed = 7;
/** Images a second, in PyTorch's, that are to be reached. */
const target = 0.7;

interface Options {
  readonly rounds: number;
  readonly batches: number[];
  readonly python: string;
  readonly save: boolean;
}

/** One way of computing features. */
interface Variant {
  readonly batch: number;
  readonly threads: number;
}

/** Somebody who computes features. */
interface Contestant {
  readonly name: string;
  /** Seconds a batch, so many times after one that is not counted. */
  measure(variant: Variant, repeats: number): Promise<number[]>;
  /** Forgets its programs. */
  release(): void;
}

/** What is known of a contestant. */
interface Result {
  readonly name: string;
  /** Images a second of each variant that was tried. */
  readonly trials: readonly (Variant & { readonly imagesPerSecond: number })[];
  /** The fastest of them. */
  readonly best: Variant;
  /** Its images a second in each round. */
  readonly rounds: readonly number[];
  readonly imagesPerSecond: number;
}

/** Device memory of a program for a batch size. */
interface Memory {
  readonly batch: number;
  readonly bytes: number;
  /** Seconds from the function to a loaded program. */
  readonly compileSeconds: number;
}

interface Report {
  readonly machine: Readonly<Record<string, unknown>>;
  readonly torch: unknown;
  readonly side: number;
  readonly results: readonly Result[];
  /** The median over the rounds of our images a second, in PyTorch's. */
  readonly ratio?: number;
  readonly target: number;
  readonly met?: boolean;
  /** The largest difference of features to PyTorch's, in their root mean square. */
  readonly difference?: number;
  readonly memory: readonly Memory[];
}

type Features = { features: tf.Tensor; logits: tf.Tensor };

function loadNetwork(
  images: Tensor4D,
  parameters: TensorRecord,
  threads: number,
): Promise<Session<Features>> {
  const network = (images: Tensor4D, parameters: TensorRecord): Features => ({
    ...inceptionNetwork.apply(parameters, images),
  });
  return jit(network, { static: [1], threads }).load(images, parameters);
}

/** This project's programs: images go to the device and features come back each time. */
function ourselves(parameters: TensorRecord, memory: Map<number, Memory>): Contestant {
  const sessions = new Map<string, { session: Session<Features>; images: Tensor4D }>();
  async function prepare({ batch, threads }: Variant) {
    const key = `${batch} ${threads}`, known = sessions.get(key);
    if (known) return known;
    const images = tf.randomUniform([batch, side, side, 3], -1, 1) as Tensor4D;
    const start = performance.now();
    const session = await loadNetwork(images, parameters, threads);
    const compileSeconds = (performance.now() - start) / 1000;
    memory.set(batch, { batch, bytes: session.statistics.arenaBytes, compileSeconds });
    const prepared = { session, images };
    sessions.set(key, prepared);
    return prepared;
  }
  return {
    name: "vapo",
    async measure(variant, repeats) {
      const { session, images } = await prepare(variant);
      const seconds: number[] = [];
      for (let i = 0; i <= repeats; i++) {
        const start = performance.now();
        session.write(0, images);
        session.run();
        await session.read();
        seconds.push((performance.now() - start) / 1000);
      }
      return seconds.slice(1);
    },
    release() {
      for (const { session, images } of sessions.values()) {
        session.dispose();
        images.dispose();
      }
      sessions.clear();
    },
  };
}

function pytorch(torch: TorchProcess, form: "nchw" | "channels last"): Contestant {
  return {
    name: form === "nchw" ? "PyTorch, as pytorch-fid runs it" : `PyTorch, ${form}`,
    async measure(variant, repeats) {
      const request = { ...variant, side, form, repeats };
      const { seconds } = await torch.ask<{ seconds: number[] }>(request);
      await stillness(torch);
      return seconds;
    },
    release: () => {},
  };
}

/** Each tries its variants; then the best of all take turns, round after round. */
async function compare(
  contestants: readonly Contestant[],
  { rounds, batches }: Options,
): Promise<Result[]> {
  const threads = navigator.hardwareConcurrency > 1 ? [1, 2] : [1];
  const variants = batches.flatMap((batch) => threads.map((threads) => ({ batch, threads })));
  const entries: (Omit<Result, "imagesPerSecond"> & { rounds: number[] })[] = [];
  for (const contestant of contestants) {
    const trials: Result["trials"][number][] = [];
    for (const variant of variants) {
      const seconds = Math.min(...await contestant.measure(variant, 3));
      trials.push({ ...variant, imagesPerSecond: variant.batch / seconds });
      console.error(`${contestant.name}: ${JSON.stringify(trials.at(-1))}`);
      contestant.release();
    }
    const best = trials.reduce((a, b) => b.imagesPerSecond > a.imagesPerSecond ? b : a);
    entries.push({ name: contestant.name, trials, best, rounds: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < entries.length; turn++) {
      const who = (round + turn) % entries.length; // nobody always comes after the same one
      const { batch, threads } = entries[who].best;
      const repeats = Math.max(1, Math.round(24 / batch));
      const seconds = await contestants[who].measure({ batch, threads }, repeats);
      entries[who].rounds.push(batch / median(seconds));
    }
  }
  for (const contestant of contestants) contestant.release();
  return entries.map((entry) => ({ ...entry, imagesPerSecond: median(entry.rounds) }));
}

/** The largest difference between both's features of two images, in their root mean square. */
async function differenceOfFeatures(
  torch: TorchProcess,
  parameters: TensorRecord,
): Promise<number> {
  const shape: [number, number, number, number] = [2, side, side, 3];
  const images = tf.randomUniform(shape, -1, 1, "float32", 1) as Tensor4D;
  const values = Array.from(await images.data());
  const { features } = await torch.ask<{ features: number[] }>({ images: { shape, values } });
  const session = await loadNetwork(images, parameters, 1);
  session.run();
  const own = (await session.read() as { features: Float32Array }).features;
  session.dispose();
  images.dispose();
  const square = features.reduce((sum, value) => sum + value ** 2, 0) / features.length;
  const largest = features.reduce((most, value, i) => Math.max(most, Math.abs(value - own[i])), 0);
  return largest / Math.sqrt(square);
}

async function measureAll(options: Options): Promise<Report> {
  const machine = {
    processor: cpus()[0]?.model ?? "unknown processor",
    cores: navigator.hardwareConcurrency,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    /** Processes that wanted to run in the minute before: others' work spoils times. */
    load: Deno.loadavg()[0],
  };
  const weights = inceptionParameters(randomInceptionWeights(seed));
  const parameters: TensorRecord = Object.fromEntries(
    Object.entries(weights).map(([name, { data, shape }]) => [name, tf.tensor(data, shape)]),
  );
  const torch = await startTorch(options.python, "./torch_inception_peer.py");
  if (!torch) console.error(`${options.python} has no PyTorch: vapo is timed alone`);
  const memory = new Map<number, Memory>();
  const peers = torch ? [pytorch(torch, "nchw"), pytorch(torch, "channels last")] : [];
  try {
    const difference = torch ? await differenceOfFeatures(torch, parameters) : undefined;
    const results = await compare([ourselves(parameters, memory), ...peers], options);
    const [own, theirs] = results;
    const ratio = theirs && median(own.rounds.map((speed, i) => speed / theirs.rounds[i]));
    const met = ratio === undefined ? undefined : ratio >= target;
    const described = await torch?.ask({ describe: true });
    return {
      ...{ machine, torch: described, side, results, ratio, target, met, difference },
      memory: [...memory.values()].sort((a, b) => a.batch - b.batch),
    };
  } finally {
    await torch?.close();
  }
}

function markdown({ machine, results, ratio, met, difference, memory }: Report): string {
  const bestWith = ({ trials }: Result, count: number) => {
    const speeds = trials.filter(({ threads }) => threads === count)
      .map(({ imagesPerSecond }) => imagesPerSecond);
    return speeds.length > 0 ? Math.max(...speeds).toFixed(2) : "–";
  };
  const speeds = markdownTable(
    ["", "images a second", "batch", "threads", "tried: 1 thread", "2 threads"],
    results.map((result) => [
      result.name,
      result.imagesPerSecond.toFixed(2),
      result.best.batch,
      result.best.threads,
      bestWith(result, 1),
      bestWith(result, 2),
    ]),
  );
  const programs = markdownTable(
    ["batch", "device memory, MB", "compiling and loading, s"],
    memory.map(({ batch, bytes, compileSeconds }) => [
      batch,
      (bytes / 1e6).toFixed(0),
      compileSeconds.toFixed(1),
    ]),
  );
  const verdict = ratio === undefined ? [] : [
    `${ratio.toFixed(2)} × PyTorch's images a second as pytorch-fid runs it; target ≥ ${target}: ` +
    `${met ? "met" : "not met"}. Features differ by ${difference!.toExponential(1)} of their ` +
    "root mean square at most.",
  ];
  const rounds = results[0].rounds.length;
  return [
    `${machine.processor}, ${machine.cores} cores; images of ${side}×${side}, medians of ${rounds} ` +
    "rounds, all in turn.",
    speeds,
    ...verdict,
    programs,
  ].join("\n\n") + "\n";
}

async function save(report: Report): Promise<void> {
  const write = (name: string, text: string) => Deno.writeTextFile(new URL(name, RESULTS), text);
  await write("inception.json", JSON.stringify(report, null, 1) + "\n");
  await write("inception.md", markdown(report));
}

function positive(text: string): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value > 0)) throw new Error(`"${text}" is no number from 1 on`);
  return value;
}

function parse(): Options {
  return new Command("inception_report")
    .description("Times the Inception network against PyTorch's.")
    .option("--rounds <n>", "rounds in which all take turns", positive, 7)
    .option(
      "--batches <n...>",
      "batch sizes to try",
      (text: string, before: number[] = []) => [...before, positive(text)],
    )
    .option("--python <path>", "a Python with PyTorch and torchvision", "/usr/bin/python3")
    .option("--no-save", "do not write bench/results/inception.md and inception.json")
    .parse(["deno", "inception_report", ...Deno.args]).opts<Options>();
}

if (import.meta.main) {
  const options = parse();
  await openDevice("wasm");
  const [load] = Deno.loadavg();
  if (load > 0.5) {
    console.error(`the machine is busy (load ${load.toFixed(1)}): times are not fair`);
  }
  const report = await measureAll({ ...options, batches: options.batches ?? [2, 4, 8, 16] });
  if (options.save) await save(report);
  console.log(markdown(report));
  Deno.exit(0); // threads of programs would keep the process alive
}

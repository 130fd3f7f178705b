/**
 * @file `deno task bench:train`: training steps, velocities, products and convolutions by this
 * project's compiled programs, by eager TensorFlow.js, by jax-js and by PyTorch, alternating in one
 * run. Writes a table (train.md, and to standard output) and everything behind it (train.json) into
 * bench/results. PyTorch counts at its better of one and two threads and of its memory formats.
 * Works that are not timed now keep their rows.
 */
import { Command } from "commander";
import { cpus } from "node:os";
import { openDevice, tf } from "../core/tensor/mod.ts";
import { markdownTable } from "./markdown_table.ts";
import { eagerPeer } from "./peers/eager_peer.ts";
import { openJaxJs } from "./peers/jax_js_peer.ts";
import { openTorch, stillness, type TorchPeer } from "./peers/torch_process.ts";
import { agrees, checkAgreement, TOLERANCE } from "./train/check.ts";
import { eagerKernels, type StepCounts } from "./train/counts.ts";
import { compileWork, ourPeer } from "./train/ours.ts";
import type { Peer } from "./train/peer.ts";
import { median, timeRatio, timeWork, type WorkTimes } from "./train/rounds.ts";
import {
  directOperations,
  type PotentialWork,
  type Target,
  type Work,
  works,
} from "./train/works.ts";

const RESULTS = new URL("./results/", import.meta.url);

interface Options {
  readonly rounds: number;
  readonly patience: number;
  readonly only?: string[];
  readonly peers: string[];
  readonly python: string;
  readonly quick?: boolean;
  readonly check?: boolean;
  readonly save: boolean;
}

/** Everything that a run finds out. */
interface Report {
  readonly machine: Record<string, unknown>;
  readonly peers: Record<string, unknown>;
  readonly rounds: number;
  readonly results: readonly WorkResult[];
  readonly counts: readonly StepCounts[];
}

interface WorkResult extends WorkTimes {
  /** Floating-point operations of a direct algorithm. */
  readonly operations?: number;
  /** How many times as long as this project each other takes. */
  readonly ratios: Readonly<Record<string, number | undefined>>;
  /** Whether the work's target was met, where everything was measured that it speaks of. */
  readonly met?: boolean;
}

const US = "vapo";
const ALL_PEERS = [US, "PyTorch", "TensorFlow.js", "jax-js"];

function summarize(times: WorkTimes): WorkResult {
  const ratios: Record<string, number | undefined> = {};
  const us = times.peers[US];
  for (const [name, peer] of Object.entries(times.peers)) {
    if (us && name !== US) ratios[name] = timeRatio(us, peer);
  }
  return { ...times, operations: directOperations(times.work), ratios, met: isMet(times, ratios) };
}

function isMet({ work, peers }: WorkTimes, ratios: WorkResult["ratios"]): boolean | undefined {
  const { target } = work;
  if (target.kind === "speed") {
    const seconds = peers[US]?.median;
    return seconds ? directOperations(work)! / seconds / 1e9 >= target.gigaflops : undefined;
  }
  const { PyTorch: torch, "TensorFlow.js": eager } = ratios;
  if (torch === undefined || (target.eager && eager === undefined)) return undefined;
  return 1 / torch <= target.ofPyTorch && (eager ?? 0) >= (target.eager ?? 0);
}

function describeTarget(target: Target): string {
  if (target.kind === "speed") return `≥ ${target.gigaflops} GFLOP/s`;
  const eager = target.eager ? `, ${target.eager} × eager` : "";
  return `≤ ${target.ofPyTorch} × PyTorch${eager}`;
}

function milliseconds(seconds: number | undefined): string {
  if (seconds === undefined) return "–";
  const value = 1000 * seconds;
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** A peer's time with so many threads, whether that was its better or not. */
function withThreads({ peers }: WorkResult, peer: string, threads: number): string {
  const { rounds = {}, trials = {} } = peers[peer] ?? {};
  const ofThreads = ([label]: [string, unknown]) => label.startsWith(`${threads} thread`);
  const inRounds = Object.entries(rounds).find(ofThreads);
  if (inRounds) return milliseconds(median(inRounds[1]));
  const tried = Object.entries(trials).filter(ofThreads).map(([, seconds]) => seconds);
  return milliseconds(tried.length > 0 ? Math.min(...tried) : undefined);
}

const times = (ratio: number | undefined) => ratio === undefined ? "–" : `${ratio.toFixed(2)}×`;

function timesTable(results: readonly WorkResult[]): string {
  const head = [
    "work",
    "vapo, ms (1 / 2 threads)",
    "PyTorch, ms (1 / 2 threads)",
    "TensorFlow.js, ms",
    "jax-js, ms",
    "vapo ÷ PyTorch",
    "TensorFlow.js ÷ vapo",
    "jax-js ÷ vapo",
    "target",
    "met",
  ];
  const rows = results.map((result) => {
    const cell = (peer: string) => milliseconds(result.peers[peer]?.median);
    const byThreads = (peer: string) =>
      `${withThreads(result, peer, 1)} / ${withThreads(result, peer, 2)}`;
    const { met, ratios: { PyTorch: torch } } = result;
    return [
      result.work.name,
      byThreads(US),
      byThreads("PyTorch"),
      cell("TensorFlow.js"),
      cell("jax-js"),
      times(torch && 1 / torch),
      times(result.ratios["TensorFlow.js"]),
      times(result.ratios["jax-js"]),
      describeTarget(result.work.target),
      met === undefined ? "–" : met ? "yes" : "no",
    ];
  });
  return markdownTable(head, rows);
}

function speedTable(results: readonly WorkResult[]): string {
  const rows = results.filter(({ operations }) => operations).map((result) => [
    result.work.name,
    ...ALL_PEERS.map((peer) => {
      const seconds = result.peers[peer]?.median;
      return seconds ? (result.operations! / seconds / 1e9).toFixed(1) : "–";
    }),
  ]);
  return markdownTable(["GFLOP/s, of the direct algorithm", ...ALL_PEERS], rows);
}

function countsTable(counts: readonly StepCounts[]): string {
  const head = [
    "step",
    "kernels, TensorFlow.js",
    "kernels, vapo",
    "trace, s",
    "compile, s",
    "arena, MB",
    "liveness bound, MB",
  ];
  const megabytes = (bytes: number | undefined) => bytes ? (bytes / 1e6).toFixed(1) : "–";
  const rows = counts.map(({ name, eagerKernels, compiled }) => [
    name,
    eagerKernels ?? "–",
    compiled?.kernels ?? "–",
    compiled?.seconds.trace.toFixed(2) ?? "–",
    compiled?.seconds.compile.toFixed(2) ?? "–",
    megabytes(compiled?.arenaBytes),
    megabytes(compiled?.livenessBytes),
  ]);
  return markdownTable(head, rows);
}

function lackList(results: readonly WorkResult[]): string {
  return results.flatMap(({ work, peers }) =>
    Object.entries(peers).flatMap(([peer, { lacks }]) =>
      lacks ? [`- ${work.name}, ${peer}: ${lacks}`] : []
    )
  ).join("\n");
}

function markdown({ machine, results, counts, rounds }: Report): string {
  const tables = [timesTable(results), speedTable(results), countsTable(counts)];
  const text = [
    `${machine.processor}, ${machine.cores} cores; medians of ${rounds} rounds, each peer in turn.`,
    ...tables,
    lackList(results),
  ];
  return text.filter((part) => part !== "").join("\n\n") + "\n";
}

async function earlier(): Promise<Partial<Report>> {
  try {
    return JSON.parse(await Deno.readTextFile(new URL("train.json", RESULTS)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

/** Rows by the order of the works; those timed now in place of earlier ones. */
function merge<T>(before: readonly T[], now: readonly T[], name: (row: T) => string): T[] {
  const names = new Set(now.map(name));
  const order = works.map((work) => work.name);
  return [...before.filter((row) => !names.has(name(row))), ...now]
    .filter((row) => order.includes(name(row)))
    .sort((a, b) => order.indexOf(name(a)) - order.indexOf(name(b)));
}

async function save(report: Report): Promise<Report> {
  const before = await earlier();
  const merged = {
    ...report,
    results: merge(before.results ?? [], report.results, ({ work }) => work.name),
    counts: merge(before.counts ?? [], report.counts, ({ name }) => name),
  };
  await Deno.mkdir(RESULTS, { recursive: true });
  const write = (name: string, text: string) => Deno.writeTextFile(new URL(name, RESULTS), text);
  await write("train.json", JSON.stringify(merged, null, 1) + "\n");
  await write("train.md", markdown(merged));
  return merged;
}

function machine(): Record<string, unknown> {
  return {
    processor: cpus()[0]?.model ?? "unknown processor",
    cores: navigator.hardwareConcurrency,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    system: `${Deno.build.os} ${Deno.osRelease()}`,
    /** Processes that wanted to run in the minute before: others' work spoils times on two threads. */
    load: Deno.loadavg()[0],
  };
}

async function openPeers({ peers, python }: Options): Promise<Peer[]> {
  const open: Record<string, () => Promise<Peer | null> | Peer> = {
    [US]: ourPeer,
    PyTorch: () => openTorch(python),
    "TensorFlow.js": eagerPeer,
    "jax-js": openJaxJs,
  };
  const opened: Peer[] = [];
  for (const name of ALL_PEERS.filter((name) => peers.includes(name))) {
    const peer = await open[name]();
    if (peer) opened.push(peer);
    else console.error(`${name} is not here: its columns stay empty`);
  }
  return opened;
}

/** Counts of the smallest step and of the largest. */
async function count(work: PotentialWork, ours: boolean): Promise<StepCounts> {
  const isSmall = work.config.potential.kind === "mlp";
  const kernels = isSmall ? await eagerKernels(work) : undefined;
  if (!ours) return { name: work.name, eagerKernels: kernels };
  const program = await compileWork(work, 1);
  program.dispose();
  return { name: work.name, eagerKernels: kernels, compiled: program.statistics };
}

function isCounted(work: Work): work is PotentialWork {
  if (work.kind !== "step") return false;
  const { potential } = work.config;
  return potential.kind === "mlp" || potential.blocksPerLevel > 1;
}

async function timeAll(peers: readonly Peer[], options: Options): Promise<Report> {
  const description = machine(); // its load before ours
  const chosen = works.filter(({ name }) =>
    options.only?.some((text) => name.includes(text)) ?? true
  );
  const torch = peers.find(({ name }) => name === "PyTorch") as TorchPeer | undefined;
  const pause = () => torch ? stillness(torch) : Promise.resolve();
  const { rounds, patience, quick } = options;
  const results: WorkResult[] = [];
  for (const work of chosen) {
    const timing = { rounds: quick ? 2 : rounds, patience, turn: quick ? 0.1 : 0.5, pause };
    const result = summarize(await timeWork(work, peers, timing));
    const seconds = Object.entries(result.peers)
      .map(([name, { median, best }]) => `${name} ${milliseconds(median)} ms (${best ?? ""})`);
    console.error(`${work.name}: ${seconds.join(", ")}`);
    results.push(result);
  }
  const ours = peers.some(({ name }) => name === US);
  const counts: StepCounts[] = [];
  for (const work of chosen) if (isCounted(work)) counts.push(await count(work, ours));
  const described: Record<string, unknown> = {};
  for (const peer of peers) described[peer.name] = await peer.describe();
  return {
    machine: description,
    peers: described,
    rounds: quick ? 2 : rounds,
    results,
    counts,
  };
}

/** Whether all compute what eager TensorFlow.js does; the process's exit code. */
async function check({ python }: Options): Promise<number> {
  const torch = await openTorch(python);
  if (!torch) console.error(`${python} has no PyTorch: only the compiled step is compared`);
  const agreements = await checkAgreement(torch);
  await torch?.close();
  for (const agreement of agreements) {
    const { name, loss, lossDifference, gradientDifference } = agreement;
    console.log(
      `${agrees(agreement) ? "ok" : "DIFFERS"} ${name}: loss ${loss.toFixed(6)}, off by ` +
        `${lossDifference.toExponential(1)}; gradients by ${gradientDifference.toExponential(1)} ` +
        `(tolerance ${TOLERANCE})`,
    );
  }
  return agreements.every(agrees) ? 0 : 1;
}

function parse(): Options {
  const number = (text: string) => {
    const value = Number(text);
    if (!(value > 0)) throw new Error(`"${text}" is no number above 0`);
    return value;
  };
  return new Command("train_report")
    .description("Times this project's compiled programs against others on the same work.")
    .option("--rounds <n>", "rounds in which all take turns", number, 7)
    .option("--patience <seconds>", "peers that need longer a call are timed once", number, 5)
    .option("--only <text...>", "only works whose name has this in it")
    .option("--peers <names...>", `of ${ALL_PEERS.join(", ")}`, ALL_PEERS)
    .option("--python <path>", "a Python with PyTorch", "/usr/bin/python3")
    .option("--quick", "two short rounds")
    .option("--check", "compare losses and gradients with eager TensorFlow.js's, time nothing")
    .option("--no-save", "do not write bench/results/train.md and train.json")
    .parse(["deno", "train_report", ...Deno.args]).opts<Options>();
}

if (import.meta.main) {
  const options = parse();
  await openDevice("wasm");
  await tf.ready();
  if (options.check) Deno.exit(await check(options));
  const [load] = Deno.loadavg();
  if (load > 0.5) {
    console.error(`the machine is busy (load ${load.toFixed(1)}): times are not fair`);
  }
  const peers = await openPeers(options);
  const report = await timeAll(peers, options);
  for (const peer of peers) await peer.close();
  console.log(markdown(options.save ? await save(report) : report));
  Deno.exit(0); // other libraries' workers would keep the process alive
}

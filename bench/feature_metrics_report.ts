/**
 * @file `deno run -A bench/feature_metrics_report.ts`: how long metrics of features take in double
 * precision, each in turn with NumPy and SciPy on the same features: the statistics of two sets of
 * 50,000 × 2,048 and their Fréchet distance, the kernel distance with its defaults, precision, recall,
 * density and coverage of 10,000 against 10,000. `--quick` takes a tenth of the samples and 512
 * features; `--threads N` another number of threads than there are processors, for ours.
 * Writes a table (feature-metrics.md, and to standard output) and everything behind it
 * (feature-metrics.json) into bench/results.
 */
import { cpus } from "node:os";
import { fromFileUrl } from "@std/path";
import { Command } from "commander";
import { type FeatureStatistics, featureStatistics } from "../core/metrics/feature_statistics.ts";
import { frechetDistance } from "../core/metrics/frechet_distance.ts";
import { kernelDistance, randomSubset } from "../core/metrics/kernel_distance.ts";
import { precisionRecall } from "../core/metrics/precision_recall.ts";
import { defaultThreads } from "../core/tensor/threads.ts";
import { markdownTable } from "./markdown_table.ts";
import { findPython } from "../tests/reference/python.ts";

const RESULTS = new URL("./results/", import.meta.url);
const PEER = fromFileUrl(new URL("./peers/feature_metrics_peer.py", import.meta.url));

/** What is measured. */
interface Sizes {
  readonly samples: number;
  readonly dimension: number;
  readonly subsets: number;
  readonly subsetSize: number;
  /** Points of either set whose neighbours are found. */
  readonly points: number;
}

const full: Sizes = {
  samples: 50_000,
  dimension: 2048,
  subsets: 100,
  subsetSize: 1000,
  points: 10_000,
};
const quick: Sizes = { samples: 5000, dimension: 512, subsets: 10, subsetSize: 500, points: 1000 };
/** For the arithmetic of a Fréchet distance of the full size. */
const targetSeconds = 60;
const neighbours = 5;

/** One part, by both. */
interface Part {
  readonly name: string;
  readonly seconds: number;
  /** Billions of operations that the part takes at least, a second. */
  readonly gigaflops: number;
  readonly value: number | readonly number[];
  /** By how NumPy does it, where there is more than one way. */
  readonly peers: Readonly<Record<string, { seconds: number; value: number | number[] }>>;
}

interface Report {
  readonly machine: string;
  readonly threads: number;
  /** Processes that were running or ready to, on average, before and after. */
  readonly load: readonly [number, number];
  readonly peer: string;
  readonly sizes: Sizes;
  readonly parts: readonly Part[];
}

/**
 * Features of which neighbours in a row are correlated: sums of uniform draws by a xorshift generator
 * (G. Marsaglia 2003), fast enough for 10⁸.
 */
function drawFeatures(n: number, d: number, seed: number, shift: number): Float32Array {
  const features = new Float32Array(n * d);
  let state = seed;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  for (let at = 0, last = 0; at < features.length; at++) {
    const draw = uniform() + uniform() - 1;
    features[at] = (1 + at % 5) / 4 * draw + last / 2 + shift;
    last = draw;
  }
  return features;
}

/** Runs a task of the peer's; undefined where there is no Python with SciPy. */
type Ask = (task: string, options?: Record<string, unknown>) => Promise<Answer | undefined>;

interface Answer {
  readonly seconds: number;
  readonly value: number | number[];
  readonly version: string;
}

async function findPeer(directory: string, dimension: number): Promise<Ask> {
  const python = await findPython("scipy");
  return async (task, options = {}) => {
    if (!python) return undefined;
    const { success, stdout } = await new Deno.Command(python, {
      args: ["-B", PEER, JSON.stringify({ directory, dimension, task, ...options })],
      stderr: "inherit",
    }).output();
    if (!success) throw new Error(`${PEER} has failed at ${task}`);
    return JSON.parse(new TextDecoder().decode(stdout));
  };
}

async function timed<T>(compute: () => Promise<T>): Promise<{ seconds: number; result: T }> {
  const start = performance.now();
  const result = await compute();
  return { seconds: (performance.now() - start) / 1000, result };
}

/** All parts, each right before the peer's. */
async function measure(
  directory: string,
  sizes: Sizes,
  threads: number,
): Promise<Pick<Report, "parts" | "peer">> {
  const { samples: n, dimension: d, subsets, subsetSize, points } = sizes;
  const ask = await findPeer(directory, d);
  const parts: Part[] = [], statistics: FeatureStatistics[] = [], sets: Float32Array[] = [];
  let peer = "no Python with SciPy";
  const note = async (
    part: Omit<Part, "peers">,
    tasks: Record<string, [string, Record<string, unknown>?]>,
  ) => {
    const peers: Record<string, Answer> = {};
    for (const [name, task] of Object.entries(tasks)) {
      const answer = await ask(...task);
      if (!answer) continue;
      peers[name] = answer;
      peer = answer.version;
    }
    console.error(`${part.name}: ${part.seconds.toFixed(1)} s`);
    parts.push({ ...part, peers });
  };

  for (const [i, name] of ["x", "y"].entries()) {
    const features = drawFeatures(n, d, 2463534242 + i, 0.02 * i);
    await Deno.writeFile(`${directory}/${name}.f32`, new Uint8Array(features.buffer));
    sets.push(features);
    const { seconds, result } = await timed(() => featureStatistics(features, d, { threads }));
    statistics.push(result);
    const trace = result.mean.reduce((sum, _, j) => sum + result.covariance[j * d + j], 0);
    const gigaflops = n * d * d / seconds / 1e9;
    await note(
      { name: `mean and covariance, set ${i + 1}`, seconds, gigaflops, value: trace },
      { "numpy.cov": ["statistics", { name }] },
    );
  }
  const [x, y] = sets;
  const distance = await timed(() => frechetDistance(statistics[0], statistics[1], { threads }));
  // Two factors, their product, the bidiagonal.
  const operations = 2 * d ** 3 / 3 + 2 * d ** 3 + 8 * d ** 3 / 3;
  await note({
    name: "Fréchet distance",
    seconds: distance.seconds,
    gigaflops: operations / distance.seconds / 1e9,
    value: distance.result,
  }, { "scipy.linalg.sqrtm": ["frechet_sqrtm"], "numpy.linalg.eigh": ["frechet_eigenvalues"] });

  const drawn = Array.from({ length: subsets }, (_, subset) =>
    [0, 1].flatMap((set) => [
      ...randomSubset(n, subsetSize, { seed: 0, subset, set }),
    ]));
  await Deno.writeFile(
    `${directory}/subsets.i32`,
    new Uint8Array(Int32Array.from(drawn.flat()).buffer),
  );
  const kernel = await timed(() => kernelDistance(x, y, d, { subsets, subsetSize, threads }));
  await note({
    name: `kernel distance, ${subsets} subsets of ${subsetSize.toLocaleString("en-US")}`,
    seconds: kernel.seconds,
    gigaflops: 4 * subsets * subsetSize ** 2 * d / kernel.seconds / 1e9,
    value: kernel.result.mean,
  }, { NumPy: ["kernel", { size: subsetSize }] });

  const part = (features: Float32Array) => features.subarray(0, points * d);
  const options = { neighbours, threads };
  const prdc = await timed(() => precisionRecall(part(x), part(y), d, options));
  const { precision, recall, density, coverage } = prdc.result;
  const count = points.toLocaleString("en-US");
  await note({
    name: `precision, recall, density, coverage of ${count} × ${count}`,
    seconds: prdc.seconds,
    gigaflops: 4 * points ** 2 * d / prdc.seconds / 1e9,
    value: [precision, recall, density, coverage],
  }, { NumPy: ["prdc", { count: points, neighbours }] });
  return { parts, peer };
}

/** The largest difference of two answers, relative to theirs. */
function difference(a: number | readonly number[], b: number | readonly number[]): number {
  const first = [a].flat(), second = [b].flat();
  return Math.max(
    ...first.map((value, i) => Math.abs(value - second[i]) / (Math.abs(second[i]) || 1)),
  );
}

function table(parts: readonly Part[]): string {
  const head = ["", "ours, s", "GFLOP/s", "NumPy and SciPy, s", "", "ours : theirs", "difference"];
  const rows = parts.flatMap(({ name, seconds, gigaflops, value, peers }) => {
    const own = [name, seconds.toFixed(2), gigaflops.toFixed(0)];
    const others = Object.entries(peers);
    if (others.length === 0) return [[...own, "", "", "", ""]];
    return others.map(([how, peer], i) => [
      ...(i === 0 ? own : ["", "", ""]),
      peer.seconds.toFixed(2),
      how,
      (seconds / peer.seconds).toFixed(2),
      difference(value, peer.value).toExponential(0),
    ]);
  });
  return markdownTable(head, rows);
}

function markdown({ machine, threads, load, peer, sizes, parts }: Report): string {
  const { samples, dimension } = sizes;
  const inAll = parts.slice(0, 3).reduce((sum, { seconds }) => sum + seconds, 0);
  const target = sizes === full
    ? `, target ≤ ${targetSeconds} s: ${inAll <= targetSeconds ? "met" : "missed"}`
    : "";
  return [
    `${machine}, ours on ${threads} threads; ${peer} on as many as it takes. Load before ` +
    `${load[0].toFixed(1)}, after ${load[1].toFixed(1)} (of which these programs are about ` +
    `${threads}): where it was higher, all times are too long. Two sets of ` +
    `${samples.toLocaleString("en-US")} × ${dimension.toLocaleString("en-US")} float32 features, ` +
    "all arithmetic in float64.",
    table(parts),
    `A Fréchet distance in all, statistics of both sets and distance: ${
      inAll.toFixed(1)
    } s${target}.`,
  ].join("\n\n") + "\n";
}

async function report(sizes: Sizes, threads: number): Promise<void> {
  const machine = `${cpus()[0].model}, ${navigator.hardwareConcurrency} cores`;
  const before = Deno.loadavg()[0];
  const directory = await Deno.makeTempDir({ prefix: "vapo-features-" });
  try {
    const measured = await measure(directory, sizes, threads);
    const load = [before, Deno.loadavg()[0]] as const;
    const result: Report = { machine, threads, load, sizes, ...measured };
    await Deno.mkdir(RESULTS, { recursive: true });
    const json = `${JSON.stringify(result, null, 2)}\n`;
    await Deno.writeTextFile(new URL("feature-metrics.json", RESULTS), json);
    await Deno.writeTextFile(new URL("feature-metrics.md", RESULTS), markdown(result));
    console.log(markdown(result));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) {
  const options = new Command("feature_metrics_report")
    .option("--quick", "a tenth of the samples, 512 features")
    .option("--threads <n>", "threads for ours", Number, defaultThreads())
    .parse(Deno.args, { from: "user" }).opts<{ quick?: boolean; threads: number }>();
  await report(options.quick ? quick : full, options.threads);
}

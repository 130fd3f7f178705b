/**
 * @file `deno task bench:presets [NAME…]`: trains each 2-D preset with its defaults, and writes how
 * good its samples are as a table and JSON, with a picture of each. The energy distance is given as
 * a multiple of that between two sets of true draws of the same size: 1 is as good as the data.
 */
import { drawSamples } from "../core/flow/sampler.ts";
import { negativeLogLikelihood } from "../core/flow/likelihood.ts";
import { energyDistance } from "../core/metrics/energy_distance.ts";
import { pairSum } from "../core/metrics/pair_sum.ts";
import { fractionWithinModes, modeHistogram } from "../core/metrics/modes.ts";
import { slicedWasserstein } from "../core/metrics/sliced_wasserstein.ts";
import { encodePng, type RgbImage } from "../core/picture/rgb_image.ts";
import { toyNames } from "../core/data/toy.ts";
import { openDevice, randomKey, tf } from "../core/tensor/mod.ts";
import { loadCheckpoint } from "../core/train/checkpoint.ts";
import { type DataSource, openDataSource } from "../core/train/data_source.ts";
import { presetConfig } from "../core/train/presets.ts";
import { memoryStorage } from "../core/train/run_storage.ts";
import { samplePicture } from "../core/train/sample_picture.ts";
import { disposeState } from "../core/train/state.ts";
import { train } from "../core/train/trainer.ts";
import { initialState } from "../core/train/initial_state.ts";
import { trainingProblem } from "../core/train/training_problem.ts";
import { markdownTable } from "./markdown_table.ts";

const SAMPLES = 4000;
/** Sets of so many samples, and as many sets of true draws, that distances are averaged over. */
const SETS = 8;
const RESULTS = new URL("./results/", import.meta.url);
const PICTURES = new URL("../docs/images/", import.meta.url);

/** How good the samples of a preset's run are. */
export interface PresetResult {
  readonly preset: string;
  readonly seconds: number;
  /** Share of the samples within three standard deviations of a mode; mixtures only. */
  readonly within?: number;
  readonly withinOfData?: number;
  readonly smallestMode?: number;
  readonly largestMode?: number;
  readonly energyDistance: number;
  /** That distance over the one expected between two sets of true draws. */
  readonly energyRatio: number;
  readonly slicedWassersteinRatio: number;
  /** Nats, of 1,000 true draws under the model. */
  readonly negativeLogLikelihood: number;
  readonly nfev: number;
}

type Distance = (x: Float32Array, y: Float32Array) => number;

/** Several sets of true draws that have nothing in common. */
async function trueSets(data: DataSource): Promise<Float32Array[]> {
  const draws = tf.tidy(() => data.draw(SETS * SAMPLES, randomKey(12345)));
  const values = await draws.data() as Float32Array;
  draws.dispose();
  return split(values);
}

function split(values: Float32Array): Float32Array[] {
  const size = values.length / SETS;
  return Array.from({ length: SETS }, (_, i) => values.slice(i * size, (i + 1) * size));
}

/** The mean of a distance over pairs of sets: a set each of both, the second shifted round. */
function meanDistance(
  distance: Distance,
  x: readonly Float32Array[],
  y: readonly Float32Array[],
  shift = 0,
): number {
  const values = x.map((set, i) => distance(set, y[(i + shift) % y.length]));
  return values.reduce((sum, value) => sum + value) / values.length;
}

/**
 * The expected energy distance between two sets of true draws, in closed form: (1/n + 1/m) E|X − X'|
 * (a mean over pairs of sets would itself be off by a tenth).
 */
function energyFloor(set: Float32Array): number {
  const pairs = SAMPLES * (SAMPLES - 1) / 2;
  return 2 / SAMPLES * pairSum(set, undefined, 2, Math.sqrt) / pairs;
}

/**
 * Trains a preset with its defaults, on the device that is open, and measures its samples: distances
 * are means over all sets, shares of modes are those of the first.
 */
export async function measurePreset(
  name: string,
): Promise<{ result: PresetResult; picture: RgbImage }> {
  const config = presetConfig(name);
  const data = await openDataSource(config.data.name);
  const problem = trainingProblem(config, data), storage = memoryStorage();
  const start = performance.now();
  await train(problem, {
    storage,
    onStep(step, metrics) {
      if (metrics && step % 1000 === 0) {
        console.error(`${name}: step ${step}, loss ${metrics.loss}`);
      }
    },
  });
  const seconds = (performance.now() - start) / 1000;
  const fresh = initialState(problem);
  const state = await loadCheckpoint(storage, config.training.steps, fresh);
  disposeState(fresh);
  const { potential, path } = problem;
  const { samples: all, nfev } = await drawSamples(potential, state.average, path, {
    ...config.sampling,
    n: SETS * SAMPLES,
    seed: 1,
    batchSize: SAMPLES,
  });
  const sets = split(all), truth = await trueSets(data);
  const points = tf.tensor2d(truth[0].slice(0, 2000), [1000, 2]);
  const nll = await negativeLogLikelihood(potential, state.average, path, points);
  disposeState(state);
  points.dispose();

  const energy: Distance = (x, y) => energyDistance(x, y, 2);
  const sliced: Distance = (x, y) => slicedWasserstein(x, y, 2);
  const floor = energyFloor(truth[0]);
  const mixture = data.distribution?.mixture;
  const shares = mixture && modeHistogram(sets[0], mixture);
  const distance = meanDistance(energy, sets, truth);
  const result: PresetResult = {
    preset: name,
    seconds,
    ...(mixture && {
      within: fractionWithinModes(sets[0], mixture, 3),
      withinOfData: fractionWithinModes(truth[0], mixture, 3),
      smallestMode: Math.min(...shares!),
      largestMode: Math.max(...shares!),
    }),
    energyDistance: distance,
    energyRatio: distance / floor,
    slicedWassersteinRatio: meanDistance(sliced, sets, truth) /
      meanDistance(sliced, truth, truth, 1),
    negativeLogLikelihood: nll,
    nfev,
  };
  return { result, picture: await samplePicture(data, sets[0]) };
}

const percent = (value?: number) => value === undefined ? "–" : `${(100 * value).toFixed(1)} %`;

function table(results: readonly PresetResult[]): string {
  const header = [
    "preset",
    "within 3 std of a mode (data)",
    "smallest – largest mode",
    "energy distance ÷ data's own",
    "sliced W₂ ÷ data's own",
    "NLL, nats",
    "evaluations",
  ];
  const rows = results.map((r) => [
    r.preset,
    r.within === undefined ? "–" : `${percent(r.within)} (${percent(r.withinOfData)})`,
    r.smallestMode === undefined ? "–" : `${percent(r.smallestMode)} – ${percent(r.largestMode)}`,
    r.energyRatio.toFixed(2),
    r.slicedWassersteinRatio.toFixed(2),
    r.negativeLogLikelihood.toFixed(3),
    String(r.nfev),
  ]);
  return markdownTable(header, rows) + "\n";
}

/** What was measured before: presets that are not measured now keep their rows. */
async function earlierResults(): Promise<PresetResult[]> {
  try {
    return JSON.parse(await Deno.readTextFile(new URL("presets.json", RESULTS))).results;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

const order = (name: string) => (toyNames as readonly string[]).indexOf(name);

if (import.meta.main) {
  const names = Deno.args.length > 0 ? Deno.args : toyNames;
  await openDevice("wasm");
  for (const directory of [RESULTS, PICTURES]) await Deno.mkdir(directory, { recursive: true });
  let results = await earlierResults();
  for (const name of names) {
    const { result, picture } = await measurePreset(name);
    results = [...results.filter(({ preset }) => preset !== name), result]
      .sort((a, b) => order(a.preset) - order(b.preset));
    console.error(JSON.stringify(result));
    await Deno.writeFile(new URL(`${name}.png`, PICTURES), encodePng(picture));
    const text = JSON.stringify({ samples: SAMPLES, sets: SETS, results }, null, 2);
    await Deno.writeTextFile(new URL("presets.json", RESULTS), `${text}\n`);
    await Deno.writeTextFile(new URL("presets.md", RESULTS), table(results));
  }
  console.log(table(results));
}

/**
 * @file `deno task bench:presets [NAME…]`: trains each 2-D preset with its defaults, and writes how
 * good its samples are as a table and JSON, with a picture of each. The energy distance is given as
 * a multiple of that between two sets of true draws of the same size: 1 is as good as the data.
 */
import { drawSamples } from "../core/flow/sampler.ts";
import { negativeLogLikelihood } from "../core/flow/likelihood.ts";
import { energyDistance } from "../core/metrics/energy_distance.ts";
import { fractionWithinModes, modeHistogram } from "../core/metrics/modes.ts";
import { slicedWasserstein } from "../core/metrics/sliced_wasserstein.ts";
import { encodePng, type RgbImage } from "../core/picture/rgb_image.ts";
import { toyNames } from "../core/data/toy.ts";
import { fork, openDevice, randomKey, type Tensor2D, tf } from "../core/tensor/mod.ts";
import { loadCheckpoint } from "../core/train/checkpoint.ts";
import { openDataSource } from "../core/train/data_source.ts";
import { presetConfig } from "../core/train/presets.ts";
import { memoryStorage } from "../core/train/run_storage.ts";
import { samplePicture } from "../core/train/sample_picture.ts";
import { disposeState } from "../core/train/state.ts";
import { train } from "../core/train/trainer.ts";
import {
  initialState,
  type TrainingProblem,
  trainingProblem,
} from "../core/train/training_step.ts";

const SAMPLES = 4000;
/** Pairs of true sets behind the distance that is the unit. */
const PAIRS = 10;
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
  /** Energy distance to true draws over that between two sets of true draws. */
  readonly energyRatio: number;
  readonly energyDistance: number;
  readonly slicedWassersteinRatio: number;
  /** Nats, of 1,000 true draws under the model. */
  readonly negativeLogLikelihood: number;
  readonly nfev: number;
}

/** True draws, the i-th set of several that have nothing in common. */
async function trueDraws(
  problem: TrainingProblem,
  set: number,
  n = SAMPLES,
): Promise<Float32Array> {
  const draws = tf.tidy(() => problem.data.draw(n, fork(randomKey(12345), `set ${set}`)));
  const values = await draws.data() as Float32Array;
  draws.dispose();
  return values;
}

/** The mean of a distance between sets of true draws. */
async function distanceOfData(
  problem: TrainingProblem,
  distance: (x: Float32Array, y: Float32Array) => number,
): Promise<number> {
  let sum = 0;
  for (let pair = 0; pair < PAIRS; pair++) {
    const [x, y] = [2 * pair, 2 * pair + 1].map((set) => trueDraws(problem, set));
    sum += distance(await x, await y);
  }
  return sum / PAIRS;
}

/** The mean of a distance from the samples to sets of true draws. */
async function distanceToData(
  problem: TrainingProblem,
  samples: Float32Array,
  distance: (x: Float32Array, y: Float32Array) => number,
): Promise<number> {
  let sum = 0;
  for (let set = 0; set < PAIRS; set++) sum += distance(samples, await trueDraws(problem, set));
  return sum / PAIRS;
}

/** Trains a preset with its defaults, on the device that is open, and measures 4,000 samples. */
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
  const { samples, nfev } = await drawSamples(potential, state.average, path, {
    ...config.sampling,
    n: SAMPLES,
    seed: 1,
  });
  const energy = (x: Float32Array, y: Float32Array) => energyDistance(x, y, 2);
  const sliced = (x: Float32Array, y: Float32Array) => slicedWasserstein(x, y, 2);
  const points = tf.tensor2d(await trueDraws(problem, 0, 1000), [1000, 2]) as Tensor2D;
  const nll = await negativeLogLikelihood(potential, state.average, path, points);
  const distance = await distanceToData(problem, samples, energy);
  const mixture = data.distribution?.mixture;
  const shares = mixture && modeHistogram(samples, mixture);
  disposeState(state);
  points.dispose();
  const result = {
    preset: name,
    seconds,
    ...(mixture && {
      within: fractionWithinModes(samples, mixture, 3),
      withinOfData: fractionWithinModes(await trueDraws(problem, 0), mixture, 3),
      smallestMode: Math.min(...shares!),
      largestMode: Math.max(...shares!),
    }),
    energyDistance: distance,
    energyRatio: distance / await distanceOfData(problem, energy),
    slicedWassersteinRatio: await distanceToData(problem, samples, sliced) /
      await distanceOfData(problem, sliced),
    negativeLogLikelihood: nll,
    nfev,
  };
  return { result, picture: await samplePicture(data, samples) };
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
  return [header, header.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |\n`).join(
    "",
  );
}

if (import.meta.main) {
  const names = Deno.args.length > 0 ? Deno.args : toyNames;
  await openDevice("wasm");
  for (const directory of [RESULTS, PICTURES]) await Deno.mkdir(directory, { recursive: true });
  const results: PresetResult[] = [];
  for (const name of names) {
    const { result, picture } = await measurePreset(name);
    results.push(result);
    console.error(JSON.stringify(result));
    await Deno.writeFile(new URL(`${name}.png`, PICTURES), encodePng(picture));
    const text = JSON.stringify({ samples: SAMPLES, pairs: PAIRS, results }, null, 2);
    await Deno.writeTextFile(new URL("presets.json", RESULTS), `${text}\n`);
    await Deno.writeTextFile(new URL("presets.md", RESULTS), table(results));
  }
  console.log(table(results));
}

/**
 * @file How likely held-out data are under the model: bits a dimension for images, by the flow's
 * continuity equation with Hutchinson's estimator and uniform dequantisation (Theis et al., "A note on
 * the evaluation of generative models", 2016; Grathwohl et al., "FFJORD", 2019), and nats for points,
 * with the exact Laplacian.
 */
import type { ImageFormat } from "../data/images.ts";
import { VapoError } from "../errors.ts";
import { openLikelihood } from "../flow/likelihood.ts";
import { terminalTime } from "../flow/terminal_time.ts";
import type { GaussianPath } from "../homotopy/gaussian_path.ts";
import { histogram, histogramEdges } from "../metrics/histogram.ts";
import { mean, meanAndError, quantiles, sampleVariance } from "../metrics/moments.ts";
import { svgHistogramPlot } from "../picture/histogram_plot.ts";
import { type Potential, sampleSize } from "../potential/potential.ts";
import { fork, randomKey, randomUniform, type TensorRecord, tf } from "../tensor/mod.ts";
import { requireWhole } from "../whole_number.ts";
import type { EvaluationTable, Measurement, MetricReport } from "./document.ts";
import { cachedRows, type CacheKey, type EvaluationFiles } from "./evaluation_store.ts";

/** The grey levels that one unit of a potential's images holds: x = byte/127.5 − 1. */
const LEVELS_PER_UNIT = 127.5;
/** The highest dimension whose Laplacian is computed exactly, a Hessian product a dimension. */
const LARGEST_EXACT_DIMENSION = 8;

/**
 * Images of bytes, uniformly dequantised: x = (k + v − ½)/127.5 − 1 with v uniform on (0, 1), so that
 * each grey level is the middle of its own interval.
 *
 * Source: Uria et al., "RNADE: The real-valued neural autoregressive density-estimator", 2013; Theis
 * et al., "A note on the evaluation of generative models", 2016.
 *
 * @param bytes n·size of them, image by image
 * @param size bytes of an image
 * @param options.seed what the draws are a function of
 * @param options.firstSample the number of the first image: its draws depend on that and the seed
 * @returns as many numbers, in [−1 − ½/127.5, 1 + ½/127.5]
 * @throws {VapoError} for bytes that are not whole images
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { dequantizedImages, openDevice } from "vapo";
 * await openDevice("cpu");
 * const [black, white] = await dequantizedImages(Uint8Array.of(0, 255), 1, { seed: 0 });
 * assert(Math.abs(black + 1) <= 0.5 / 127.5 && Math.abs(white - 1) <= 0.5 / 127.5);
 * ```
 */
export async function dequantizedImages(
  bytes: Uint8Array,
  size: number,
  { seed, firstSample = 0 }: { readonly seed: number; readonly firstSample?: number },
): Promise<Float64Array> {
  const n = bytes.length / size;
  if (!Number.isInteger(n)) {
    throw new VapoError(`${bytes.length} bytes are not images of ${size}: expected a multiple`);
  }
  const noise = tf.tidy(() => {
    const key = fork({ ...randomKey(seed), firstSample }, "dequantization");
    return randomUniform(key, [n, size]);
  });
  const values = await noise.data().finally(() => noise.dispose());
  return Float64Array.from(bytes, (k, i) => (k + values[i] - 0.5) / LEVELS_PER_UNIT - 1);
}

/**
 * Bits a dimension of an image of bytes, from the log density of its dequantised form:
 * −log₂ p(x)/d + log₂ 127.5. Its mean over v is at least −log₂ P(k)/d for the discrete image k, where
 * P integrates p over the intervals of the grey levels.
 *
 * Source: Theis et al., "A note on the evaluation of generative models", 2016, section 3.1.
 *
 * @param logDensity log p(x) in nats, x in [−1, 1]
 * @param size d, the number of values of the image
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { bitsPerDimension } from "vapo";
 * // A density that is the same over all 256 levels: 8 bits.
 * const uniform = Math.log(127.5 / 256);
 * assertAlmostEquals(bitsPerDimension(3072 * uniform, 3072), 8);
 * ```
 */
export function bitsPerDimension(logDensity: number, size: number): number {
  return -logDensity / (size * Math.LN2) + Math.log2(LEVELS_PER_UNIT);
}

/** What {@link negativeLogLikelihoodReport} needs. */
export interface LikelihoodReportOptions {
  /** Φ. */
  readonly potential: Potential;
  /** The potential's; they stay the caller's. */
  readonly parameters: TensorRecord;
  /** Gives the prior's width and uMax. */
  readonly path: GaussianPath;
  /** Images of bytes, [n, …sampleShape]; or else points. */
  readonly images?: Uint8Array;
  /** Points, [n, d]. */
  readonly points?: Float32Array | Float64Array;
  /** What those are, as in "cifar10 test". */
  readonly name: string;
  /** How the images were stored and brought to their size, to say what that means. */
  readonly format?: ImageFormat;
  /** log densities of points under the distribution that they are draws of, where it is known. */
  readonly dataLogDensity?: (points: Float64Array) => Float64Array;
  /** The terminal time, at which the data are samples; null, the default, is the path's uMax. */
  readonly time?: number | null;
  /** Relative error allowed in a step, of positions and of log densities. Default 1e-4. */
  readonly rtol?: number;
  /** Absolute error allowed in a step, in data units and in nats. Default 1e-4. */
  readonly atol?: number;
  /** Hutchinson's probes for each image. Default 1. */
  readonly probes?: number;
  /** What dequantisation and probes are a function of. */
  readonly seed: number;
  /** Samples that are integrated together, as one system. Default: as many as fit 2¹⁶ values. */
  readonly batchSize?: number | null;
  /**
   * Where log densities are kept, and what they are a function of beside these options: hashes of the
   * parameters and of the data.
   */
  readonly cache?: { readonly files: EvaluationFiles; readonly key: CacheKey };
  readonly signal?: AbortSignal;
  /** Told after each batch how many samples are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The data of a report, and how they are looked at. */
interface LikelihoodProblem extends LikelihoodReportOptions {
  readonly n: number;
  /** Values of a sample. */
  readonly d: number;
  readonly isImages: boolean;
  readonly until: number;
  readonly batch: number;
  /** 0 where the Laplacian is exact. */
  readonly probeCount: number;
}

/** Negative log-likelihoods of samples, in bits a dimension or in nats. */
interface SampleValues {
  readonly values: Float64Array;
  /** The part of the mean's variance that is due to the probes; undefined where there are none. */
  readonly probeVariance?: number;
  /** Evaluations of the batch that took most. */
  readonly evaluations: number;
}

/**
 * The negative log-likelihood of data under the model: of images in bits a dimension, of points in
 * nats, as mean and standard error.
 *
 * An image's log density is the prior's at the start of its trajectory less the integral of ΔΦ along
 * it, by Hutchinson's estimator with signs that are an image's own; a batch is one system to the
 * solver (RK45). Where an image has one probe, the first batch is integrated again with other ones,
 * from which the part of the error that is due to the probes is known.
 *
 * Source: Grathwohl et al., "FFJORD", 2019; Theis et al., "A note on the evaluation of generative
 * models", 2016.
 *
 * @param options model, data, how
 * @returns measurements "nll" and what goes with it, a table of quantiles, a histogram, notes
 * @throws {VapoError} for data that are not whole samples, a time that the potential does not know, or
 * options out of range
 * @throws {NonFiniteError} where the flow stops being finite
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { gaussianPath, negativeLogLikelihoodReport, openDevice, type Potential, tf } from "vapo";
 * await openDevice("wasm");
 * // Φ = −½|x|² contracts the prior N(0, I) to N(0, e⁻²ᵘ I).
 * const potential: Potential = {
 *   sampleShape: [2], timeExplicit: false, initialize: () => ({}),
 *   apply: (_parameters, x) => tf.mul(tf.sum(tf.square(x), 1), -0.5),
 * };
 * const { measurements } = await negativeLogLikelihoodReport({
 *   potential, parameters: {}, path: gaussianPath(), points: Float64Array.of(0, 0, 1, 0),
 *   name: "two points", time: 0.5, seed: 0,
 * });
 * assertAlmostEquals(measurements[0].value, Math.log(2 * Math.PI / Math.E) + Math.E / 4, 1e-3);
 * ```
 */
export async function negativeLogLikelihoodReport(
  options: LikelihoodReportOptions,
): Promise<MetricReport> {
  const problem = likelihoodProblem(options);
  const found = await sampleValues(problem);
  return {
    measurements: measurementsOf(problem, found),
    tables: [quantileTable(problem, found.values)],
    pictures: [{
      name: "nll",
      content: valuePlot(problem, found.values),
      alt: `Histogram of the negative log-likelihoods of ${problem.n} samples of ${problem.name}.`,
      caption:
        `The negative log-likelihood of each ${sampleNoun(problem)} of ${problem.name}, in ` +
        `${unitOf(problem)}.`,
    }],
    notes: notesOf(problem),
  };
}

function likelihoodProblem(options: LikelihoodReportOptions): LikelihoodProblem {
  const { potential, path, images, points, probes = 1 } = options;
  const d = sampleSize(potential), isImages = images !== undefined;
  const data = images ?? points;
  if (!data || (images && points)) {
    throw new VapoError(
      `${data ? "images and points" : "neither images nor points"}: expected one of the two`,
    );
  }
  const n = data.length / d;
  if (!Number.isInteger(n) || n < 2) {
    throw new VapoError(
      `${data.length} values of ${options.name}: expected two or more samples of ${d} values each`,
    );
  }
  const batch = options.batchSize ?? Math.max(1, Math.floor(2 ** 16 / d));
  requireWhole("batchSize", batch, 1);
  requireWhole("probes", probes, 1);
  const until = terminalTime(potential, path, options.time ?? null, "time");
  const probeCount = isImages || d > LARGEST_EXACT_DIMENSION ? probes : 0;
  return { ...options, n, d, isImages, until, batch, probeCount };
}

/** What a kept row is a function of beside the caller's key: all that changes a number. */
function cacheKey(problem: LikelihoodProblem, set: string): CacheKey {
  const { until, rtol = 1e-4, atol = 1e-4, probeCount, seed, name, cache } = problem;
  return { ...cache?.key, kind: "nll", of: { set, name, until, rtol, atol, probeCount, seed } };
}

async function sampleValues(problem: LikelihoodProblem): Promise<SampleValues> {
  const { potential, parameters, path, n, batch, rtol = 1e-4, atol = 1e-4, probeCount } = problem;
  const settings = { time: problem.until, rtol, atol, probes: probeCount };
  const likelihood = openLikelihood(potential, parameters, path, settings);
  const { signal, onProgress, cache } = problem;
  const again = probeCount === 1 ? Math.min(batch, n) : 0;
  const columns = Math.max(1, probeCount) + 1;
  /** Rows of a log density by each probe, then the evaluations of the batch. */
  const rows = async (probeSet: string, count: number, before: number) =>
    await cachedRows(
      cache?.files,
      cacheKey(problem, probeSet),
      { rows: count, rowShape: [columns], dtype: "float32", chunk: batch },
      (from, to) => batchRows(problem, likelihood, probeSet, from, to),
      { signal, onProgress: (done) => onProgress?.(before + done, n + again) },
    );
  try {
    const first = parted(problem, await rows("probe", n, 0));
    if (again === 0) return first;
    const second = parted(problem, await rows("second probe", again, n));
    // Half of the squared difference of two draws is an unbiased estimate of their variance.
    const variance = second.values.reduce(
      (sum, value, i) => sum + (value - first.values[i]) ** 2 / 2 / again,
      0,
    );
    return { ...first, probeVariance: variance / n };
  } finally {
    likelihood.dispose();
  }
}

async function batchRows(
  problem: LikelihoodProblem,
  likelihood: ReturnType<typeof openLikelihood>,
  probeSet: string,
  from: number,
  to: number,
): Promise<Float32Array> {
  const { d, images, points, seed, signal } = problem;
  const samples = images
    ? await dequantizedImages(images.subarray(from * d, to * d), d, { seed, firstSample: from })
    : Float64Array.from(points!.subarray(from * d, to * d));
  const root = randomKey(seed);
  try {
    const key = fork({ ...root, firstSample: from }, probeSet);
    const { byProbe, evaluations } = await likelihood.estimate(samples, { key, signal });
    const n = to - from, probes = byProbe.length / n;
    const rows = new Float32Array(n * (probes + 1));
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < probes; k++) rows[i * (probes + 1) + k] = byProbe[i * probes + k];
      rows[i * (probes + 1) + probes] = evaluations;
    }
    return rows;
  } finally {
    tf.dispose([root.seed, root.step]);
  }
}

/** Rows as {@link batchRows} makes them, in the unit of the report. */
function parted(
  { isImages, d, probeCount }: LikelihoodProblem,
  rows: ArrayLike<number>,
): SampleValues {
  const probes = Math.max(1, probeCount), n = rows.length / (probes + 1);
  const inUnit = (nats: number) => isImages ? bitsPerDimension(nats, d) : -nats;
  const values = new Float64Array(n);
  let evaluations = 0, variance = 0;
  for (let i = 0; i < n; i++) {
    const each = Array.from({ length: probes }, (_, k) => inUnit(rows[i * (probes + 1) + k]));
    values[i] = mean(each);
    if (probes > 1) variance += sampleVariance(each) / probes;
    evaluations = Math.max(evaluations, rows[i * (probes + 1) + probes]);
  }
  return { values, evaluations, ...(probes > 1 && { probeVariance: variance / n ** 2 }) };
}

function measurementsOf(
  problem: LikelihoodProblem,
  { values, probeVariance, evaluations }: SampleValues,
): Measurement[] {
  const { isImages, d, points, dataLogDensity } = problem;
  const unit = unitOf(problem);
  const nll = meanAndError(values);
  const result: Measurement[] = [
    { name: "nll", label: "negative log-likelihood", ...nll, unit, better: "lower" },
  ];
  if (isImages) {
    result.push({
      name: "nll-nats",
      label: "the same for a whole image",
      ...meanAndError(values.map((value) => value * d * Math.LN2)),
      unit: "nats",
      better: "lower",
    });
  } else if (dataLogDensity) {
    result.push(...comparedWithData(Float64Array.from(points!), values, dataLogDensity));
  }
  if (probeVariance !== undefined) {
    result.push({
      name: "nll-probe-error",
      label: "part of the standard error that is the probes'",
      value: Math.sqrt(probeVariance),
      unit,
    });
  }
  const label = "evaluations of velocity and Laplacian, of the batch that took most";
  result.push({ name: "nll-evaluations", label, value: evaluations });
  return result;
}

/** The same number for the data's own density, and by how much the model's is larger. */
function comparedWithData(
  points: Float64Array,
  values: Float64Array,
  dataLogDensity: (points: Float64Array) => Float64Array,
): Measurement[] {
  const own = dataLogDensity(points).map((value) => -value);
  if (!own.every(Number.isFinite)) return [];
  return [{
    name: "nll-data",
    label: "that under the distribution of the data itself, the least there is",
    ...meanAndError(own),
    unit: "nats",
  }, {
    name: "nll-excess",
    label: "difference: the divergence of the model from the data",
    ...meanAndError(values.map((value, i) => value - own[i])),
    unit: "nats",
    better: "lower",
  }];
}

function unitOf({ isImages }: LikelihoodProblem): string {
  return isImages ? "bits/dimension" : "nats";
}

function sampleNoun({ isImages }: LikelihoodProblem): string {
  return isImages ? "image" : "point";
}

function quantileTable(problem: LikelihoodProblem, values: Float64Array): EvaluationTable {
  const found = quantiles(values, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]);
  return {
    title: `Negative log-likelihood over ${sampleNoun(problem)}s, ${unitOf(problem)}`,
    columns: ["smallest", "5 %", "25 %", "median", "75 %", "95 %", "largest"],
    rows: [found.map((value) => Number(value.toPrecision(5)))],
  };
}

function valuePlot(problem: LikelihoodProblem, values: Float64Array): string {
  const edges = histogramEdges([values], { mostBins: 60 });
  const { density } = histogram(values, edges);
  return svgHistogramPlot({
    title: `Negative log-likelihood, ${problem.name}`,
    xLabel: unitOf(problem),
    series: [{ name: `${problem.n} ${sampleNoun(problem)}s`, edges, heights: density }],
  });
}

function notesOf(problem: LikelihoodProblem): string[] {
  const { potential, n, isImages, probeCount, until, path, rtol = 1e-4, atol = 1e-4 } = problem;
  const exact = probeCount === 0;
  const probes = probeCount === 1 ? "one probe" : `${probeCount} probes`;
  const notes = [
    `${n} ${
      sampleNoun(problem)
    }s of ${problem.name}, integrated from u = ${until} to the prior by ` +
    `RK45 (rtol ${rtol}, atol ${atol}) with ` +
    (exact
      ? "the exact Laplacian."
      : `Hutchinson's estimate of the Laplacian, ${probes} for each ${sampleNoun(problem)}.`),
    "This is the density of the flow that the potential has, whether or not that flow is the one " +
    "that its training aims at.",
  ];
  if (isImages) notes.push(...imageNotes(problem));
  if (!potential.timeExplicit) {
    notes.push(
      "The potential takes no time, so how far its flow is integrated is a choice, on which the " +
        `density depends: this is that at u = ${until}.`,
    );
  }
  if (until <= path.uMax) notes.push(noiseNote(until, path.at(until).beta, isImages));
  if (isImages && probeCount === 1) {
    notes.push(
      `The part of the error that is the probes' is from a second probe of the first ` +
        `${Math.min(problem.batch, n)} images.`,
    );
  }
  return notes;
}

function imageNotes({ d, potential, format }: LikelihoodProblem): string[] {
  const notes = [
    `Bits are those of 8-bit images by uniform dequantisation, over d = ${d} = ` +
    `${potential.sampleShape.join("×")} values: an upper bound for the discrete images under the ` +
    "model, comparable with other figures by uniform dequantisation of the same images.",
  ];
  if (format?.padTo !== undefined) {
    notes.push(
      "Padded pixels count in d: figures of unpadded images are not comparable.",
    );
  }
  if (format?.poolTo !== undefined) {
    notes.push(
      "Images were averaged over blocks and rounded to whole grey levels; the model was trained on " +
        "averages that lie between them.",
    );
  }
  return notes;
}

/** At its end the path still has noise; what that costs where the data do not vary at all. */
function noiseNote(until: number, beta: number, isImages: boolean): string {
  const levels = beta * LEVELS_PER_UNIT;
  const blur = `The path has noise of standard deviation ${Number(beta.toPrecision(3))} left at ` +
    `u = ${until}, which blurs the density of an exact model too`;
  if (!isImages) return `${blur}.`;
  // E of −log₂ N(v; 0, levels²) over v uniform on (−½, ½).
  const floor = Math.log2(levels * Math.sqrt(2 * Math.PI)) + 1 / (24 * levels ** 2) / Math.LN2;
  return `${blur}: by ${levels.toFixed(1)} grey levels, so that a pixel that never varies costs ` +
    `${floor.toFixed(2)} bits.`;
}

/**
 * @file Metrics of data under a potential: its likelihood, how well Φ tells others apart, and the values
 * of Φ themselves.
 */
import { VapoError } from "../errors.ts";
import { gaussianPath } from "../homotopy/gaussian_path.ts";
import { sampleSize } from "../potential/potential.ts";
import { imageSet } from "../train/data_sets.ts";
import { type LikelihoodReportOptions, negativeLogLikelihoodReport } from "./bits_per_dimension.ts";
import type { EvaluationContext } from "./context.ts";
import { LEFT_OUT, type MetricReport } from "./document.ts";
import { energyHistograms, type NamedValues } from "./energy_histograms.ts";
import { potentialValues } from "./energy_values.ts";
import { freshPoints } from "./fresh_points.ts";
import type { ByteImages } from "./images.ts";
import { likelihoodTolerances, type MetricSettings } from "./metric_settings.ts";
import { imageInterpolations, outOfDistribution, uniformNoise } from "./out_of_distribution.ts";
import { modelKey } from "./subject.ts";

/** The negative log-likelihood of held-out images, or of fresh points. */
export async function likelihoodReport(
  context: EvaluationContext,
  n: number,
): Promise<MetricReport> {
  const options = await likelihoodOptions(context, n);
  const report = await negativeLogLikelihoodReport(options);
  return { ...report, counts: { n: countOf(options, context) } };
}

function countOf(
  { images, points }: LikelihoodReportOptions,
  { subject: { potential } }: EvaluationContext,
): number {
  return (images ?? points!).length / sampleSize(potential);
}

/** Held-out images, or fresh points, and how their density is computed. */
async function likelihoodOptions(
  context: EvaluationContext,
  n: number,
): Promise<LikelihoodReportOptions> {
  const { subject, sampling, signal, progress } = context;
  const { potential, parameters, path, space, config } = subject;
  const common = {
    ...{ potential, parameters, path, signal, seed: sampling.seed, batchSize: sampling.batchSize },
    ...{ time: sampling.until, ...likelihoodTolerances(sampling) },
    onProgress: progress("likelihood"),
  };
  if (space.distribution) {
    const { density } = space.distribution;
    const dataLogDensity = density && ((x: Float64Array) => density(x).map(Math.log));
    const drawn = await freshPoints(context, n, "held-out");
    return { ...common, name: config.data.name, points: drawn, dataLogDensity };
  }
  const { pixels, name, checksum } = await context.split("held-out", n);
  const key = { model: modelKey(subject), images: { name, checksum } };
  return {
    ...common,
    name,
    images: pixels,
    format: imageSet(config.data).format,
    ...(context.sampleCache && { cache: { files: context.sampleCache, key } }),
  };
}

/** Nats a sample of held-out data: the number that a run is measured by on the way. */
export async function negativeLogLikelihood(
  context: EvaluationContext,
  n: number,
): Promise<number> {
  const { measurements } = await likelihoodReport(context, n);
  return measurements[0].value;
}

/** The AUROC of Φ between held-out images and those of other sets. */
export async function outsideReport(
  context: EvaluationContext,
  n: number,
  { outside }: MetricSettings,
): Promise<MetricReport> {
  const inside = await context.split("held-out", n);
  const { shape, pixels } = inside, { seed } = context.sampling;
  const sets: NamedValues[] = [], missing: string[] = [];
  for (const name of outside) {
    const images = name === "interpolation"
      ? made("interpolation", imageInterpolations(pixels, [inside.count, ...shape], n, seed), shape)
      : name === "noise"
      ? made("uniform noise", uniformNoise(n, shape, seed), shape)
      : await context.readOther!(name, n);
    if ("missing" in images) missing.push(`${LEFT_OUT}: ${name}, since ${images.missing}.`);
    else if (images.shape.join() !== shape.join()) {
      missing.push(
        `${LEFT_OUT}: ${name}, whose images of ${images.shape.join("×")} are not of ${
          shape.join("×")
        }.`,
      );
    } else {
      const values = await energies(context, images, `Φ of ${images.name}`);
      sets.push({ name: images.name, values });
    }
  }
  if (sets.length === 0) {
    throw new VapoError(`no other data set to tell apart: ${missing.join(" ")}`);
  }
  const own = { name: inside.name, values: await energies(context, inside, `Φ of ${inside.name}`) };
  const report = outOfDistribution({ inside: own, outside: sets });
  const counts = { n: inside.count };
  return { ...report, counts, notes: [...report.notes, ...missing] };
}

function made(name: string, pixels: Uint8Array, shape: ByteImages["shape"]) {
  return { name, pixels, shape, count: pixels.length / (shape[0] * shape[1] * shape[2]) };
}

/** Histograms of Φ on training data, held-out data and samples. */
export async function energyReport(context: EvaluationContext, n: number): Promise<MetricReport> {
  const { distribution } = context.subject.space;
  const train = distribution
    ? await freshPoints(context, n, "data")
    : await context.split("train", n);
  const test = distribution
    ? await freshPoints(context, n, "held-out")
    : await context.split("held-out", n);
  const samples = distribution ? await context.samples(n) : await context.sampleImages(n);
  const report = energyHistograms({
    train: await energies(context, train, "Φ of training data"),
    test: await energies(context, test, "Φ of held-out data"),
    samples: await energies(context, samples, "Φ of samples"),
  });
  if (!(train instanceof Float32Array) && !(test instanceof Float32Array)) {
    return { ...report, counts: { n, train: train.count, heldOut: test.count } };
  }
  const fresh =
    "A distribution has no training set: both sets of data are fresh draws, which differ by chance alone.";
  return { ...report, notes: [...report.notes, fresh] };
}

/** The time at which Φ is looked at: the flow's end; null of a potential without time. */
function potentialTime({ subject: { potential, config }, sampling }: EvaluationContext) {
  if (!potential.timeExplicit) return undefined;
  return sampling.until ?? gaussianPath(config.path).uMax;
}

/** Φ of samples or images. */
async function energies(
  context: EvaluationContext,
  values: ByteImages | Float32Array,
  what: string,
): Promise<Float64Array> {
  const { subject: { potential, parameters, space }, signal } = context;
  const [data, n] = values instanceof Float32Array
    ? [values, values.length / space.sampleShape[0]]
    : [values.pixels, values.count];
  return await potentialValues(potential, parameters, data, [n, ...space.sampleShape], {
    time: potentialTime(context),
    signal,
    onProgress: context.progress(what),
  });
}

/**
 * @file Metrics of samples beside data: their nearest training images, interpolations between them, and
 * what the solvers make of the same draws.
 */
import { sha256 } from "../formats/sha256.ts";
import { energyDistance } from "../metrics/energy_distance.ts";
import { featureStatistics } from "../metrics/feature_statistics.ts";
import { frechetDistance } from "../metrics/frechet_distance.ts";
import { nearestImages, nearestPoints } from "../metrics/nearest_neighbours.ts";
import type { EvaluationContext } from "./context.ts";
import type { MetricReport } from "./document.ts";
import { type CacheKey, canonicalJson, type EvaluationFiles } from "./evaluation_store.ts";
import { featuresName } from "./feature_distances.ts";
import { freshPoints } from "./fresh_points.ts";
import { type ByteImages, greyLevels } from "./images.ts";
import type { MetricSettings } from "./metric_settings.ts";
import { nearestNeighbours } from "./neighbour_grid.ts";
import { interpolationReport } from "./prior_interpolation.ts";
import { solverQuality } from "./solver_quality.ts";
import type { SolverRowCache } from "./solver_rows.ts";
import { modelKey } from "./subject.ts";

/** Images a row of interpolations. */
export const INTERPOLATION_STEPS = 10;
/** Training images that are shown beside each sample. */
const NEIGHBOURS = 8;
/** Training images that solvers' samples are compared with: the distances are to be told apart. */
const SOLVER_REFERENCE = 10_000;

/** The training images that are nearest to samples, and to held-out images. */
export async function neighbourReport(
  context: EvaluationContext,
  n: number,
  { reference: { limit } }: MetricSettings,
): Promise<MetricReport> {
  const { signal, progress } = context;
  const samples = await context.sampleImages(n);
  const train = await context.split("train", limit);
  const heldOut = await context.split("held-out", n);
  const { network } = await context.network();
  const sampleFeatures = (await context.sampleFeatures(n)).features;
  const trainFeatures = await context.splitFeatures(train);
  const heldOutFeatures = await context.splitFeatures(heldOut);
  const inPixels = (queries: Uint8Array, what: string) =>
    nearestImages(queries, train.pixels, train.shape, NEIGHBOURS, {
      signal,
      onProgress: progress(what),
    });
  const inFeatures = (queries: Float32Array, what: string) =>
    nearestPoints(queries, trainFeatures, network.size, NEIGHBOURS, {
      signal,
      onProgress: progress(what),
    });
  const report = nearestNeighbours({
    samples: samples.pixels,
    train: train.pixels,
    shape: train.shape,
    pixel: {
      samples: await inPixels(samples.pixels, "neighbours of samples"),
      heldOut: await inPixels(heldOut.pixels, "neighbours of held-out images"),
    },
    features: {
      label: featuresName(network),
      samples: await inFeatures(sampleFeatures, "neighbours of samples in features"),
      heldOut: await inFeatures(heldOutFeatures, "neighbours of held-out images in features"),
    },
  });
  return { ...report, counts: { n, train: train.count, heldOut: heldOut.count } };
}

/** Interpolations of the prior, flowed. */
export async function interpolationsReport(
  context: EvaluationContext,
  n: number,
): Promise<MetricReport> {
  const { subject, sampling, signal, progress } = context;
  const { potential, parameters, path, space } = subject;
  const { sampleShape } = space;
  const features = space.distribution ? undefined : {
    name: featuresName((await context.network()).network),
    of: async (pixels: Uint8Array, count: number) => {
      const images = { pixels, count, shape: sampleShape as ByteImages["shape"] };
      return (await context.extract(images, "features of interpolations")).features;
    },
  };
  return await interpolationReport({
    ...{ potential, parameters, path, sampling, signal, features },
    pairs: n,
    steps: INTERPOLATION_STEPS,
    onProgress: progress("interpolations"),
  });
}

/** Every solver's quality against its evaluations. */
export async function solversReport(context: EvaluationContext, n: number): Promise<MetricReport> {
  const { subject, sampling, signal, progress } = context;
  const { potential, parameters, path, space } = subject;
  const { distance, distanceName, distanceKey } = space.distribution
    ? await pointsDistance(context, n)
    : await imagesDistance(context, n);
  const key = { kind: "solvers", model: modelKey(subject), distance: distanceKey };
  return await solverQuality({
    ...{ potential, parameters, path, n, distance, distanceName, signal },
    until: sampling.until,
    seed: sampling.seed,
    batchSize: sampling.batchSize,
    ...(context.sampleCache && { cache: rowCache(context.sampleCache, key) }),
    onProgress: progress("solvers"),
  });
}

/** The energy distance of points to as many fresh draws. */
async function pointsDistance(context: EvaluationContext, n: number) {
  const data = await freshPoints(context, n, "held-out");
  const { dimension } = context.subject.space.distribution!;
  return {
    distance: (samples: Float32Array) => Promise.resolve(energyDistance(samples, data, dimension)),
    distanceName: "energy distance to data",
    distanceKey: { name: "energy distance", of: context.sampling.seed },
  };
}

/** The Fréchet distance of images to some of the training set. */
async function imagesDistance(context: EvaluationContext, n: number) {
  const { network, sha256 } = await context.network();
  const images = await context.split("train", SOLVER_REFERENCE);
  const { size } = network, { signal } = context;
  const real = await featureStatistics(await context.splitFeatures(images), size, { signal });
  return {
    distance: async (samples: Float32Array) => {
      const pixels = greyLevels(samples), { shape } = images;
      const { features } = await context.extract(
        { pixels, shape, count: n },
        "features of samples",
      );
      const statistics = await featureStatistics(features, size, { signal });
      return await frechetDistance(statistics, real, { signal });
    },
    distanceName: `Fréchet distance in ${featuresName(network)} features`,
    distanceKey: { weights: sha256, images: images.checksum },
  };
}

/** Rows of a table, each kept in a file of its own. */
function rowCache(files: EvaluationFiles, key: CacheKey): SolverRowCache {
  const nameOf = async (row: string) => `row-${await sha256(canonicalJson({ ...key, row }))}.json`;
  return {
    async read(row) {
      const bytes = await files.read(await nameOf(row));
      if (!bytes) return null;
      try {
        return JSON.parse(new TextDecoder().decode(bytes));
      } catch {
        return null; // damaged: it is computed again
      }
    },
    async write(row, value) {
      await files.write(await nameOf(row), new TextEncoder().encode(JSON.stringify(value)));
    },
  };
}

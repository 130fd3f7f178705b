/**
 * @file The picture of a run's samples: for points in the plane, a scatter over the density of the
 * data; for images, a grid.
 */
import { fork, randomKey, type TensorRecord, tf } from "../tensor/mod.ts";
import type { Distribution } from "../data/toy.ts";
import { drawSamples } from "../flow/sampler.ts";
import { scatterOverDensity } from "../picture/density_plot.ts";
import { imageGrid } from "../picture/image_grid.ts";
import { type GridField, kernelDensity } from "../picture/kernel_density.ts";
import type { RgbImage } from "../picture/rgb_image.ts";
import type { SampleSpace } from "./data_sets.ts";
import type { TrainingProblem } from "./training_problem.ts";

/** Cells of the density a side. */
const GRID = 256;
/** Draws behind a density that has no closed form. */
const DENSITY_DRAWS = 200_000;
/** Standard deviation of the kernel for such a density, in data units where the least is shown. */
const BANDWIDTH = 0.06;
/** The part of the plane that is shown at least: [−5, 5]². */
const HALF_SIDE = 5;

/** As in {@link FrameOptions}. */
type Extent = readonly [number, number, number, number];

/** Samples drawn as the configuration says, as a picture. */
export async function drawPicture(
  { config, data, path, potential }: TrainingProblem,
  parameters: TensorRecord,
  seed: number,
  { signal, onDrawing }: {
    readonly signal?: AbortSignal;
    readonly onDrawing?: (done: number, total: number) => void;
  } = {},
): Promise<RgbImage> {
  const { n } = config.sampling;
  const onProgress = (done: number) => done < n && onDrawing?.(done, n);
  const options = { ...config.sampling, seed, signal, onProgress };
  const { samples } = await drawSamples(potential, parameters, path, options);
  return await samplePicture(data, samples);
}

/**
 * The picture of samples of a data set: for points in the plane a scatter over the data's density on
 * [−5, 5]², or on as much as a mixture reaches beyond; for images a grid, −1 black and 1 white.
 *
 * @param data what the samples are like
 * @param samples [n, …sampleShape], row by row, at least one
 * @throws {ConfigError} where the values are not whole samples
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { pixelAt, samplePicture } from "vapo";
 * // Two images of one pixel, side by side.
 * const data = { name: "mnist16", sampleShape: [1, 1, 1] } as const;
 * const picture = await samplePicture(data, Float32Array.of(-1, 1));
 * assertEquals(pixelAt(picture, 0, 0), [0, 0, 0]);
 * assertEquals(pixelAt(picture, picture.width - 1, 0), [255, 255, 255]);
 * ```
 */
export async function samplePicture(data: SampleSpace, samples: Float32Array): Promise<RgbImage> {
  if (data.distribution) {
    const extent = extentOf(data.distribution);
    const density = await dataDensity(data.distribution, extent);
    return scatterOverDensity({ density, points: samples, extent });
  }
  const [h, w, c] = data.sampleShape;
  return imageGrid({ images: samples, n: samples.length / (h * w * c), h, w, c });
}

/** A square that holds a mixture to four standard deviations; the other distributions lie in the least. */
function extentOf({ mixture }: Distribution): Extent {
  const reach = (mixture?.means ?? []).flat().reduce(
    (most, coordinate) => Math.max(most, Math.abs(coordinate) + 4 * mixture!.std),
    0,
  );
  const side = Math.max(HALF_SIDE, Math.ceil(reach));
  return [-side, side, -side, side];
}

/** The density of a distribution on a grid: in closed form where there is one. */
async function dataDensity(distribution: Distribution, extent: Extent): Promise<GridField> {
  if (distribution.density) {
    return { values: distribution.density(gridPoints(extent)), rows: GRID, cols: GRID };
  }
  const draws = tf.tidy(() => distribution.sample(DENSITY_DRAWS, fork(randomKey(0), "density")));
  const points = await draws.data() as Float32Array;
  draws.dispose();
  return kernelDensity(points, extent, GRID, GRID, BANDWIDTH * extent[1] / HALF_SIDE);
}

/** The centres of the grid's cells, the top row first. */
function gridPoints([xMin, xMax, yMin, yMax]: Extent): Float64Array {
  const points = new Float64Array(GRID * GRID * 2);
  for (let row = 0, i = 0; row < GRID; row++) {
    for (let column = 0; column < GRID; column++) {
      points[i++] = xMin + (column + 0.5) * (xMax - xMin) / GRID;
      points[i++] = yMax - (row + 0.5) * (yMax - yMin) / GRID;
    }
  }
  return points;
}

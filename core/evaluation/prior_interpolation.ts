/**
 * @file Interpolation between samples: spherically between pairs of draws of the prior (Shoemake,
 * 1985; White, "Sampling Generative Networks", 2016), each carried along the flow; and how long the
 * paths are, beside the straight line between their ends (Karras et al., "A Style-Based Generator
 * Architecture for Generative Adversarial Networks", 2019, measure the same locally).
 */
import { VapoError } from "../errors.ts";
import { sphericalInterpolation } from "../flow/interpolation.ts";
import { openSampler, priorSamples, type SampleOptions } from "../flow/sampler.ts";
import { isSdeMethod } from "../flow/sde.ts";
import type { GaussianPath } from "../homotopy/gaussian_path.ts";
import { type MeanAndError, meanAndError } from "../metrics/moments.ts";
import { pathLengths } from "../metrics/path_length.ts";
import { imageGrid } from "../picture/image_grid.ts";
import { svgLinePlot } from "../picture/line_plot.ts";
import { encodePng } from "../picture/rgb_image.ts";
import { type Potential, sampleSize } from "../potential/potential.ts";
import type { TensorRecord } from "../tensor/mod.ts";
import { requireWhole } from "../whole_number.ts";
import type { EvaluationTable, MadePicture, Measurement, MetricReport } from "./document.ts";
import { greyLevels } from "./images.ts";

/** How the draws are carried along the flow. */
export type InterpolationSampling =
  & Pick<SampleOptions, "seed" | "solver" | "steps" | "rtol" | "atol" | "until">
  & Partial<Pick<SampleOptions, "equalSteps" | "batchSize">>;

/** What {@link interpolationReport} needs. */
export interface InterpolationOptions {
  /** Φ. */
  readonly potential: Potential;
  /** The potential's; they stay the caller's. */
  readonly parameters: TensorRecord;
  /** Gives the prior's width and uMax. */
  readonly path: GaussianPath;
  /** How the draws are made and carried along; an ordinary solver, so that the flow is one map. */
  readonly sampling: InterpolationSampling;
  /** Rows: pairs of draws of the prior. */
  readonly pairs: number;
  /** Samples a row, both ends included. */
  readonly steps: number;
  /** Features of images of bytes, [n, size] row by row, and the name of what they are of. */
  readonly features?: {
    readonly name: string;
    of(images: Uint8Array, n: number): Promise<Float32Array>;
  };
  readonly signal?: AbortSignal;
  /** Told how many samples are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Rows of samples between pairs of samples: spherical interpolations of the prior draws 2r and 2r + 1
 * of the seed, flowed together, as a grid; and the length of each row's path relative to the
 * distance of its ends, in pixels and, where they are given, in features, beside that of the straight
 * cross-fade between the same ends.
 *
 * Source: White, "Sampling Generative Networks", 2016.
 *
 * @param options model, sampling, how many
 * @returns measurements with standard errors over rows, a table of rows, the grid (PNG; of points in
 * the plane their paths, SVG), notes
 * @throws {VapoError} for fewer than three steps, no pairs, a stochastic solver, or what
 * {@link openSampler} refuses
 * @throws {NonFiniteError} where the flow stops being finite
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { gaussianPath, interpolationReport, openDevice, type Potential, tf } from "vapo";
 * await openDevice("wasm");
 * // A flow that only shrinks: paths stay arcs of a circle.
 * const potential: Potential = {
 *   sampleShape: [2], timeExplicit: false, initialize: () => ({}),
 *   apply: (_parameters, x) => tf.mul(tf.sum(tf.square(x), 1), -0.5),
 * };
 * const { measurements } = await interpolationReport({
 *   potential, parameters: {}, path: gaussianPath(), pairs: 2, steps: 50,
 *   sampling: { seed: 1, solver: "rk45", steps: 1, rtol: 1e-4, atol: 1e-4, until: 0.5 },
 * });
 * const [ratio] = measurements;
 * assertAlmostEquals(ratio.value, 1.3, 0.3); // an arc is up to π/2 times its chord
 * ```
 */
export async function interpolationReport(options: InterpolationOptions): Promise<MetricReport> {
  const { potential, pairs, steps, features } = options;
  requireWhole("pairs", pairs, 1);
  requireWhole("steps", steps, 3);
  if (isSdeMethod(options.sampling.solver)) {
    throw new VapoError(
      `solver ${options.sampling.solver} is stochastic, so that a path has no neighbours: ` +
        "interpolate with an ordinary one, for instance rk45",
    );
  }
  const samples = await flowedRows(options);
  const size = sampleSize(potential);
  const isImages = potential.sampleShape.length === 3;
  const bytes = isImages ? greyLevels(samples) : null;
  const inData = rowFigures(bytes ? Float32Array.from(bytes) : samples, pairs, steps, size);
  const figures: Figures[] = [
    { ...inData, name: isImages ? "pixel" : "point", label: isImages ? "in pixels" : "" },
  ];
  if (bytes && features) figures.push(...await featureFigures(options, features, bytes));
  return {
    measurements: figures.flatMap(measurementsOf),
    tables: [rowTable(figures)],
    pictures: [bytes ? grid(options, samples) : planePlot(options, samples)],
    notes: notesOf(options, isImages),
  };
}

/** [pairs · steps, …sampleShape]: row by row, each from one draw of the prior to another. */
async function flowedRows(options: InterpolationOptions): Promise<Float32Array> {
  const { potential, parameters, path, sampling, pairs, steps, signal, onProgress } = options;
  const size = sampleSize(potential), n = pairs * steps;
  const draws = await priorSamples(potential, path, { n: 2 * pairs, seed: sampling.seed });
  const prior = new Float32Array(n * size);
  for (let row = 0; row < pairs; row++) {
    const [a, b] = [2 * row, 2 * row + 1].map((i) => draws.subarray(i * size, (i + 1) * size));
    for (let i = 0; i < steps; i++) {
      prior.set(sphericalInterpolation(a, b, i / (steps - 1)), (row * steps + i) * size);
    }
  }
  const sampler = openSampler(potential, parameters, path, 2);
  try {
    const { samples } = await sampler.draw({
      ...sampling,
      n,
      prior,
      signal,
      onProgress: (done) => onProgress?.(done, n),
    });
    return samples;
  } finally {
    sampler.dispose();
  }
}

/** A number a row of each. */
interface RowFigures {
  /** Length of the path over the distance of its ends. */
  readonly ratios: Float64Array;
  /** The longest step over the mean step. */
  readonly jumps: Float64Array;
}

/** The figures of one space that samples are looked at in. */
interface Figures extends RowFigures {
  /** As it begins the names of measurements. */
  readonly name: string;
  readonly label: string;
  /** Of the straight cross-fades between the same ends, where those are not 1 by definition. */
  readonly crossFade?: RowFigures;
}

function rowFigures(points: Float32Array, rows: number, steps: number, size: number): RowFigures {
  const { ratios, longestShares } = pathLengths(points, [rows, steps, size]);
  return { ratios, jumps: longestShares.map((share) => share * (steps - 1)) };
}

async function featureFigures(
  { pairs, steps }: InterpolationOptions,
  features: NonNullable<InterpolationOptions["features"]>,
  bytes: Uint8Array,
): Promise<Figures[]> {
  const n = pairs * steps;
  const figuresOf = async (images: Uint8Array) => {
    const values = await features.of(images, n);
    return rowFigures(values, pairs, steps, values.length / n);
  };
  const own = await figuresOf(bytes);
  const crossFade = await figuresOf(crossFades(bytes, pairs, steps));
  return [{ ...own, crossFade, name: "feature", label: `in ${features.name} features` }];
}

/** Straight lines in pixels between the ends of each row. */
function crossFades(bytes: Uint8Array, pairs: number, steps: number): Uint8Array {
  const size = bytes.length / (pairs * steps), faded = new Uint8Array(bytes.length);
  for (let row = 0; row < pairs; row++) {
    const first = row * steps * size, last = first + (steps - 1) * size;
    for (let i = 0; i < steps; i++) {
      const share = i / (steps - 1);
      for (let j = 0; j < size; j++) {
        const value = (1 - share) * bytes[first + j] + share * bytes[last + j];
        faded[first + i * size + j] = Math.floor(value + 0.5);
      }
    }
  }
  return faded;
}

/** The mean over rows whose ends differ, and its standard error; undefined where there are none. */
function meanOverRows(values: Float64Array): MeanAndError | undefined {
  const finite = values.filter(Number.isFinite);
  return finite.length === 0 ? undefined : meanAndError(finite);
}

function measurementsOf({ name, label, ratios, jumps, crossFade }: Figures): Measurement[] {
  const where = label === "" ? "" : `, ${label}`;
  const measured: (Omit<Measurement, "value"> & { readonly values?: Float64Array })[] = [
    {
      name: `${name}-path-length`,
      label: `path length over distance of the ends${where}`,
      values: ratios,
    },
    {
      name: `${name}-largest-step`,
      label: `largest step over mean step${where}`,
      values: jumps,
      better: "lower",
    },
    {
      name: `${name}-cross-fade-length`,
      label: `path length of straight cross-fades over distance of the ends${where}`,
      values: crossFade?.ratios,
    },
  ];
  return measured.flatMap(({ values, ...measurement }) => {
    const found = values && meanOverRows(values);
    return found ? [{ ...measurement, ...found }] : [];
  });
}

function rowTable(figures: readonly Figures[]): EvaluationTable {
  const rounded = (value: number) => Number.isFinite(value) ? Number(value.toPrecision(4)) : null;
  return {
    title: "Rows",
    columns: [
      "row",
      ...figures.flatMap(({ label }) =>
        ["length over distance", "largest over mean step"].map((text) => `${text} ${label}`.trim())
      ),
    ],
    rows: Array.from(figures[0].ratios, (_, row) => [
      row + 1,
      ...figures.flatMap(({ ratios, jumps }) => [rounded(ratios[row]), rounded(jumps[row])]),
    ]),
  };
}

function grid(
  { potential, pairs, steps }: InterpolationOptions,
  images: Float32Array,
): MadePicture {
  const [h, w, c] = potential.sampleShape;
  return {
    name: "interpolation",
    content: encodePng(imageGrid({ images, n: pairs * steps, h, w, c, columns: steps })),
    alt:
      `A grid of ${pairs} rows of ${steps} generated images, each row passing from one to another.`,
    caption:
      "Rows of spherical interpolations between two draws of the prior, each carried along " +
      "the flow; the ends of a row are samples.",
  };
}

function planePlot({ steps }: InterpolationOptions, points: Float32Array): MadePicture {
  const rows = points.length / (2 * steps);
  const series = Array.from({ length: rows }, (_, row) => {
    const at = (axis: number) =>
      Array.from({ length: steps }, (_, i) => points[2 * (row * steps + i) + axis]);
    return { name: `row ${row + 1}`, x: at(0), y: at(1) };
  });
  return {
    name: "interpolation",
    content: svgLinePlot({ title: "Interpolations", xLabel: "x", yLabel: "y", series }),
    alt: `${rows} paths in the plane, each from one sample to another.`,
    caption: "Spherical interpolations between two draws of the prior, carried along the flow.",
  };
}

function notesOf(
  { pairs, steps, features, sampling }: InterpolationOptions,
  isImages: boolean,
): string[] {
  const notes = [
    `${pairs} rows of ${steps} samples, between the prior draws 2r and 2r + 1 of seed ` +
    `${sampling.seed}; means and standard errors over rows.`,
    "A path length of 1 is a straight line: for images a cross-fade, which passes through what is no " +
    "image. More than 1 is a way around; a largest step far above the mean one is a jump. With more " +
    "samples a row a path becomes longer: compare figures of as many.",
  ];
  if (isImages) notes.push("Lengths are those of images rounded to grey levels.");
  if (features) {
    notes.push(
      `In ${features.name} features a cross-fade is not straight: its length is given beside the ` +
        "flow's, for the same ends.",
    );
  }
  return notes;
}

/**
 * @file Whether samples are copies: each beside the training images that are nearest to it, and its
 * distance to them held against that of images which training has not seen.
 *
 * Source: the test is that of C. Meehan, K. Chaudhuri and S. Dasgupta, "A Non-Parametric Test to Detect
 * Data-Copying in Generative Models", AISTATS 2020, over all of space at once: distances of samples to
 * the training set against those of held-out images, by the statistic of Mann and Whitney.
 */
import { ConfigError } from "../errors.ts";
import { auroc } from "../metrics/auroc.ts";
import { mean, meanAndError, quantiles } from "../metrics/moments.ts";
import type { Neighbours } from "../metrics/nearest_neighbours.ts";
import { picturesInRow, withCaption, withMargin } from "../picture/compose.ts";
import { imageGrid } from "../picture/image_grid.ts";
import { encodePng, type RgbImage } from "../picture/rgb_image.ts";
import type { EvaluationTable, MadePicture, Measurement, MetricReport } from "./document.ts";

/** Neighbours in one space: of pixels, or of a network's features. */
export interface SpaceNeighbours {
  /** Of samples among the training images. */
  readonly samples: Neighbours;
  /** Of held-out images among the same training images: the yardstick; at least two images. */
  readonly heldOut?: Neighbours;
}

/** What {@link nearestNeighbours} looks at. */
export interface NeighbourInputs {
  /** [n, h, w, c] as bytes, at least two. */
  readonly samples: Uint8Array;
  /** [m, h, w, c] as bytes, in the order in which neighbours were sought. */
  readonly train: Uint8Array;
  /** [h, w, c]. */
  readonly shape: readonly [number, number, number];
  /** By pixels in [−1, 1]. */
  readonly pixel: SpaceNeighbours;
  /** By features. */
  readonly features?: SpaceNeighbours & {
    /** What features they are, as in "Inception-v3". */
    readonly label: string;
  };
  /** Samples in a picture: the first so many, 10 where left out. */
  readonly rows?: number;
}

/** Neighbours in a row of a picture. */
const DRAWN_NEIGHBOURS = 8;
/** The share of held-out images that are nearer to a training image than a near copy has to be. */
const NEAR = 0.05;

/**
 * Pictures of samples with their nearest training images, and how near they are beside held-out
 * images.
 *
 * @param inputs images, and their neighbours in one space or two
 * @throws {ConfigError} where neighbours are not those of so many samples and training images.
 */
export function nearestNeighbours(inputs: NeighbourInputs): MetricReport {
  const { pixel, features } = inputs;
  const spaces = [
    { key: "pixels", label: "pixels", ...pixel },
    ...(features ? [{ key: "features", ...features, label: `${features.label} features` }] : []),
  ];
  for (const space of spaces) requireNeighbours(inputs, space);
  return {
    measurements: spaces.flatMap(measurementsOf),
    tables: spaces.map(distancesTable),
    pictures: spaces.map((space) => pictureOf(inputs, space)),
    notes: notesOf(spaces),
  };
}

/** Neighbours in a space with a name. */
interface Space extends SpaceNeighbours {
  /** For names of measurements and files. */
  readonly key: string;
  /** For people. */
  readonly label: string;
}

function requireNeighbours(
  { samples, train, shape, rows = 10 }: NeighbourInputs,
  { label, samples: found, heldOut }: Space,
): void {
  const size = shape[0] * shape[1] * shape[2];
  const count = samples.length / size, members = train.length / size;
  if (found.indices.length !== count * found.k || count < 2) {
    throw new ConfigError(
      `neighbours in ${label} of ${found.indices.length / found.k} samples for ${count} images: ` +
        "expected those of all samples, at least two",
    );
  }
  const wrong = [found, ...heldOut ? [heldOut] : []]
    .flatMap(({ indices }) => Array.from(indices)).find((index) => !(index < members));
  if (wrong !== undefined) {
    throw new ConfigError(
      `neighbour ${wrong} in ${label} of ${members} training images: pass those that were searched`,
    );
  }
  if (!(Number.isInteger(rows) && rows > 0)) {
    throw new ConfigError(`a picture of ${rows} rows: expected a positive whole number`);
  }
}

/** The distance of each query to its nearest. */
function nearest({ k, distances }: Neighbours): Float64Array {
  return Float64Array.from({ length: distances.length / k }, (_, i) => distances[i * k]);
}

/** Each query's smallest distance over its second smallest; none where only one was sought. */
function nearestRatios({ k, distances }: Neighbours): Float64Array {
  if (k < 2) return new Float64Array();
  return Float64Array.from({ length: distances.length / k }, (_, i) => {
    const [first, second] = distances.subarray(i * k, i * k + 2);
    return second === 0 ? 1 : first / second;
  });
}

function measurementsOf({ key, label, samples, heldOut }: Space): Measurement[] {
  const own = nearest(samples);
  const copies: Measurement = {
    name: `copies-${key}`,
    label: `samples that equal a training image in ${label}`,
    value: own.filter((distance) => distance === 0).length,
  };
  const ofSamples: Measurement = {
    name: `nearest-${key}`,
    label: `mean distance of a sample to the nearest training image, ${label}`,
    ...meanAndError(own),
  };
  if (!heldOut) return [ofSamples, copies];
  const others = nearest(heldOut), { area, standardError } = auroc(others, own);
  const [near] = quantiles(others, [NEAR]);
  const share = own.filter((distance) => distance < near).length / own.length;
  return [
    ofSamples,
    {
      name: `nearest-held-out-${key}`,
      label: `mean distance of a held-out image to the nearest training image, ${label}`,
      ...meanAndError(others),
    },
    {
      name: `nearer-${key}`,
      label: `chance that a sample is nearer to training than a held-out image, ${label}`,
      value: area,
      standardError,
    },
    {
      name: `near-copies-${key}`,
      label: `samples nearer to training than ${100 * NEAR} % of held-out images are, ${label}`,
      value: share,
      standardError: Math.sqrt(share * (1 - share) / own.length),
    },
    copies,
  ];
}

function distancesTable({ label, samples, heldOut }: Space): EvaluationTable {
  const row = (name: string, found: Neighbours) => {
    const distances = nearest(found), ratios = nearestRatios(found);
    return [
      ...[name, distances.length, mean(distances)],
      ...quantiles(distances, [0, 0.05, 0.5, 0.95]),
      ...(ratios.length > 0 ? quantiles(ratios, [0, 0.5]) : [null, null]),
    ];
  };
  return {
    title: `Distance to the nearest training image, ${label}`,
    columns: [
      ...["of", "n", "mean", "smallest", "5 %", "median", "95 %"],
      ...["nearest ÷ second nearest, smallest", "median"],
    ],
    rows: [row("samples", samples), ...(heldOut ? [row("held-out images", heldOut)] : [])],
  };
}

function pictureOf(inputs: NeighbourInputs, { key, label, samples }: Space): MadePicture {
  const { train, shape: [h, w, c] } = inputs, size = h * w * c;
  const rows = Math.min(inputs.rows ?? 10, inputs.samples.length / size);
  const columns = Math.min(samples.k, DRAWN_NEIGHBOURS);
  const scale = Math.max(1, Math.round(64 / w));
  const grid = (bytes: Uint8Array, columns: number): RgbImage => {
    const images = Float32Array.from(bytes, (byte) => byte / 127.5 - 1);
    return imageGrid({ images, n: bytes.length / size, h, w, c, columns, scale });
  };
  const found = new Uint8Array(rows * columns * size);
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) {
      const index = samples.indices[row * samples.k + column];
      found.set(train.subarray(index * size, (index + 1) * size), i * size);
    }
  }
  const picture = picturesInRow([
    withCaption(grid(inputs.samples.subarray(0, rows * size), 1), ["sample"]),
    withCaption(grid(found, columns), [`nearest in training, by ${label}`]),
  ], { gap: 18, align: "end" });
  return {
    name: `neighbours-${key}`,
    content: encodePng(withMargin(picture, 8)),
    alt: `${rows} samples, each beside its ${columns} nearest training images by ${label}`,
    caption: `The first ${rows} samples, not selected, each with the ${columns} training images ` +
      `that are nearest to it by ${label}, the nearest first.`,
  };
}

function notesOf(spaces: readonly Space[]): string[] {
  const yardstick = spaces.some(({ heldOut }) => heldOut !== undefined);
  return [
    ...(yardstick
      ? [
        "Fresh draws of the data are as far from the training images as held-out images are: the " +
        `chance to be nearer is then ½, and ${100 * NEAR} % of samples are nearer than ` +
        `${100 * NEAR} % of held-out images. Copies have chances near 1 (Meehan et al., 2020).`,
      ]
      : []),
    "Samples can be nearer without being copies: by pixels, smooth and simple images are near to " +
    "everything, and a model that shows few kinds of images shows those that have many neighbours. " +
    "A copy is much nearer to one training image than to the second: its ratio is well below those of " +
    "held-out images.",
    "Samples can be copies without being nearer: shifted, mirrored or recoloured ones are far by " +
    "pixels. Features see some of these.",
    "Distances are those to this many training images, in this space: compare them with held-out " +
    "images of the same evaluation alone.",
  ];
}

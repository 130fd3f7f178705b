/**
 * @file Whether the potential tells images of its own kind from others: the area under the ROC curve
 * of Φ, with Φ higher on its own kind, as in the table of arXiv 2407.15238; and images that are made to
 * be told apart.
 */
import { ConfigError, VapoError } from "../errors.ts";
import { type Auroc, auroc, type RocCurve, rocCurve } from "../metrics/auroc.ts";
import { svgLinePlot } from "../picture/line_plot.ts";
import { fillPhilox } from "../tensor/philox.ts";
import type { Measurement, MetricReport } from "./document.ts";
import { energyPlot, momentsTable, type NamedValues } from "./energy_histograms.ts";

/** Values of Φ, at least two of each set. */
export interface OutOfDistributionValues {
  /** Held-out images of the data set that the potential was trained on. */
  readonly inside: NamedValues;
  /** Others, at least one set; names that differ. */
  readonly outside: readonly NamedValues[];
}

/** The areas of arXiv 2407.15238 for CIFAR-10: interpolations of its images, CIFAR-100, SVHN. */
const PUBLISHED: readonly { name: RegExp; area: number }[] = [
  { name: /interpolation/i, area: 0.78 },
  { name: /\bcifar-?100\b/i, area: 0.50 },
  { name: /\bsvhn\b/i, area: 0.61 },
];

/**
 * The area under the ROC curve of Φ between images of the own kind and each set of others: the chance
 * that Φ is higher on one of the own kind. Where the own kind is CIFAR-10, by its name, the published
 * figures stand beside.
 *
 * @param values of Φ
 * @throws {ConfigError} where there is no other set.
 * @throws {VapoError} where a set has fewer than two values.
 * @throws {NonFiniteError} where one is not finite.
 */
export function outOfDistribution({ inside, outside }: OutOfDistributionValues): MetricReport {
  if (outside.length === 0) {
    throw new ConfigError("no images to tell apart: expected at least one set beside the own");
  }
  const areas = outside.map(({ values }) => auroc(inside.values, values));
  const curves = outside.map(({ values }) => rocCurve(inside.values, values));
  const compared = /\bcifar-?10\b/i.test(inside.name);
  return {
    measurements: outside.map(({ name }, i) => measurementOf(name, areas[i])),
    tables: [
      areasTable(inside, outside, areas, compared),
      momentsTable([inside, ...outside]),
    ],
    pictures: [
      {
        name: "ood-roc",
        content: rocPlot(outside, curves, areas),
        alt: `ROC curves of the potential: ${inside.name} against ${namesOf(outside)}`,
        caption:
          "At each threshold of Φ: the share of the own kind at or above it, over the share " +
          "of others. On the diagonal nothing is told apart; below it Φ prefers the others.",
      },
      {
        name: "ood-histograms",
        content: energyPlot("Potential inside and outside of the data", [inside, ...outside]),
        alt: `Histograms of the potential on ${inside.name} and on ${namesOf(outside)}`,
        caption: "The density of Φ on the own kind and on others.",
      },
    ],
    notes: notesOf(compared),
  };
}

const namesOf = (sets: readonly NamedValues[]) => sets.map(({ name }) => name).join(", ");

function measurementOf(name: string, { area, standardError }: Auroc): Measurement {
  const key = name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  return {
    name: `auroc-${key}`,
    label: `AUROC against ${name}`,
    value: area,
    standardError,
    better: "higher",
  };
}

function areasTable(
  inside: NamedValues,
  outside: readonly NamedValues[],
  areas: readonly Auroc[],
  compared: boolean,
) {
  const published = (name: string) => PUBLISHED.find((each) => each.name.test(name))?.area ?? null;
  return {
    title: `AUROC of Φ, ${inside.name} (${inside.values.length}) against others`,
    columns: [
      ...["others", "n", "AUROC", "standard error"],
      ...(compared ? ["published (arXiv 2407.15238)"] : []),
    ],
    rows: outside.map(({ name, values }, i) => [
      ...[name, values.length, areas[i].area, areas[i].standardError],
      ...(compared ? [published(name)] : []),
    ]),
  };
}

function notesOf(compared: boolean): string[] {
  return [
    "The score is Φ itself, without any training on other sets: ½ is chance, and below it Φ is higher " +
    "on the others. That happens to likelihoods too, with images that are smoother than one's own " +
    "(Nalisnick et al., 2019), and Φ holds |x|² besides the log density.",
    "The standard error is DeLong's, of the images alone: not of training again. It takes images to " +
    "be independent, which interpolations of one's own images are not quite.",
    "Noise differs from images in every respect: a high area against it says little. Interpolations " +
    "are the hard case, between near and far.",
    ...(compared
      ? [
        "The published areas are those of a net trained for 1.3 million steps at batch 256. How many " +
        "images they are of, and how interpolations were made in detail, is not known here: " +
        "differences of some hundredths mean nothing.",
      ]
      : [
        "There are no published areas for this method on this data set: compare with other runs on " +
        "the same sets of images alone.",
      ]),
  ];
}

/** Points a curve is drawn with: more are not seen, and would make files large. */
const DRAWN_POINTS = 300;

/** The diagonal, of so many points that none is marked. */
const CHANCE = Array.from({ length: 101 }, (_, i) => i / 100);

function rocPlot(
  outside: readonly NamedValues[],
  curves: readonly RocCurve[],
  areas: readonly Auroc[],
): string {
  return svgLinePlot({
    title: "Receiver operating characteristic of Φ",
    xLabel: "share of others above the threshold",
    yLabel: "share of the own kind above the threshold",
    width: 680,
    height: 480,
    series: [
      // First, so that each set has the colour that it has in the histograms.
      { name: "chance: 0.5", x: CHANCE, y: CHANCE, dashed: true },
      ...curves.map((curve, i) => ({
        name: `${outside[i].name}: ${areas[i].area.toFixed(3)}`,
        ...thinned(curve),
      })),
    ],
  });
}

/** Some of the points of a curve, evenly along it, the first and the last among them. */
function thinned({ falsePositiveRate: x, truePositiveRate: y }: RocCurve) {
  const kept: number[] = [];
  for (let i = 0; i < x.length; i++) {
    const last = kept.at(-1);
    const far = last === undefined || i === x.length - 1 ||
      x[i] + y[i] - x[last] - y[last] >= 2 / DRAWN_POINTS;
    if (far) kept.push(i);
  }
  return { x: kept.map((i) => x[i]), y: kept.map((i) => y[i]) };
}

/** Streams of the draws below: each of its own. */
const PAIRS = 0x70616972, NOISE = 0x6e6f6973;

function wordsOfSeed(seed: number): [number, number] {
  return [seed | 0, Math.floor(seed / 2 ** 32) | 0];
}

/**
 * Images halfway between two others: the mean of two different images of a set, pixel by pixel, in
 * whole grey levels (a half goes to the even one, so that no image becomes brighter). Image i is of
 * image i mod n and of another that is drawn.
 *
 * @param images [n, h, w, c] as bytes
 * @param shape [n, h, w, c], n at least 2
 * @param count how many
 * @param seed what the pairs are a function of
 * @returns [count, h, w, c]
 * @throws {VapoError} where there are fewer than two images, or bytes that do not fit the shape.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { imageInterpolations } from "vapo";
 * const two = Uint8Array.of(0, 10, 255, 13); // of two pixels each
 * assertEquals(imageInterpolations(two, [2, 1, 2, 1], 1, 7), Uint8Array.of(128, 12));
 * ```
 */
export function imageInterpolations(
  images: Uint8Array,
  [n, height, width, channels]: readonly [number, number, number, number],
  count: number,
  seed: number,
): Uint8Array {
  const size = height * width * channels;
  if (images.length !== n * size || n < 2) {
    throw new VapoError(
      `${images.length} bytes for ${n} images of ${height}×${width}×${channels} to interpolate: ` +
        `expected ${Math.max(2, n) * size}, at least two images`,
    );
  }
  const steps = new Int32Array(count);
  const source = { seed: wordsOfSeed(seed), step: 0, stream: PAIRS, count: n - 1 };
  fillPhilox(steps, "indices", 1, source);
  const result = new Uint8Array(count * size);
  for (let i = 0; i < count; i++) {
    const first = i % n, second = (first + 1 + steps[i]) % n;
    for (let k = 0; k < size; k++) {
      const sum = images[first * size + k] + images[second * size + k], half = sum >> 1;
      result[i * size + k] = half + (sum & 1 & half);
    }
  }
  return result;
}

/**
 * Images of noise: every byte is drawn from 0 … 255 alike, borders that data have black included.
 *
 * @param count how many
 * @param shape [h, w, c]
 * @param seed what they are a function of
 * @returns [count, h, w, c]
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { uniformNoise } from "vapo";
 * assertEquals(uniformNoise(2, [4, 4, 3], 7).length, 2 * 48);
 * ```
 */
export function uniformNoise(
  count: number,
  [height, width, channels]: readonly [number, number, number],
  seed: number,
): Uint8Array {
  const size = height * width * channels, words = Math.ceil(size / 4);
  const bits = new Int32Array(count * words);
  fillPhilox(bits, "bits", words, { seed: wordsOfSeed(seed), step: 0, stream: NOISE });
  const bytes = new Uint8Array(bits.buffer);
  if (size === 4 * words) return bytes;
  const result = new Uint8Array(count * size);
  for (let i = 0; i < count; i++) {
    result.set(bytes.subarray(4 * words * i, 4 * words * i + size), i * size);
  }
  return result;
}

/**
 * @file What the potential says of data that it was trained on, of data that it was not, and of its own
 * samples: histograms of Φ, and whether the first two can be told apart.
 */
import {
  type Histogram,
  histogram,
  histogramEdges,
  type HistogramEdgesOptions,
} from "../metrics/histogram.ts";
import { type KolmogorovSmirnov, kolmogorovSmirnov } from "../metrics/kolmogorov_smirnov.ts";
import { mean, meanAndError, quantiles, sampleVariance } from "../metrics/moments.ts";
import { svgHistogramPlot } from "../picture/histogram_plot.ts";
import type { EvaluationTable, Measurement, MetricReport } from "./document.ts";

/** Values of Φ, at least two of each. */
export interface EnergyValues {
  readonly train: Float64Array;
  /** Held-out data. */
  readonly test: Float64Array;
  readonly samples: Float64Array;
}

/** Values with a name. */
export interface NamedValues {
  readonly name: string;
  readonly values: Float64Array;
}

/**
 * Histograms of Φ on training data, held-out data and samples, their moments, and the two-sample test
 * of Kolmogorov and Smirnov between them.
 *
 * @param values of Φ
 * @throws {VapoError} where there are no values.
 * @throws {NonFiniteError} where one is not finite.
 */
export function energyHistograms({ train, test, samples }: EnergyValues): MetricReport {
  const sets: NamedValues[] = [
    { name: "training data", values: train },
    { name: "held-out data", values: test },
    { name: "samples", values: samples },
  ];
  const memorised = kolmogorovSmirnov(train, test), reached = kolmogorovSmirnov(samples, test);
  return {
    measurements: [
      ...sets.map(({ values }, i) => meanOf(values, MEANS[i])),
      ...testMeasurements(memorised, "train-test", "training and held-out data"),
      ...testMeasurements(reached, "samples-test", "samples and held-out data"),
    ],
    tables: [
      momentsTable(sets),
      testsTable([
        ["training and held-out data", memorised, train.length, test.length],
        ["samples and held-out data", reached, samples.length, test.length],
      ]),
    ],
    pictures: [{
      name: "energy-histograms",
      content: energyPlot("Potential on data and samples", sets),
      alt: "Histograms of the potential on training data, held-out data and samples",
      caption:
        "The density of Φ. Where training and held-out data lie on each other, Φ treats both " +
        "alike; where samples lie beside them, the flow ends at other values of Φ than data have.",
    }],
    notes: NOTES,
  };
}

const MEANS = [
  ["mean-train", "mean of Φ on training data"],
  ["mean-test", "mean of Φ on held-out data"],
  ["mean-samples", "mean of Φ on samples"],
] as const;

const NOTES = [
  "Φ is known up to a constant, and is no log-likelihood: the exact potential is a sum of |x|² and " +
  "of the log density, with factors that depend on the path. Its values, means and differences can " +
  "be compared within a run alone.",
  "A small p-value between training and held-out data says that Φ tells images that it was trained " +
  "on from others: it has overfitted, or memorised some. How much is D, not p: with many values any " +
  "difference, however small, has a small p-value.",
  "A large p-value does not exclude memorised samples: Φ is one number an image, and a flow can end " +
  "at training images whose Φ is like that of any other. The nearest training images show more.",
  "Samples at other values of Φ than held-out data show that the flow ends elsewhere (too early, too " +
  "late, or at blurred or noisy images), but equal values do not show that samples look like data.",
];

/** Histograms of Φ on shared edges, as SVG. */
export function energyPlot(
  title: string,
  sets: readonly NamedValues[],
  options: HistogramEdgesOptions = { mostBins: 120 },
): string {
  const edges = histogramEdges(sets.map(({ values }) => values), options);
  const series = sets.map(({ name, values }) => ({ name, ...trimmed(histogram(values, edges)) }));
  return svgHistogramPlot({ title, xLabel: "Φ", series });
}

/** Without the empty bins at both ends, whose line along the axis would cover that of others. */
function trimmed({ edges, density }: Histogram) {
  const first = density.findIndex((value) => value > 0);
  const last = density.findLastIndex((value) => value > 0);
  return { edges: edges.subarray(first, last + 2), heights: density.subarray(first, last + 1) };
}

function meanOf(values: Float64Array, [name, label]: typeof MEANS[number]): Measurement {
  return { name, label, ...meanAndError(values) };
}

function testMeasurements(
  { statistic, pValue }: KolmogorovSmirnov,
  name: string,
  between: string,
): Measurement[] {
  const of = `Kolmogorov–Smirnov test between ${between}`;
  return [
    { name: `ks-${name}`, label: `D of the ${of}`, value: statistic },
    { name: `ks-${name}-p`, label: `p-value of the ${of}`, value: pValue },
  ];
}

function testsTable(
  tests: readonly (readonly [string, KolmogorovSmirnov, number, number])[],
): EvaluationTable {
  return {
    title: "Kolmogorov–Smirnov tests of Φ",
    columns: ["between", "D", "p-value", "D that 1 in 20 pairs of equal sets exceed"],
    rows: tests.map(([between, { statistic, pValue }, n, m]) => [
      between,
      statistic,
      pValue,
      // The limiting distribution's 95 % point.
      Math.min(1, 1.3581 * Math.sqrt((n + m) / (n * m))),
    ]),
  };
}

/** Count, mean, standard deviation and quantiles of each set. */
export function momentsTable(sets: readonly NamedValues[]): EvaluationTable {
  return {
    title: "Φ",
    columns: ["of", "n", "mean", "standard deviation", "5 %", "median", "95 %"],
    rows: sets.map(({ name, values }) => {
      const deviation = values.length > 1 ? Math.sqrt(sampleVariance(values)) : null;
      return [
        name,
        values.length,
        mean(values),
        deviation,
        ...quantiles(values, [0.05, 0.5, 0.95]),
      ];
    }),
  };
}

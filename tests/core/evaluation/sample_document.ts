/**
 * @file An evaluation with every metric, as large and as varied as a real one: numbers are made up.
 */
import type { EvaluationDocument, MetricResult } from "../../../core/evaluation/document.ts";
import { imageGrid } from "../../../core/picture/image_grid.ts";
import { svgHistogramPlot } from "../../../core/picture/histogram_plot.ts";
import { type LineSeries, svgLinePlot } from "../../../core/picture/line_plot.ts";
import { svgColumn } from "../../../core/picture/svg_column.ts";
import { encodePng } from "../../../core/picture/rgb_image.ts";

const SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const WEIGHTS = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2";

const sampling = {
  seed: 20240,
  solver: "rk45",
  steps: 100,
  equalSteps: false,
  rtol: 1e-3,
  atol: 1e-3,
  until: 1.25,
  batchSize: 256,
};
const features = { features: "inception", weights: WEIGHTS };

function result(metric: string, title: string, more: Partial<MetricResult>): MetricResult {
  return {
    metric,
    title,
    options: { n: 10000, ...sampling },
    measurements: [],
    tables: [],
    pictures: [],
    notes: [],
    seconds: 84,
    ...more,
  };
}

const comparable =
  "Comparable with figures by pytorch-fid's weights and resizing on 8-bit images; " +
  "other resizing (antialiased, or TensorFlow 1's) changes the second digit.";

/** An evaluation of a run on CIFAR-10. */
export const sampleDocument: EvaluationDocument = {
  format: "vapo-evaluation",
  version: 1,
  run: { name: "cifar10-unet-3", preset: "cifar10-unet", data: "cifar10" },
  checkpoint: { step: 130000, average: 0.9999, sha256: SHA },
  results: [
    result("fid", "Fréchet inception distance", {
      options: { n: 50000, ...features, reference: "train", ...sampling },
      measurements: [{
        name: "fid",
        label: "Fréchet inception distance",
        value: 16.623412,
        better: "lower",
      }, {
        name: "held-out",
        label: "the same of 10,000 real images, cifar10 held-out",
        value: 5.1342,
      }],
      notes: [
        "50,000 samples against cifar10 train (50,000 images).",
        "A Fréchet distance of fewer samples is larger (the bias falls as 1/n): compare only with " +
        "figures of as many samples; most are published for 50,000.",
        comparable,
      ],
      seconds: 5432,
    }),
    result("kid", "Kernel inception distance", {
      options: { n: 50000, ...features, reference: "train", ...sampling },
      measurements: [{
        name: "kid",
        label: "kernel inception distance",
        value: 0.0104312,
        standardError: 0.000181,
        better: "lower",
      }],
      notes: [
        "The mean over 100 subsets of 1,000 of each; many publications give 1,000 times this number.",
        comparable,
      ],
      seconds: 31.4,
    }),
    result("is", "Inception score", {
      options: { n: 50000, ...features, ...sampling },
      measurements: [{
        name: "inception-score",
        label: "inception score",
        value: 8.3121,
        standardError: 0.0431,
        better: "higher",
      }, {
        name: "split-deviation",
        label: "standard deviation over 10 splits (what publications give after ±)",
        value: 0.1362,
      }],
      notes: ["It knows nothing of the data: samples of one image a class have the highest."],
      seconds: 2.1,
    }),
    result("prdc", "Precision, recall, density, coverage", {
      options: { n: 10000, ...features, reference: "train", ...sampling },
      measurements: [
        ["precision", "precision: samples within reach of a real image", 0.6432],
        ["recall", "recall: real images within reach of a sample", 0.5219],
        [
          "density",
          "density: real neighbourhoods that a sample lies in, relative to the expected",
          0.81,
        ],
        ["coverage", "coverage: real images with a sample in their neighbourhood", 0.7003],
      ].map(([name, label, value]) => ({
        name: String(name),
        label: String(label),
        value: Number(value),
        better: "higher" as const,
      })),
      notes: ["Kynkäänniemi et al. take features of VGG-16 and k = 3; Naeem et al. k = 5."],
      seconds: 312,
    }),
    result("nll", "Negative log-likelihood", {
      options: { n: 256, ...sampling, probes: 1, dequantisation: "uniform" },
      measurements: [{
        name: "nll",
        label: "negative log-likelihood",
        value: 3.5814,
        standardError: 0.0213,
        unit: "bits/dimension",
        better: "lower",
      }, {
        name: "divergence",
        label: "share of the divergence's estimate in the error",
        value: 0.000358,
        standardError: 0.000012,
      }],
      notes: [
        "The flow's own density of uniformly dequantised images, an upper bound on the bits of the " +
        "discrete ones; comparable with likelihoods of other flows, not with bounds by other means.",
      ],
      seconds: 903,
    }),
    result("ood", "Out-of-distribution detection by Φ", {
      options: { n: 2500, outside: "interpolation, cifar100, svhn, noise", ...sampling },
      measurements: [
        ["auroc-interpolation", "AUROC, CIFAR-10 interpolations", 0.7812, 0.0064],
        ["auroc-cifar100", "AUROC, CIFAR-100", 0.5031, 0.0082],
        ["auroc-svhn", "AUROC, SVHN", 0.6104, 0.0079],
        ["auroc-noise", "AUROC, uniform noise", 1, 0],
      ].map(([name, label, value, error]) => ({
        name: String(name),
        label: String(label),
        value: Number(value),
        standardError: Number(error),
        better: "higher" as const,
      })),
      tables: [{
        title: "Φ on held-out images and on those of other sets; AUROC beside the paper's.",
        columns: [
          "data",
          "images",
          "mean of Φ",
          "standard deviation",
          "AUROC",
          "AUROC of the paper",
        ],
        rows: [
          ["cifar10 test", 2500, -41.2213, 11.83, null, null],
          ["interpolation", 2500, -30.7, 9.114, 0.7812, 0.78],
          ["cifar100", 2500, -41.5, 12.02, 0.5031, 0.5],
          ["svhn", 2500, -44.9, 7.5, 0.6104, 0.61],
          ["noise", 2500, 1204.5, 3.2, 1, null],
        ],
      }],
      pictures: [{
        file: "ood-roc-1f2e3d.svg",
        alt:
          "Receiver operating characteristics: the curve of interpolations is above that of SVHN, " +
          "and CIFAR-100's lies on the diagonal.",
        caption: "True against false positives as the threshold on Φ moves, a curve a data set.",
      }],
      notes: [
        "An AUROC is a property of the two data sets as much as of the model: only figures of the same " +
        "pair can be compared.",
      ],
      seconds: 65,
    }),
    result("energy", "The potential on data and samples", {
      measurements: [{
        name: "ks-train-test",
        label: "Kolmogorov–Smirnov statistic between training and held-out images",
        value: 0.0182,
        better: "lower",
      }, {
        name: "p-train-test",
        label: "its p-value",
        value: 0.3721,
      }],
      pictures: [{
        file: "energy-histogram-1f2e3d.svg",
        alt:
          "Three histograms of the potential: those of training and held-out images coincide, that " +
          "of samples lies a little to the left.",
        caption: "Φ on training images, held-out images and samples.",
      }],
      notes: ["Φ has no zero of its own: only differences within one checkpoint mean something."],
      seconds: 44,
    }),
    result("neighbours", "Nearest training images", {
      options: { n: 100, ...features, ...sampling },
      measurements: [{
        name: "pixel-distance",
        label: "median distance to the nearest training image in pixels",
        value: 9.414,
      }, {
        name: "pixel-distance-held-out",
        label: "the same of held-out images",
        value: 9.102,
      }],
      pictures: ["pixels", "features"].map((space) => ({
        file: `neighbours-${space}-1f2e3d.png`,
        alt: `Rows of a sample and the five training images nearest to it in ${space}: alike in ` +
          "colour and layout, none the same.",
        caption: `Samples (left) and their nearest training images in ${space}.`,
      })),
      notes: [
        "What a model has learnt by heart is nearer to the training set than held-out images are.",
      ],
      seconds: 3.3,
    }),
    result("interpolate", "Interpolation", {
      options: { n: 8, ...features, ...sampling, rows: 10 },
      measurements: [{
        name: "path-length",
        label: "mean path length in features",
        value: 412.31,
        standardError: 12.9,
      }],
      pictures: [{
        file: "interpolate-grid-1f2e3d.png",
        alt: "Eight rows of ten images, each changing gradually from its left end to its right.",
        caption:
          "Spherical interpolations of the prior, flowed: each row from one sample to another.",
      }],
      seconds: 21,
    }),
    result("solvers", "Solvers", {
      options: { n: 256, ...features, ...sampling },
      tables: [{
        title: "Error to a solution at tolerance 1e-6 and Fréchet distance, by solver.",
        columns: ["solver", "setting", "evaluations", "error", "Fréchet distance", "diverged"],
        rows: [
          ["euler", "20 steps", 20, 0.41231, 141.2, false],
          ["euler", "100 steps", 100, 0.08212, 118.81, false],
          ["heun", "50 steps", 100, 0.0041, 117.9, false],
          ["rk4", "25 steps", 100, 0.000421, 117.85, false],
          ["rk45", "tolerance 1e-3", 74, 0.001202, 117.84, false],
          ["dop853", "tolerance 1e-5", 1313, 0.0000031, 117.84, false],
        ],
      }],
      pictures: [{
        file: "solvers-1f2e3d.svg",
        alt: "Error against evaluations on logarithmic axes: higher orders fall more steeply.",
        caption:
          "Above, the error at the end of the flow against evaluations of the velocity, a line a " +
          "solver; below, the Fréchet distance.",
      }],
      notes: ["The Fréchet distance of 256 samples is far larger than one of 50,000."],
      seconds: 488.8,
    }),
  ],
};

/** The pictures of {@link sampleDocument}, drawn as the metrics draw theirs. */
export function samplePictures(): Map<string, Uint8Array | string> {
  return new Map<string, Uint8Array | string>([
    ["ood-roc-1f2e3d.svg", characteristics()],
    ["energy-histogram-1f2e3d.svg", histograms()],
    ["neighbours-pixels-1f2e3d.png", grid(6, 8, 3, 0)],
    ["neighbours-features-1f2e3d.png", grid(6, 8, 3, 5)],
    ["interpolate-grid-1f2e3d.png", grid(10, 8, 3, 9)],
    ["solvers-1f2e3d.svg", workPrecision()],
  ]);
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

function characteristics(): string {
  const x = range(51).map((i) => i / 50);
  const curve = (name: string, power: number) => ({ name, x, y: x.map((v) => v ** power) });
  return svgLinePlot({
    title: "Detection by Φ",
    xLabel: "false positives",
    yLabel: "true positives",
    series: [
      curve("interpolation", 0.28),
      curve("SVHN", 0.64),
      curve("CIFAR-100", 0.99),
      { name: "chance", x: [0, 1], y: [0, 1], dashed: true },
    ],
  });
}

function histograms(): string {
  const edges = range(61).map((i) => -80 + i * 1.5);
  const bump = (name: string, mean: number, deviation: number) => ({
    name,
    edges,
    heights: edges.slice(1).map((v) => Math.exp(-0.5 * ((v - mean) / deviation) ** 2) / deviation),
  });
  return svgHistogramPlot({
    title: "Φ on data and samples",
    xLabel: "Φ",
    series: [bump("train", -41, 11.8), bump("held-out", -40.6, 11.9), bump("samples", -45, 12.6)],
  });
}

function workPrecision(): string {
  const x = [20, 40, 80, 160, 320];
  const line = (name: string, order: number) => ({
    name,
    x,
    y: x.map((n) => 3 * (n / 8) ** -order),
  });
  const plot = (yLabel: string, series: LineSeries[]) =>
    svgLinePlot({
      title: "",
      xLabel: "evaluations of the velocity",
      yLabel,
      xLog: true,
      yLog: true,
      series,
    });
  const lines = [line("euler", 1), line("heun", 2), line("rk4", 4), line("dop853", 5.5)];
  const distances = lines.map((each) => ({ ...each, y: each.y.map((error) => 117 + error) }));
  return svgColumn(
    [plot("error (root mean square)", lines), plot("Fréchet distance", distances)],
    "Work and precision",
  );
}

/** Blurred blobs that change along each row. */
function grid(columns: number, rows: number, c: number, seed: number): Uint8Array {
  const side = 32, n = columns * rows;
  const images = new Float32Array(n * side * side * c);
  for (let i = 0, at = 0; i < n; i++) {
    const [row, column] = [Math.floor(i / columns) + seed, i % columns];
    const x0 = 16 + 9 * Math.sin(row * 2.3 + column / 3), y0 = 16 + 9 * Math.cos(row + column / 4);
    for (let p = 0; p < side * side; p++) {
      const distance = Math.hypot(p % side - x0, Math.floor(p / side) - y0);
      for (let k = 0; k < c; k++) images[at++] = Math.cos(distance / (3 + k) + row * (k + 1));
    }
  }
  return encodePng(imageGrid({ images, n, h: side, w: side, c, columns, scale: 2 }));
}

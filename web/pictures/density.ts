/**
 * @file The density of particles on a field's grid, by core's Gaussian kernel estimate. The kernel's
 * width is that of least-squares cross-validation (M. Rudemo, "Empirical choice of histograms and
 * kernel density estimators", 1982; A. Bowman, 1984), at most that of Scott's rule, which fits one
 * Gaussian and would blur many: computed from a table of distances, fast enough for every frame.
 */
import { kernelDensity } from "../../core/picture/kernel_density.ts";
import type { Flow, Grid } from "../laboratory/engine_types.ts";
import { positionsAt } from "./particles.ts";

/** Pairs of so many particles are looked at. */
const COMPARED = 500;
/** Widths tried, from Scott's to a twelfth of it. */
const TRIED = 26;
const NARROWEST = 1 / 12;
/** Classes of distances that the narrowest kernel is told by, and how many widths it is felt. */
const CLASSES = 5;
const FELT = 5 * Math.SQRT2;

/**
 * Scott's rule in the plane, spread · n^(−1/6), with a spread that stray points do not move: the
 * smaller of the standard deviation and the interquartile range / 1.349, mean of both axes.
 *
 * @param points [n, 2]
 * @returns 0 for fewer than two finite points, or none apart
 */
export function scottBandwidth(points: ArrayLike<number>): number {
  const spreads = [0, 1].map((axis) => {
    const values = new Float32Array(points.length >> 1);
    let n = 0;
    for (let i = axis; i < points.length; i += 2) {
      if (Number.isFinite(points[i])) values[n++] = points[i];
    }
    return n < 2 ? 0 : robustSpread(values.subarray(0, n).sort());
  });
  const n = Math.max(1, points.length >> 1);
  return (spreads[0] + spreads[1]) / 2 * n ** (-1 / 6);
}

function robustSpread(sorted: Float32Array): number {
  const n = sorted.length;
  let mean = 0, square = 0;
  for (const v of sorted) mean += v / n;
  for (const v of sorted) square += (v - mean) ** 2 / n;
  const between = sorted[Math.floor(0.75 * (n - 1))] - sorted[Math.floor(0.25 * (n - 1))];
  const std = Math.sqrt(square);
  return between > 0 ? Math.min(std, between / 1.349) : std;
}

/**
 * The width of the kernel for a set of particles: what minimises the estimate of
 * ∫ (f̂ − f)² − ∫ f² from a part of them, carried over to all by n^(−1/6).
 *
 * @param points [n, 2]
 * @returns standard deviation in data units; 0 for fewer than two points, or none apart
 */
export function particleBandwidth(points: ArrayLike<number>): number {
  const widest = scottBandwidth(points);
  const n = points.length >> 1;
  if (!(widest > 0) || n < 20) return widest;
  const m = Math.min(n, COMPARED);
  // Of m particles alone, the rule's width is larger.
  const grown = (n / m) ** (1 / 6);
  const width = widest * grown * NARROWEST / CLASSES;
  const pairs = distanceTable(points, m, width, Math.ceil(FELT / NARROWEST * CLASSES));
  const scores = Array.from({ length: TRIED }, (_, i) => {
    const h = widest * grown * NARROWEST ** (i / (TRIED - 1));
    return crossValidation(pairs, width, h, m);
  });
  let best = 0;
  for (let i = 1; i < TRIED; i++) if (scores[i] < scores[best]) best = i;
  return widest * NARROWEST ** ((best + vertexOf(scores, best)) / (TRIED - 1));
}

/** Where the parabola through a smallest value and its neighbours is lowest, from −1/2 to 1/2. */
function vertexOf(values: readonly number[], k: number): number {
  if (k === 0 || k === values.length - 1) return 0;
  const bend = values[k - 1] - 2 * values[k] + values[k + 1];
  return bend > 0 ? Math.max(-0.5, Math.min(0.5, (values[k - 1] - values[k + 1]) / (2 * bend))) : 0;
}

/** How many pairs have a distance in each class; beyond the last they are not felt. */
function distanceTable(
  points: ArrayLike<number>,
  m: number,
  width: number,
  classes: number,
): Float64Array {
  const table = new Float64Array(classes);
  for (let i = 0; i < m; i++) {
    const x = points[2 * i], y = points[2 * i + 1];
    for (let j = 0; j < i; j++) {
      const k = Math.sqrt((points[2 * j] - x) ** 2 + (points[2 * j + 1] - y) ** 2) / width;
      if (k < classes) table[k | 0]++;
    }
  }
  return table;
}

/** ∫ f̂² − 2 · the mean of f̂ at every point without that point. */
function crossValidation(pairs: Float64Array, width: number, h: number, m: number): number {
  let smooth = 0, held = 0;
  for (let k = 0; k < pairs.length; k++) {
    if (pairs[k] === 0) continue;
    const q = ((k + 0.5) * width / h) ** 2;
    smooth += pairs[k] * Math.exp(-q / 4);
    held += pairs[k] * Math.exp(-q / 2);
  }
  const unit = 1 / (2 * Math.PI * h * h);
  return unit * (1 / (2 * m) + smooth / (m * m) - 4 * held / (m * (m - 1)));
}

/**
 * Particles as a density.
 *
 * @param points [n, 2]
 * @param grid where it is wanted
 * @param bandwidth of the kernel; default {@link particleBandwidth}; at least half a cell is taken
 * @returns [size, size] at the centres of cells, rows from the top; the integral over the plane is 1
 */
export function particleDensity(
  points: ArrayLike<number>,
  { size, extent }: Grid,
  bandwidth = particleBandwidth(points),
): Float64Array {
  const square = [-extent, extent, -extent, extent] as const;
  // Half a cell at least, a quarter of the square at most: what the grid can show.
  const width = Math.min(extent / 2, Math.max(extent / size, bandwidth));
  return kernelDensity(points, square, size, size, width).values;
}

/** Frames of a flow that a bandwidth is computed for: every so manyth. */
const STRIDE = 5;

/** The bandwidths of a flow at some of its times, to be asked again and again. */
export interface FlowBandwidths {
  readonly flow: Flow;
  /** By frame; NaN where it was not asked for yet. */
  readonly known: Float64Array;
}

/** Nothing known yet. */
export function flowBandwidths(flow: Flow): FlowBandwidths {
  return { flow, known: new Float64Array(flow.times.length).fill(NaN) };
}

/**
 * The kernel's width at any time of a flow: between some of its frames linear, so that a density
 * does not tremble while time passes. Frames that it needs are remembered.
 */
export function bandwidthAt(bandwidths: FlowBandwidths, u: number): number {
  const { times } = bandwidths.flow;
  const last = times.length - 1;
  const at = (k: number) => bandwidthOfFrame(bandwidths, Math.min(last, k));
  let k = 0;
  while (k + STRIDE < last && times[k + STRIDE] <= u) k += STRIDE;
  const from = times[k], to = times[Math.min(last, k + STRIDE)];
  const share = to > from ? Math.min(1, Math.max(0, (u - from) / (to - from))) : 0;
  return at(k) + share * (at(k + STRIDE) - at(k));
}

function bandwidthOfFrame({ flow, known }: FlowBandwidths, frame: number): number {
  if (Number.isNaN(known[frame])) {
    known[frame] = particleBandwidth(positionsAt(flow, flow.times[frame]));
  }
  return known[frame];
}

/**
 * A density blurred as {@link particleDensity} blurs: what an estimate of many particles of it would
 * be, to be compared with one.
 *
 * @param values [size, size] at the centres of cells
 * @param grid of it
 * @param bandwidth of the kernel, as it was given there
 */
export function blurred(
  values: ArrayLike<number>,
  { size, extent }: Grid,
  bandwidth: number,
): Float64Array {
  const std = Math.min(size / 4, Math.max(0.5, bandwidth * size / (2 * extent)));
  const reach = Math.ceil(4 * std);
  const kernel = Float64Array.from(
    { length: 2 * reach + 1 },
    (_, i) => Math.exp(-0.5 * ((i - reach) / std) ** 2),
  );
  const sum = kernel.reduce((a, b) => a + b);
  const across = blurredAxis(values, size, kernel, sum, 1, size);
  return blurredAxis(across, size, kernel, sum, size, 1);
}

/** Along one axis; beyond the rim the density is taken to be 0. */
function blurredAxis(
  values: ArrayLike<number>,
  size: number,
  kernel: Float64Array,
  sum: number,
  stride: number,
  lineStride: number,
): Float64Array {
  const reach = (kernel.length - 1) / 2;
  const out = new Float64Array(size * size);
  for (let line = 0; line < size; line++) {
    for (let i = 0; i < size; i++) {
      let total = 0;
      for (let j = Math.max(0, i - reach); j <= Math.min(size - 1, i + reach); j++) {
        total += kernel[j - i + reach] * values[line * lineStride + j * stride];
      }
      out[line * lineStride + i * stride] = total / sum;
    }
  }
  return out;
}

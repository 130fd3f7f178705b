/**
 * @file A field of the plane as an image: values interpolated to every pixel first and coloured then,
 * so that colours are as smooth as the field; and the ranges that colours stand for, which neither a
 * few extreme values nor the noise of training moves.
 */
import { ConfigError } from "../../core/errors.ts";
import { type Colormap, NON_FINITE_COLOR } from "../../core/picture/colormap.ts";
import { checkGrid, cubicTaps, resampledRows } from "./grid.ts";

/** Two finite ascending numbers. */
export type Range = readonly [low: number, high: number];

/** Which colour a value has. */
export interface ColorScale {
  readonly colormap: Colormap;
  /** Values of the first and the last colour; what is beyond has these. */
  readonly range: Range;
  /**
   * The place between the ends is raised to this power: below 1 lifts small values (default 1). Of a
   * range that is equally far to both sides of 0, that is the place between 0 and the end.
   */
  readonly gamma?: number;
}

/** Colours told apart between the ends of a scale: finer than a colour map's own 256. */
const SHADES = 1024;

/** Where a value is on its scale: 0 for the first colour, 1 for the last, NaN for NaN. */
export function scalePlace({ range: [low, high], gamma = 1 }: ColorScale, value: number): number {
  const linear = high > low ? (value - low) / (high - low) : value > high ? 1 : 0;
  const place = Math.min(1, Math.max(0, linear));
  if (gamma === 1 || low !== -high) return place ** gamma;
  return 0.5 + 0.5 * Math.sign(place - 0.5) * Math.abs(2 * place - 1) ** gamma;
}

/**
 * The colours of a scale at equal steps of its values, and last of all that of what is not finite.
 *
 * @returns [count + 1] pixels: red, green, blue, alpha as bytes in the order of the machine
 */
export function scaleColors(scale: ColorScale, count = SHADES): Uint32Array {
  const bytes = new Uint8Array(4 * (count + 1));
  const { table } = scale.colormap;
  const [low, high] = scale.range;
  // Of the same kind, and never empty.
  const unit: ColorScale = { ...scale, range: low === -high ? [-1, 1] : [0, 1] };
  const start = unit.range[0];
  for (let i = 0; i < count; i++) {
    const at = 255 * scalePlace(unit, start + i / (count - 1) * (1 - start));
    const k = Math.min(254, Math.floor(at));
    for (let channel = 0; channel < 3; channel++) {
      const from = table[3 * k + channel];
      bytes[4 * i + channel] = Math.round(from + (at - k) * (table[3 * k + 3 + channel] - from));
    }
    bytes[4 * i + 3] = 255;
  }
  bytes.set([...NON_FINITE_COLOR, 255], 4 * count);
  return new Uint32Array(bytes.buffer);
}

/**
 * A field in colours, the square's edges at the image's.
 *
 * @param values [size, size] at the centres of cells, rows from the top
 * @param size points a side, at least 4
 * @param scale colours
 * @param side pixels a side of the image
 * @returns [side, side, 4], as ImageData takes it; what is not finite, and what is within two points
 *   of it, is NON_FINITE_COLOR
 * @throws {ConfigError} if the count of values is not size²
 */
export function fieldPixels(
  values: ArrayLike<number>,
  size: number,
  scale: ColorScale,
  side: number,
): Uint8ClampedArray<ArrayBuffer> {
  checkGrid(values, size);
  const taps = cubicTaps(size, side, "centres");
  const rows = resampledRows(values, size, taps);
  const colors = scaleColors(scale);
  const [low, high] = scale.range;
  const factor = high > low ? (SHADES - 1) / (high - low) : 0;
  const offset = 0.5 - low * factor;
  const pixels = new Uint32Array(side * side);
  for (let i = 0, o = 0; i < side; i++) {
    const w = 4 * i;
    // The factor is in the weights: a place on the scale, not a value, comes out.
    const a = factor * taps.weights[w], b = factor * taps.weights[w + 1];
    const c = factor * taps.weights[w + 2], d = factor * taps.weights[w + 3];
    const first = taps.base[i] * side;
    for (let j = first; j < first + side; j++) {
      const place = offset + a * rows[j] + b * rows[j + side] + c * rows[j + 2 * side] +
        d * rows[j + 3 * side];
      pixels[o++] =
        colors[place > 0 ? place < SHADES ? place | 0 : SHADES - 1 : place <= 0 ? 0 : SHADES];
    }
  }
  return new Uint8ClampedArray(pixels.buffer);
}

/**
 * A potential without its mean: Φ is known up to a constant, so that two of them are compared, and
 * coloured around 0, after their means under one density are removed.
 *
 * @param potential any count of values
 * @param weight as many, at least 0, of any sum; null weighs all alike
 * @returns potential − Σ wΦ / Σ w; values that are not finite stay and do not count
 * @throws {ConfigError} if the counts differ
 */
export function centred(
  potential: ArrayLike<number>,
  weight: ArrayLike<number> | null,
): Float32Array {
  if (weight && weight.length !== potential.length) {
    throw new ConfigError(
      `${weight.length} weights for ${potential.length} values: give one a value`,
    );
  }
  let sum = 0, total = 0;
  for (let i = 0; i < potential.length; i++) {
    const w = weight ? weight[i] : 1;
    if (!Number.isFinite(potential[i]) || !(w > 0)) continue;
    sum += w * potential[i];
    total += w;
  }
  // A density that is 0 wherever there are values says nothing.
  if (total === 0 && weight) return centred(potential, null);
  const mean = total > 0 ? sum / total : 0;
  return Float32Array.from(potential, (value) => value - mean);
}

/**
 * The range of all but a few extreme values.
 *
 * @param values those that are not finite do not count
 * @param share of the values that may lie outside, on both sides together
 * @returns [0, 0] without any
 */
export function robustRange(values: ArrayLike<number>, share = 0.04): Range {
  const sorted = Float32Array.from(values).filter(Number.isFinite).sort();
  if (sorted.length === 0) return [0, 0];
  const cut = share / 2 * (sorted.length - 1);
  return [quantile(sorted, cut), quantile(sorted, sorted.length - 1 - cut)];
}

/** Between the two ranked values around a rank. */
function quantile(sorted: Float32Array, rank: number): number {
  const k = Math.min(Math.floor(rank), sorted.length - 1);
  const next = sorted[Math.min(k + 1, sorted.length - 1)];
  return sorted[k] + (rank - k) * (next - sorted[k]);
}

/** The smallest range around 0, equally far to both sides, that holds some ranges; never empty. */
export function symmetricRange(...ranges: readonly Range[]): Range {
  const reach = Math.max(...ranges.flat().map(Math.abs), 1e-12);
  return [-reach, reach];
}

/** How much wider than need be a range may stay, of the width that is needed. */
const SLACK = 0.25;

/**
 * The range of colours from frame to frame: that of before as long as it fits, and otherwise the
 * nearest to it that does. An end moves only when values would leave it, or would leave much of it
 * idle, so that small changes of the field do not make its colours flicker; it moves steadily.
 *
 * @param previous of the frame before; null at first
 * @param wanted what would be taken without a past
 */
export function steadyRange(previous: Range | null, wanted: Range): Range {
  if (!previous || !previous.every(Number.isFinite)) return wanted;
  const [low, high] = wanted;
  const slack = SLACK * (high - low) / (low < 0 && high > 0 ? 2 : 1);
  return [
    Math.min(low, Math.max(previous[0], low - slack)),
    Math.max(high, Math.min(previous[1], high + slack)),
  ];
}

/**
 * @file Colours for numbers. `magma` for quantities from nothing to much (densities): equal steps
 * look equally large, and it grows steadily lighter, so that it survives grey printing and the
 * common kinds of colour blindness. `coolWarm` for quantities around a middle (potentials).
 *
 * magma: table of 256 by Nathaniel Smith and Stéfan van der Walt, from
 * https://github.com/BIDS/colormap (mpl-colormaps), dedicated to the public domain under CC0 1.0.
 *
 * coolWarm: computed here after K. Moreland, "Diverging Color Maps for Scientific Visualization",
 * ISVC 2009 (https://doi.org/10.1007/978-3-642-10520-3_9), in his Msh space: the polar coordinates
 * of CIELAB, where M is the distance from black, s the saturation angle and h the hue.
 */
import { ConfigError } from "../errors.ts";
import type { Rgb } from "./rgb_image.ts";

/** A table of 256 colours, from the smallest number to the largest. */
export interface Colormap {
  /** How it is called. */
  readonly name: string;
  /** `[256, 3]`, red, green, blue. */
  readonly table: Uint8Array;
}

/** What a number that is NaN or infinite is shown as: magenta, which no colour map here contains. */
export const NON_FINITE_COLOR: Rgb = [255, 0, 255];

/** The white that sRGB is defined for: CIE D65. */
const WHITE = [0.95047, 1, 1.08883] as const;

const MAGMA_TABLE =
  "00000401000501010601010802010902020b02020d03030f03031204041405041606051806051a07061c08071e090720" +
  "0a08220b09240c09260d0a290e0b2b100b2d110c2f120d31130d34140e36150e38160f3b180f3d19103f1a10421c1044" +
  "1d11471e114920114b21114e22115024125325125527125829115a2a115c2c115f2d11612f1163311165331067341069" +
  "36106b38106c390f6e3b0f703d0f713f0f72400f74420f75440f764510774710784910784a10794c117a4e117b4f127b" +
  "51127c52137c54137d56147d57157e59157e5a167e5c167f5d177f5f187f601880621980641a80651a80671b80681c81" +
  "6a1c816b1d816d1d816e1e81701f81721f817320817521817621817822817922827b23827c23827e2482802582812581" +
  "8326818426818627818827818928818b29818c29818e2a81902a81912b81932b80942c80962c80982d80992d809b2e7f" +
  "9c2e7f9e2f7fa02f7fa1307ea3307ea5317ea6317da8327daa337dab337cad347cae347bb0357bb2357bb3367ab5367a" +
  "b73779b83779ba3878bc3978bd3977bf3a77c03a76c23b75c43c75c53c74c73d73c83e73ca3e72cc3f71cd4071cf4070" +
  "d0416fd2426fd3436ed5446dd6456cd8456cd9466bdb476adc4869de4968df4a68e04c67e24d66e34e65e44f64e55064" +
  "e75263e85362e95462ea5661eb5760ec5860ed5a5fee5b5eef5d5ef05f5ef1605df2625df2645cf3655cf4675cf4695c" +
  "f56b5cf66c5cf66e5cf7705cf7725cf8745cf8765cf9785df9795df97b5dfa7d5efa7f5efa815ffb835ffb8560fb8761" +
  "fc8961fc8a62fc8c63fc8e64fc9065fd9266fd9467fd9668fd9869fd9a6afd9b6bfe9d6cfe9f6dfea16efea36ffea571" +
  "fea772fea973feaa74feac76feae77feb078feb27afeb47bfeb67cfeb77efeb97ffebb81febd82febf84fec185fec287" +
  "fec488fec68afec88cfeca8dfecc8ffecd90fecf92fed194fed395fed597fed799fed89afdda9cfddc9efddea0fde0a1" +
  "fde2a3fde3a5fde5a7fde7a9fde9aafdebacfcecaefceeb0fcf0b2fcf2b4fcf4b6fcf6b8fcf7b9fcf9bbfcfbbdfcfdbf";

/** Black through purple and orange to pale yellow; perceptually uniform, for densities. */
export const magma: Colormap = {
  name: "magma",
  table: Uint8Array.from(MAGMA_TABLE.match(/../g) ?? [], (hex) => parseInt(hex, 16)),
};

/** Blue through light grey to red, equally light on both sides; for what has a middle. */
export const coolWarm: Colormap = { name: "coolWarm", table: divergingTable() };

/**
 * The colour maps by name, as the command line and a config call them: "magma" for quantities from
 * nothing to much, "coolWarm" for quantities around a middle.
 *
 * Source: magma by Smith and van der Walt (https://github.com/BIDS/colormap); coolWarm after
 * Moreland, "Diverging Color Maps for Scientific Visualization", 2009.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { colormaps } from "vapo";
 * const { table } = colormaps.magma; // red, green, blue, from the smallest number to the largest
 * assertEquals([...table.subarray(0, 3)], [0, 0, 4]);
 * assertEquals([...table.subarray(-3)], [252, 253, 191]);
 * ```
 */
export const colormaps: Readonly<Record<"magma" | "coolWarm", Colormap>> = { magma, coolWarm };

/**
 * The colour map read from its other end: light for little, dark for much.
 *
 * @param colormap any
 */
export function reversed(colormap: Colormap): Colormap {
  const table = new Uint8Array(768);
  for (let i = 0; i < 256; i++) table.set(colormap.table.subarray(i * 3, i * 3 + 3), 765 - i * 3);
  return { name: `${colormap.name}, reversed`, table };
}

/**
 * The first part of a colour map, stretched over the whole range: leaves its last colours free for
 * what is drawn on top.
 *
 * @param colormap any
 * @param fraction how much of it to keep, in 0..1
 */
export function shortened(colormap: Colormap, fraction: number): Colormap {
  const table = new Uint8Array(768);
  for (let i = 0; i < 256; i++) table.set(colorAt(colormap, i / 255 * fraction), i * 3);
  return { name: `${colormap.name}, the first ${fraction}`, table };
}

/**
 * The colour at a place of a colour map.
 *
 * @param colormap the table
 * @param fraction 0 for its first colour, 1 for its last; clamped; NaN is NON_FINITE_COLOR
 */
export function colorAt(colormap: Colormap, fraction: number): Rgb {
  if (Number.isNaN(fraction)) return NON_FINITE_COLOR;
  const i = 3 * Math.round(255 * Math.min(1, Math.max(0, fraction)));
  return [colormap.table[i], colormap.table[i + 1], colormap.table[i + 2]];
}

/** How numbers become colours. */
export interface ColorScaleOptions {
  /** Numbers of the first and the last colour; default: the smallest and largest finite one. */
  readonly range?: readonly [low: number, high: number];
  /** "log" takes logarithms first; what is not positive gets the first colour. */
  readonly scale?: "linear" | "log";
  /** The fraction between the ends is raised to this power; below 1 lifts small values (default 1). */
  readonly gamma?: number;
  /** Default magma. */
  readonly colormap?: Colormap;
}

/**
 * Colours for numbers.
 *
 * @param values any count n
 * @param options range, scale and colour map
 * @returns `[n, 3]` red, green, blue; NaN and infinities as NON_FINITE_COLOR
 * @throws {ConfigError} if the range is not two finite ascending numbers, is not positive on a log
 *   scale, or gamma is not positive
 * @example
 * ```ts
 * import { mapColors } from "vapo";
 * import { assertEquals } from "@std/assert";
 * const colors = mapColors([0, NaN, 5], { range: [0, 5] });
 * assertEquals(Array.from(colors.subarray(0, 3)), [0, 0, 4]); // the first colour of magma
 * assertEquals(Array.from(colors.subarray(3, 6)), [255, 0, 255]); // not a number
 * ```
 */
export function mapColors(values: ArrayLike<number>, options: ColorScaleOptions = {}): Uint8Array {
  const { colormap = magma } = options;
  const fraction = colorFraction(values, options);
  const colors = new Uint8Array(values.length * 3);
  for (let i = 0; i < values.length; i++) colors.set(colorAt(colormap, fraction(values[i])), i * 3);
  return colors;
}

/**
 * The function from a number to its place in 0..1 of a colour map, NaN for what is not finite.
 *
 * @param values what the range is taken from where the options give none
 * @throws {ConfigError} as mapColors
 */
export function colorFraction(
  values: ArrayLike<number>,
  options: ColorScaleOptions,
): (value: number) => number {
  const { scale = "linear", gamma = 1 } = options;
  const [low, high] = options.range ?? finiteRange(values, scale === "log");
  if (!Number.isFinite(low) || !Number.isFinite(high) || low > high) {
    throw new ConfigError(
      `colour range [${low}, ${high}]: give two finite numbers in ascending order`,
    );
  }
  if (scale === "log" && low <= 0) {
    throw new ConfigError(`colour range [${low}, ${high}] on a log scale: start it above 0`);
  }
  if (!(gamma > 0)) throw new ConfigError(`gamma ${gamma}: give a number above 0`);
  const place = scale === "log" ? Math.log : (v: number) => v;
  // Halved, so that the whole range of float64 has a width.
  const start = place(low) / 2;
  const width = place(high) / 2 - start;
  return (value) => {
    if (!Number.isFinite(value)) return NaN;
    if (scale === "log" && value <= 0) return 0;
    // A range of no width has but one colour to give, and the first is as good as any.
    const linear = width > 0 ? (place(value) / 2 - start) / width : value > high ? 1 : 0;
    return Math.min(1, Math.max(0, linear)) ** gamma;
  };
}

/** The smallest and largest finite (and, if asked, positive) value; [0, 1] or [1, 1] without any. */
export function finiteRange(values: ArrayLike<number>, positive = false): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (!Number.isFinite(v) || (positive && v <= 0)) continue;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low <= high ? [low, high] : [positive ? 1 : 0, 1];
}

/** Moreland's cool-warm table: his end colours, and white's M for the middle. */
function divergingTable(): Uint8Array {
  const cool = mshFromRgb([59, 76, 192]);
  const warm = mshFromRgb([180, 4, 38]);
  const middle = 88;
  const table = new Uint8Array(768);
  for (let i = 0; i < 256; i++) {
    const end = i < 128 ? cool : warm;
    // 1 at the end, 0 in the middle.
    const s = Math.abs(i - 127.5) / 127.5;
    const [m, saturation, hue] = end;
    const spun = adjustedHue(end, middle);
    const color: [number, number, number] = [
      middle + s * (m - middle),
      s * saturation,
      spun + s * (hue - spun),
    ];
    table.set(rgbFromMsh(color), i * 3);
  }
  return table;
}

/** The hue to start from at the unsaturated middle so that steps look equal (Moreland, fig. 6). */
function adjustedHue([m, s, h]: readonly number[], middle: number): number {
  if (m >= middle) return h;
  const spin = s * Math.sqrt(middle ** 2 - m ** 2) / (m * Math.sin(s));
  return h > -Math.PI / 3 ? h + spin : h - spin;
}

function mshFromRgb(rgb: Rgb): [number, number, number] {
  const [l, a, b] = cielabOf(rgb);
  const m = Math.hypot(l, a, b);
  return [m, Math.acos(l / m), Math.atan2(b, a)];
}

/**
 * A colour in CIELAB (white D65): lightness L* in 0..100, a* and b*.
 *
 * @param rgb sRGB, IEC 61966-2-1
 */
export function cielabOf(rgb: Rgb): [number, number, number] {
  const [r, g, b] = rgb.map((v) => {
    const c = v / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  const xyz = [
    0.4124564 * r + 0.3575761 * g + 0.1804375 * b,
    0.2126729 * r + 0.7151522 * g + 0.0721750 * b,
    0.0193339 * r + 0.1191920 * g + 0.9503041 * b,
  ];
  const [fx, fy, fz] = xyz.map((v, i) => {
    const w = v / WHITE[i];
    return w > 216 / 24389 ? Math.cbrt(w) : (24389 / 27 * w + 16) / 116;
  });
  return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)];
}

function rgbFromMsh([m, s, h]: readonly number[]): Rgb {
  const lightness = (m * Math.cos(s) + 16) / 116;
  const lab = [
    lightness + m * Math.sin(s) * Math.cos(h) / 500,
    lightness,
    lightness - m * Math.sin(s) * Math.sin(h) / 200,
  ];
  const [x, y, z] = lab.map((v, i) =>
    WHITE[i] * (v > 6 / 29 ? v ** 3 : (116 * v - 16) * 27 / 24389)
  );
  const linear = [
    3.2404542 * x - 1.5371385 * y - 0.4985314 * z,
    -0.9692660 * x + 1.8760108 * y + 0.0415560 * z,
    0.0556434 * x - 0.2040259 * y + 1.0572252 * z,
  ];
  const [r, g, b] = linear.map((c) => {
    const v = c <= 0.0031308 ? 12.92 * c : 1.055 * Math.max(0, c) ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(1, Math.max(0, v)));
  });
  return [r, g, b];
}

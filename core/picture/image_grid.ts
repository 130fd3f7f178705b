/**
 * @file Many small pictures in a grid: the samples of an image model side by side.
 */
import { ConfigError } from "../errors.ts";
import { NON_FINITE_COLOR } from "./colormap.ts";
import type { RgbImage } from "./rgb_image.ts";

/** What to lay out. */
export interface ImageGridOptions {
  /** `[n, h, w, c]` row-major, −1 black to 1 white; values beyond are clamped. */
  readonly images: ArrayLike<number>;
  /** How many pictures. */
  readonly n: number;
  /** Their height. */
  readonly h: number;
  /** Their width. */
  readonly w: number;
  /** 1 for grey, 3 for red, green, blue. */
  readonly c: number;
  /** Pictures in a row (default: as many as make the grid about square). */
  readonly columns?: number;
  /** Pixels along a side that one of a picture becomes (default: a grid of about 640 pixels). */
  readonly scale?: number;
  /** White pixels between neighbours (default 2). */
  readonly gap?: number;
}

/** Where the pictures of a grid lie, in pixels. */
export interface GridLayout {
  readonly columns: number;
  readonly rows: number;
  readonly scale: number;
  readonly gap: number;
  readonly width: number;
  readonly height: number;
}

/**
 * The layout of a grid: picture i begins at column (i mod columns)·(w·scale + gap) and row
 * ⌊i / columns⌋·(h·scale + gap).
 *
 * @throws {ConfigError} if a count is not a positive integer or the gap is negative
 */
export function gridLayout(options: Omit<ImageGridOptions, "images">): GridLayout {
  const { n, h, w } = options;
  const { columns = Math.ceil(Math.sqrt(n * h / w)), gap = 2 } = options;
  const { scale = Math.max(1, Math.round((640 + gap) / (columns * w))) } = options;
  for (const [name, count] of Object.entries({ n, h, w, columns, scale })) {
    if (!Number.isInteger(count) || count < 1) {
      throw new ConfigError(`image grid with ${name} = ${count}: give a positive whole number`);
    }
  }
  if (!Number.isInteger(gap) || gap < 0) {
    throw new ConfigError(`image grid with gap = ${gap}: give 0 or a positive whole number`);
  }
  const used = Math.min(columns, n);
  const rows = Math.ceil(n / used);
  return {
    columns: used,
    rows,
    scale,
    gap,
    width: used * (w * scale + gap) - gap,
    height: rows * (h * scale + gap) - gap,
  };
}

/**
 * Pictures in reading order on white, enlarged by whole factors without smoothing. A pixel with a
 * NaN or an infinity in any channel is shown in NON_FINITE_COLOR, magenta, so that a diverged
 * sampler is seen at once.
 *
 * @param options pictures, their shape, and the layout
 * @throws {ConfigError} as gridLayout, if c is neither 1 nor 3, or if there are not n·h·w·c values
 * @example
 * ```ts
 * import { imageGrid, pixelAt } from "vapo";
 * import { assertEquals } from "@std/assert";
 * // Two grey pictures of one pixel: black, then white.
 * const images = Float32Array.of(-1, 1);
 * const grid = imageGrid({ images, n: 2, h: 1, w: 1, c: 1, columns: 2, scale: 3, gap: 1 });
 * assertEquals([grid.width, grid.height], [7, 3]);
 * assertEquals(pixelAt(grid, 2, 0), [0, 0, 0]);
 * assertEquals(pixelAt(grid, 4, 0), [255, 255, 255]);
 * ```
 */
export function imageGrid(options: ImageGridOptions): RgbImage {
  const { images, n, h, w, c } = options;
  const layout = gridLayout(options);
  if (c !== 1 && c !== 3) {
    throw new ConfigError(`pictures of ${c} channels: give 1 (grey) or 3 (red, green, blue)`);
  }
  if (images.length !== n * h * w * c) {
    throw new ConfigError(
      `${images.length} values for ${n} pictures of ${h} × ${w} × ${c}: give ${n * h * w * c}`,
    );
  }
  const { columns, scale, gap, width, height } = layout;
  const data = new Uint8Array(width * height * 3).fill(255);
  const pixel = new Uint8Array(3);
  for (let i = 0; i < n; i++) {
    const left = (i % columns) * (w * scale + gap);
    const top = Math.floor(i / columns) * (h * scale + gap);
    for (let row = 0; row < h; row++) {
      for (let column = 0; column < w; column++) {
        pixelColor(images, ((i * h + row) * w + column) * c, c, pixel);
        for (let dy = 0; dy < scale; dy++) {
          const from = (top + row * scale + dy) * width + left + column * scale;
          for (let dx = 0; dx < scale; dx++) data.set(pixel, (from + dx) * 3);
        }
      }
    }
  }
  return { width, height, data };
}

/** Writes the colour of the c values from `offset` on into `pixel`. */
function pixelColor(images: ArrayLike<number>, offset: number, c: number, pixel: Uint8Array): void {
  for (let channel = 0; channel < 3; channel++) {
    const value = images[offset + (c === 1 ? 0 : channel)];
    if (!Number.isFinite(value)) {
      pixel.set(NON_FINITE_COLOR);
      return;
    }
    pixel[channel] = Math.round((Math.min(1, Math.max(-1, value)) + 1) * 127.5);
  }
}

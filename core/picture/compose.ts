/**
 * @file Pictures put together into one: in a row, in a column, with a caption, with a margin. A
 * figure is made of these, one inside the other.
 */
import { ConfigError } from "../errors.ts";
import { requireWhole } from "../whole_number.ts";
import { createCanvas, drawText, imageOf } from "./canvas.ts";
import type { Rgb, RgbImage } from "./rgb_image.ts";
import { textWidth } from "./stroke_font.ts";

const WHITE: Rgb = [255, 255, 255];
const INK: Rgb = [38, 38, 42];

/** How pictures stand beside or below each other. */
export interface ArrangementOptions {
  /** Pixels between neighbours (default 16). */
  readonly gap?: number;
  /** Where a smaller picture stands across the direction of the arrangement (default "start"). */
  readonly align?: "start" | "middle" | "end";
  /** The colour of what no picture covers (default white). */
  readonly background?: Rgb;
}

/**
 * Pictures side by side, from left to right.
 *
 * @param images at least one, of any sizes
 * @param options gap, alignment ("start" is the top) and background
 * @throws {ConfigError} without a picture, or if the gap is not a whole number from 0 on
 * @example
 * ```ts
 * import { picturesInRow, pixelAt } from "vapo";
 * import { assertEquals } from "@std/assert";
 * const red = { width: 1, height: 1, data: Uint8Array.of(255, 0, 0) };
 * const row = picturesInRow([red, red], { gap: 1 });
 * assertEquals([row.width, row.height], [3, 1]);
 * assertEquals([pixelAt(row, 1, 0), pixelAt(row, 2, 0)], [[255, 255, 255], [255, 0, 0]]);
 * ```
 */
export function picturesInRow(
  images: readonly RgbImage[],
  options: ArrangementOptions = {},
): RgbImage {
  const { gap, offset } = arrangement(images, options);
  const height = Math.max(...images.map((image) => image.height));
  const placed: Placed[] = [];
  let left = 0;
  for (const image of images) {
    placed.push({ image, left, top: offset(height - image.height) });
    left += image.width + gap;
  }
  return paste(left - gap, height, placed, options.background);
}

/**
 * Pictures below each other, from the top down.
 *
 * @param images at least one, of any sizes
 * @param options gap, alignment ("start" is the left) and background
 * @throws {ConfigError} without a picture, or if the gap is not a whole number from 0 on
 * @example
 * ```ts
 * import { picturesInColumn } from "vapo";
 * import { assertEquals } from "@std/assert";
 * const dot = { width: 1, height: 1, data: Uint8Array.of(255, 0, 0) };
 * const column = picturesInColumn([dot, dot, dot], { gap: 2 });
 * assertEquals([column.width, column.height], [1, 7]);
 * ```
 */
export function picturesInColumn(
  images: readonly RgbImage[],
  options: ArrangementOptions = {},
): RgbImage {
  const { gap, offset } = arrangement(images, options);
  const width = Math.max(...images.map((image) => image.width));
  const placed: Placed[] = [];
  let top = 0;
  for (const image of images) {
    placed.push({ image, left: offset(width - image.width), top });
    top += image.height + gap;
  }
  return paste(width, top - gap, placed, options.background);
}

/**
 * A picture with a margin around it.
 *
 * @param image the picture
 * @param margin pixels on each side, a whole number from 0 on
 * @param background the margin's colour (default white)
 * @throws {ConfigError} for another margin
 * @example
 * ```ts
 * import { withMargin } from "vapo";
 * import { assertEquals } from "@std/assert";
 * const dot = { width: 1, height: 1, data: Uint8Array.of(255, 0, 0) };
 * assertEquals(withMargin(dot, 3).width, 7);
 * ```
 */
export function withMargin(image: RgbImage, margin: number, background?: Rgb): RgbImage {
  requireWhole("margin", margin, 0);
  const place = { image, left: margin, top: margin };
  return paste(image.width + 2 * margin, image.height + 2 * margin, [place], background);
}

/** What a caption looks like. */
export interface CaptionOptions {
  /** Height of its capitals in pixels (default 11). */
  readonly capitalHeight?: number;
  /** Its colour (default dark grey). */
  readonly color?: Rgb;
  /** Behind it (default white). */
  readonly background?: Rgb;
}

/**
 * A picture under its caption, lines in the middle above it; a caption that is wider than the
 * picture widens the result.
 *
 * @param image the picture
 * @param lines the caption
 * @param options size and colours
 * @throws {ConfigError} if the height of the capitals is not a positive number
 * @example
 * ```ts
 * import { withCaption } from "vapo";
 * import { assert, assertEquals } from "@std/assert";
 * const image = { width: 80, height: 10, data: new Uint8Array(80 * 10 * 3) };
 * const captioned = withCaption(image, ["digits"]);
 * assertEquals(captioned.width, 80);
 * assert(captioned.height > 10);
 * ```
 */
export function withCaption(
  image: RgbImage,
  lines: readonly string[],
  options: CaptionOptions = {},
): RgbImage {
  const { capitalHeight = 11, color = INK, background = WHITE } = options;
  if (!(capitalHeight > 0 && capitalHeight < 1000)) {
    throw new ConfigError(`a caption with capitals of ${capitalHeight} pixels: give 1 to 999`);
  }
  const lineHeight = Math.round(1.9 * capitalHeight);
  const widest = Math.max(0, ...lines.map((line) => textWidth(line, capitalHeight)));
  const width = Math.max(image.width, Math.ceil(widest + capitalHeight / 2));
  const height = lineHeight * lines.length;
  const canvas = createCanvas(width, height + image.height, background);
  lines.forEach((line, i) => {
    const baseline = lineHeight * i + 1.25 * capitalHeight;
    drawText(canvas, line, width / 2, baseline, { capitalHeight, color, align: "middle" });
  });
  const picture = imageOf(canvas);
  copyInto(picture, { image, left: Math.floor((width - image.width) / 2), top: height });
  return picture;
}

interface Placed {
  readonly image: RgbImage;
  readonly left: number;
  readonly top: number;
}

function arrangement(images: readonly RgbImage[], { gap = 16, align }: ArrangementOptions) {
  if (images.length === 0) throw new ConfigError("no pictures to arrange: give at least one");
  requireWhole("gap", gap, 0);
  const share = align === "end" ? 1 : align === "middle" ? 0.5 : 0;
  return { gap, offset: (room: number) => Math.floor(share * room) };
}

function paste(
  width: number,
  height: number,
  placed: readonly Placed[],
  background: Rgb = WHITE,
): RgbImage {
  const picture = imageOf(createCanvas(width, height, background));
  for (const place of placed) copyInto(picture, place);
  return picture;
}

/** Copies a picture that lies inside another into its place there. */
function copyInto(picture: RgbImage, { image, left, top }: Placed): void {
  for (let row = 0; row < image.height; row++) {
    const line = image.data.subarray(row * image.width * 3, (row + 1) * image.width * 3);
    picture.data.set(line, ((top + row) * picture.width + left) * 3);
  }
}

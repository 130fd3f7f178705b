/**
 * @file The pictures that everything in core/picture returns, and their way into a PNG file
 * (ISO/IEC 15948, written by fast-png, whose code runs in Deno and in a browser alike).
 */
import { encode } from "fast-png";
import { ConfigError } from "../errors.ts";

/** One colour: red, green, blue in 0..255 (sRGB). */
export type Rgb = readonly [red: number, green: number, blue: number];

/** A colour picture of 8 bits a channel. */
export interface RgbImage {
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  /** Three channels a pixel; absent means 3, so that it can be left out. */
  readonly channels?: 3;
  /** `[height, width, 3]` row-major, row 0 at the top. */
  readonly data: Uint8Array;
}

/** A grey picture of 8 bits a pixel. */
export interface GreyImage {
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  /** What tells it from a colour picture. */
  readonly channels: 1;
  /** `[height, width]` row-major, row 0 at the top. */
  readonly data: Uint8Array;
}

/**
 * The bytes of a PNG file (ISO/IEC 15948) with the picture.
 *
 * @param image colour, or grey where `channels` is 1
 * @throws {ConfigError} if a side is not a positive integer or the data has another length
 * @example
 * ```ts
 * import { encodePng } from "vapo";
 * import { assertEquals } from "@std/assert";
 * const red = encodePng({ width: 1, height: 1, data: new Uint8Array([255, 0, 0]) });
 * assertEquals(Array.from(red.subarray(1, 4)), [0x50, 0x4e, 0x47]); // "PNG"
 * ```
 */
export function encodePng(image: RgbImage | GreyImage): Uint8Array {
  const { width, height, data } = image;
  const channels = image.channels ?? 3;
  for (const side of [width, height]) {
    if (!Number.isInteger(side) || side < 1) {
      throw new ConfigError(
        `a picture of ${width} × ${height} pixels: give each side a positive integer`,
      );
    }
  }
  if (data.length !== width * height * channels) {
    throw new ConfigError(
      `a picture of ${width} × ${height} × ${channels} has ${data.length} values: ` +
        `give ${width * height * channels}`,
    );
  }
  return encode({ width, height, channels, depth: 8, data }, { zlib: { level: 6 } });
}

/**
 * One pixel of a picture.
 *
 * @param image the picture
 * @param column counted from the left, from 0; a place outside is not an error, and no colour
 * @param row counted from the top, from 0
 * @example
 * ```ts
 * import { pixelAt } from "vapo";
 * import { assertEquals } from "@std/assert";
 * const image = { width: 2, height: 1, data: Uint8Array.of(0, 0, 0, 255, 128, 0) };
 * assertEquals(pixelAt(image, 1, 0), [255, 128, 0]);
 * ```
 */
export function pixelAt(image: RgbImage, column: number, row: number): Rgb {
  const i = (row * image.width + column) * 3;
  return [image.data[i], image.data[i + 1], image.data[i + 2]];
}

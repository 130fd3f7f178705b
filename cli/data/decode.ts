/**
 * @file Photographs as squares of bytes: decoded, turned as EXIF says, cut to the square in the
 * middle and resized once, by libvips through `sharp`.
 *
 * The values in the file are taken as sRGB, whatever colour profile comes with them, as the
 * libraries do that other people's preprocessing uses. Resizing is by a Lanczos kernel of three
 * lobes, as wide as the reduction needs (C. E. Duchon, "Lanczos Filtering in One and Two
 * Dimensions", 1979), without a conversion to linear light; from a reduction by four on, libvips
 * averages whole blocks first.
 */
import type { Metadata, Sharp, SharpOptions } from "sharp";
import { FormatError } from "../../core/errors.ts";

/** Which square is wanted. */
export interface Square {
  /** Its side. */
  readonly size: number;
  /** What the whole image has to measure, where that is known. */
  readonly dimensions?: { readonly width: number; readonly height: number };
}

/** Decodes images to squares. */
export interface SquareDecoder {
  /** The libraries that the bytes are a function of, with their versions. */
  readonly versions: string;
  /**
   * An image's middle square at a size, [size, size, 3].
   *
   * @param bytes a PNG, JPEG or WebP file
   * @param name how it is called in messages
   * @throws {FormatError} where it is damaged, of another format, or not of the size it should be
   */
  square(bytes: Uint8Array, name: string, square: Square): Promise<Uint8Array>;
}

/** How a square is made, in words; in the index, two sets are compared by it. */
export const squareRecipe = {
  crop: "the square in the middle, rounded up and left",
  resize: "lanczos3, antialiased, in sRGB values",
  colour: "grey as RGB, transparent over black, 16 bit to 8, profiles ignored, EXIF orientation",
} as const;

const options: SharpOptions = {
  // Anything less takes a damaged JPEG and fills the rest with grey.
  failOn: "warning",
  autoOrient: true,
  ignoreIcc: true,
};

/** Loads `sharp`, which only the preparation of image files needs. */
export async function squareDecoder(): Promise<SquareDecoder> {
  const { default: sharp } = await import("sharp");
  // Many images at once, each on one thread; no image is seen twice.
  sharp.concurrency(1);
  sharp.cache(false);
  const { together, alone } = turns();
  const decode = async (bytes: Uint8Array, square: Square) => {
    const image = sharp(bytes, options);
    return await toSquare(image, await image.metadata(), square);
  };
  return {
    versions: `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}`,
    async square(bytes, name, square) {
      requireKnownFormat(bytes, name);
      try {
        return await together(() => decode(bytes, square));
      } catch (error) {
        if (error instanceof FormatError) throw refused(name, error);
        // libvips has one place for the reasons of all threads: to know this one's, it is alone.
        return await alone(() => decode(bytes, square)).catch((error) => {
          throw refused(name, error);
        });
      }
    },
  };
}

/** Work that may be done together, and work that is done while nothing else is under way. */
function turns() {
  const underWay = new Set<Promise<unknown>>();
  let closed: Promise<void> | undefined;
  const together = async <T>(work: () => Promise<T>): Promise<T> => {
    while (closed) await closed;
    const result = work();
    const settled = result.catch(() => {}).finally(() => underWay.delete(settled));
    underWay.add(settled);
    return await result;
  };
  const alone = async <T>(work: () => Promise<T>): Promise<T> => {
    while (closed) await closed;
    const { promise, resolve } = Promise.withResolvers<void>();
    closed = promise;
    await Promise.all(underWay);
    try {
      return await work();
    } finally {
      closed = undefined;
      resolve();
    }
  };
  return { together, alone };
}

async function toSquare(
  image: Sharp,
  { autoOrient: { width, height } }: Metadata,
  { size, dimensions }: Square,
): Promise<Uint8Array> {
  if (dimensions && (width !== dimensions.width || height !== dimensions.height)) {
    throw new FormatError(
      `it is ${width}×${height}, not ${dimensions.width}×${dimensions.height}`,
    );
  }
  const side = Math.min(width, height);
  if (side < size) {
    throw new FormatError(`it is ${width}×${height}, smaller than ${size}×${size}`);
  }
  const left = Math.floor((width - side) / 2), top = Math.floor((height - side) / 2);
  const { data, info } = await image
    .extract({ left, top, width: side, height: side })
    .flatten({ background: "#000000" })
    .resize(size, size, { kernel: "lanczos3", fit: "fill", fastShrinkOnLoad: false })
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  if (data.length !== size * size * 3) {
    throw new FormatError(`it has ${info.channels} channels once decoded, not 3`);
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.length);
}

/** libvips would take an SVG or a PDF for an image too, whatever the file's name. */
function requireKnownFormat(bytes: Uint8Array, name: string): void {
  const begins = (offset: number, ...values: number[]) =>
    values.every((value, i) => bytes[offset + i] === value);
  const isPng = begins(0, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  const isJpeg = begins(0, 0xff, 0xd8, 0xff);
  const isWebp = begins(0, 0x52, 0x49, 0x46, 0x46) && begins(8, 0x57, 0x45, 0x42, 0x50);
  if (isPng || isJpeg || isWebp) return;
  const found = bytes.length === 0
    ? "the file is empty"
    : `it begins with bytes ${bytes.subarray(0, 8).join(" ")}, unlike any PNG, JPEG or WebP`;
  throw refused(name, found);
}

/** An image that cannot be taken, with the first line of what libvips says. */
function refused(name: string, cause: unknown): FormatError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const lines = text.split("\n").map((line) => line.replace(/^\w+: /, "").trim());
  const reason = lines.find((line) => line !== "") ?? "it is damaged";
  return new FormatError(`image ${name} cannot be taken: ${reason}`, { cause });
}

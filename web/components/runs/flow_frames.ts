/**
 * @file Flows from noise to samples as they come from the server, [frames, n, …sampleShape]: what is
 * seen at a time between two frames, as pixels of a grid of images or as points of the plane.
 */
import { FormatError } from "../../../core/errors.ts";
import { decodeNpy } from "../../../core/formats/npy.ts";
import { frameAt } from "../../pictures/particles.ts";

/** Samples on their way, at a row of times. */
export interface FlowFrames {
  readonly n: number;
  /** [2], or [height, width, channels]. */
  readonly sampleShape: readonly number[];
  /** [frames], ascending from 0. */
  readonly times: Float64Array;
  /** [frames, n, …sampleShape] row by row; images from −1 black to 1 white. */
  readonly values: Float32Array;
}

/** A picture, four bytes a pixel. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

/**
 * Reads the server's answer.
 *
 * @param bytes a .npy file of float32, [frames, n, …sampleShape]
 * @param times the header x-vapo-times, JSON numbers, one a frame
 * @throws {FormatError} where they do not fit each other
 */
export function readFlow(bytes: Uint8Array, times: string | null): FlowFrames {
  const { dtype, shape, data } = decodeNpy(bytes, "The flow");
  const [frames, n, ...sampleShape] = shape;
  const isSample = sampleShape.length === 1 && sampleShape[0] === 2 ||
    sampleShape.length === 3 && (sampleShape[2] === 1 || sampleShape[2] === 3);
  if (dtype !== "float32" || !isSample || frames < 1 || n < 1) {
    throw new FormatError(
      `The flow is ${dtype} [${shape}]; expected float32 [frames, n, 2] or ` +
        "[frames, n, height, width, 1 or 3]: start the server again",
    );
  }
  const instants = readTimes(times);
  if (instants.length !== frames || instants.some((u, i) => i > 0 && !(u > instants[i - 1]))) {
    throw new FormatError(
      `The flow has ${frames} frames at ${instants.length} times; expected as many, ascending: ` +
        "start the server again",
    );
  }
  return { n, sampleShape, times: Float64Array.from(instants), values: data };
}

function readTimes(text: string | null): number[] {
  try {
    const value: unknown = JSON.parse(text ?? "");
    if (Array.isArray(value) && value.every((u) => Number.isFinite(u))) return value;
  } catch {
    // As below.
  }
  throw new FormatError(
    `The flow came with the times ${
      JSON.stringify((text ?? "none").slice(0, 40))
    }; expected JSON ` +
      "numbers in x-vapo-times: start the server again",
  );
}

/** Where the flow ends. */
export function flowEnd({ times }: FlowFrames): number {
  return times[times.length - 1];
}

/**
 * All samples at a time, linear between two frames.
 *
 * @returns [n, …sampleShape] row by row
 */
export function samplesAt(flow: FlowFrames, u: number): Float32Array {
  const { times, values } = flow;
  const size = values.length / times.length;
  const { frame, share } = frameAt(times, u);
  const from = values.subarray(frame * size, (frame + 1) * size);
  if (share === 0) return from;
  const to = values.subarray((frame + 1) * size, (frame + 2) * size);
  return share === 1 ? to : from.map((value, i) => value + share * (to[i] - value));
}

/** How many columns a grid of n images takes: as square as can be. */
export function gridColumns(n: number): number {
  return Math.ceil(Math.sqrt(n));
}

/**
 * Images as the pixels of a grid, one pixel each; the gap between them is transparent.
 *
 * @param values [n, height, width, channels], −1 black to 1 white, clamped; what is not finite is
 * magenta, as in the pictures of the command line
 */
export function imagePixels(
  values: Float32Array,
  n: number,
  [height, width, channels]: readonly number[],
  gap = 1,
): Pixels {
  const columns = gridColumns(n), rows = Math.ceil(n / columns);
  const gridWidth = columns * (width + gap) - gap, gridHeight = rows * (height + gap) - gap;
  const data = new Uint8ClampedArray(4 * gridWidth * gridHeight);
  for (let image = 0; image < n; image++) {
    const left = image % columns * (width + gap),
      top = Math.floor(image / columns) * (height + gap);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = ((image * height + y) * width + x) * channels;
        setPixel(data, 4 * ((top + y) * gridWidth + left + x), values, from, channels);
      }
    }
  }
  return { width: gridWidth, height: gridHeight, data };
}

function setPixel(
  data: Uint8ClampedArray,
  at: number,
  values: Float32Array,
  from: number,
  channels: number,
): void {
  let finite = true;
  for (let channel = 0; channel < 3; channel++) {
    const value = values[from + (channels === 1 ? 0 : channel)];
    finite &&= Number.isFinite(value);
    data[at + channel] = Math.round((Math.min(1, Math.max(-1, value)) + 1) * 127.5);
  }
  if (!finite) data.set([255, 0, 255], at);
  data[at + 3] = 255;
}

/** A square about 0 that holds all but the farthest thousandth of the coordinates of a flow's points. */
export function flowExtent({ values }: FlowFrames): number {
  const sizes = values.filter(Number.isFinite).map(Math.abs).sort();
  const edge = sizes[Math.floor(0.999 * (sizes.length - 1))] ?? 1;
  return Math.max(1, Math.ceil(edge * 1.08 * 2) / 2);
}

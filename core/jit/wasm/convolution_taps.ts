/**
 * @file Which pixels a convolution or its input's gradient gathers for a result, in one form for
 * both. With strides, pixels of the gradient fall into classes by their remainders, each of which
 * sees only every so many-th tap of the filter; within a class all taps are neighbours in the source.
 */
import type { ConvolutionGeometry } from "../kernels.ts";

/** An image's sizes. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Taps along one axis of one class. */
interface AxisClass {
  /** The first result of the class. */
  readonly first: number;
  /** How many results there are. */
  readonly count: number;
  /** Where the first tap of result 0 reads. */
  readonly origin: number;
  /** Indices into the filter, in the order of the pixels they meet. */
  readonly taps: readonly number[];
}

/** Results that see the same taps. */
export interface TapClass {
  readonly row: AxisClass;
  readonly column: AxisClass;
}

/**
 * Result (first + step·q) of a class gathers the source at (origin + multiplier·q + t) for its tap
 * number t, along both axes.
 */
export interface Gathering {
  readonly batch: number;
  readonly source: ImageSize;
  readonly target: ImageSize;
  readonly multiplier: readonly [number, number];
  readonly step: readonly [number, number];
  readonly classes: readonly TapClass[];
}

/** What a convolution, or the gradient of its input, gathers. */
export function gatheringOf(
  form: "forward" | "inputGradient",
  g: ConvolutionGeometry,
): Gathering {
  const input = { height: g.inputHeight, width: g.inputWidth, channels: g.inputChannels };
  const output = { height: g.outputHeight, width: g.outputWidth, channels: g.outputChannels };
  const strides = [g.strideHeight, g.strideWidth] as const;
  if (form === "forward") {
    const axis = (count: number, filter: number, pad: number): AxisClass => ({
      ...{ first: 0, count, origin: -pad },
      taps: Array.from({ length: filter }, (_, t) => t),
    });
    return {
      ...{ batch: g.batch, source: input, target: output, multiplier: strides, step: [1, 1] },
      classes: [{
        row: axis(g.outputHeight, g.filterHeight, g.padTop),
        column: axis(g.outputWidth, g.filterWidth, g.padLeft),
      }],
    };
  }
  const rows = gradientClasses(g.inputHeight, g.filterHeight, g.strideHeight, g.padTop);
  const columns = gradientClasses(g.inputWidth, g.filterWidth, g.strideWidth, g.padLeft);
  return {
    ...{ batch: g.batch, source: output, target: input, multiplier: [1, 1], step: strides },
    classes: rows.flatMap((row) => columns.map((column) => ({ row, column }))),
  };
}

/** Input pixel y gets from tap i what output pixel (y + pad − i)/stride holds, if that is whole. */
function gradientClasses(
  extent: number,
  filter: number,
  stride: number,
  pad: number,
): AxisClass[] {
  return Array.from({ length: Math.min(stride, extent) }, (_, first) => {
    const taps: number[] = [];
    // The largest tap meets the first pixel.
    for (let i = filter - 1; i >= 0; i--) if ((first + pad - i) % stride === 0) taps.push(i);
    return {
      ...{ first, taps, count: Math.ceil((extent - first) / stride) },
      origin: taps.length ? (first + pad - taps[0]) / stride : 0,
    };
  });
}

/** Terms of a sum that makes one result of a class. */
export function termsOf(gathering: Gathering, { row, column }: TapClass): number {
  return row.taps.length * column.taps.length * gathering.source.channels;
}

/**
 * @file Convolutions and their gradients in WGSL, as products with an implicit left operand: that of
 * the forward convolution has a row a pixel of the output and a column a tap and input channel, the
 * input gradient's a row a pixel of the input and a column a tap and output channel, the filter
 * gradient's a row a tap and input channel and a column a pixel of the output.
 */
import type { ConvolutionGeometry, Kernel } from "../kernels.ts";
import {
  destinationOf,
  type OperandSource,
  productDispatches,
  type ProductShape,
} from "./product.ts";
import { type Addresses, type Dispatch, load } from "./shader.ts";

type Convolution = Extract<Kernel, { kind: "convolution" }>;

/** The shape of a convolution kernel as a product. */
export function convolutionShape({ form, geometry }: Convolution): ProductShape {
  const { batch, inputChannels, outputChannels } = geometry;
  const taps = geometry.filterHeight * geometry.filterWidth;
  const inputs = batch * geometry.inputHeight * geometry.inputWidth;
  const outputs = batch * geometry.outputHeight * geometry.outputWidth;
  switch (form) {
    case "forward":
      return { batch: 1, rows: outputs, columns: outputChannels, length: taps * inputChannels };
    case "inputGradient":
      return { batch: 1, rows: inputs, columns: inputChannels, length: taps * outputChannels };
    case "filterGradient":
      return { batch: 1, rows: taps * inputChannels, columns: outputChannels, length: outputs };
  }
}

/** The dispatches of a convolution kernel. */
export function convolutionDispatches(
  kernel: Convolution,
  addresses: Addresses,
  scratch: number,
  label: string,
): Dispatch[] {
  const { form, geometry } = kernel;
  const left = addresses(kernel.left), right = addresses(kernel.right);
  const sources = {
    forward: { left: patches, right: rowMajor(geometry.outputChannels) },
    inputGradient: { left: gradientPatches, right: turnedFilter },
    filterGradient: { left: transposedPatches, right: rowMajor(geometry.outputChannels) },
  }[form];
  return productDispatches(
    convolutionShape(kernel),
    {
      left: (shader) => sources.left(shader.parameter(left), geometry),
      right: (shader) => sources.right(shader.parameter(right), geometry),
    },
    destinationOf(kernel, addresses),
    scratch,
    label,
  );
}

/** A contiguous right operand [length, columns]. */
const rowMajor = (columns: number) => (base: string): OperandSource => ({
  contiguous: "outer",
  outer: (index, suffix) => [`let column${suffix} = ${base} + i32(${index});`],
  inner: (index, suffix) => [`let start${suffix} = i32(${index}) * ${columns}i;`],
  value: (outer, inner) => load(`column${outer} + start${inner}`, "float32"),
});

/** Statements that take an index [count, height, width] apart. */
function pixelLines(index: string, height: number, width: number, suffix: string): string[] {
  return [
    `let pixel${suffix} = ${index};`,
    `let pixelRow${suffix} = pixel${suffix} / ${width}u;`,
    `let pixelX${suffix} = i32(pixel${suffix} % ${width}u);`,
    `let pixelY${suffix} = i32(pixelRow${suffix} % ${height}u);`,
    `let image${suffix} = i32(pixelRow${suffix} / ${height}u);`,
  ];
}

/** Statements that take an index [filterHeight, filterWidth, channels] apart. */
function tapLines(
  index: string,
  { filterWidth }: ConvolutionGeometry,
  channels: number,
  suffix: string,
): string[] {
  return [
    `let tap${suffix} = (${index}) / ${channels}u;`,
    `let channel${suffix} = i32((${index}) % ${channels}u);`,
    `let tapX${suffix} = i32(tap${suffix} % ${filterWidth}u);`,
    `let tapY${suffix} = i32(tap${suffix} / ${filterWidth}u);`,
  ];
}

/** A condition that holds inside an image; `&` does not branch. */
function inside(y: string, x: string, height: number, width: number): string {
  return `(u32(${y}) < ${height}u) & (u32(${x}) < ${width}u)`;
}

/** Whether every tap of every output pixel falls inside the input. */
function isUnpadded(geometry: ConvolutionGeometry): boolean {
  const { padTop, padLeft, strideHeight, strideWidth } = geometry;
  const lastY = (geometry.outputHeight - 1) * strideHeight + geometry.filterHeight - 1 - padTop;
  const lastX = (geometry.outputWidth - 1) * strideWidth + geometry.filterWidth - 1 - padLeft;
  return padTop <= 0 && padLeft <= 0 && lastY < geometry.inputHeight && lastX < geometry.inputWidth;
}

/** The input at an output pixel and a tap, each known by its suffix. */
function patchValue(base: string, geometry: ConvolutionGeometry) {
  const { inputHeight, inputWidth, inputChannels } = geometry;
  const unpadded = isUnpadded(geometry);
  return {
    pixel: (index: string, suffix: string) => [
      ...pixelLines(index, geometry.outputHeight, geometry.outputWidth, suffix),
      `let originY${suffix} = pixelY${suffix} * ${geometry.strideHeight}i - ${geometry.padTop}i;`,
      `let originX${suffix} = pixelX${suffix} * ${geometry.strideWidth}i - ${geometry.padLeft}i;`,
      `let origin${suffix} = ${base} + ((image${suffix} * ${inputHeight}i + originY${suffix}) * ` +
      `${inputWidth}i + originX${suffix}) * ${inputChannels}i;`,
    ],
    tap: (index: string, suffix: string) => [
      ...tapLines(index, geometry, inputChannels, suffix),
      `let shift${suffix} = (tapY${suffix} * ${inputWidth}i + tapX${suffix}) * ` +
      `${inputChannels}i + channel${suffix};`,
    ],
    value(pixel: string, tap: string) {
      const value = load(`origin${pixel} + shift${tap}`, "float32");
      if (unpadded) return value;
      const y = `originY${pixel} + tapY${tap}`, x = `originX${pixel} + tapX${tap}`;
      return `select(0.0f, ${value}, ${inside(y, x, inputHeight, inputWidth)})`;
    },
  };
}

/** x as [output pixels, taps · input channels]. */
function patches(base: string, geometry: ConvolutionGeometry): OperandSource {
  const { pixel, tap, value } = patchValue(base, geometry);
  return { contiguous: "inner", outer: pixel, inner: tap, value };
}

/** x as [taps · input channels, output pixels]. */
function transposedPatches(base: string, geometry: ConvolutionGeometry): OperandSource {
  const { pixel, tap, value } = patchValue(base, geometry);
  return {
    contiguous: "outer",
    outer: tap,
    inner: pixel,
    value: (outer, inner) => value(inner, outer),
  };
}

/** dy as [input pixels, taps · output channels]: where a tap of an output pixel meets the input's. */
function gradientPatches(base: string, geometry: ConvolutionGeometry): OperandSource {
  const { outputHeight, outputWidth, outputChannels, strideHeight, strideWidth } = geometry;
  return {
    contiguous: "inner",
    outer: (index, suffix) => [
      ...pixelLines(index, geometry.inputHeight, geometry.inputWidth, suffix),
      `let originY${suffix} = pixelY${suffix} + ${geometry.padTop}i;`,
      `let originX${suffix} = pixelX${suffix} + ${geometry.padLeft}i;`,
      `let origin${suffix} = image${suffix} * ${outputHeight}i;`,
    ],
    inner: (index, suffix) => [
      ...tapLines(index, geometry, outputChannels, suffix),
      `let shift${suffix} = ${base} + channel${suffix};`,
    ],
    value(pixel, tap) {
      // In u32, in which what is negative is large. Where the stride leaves a rest, no output is.
      const y = strided(`u32(originY${pixel} - tapY${tap})`, strideHeight, outputHeight);
      const x = strided(`u32(originX${pixel} - tapX${tap})`, strideWidth, outputWidth);
      const cell = `shift${tap} + ((origin${pixel} + i32(${y.index})) * ${outputWidth}i + ` +
        `i32(${x.index})) * ${outputChannels}i`;
      return `select(0.0f, ${load(cell, "float32")}, ${y.condition} & ${x.condition})`;
    },
  };
}

/** A position on the input's side as an index into the output, and when there is such a one. */
function strided(position: string, stride: number, extent: number) {
  if (stride === 1) return { index: position, condition: `(${position} < ${extent}u)` };
  const index = `(${position} / ${stride}u)`;
  const condition = `(${position} % ${stride}u == 0u) & (${index} < ${extent}u)`;
  return { index, condition };
}

/** The filter as [taps · output channels, input channels]. */
function turnedFilter(base: string, geometry: ConvolutionGeometry): OperandSource {
  const { inputChannels, outputChannels } = geometry;
  return {
    contiguous: "inner",
    outer: (
      index,
      suffix,
    ) => [`let column${suffix} = ${base} + i32(${index}) * ${outputChannels}i;`],
    inner: (index, suffix) => [
      ...tapLines(index, geometry, outputChannels, suffix),
      `let shift${suffix} = i32(tap${suffix}) * ${
        inputChannels * outputChannels
      }i + channel${suffix};`,
    ],
    value: (outer, inner) => load(`column${outer} + shift${inner}`, "float32"),
  };
}

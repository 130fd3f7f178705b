/** @file Convolutions and their gradients as sums written out, in double precision. */
import type { ConvolutionGeometry } from "../../../../core/jit/kernels.ts";

/** Calls back with cell numbers of input, filter and output that belong together. */
function eachTerm(
  g: ConvolutionGeometry,
  term: (input: number, filter: number, output: number) => void,
): void {
  const { inputChannels: c, outputChannels: o } = g;
  for (let n = 0; n < g.batch; n++) {
    for (let y = 0; y < g.outputHeight; y++) {
      for (let x = 0; x < g.outputWidth; x++) {
        for (let i = 0; i < g.filterHeight; i++) {
          const row = y * g.strideHeight + i - g.padTop;
          if (row < 0 || row >= g.inputHeight) continue;
          for (let j = 0; j < g.filterWidth; j++) {
            const column = x * g.strideWidth + j - g.padLeft;
            if (column < 0 || column >= g.inputWidth) continue;
            const input = ((n * g.inputHeight + row) * g.inputWidth + column) * c;
            const filter = (i * g.filterWidth + j) * c * o;
            const output = ((n * g.outputHeight + y) * g.outputWidth + x) * o;
            for (let k = 0; k < c; k++) {
              for (let l = 0; l < o; l++) term(input + k, filter + k * o + l, output + l);
            }
          }
        }
      }
    }
  }
}

/** Output pixels times output channels. */
export function outputSize(g: ConvolutionGeometry): number {
  return g.batch * g.outputHeight * g.outputWidth * g.outputChannels;
}

/** Input pixels times input channels. */
export function inputSize(g: ConvolutionGeometry): number {
  return g.batch * g.inputHeight * g.inputWidth * g.inputChannels;
}

/** Cells of the filter. */
export function filterSize(g: ConvolutionGeometry): number {
  return g.filterHeight * g.filterWidth * g.inputChannels * g.outputChannels;
}

/** The convolution. */
export function convolve(g: ConvolutionGeometry, x: Float32Array, filter: Float32Array) {
  const result = new Float64Array(outputSize(g));
  eachTerm(g, (i, f, o) => result[o] += x[i] * filter[f]);
  return result;
}

/** Its input's gradient. */
export function inputGradient(g: ConvolutionGeometry, dy: Float32Array, filter: Float32Array) {
  const result = new Float64Array(inputSize(g));
  eachTerm(g, (i, f, o) => result[i] += dy[o] * filter[f]);
  return result;
}

/** Its filter's gradient. */
export function filterGradient(g: ConvolutionGeometry, x: Float32Array, dy: Float32Array) {
  const result = new Float64Array(filterSize(g));
  eachTerm(g, (i, f, o) => result[f] += x[i] * dy[o]);
  return result;
}

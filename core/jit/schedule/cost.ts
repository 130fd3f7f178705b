/**
 * @file What kernels cost, counted the usual way: floating-point operations as the textbook has them,
 * and bytes as if every cell were read or written once (S. Williams, Waterman and Patterson,
 * "Roofline", 2009: their ratio is the arithmetic intensity).
 */
import { sizeOf } from "../graph.ts";
import type { ConvolutionGeometry, Kernel, Loop, MatrixView, Schedule, View } from "../kernels.ts";
import {
  isRawOutputDropped,
  loopOf,
  loopReads,
  operandBuffers,
  rawOutput,
} from "./kernel_buffers.ts";

/**
 * Floating-point operations of a kernel. Of a product 2·m·n·k; of a convolution two a tap, those on
 * padding included, however it is computed; of a loop one an instruction and a point, an exponential
 * as much as a sum, and one more a point for each reduction. Nothing for draws and moves.
 */
export function kernelFlops(kernel: Kernel): number {
  const loop = loopOf(kernel);
  const own = loop ? loopFlops(loop) : 0;
  switch (kernel.kind) {
    case "matmul":
      return own + 2 * kernel.batch * kernel.m * kernel.n * kernel.k;
    case "convolution":
    case "winogradConvolution":
      return own + 2 * convolutionTaps(kernel.geometry);
    default:
      return own;
  }
}

function loopFlops({ extents, body, writes }: Loop): number {
  return sizeOf(extents) * (body.length + writes.filter(({ reduce }) => reduce).length);
}

function convolutionTaps(g: ConvolutionGeometry): number {
  return g.batch * g.outputHeight * g.outputWidth * g.outputChannels *
    g.filterHeight * g.filterWidth * g.inputChannels;
}

/** Bytes that a kernel reads and writes: every cell of a view once, a raw result where it is kept. */
export function kernelBytes(kernel: Kernel, { buffers }: Pick<Schedule, "buffers">): number {
  const loop = loopOf(kernel), raw = rawOutput(kernel);
  const size = (buffer: number) => buffers[buffer].size;
  let cells = 0;
  if (loop) {
    const views = [...loopReads(kernel), ...loop.writes.map(({ view }) => view)];
    for (const view of views) cells += Math.min(size(view.buffer), cellsOfView(view, loop.extents));
  }
  for (const operand of operandCells(kernel, size)) cells += operand;
  if (raw !== undefined && !isRawOutputDropped(kernel)) cells += size(raw);
  return 4 * cells;
}

function cellsOfView({ strides }: View, extents: readonly number[]): number {
  return sizeOf(extents.filter((_, d) => strides[d] !== 0));
}

/** Cells of the operands that are no reads of a loop. */
function operandCells(kernel: Kernel, size: (buffer: number) => number): number[] {
  switch (kernel.kind) {
    case "loop":
      return [];
    case "matmul": {
      const { batch, m, n, k, a, b } = kernel;
      const cells = (view: MatrixView, rows: number, columns: number) =>
        (view.batchStride ? batch : 1) * (view.rowStride ? rows : 1) *
        (view.columnStride ? columns : 1);
      return [cells(a, m, k), cells(b, k, n)];
    }
    case "convolution":
      return [size(kernel.left), size(kernel.right)];
    case "winogradConvolution":
      return [size(kernel.input), size(kernel.filter)];
    case "winogradFilter":
      return [size(kernel.filter)];
    case "pad":
      return [sizeOf(kernel.extents)];
    case "gather":
      return [kernel.rows * kernel.rowSize, kernel.rows];
    case "philox":
      return operandBuffers(kernel).map(size);
  }
}

/**
 * @file Runs a schedule's kernels in plain JavaScript, one cell at a time: what every target's
 * kernels are compared with, and (on one arena, poisoned with NaN) what memory plans are tested by.
 * Every instruction's result is rounded to its type; sums are kept in double precision.
 */
import { type DataType, elementwise } from "../../../core/jit/elementwise.ts";
import type {
  ConvolutionGeometry,
  Epilogue,
  Kernel,
  Loop,
  MatrixView,
  Operand,
  Plan,
  Schedule,
  View,
  Write,
} from "../../../core/jit/kernels.ts";
import { fillPhilox } from "../../../core/tensor/philox.ts";

/** The values of a buffer. */
export type Cells = Float32Array | Int32Array;

/** Zeros for values of a type. */
export function cellsOf(type: DataType, size: number): Cells {
  return type === "float32" ? new Float32Array(size) : new Int32Array(size);
}

/** A value as a cell of the type holds it. */
export function roundTo(type: DataType, value: number): number {
  if (type === "float32") return Math.fround(value);
  return type === "bool" ? (value ? 1 : 0) : value | 0;
}

/** What {@link interpret} can be told. */
export interface InterpretOptions {
  /** Points of every loop from the last to the first: no kernel may depend on their order. */
  readonly reverse?: boolean;
  /** A plan of the schedule: all buffers lie in one arena, poisoned first. */
  readonly plan?: Plan;
  /** How often the program is run; donated arguments carry over. Default once. */
  readonly repeat?: number;
  /** Called after every kernel with its number and the buffers' values. */
  readonly afterKernel?: (kernel: number, buffers: readonly Cells[]) => void;
}

/**
 * The results of a program; `inputs` stay as they are. Buffers that nothing has written hold NaN
 * (as integers 0x7fc00000).
 */
export function interpret(
  schedule: Schedule,
  inputs: readonly Cells[],
  options: InterpretOptions = {},
): Cells[] {
  const buffers = options.plan ? arenaBuffers(options.plan) : hostBuffers(schedule);
  schedule.inputs.forEach((buffer, index) => buffers[buffer].set(inputs[index]));
  for (let run = 0; run < (options.repeat ?? 1); run++) {
    schedule.kernels.forEach((kernel, index) => {
      runKernel(kernel, buffers, options.reverse ?? false);
      if (options.plan) poisonPadding(options.plan, kernel, buffers);
      options.afterKernel?.(index, buffers);
    });
  }
  return schedule.outputs.map((buffer) => buffers[buffer].slice());
}

/** The buffers that a kernel writes. */
export function writtenBuffers(kernel: Kernel): number[] {
  switch (kernel.kind) {
    case "loop":
      return kernel.loop.writes.map(({ view }) => view.buffer);
    case "pad":
      return [kernel.output.buffer];
    case "matmul":
    case "convolution":
    case "winogradConvolution": {
      const { epilogue } = kernel;
      const more = epilogue?.loop.writes.map(({ view }) => view.buffer) ?? [];
      return !epilogue || epilogue.keep ? [kernel.output, ...more] : more;
    }
    default:
      return [kernel.output];
  }
}

const POISON = 0x7fc00000;

function hostBuffers(schedule: Schedule): Cells[] {
  return schedule.buffers.map((buffer) => {
    const cells = cellsOf(buffer.type, buffer.size);
    if (!buffer.values) new Int32Array(cells.buffer).fill(POISON);
    else setConstant(cells, buffer.values);
    return cells;
  });
}

function setConstant(cells: Cells, values: Cells): void {
  if (values.length === 1) cells.fill(values[0]);
  else cells.set(values);
}

function arenaBuffers(plan: Plan): Cells[] {
  const arena = new Int32Array(plan.arenaSize).fill(POISON);
  const cells = plan.buffers.map(({ type, size }, i): Cells => {
    const start = 4 * plan.offsets[i];
    return type === "float32"
      ? new Float32Array(arena.buffer, start, size)
      : new Int32Array(arena.buffer, start, size);
  });
  plan.buffers.forEach((buffer, i) => buffer.values && setConstant(cells[i], buffer.values));
  return cells;
}

/** A target may store whole vectors up to the end of a buffer's last line. */
function poisonPadding(plan: Plan, kernel: Kernel, buffers: readonly Cells[]): void {
  for (const written of writtenBuffers(kernel)) {
    const end = plan.offsets[written] + plan.buffers[written].size;
    const lineEnd = Math.min(plan.arenaSize, Math.ceil(end / 16) * 16);
    new Int32Array(buffers[written].buffer, 4 * end, lineEnd - end).fill(POISON);
  }
}

function runKernel(kernel: Kernel, buffers: readonly Cells[], reverse: boolean): void {
  switch (kernel.kind) {
    case "loop":
      return runLoop(kernel.loop, buffers, reverse);
    case "matmul": {
      const { batch, m, n, k } = kernel;
      const a = matrix(kernel.a, buffers), b = matrix(kernel.b, buffers);
      const product = new Float32Array(batch * m * n);
      for (let i = 0; i < product.length; i++) {
        const column = i % n, row = Math.floor(i / n) % m, block = Math.floor(i / n / m);
        let sum = 0;
        for (let l = 0; l < k; l++) sum += a(block, row, l) * b(block, l, column);
        product[i] = sum;
      }
      return finish(kernel, product, buffers, reverse);
    }
    case "convolution":
      return finish(kernel, convolve(kernel, buffers), buffers, reverse);
    case "pad": {
      const output = buffers[kernel.output.buffer], input = buffers[kernel.input.buffer];
      output.fill(kernel.value, 0, kernel.size);
      forEachPoint(kernel.extents, reverse, (point) => {
        output[cell(kernel.output, point)] = input[cell(kernel.input, point)];
      });
      return;
    }
    case "gather": {
      const { rowSize } = kernel, indices = buffers[kernel.indices];
      for (let row = 0; row < kernel.rows; row++) {
        const from = indices[row] * rowSize;
        const values = buffers[kernel.table].subarray(from, from + rowSize);
        buffers[kernel.output].set(values, row * rowSize);
      }
      return;
    }
    case "philox": {
      const { distribution, perSample, stream, count, offset } = kernel;
      const seed = buffers[kernel.seed], step = buffers[kernel.step][0];
      const firstSample = kernel.firstSample + (offset === undefined ? 0 : buffers[offset][0]);
      const out = buffers[kernel.output].subarray(0, kernel.samples * perSample);
      return fillPhilox(out, distribution, perSample, { seed, step, stream, firstSample, count });
    }
    default:
      throw new Error(`no interpretation of a kernel "${kernel.kind}"`);
  }
}

type Product = Extract<Kernel, { epilogue?: Epilogue }>;

function finish(
  { output, epilogue }: Product,
  product: Float32Array,
  buffers: readonly Cells[],
  reverse: boolean,
): void {
  if (!epilogue) return buffers[output].set(product);
  // As a target may do it: all of the raw result first, where it is kept.
  if (epilogue.keep) buffers[output].set(product);
  runLoop(epilogue.loop, buffers, reverse, { index: epilogue.product, cells: product });
}

function matrix(view: MatrixView, buffers: readonly Cells[]) {
  const cells = buffers[view.buffer];
  return (block: number, row: number, column: number) =>
    cells[
      view.offset + block * view.batchStride + row * view.rowStride + column * view.columnStride
    ];
}

/** Every tap of a convolution, as [cell of x, cell of the filter, cell of y]. */
function forEachTap(g: ConvolutionGeometry, visit: (x: number, f: number, y: number) => void) {
  const extents = [
    ...[g.batch, g.outputHeight, g.outputWidth, g.filterHeight, g.filterWidth],
    ...[g.inputChannels, g.outputChannels],
  ];
  forEachPoint(extents, false, ([n, oy, ox, fy, fx, c, o]) => {
    const iy = oy * g.strideHeight + fy - g.padTop, ix = ox * g.strideWidth + fx - g.padLeft;
    if (iy < 0 || iy >= g.inputHeight || ix < 0 || ix >= g.inputWidth) return;
    visit(
      ((n * g.inputHeight + iy) * g.inputWidth + ix) * g.inputChannels + c,
      ((fy * g.filterWidth + fx) * g.inputChannels + c) * g.outputChannels + o,
      ((n * g.outputHeight + oy) * g.outputWidth + ox) * g.outputChannels + o,
    );
  });
}

function convolve(
  { form, geometry: g, left, right }: Extract<Kernel, { kind: "convolution" }>,
  buffers: readonly Cells[],
): Float32Array {
  const size = {
    forward: g.batch * g.outputHeight * g.outputWidth * g.outputChannels,
    inputGradient: g.batch * g.inputHeight * g.inputWidth * g.inputChannels,
    filterGradient: g.filterHeight * g.filterWidth * g.inputChannels * g.outputChannels,
  }[form];
  const sums = new Float64Array(size), a = buffers[left], b = buffers[right];
  forEachTap(g, (x, f, y) => {
    if (form === "forward") sums[y] += a[x] * b[f];
    else if (form === "inputGradient") sums[x] += a[y] * b[f];
    else sums[f] += a[x] * b[y];
  });
  return Float32Array.from(sums);
}

/** The cell of a view at a point. */
export function cell({ offset, strides }: View, point: readonly number[]): number {
  return strides.reduce((sum, stride, d) => sum + stride * point[d], offset);
}

function forEachPoint(
  extents: readonly number[],
  reverse: boolean,
  visit: (point: readonly number[]) => void,
): void {
  const size = extents.reduce((product, extent) => product * extent, 1);
  const point = extents.map(() => 0);
  for (let i = 0; i < size; i++) {
    let rest = reverse ? size - 1 - i : i;
    for (let d = extents.length - 1; d >= 0; d--) {
      point[d] = rest % extents[d];
      rest = (rest - point[d]) / extents[d];
    }
    visit(point);
  }
}

const identities = { sum: 0, maximum: -Infinity, minimum: Infinity };

/** `product` gives the cells of an epilogue's read of the raw result. */
function runLoop(
  loop: Loop,
  buffers: readonly Cells[],
  reverse: boolean,
  product?: { index: number; cells: Float32Array },
): void {
  const kept = loop.extents.length - loop.reducedDimensions;
  const outer = loop.extents.slice(0, kept), inner = loop.extents.slice(kept);
  const reads = loop.reads.map(() => 0), values = loop.body.map(() => 0);
  const get = (operand: Operand): number =>
    operand.kind === "number"
      ? roundTo(operand.type, operand.value)
      : (operand.kind === "read" ? reads : values)[operand.index];
  const put = ({ view }: Write, point: readonly number[], value: number) => {
    const target = cell(view, point);
    if (!(target >= 0 && target < buffers[view.buffer].length)) {
      throw new Error(`a write at cell ${target} of buffer ${view.buffer}`);
    }
    buffers[view.buffer][target] = roundTo(view.type, value);
  };
  const readAll = (point: readonly number[]) =>
    loop.reads.forEach((view, i) => {
      const cells = i === product?.index ? product.cells : buffers[view.buffer];
      const target = cell(view, point);
      if (!(target >= 0 && target < cells.length)) {
        throw new Error(`a read at cell ${target} of buffer ${view.buffer}`);
      }
      reads[i] = cells[target];
    });
  const compute = () =>
    loop.body.forEach(({ name, operands, type }, i) => {
      // As many operands as there are: Math.max would take in a third.
      const evaluate: (...operands: number[]) => number = elementwise[name].evaluate;
      values[i] = roundTo(type, evaluate(...operands.map(get)));
    });
  forEachPoint(outer, reverse, (outerPoint) => {
    const totals = loop.writes.map(({ reduce, view }) => reduce ? identity(reduce, view.type) : 0);
    forEachPoint(inner, reverse, (innerPoint) => {
      const point = [...outerPoint, ...innerPoint];
      readAll(point);
      compute();
      loop.writes.forEach((write, i) => {
        const value = get(write.value);
        if (!write.reduce) put(write, point, value);
        else totals[i] = combine(write.reduce, totals[i], value);
      });
    });
    loop.writes.forEach((write, i) => {
      if (write.reduce) put(write, [...outerPoint, ...inner.map(() => 0)], totals[i]);
    });
  });
}

function identity(reduce: keyof typeof identities, type: DataType): number {
  if (type === "float32" || reduce === "sum") return identities[reduce];
  return reduce === "maximum" ? -2147483648 : 2147483647;
}

function combine(reduce: keyof typeof identities, total: number, value: number): number {
  if (reduce === "sum") return total + value;
  return reduce === "maximum" ? Math.max(total, value) : Math.min(total, value);
}

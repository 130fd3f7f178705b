/**
 * @file From units to kernels, with values still in the place of buffers, and with only those values
 * stored that another kernel, or the world outside, reads.
 */
import { rowMajorStrides, sizeOf } from "../graph.ts";
import type { Operation } from "../graph.ts";
import type { ConvolutionGeometry, Epilogue, Kernel, Loop, MatrixView, View } from "../kernels.ts";
import { stridesOfAxes } from "./access.ts";
import type { Unit, Units } from "./fusion.ts";
import { producerOf } from "./inlining.ts";
import type { Item, Items } from "./items.ts";
import { canonicalLoop, loopOfUnit } from "./loops.ts";

/** Which items have to be computed, and which values stored. */
interface Needs {
  readonly items: ReadonlySet<Item>;
  readonly values: ReadonlySet<number>;
}

/** The kernels of a program; `buffer` of each view is the index of a value. */
export function emitKernels(program: Items, units: Units): Kernel[] {
  const needs = whatIsNeeded(program, units);
  const isStored = ({ value }: Item) => needs.values.has(value);
  const kernels: Kernel[] = [];
  for (const unit of units.units) {
    const items = unit.items.filter((item) => needs.items.has(item));
    const head = unit.head && needs.items.has(unit.head) ? unit.head : undefined;
    if (!head && items.length === 0) continue;
    if (items.length === 0) kernels.push(headKernel(head!));
    else {
      const loop = loopOfUnit(program, units, unit, items, isStored);
      kernels.push(
        head
          ? headKernel(head, epilogueOf(head, loop, isStored(head)))
          : { kind: "loop", loop: canonicalLoop(loop) },
      );
    }
  }
  return kernels;
}

function epilogueOf(head: Item, loop: Loop, keep: boolean): Epilogue {
  const product = loop.reads.findIndex(({ buffer }) => buffer === head.value);
  if (product >= 0) return { loop, product, keep };
  // Nothing that is left reads it, but an epilogue has to name it.
  const strides = [loop.extents[1], 1];
  const view = { buffer: head.value, type: head.type, offset: 0, strides };
  return { loop: { ...loop, reads: [...loop.reads, view] }, product: loop.reads.length, keep };
}

/** From the results backwards: consumers come after their producers in the order of items. */
function whatIsNeeded(program: Items, units: Units): Needs {
  const values = new Set(program.outputs), items = new Set<Item>();
  const unitOf = new Map<Item, Unit>();
  for (const unit of units.units) {
    for (const item of unit.items) unitOf.set(item, unit);
    if (unit.head) unitOf.set(unit.head, unit);
  }
  for (const item of program.items.toReversed()) {
    const unit = unitOf.get(item);
    if (!unit || !(values.has(item.value) || items.has(item))) continue;
    items.add(item);
    if (item === unit.head) {
      for (const { value } of item.sources) values.add(value);
      continue;
    }
    for (const { value } of units.reads(unit, item)) {
      const producer = producerOf(program.values[value]);
      if (producer && unitOf.get(producer) === unit) items.add(producer);
      else values.add(value);
    }
  }
  return { items, values };
}

function headKernel(item: Item, epilogue?: Epilogue): Kernel {
  const { operation, value: output } = item;
  const [left, right, third] = item.sources.map(({ value }) => value);
  const more = epilogue && { epilogue };
  switch (operation.kind) {
    case "matmul":
      return { ...matmulKernel(item, operation), ...more };
    case "conv2d": {
      const geometry = convolutionGeometry(item.shapes[0], item.shapes[1], item.shape, operation);
      return { kind: "convolution", form: "forward", geometry, left, right, output, ...more };
    }
    case "conv2dInputGradient": {
      const geometry = convolutionGeometry(item.shape, item.shapes[1], item.shapes[0], operation);
      return { kind: "convolution", form: "inputGradient", geometry, left, right, output, ...more };
    }
    case "conv2dFilterGradient": {
      const geometry = convolutionGeometry(item.shapes[0], item.shape, item.shapes[1], operation);
      return {
        kind: "convolution",
        form: "filterGradient",
        geometry,
        left,
        right,
        output,
        ...more,
      };
    }
    case "winogradConv2d": {
      const { filterSize, outputChannels, tile } = operation, [x] = item.shapes;
      const filter = [...filterSize, x[3], outputChannels];
      const geometry = convolutionGeometry(x, filter, item.shape, operation);
      const operands = { input: left, filter: right };
      return { kind: "winogradConvolution", geometry, tile, ...operands, output, ...more };
    }
    case "winogradFilter": {
      const { transposed, strides, tile } = operation;
      const [height, width, inputChannels, outputChannels] = item.shapes[0];
      const sizes = { filterSize: [height, width], inputChannels, outputChannels } as const;
      return { kind: "winogradFilter", transposed, ...sizes, strides, tile, filter: left, output };
    }
    case "gather": {
      const [table, indices] = item.shapes, rowSize = sizeOf(table.slice(1));
      const sizes = { rows: sizeOf(indices), rowSize, tableRows: table[0] };
      return { kind: "gather", table: left, indices: right, ...sizes, output };
    }
    case "philox": {
      const { kind, shape, ...draw } = operation;
      const sizes = { samples: shape[0] ?? 1, perSample: sizeOf(shape.slice(1)) };
      const inputs = { seed: left, step: right, ...(third !== undefined && { offset: third }) };
      return { kind, ...draw, ...sizes, ...inputs, output };
    }
    case "pad":
      return padKernel(item, operation);
    default:
      throw new Error(`no kernel for the operation "${operation.kind}"`);
  }
}

function convolutionGeometry(
  x: readonly number[],
  filter: readonly number[],
  y: readonly number[],
  { strides, pads }: Pick<Extract<Operation, { kind: "conv2d" }>, "strides" | "pads">,
): ConvolutionGeometry {
  return {
    batch: x[0],
    inputHeight: x[1],
    inputWidth: x[2],
    inputChannels: x[3],
    outputHeight: y[1],
    outputWidth: y[2],
    outputChannels: y[3],
    filterHeight: filter[0],
    filterWidth: filter[1],
    strideHeight: strides[0],
    strideWidth: strides[1],
    padTop: pads[0],
    padLeft: pads[2],
  };
}

function matmulKernel(
  item: Item,
  { transposeA, transposeB }: Extract<Operation, { kind: "matmul" }>,
): Extract<Kernel, { kind: "matmul" }> {
  const { shape } = item, [shapeA] = item.shapes;
  const [m, n] = shape.slice(-2), k = shapeA.at(transposeA ? -2 : -1)!;
  return {
    kind: "matmul",
    batch: shape.length === 3 ? shape[0] : 1,
    m,
    n,
    k,
    a: matrixView(item, 0, transposeA),
    b: matrixView(item, 1, transposeB),
    output: item.value,
  };
}

/** An axis of extent 1 gets the stride that it would have in a contiguous array. */
function matrixView(item: Item, operand: 0 | 1, transpose: boolean): MatrixView {
  const { value, access } = item.sources[operand], shape = item.shapes[operand];
  const strides = stridesOfAxes(access, shape)!;
  let [row, column] = strides.slice(-2);
  const [rows, columns] = shape.slice(-2);
  if (columns === 1) column = row === 1 && rows > 1 ? rows : 1;
  if (rows === 1) row = column === 1 ? columns : 1;
  const [rowStride, columnStride] = transpose ? [column, row] : [row, column];
  const batchStride = shape.length === 3 && shape[0] > 1 ? strides[0] : 0;
  return { buffer: value, offset: access.offset, batchStride, rowStride, columnStride };
}

function padKernel(
  item: Item,
  { before, interior, value }: Extract<Operation, { kind: "pad" }>,
): Kernel {
  const [from] = item.shapes, [input] = item.sources;
  const strides = rowMajorStrides(item.shape);
  const view = (buffer: number, offset: number, strides: readonly number[]): View => ({
    buffer,
    type: item.type,
    offset,
    strides,
  });
  const offset = strides.reduce((sum, stride, i) => sum + stride * before[i], 0);
  const spread = strides.map((stride, i) => stride * (interior[i] + 1));
  // A copy, canonical as a loop is.
  const copy = canonicalLoop({
    extents: from,
    reducedDimensions: 0,
    reads: [view(input.value, 0, rowMajorStrides(from))],
    body: [],
    writes: [{ view: view(item.value, offset, spread), value: { kind: "read", index: 0 } }],
  });
  return {
    kind: "pad",
    input: copy.reads[0],
    extents: copy.extents,
    output: copy.writes[0].view,
    size: sizeOf(item.shape),
    value,
  };
}

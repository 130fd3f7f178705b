/**
 * @file A plain interpreter of graphs on the host: the meaning of every operation, once, with no
 * thought of speed. It folds constants, and it is what tests compare compiled programs with. Every
 * node is computed in double precision, sums included, and rounded to its type at the end.
 *
 * Everything but products and convolutions is a matter of which cell goes where, so most of the
 * file is uses of {@link cellsOf}, the addresses of a strided view.
 */
import { fillPhilox } from "../tensor/philox.ts";
import { elementwise, type ElementwiseName } from "./elementwise.ts";
import { type Graph, type Operation, rowMajorStrides, sizeOf, type ValueType } from "./graph.ts";

/** The cells of a value, row-major; bools as the int32 0 and 1. */
export type Values = Float32Array | Int32Array;

/** What is known of an operand: its shape and type, and its cells. */
export interface Operand extends ValueType {
  readonly values: Values;
}

/**
 * The results of a graph for the given arguments, in the order of `graph.outputs`. Results may
 * share memory with each other and with arguments: they are to be read only.
 */
export function evaluate(graph: Graph, inputs: readonly Values[]): Values[] {
  const operands: Operand[] = [];
  for (const { operation, inputs: from, shape, type } of graph.nodes) {
    const values = operation.kind === "input"
      ? argument(graph, inputs, operation.index)
      : evaluateOperation(operation, from.map((i) => operands[i]), { shape, type });
    operands.push({ shape, type, values });
  }
  return graph.outputs.map(({ node }) => operands[node].values);
}

function argument(graph: Graph, inputs: readonly Values[], index: number): Values {
  const { name, shape, type } = graph.inputs[index], values = inputs[index];
  if (values?.length !== sizeOf(shape)) {
    throw new Error(`argument ${name} has ${values?.length} cells, expected ${type}[${shape}]`);
  }
  return values;
}

/** The cells of one node, from those of its operands. */
export function evaluateOperation(
  operation: Exclude<Operation, { kind: "input" }>,
  operands: readonly Operand[],
  result: ValueType,
): Values {
  const [a, b, c] = operands;
  const out = emptyValues(result);
  switch (operation.kind) {
    case "constant": {
      const { values } = operation;
      return values.length === out.length ? values : out.fill(values[0]);
    }
    case "elementwise":
      return applyElementwise(operation.name, operands, result, out);
    case "reduce":
      return reduce(operation, a, out);
    case "matmul":
      return multiplyMatrices(operation, a, b, result.shape, out);
    case "conv2d":
      convolve(operation, "y", a, b, { shape: result.shape, values: out });
      return out;
    case "conv2dInputGradient":
      convolve(operation, "x", { shape: result.shape, values: out }, b, a);
      return out;
    case "conv2dFilterGradient":
      convolve(operation, "filter", a, { shape: result.shape, values: out }, b);
      return out;
    case "reshape":
      return a.values;
    case "broadcast":
      return read(a, out, cellsOf(result.shape, broadcastStrides(a.shape, result.shape)));
    case "transpose": {
      const strides = rowMajorStrides(a.shape);
      return read(a, out, cellsOf(result.shape, operation.permutation.map((i) => strides[i])));
    }
    case "slice": {
      const strides = rowMajorStrides(a.shape);
      const offset = dot(operation.begin, strides);
      const steps = strides.map((s, i) => s * operation.strides[i]);
      return read(a, out, cellsOf(result.shape, steps, offset));
    }
    case "reverse": {
      const strides = rowMajorStrides(a.shape);
      const turned = strides.map((s, i) => operation.axes.includes(i) ? -s : s);
      const last = a.shape.map((extent, i) => operation.axes.includes(i) ? extent - 1 : 0);
      return read(a, out, cellsOf(a.shape, turned, dot(last, strides)));
    }
    case "pad": {
      const strides = rowMajorStrides(result.shape);
      const spread = strides.map((s, i) => s * (operation.interior[i] + 1));
      out.fill(operation.value);
      return write(a, out, cellsOf(a.shape, spread, dot(operation.before, strides)));
    }
    case "concat": {
      const strides = rowMajorStrides(result.shape);
      let offset = 0;
      for (const operand of operands) {
        write(operand, out, cellsOf(operand.shape, strides, offset));
        offset += operand.shape[operation.axis] * strides[operation.axis];
      }
      return out;
    }
    case "gather": {
      const row = sizeOf(a.shape.slice(1));
      b.values.forEach((index, i) =>
        out.set(a.values.subarray(index * row, (index + 1) * row), i * row)
      );
      return out;
    }
    case "philox": {
      const { distribution, stream, count } = operation;
      const perSample = sizeOf(operation.shape.slice(1));
      const firstSample = operation.firstSample + (c?.values[0] ?? 0);
      const source = { seed: a.values, step: b.values[0], stream, firstSample, count };
      fillPhilox(out, distribution, perSample, source);
      return out;
    }
    case "winogradFilter":
    case "winogradConv2d":
      throw new Error(`${operation.kind} belongs to a target: it has no meaning outside of it`);
  }
}

function emptyValues({ shape, type }: ValueType): Values {
  return type === "float32" ? new Float32Array(sizeOf(shape)) : new Int32Array(sizeOf(shape));
}

/** Strides of an operand of shape `from`, walked as if it had the shape `to`. */
function broadcastStrides(from: readonly number[], to: readonly number[]): number[] {
  const strides = rowMajorStrides(from), missing = to.length - from.length;
  return to.map((_, axis) =>
    axis < missing || from[axis - missing] === 1 ? 0 : strides[axis - missing]
  );
}

/** The addresses offset + Σ strides[d]·index[d] of all points of a shape, row-major. */
function cellsOf(shape: readonly number[], strides: readonly number[], offset = 0): Int32Array {
  const cells = new Int32Array(sizeOf(shape));
  if (cells.length === 0) return cells;
  cells[0] = offset;
  let count = 1; // the inner axes are done: their block repeats, shifted, along the next one out
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    for (let i = 1; i < shape[axis]; i++) {
      const shift = i * strides[axis];
      for (let j = 0; j < count; j++) cells[i * count + j] = cells[j] + shift;
    }
    count *= shape[axis];
  }
  return cells;
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

function read({ values }: Operand, out: Values, cells: Int32Array): Values {
  for (let i = 0; i < out.length; i++) out[i] = values[cells[i]];
  return out;
}

function write({ values }: Operand, out: Values, cells: Int32Array): Values {
  for (let i = 0; i < values.length; i++) out[cells[i]] = values[i];
  return out;
}

function applyElementwise(
  name: ElementwiseName,
  operands: readonly Operand[],
  { shape, type }: ValueType,
  out: Values,
): Values {
  // An int32 product has up to 64 bits, more than a double holds, and the lower 32 are the result.
  const { evaluate } = name === "multiply" && type === "int32"
    ? { evaluate: Math.imul }
    : elementwise[name];
  const views = operands.map((operand) =>
    operand.values.length === out.length ? operand : {
      values: read(
        operand,
        operand.type === "float32" ? new Float32Array(out.length) : new Int32Array(out.length),
        cellsOf(shape, broadcastStrides(operand.shape, shape)),
      ),
    }
  );
  const a = views[0].values, b = views[1]?.values ?? a, c = views[2]?.values ?? a;
  for (let i = 0; i < out.length; i++) out[i] = evaluate(a[i], b[i], c[i]);
  return out;
}

const reductions = {
  sum: { start: 0, combine: (a: number, b: number) => a + b },
  maximum: { start: -Infinity, combine: Math.max },
  minimum: { start: Infinity, combine: Math.min },
};

function reduce(
  { name, axes }: Operation & { kind: "reduce" },
  { shape, values }: Operand,
  out: Values,
): Values {
  const { start, combine } = reductions[name];
  const ones = shape.map((extent, axis) => axes.includes(axis) ? 1 : extent);
  const cells = cellsOf(shape, broadcastStrides(ones, shape));
  const sums = new Float64Array(out.length).fill(start);
  for (let i = 0; i < values.length; i++) sums[cells[i]] = combine(sums[cells[i]], values[i]);
  out.set(sums);
  return out;
}

function multiplyMatrices(
  { transposeA, transposeB }: Operation & { kind: "matmul" },
  a: Operand,
  b: Operand,
  shape: readonly number[],
  out: Values,
): Values {
  const [m, n] = shape.slice(-2), k = a.shape.at(transposeA ? -2 : -1)!;
  const batch = shape.length === 3 ? shape[0] : 1;
  const [rowA, columnA] = transposeA ? [1, m] : [k, 1];
  const [rowB, columnB] = transposeB ? [1, k] : [n, 1];
  const stepA = a.values.length === m * k ? 0 : m * k;
  const stepB = b.values.length === k * n ? 0 : k * n;
  for (let i = 0; i < batch; i++) {
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = 0, cellA = i * stepA + row * rowA, cellB = i * stepB + column * columnB;
        for (let j = 0; j < k; j++, cellA += columnA, cellB += rowB) {
          sum += a.values[cellA] * b.values[cellB];
        }
        out[(i * m + row) * n + column] = sum;
      }
    }
  }
  return out;
}

interface Array4 {
  readonly shape: readonly number[];
  readonly values: Values;
}

/**
 * The relation Σ y[o]·x[c]·filter[c, o] over all taps of a convolution, differentiated by one of the
 * three: by y it is the convolution itself, by x and by the filter its gradients.
 */
function convolve(
  { strides, pads }: {
    readonly strides: readonly [number, number];
    readonly pads: readonly [number, number, number, number];
  },
  unknown: "x" | "filter" | "y",
  x: Array4,
  filter: Array4,
  y: Array4,
): void {
  const [batch, height, width, channels] = x.shape;
  const [filterHeight, filterWidth, , outputs] = filter.shape;
  const [, rows, columns] = y.shape;
  const result = { x, filter, y }[unknown].values;
  const sums = new Float64Array(result.length);
  const addTap = (atX: number, atFilter: number, atY: number) => {
    for (let c = 0; c < channels; c++) {
      for (let o = 0; o < outputs; o++) {
        const w = atFilter + c * outputs + o;
        if (unknown === "y") sums[atY + o] += x.values[atX + c] * filter.values[w];
        else if (unknown === "x") sums[atX + c] += y.values[atY + o] * filter.values[w];
        else sums[w] += x.values[atX + c] * y.values[atY + o];
      }
    }
  };
  for (let image = 0; image < batch; image++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const atY = ((image * rows + row) * columns + column) * outputs;
        for (let i = 0; i < filterHeight; i++) {
          const pixelRow = row * strides[0] + i - pads[0];
          if (pixelRow < 0 || pixelRow >= height) continue;
          for (let j = 0; j < filterWidth; j++) {
            const pixel = column * strides[1] + j - pads[2];
            if (pixel < 0 || pixel >= width) continue;
            const atX = ((image * height + pixelRow) * width + pixel) * channels;
            addTap(atX, (i * filterWidth + j) * channels * outputs, atY);
          }
        }
      }
    }
  }
  result.set(sums);
}

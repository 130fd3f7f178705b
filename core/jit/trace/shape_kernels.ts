/**
 * @file TensorFlow.js's kernels that move cells about: reshapes, transposes, slices, pads, joins and
 * repetitions, and those that make tensors from nothing.
 */
import { tf } from "../../tensor/mod.ts";
import type { DataType } from "../elementwise.ts";
import { sizeOf } from "../graph.ts";
import type { Attributes, Lowering, Lowerings, Recorder } from "./recorder.ts";
import { axesOf } from "./reduction_kernels.ts";

const reshape: Lowering = (graph, { x }, { shape }) =>
  graph.reshape(x, tf.util.inferFromImplicitShape(shape as number[], graph.size(x)));

const expandDims: Lowering = (graph, { input }, { dim }) => {
  const shape = [...graph.shape(input)], axis = dim as number;
  shape.splice(axis < 0 ? axis + shape.length + 1 : axis, 0, 1);
  return graph.reshape(input, shape);
};

const transpose: Lowering = (graph, { x }, { perm }) => graph.transpose(x, perm as number[]);

const slice: Lowering = (graph, { x }, { begin, size }) => {
  const shape = [...graph.shape(x)];
  const [from, extents] = tf.slice_util.parseSliceParams(
    { shape } as unknown as tf.Tensor,
    begin as number[],
    size as number[],
  );
  return graph.slice(x, from, extents);
};

/** Negative strides: the same cells in ascending order, then reversed. */
const stridedSlice: Lowering = (graph, { x }, attributes) => {
  const { begin, end, strides, ...masks } = attributes as unknown as {
    begin: number[];
    end: number[];
    strides: number[];
    beginMask: number;
    endMask: number;
    ellipsisMask: number;
    newAxisMask: number;
    shrinkAxisMask: number;
  };
  const info = tf.slice_util.sliceInfo(
    [...graph.shape(x)],
    begin,
    end,
    strides,
    masks.beginMask,
    masks.endMask,
    masks.ellipsisMask,
    masks.newAxisMask,
    masks.shrinkAxisMask,
  );
  // TensorFlow.js's own kernel mistakes axes that are dropped where strides are not 1; sizes by the
  // axes of the input do not.
  const size = tf.slice_util.computeOutShape(info.begin, info.end, info.strides);
  if (sizeOf(size) === 0) return graph.splat(0, info.finalShape, graph.type(x));
  const lowest = info.begin.map((first, axis) =>
    Math.min(first, first + (size[axis] - 1) * info.strides[axis])
  );
  const ascending = graph.slice(x, lowest, size, info.strides.map(Math.abs));
  const backwards = info.strides.flatMap((stride, axis) => stride < 0 ? [axis] : []);
  return graph.reshape(graph.reverse(ascending, backwards), info.finalShape);
};

const pad: Lowering = (graph, { x }, { paddings, constantValue }) => {
  const pairs = paddings as [number, number][];
  const before = pairs.map(([cells]) => cells), after = pairs.map(([, cells]) => cells);
  return graph.pad(x, before, after, constantValue as number);
};

function concat(graph: Recorder, parts: readonly number[], axis: number): number {
  const filled = parts.filter((part) => graph.size(part) > 0);
  if (filled.length > 0) return graph.concat(filled, axis);
  const extent = parts.reduce((sum, part) => sum + graph.shape(part)[axis], 0);
  return graph.splat(0, [...graph.shape(parts[0])].with(axis, extent), graph.type(parts[0]));
}

const concatenation: Lowering = (graph, inputs, { axis }) => {
  const parts = Object.values(inputs);
  const [axisFromZero] = axesOf(axis, graph.shape(parts[0]).length);
  return concat(graph, parts, axisFromZero);
};

/** Parts of the given sizes along an axis. */
function split(graph: Recorder, x: number, axis: number, sizes: readonly number[]): number[] {
  const begin = graph.shape(x).map(() => 0);
  return sizes.map((extent) => {
    const size = graph.shape(x).map((whole, i) => i === axis ? extent : whole);
    const part = graph.slice(x, [...begin], size);
    begin[axis] += extent;
    return part;
  });
}

const splitBySizes: Lowering = (graph, { x }, { numOrSizeSplits, axis }) => {
  const shape = [...graph.shape(x)];
  const [along] = axesOf(axis, shape.length);
  const sizes = tf.backend_util.prepareSplitSize(
    { shape } as unknown as tf.Tensor,
    numOrSizeSplits as number[],
    along,
  );
  return split(graph, x, along, sizes);
};

const pack: Lowering = (graph, inputs, { axis }) => {
  const parts = Object.values(inputs);
  const shape = [...graph.shape(parts[0])];
  const [along] = axesOf(axis, shape.length + 1);
  shape.splice(along, 0, 1);
  return concat(graph, parts.map((part) => graph.reshape(part, shape)), along);
};

const unpack: Lowering = (graph, { value }, { axis }) => {
  const shape = graph.shape(value);
  const [along] = axesOf(axis, shape.length);
  const rest = shape.filter((_, i) => i !== along);
  const parts = split(graph, value, along, Array(shape[along]).fill(1));
  return parts.map((part) => graph.reshape(part, rest));
};

/** [d] repeated r times is [r, d] broadcast from [1, d]; one cell needs no such detour. */
const tile: Lowering = (graph, { x }, { reps }) => {
  const shape = graph.shape(x), times = reps as number[];
  const from: number[] = [], to: number[] = [];
  shape.forEach((extent, axis) => {
    if (times[axis] !== 1 && extent !== 1) {
      from.push(1);
      to.push(times[axis]);
    }
    from.push(extent);
    to.push(extent === 1 ? times[axis] : extent);
  });
  const whole = shape.map((extent, axis) => extent * times[axis]);
  return graph.reshape(graph.broadcast(graph.reshape(x, from), to), whole);
};

/** Rows are gathered along the first axis: another one goes there and back. */
const gather: Lowering = (graph, { x, indices }, { axis, batchDims }) => {
  const rank = graph.shape(x).length;
  const [along] = axesOf(axis ?? 0, rank);
  if (batchDims) return gatherInBatches(graph, x, indices, along, batchDims as number);
  const rest = axesOf(null, rank).filter((i) => i !== along);
  const table = graph.transpose(x, [along, ...rest]);
  const rows = graph.add({ kind: "gather" }, [table, graph.cast(indices, "int32")]);
  const indexRank = graph.shape(indices).length;
  // [indices…, before…, after…] → [before…, indices…, after…].
  return graph.transpose(rows, [
    ...rest.slice(0, along).map((_, i) => indexRank + i),
    ...Array.from({ length: indexRank }, (_, i) => i),
    ...rest.slice(along).map((_, i) => indexRank + along + i),
  ]);
};

/** The leading axes that both share become rows of one table, with indices moved accordingly. */
function gatherInBatches(
  graph: Recorder,
  x: number,
  indices: number,
  along: number,
  batchDims: number,
): number {
  const shape = graph.shape(x), picked = graph.shape(indices);
  const batch = sizeOf(shape.slice(0, batchDims));
  const perBatch = sizeOf(picked.slice(batchDims));
  const between = shape.slice(batchDims, along), after = shape.slice(along + 1);
  const stacked = graph.reshape(x, [batch, sizeOf(between), shape[along], sizeOf(after)]);
  const table = graph.reshape(
    graph.transpose(stacked, [0, 2, 1, 3]),
    [batch * shape[along], sizeOf(between), sizeOf(after)],
  );
  const starts = Int32Array.from({ length: batch }, (_, i) => i * shape[along]);
  const rows = graph.elementwise(
    "add",
    graph.reshape(graph.cast(indices, "int32"), [batch, perBatch]),
    graph.constant(starts, [batch, 1], "int32"),
  );
  const gathered = graph.transpose(graph.add({ kind: "gather" }, [table, rows]), [0, 2, 1, 3]);
  return graph.reshape(gathered, [
    ...shape.slice(0, along),
    ...picked.slice(batchDims),
    ...after,
  ]);
}

/**
 * Rows of equal index summed: a product with the matrix whose cell [s, i] says that row i is of
 * segment s.
 */
const segmentSum: Lowering = (graph, { x, segmentIds }, { numSegments }) => {
  const count = numSegments as number;
  const picked = graph.shape(segmentIds), rest = graph.shape(x).slice(picked.length);
  const rows = sizeOf(picked);
  const numbers = graph.constant(
    Int32Array.from({ length: count }, (_, i) => i),
    [count, 1],
    "int32",
  );
  const ids = graph.reshape(graph.cast(segmentIds, "int32"), [1, rows]);
  const member = graph.cast(graph.elementwise("equal", numbers, ids), "float32");
  const values = graph.cast(graph.reshape(x, [rows, sizeOf(rest)]), "float32");
  const sums = graph.add(
    { kind: "matmul", transposeA: false, transposeB: false },
    [member, values],
  );
  return graph.cast(graph.reshape(sums, [count, ...rest]), graph.type(x));
};

const oneHot: Lowering = (graph, { indices }, { depth, onValue, offValue, dtype }) => {
  const count = depth as number, type = (dtype ?? "float32") as DataType;
  const shape = graph.shape(indices);
  const column = graph.reshape(graph.cast(indices, "int32"), [...shape, 1]);
  const numbers = graph.constant(Int32Array.from({ length: count }, (_, i) => i), [count], "int32");
  return graph.elementwise(
    "select",
    graph.elementwise("equal", column, numbers),
    graph.splat((onValue ?? 1) as number, [], type),
    graph.splat((offValue ?? 0) as number, [], type),
  );
};

const reverse: Lowering = (graph, { x }, { dims }) =>
  graph.reverse(x, axesOf(dims, graph.shape(x).length));

const fill: Lowering = (graph, _inputs, { shape, value, dtype }) =>
  graph.splat(Number(value), shape as number[], (dtype ?? "float32") as DataType);

function like(value: number): Lowering {
  return (graph, { x }) => graph.splat(value, graph.shape(x), graph.type(x));
}

/** Sums of steps in the precision of the type, as TensorFlow.js makes them. */
const range: Lowering = (graph, _inputs, attributes) => {
  const { start, stop, step, dtype } = attributes as Attributes & {
    start: number;
    stop: number;
    step: number;
    dtype: "float32" | "int32";
  };
  const empty = start === stop || (start < stop && step < 0) || (stop < start && step > 1);
  const length = empty ? 0 : Math.abs(Math.ceil((stop - start) / step));
  const signed = stop < start && step === 1 ? -1 : step;
  const values = dtype === "int32" ? new Int32Array(length) : new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = i === 0 ? start : values[i - 1] + signed;
  return graph.constant(values, [length], dtype);
};

const linSpace: Lowering = (graph, _inputs, attributes) => {
  const { start, stop, num } = attributes as Record<string, number>;
  const step = (stop - start) / (num - 1);
  const values = new Float32Array(num);
  for (let i = 0; i < num; i++) values[i] = i === 0 ? start : values[i - 1] + step;
  return graph.constant(values, [num], "float32");
};

/** The kernels that move cells. */
export const shapeKernels: Lowerings = {
  Concat: concatenation,
  ExpandDims: expandDims,
  Fill: fill,
  GatherV2: gather,
  LinSpace: linSpace,
  OneHot: oneHot,
  OnesLike: like(1),
  Pack: pack,
  PadV2: pad,
  Range: range,
  Reshape: reshape,
  Reverse: reverse,
  Slice: slice,
  SplitV: splitBySizes,
  StridedSlice: stridedSlice,
  Tile: tile,
  Transpose: transpose,
  Unpack: unpack,
  UnsortedSegmentSum: segmentSum,
  ZerosLike: like(0),
};

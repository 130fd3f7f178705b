/**
 * @file Constant folding: operations on constants become constants. A constant that is the same in
 * all cells (a splat) is one number whatever its shape, and stays so under everything that only
 * moves or repeats cells. Random draws are left alone, even from a constant seed: they are what a
 * program wants to be different from run to run, and a seed that is a constant is a mistake worth
 * seeing in the listing.
 */
import { evaluateOperation, type Operand } from "../evaluate.ts";
import { type Graph, type Node, sizeOf } from "../graph.ts";
import { rewrite, type Rule, splatValue } from "./rewrite.ts";

/** Results with more cells are left to the program: a module that holds them would be large. */
const MOST_CELLS = 4096;
/** Operands with more cells in all are left to the program, which is faster than the interpreter. */
const MOST_WORK = 65536;

/** Folds constants. */
export function foldConstants(graph: Graph): Graph {
  return rewrite(graph, {
    constant: [equalCells],
    elementwise: [elementwiseOfSplats],
    reshape: [sameCells],
    broadcast: [sameCells],
    transpose: [sameCells],
    slice: [sameCells],
    reverse: [sameCells],
    gather: [sameCells],
    concat: [concatOfSplats],
    pad: [padOfItsValue],
    reduce: [reduceSplat],
    any: [evaluateNode],
  });
}

/** A constant whose cells are all equal is a splat. */
const equalCells: Rule = ({ operation, shape, type }, { splat }) => {
  if (operation.kind !== "constant" || operation.values.length === 1) return;
  const { values } = operation;
  if (values.length === 0 || !values.every((value) => Object.is(value, values[0]))) return;
  return splat(values[0], shape, type);
};

/** An elementwise function of splats is a splat, of any size. */
const elementwiseOfSplats: Rule = ({ operation, inputs, shape, type }, { at, splat }) => {
  if (operation.kind !== "elementwise") return;
  const operands: Operand[] = [];
  for (const input of inputs) {
    const node = at(input);
    if (splatValue(node) === undefined || node.operation.kind !== "constant") return;
    operands.push({ shape: [], type: node.type, values: node.operation.values });
  }
  return splat(evaluateOperation(operation, operands, { shape: [], type })[0], shape, type);
};

/** What only moves, repeats or picks the cells of its first operand leaves a splat as it is. */
const sameCells: Rule = ({ inputs, shape, type }, { at, splat }) => {
  const value = splatValue(at(inputs[0]));
  return value === undefined ? undefined : splat(value, shape, type);
};

/** Equal splats side by side. */
const concatOfSplats: Rule = ({ inputs, shape, type }, { at, splat }) => {
  const value = splatValue(at(inputs[0]));
  if (value === undefined) return;
  if (inputs.every((input) => Object.is(splatValue(at(input)), value))) {
    return splat(value, shape, type);
  }
};

/** A splat padded with its own value. */
const padOfItsValue: Rule = ({ operation, inputs, shape, type }, { at, splat }) => {
  const value = splatValue(at(inputs[0]));
  if (operation.kind === "pad" && Object.is(value, operation.value)) {
    return splat(operation.value, shape, type);
  }
};

/** Over n equal cells, the sum is n times the cell, an extremum the cell. */
const reduceSplat: Rule = ({ operation, inputs, shape, type }, { at, splat }) => {
  const value = splatValue(at(inputs[0]));
  if (operation.kind !== "reduce" || value === undefined) return;
  const count = sizeOf(at(inputs[0]).shape) / sizeOf(shape);
  if (!(count >= 1)) return; // no cells at all
  return splat(operation.name === "sum" ? value * count : value, shape, type);
};

/** Everything else, where it is small. */
const evaluateNode: Rule = (node, { at, add }) => {
  const { operation, inputs, shape, type } = node;
  if (!isFoldable(node) || operation.kind === "input") return;
  const operands: Operand[] = [];
  let work = 0;
  for (const input of inputs) {
    const { operation, ...rest } = at(input);
    if (operation.kind !== "constant") return;
    work += sizeOf(rest.shape);
    if (work > MOST_WORK) return;
    operands.push({ ...rest, values: expanded(operation.values, sizeOf(rest.shape)) });
  }
  const values = evaluateOperation(operation, operands, { shape, type });
  return add({ kind: "constant", values }, [], { shape, type });
};

function isFoldable({ operation, inputs, shape }: Node): boolean {
  if (inputs.length === 0 || operation.kind === "philox") return false;
  if (operation.kind === "winogradFilter" || operation.kind === "winogradConv2d") return false;
  return operation.kind === "reshape" || sizeOf(shape) <= MOST_CELLS;
}

function expanded(values: Float32Array | Int32Array, size: number): Float32Array | Int32Array {
  if (values.length === size) return values;
  return values instanceof Float32Array
    ? new Float32Array(size).fill(values[0])
    : new Int32Array(size).fill(values[0]);
}

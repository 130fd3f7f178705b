/**
 * @file Identities: operations that give back their operand, or that two in a row are one. None
 * changes a single bit of a result.
 */
import { type Graph, type Node, type Operation, sameShape } from "../graph.ts";
import { isElementwise, rewrite, type Rewriter, type Rule, splatValue } from "./rewrite.ts";

/** Removes identities. */
export function removeIdentities(graph: Graph): Graph {
  return rewrite(graph, {
    reshape: [reshapeToSameShape, reshapeOfReshape],
    transpose: [transposeOfTranspose, transposeOfOnes],
    slice: [sliceOfEverything, sliceOfSlice, sliceOfConcat, sliceOfPad],
    reverse: [reverseOfOnes, reverseOfReverse],
    pad: [padOfNothing, padOfPad],
    concat: [concatOfOne, concatOfConcat, concatOfSlices, concatWithSplat],
    elementwise: [elementwiseOfReshapes],
    reduce: [reduceOverOnes],
    negate: [involution("negate")],
    not: [involution("not"), negatedComparison],
    toFloat: [castToSameType, castOfCast],
    toInt: [castToSameType, castOfCast],
    toBool: [castToSameType, castOfCast],
    select: [equalBranches],
  });
}

/** The operand of a node, with its operation, if it is of the given kind. */
function operandOfKind<Kind extends Operation["kind"]>(
  { inputs }: Node,
  { at }: Rewriter,
  kind: Kind,
): { node: Node; operation: Operation & { kind: Kind } } | undefined {
  const node = at(inputs[0]);
  return node.operation.kind === kind
    ? { node, operation: node.operation as Operation & { kind: Kind } }
    : undefined;
}

const reshapeToSameShape: Rule = ({ inputs, shape }, { at }) =>
  sameShape(at(inputs[0]).shape, shape) ? inputs[0] : undefined;

/** The first of two reshapes does not matter. */
const reshapeOfReshape: Rule = (node, rewriter) => {
  const inner = operandOfKind(node, rewriter, "reshape");
  return inner && rewriter.reshape(inner.node.inputs[0], node.shape);
};

/** Two transpositions are one. */
const transposeOfTranspose: Rule = (node, rewriter) => {
  const inner = operandOfKind(node, rewriter, "transpose");
  if (!inner || node.operation.kind !== "transpose") return;
  const permutation = node.operation.permutation.map((axis) => inner.operation.permutation[axis]);
  return rewriter.add({ kind: "transpose", permutation }, inner.node.inputs);
};

/** A transposition that keeps the order of all axes but those of extent 1 moves no cell. */
const transposeOfOnes: Rule = ({ operation, inputs, shape }, { at, reshape }) => {
  if (operation.kind !== "transpose") return;
  const from = at(inputs[0]).shape;
  const long = operation.permutation.filter((axis) => from[axis] !== 1);
  if (long.every((axis, i) => i === 0 || axis > long[i - 1])) return reshape(inputs[0], shape);
};

const sliceOfEverything: Rule = ({ inputs, shape }, { at }) =>
  sameShape(at(inputs[0]).shape, shape) ? inputs[0] : undefined;

/** Cells begin + stride·i of cells begin' + stride'·i. */
const sliceOfSlice: Rule = (node, rewriter) => {
  const inner = operandOfKind(node, rewriter, "slice");
  if (!inner || node.operation.kind !== "slice") return;
  const { begin, strides, size } = node.operation;
  return rewriter.add({
    kind: "slice",
    begin: begin.map((first, i) => inner.operation.begin[i] + first * inner.operation.strides[i]),
    strides: strides.map((stride, i) => stride * inner.operation.strides[i]),
    size,
  }, inner.node.inputs);
};

/** The last cell that a slice takes along an axis. */
function lastOf({ begin, size, strides }: Operation & { kind: "slice" }, axis: number): number {
  return begin[axis] + (size[axis] - 1) * strides[axis];
}

/** A slice within one of the parts of a concatenation. */
const sliceOfConcat: Rule = (node, rewriter) => {
  const inner = operandOfKind(node, rewriter, "concat");
  if (!inner || node.operation.kind !== "slice") return;
  const { operation } = node, { axis } = inner.operation;
  let start = 0;
  for (const part of inner.node.inputs) {
    const end = start + rewriter.at(part).shape[axis];
    if (start <= operation.begin[axis] && lastOf(operation, axis) < end) {
      const begin = operation.begin.map((first, i) => i === axis ? first - start : first);
      return rewriter.add({ ...operation, begin }, [part]);
    }
    start = end;
  }
};

/** A slice that leaves out what a pad added. */
const sliceOfPad: Rule = (node, rewriter) => {
  const inner = operandOfKind(node, rewriter, "pad");
  if (!inner || node.operation.kind !== "slice") return;
  const { operation } = node, { before, interior } = inner.operation;
  const { shape } = rewriter.at(inner.node.inputs[0]);
  const within = shape.every((extent, i) =>
    interior[i] === 0 && operation.begin[i] >= before[i] &&
    lastOf(operation, i) < before[i] + extent
  );
  if (!within) return;
  const begin = operation.begin.map((first, i) => first - before[i]);
  return rewriter.add({ ...operation, begin }, inner.node.inputs);
};

/** One cell, or no axis, in reverse. */
const reverseOfOnes: Rule = ({ operation, inputs, shape }, { add }) => {
  if (operation.kind !== "reverse") return;
  const axes = operation.axes.filter((axis) => shape[axis] !== 1);
  if (axes.length === 0) return inputs[0];
  if (axes.length < operation.axes.length) return add({ kind: "reverse", axes }, inputs);
};

/** Axes reversed twice are not reversed. */
const reverseOfReverse: Rule = (node, rewriter) => {
  const inner = operandOfKind(node, rewriter, "reverse");
  if (!inner || node.operation.kind !== "reverse") return;
  const [a, b] = [inner.operation.axes, node.operation.axes];
  const axes = [...a.filter((axis) => !b.includes(axis)), ...b.filter((axis) => !a.includes(axis))];
  return rewriter.add({ kind: "reverse", axes: axes.sort((a, b) => a - b) }, inner.node.inputs);
};

const padOfNothing: Rule = ({ inputs, shape }, { at }) =>
  sameShape(at(inputs[0]).shape, shape) ? inputs[0] : undefined;

/** The same value around it twice. */
const padOfPad: Rule = (node, rewriter) => {
  const inner = operandOfKind(node, rewriter, "pad"), outer = node.operation;
  if (!inner || outer.kind !== "pad" || inner.operation.value !== outer.value) return;
  if (outer.interior.some((cells) => cells > 0)) return;
  const before = outer.before.map((cells, i) => cells + inner.operation.before[i]);
  const after = outer.after.map((cells, i) => cells + inner.operation.after[i]);
  return rewriter.add({ ...inner.operation, before, after }, inner.node.inputs);
};

const concatOfOne: Rule = ({ inputs }) => inputs.length === 1 ? inputs[0] : undefined;

/** A concatenation within one along the same axis. */
const concatOfConcat: Rule = ({ operation, inputs }, { at, add, usedOnce }) => {
  if (operation.kind !== "concat") return;
  const { axis } = operation;
  const isPart = (input: number) => {
    const inner = at(input).operation;
    return inner.kind === "concat" && inner.axis === axis && usedOnce(input);
  };
  if (!inputs.some(isPart)) return;
  return add(operation, inputs.flatMap((input) => isPart(input) ? at(input).inputs : [input]));
};

/** Neighbouring slices of one array, side by side again. */
const concatOfSlices: Rule = ({ operation, inputs }, { at, add }) => {
  if (operation.kind !== "concat") return;
  const { axis } = operation;
  for (let i = 1; i < inputs.length; i++) {
    const [left, right] = [at(inputs[i - 1]), at(inputs[i])];
    const joined = joinedSlices(left, right, axis);
    if (!joined) continue;
    return add(operation, [
      ...inputs.slice(0, i - 1),
      add(joined, left.inputs),
      ...inputs.slice(i + 1),
    ]);
  }
};

function joinedSlices(left: Node, right: Node, axis: number): Operation | undefined {
  const [a, b] = [left.operation, right.operation];
  if (a.kind !== "slice" || b.kind !== "slice" || left.inputs[0] !== right.inputs[0]) return;
  if (a.strides[axis] !== 1 || a.begin[axis] + a.size[axis] !== b.begin[axis]) return;
  if (!sameShape(a.strides, b.strides)) return;
  if (a.begin.some((first, i) => i !== axis && first !== b.begin[i])) return;
  const size = a.size.map((extent, i) => i === axis ? extent + b.size[i] : extent);
  return { kind: "slice", begin: a.begin, strides: a.strides, size };
}

/** One value beside something, before or after, is a pad. */
const concatWithSplat: Rule = ({ operation, inputs }, { at, add }) => {
  if (operation.kind !== "concat" || inputs.length < 2) return;
  const [first, last] = [at(inputs[0]), at(inputs[inputs.length - 1])];
  const value = splatValue(last) ?? splatValue(first);
  if (value === undefined) return;
  const atEnd = splatValue(last) !== undefined, part = atEnd ? last : first;
  const none = part.shape.map(() => 0);
  const some = none.with(operation.axis, part.shape[operation.axis]);
  const rest = add(operation, atEnd ? inputs.slice(0, -1) : inputs.slice(1));
  const [before, after] = atEnd ? [none, some] : [some, none];
  return add({ kind: "pad", before, after, interior: none, value }, [rest]);
};

/**
 * Reshapes that all operands share (but for those of a single value) are done once, of the result:
 * there they meet others.
 */
const elementwiseOfReshapes: Rule = ({ operation, inputs, shape }, { at, add, reshape }) => {
  const reshaped = inputs.filter((input) => at(input).operation.kind === "reshape");
  if (reshaped.length === 0) return;
  const from = at(at(reshaped[0]).inputs[0]).shape;
  const operands: number[] = [];
  for (const input of inputs) {
    const node = at(input), [inner] = node.inputs;
    const shared = node.operation.kind === "reshape" && sameShape(node.shape, shape) &&
      sameShape(at(inner).shape, from);
    if (!shared && (shape.length === 0 ? splatValue(node) === undefined : node.shape.length > 0)) {
      return;
    }
    operands.push(shared ? inner : input);
  }
  if (!operands.some((operand) => sameShape(at(operand).shape, from))) return;
  return reshape(add(operation, operands), shape);
};

/** Over no axes, or over single cells. */
const reduceOverOnes: Rule = ({ operation, inputs, shape }, { at, reshape }) => {
  if (operation.kind !== "reduce") return;
  const from = at(inputs[0]).shape;
  if (operation.axes.every((axis) => from[axis] === 1)) return reshape(inputs[0], shape);
};

/** −(−x) = x, not(not x) = x. */
function involution(name: "negate" | "not"): Rule {
  return ({ inputs }, { at }) => {
    const inner = at(inputs[0]);
    return isElementwise(inner, name) ? inner.inputs[0] : undefined;
  };
}

/** not(a = b) is a ≠ b, and the reverse. (Of the others only for integers: NaN.) */
const negatedComparison: Rule = ({ inputs }, { at, elementwise }) => {
  const inner = at(inputs[0]);
  if (isElementwise(inner, "equal")) return elementwise("notEqual", ...inner.inputs);
  if (isElementwise(inner, "notEqual")) return elementwise("equal", ...inner.inputs);
};

const castToSameType: Rule = ({ inputs, type }, { at }) =>
  at(inputs[0]).type === type ? inputs[0] : undefined;

/** A bool is a bool after any cast. (An int32 is not itself after a cast to float32.) */
const castOfCast: Rule = ({ operation, inputs, type }, { at, elementwise }) => {
  const inner = at(inputs[0]);
  if (!isElementwise(inner, "toFloat") && !isElementwise(inner, "toInt")) return;
  if (operation.kind !== "elementwise" || at(inner.inputs[0]).type !== "bool") return;
  return type === "bool" ? inner.inputs[0] : elementwise(operation.name, inner.inputs[0]);
};

/** The same on both sides, whatever the condition. */
const equalBranches: Rule = ({ inputs: [, a, b], shape }, { broadcast }) =>
  a === b ? broadcast(a, shape) : undefined;

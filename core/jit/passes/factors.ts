/**
 * @file Factors: products are reordered so that large arrays are multiplied with each other first
 * and with small ones, constants last of all, at the end. There small factors meet, and are
 * multiplied with each other before they touch anything large; and a sum finds them where it can
 * take them out. Division by a small array becomes multiplication by its reciprocal. All of this is
 * within rounding, for numbers away from the ends of float32's range. (The idea is LLVM's Reassociate,
 * with sizes as ranks.)
 */
import { broadcastShape, type Graph, type Node, sizeOf } from "../graph.ts";
import { isElementwise, rewrite, type Rewriter, type Rule, splatValue } from "./rewrite.ts";

/** Reorders products. */
export function orderFactors(graph: Graph): Graph {
  return rewrite(graph, {
    multiply: [smallFactorsTogether, smallFactorLast],
    divide: [divisionBySmall, smallFactorLast],
    add: [commonFactor],
    subtract: [commonFactor],
  });
}

/** The number of cells that a factor brings: a constant's none. */
function weight(node: Node): number {
  return splatValue(node) === undefined ? sizeOf(node.shape) : 0;
}

/** A product's operands, the heavier one first. */
function factorsOf(product: Node, { at }: Rewriter): readonly number[] {
  const [a, b] = product.inputs;
  return weight(at(a)) >= weight(at(b)) ? [a, b] : [b, a];
}

/** (x·s)·t = x·(s·t), where s·t is smaller than x·s: each time less is left to multiply. */
const smallFactorsTogether: Rule = ({ inputs, type }, rewriter) => {
  if (type !== "float32") return;
  const { at, elementwise } = rewriter;
  for (const side of [0, 1]) {
    const product = at(inputs[side]), t = inputs[1 - side];
    if (!isElementwise(product, "multiply")) continue;
    const [x, s] = factorsOf(product, rewriter);
    if (splatValue(at(s)) !== undefined && splatValue(at(t)) !== undefined) continue;
    if (sizeOf(broadcastShape([at(s).shape, at(t).shape])) >= sizeOf(product.shape)) continue;
    return elementwise("multiply", x, elementwise("multiply", s, t));
  }
};

/** (x·s)·y = (x·y)·s and (x·s)/y = (x/y)·s, for an s that is smaller than y. */
const smallFactorLast: Rule = ({ operation, inputs, shape, type }, rewriter) => {
  if (type !== "float32") return;
  const { at, add, elementwise, usedOnce } = rewriter, size = sizeOf(shape);
  const sides = operation.kind === "elementwise" && operation.name === "divide" ? [0] : [0, 1];
  for (const side of sides) {
    const product = at(inputs[side]), y = at(inputs[1 - side]);
    if (!isElementwise(product, "multiply") || !usedOnce(inputs[side])) continue;
    const [x, s] = factorsOf(product, rewriter);
    if (weight(at(s)) >= weight(y) || weight(y) < size || sizeOf(product.shape) < size) continue;
    return elementwise("multiply", add(operation, inputs.with(side, x)), s);
  }
};

/** So many times smaller must a divisor be. */
const SMALL = 4;

/** x / s = x · (1/s): few divisions instead of many. */
const divisionBySmall: Rule = ({ inputs: [x, s], shape }, { at, elementwise }) => {
  if (splatValue(at(s)) !== undefined) return;
  if (sizeOf(at(s).shape) * SMALL > sizeOf(shape)) return;
  return elementwise("multiply", x, elementwise("reciprocal", s));
};

/** x·s + y·s = (x + y)·s, x·s + y·(−s) = (x − y)·s, for an s that is small or a constant. */
const commonFactor: Rule = (node, rewriter) => {
  const { inputs, shape, type } = node;
  const { at, elementwise, usedOnce } = rewriter;
  const [left, right] = inputs.map(at);
  if (type !== "float32" || inputs[0] === inputs[1] || !inputs.every(usedOnce)) return;
  if (!isElementwise(left, "multiply") || !isElementwise(right, "multiply")) return;
  const [x, s] = factorsOf(left, rewriter), [y, t] = factorsOf(right, rewriter);
  if (weight(at(s)) >= sizeOf(shape)) return;
  const a = splatValue(at(s)), b = splatValue(at(t));
  const isSum = isElementwise(node, "add");
  if (s === t || (a !== undefined && a === b)) {
    return elementwise("multiply", elementwise(isSum ? "add" : "subtract", x, y), s);
  }
  if (a !== undefined && a === -b!) {
    return elementwise("multiply", elementwise(isSum ? "subtract" : "add", x, y), s);
  }
};

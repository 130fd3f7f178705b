/**
 * @file Algebra: laws of arithmetic that make elementwise work less. A law is used where it holds
 * for all floating-point numbers up to rounding and to the sign of zero, infinities and NaN
 * included; so 0·x is 0 only where x is known to be finite, and a sum of constants is taken only
 * where none cancels another. Constants stand on the right of operations that commute, and minus
 * signs move outwards, where they meet others.
 */
import type { ElementwiseName } from "../elementwise.ts";
import { type Graph, type Node, sameShape } from "../graph.ts";
import { isElementwise, rewrite, type Rewriter, type Rule, splatValue } from "./rewrite.ts";

/** Simplifies elementwise arithmetic. */
export function simplifyAlgebra(graph: Graph): Graph {
  return rewrite(graph, {
    add: [constantToTheRight, plusZero, constants("add", "add"), negativeTerm, plusItself],
    subtract: [constantTerm, zeroMinus, negativeTerm],
    multiply: [
      constantToTheRight,
      timesOne,
      timesMinusOne,
      timesZero,
      constants("multiply", "multiply"),
      constants("divide", "multiply"),
      bothNegative,
      negativeTimesConstant,
      negativeFactor,
      timesItself,
      timesReciprocal,
    ],
    divide: [
      timesOne,
      divideExactly,
      constants("multiply", "divide"),
      constants("divide", "divide"),
      oneDividedBy,
      bothNegative,
      negativeTimesConstant,
      negativeFactor,
    ],
    negate: [negatedDifference, negatedSum, negatedProduct],
    reciprocal: [reciprocalOfRoot],
    power: [wholePower, rootPower],
    square: [evenFunction],
    absolute: [evenFunction, absoluteOfPositive],
    cosine: [evenFunction],
    maximum: [constantToTheRight, ofItself],
    minimum: [constantToTheRight, ofItself],
    and: [constantToTheRight, ofItself, andConstant],
    or: [constantToTheRight, ofItself, orConstant],
    equal: [constantToTheRight],
    notEqual: [constantToTheRight],
    select: [constantCondition, negatedCondition, selectOneOrZero],
  });
}

/** The value that an operand has in all cells, if it is a constant. */
function constant({ inputs }: Node, operand: number, { at }: Rewriter): number | undefined {
  return splatValue(at(inputs[operand]));
}

/** a ∘ b = b ∘ a: a constant is the right operand, so that other rules look for it there only. */
const constantToTheRight: Rule = (node, { at, add }) => {
  const [a, b] = node.inputs;
  if (at(a).operation.kind !== "constant" || at(b).operation.kind === "constant") return;
  return add(node.operation, [b, a]);
};

/** x + 0 = x (but −0 + 0 is 0). */
const plusZero: Rule = (node, rewriter) =>
  constant(node, 1, rewriter) === 0 ? rewriter.broadcast(node.inputs[0], node.shape) : undefined;

/** x · 1 = x / 1 = x. */
const timesOne: Rule = (node, rewriter) =>
  constant(node, 1, rewriter) === 1 ? rewriter.broadcast(node.inputs[0], node.shape) : undefined;

/** x · −1 = −x. */
const timesMinusOne: Rule = (node, rewriter) =>
  constant(node, 1, rewriter) === -1
    ? rewriter.elementwise("negate", rewriter.broadcast(node.inputs[0], node.shape))
    : undefined;

/** x · 0 = 0 for an x that cannot be NaN or infinite. */
const timesZero: Rule = (node, rewriter) =>
  constant(node, 1, rewriter) === 0 && isFinite(rewriter.at(node.inputs[0]), rewriter)
    ? rewriter.splat(0, node.shape, node.type)
    : undefined;

/** Whether a value is finite whatever the arguments: numbers made from integers, and draws. */
function isFinite({ operation, inputs, type }: Node, { at }: Rewriter): boolean {
  if (type !== "float32") return true;
  if (operation.kind === "constant") return operation.values.every(Number.isFinite);
  if (operation.kind === "philox") return true;
  return operation.kind === "elementwise" && operation.name === "toFloat" &&
    at(inputs[0]).type !== "float32";
}

/** What two constants come to where one is applied after another. */
const combined: Record<string, (inner: number, outer: number) => [ElementwiseName, number]> = {
  "add add": (a, b) => ["add", a + b],
  "multiply multiply": (a, b) => ["multiply", a * b],
  "multiply divide": (a, b) => ["multiply", a / b],
  "divide multiply": (a, b) => ["multiply", b / a],
  "divide divide": (a, b) => ["divide", a * b],
};

/**
 * (x · a) · b = x · (a·b), and the like for a sum and quotients. Not where the result over- or
 * underflows, and not for a sum of different signs: (x + 1) − 1 is x rounded, on purpose perhaps.
 */
function constants(inner: ElementwiseName, outer: ElementwiseName): Rule {
  return (node, rewriter) => {
    const first = rewriter.at(node.inputs[0]);
    if (!isElementwise(first, inner) || node.type !== "float32") return;
    const a = constant(first, 1, rewriter), b = constant(node, 1, rewriter);
    if (a === undefined || b === undefined) return;
    if (inner === "add" && Math.sign(a) !== Math.sign(b)) return;
    const [name, value] = combined[`${inner} ${outer}`](a, b);
    if (!isNormal(value)) return;
    const x = rewriter.elementwise(name, first.inputs[0], rewriter.splat(value));
    return rewriter.broadcast(x, node.shape);
  };
}

/** Whether a number is a float32 in full precision, neither zero nor infinite. */
function isNormal(value: number): boolean {
  const rounded = Math.abs(Math.fround(value));
  return rounded >= 2 ** -126 && rounded < Infinity;
}

/** x − c = x + (−c): sums with constants have one form. */
const constantTerm: Rule = (node, rewriter) => {
  const value = constant(node, 1, rewriter);
  if (value === undefined || node.type !== "float32") return;
  return rewriter.elementwise(
    "add",
    node.inputs[0],
    rewriter.splat(-value, shapeOf(node, 1, rewriter)),
  );
};

function shapeOf({ inputs }: Node, operand: number, { at }: Rewriter): readonly number[] {
  return at(inputs[operand]).shape;
}

/** 0 − x = −x (but 0 − 0 is 0). */
const zeroMinus: Rule = (node, rewriter) =>
  constant(node, 0, rewriter) === 0
    ? rewriter.elementwise("negate", rewriter.broadcast(node.inputs[1], node.shape))
    : undefined;

/** a + (−b) = a − b, (−a) + b = b − a, a − (−b) = a + b, (−a) − b = −(a + b). */
const negativeTerm: Rule = (node, { at, elementwise }) => {
  const [a, b] = node.inputs, isSum = isElementwise(node, "add");
  if (isElementwise(at(b), "negate")) {
    return elementwise(isSum ? "subtract" : "add", a, at(b).inputs[0]);
  }
  if (!isElementwise(at(a), "negate")) return;
  const positive = at(a).inputs[0];
  if (isSum) return elementwise("subtract", b, positive);
  return elementwise("negate", elementwise("add", positive, b));
};

/** (−a) · (−b) = a · b, and of quotients. */
const bothNegative: Rule = ({ operation, inputs: [a, b] }, { at, add }) =>
  isElementwise(at(a), "negate") && isElementwise(at(b), "negate")
    ? add(operation, [at(a).inputs[0], at(b).inputs[0]])
    : undefined;

/** (−x) · c = x · (−c), and of quotients. */
const negativeTimesConstant: Rule = (node, rewriter) => {
  const [a] = node.inputs, value = constant(node, 1, rewriter), { at, splat } = rewriter;
  if (value === undefined || !isElementwise(at(a), "negate") || node.type !== "float32") return;
  return rewriter.add(node.operation, [at(a).inputs[0], splat(-value, shapeOf(node, 1, rewriter))]);
};

/** (−a) · b = −(a · b), where that is no more work: signs meet others further out. */
const negativeFactor: Rule = ({ operation, inputs, shape }, { at, add, elementwise, usedOnce }) => {
  const side = inputs.findIndex((input) => isElementwise(at(input), "negate"));
  if (side < 0 || !usedOnce(inputs[side]) || !sameShape(at(inputs[side]).shape, shape)) return;
  return elementwise("negate", add(operation, inputs.with(side, at(inputs[side]).inputs[0])));
};

/** x + x = x · 2, which meets other constants. */
const plusItself: Rule = ({ inputs: [a, b], type }, { elementwise, splat }) =>
  a === b && type === "float32" ? elementwise("multiply", a, splat(2)) : undefined;

/** x · x = x². */
const timesItself: Rule = ({ inputs: [a, b], type }, { elementwise }) =>
  a === b && type === "float32" ? elementwise("square", a) : undefined;

/** a · (1/b) = a/b, unless one reciprocal serves many cells or users. */
const timesReciprocal: Rule = ({ inputs, shape }, { at, elementwise, usedOnce }) => {
  const side = inputs.findIndex((input) => isElementwise(at(input), "reciprocal"));
  if (side < 0 || !usedOnce(inputs[side]) || !sameShape(at(inputs[side]).shape, shape)) return;
  return elementwise("divide", inputs[1 - side], at(inputs[side]).inputs[0]);
};

/** x / 2ⁿ = x · 2⁻ⁿ, exactly. */
const divideExactly: Rule = (node, rewriter) => {
  const value = constant(node, 1, rewriter);
  if (value === undefined || node.type !== "float32" || !isNormal(value)) return;
  if (!isNormal(1 / value) || !Number.isInteger(Math.log2(Math.abs(value)))) return;
  const factor = rewriter.splat(1 / value, shapeOf(node, 1, rewriter));
  return rewriter.elementwise("multiply", node.inputs[0], factor);
};

/** 1 / x, by its name. */
const oneDividedBy: Rule = (node, rewriter) =>
  constant(node, 0, rewriter) === 1
    ? rewriter.elementwise("reciprocal", rewriter.broadcast(node.inputs[1], node.shape))
    : undefined;

/** 1 / √x, by its name. */
const reciprocalOfRoot: Rule = ({ inputs: [a] }, { at, elementwise }) =>
  isElementwise(at(a), "squareRoot")
    ? elementwise("reciprocalSquareRoot", at(a).inputs[0])
    : undefined;

/** −(a − b) = b − a (but for the sign of zero). */
const negatedDifference: Rule = ({ inputs: [a] }, { at, elementwise, usedOnce }) =>
  isElementwise(at(a), "subtract") && usedOnce(a)
    ? elementwise("subtract", at(a).inputs[1], at(a).inputs[0])
    : undefined;

/** −(x + c) = (−c) − x. */
const negatedSum: Rule = ({ inputs: [a], type }, rewriter) => {
  const sum = rewriter.at(a);
  if (!isElementwise(sum, "add") || type !== "float32" || !rewriter.usedOnce(a)) return;
  const value = constant(sum, 1, rewriter);
  if (value === undefined) return;
  const negative = rewriter.splat(-value, shapeOf(sum, 1, rewriter));
  return rewriter.elementwise("subtract", negative, sum.inputs[0]);
};

/** −(x · c) = x · (−c), and of quotients. */
const negatedProduct: Rule = ({ inputs: [a], type }, rewriter) => {
  const product = rewriter.at(a);
  if (!isElementwise(product, "multiply") && !isElementwise(product, "divide")) return;
  const value = constant(product, 1, rewriter);
  if (value === undefined || type !== "float32" || !rewriter.usedOnce(a)) return;
  const negative = rewriter.splat(-value, shapeOf(product, 1, rewriter));
  return rewriter.add(product.operation, [product.inputs[0], negative]);
};

/** x⁰ = 1, x¹ = x, x² and x³ by products, and 1 over those; for all x, NaN⁰ included. */
const wholePower: Rule = (node, rewriter) => {
  const value = constant(node, 1, rewriter), { elementwise } = rewriter;
  if (value === undefined || node.type !== "float32" || !Number.isInteger(value)) return;
  if (value === 0) return rewriter.splat(1, node.shape);
  if (Math.abs(value) > 3) return;
  const x = rewriter.broadcast(node.inputs[0], node.shape);
  const powers = [
    () => x,
    () => elementwise("square", x),
    () => elementwise("multiply", elementwise("square", x), x),
  ];
  const power = powers[Math.abs(value) - 1]();
  return value > 0 ? power : elementwise("reciprocal", power);
};

/** x^½ = √x and x^−½ = 1/√x where x is no −∞ and no −0. */
const rootPower: Rule = (node, rewriter) => {
  const value = constant(node, 1, rewriter);
  if (value === undefined || Math.abs(value) !== 0.5) return;
  if (!isPositive(rewriter.at(node.inputs[0]), rewriter)) return;
  const name = value > 0 ? "squareRoot" : "reciprocalSquareRoot";
  return rewriter.elementwise(name, rewriter.broadcast(node.inputs[0], node.shape));
};

/**
 * Whether a value is +0, positive or NaN whatever the arguments, as far as a short look can tell.
 * Sums and products of positive integers may overflow.
 */
function isPositive({ operation, inputs, type }: Node, rewriter: Rewriter, depth = 4): boolean {
  if (type !== "float32") return false;
  const arePositive = () =>
    depth > 0 && inputs.every((input) => isPositive(rewriter.at(input), rewriter, depth - 1));
  if (operation.kind === "constant") {
    return operation.values.every((x) => x >= 0 && !Object.is(x, -0));
  }
  if (operation.kind === "reduce") return operation.name === "sum" && arePositive();
  if (operation.kind === "broadcast" || operation.kind === "reshape") return arePositive();
  if (operation.kind !== "elementwise") return false;
  if (["square", "absolute", "exponential", "sigmoid"].includes(operation.name)) return true;
  return ["add", "multiply", "divide", "squareRoot", "maximum"].includes(operation.name) &&
    arePositive();
}

/** f(−x) = f(x), and f(|x|) = f(x). */
const evenFunction: Rule = ({ operation, inputs: [a] }, { at, add }) =>
  isElementwise(at(a), "negate") || isElementwise(at(a), "absolute")
    ? add(operation, at(a).inputs)
    : undefined;

/** |x| = x for x ≥ 0. */
const absoluteOfPositive: Rule = ({ inputs: [a] }, rewriter) =>
  isPositive(rewriter.at(a), rewriter) ? a : undefined;

/** max(x, x) = x, and the like. */
const ofItself: Rule = ({ inputs: [a, b] }) => a === b ? a : undefined;

/** a and true = a, a and false = false. */
const andConstant: Rule = (node, rewriter) => {
  const value = constant(node, 1, rewriter);
  if (value === undefined) return;
  if (value === 0) return rewriter.splat(0, node.shape, "bool");
  return rewriter.broadcast(node.inputs[0], node.shape);
};

/** a or false = a, a or true = true. */
const orConstant: Rule = (node, rewriter) => {
  const value = constant(node, 1, rewriter);
  if (value === undefined) return;
  if (value !== 0) return rewriter.splat(1, node.shape, "bool");
  return rewriter.broadcast(node.inputs[0], node.shape);
};

/** A choice that is made. */
const constantCondition: Rule = (node, rewriter) => {
  const value = constant(node, 0, rewriter);
  return value === undefined
    ? undefined
    : rewriter.broadcast(node.inputs[value ? 1 : 2], node.shape);
};

/** Where not c: a, else b, is where c: b, else a. */
const negatedCondition: Rule = ({ inputs: [condition, a, b] }, { at, elementwise }) =>
  isElementwise(at(condition), "not")
    ? elementwise("select", at(condition).inputs[0], b, a)
    : undefined;

/** 1 where c, else 0, is c as a number. */
const selectOneOrZero: Rule = (node, rewriter) => {
  if (constant(node, 1, rewriter) !== 1 || constant(node, 2, rewriter) !== 0) return;
  const condition = rewriter.broadcast(node.inputs[0], node.shape);
  if (node.type === "bool") return condition;
  return rewriter.elementwise(node.type === "float32" ? "toFloat" : "toInt", condition);
};

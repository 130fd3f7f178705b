/**
 * @file TensorFlow.js's elementwise kernels in the compiler's functions. Where NaN goes in, it comes
 * out, as in the kernels of TensorFlow.js's CPU backend.
 */
import type { ElementwiseName } from "../elementwise.ts";
import {
  type Attributes,
  dataType,
  type Lowering,
  type Lowerings,
  type Recorder,
} from "./recorder.ts";
import { atLine } from "./user_line.ts";

type Unary = (graph: Recorder, x: number, attributes: Attributes) => number;
type Binary = (graph: Recorder, a: number, b: number) => number;

function unary(lower: Unary): Lowering {
  return (graph, { x }, attributes) => lower(graph, x, attributes);
}

/** A function of floats: integers become floats first. */
function float(lower: ElementwiseName | Unary): Lowering {
  return unary((graph, x, attributes) => {
    const argument = graph.cast(x, "float32");
    return typeof lower === "string"
      ? graph.elementwise(lower, argument)
      : lower(graph, argument, attributes);
  });
}

/** A function of floats or integers. */
function number(name: ElementwiseName): Lowering {
  return unary((graph, x) => graph.elementwise(name, graph.numeric(x)[0]));
}

/** To whole numbers, which integers are. */
function rounding(name: ElementwiseName): Lowering {
  return unary((graph, x) => graph.type(x) === "float32" ? graph.elementwise(name, x) : x);
}

/** Of two numbers of one type; the result is of that type. */
function binary(lower: ElementwiseName | Binary): Lowering {
  return (graph, { a, b }) => {
    const bool = graph.type(a) === "bool" && graph.type(b) === "bool";
    const [left, right] = graph.numeric(a, b);
    const result = typeof lower === "string"
      ? graph.elementwise(lower, left, right)
      : lower(graph, left, right);
    return bool ? graph.cast(result, "bool") : result;
  };
}

function comparison(name: ElementwiseName): Lowering {
  return (graph, { a, b }) => graph.elementwise(name, ...graph.numeric(a, b));
}

function logic(name: ElementwiseName): Lowering {
  return (graph, { a, b }) => graph.elementwise(name, graph.cast(a, "bool"), graph.cast(b, "bool"));
}

function square(graph: Recorder, x: number): number {
  return graph.type(x) === "float32"
    ? graph.elementwise("square", x)
    : graph.elementwise("multiply", x, x);
}

function scaled(graph: Recorder, x: number, factor: number): number {
  return graph.elementwise("multiply", x, graph.number(factor));
}

function half(graph: Recorder, x: number): number {
  return scaled(graph, x, 0.5);
}

function isBelowZero(graph: Recorder, x: number): number {
  return graph.elementwise("less", x, graph.number(0, x));
}

function relu(graph: Recorder, x: number): number {
  const [argument] = graph.numeric(x);
  return graph.elementwise("maximum", argument, graph.number(0, argument));
}

function clip(graph: Recorder, x: number, low: number, high: number): number {
  const above = graph.elementwise("maximum", x, graph.number(low, x));
  return graph.elementwise("minimum", above, graph.number(high, x));
}

/** x where it is positive, `slope`·x elsewhere. */
function leaky(graph: Recorder, x: number, slope: number): number {
  const below = graph.elementwise("multiply", slope, x);
  return graph.elementwise("select", isBelowZero(graph, x), below, x);
}

function elu(graph: Recorder, x: number): number {
  const below = graph.elementwise("exponentialMinusOne", x);
  return graph.elementwise("select", isBelowZero(graph, x), below, x);
}

const SELU_SCALE = 1.0507009873554805, SELU_ALPHA = 1.6732632423543772;

/** 1 where x > 0, `alpha` elsewhere. */
function step(graph: Recorder, x: number, alpha: number): number {
  const positive = graph.elementwise("greater", x, graph.number(0, x));
  const heaviside = graph.elementwise("select", positive, graph.number(1), graph.number(alpha));
  return graph.elementwise("select", graph.elementwise("isNaN", x), x, heaviside);
}

/** log(1 + eˣ) = max(x, 0) + log1p(e^−|x|). */
function softplus(graph: Recorder, x: number): number {
  const decay = graph.elementwise("negate", graph.elementwise("absolute", x));
  const rest = graph.elementwise("logarithmOnePlus", graph.elementwise("exponential", decay));
  return graph.elementwise("add", relu(graph, x), rest);
}

/** ½(t + t/(t + 1)) with t = eˣ − 1 for x ≥ 0, which cancels nothing near 0. */
function hyperbolicSine(graph: Recorder, x: number): number {
  const t = graph.elementwise("exponentialMinusOne", graph.elementwise("absolute", x));
  // Beyond it the quotient is 1, where ∞/∞ would be NaN.
  const bounded = graph.elementwise("minimum", t, graph.number(1e30));
  const onePlus = graph.elementwise("add", bounded, graph.number(1));
  const quotient = graph.elementwise("divide", bounded, onePlus);
  const size = half(graph, graph.elementwise("add", t, quotient));
  return graph.elementwise("multiply", graph.elementwise("sign", x), size);
}

function hyperbolicCosine(graph: Recorder, x: number): number {
  const growth = graph.elementwise("exponential", graph.elementwise("absolute", x));
  const decay = graph.elementwise("reciprocal", growth);
  return half(graph, graph.elementwise("add", growth, decay));
}

/** sign(x) log1p(|x| + |x|/(r + √(1 + r²))) with r = 1/|x|: nothing overflows. */
function inverseHyperbolicSine(graph: Recorder, x: number): number {
  const size = graph.elementwise("absolute", x);
  const r = graph.elementwise("reciprocal", size);
  const onePlus = graph.elementwise("add", graph.elementwise("square", r), graph.number(1));
  const divisor = graph.elementwise("add", r, graph.elementwise("squareRoot", onePlus));
  const quotient = graph.elementwise("divide", size, divisor);
  const sum = graph.elementwise("add", size, quotient);
  const logarithm = graph.elementwise("logarithmOnePlus", sum);
  return graph.elementwise("multiply", graph.elementwise("sign", x), logarithm);
}

/** log(x + √(x − 1) √(x + 1)). */
function inverseHyperbolicCosine(graph: Recorder, x: number): number {
  const one = graph.number(1);
  const below = graph.elementwise("squareRoot", graph.elementwise("subtract", x, one));
  const above = graph.elementwise("squareRoot", graph.elementwise("add", x, one));
  const product = graph.elementwise("multiply", below, above);
  return graph.elementwise("logarithm", graph.elementwise("add", x, product));
}

/** ½(log1p(x) − log1p(−x)). */
function inverseHyperbolicTangent(graph: Recorder, x: number): number {
  const up = graph.elementwise("logarithmOnePlus", x);
  const down = graph.elementwise("logarithmOnePlus", graph.elementwise("negate", x));
  return half(graph, graph.elementwise("subtract", up, down));
}

function squaredDifference(graph: Recorder, a: number, b: number): number {
  return square(graph, graph.elementwise("subtract", a, b));
}

/** The value that a node has in every cell, where that is known. */
function constantValue(graph: Recorder, x: number): number | undefined {
  const { operation } = graph.node(x);
  return operation.kind === "constant" && operation.values.length === 1
    ? operation.values[0]
    : undefined;
}

/** Integers are multiplied where the exponent is known, and go by way of floats elsewhere. */
function power(graph: Recorder, a: number, b: number): number {
  if (graph.type(a) === "float32") return graph.elementwise("power", a, b);
  const exponent = constantValue(graph, b);
  if (exponent !== undefined && exponent >= 1 && exponent <= 8 && graph.size(b) === 1) {
    let product = a;
    for (let i = 1; i < exponent; i++) product = graph.elementwise("multiply", product, a);
    return product;
  }
  const [base, by] = [graph.cast(a, "float32"), graph.cast(b, "float32")];
  return graph.cast(graph.elementwise("round", graph.elementwise("power", base, by)), "int32");
}

/** In integers, and of floats too the result is one. */
const floorDivide: Lowering = (graph, { a, b }) => {
  const [dividend, divisor] = graph.numeric(a, b);
  return graph.cast(graph.elementwise("floorDivide", dividend, divisor), "int32");
};

/** A condition of rank 1 picks whole rows. */
const select: Lowering = (graph, { condition, t, e }) => {
  const [yes, no] = graph.type(t) === "bool" && graph.type(e) === "bool"
    ? [t, e]
    : graph.numeric(t, e);
  const shape = graph.shape(condition), rank = graph.shape(t).length;
  const rows = shape.length === 1 && rank > 1
    ? graph.reshape(condition, [shape[0], ...Array(rank - 1).fill(1)])
    : condition;
  return graph.elementwise("select", graph.cast(rows, "bool"), yes, no);
};

const addAll: Lowering = (graph, inputs) =>
  graph.numeric(...Object.values(inputs)).reduce((sum, x) => graph.elementwise("add", sum, x));

/** dy where the output is not negative, dy·(y + 1) elsewhere. */
const eluGradient: Lowering = (graph, { dy, y }) => {
  const slope = graph.elementwise("add", y, graph.number(1));
  const below = graph.elementwise("multiply", dy, slope);
  return graph.elementwise("select", isBelowZero(graph, y), below, dy);
};

/** (x − mean)/√(variance + ε)·scale + offset. */
const batchNorm: Lowering = (graph, { x, mean, variance, offset, scale }, attributes) => {
  const epsilon = (attributes.varianceEpsilon as number | undefined) ?? 0.001;
  const spread = graph.elementwise("add", variance, graph.number(epsilon));
  const inverse = graph.elementwise("reciprocalSquareRoot", spread);
  const factor = scale === undefined ? inverse : graph.elementwise("multiply", inverse, scale);
  const centred = graph.elementwise("subtract", x, mean);
  const product = graph.elementwise("multiply", centred, factor);
  return offset === undefined ? product : graph.elementwise("add", product, offset);
};

/**
 * The activation that ends a fused kernel.
 *
 * @returns undefined for one that TensorFlow.js does not name
 */
export function activate(
  graph: Recorder,
  x: number,
  { activation, leakyreluAlpha }: Attributes,
  weights: number | undefined,
): number | undefined {
  switch (activation) {
    case undefined:
    case null:
    case "linear":
      return x;
    case "relu":
      return relu(graph, x);
    case "relu6":
      return clip(graph, x, 0, 6);
    case "elu":
      return elu(graph, x);
    case "sigmoid":
      return graph.elementwise("sigmoid", x);
    case "leakyrelu":
      return leaky(graph, x, graph.number(leakyreluAlpha as number));
    case "prelu":
      return leaky(graph, x, weights!);
  }
  return undefined;
}

/** The elementwise kernels. */
export const elementwiseKernels: Lowerings = {
  Abs: number("absolute"),
  Acosh: float(inverseHyperbolicCosine),
  Add: binary("add"),
  AddN: addAll,
  Asinh: float(inverseHyperbolicSine),
  Atanh: float(inverseHyperbolicTangent),
  Cast: unary((graph, x, { dtype }) =>
    graph.cast(x, dataType(dtype as string, `a cast${atLine(graph.position().line)}`))
  ),
  Ceil: rounding("ceiling"),
  ClipByValue: unary((graph, x, { clipValueMin, clipValueMax }) =>
    clip(graph, graph.numeric(x)[0], clipValueMin as number, clipValueMax as number)
  ),
  Cos: float("cosine"),
  Cosh: float(hyperbolicCosine),
  Elu: float(elu),
  EluGrad: eluGradient,
  Equal: comparison("equal"),
  Erf: float("errorFunction"),
  Exp: float("exponential"),
  Expm1: float("exponentialMinusOne"),
  Floor: rounding("floor"),
  FloorDiv: floorDivide,
  FusedBatchNorm: batchNorm,
  Greater: comparison("greater"),
  GreaterEqual: comparison("greaterEqual"),
  Identity: unary((_graph, x) => x),
  IsFinite: float("isFinite"),
  IsInf: float("isInfinite"),
  IsNan: float("isNaN"),
  LeakyRelu: float((graph, x, { alpha }) => leaky(graph, x, graph.number(alpha as number))),
  Less: comparison("less"),
  LessEqual: comparison("lessEqual"),
  Log: float("logarithm"),
  Log1p: float("logarithmOnePlus"),
  LogicalAnd: logic("and"),
  LogicalNot: unary((graph, x) => graph.elementwise("not", graph.cast(x, "bool"))),
  LogicalOr: logic("or"),
  Maximum: binary("maximum"),
  Minimum: binary("minimum"),
  Mod: binary("modulo"),
  Multiply: binary("multiply"),
  Neg: number("negate"),
  NotEqual: comparison("notEqual"),
  Pow: binary(power),
  Prelu: (graph, { x, alpha }) => leaky(graph, x, alpha),
  RealDiv: binary((graph, a, b) =>
    graph.elementwise("divide", graph.cast(a, "float32"), graph.cast(b, "float32"))
  ),
  Reciprocal: float("reciprocal"),
  Relu: unary(relu),
  Relu6: float((graph, x) => clip(graph, x, 0, 6)),
  Round: rounding("round"),
  Rsqrt: float("reciprocalSquareRoot"),
  Select: select,
  Selu: float((graph, x) => {
    const below = scaled(graph, graph.elementwise("exponentialMinusOne", x), SELU_ALPHA);
    const unscaled = graph.elementwise("select", isBelowZero(graph, x), below, x);
    return scaled(graph, unscaled, SELU_SCALE);
  }),
  Sigmoid: float("sigmoid"),
  Sign: number("sign"),
  Sin: float("sine"),
  Sinh: float(hyperbolicSine),
  Softplus: float(softplus),
  Sqrt: float("squareRoot"),
  Square: unary((graph, x) => square(graph, graph.numeric(x)[0])),
  SquaredDifference: binary(squaredDifference),
  Step: float((graph, x, { alpha }) => step(graph, x, alpha as number)),
  Sub: binary("subtract"),
  Tan: float((graph, x) =>
    graph.elementwise("divide", graph.elementwise("sine", x), graph.elementwise("cosine", x))
  ),
  Tanh: float("hyperbolicTangent"),
};

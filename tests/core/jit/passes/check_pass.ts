/**
 * @file How passes are tested: a small graph and the expression that is to become of it, with a
 * check that the values have not changed, on ordinary numbers and on the special ones.
 */
import { assert, assertAlmostEquals, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { evaluate, type Values } from "../../../../core/jit/evaluate.ts";
import {
  type Graph,
  GraphBuilder,
  type Operation,
  sizeOf,
  type ValueType,
} from "../../../../core/jit/graph.ts";
import type { Pass } from "../../../../core/jit/passes/rewrite.ts";
import { assertSameResults, programs, type StepKind } from "../random_graphs.ts";

/** A graph of one result, "y". */
export function graphOf(build: (builder: GraphBuilder) => number): Graph {
  const builder = new GraphBuilder();
  return builder.finish([{ name: "y", node: build(builder) }]);
}

/** A float32 argument. */
export function float(builder: GraphBuilder, name: string, ...shape: number[]): number {
  return builder.input(name, { shape, type: "float32" });
}

/** A constant with a value for each cell. */
export function cells(builder: GraphBuilder, values: number[], shape = [values.length]): number {
  const given: ValueType = { shape, type: "float32" };
  return builder.add({ kind: "constant", values: Float32Array.from(values) }, [], { given });
}

/** What {@link check} compares, beside the expression. */
export interface CheckOptions {
  /** Numbers that arguments are made of. Default all sorts, with 0, ±∞ and NaN. */
  readonly numbers?: readonly number[];
}

const ordinary = [0.75, -1.25, 2, -3, 0.1, 5.5, 1, -0.3];
const special = [0, -0, 1, -1, Infinity, -Infinity, NaN, 1e-3, 3e5];

/**
 * Asserts that a pass makes the expected expression of a graph, or leaves it alone (`expected`
 * null), that it is then done, and that shapes, names and values stay: the values to rounding, and
 * to the sign of zero.
 */
export function check(
  pass: Pass,
  build: (builder: GraphBuilder) => number,
  expected: string | null,
  { numbers = [...special, ...ordinary] }: CheckOptions = {},
): void {
  const graph = graphOf(build), after = pass(graph);
  if (expected === null) assertStrictEquals(after, graph, expressionOf(after));
  else assertEquals(expressionOf(after), expected);
  assertStrictEquals(pass(after), after, "not done: " + expressionOf(pass(after)));
  assertSameSignature(after, graph);
  for (const source of [ordinary, numbers]) {
    const inputs = graph.inputs.map(({ shape, type }, argument): Values => {
      const draws = Array.from(
        { length: sizeOf(shape) },
        (_, i) => source[(i + 5 * argument) % source.length],
      );
      if (type === "float32") return Float32Array.from(draws);
      return Int32Array.from(draws, (x) => type === "bool" ? +(x > 0) : Math.round(x || 0));
    });
    const [values] = evaluate(after, inputs), [wanted] = evaluate(graph, inputs);
    wanted.forEach((value, i) => {
      if (Number.isFinite(value)) {
        assertAlmostEquals(values[i], value, 1e-5 * Math.max(1, Math.abs(value)), `cell ${i}`);
      } else assertEquals(values[i], value, `cell ${i}`);
    });
  }
}

/** Asserts that a pass keeps random graphs' results, arguments and names, and is done at once. */
export function checkOnRandomGraphs(pass: Pass, kinds?: readonly StepKind[]): void {
  fc.assert(
    fc.property(programs({ kinds }), ({ graph, inputs }) => {
      const after = pass(graph);
      assertSameSignature(after, graph);
      assertSameResults(evaluate(after, inputs), evaluate(graph, inputs));
      assert(pass(after) === after, "a second run changed something");
    }),
    { numRuns: 150, seed: 7 },
  );
}

/** Asserts that arguments, and the results' names, shapes and types, are the same. */
export function assertSameSignature(actual: Graph, expected: Graph): void {
  const results = ({ nodes, outputs }: Graph) =>
    outputs.map(({ name, node }) => [name, nodes[node].shape, nodes[node].type]);
  assertEquals(results(actual), results(expected));
  assertEquals(actual.inputs, expected.inputs);
}

/** A result as one expression: `add(x, multiply(y, 2))`. */
export function expressionOf(graph: Graph, index = graph.outputs[0].node): string {
  const { operation, inputs, shape } = graph.nodes[index];
  const operands = inputs.map((input) => expressionOf(graph, input)).join(", ");
  if (operation.kind === "input") return graph.inputs[operation.index].name;
  if (operation.kind === "constant") {
    const text = [...operation.values].join(" ");
    return shape.length ? `${text}:[${shape}]` : text;
  }
  if (operation.kind === "elementwise") return `${operation.name}(${operands})`;
  return `${callee(operation)}(${operands})`;
}

function callee(operation: Operation): string {
  switch (operation.kind) {
    case "reduce":
      return `${operation.name}[${operation.axes}]`;
    case "reshape":
    case "broadcast":
      return `${operation.kind}[${operation.shape}]`;
    case "transpose":
      return `transpose[${operation.permutation}]`;
    case "slice":
      return `slice[${operation.begin};${operation.size};${operation.strides}]`;
    case "reverse":
      return `reverse[${operation.axes}]`;
    case "pad":
      return `pad[${operation.before};${operation.after};${operation.interior};${operation.value}]`;
    case "concat":
      return `concat[${operation.axis}]`;
    case "matmul":
      return `matmul${operation.transposeA ? "ᵀ" : ""}${operation.transposeB ? "·ᵀ" : ""}`;
    default:
      return operation.kind;
  }
}

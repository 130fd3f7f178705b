/** @file Listings of graphs, for people. */
import type { Graph, Node, Operation, ValueType } from "./graph.ts";

/** No more cells of a constant are listed. */
const MOST_CELLS = 4;

/**
 * A listing: one line a node, `%12 = multiply(%3, %7) float32[512,128]  // user line`. Arguments go
 * by their names and constants of one value by that value; a transposed operand of a product has a
 * ᵀ.
 */
export function printGraph(graph: Graph): string {
  const lines = graph.inputs.map((input) => `input ${input.name} ${typeText(input)}`);
  graph.nodes.forEach((node, i) => {
    if (node.operation.kind === "input" || isSplat(node)) return;
    const source = node.source ? `  // ${node.source}` : "";
    lines.push(`%${i} = ${callText(graph, node)} ${typeText(node)}${source}`);
  });
  for (const { name, node } of graph.outputs) lines.push(`output ${name} = ${nameOf(graph, node)}`);
  return lines.join("\n") + "\n";
}

function typeText({ shape, type }: ValueType): string {
  return `${type}[${shape}]`;
}

function isSplat({ operation }: Node): boolean {
  return operation.kind === "constant" && operation.values.length === 1;
}

/** How an operand is written. */
function nameOf({ nodes, inputs }: Graph, index: number): string {
  const { operation, shape } = nodes[index];
  if (operation.kind === "input") return inputs[operation.index].name;
  if (operation.kind !== "constant" || operation.values.length !== 1) return `%${index}`;
  const text = numberText(operation.values[0]);
  return shape.length === 0 ? text : `${text}[${shape}]`;
}

/** The shortest decimal that is this float32. */
function numberText(value: number): string {
  const short = Number(value.toPrecision(7));
  return String(Math.fround(short) === Math.fround(value) ? short : value);
}

function callText(graph: Graph, { operation, inputs }: Node): string {
  const operands = inputs.map((input) => nameOf(graph, input));
  switch (operation.kind) {
    case "elementwise":
      return `${operation.name}(${operands.join(", ")})`;
    case "constant": {
      const cells = [...operation.values.subarray(0, MOST_CELLS)].map(numberText);
      return `constant(${cells.join(", ")}${operation.values.length > MOST_CELLS ? ", …" : ""})`;
    }
    case "matmul": {
      const flags = [operation.transposeA, operation.transposeB];
      return `matmul(${operands.map((name, i) => flags[i] ? `${name}ᵀ` : name).join(", ")})`;
    }
    case "reduce":
      return `reduce(${operation.name} ${operands[0]}, axes: [${operation.axes}])`;
    default:
      return `${operation.kind}(${[...operands, ...attributeTexts(operation)].join(", ")})`;
  }
}

/** `name: value` of all that an operation has besides its kind; its shape is that of the result. */
function attributeTexts(operation: Operation): string[] {
  return Object.entries(operation)
    .filter(([name]) => !["kind", "shape", "inputShape", "filterShape"].includes(name))
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? `[${value}]` : value}`);
}

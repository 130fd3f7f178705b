import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { evaluate, type Values } from "../../../../core/jit/evaluate.ts";
import { type Graph, GraphBuilder, sameShape } from "../../../../core/jit/graph.ts";
import type { Donation } from "../../../../core/jit/kernels.ts";
import { optimize } from "../../../../core/jit/passes/pipeline.ts";
import { schedule } from "../../../../core/jit/schedule/schedule.ts";
import { interpret } from "../kernel_interpreter.ts";
import { assertSameResults, type Program, programs } from "../random_graphs.ts";
import { checkedPlan, scheduleOf } from "./checked_schedule.ts";

/** Random programs with more of their nodes as results, so that more has to be stored. */
const programsWithResults = fc.tuple(
  programs({ steps: 36 }),
  fc.array(fc.nat(999), { minLength: 8, maxLength: 8 }),
).map(([{ graph, inputs }, choices]): Program & { choices: number[] } => {
  const more = choices.slice(0, 6).map((choice, i) => ({
    name: `z${i}`,
    node: choice % graph.nodes.length,
  }));
  return { graph: { ...graph, outputs: [...graph.outputs, ...more] }, inputs, choices };
});

/** Some of the pairs of an argument and a result that state could be. */
function someDonations(graph: Graph, choices: readonly number[]): Donation[] {
  const donations: Donation[] = [];
  const hasIndices = graph.nodes.some(({ operation }) => operation.kind === "gather");
  graph.inputs.forEach(({ shape, type }, input) => {
    // An index that a run has replaced may be out of range in the next.
    if (hasIndices && type === "int32") return;
    const fitting = graph.outputs.flatMap(({ node }, output) => {
      const result = graph.nodes[node];
      const isTaken = donations.some((other) => other.output === output);
      return !isTaken && result.type === type && sameShape(result.shape, shape) ? [output] : [];
    });
    const choice = choices[input % choices.length];
    if (fitting.length > 0 && choice % 4 > 0) {
      donations.push({ input, output: fitting[choice % fitting.length] });
    }
  });
  return donations;
}

Deno.test("random graphs mean the same as kernels, in any order of points, on a poisoned arena", () => {
  fc.assert(
    fc.property(programsWithResults, ({ graph, inputs }) => {
      checkedPlan(graph, inputs);
    }),
    { numRuns: 250, seed: 1 },
  );
});

Deno.test("optimised random graphs too", () => {
  fc.assert(
    fc.property(programsWithResults, ({ graph, inputs }) => {
      checkedPlan(optimize(graph).graph, inputs);
    }),
    { numRuns: 100, seed: 2 },
  );
});

Deno.test("with state, a second run starts from the results of the first", () => {
  let donated = 0;
  fc.assert(
    fc.property(programsWithResults, ({ graph, inputs, choices }) => {
      const donations = someDonations(graph, choices);
      const plan = checkedPlan(graph, inputs, donations);
      for (const { input, output } of donations) {
        assertEquals(plan.outputs[output], plan.inputs[input]);
      }
      const next: Values[] = inputs.slice(), first = evaluate(graph, inputs);
      for (const { input, output } of donations) next[input] = first[output];
      const expected = evaluate(graph, next);
      // Beyond the values that random programs are made robust for, only tame ones are compared.
      if (!expected.every((values) => values.every((value) => Math.abs(value) <= 1e3))) return;
      donated += donations.length;
      const alone = interpret(schedule(graph, donations), inputs, { repeat: 2 });
      assertSameResults(interpret(plan, inputs, { plan, repeat: 2 }), alone, 0);
      assertSameResults(alone, expected, 1e-2);
    }),
    { numRuns: 250, seed: 3 },
  );
  assert(donated > 100, `only ${donated} donations`);
});

Deno.test("the same graph gives the same schedule", () => {
  fc.assert(
    fc.property(programsWithResults, ({ graph, choices }) => {
      const donations = someDonations(graph, choices);
      assertEquals(schedule(graph, donations), schedule(structuredClone(graph), donations));
    }),
    { numRuns: 50, seed: 4 },
  );
});

Deno.test("an argument, a constant, and one node twice can be results", () => {
  const b = new GraphBuilder();
  const x = b.input("x", { shape: [2, 3], type: "float32" });
  b.input("unused", { shape: [4], type: "int32" });
  const y = b.elementwise("negate", x);
  const turned = b.add({ kind: "transpose", permutation: [1, 0] }, [x]);
  const values = Float32Array.of(1, 2, 3);
  const constant = b.add({ kind: "constant", values }, [], {
    given: { shape: [3], type: "float32" },
  });
  const seven = b.splat(7, [2, 2], "int32");
  const { inputs, outputs } = scheduleOf(b, [x, y, y, constant, seven, turned, b.reshape(y, [6])]);
  assertEquals(inputs, [0, 1]);
  assertEquals(outputs[1], outputs[2]);
  assertEquals(outputs[1], outputs[6]);
  assertEquals(new Set([...inputs, ...outputs]).size, 7);
});

Deno.test("values without cells, and reductions of them", () => {
  const b = new GraphBuilder();
  const x = b.input("x", { shape: [2, 3], type: "float32" });
  const empty = b.add({ kind: "slice", begin: [0, 1], size: [2, 0], strides: [1, 1] }, [x]);
  const sum = b.add({ kind: "reduce", name: "sum", axes: [1] }, [empty]);
  const most = b.add({ kind: "reduce", name: "maximum", axes: [0, 1] }, [empty]);
  const whole = b.add({ kind: "concat", axis: 1 }, [empty, b.elementwise("negate", empty), x]);
  const product = b.add({ kind: "matmul", transposeA: false, transposeB: true }, [empty, empty]);
  scheduleOf(b, [empty, b.elementwise("negate", empty), sum, most, whole, product]);
});

/** A long chain of layers with weights, updated by what comes back: some `nodes` nodes. */
function longGraph(nodes: number): Graph {
  const b = new GraphBuilder();
  const weights: number[] = [], results: number[] = [];
  let h = b.input("x", { shape: [8, 8], type: "float32" });
  const layers: number[] = [];
  while (b.nodes.length < nodes * 0.5) {
    const w = b.input(`w${weights.length}`, { shape: [8, 8], type: "float32" });
    weights.push(w);
    layers.push(h);
    const z = b.add({ kind: "matmul", transposeA: false, transposeB: false }, [h, w]);
    h = b.elementwise("hyperbolicTangent", b.elementwise("add", z, b.splat(0.1)));
  }
  let g = h;
  for (let i = weights.length - 1; b.nodes.length < nodes && i >= 0; i--) {
    const gradient = b.add({ kind: "matmul", transposeA: true, transposeB: false }, [layers[i], g]);
    const rate = b.splat(0.1 / (i + 1));
    results.push(b.elementwise("subtract", weights[i], b.elementwise("multiply", rate, gradient)));
    g = b.add({ kind: "matmul", transposeA: false, transposeB: true }, [g, weights[i]]);
    g = b.elementwise("multiply", g, b.elementwise("square", layers[i]));
  }
  return b.finish(results.map((node, i) => ({ name: `y${i}`, node })));
}

Deno.test("ten thousand nodes are scheduled, every elementwise one inside a product", () => {
  const { kernels } = schedule(longGraph(10_000));
  assert(kernels.length > 2000);
  assert(kernels.every(({ kind }) => kind === "matmul"));
});

Deno.test("a chain of ten thousand elementwise nodes is a few loops", () => {
  const b = new GraphBuilder();
  let x = b.input("x", { shape: [4], type: "float32" });
  for (let i = 0; i < 10_000; i++) x = b.elementwise(i % 2 ? "sine" : "negate", x);
  const total = b.add({ kind: "reduce", name: "sum", axes: [0] }, [x]);
  const { kernels } = schedule(b.finish([{ name: "y", node: total }]));
  assertEquals(kernels.map(({ kind }) => kind), Array(21).fill("loop"));
});

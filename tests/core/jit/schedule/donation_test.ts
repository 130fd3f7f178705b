import { assertEquals } from "@std/assert";
import { evaluate, type Values } from "../../../../core/jit/evaluate.ts";
import { type Graph, GraphBuilder, type ValueType } from "../../../../core/jit/graph.ts";
import type { Donation, Schedule } from "../../../../core/jit/kernels.ts";
import { interpret } from "../kernel_interpreter.ts";
import { assertSameResults } from "../random_graphs.ts";
import { checkedPlan, someInputs } from "./checked_schedule.ts";

function float(...shape: number[]): ValueType {
  return { shape, type: "float32" };
}

/** A schedule of results, those listed being state, checked over three runs. */
function withState(
  b: GraphBuilder,
  results: readonly number[],
  donations: readonly Donation[],
): Schedule {
  const graph = b.finish(results.map((node, i) => ({ name: `y${i}`, node })));
  const inputs = someInputs(graph), plan = checkedPlan(graph, inputs, donations);
  assertSameResults(
    interpret(plan, inputs, { plan, repeat: 3 }),
    evaluate(graph, after(graph, donations, after(graph, donations, inputs))),
  );
  for (const { input, output } of donations) {
    assertEquals(plan.outputs[output], plan.inputs[input]);
  }
  return plan;
}

function after(graph: Graph, donations: readonly Donation[], inputs: readonly Values[]): Values[] {
  const results = evaluate(graph, inputs), next = inputs.slice();
  for (const { input, output } of donations) next[input] = results[output];
  return next;
}

function temporaries({ buffers }: Schedule): number {
  return buffers.filter(({ role }) => role === "temporary").length;
}

Deno.test("a pointwise update is in place", () => {
  const b = new GraphBuilder();
  const p = b.input("p", float(4, 5)), g = b.input("g", float(4, 5));
  const scheduled = withState(b, [b.elementwise("subtract", p, g)], [{ input: 0, output: 0 }]);
  assertEquals([scheduled.kernels.length, temporaries(scheduled)], [1, 0]);
});

Deno.test("other readers of the argument run first", () => {
  const b = new GraphBuilder();
  const w = b.input("w", float(4, 4)), x = b.input("x", float(3, 4)), g = b.input("g", float(4, 4));
  const next = b.elementwise("subtract", w, g);
  const y = b.add({ kind: "matmul", transposeA: false, transposeB: false }, [x, w]);
  const { kernels } = withState(b, [next, y], [{ input: 0, output: 0 }]);
  assertEquals(kernels.map(({ kind }) => kind), ["matmul", "loop"]);
});

Deno.test("a gradient and the update that it makes are one product with its epilogue", () => {
  const b = new GraphBuilder();
  const w = b.input("w", float(4, 5)),
    x = b.input("x", float(3, 4)),
    dy = b.input("dy", float(3, 5));
  const gradient = b.add({ kind: "matmul", transposeA: true, transposeB: false }, [x, dy]);
  const scheduled = withState(b, [b.elementwise("subtract", w, gradient)], [
    { input: 0, output: 0 },
  ]);
  assertEquals(scheduled.kernels.map(({ kind }) => kind), ["matmul"]);
});

Deno.test("where the argument is read at other cells, or needed later, the program ends with a copy", () => {
  const turned = new GraphBuilder();
  const m = turned.input("m", float(4, 4));
  const t = turned.add({ kind: "transpose", permutation: [1, 0] }, [m]);
  const scheduled = withState(turned, [turned.elementwise("add", m, t)], [{ input: 0, output: 0 }]);
  assertEquals([scheduled.kernels.length, temporaries(scheduled)], [2, 1]);

  const needed = new GraphBuilder();
  const s = needed.input("s", float(4));
  const next = needed.elementwise("exponential", s);
  const total = needed.add({ kind: "reduce", name: "sum", axes: [0] }, [next]);
  // exp(s) − Σ exp(s) + s reads s after the sum of what replaces it.
  const late = needed.elementwise("add", needed.elementwise("subtract", next, total), s);
  const later = withState(needed, [next, late], [{ input: 0, output: 0 }]);
  assertEquals(later.kernels.length, 3);
});

Deno.test("state that stays, state that is swapped, and a result for two arguments", () => {
  const same = new GraphBuilder();
  const seed = same.input("seed", { shape: [2], type: "int32" });
  assertEquals(withState(same, [seed], [{ input: 0, output: 0 }]).kernels, []);

  const swapped = new GraphBuilder();
  const x = swapped.input("x", float(5)), y = swapped.input("y", float(5));
  withState(swapped, [y, x], [{ input: 0, output: 0 }, { input: 1, output: 1 }]);

  const rotated = new GraphBuilder();
  const [p, q, r] = ["p", "q", "r"].map((name) => rotated.input(name, float(40)));
  const turns = [0, 1, 2].map((i) => ({ input: i, output: i }));
  withState(rotated, [rotated.elementwise("negate", q), r, p], turns);

  const twice = new GraphBuilder();
  const a = twice.input("a", float(5)), c = twice.input("c", float(5));
  const sum = twice.elementwise("add", a, c);
  withState(twice, [sum, sum, sum], [{ input: 0, output: 0 }, { input: 1, output: 1 }]);
});

Deno.test("a counter is read by everybody before it goes on", () => {
  const b = new GraphBuilder();
  const step = b.input("step", { shape: [], type: "int32" }), x = b.input("x", float(4, 6));
  const rate = b.elementwise("cosine", b.elementwise("toFloat", step));
  const next = b.elementwise("add", step, b.splat(1, [], "int32"));
  const moved = b.elementwise("multiply", x, rate);
  const donations = [{ input: 0, output: 1 }, { input: 1, output: 0 }];
  const scheduled = withState(b, [moved, next], donations);
  assertEquals([scheduled.kernels.length, temporaries(scheduled)], [2, 1]);
});

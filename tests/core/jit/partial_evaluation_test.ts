import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { evaluate } from "../../../core/jit/evaluate.ts";
import { type Graph, GraphBuilder } from "../../../core/jit/graph.ts";
import { type SplitGraph, splitStatic } from "../../../core/jit/partial_evaluation.ts";
import { assertSameResults, programs } from "./random_graphs.ts";

const float = (...shape: number[]) => ({ shape, type: "float32" }) as const;
const kinds = ({ nodes }: Graph) => nodes.map(({ operation }) => operation.kind);

/** x + f(w), and the two arguments. */
function split(f: (b: GraphBuilder, w: number) => number): SplitGraph {
  const b = new GraphBuilder();
  const x = b.input("x", float(3, 4)), w = b.input("w", float(4));
  const node = b.elementwise("add", x, f(b, w));
  return splitStatic(b.finish([{ name: "y", node }]), (input) => input === 1);
}

Deno.test("what follows from static arguments becomes an argument", () => {
  const { prologue, main, arguments: places } = split((b, w) =>
    b.elementwise("exponential", b.elementwise("multiply", w, b.splat(2)))
  );
  assertEquals(kinds(main), ["input", "input", "elementwise"]);
  assertEquals(prologue!.outputs.length, 1);
  assertEquals(places, [{ kind: "argument", index: 0 }, { kind: "prologue", output: 0 }]);
  assertEquals(main.inputs.map(({ shape }) => shape), [[3, 4], [4]]);
});

Deno.test("what only looks at cells another way is not worth a stored result", () => {
  const { prologue, main, arguments: places } = split((b, w) =>
    b.add({ kind: "broadcast", shape: [3, 4] }, [b.reshape(w, [1, 4])])
  );
  assertEquals(prologue, null);
  assertEquals(kinds(main), ["input", "input", "reshape", "broadcast", "elementwise"]);
  assertEquals(places.map(({ kind }) => kind), ["argument", "argument"]);
});

Deno.test("both halves of a random graph give what the whole gives", () => {
  let prologues = 0;
  fc.assert(
    fc.property(programs(), fc.nat(255), ({ graph, inputs }, mask) => {
      const halves = splitStatic(graph, (input) => (mask >> input & 1) === 1);
      const ahead = halves.prologue ? evaluate(halves.prologue, inputs) : [];
      prologues += ahead.length > 0 ? 1 : 0;
      const given = halves.arguments.map((from) =>
        from.kind === "argument" ? inputs[from.index] : ahead[from.output]
      );
      assertSameResults(evaluate(halves.main, given), evaluate(graph, inputs), 0);
    }),
    { numRuns: 100, seed: 3 },
  );
  assert(prologues > 30, `only ${prologues} had a first half`);
});

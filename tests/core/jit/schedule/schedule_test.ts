import fc from "fast-check";
import { evaluate, type Values } from "../../../../core/jit/evaluate.ts";
import { planMemory } from "../../../../core/jit/schedule/memory.ts";
import { schedule } from "../../../../core/jit/schedule/schedule.ts";
import { interpret } from "../kernel_interpreter.ts";
import { assertSameResults, programs } from "../random_graphs.ts";

Deno.test("random graphs mean the same after scheduling, in any order of points", () => {
  fc.assert(
    fc.property(programs(), ({ graph, inputs }) => {
      const scheduled = schedule(graph, []), expected = evaluate(graph, inputs);
      assertSameResults(interpret(scheduled, inputs), expected);
      const plan = planMemory(scheduled, { scratchCells: () => 0 });
      assertSameResults(interpret(scheduled, inputs, { plan, reverse: true }), expected);
    }),
    { numRuns: 300, seed: Number(Deno.env.get("SEED") ?? 1) },
  );
});

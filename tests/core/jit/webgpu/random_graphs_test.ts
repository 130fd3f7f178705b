import fc from "fast-check";
import { evaluate } from "../../../../core/jit/evaluate.ts";
import { planMemory } from "../../../../core/jit/schedule/memory.ts";
import { schedule } from "../../../../core/jit/schedule/schedule.ts";
import { webGpuScratchCells } from "../../../../core/jit/webgpu/executable.ts";
import { webgpuTest } from "../../../webgpu.ts";
import { assertSameResults, type Program, programs } from "../random_graphs.ts";
import { runOnce } from "./programs.ts";

/** Compiles a graph as it is, without passes, and compares with the interpreter of graphs. */
async function check({ graph, inputs }: Program): Promise<void> {
  const plan = planMemory(schedule(graph), { scratchCells: webGpuScratchCells });
  assertSameResults(await runOnce(plan, inputs), evaluate(graph, inputs));
}

webgpuTest("random graphs give what their interpreter gives", async () => {
  // A software device compiles a pipeline in some 50 ms.
  await fc.assert(fc.asyncProperty(programs({ steps: 16 }), check), { numRuns: 50, seed: 1 });
});

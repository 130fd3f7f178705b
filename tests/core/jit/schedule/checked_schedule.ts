/**
 * @file Schedules whose results have been compared with the graph's meaning, on buffers of their own
 * and on a poisoned arena, points forwards and backwards; and plans that have been checked cell by
 * cell.
 */
import { assert, assertEquals } from "@std/assert";
import { evaluate, type Values } from "../../../../core/jit/evaluate.ts";
import { type Graph, type GraphBuilder, sizeOf } from "../../../../core/jit/graph.ts";
import type { Donation, Kernel, Plan, Schedule } from "../../../../core/jit/kernels.ts";
import { loopOf, namedBuffers, readBuffers } from "../../../../core/jit/schedule/kernel_buffers.ts";
import { planMemory } from "../../../../core/jit/schedule/memory.ts";
import { schedule } from "../../../../core/jit/schedule/schedule.ts";
import { interpret } from "../kernel_interpreter.ts";
import { assertSameResults } from "../random_graphs.ts";

/** Some scratch memory, so that plans have to find a place for it. */
export function someScratch(kernel: Kernel): number {
  return kernel.kind === "matmul" ? 40 : 0;
}

/** A schedule and a plan of a graph that have been compared with `evaluate` for these arguments. */
export function checkedPlan(
  graph: Graph,
  inputs: readonly Values[],
  donations: readonly Donation[] = [],
): Plan {
  const scheduled = schedule(graph, donations);
  const plan = planMemory(scheduled, { scratchCells: someScratch });
  assertValidSchedule(scheduled);
  assertValidPlan(plan);
  const expected = evaluate(graph, inputs);
  assertSameResults(interpret(scheduled, inputs), expected);
  assertSameResults(interpret(plan, inputs, { plan, reverse: true }), expected);
  return plan;
}

/** {@link checkedPlan} of a graph under construction, for arguments in (−1, 1). */
export function scheduleOf(
  builder: GraphBuilder,
  results: readonly number[],
  donations: readonly Donation[] = [],
): Schedule {
  const graph = builder.finish(results.map((node, i) => ({ name: `y${i}`, node })));
  return checkedPlan(graph, someInputs(graph), donations);
}

/** Arguments in (−1, 1), whole ones from 0 to 3. */
export function someInputs(graph: Graph): Values[] {
  return graph.inputs.map(({ shape, type }, index) => {
    const wave = (i: number) => Math.sin(1.3 * i + index);
    const length = sizeOf(shape);
    return type === "float32" ? Float32Array.from({ length }, (_, i) => wave(i)) : Int32Array.from(
      { length },
      (_, i) => type === "bool" ? +(wave(i) > 0) : Math.floor(2 + 2 * wave(i)),
    );
  });
}

/** What the types cannot say of a schedule. */
export function assertValidSchedule({ buffers, kernels, inputs, outputs }: Schedule): void {
  assertEquals(inputs, inputs.map((_, i) => i), "arguments come first");
  const written = new Set(buffers.flatMap(({ role }, i) => role === "temporary" ? [] : [i]));
  kernels.forEach((kernel, time) => {
    for (const buffer of readBuffers(kernel)) {
      const isThere = written.has(buffer) || buffers[buffer].size === 0;
      assert(isThere, `kernel ${time} reads buffer ${buffer} that nothing has written`);
    }
    for (const buffer of namedBuffers(kernel)) written.add(buffer);
    const loop = loopOf(kernel);
    for (const { view, reduce } of loop?.writes ?? []) {
      const kept = loop!.extents.length - loop!.reducedDimensions;
      assert(loop!.reducedDimensions > 0 || !reduce, "a reduction without reduced dimensions");
      view.strides.forEach((stride, d) => {
        if (loop!.extents[d] > 1) assertEquals(stride === 0, reduce !== undefined && d >= kept);
      });
      assert(buffers[view.buffer].role !== "constant", "a constant is written");
    }
    if (kernel.kind === "loop") {
      const used = new Set(
        [
          ...kernel.loop.body.flatMap(({ operands }) => operands),
          ...kernel.loop.writes.map((w) => w.value),
        ].flatMap((operand) => operand.kind === "read" ? [operand.index] : []),
      );
      assertEquals(used.size, kernel.loop.reads.length, "a read that nothing uses");
      assert(kernel.loop.extents.every((extent) => extent > 1), "a dimension of extent 1");
    }
    if ("epilogue" in kernel && kernel.epilogue) {
      const { loop, product } = kernel.epilogue;
      assertEquals(loop.extents.length, 2);
      const { buffer, offset, strides } = loop.reads[product];
      assertEquals([buffer, offset, ...strides], [kernel.output, 0, loop.extents[1], 1]);
    }
  });
  for (const buffer of outputs) {
    assert(written.has(buffer) || buffers[buffer].size === 0, "a result that nothing writes");
  }
}

/**
 * That no two buffers need the same cells at the same time, by a count of all cells at all times.
 * Where a buffer dies in the kernel that another one is made in, they may share.
 */
export function assertValidPlan(plan: Plan): void {
  const { buffers, kernels, offsets, scratchOffsets, arenaSize, livenessBound } = plan;
  buffers.forEach(({ size }, i) => {
    assertEquals(offsets[i] % 16, 0, "alignment");
    assert(offsets[i] + size <= arenaSize, `buffer ${i} ends after the arena`);
  });
  assert(livenessBound <= arenaSize, "a plan below its bound");
  const alive = bruteForceLifetimes(plan);
  for (let time = 0; time < kernels.length; time++) {
    const owner = new Map<number, number>();
    const scratch = someScratch(kernels[time]);
    assert(scratchOffsets[time] + scratch <= arenaSize, "scratch ends after the arena");
    const claim = (name: number, offset: number, size: number) => {
      for (let i = offset; i < offset + size; i++) {
        assert(!owner.has(i), `kernel ${time}: ${name} and ${owner.get(i)} share cell ${i}`);
        owner.set(i, name);
      }
    };
    // What is there after the kernel; what dies in it is checked by the values that come out.
    alive.forEach((lifetime, i) => {
      if (lifetime && lifetime[0] <= time && lifetime[1] > time) {
        claim(i, offsets[i], buffers[i].size);
      }
    });
    claim(-1, scratchOffsets[time], scratch);
  }
}

/** First and last kernel in which each buffer must be kept, by looking at every kernel. */
export function bruteForceLifetimes(
  { buffers, kernels, inputs, outputs }: Schedule,
): ([number, number] | null)[] {
  return buffers.map(({ role }, buffer) => {
    if (role !== "temporary" || inputs.includes(buffer)) return [0, kernels.length];
    const times = kernels.flatMap((kernel, time) => namedBuffers(kernel).has(buffer) ? [time] : []);
    if (times.length === 0) return null;
    return [times[0], outputs.includes(buffer) ? kernels.length : times.at(-1)!];
  });
}

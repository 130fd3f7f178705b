/**
 * @file Loops over affine views as phases: elementwise work, copies, broadcasts, transpositions and
 * reductions. The plan is made in loop_plan.ts, the code in loop_code.ts.
 */
import { rowMajorStrides } from "../graph.ts";
import type { Kernel, Loop, View } from "../kernels.ts";
import { type Code, type FunctionBuilder, i32, type ModuleBuilder } from "./assembler.ts";
import { alignBytes, type EmitterContext, type Phase } from "./emitter.ts";
import { identityOf, nestFunction } from "./loop_code.ts";
import { type LoopPlan, loopViews, planLoop, planRowLoop } from "./loop_plan.ts";

type LoopKernel = Extract<Kernel, { kind: "loop" }>;

/** A reduction over nothing as a loop that stores what it gives; other loops as they are. */
function withoutEmptyReductions(loop: Loop): Loop {
  const kept = loop.extents.length - loop.reducedDimensions;
  if (!loop.extents.slice(kept).includes(0)) return loop;
  return {
    extents: loop.extents.slice(0, kept),
    reducedDimensions: 0,
    reads: [],
    body: [],
    writes: loop.writes.flatMap(({ view, reduce }) =>
      reduce
        ? [{
          view: { ...view, strides: view.strides.slice(0, kept) },
          value: {
            kind: "number" as const,
            value: identityOf(view.type, reduce),
            type: view.type,
          },
        }]
        : []
    ),
  };
}

/** The plan of a loop; null where it has no points. */
function planOf(loop: Loop): { loop: Loop; plan: LoopPlan } | null {
  const filled = withoutEmptyReductions(loop);
  if (filled.extents.includes(0) || filled.writes.length === 0) return null;
  return { loop: filled, plan: planLoop(filled) };
}

/** The loop that combines the partial results which a chunked reduction left in the scratch. */
function combination(loop: Loop, { chunks, outputs, extents }: NonNullable<LoopPlan["partial"]>) {
  const strides = rowMajorStrides(extents);
  const reducing = loop.writes.filter(({ reduce }) => reduce);
  const original = keptStrides(loop, extents);
  return {
    extents: [...extents, chunks],
    reducedDimensions: 1,
    reads: reducing.map(({ view }) => ({
      ...view,
      offset: 0,
      strides: [...strides, outputs],
    })),
    body: [],
    writes: reducing.map((write, index) => ({
      view: { ...write.view, strides: [...original(write.view), 0] },
      value: { kind: "read" as const, index },
      reduce: write.reduce,
    })),
  } satisfies Loop;
}

/** The strides of a view of a reduction's result along the merged dimensions. */
function keptStrides(loop: Loop, extents: readonly number[]): (view: View) => number[] {
  // Each merged dimension walks in the stride of its innermost original one.
  const kept = loop.extents.length - loop.reducedDimensions;
  return (view) => {
    const strides: number[] = [];
    let d = kept - 1;
    for (let m = extents.length - 1; m >= 0; m--) {
      while (loop.extents[d] === 1) d--;
      strides.unshift(view.strides[d]);
      for (let left = extents[m]; left > 1; d--) left /= loop.extents[d];
    }
    return strides;
  };
}

/** Shared scratch of a loop, in cells: for the partial results of long reductions. */
export function loopScratchCells({ loop }: LoopKernel): number {
  const partial = planOf(loop)?.plan.partial;
  if (!partial) return 0;
  const reductions = loop.writes.filter(({ reduce }) => reduce).length;
  return reductions * alignBytes(4 * partial.chunks * partial.outputs) / 4;
}

/** The phases of a loop, given each view's address in bytes (reads, then writes). */
export function loopPhases(
  module: ModuleBuilder,
  loop: Loop,
  addressOf: (view: View) => number,
  scratch: number,
): Phase[] {
  const planned = planOf(loop);
  if (!planned) return [];
  const { plan } = planned;
  const { partial } = plan;
  const slot = partial ? alignBytes(4 * partial.chunks * partial.outputs) : 0;
  const reducing = planned.loop.writes.filter(({ reduce }) => reduce);
  const pointers = [
    ...planned.loop.reads.map(addressOf),
    ...planned.loop.writes.map((write) =>
      partial && write.reduce ? scratch + slot * reducing.indexOf(write) : addressOf(write.view)
    ),
  ];
  const phase: Phase = {
    code: nestFunction(module, plan.nest),
    pointers,
    units: plan.units,
    scratchBytes: 0,
    work: plan.work,
  };
  if (!partial) return [phase];
  const combine = combination(planned.loop, partial), second = planLoop(combine, false);
  return [phase, {
    code: nestFunction(module, second.nest),
    pointers: [
      ...reducing.map((_, i) => scratch + slot * i),
      ...combine.writes.map(({ view }) => addressOf(view)),
    ],
    units: second.units,
    scratchBytes: 0,
    work: second.work,
  }];
}

/** The phases of a loop. */
export function emitLoop(context: EmitterContext, { loop }: LoopKernel): Phase[] {
  const addressOf = ({ buffer, offset }: View) => context.address(buffer) + 4 * offset;
  return loopPhases(context.module, loop, addressOf, context.kernelScratch);
}

/**
 * A loop over [rows, columns] without reductions as a function with the parameters of a phase whose
 * units are the rows, however the loop's dimensions were merged. Pointers are the addresses of the
 * buffers of reads, then of writes; the views' offsets are added inside. It needs no scratch.
 */
export function rowLoopFunction(
  module: ModuleBuilder,
  loop: Loop,
  rows: number,
  columns: number,
): FunctionBuilder {
  const nest = nestFunction(module, planRowLoop(loop, rows, columns));
  const offsets = loopViews(loop).map(({ offset }) => offset);
  if (offsets.every((offset) => offset === 0)) return nest;
  return module.shared(`rows ${nest.index} ${offsets}`, () => {
    const target = module.function("rows", nest.parameterKinds);
    const [start, end, scratch, ...pointers] = target.parameters.map(({ get }): Code => get);
    const shifted = pointers.map((pointer, view) =>
      offsets[view] ? i32.add(pointer, i32.const(4 * offsets[view])) : pointer
    );
    return target.body(nest.call(start, end, scratch, ...shifted));
  });
}

/**
 * @file Which cells of the arena a kernel reads and writes, as intervals: what the driver needs to
 * know to leave out barriers between kernels that have nothing to do with each other.
 */
import type { Plan, View } from "../kernels.ts";
import { loopOf, loopReads, operandBuffers, rawOutput } from "../schedule/kernel_buffers.ts";

/** Cells start ≤ i < end of the arena. */
export interface Interval {
  readonly start: number;
  readonly end: number;
}

/** What a kernel touches. */
export interface Accesses {
  readonly reads: readonly Interval[];
  readonly writes: readonly Interval[];
}

/** Whether two kernels may not run at the same time, nor change places. */
export function conflict(a: Accesses, b: Accesses): boolean {
  return overlap(a.writes, b.writes) || overlap(a.writes, b.reads) || overlap(a.reads, b.writes);
}

function overlap(a: readonly Interval[], b: readonly Interval[]): boolean {
  return a.some((x) => b.some((y) => x.start < y.end && y.start < x.end));
}

/** Stores may run on to the end of a buffer's last line of so many cells. */
const lineCells = 16;

/** The accesses of kernel number `index`, which has so many cells of shared scratch. */
export function kernelAccesses(plan: Plan, index: number, scratchCells: number): Accesses {
  const { buffers, offsets } = plan;
  const kernel = plan.kernels[index];
  const whole = (buffer: number): Interval => {
    const lines = Math.ceil(buffers[buffer].size / lineCells);
    return { start: offsets[buffer], end: offsets[buffer] + lines * lineCells };
  };
  const extents = loopOf(kernel)?.extents ?? [];
  const part = (view: View): Interval => {
    const [start, end] = rangeOf(view, extents);
    const atEnd = end >= buffers[view.buffer].size;
    return {
      start: offsets[view.buffer] + start,
      end: atEnd ? whole(view.buffer).end : offsets[view.buffer] + end,
    };
  };
  const reads = [...operandBuffers(kernel).map(whole), ...loopReads(kernel).map(part)];
  const writes = (loopOf(kernel)?.writes ?? []).map(({ view }) => part(view));
  // Stored on the way even where only the epilogue's results are kept.
  const raw = rawOutput(kernel);
  if (raw !== undefined) writes.push(whole(raw));
  if (scratchCells > 0) {
    const start = plan.scratchOffsets[index];
    writes.push({ start, end: start + scratchCells });
  }
  return { reads, writes };
}

/** First and one past the last cell of a view over an iteration space. */
function rangeOf({ offset, strides }: View, extents: readonly number[]): [number, number] {
  if (extents.includes(0)) return [offset, offset];
  let first = offset, last = offset;
  extents.forEach((extent, d) => {
    const reach = (extent - 1) * strides[d];
    if (reach < 0) first += reach;
    else last += reach;
  });
  return [first, last + 1];
}

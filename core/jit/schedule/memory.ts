/**
 * @file The memory plan: where in the arena each buffer lies. Arguments and constants stay; a
 * temporary has its place from the kernel that first writes it to the last that reads it, and a
 * result to the end. Offsets are found by the greedy strategies of Pisarchyk and Lee, "Efficient
 * Memory Management for Deep Neural Net Inference", 2020 (arXiv 2001.03288): by size, and by time;
 * the smaller arena is taken.
 */
import type { Kernel, Plan, Schedule } from "../kernels.ts";
import { mayOverwrite } from "./donation.ts";
import {
  isRawOutputDropped,
  loopOf,
  loopReads,
  namedBuffers,
  rawOutput,
  readBuffers,
} from "./kernel_buffers.ts";

/** What a plan is made for. */
export interface MemoryOptions {
  /** Cells that a kernel wants for itself while it runs. */
  readonly scratchCells: (kernel: Kernel) => number;
  /** Every buffer begins at a multiple of so many cells. Default 16: a cache line. */
  readonly alignment?: number;
}

/** The kernels that something is alive in, first and last. */
export type Lifetime = readonly [first: number, last: number];

/** Memory for one buffer, or for several that take it over from each other. */
interface Slot {
  readonly cells: number;
  readonly lifetime: Lifetime;
}

/**
 * When each temporary is alive, raw results that are dropped included; null for arguments and
 * constants, which always are, and for what nobody uses. Results are to the end.
 */
export function lifetimes({ buffers, kernels, outputs }: Schedule): (Lifetime | null)[] {
  const found: (Lifetime | null)[] = buffers.map(() => null);
  kernels.forEach((kernel, time) => {
    for (const buffer of namedBuffers(kernel)) {
      if (buffers[buffer].role === "temporary") found[buffer] = [found[buffer]?.[0] ?? time, time];
    }
  });
  for (const buffer of outputs) {
    const lifetime = found[buffer];
    if (lifetime) found[buffer] = [lifetime[0], kernels.length];
  }
  return found;
}

/**
 * Gives every buffer of a schedule, and every kernel's scratch, its place. A result of a loop may
 * take over the memory of an operand that dies there and is read at the same cells. A raw result
 * that is dropped has memory all the same, usually that of one of its epilogue's results, so that a
 * target may store it on the way.
 */
export function planMemory(
  schedule: Schedule,
  { scratchCells, alignment = 16 }: MemoryOptions,
): Plan {
  const { buffers, kernels } = schedule;
  const align = (cells: number) => Math.ceil(cells / alignment) * alignment;
  let permanent = 0;
  const fixed = buffers.map(({ role, size }) => {
    const offset = permanent;
    if (role !== "temporary") permanent += align(size);
    return offset;
  });
  const { slots, slotOf, placeOf } = bufferSlots(schedule, align);
  const scratchSlots = kernels.map((kernel, time) => {
    const cells = align(scratchCells(kernel));
    return cells > 0 ? slots.push({ cells, lifetime: [time, time] }) - 1 : undefined;
  });
  const { offsets, size } = bestOffsets(slots);
  const offsetOf = (slot: number | undefined) => slot === undefined ? 0 : permanent + offsets[slot];
  return {
    ...schedule,
    offsets: buffers.map((_, buffer) => {
      const place = placeOf(buffer);
      return buffers[place].role === "temporary" ? offsetOf(slotOf.get(place)) : fixed[place];
    }),
    scratchOffsets: scratchSlots.map(offsetOf),
    arenaSize: permanent + size,
    livenessBound: permanent + mostAlive(slots, kernels.length),
  };
}

/** A slot for every temporary that does not take over the place of another buffer. */
function bufferSlots(schedule: Schedule, align: (cells: number) => number) {
  const { buffers } = schedule;
  const alive = lifetimes(schedule), takenOver = takeOvers(schedule, alive);
  const placeOf = (buffer: number): number => {
    const other = takenOver.get(buffer);
    return other === undefined ? buffer : placeOf(other);
  };
  const slots: Slot[] = [], slotOf = new Map<number, number>();
  buffers.forEach(({ size }, buffer) => {
    const lifetime = alive[buffer], place = placeOf(buffer);
    if (!lifetime || size === 0 || buffers[place].role !== "temporary") return;
    const index = slotOf.get(place);
    if (index === undefined) {
      slotOf.set(place, slots.push({ cells: align(size), lifetime }) - 1);
      return;
    }
    const { cells, lifetime: [first, last] } = slots[index];
    slots[index] = {
      cells: Math.max(cells, align(size)),
      lifetime: [Math.min(first, lifetime[0]), Math.max(last, lifetime[1])],
    };
  });
  return { slots, slotOf, placeOf };
}

/** Which buffers take the place of which others. */
function takeOvers(
  { buffers, kernels }: Schedule,
  alive: readonly (Lifetime | null)[],
): Map<number, number> {
  const places = new Map<number, number>();
  kernels.forEach((kernel, time) => {
    const loop = loopOf(kernel);
    if (!loop) return;
    const host = hostOfRawOutput(kernel, buffers);
    if (host !== undefined) places.set(rawOutput(kernel)!, host);
    const dying = new Set(
      loopReads(kernel).map(({ buffer }) => buffer).filter((buffer) => alive[buffer]?.[1] === time),
    );
    for (const { view: { buffer } } of loop.writes) {
      if (buffer === host || alive[buffer]?.[0] !== time || places.has(buffer)) continue;
      const taken = [...dying].find((other) =>
        buffers[other].size === buffers[buffer].size && mayOverwrite(kernel, buffer, other)
      );
      if (taken === undefined) continue;
      places.set(buffer, taken);
      dying.delete(taken);
    }
  });
  return places;
}

/** The result of an epilogue in whose place the raw result may be stored first, if it is dropped. */
function hostOfRawOutput(kernel: Kernel, buffers: Schedule["buffers"]): number | undefined {
  if (!isRawOutputDropped(kernel)) return undefined;
  const raw = rawOutput(kernel)!, loop = loopOf(kernel)!;
  const [rows, columns] = loop.extents, reads = readBuffers(kernel);
  return loop.writes.find(({ view: { buffer, offset, strides } }) =>
    buffers[buffer].size === buffers[raw].size && !reads.has(buffer) && offset === 0 &&
    (rows === 1 || strides[0] === columns) && (columns === 1 || strides[1] === 1)
  )?.view.buffer;
}

/** The most cells alive at once. */
function mostAlive(slots: readonly Slot[], kernels: number): number {
  const change = new Float64Array(kernels + 2);
  for (const { cells, lifetime: [first, last] } of slots) {
    change[first] += cells;
    change[last + 1] -= cells;
  }
  let alive = 0, most = 0;
  for (const cells of change) most = Math.max(most, alive += cells);
  return most;
}

interface Placement {
  readonly offsets: readonly number[];
  readonly size: number;
}

function bestOffsets(slots: readonly Slot[]): Placement {
  const length = ({ lifetime: [first, last] }: Slot) => last - first;
  const orders: ((a: Slot, b: Slot) => number)[] = [
    (a, b) => b.cells - a.cells || length(b) - length(a) || a.lifetime[0] - b.lifetime[0],
    (a, b) => a.lifetime[0] - b.lifetime[0] || b.cells - a.cells || length(b) - length(a),
    (a, b) => length(b) - length(a) || b.cells - a.cells || a.lifetime[0] - b.lifetime[0],
  ];
  const placements = orders.map((compare) => placeInOrder(slots, compare));
  return placements.reduce((best, other) => other.size < best.size ? other : best);
}

/** Each slot in turn into the smallest gap that holds it, between those placed that it meets. */
function placeInOrder(
  slots: readonly Slot[],
  compare: (a: Slot, b: Slot) => number,
): Placement {
  const order = slots.map((_, slot) => slot).sort((a, b) => compare(slots[a], slots[b]) || a - b);
  const offsets = slots.map(() => 0), placed: number[] = [];
  let size = 0;
  for (const slot of order) {
    const { cells, lifetime: [first, last] } = slots[slot];
    let end = 0, best = -1, bestGap = Infinity;
    for (const other of placed) {
      const [otherFirst, otherLast] = slots[other].lifetime;
      if (otherFirst > last || otherLast < first) continue;
      const gap = offsets[other] - end;
      if (gap >= cells && gap < bestGap) [best, bestGap] = [end, gap];
      end = Math.max(end, offsets[other] + slots[other].cells);
    }
    offsets[slot] = best < 0 ? end : best;
    size = Math.max(size, offsets[slot] + cells);
    // `placed` stays sorted by offset.
    let at = placed.length;
    while (at > 0 && offsets[placed[at - 1]] > offsets[slot]) at--;
    placed.splice(at, 0, slot);
  }
  return { offsets, size };
}

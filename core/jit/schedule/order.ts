/**
 * @file The order in which kernels run. Any topological order is right; they differ in how much is
 * alive at once. Three simple ones are made and the best taken: as written, as late as the first
 * consumer needs, and greedily by what each kernel frees and allocates.
 */
import type { Kernel } from "../kernels.ts";
import type { Dependencies } from "./dependencies.ts";
import { readBuffers, usedBuffers, writtenBuffers } from "./kernel_buffers.ts";

/** What the order is chosen by. */
export interface OrderProblem {
  readonly kernels: readonly Kernel[];
  readonly dependencies: Dependencies;
  /** Cells of memory that come and go with a buffer; 0 for those that stay. */
  readonly cells: (buffer: number) => number;
  /** Buffers that stay alive to the end once they are written. */
  readonly stays: (buffer: number) => boolean;
}

/** The kernels' indices in the order to run them. */
export function chooseOrder(problem: OrderProblem): number[] {
  const orders = [asWritten(problem), asLateAsNeeded(problem), leastGrowthFirst(problem)];
  const peaks = orders.map((order) => peakOf(order, problem));
  return orders[peaks.indexOf(Math.min(...peaks))];
}

/** How many kernels must run directly before each. */
function countPredecessors({ kernels, dependencies }: OrderProblem): number[] {
  const counts = kernels.map(() => 0);
  for (const successors of dependencies.successors) for (const to of successors) counts[to]++;
  return counts;
}

/** Takes ready kernels by the least key; keys are asked for anew at each step if `isDynamic`. */
function listSchedule(
  problem: OrderProblem,
  key: (kernel: number) => number,
  taken: (kernel: number) => void = () => {},
): number[] {
  const waiting = countPredecessors(problem), order: number[] = [];
  const ready = waiting.flatMap((count, kernel) => count === 0 ? [kernel] : []);
  while (ready.length > 0) {
    let best = 0, bestKey = Infinity;
    ready.forEach((kernel, i) => {
      const own = key(kernel);
      if (own < bestKey || (own === bestKey && kernel < ready[best])) [best, bestKey] = [i, own];
    });
    const [kernel] = ready.splice(best, 1);
    order.push(kernel);
    taken(kernel);
    for (const to of problem.dependencies.successors[kernel]) {
      if (--waiting[to] === 0) ready.push(to);
    }
  }
  if (order.length < problem.kernels.length) throw new Error("kernels depend on each other");
  return order;
}

function asWritten(problem: OrderProblem): number[] {
  return listSchedule(problem, (kernel) => kernel);
}

/** Depth first from the last kernels: each operand is made just before it is first needed. */
function asLateAsNeeded({ kernels, dependencies }: OrderProblem): number[] {
  const before: number[][] = kernels.map(() => []);
  dependencies.successors.forEach((successors, from) => {
    for (const to of successors) before[to].push(from);
  });
  const order: number[] = [], state = new Uint8Array(kernels.length);
  const visit = (last: number) => {
    const stack = [last];
    while (stack.length > 0) {
      const at = stack[stack.length - 1];
      const next = state[at] === 2 ? undefined : before[at].find((from) => state[from] === 0);
      state[at] = Math.max(state[at], 1);
      if (next !== undefined) stack.push(next);
      else {
        stack.pop();
        if (state[at] === 1) order.push(at);
        state[at] = 2;
      }
    }
  };
  kernels.forEach((_, kernel) => {
    if (dependencies.successors[kernel].size === 0) visit(kernel);
  });
  return order;
}

/** The ready kernel first that frees most and allocates least. */
function leastGrowthFirst(problem: OrderProblem): number[] {
  const { kernels, dependencies, cells, stays } = problem;
  const reads = kernels.map((kernel) => [...readBuffers(kernel)].filter((b) => cells(b) > 0));
  const writes = kernels.map((kernel) => [...writtenBuffers(kernel)].filter((b) => cells(b) > 0));
  const left = new Map<number, number>(), written = new Set<number>();
  for (const [buffer, readers] of dependencies.readers) left.set(buffer, readers.length);
  const growth = (kernel: number) => {
    let sum = 0;
    for (const buffer of writes[kernel]) if (!written.has(buffer)) sum += cells(buffer);
    for (const buffer of reads[kernel]) {
      if (left.get(buffer) === 1 && !stays(buffer)) sum -= cells(buffer);
    }
    return sum;
  };
  return listSchedule(problem, growth, (kernel) => {
    for (const buffer of writes[kernel]) written.add(buffer);
    for (const buffer of reads[kernel]) left.set(buffer, left.get(buffer)! - 1);
  });
}

/** The most cells alive at once. */
function peakOf(order: readonly number[], { kernels, cells, stays }: OrderProblem): number {
  const last = new Map<number, number>(), seen = new Set<number>();
  order.forEach((kernel, time) => {
    for (const buffer of usedBuffers(kernels[kernel])) last.set(buffer, time);
  });
  let alive = 0, peak = 0;
  order.forEach((kernel, time) => {
    const named = [...usedBuffers(kernels[kernel])];
    for (const buffer of named) {
      if (!seen.has(buffer)) alive += cells(buffer);
      seen.add(buffer);
    }
    peak = Math.max(peak, alive);
    for (const buffer of named) {
      if (last.get(buffer) === time && !stays(buffer)) alive -= cells(buffer);
    }
  });
  return peak;
}

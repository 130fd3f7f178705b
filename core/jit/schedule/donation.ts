/**
 * @file State: results that take the place of arguments. The kernel that makes the result writes
 * straight into the argument where every other reader of it can run before, and where it reads the
 * argument itself at no other cell than the one it writes. Elsewhere the program ends with a copy.
 */
import type { Kernel, View } from "../kernels.ts";
import { canonicalLoop } from "./loops.ts";
import type { Dependencies } from "./dependencies.ts";
import {
  isRawOutputDropped,
  loopOf,
  loopReads,
  operandBuffers,
  rawOutput,
} from "./kernel_buffers.ts";
import type { Value } from "./items.ts";

/** A result, and the argument that it becomes, both as values. */
export interface Replacement {
  readonly argument: number;
  readonly result: number;
}

/**
 * Finds a way for each result into its argument: some results are made in place (the map gives their
 * argument), copies are appended to `kernels` for the others; both are ordered in `dependencies`.
 */
export function replaceArguments(
  replacements: readonly Replacement[],
  values: readonly Value[],
  kernels: Kernel[],
  dependencies: Dependencies,
): Map<number, number> {
  const inPlace = new Map<number, number>(), copies: Replacement[] = [];
  for (const replacement of replacements) {
    const { argument, result } = replacement;
    if (argument === result) continue;
    if (!inPlace.has(result) && makeInPlace(replacement, kernels, dependencies)) {
      inPlace.set(result, argument);
    } else copies.push(replacement);
  }
  const readersBefore = copies.map(({ argument }) => dependencies.readers.get(argument) ?? []);
  copies.forEach((copy, i) => {
    const kernel = copyKernel(copy, values);
    kernels.push(kernel);
    const index = dependencies.append(kernel);
    for (const reader of readersBefore[i]) dependencies.order(reader, index);
  });
  return inPlace;
}

function makeInPlace(
  { argument, result }: Replacement,
  kernels: readonly Kernel[],
  dependencies: Dependencies,
): boolean {
  const [writer, ...more] = dependencies.writers.get(result) ?? [];
  if (writer === undefined || more.length > 0) return false;
  if (!mayOverwrite(kernels[writer], result, argument)) return false;
  const readers = (dependencies.readers.get(argument) ?? []).filter((reader) => reader !== writer);
  if (readers.some((reader) => dependencies.isBefore(writer, reader))) return false;
  for (const reader of readers) dependencies.order(reader, writer);
  return true;
}

/** Whether a kernel that writes `result` into the memory of `operand` reads all of that in time. */
export function mayOverwrite(kernel: Kernel, result: number, operand: number): boolean {
  if (operandBuffers(kernel).includes(operand)) return false;
  const reads = loopReads(kernel).filter(({ buffer }) => buffer === operand);
  if (reads.length === 0) return true;
  if (rawOutput(kernel) === result && !isRawOutputDropped(kernel)) return false;
  const writes = loopOf(kernel)!.writes.filter(({ view }) => view.buffer === result);
  return writes.length === 1 && writes[0].reduce === undefined &&
    reads.every((read) => isSameWalk(read, writes[0].view, loopOf(kernel)!.extents));
}

/** Whether two views are at the same cell of their buffers at every point. */
function isSameWalk(a: View, b: View, extents: readonly number[]): boolean {
  return a.offset === b.offset &&
    extents.every((extent, d) => extent === 1 || a.strides[d] === b.strides[d]);
}

function copyKernel({ argument, result }: Replacement, values: readonly Value[]): Kernel {
  const { size, type } = values[argument];
  const view = (buffer: number): View => ({ buffer, type, offset: 0, strides: [1] });
  return {
    kind: "loop",
    loop: canonicalLoop({
      extents: [size],
      reducedDimensions: 0,
      reads: [view(result)],
      body: [],
      writes: [{ view: view(argument), value: { kind: "read", index: 0 } }],
    }),
  };
}

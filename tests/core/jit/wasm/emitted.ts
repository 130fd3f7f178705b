/**
 * @file Runs the phases of one kernel on this thread, with every buffer between guards: what lies
 * around it is NaN, and must still be there afterwards.
 */
import { assertEquals } from "@std/assert";
import { ModuleBuilder } from "../../../../core/jit/wasm/assembler.ts";
import type { EmitterContext, Phase } from "../../../../core/jit/wasm/emitter.ts";

/** A kernel's phases, to be run again and again. */
export interface Emitted {
  /** In whole ranges, unit by unit, or unit by unit from the last one. */
  run(order?: "whole" | "single" | "reversed"): void;
  /** A view of a buffer's cells. */
  buffer(index: number): Float32Array;
  /** Fails where a cell outside of the buffers (but for the last 64-byte lines) has changed. */
  checkGuards(): void;
  readonly phases: readonly Phase[];
  /** Size of the module. */
  readonly codeBytes: number;
}

const lineCells = 16;
const guardCells = 64;
const poison = 0x7fc0dead;

/** Emits a kernel over buffers with these contents (or of these sizes, then full of NaN). */
export function prepare(
  contents: readonly (Float32Array | number)[],
  scratchCells: number,
  emit: (context: EmitterContext) => Phase[],
): Emitted {
  const places: { start: number; size: number }[] = [];
  let end = guardCells;
  const place = (size: number) => {
    const start = end;
    end += Math.ceil(size / lineCells) * lineCells + guardCells;
    places.push({ start, size });
    return start;
  };
  contents.forEach((content) => place(typeof content === "number" ? content : content.length));
  const kernelScratch = place(scratchCells);
  const module = new ModuleBuilder();
  const phases = emit({
    module,
    kernelScratch: 4 * kernelScratch,
    address: (buffer) => 4 * places[buffer].start,
  });
  const bytesOfScratch = Math.max(0, ...phases.map(({ scratchBytes }) => scratchBytes));
  const scratch = place(Math.ceil(bytesOfScratch / 4));
  phases.forEach(({ code }, i) => module.export(`phase${i}`, code));
  const pages = Math.ceil(end * 4 / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const bytes = module.encode({ pages, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const integers = new Int32Array(memory.buffer);
  const cells = new Float32Array(memory.buffer);
  integers.fill(poison);
  contents.forEach((content, i) => {
    if (typeof content !== "number") cells.set(content, places[i].start);
  });
  const call = (i: number, from: number, to: number) => {
    const phase = exports[`phase${i}`] as (...values: number[]) => void;
    phase(from, to, 4 * scratch, ...phases[i].pointers);
  };
  return {
    phases,
    codeBytes: bytes.length,
    buffer: (index) => {
      const { start, size } = places[index];
      return cells.subarray(start, start + size);
    },
    run: (order = "whole") =>
      phases.forEach(({ units }, i) => {
        if (order === "whole") return call(i, 0, units);
        for (let j = 0; j < units; j++) {
          const unit = order === "single" ? j : units - 1 - j;
          call(i, unit, unit + 1);
        }
      }),
    checkGuards: () => {
      let at = 0;
      for (const { start, size } of [...places, { start: integers.length, size: 0 }]) {
        const damaged = integers.subarray(at, start).findIndex((value) => value !== poison);
        assertEquals(damaged, -1, `cell ${damaged} after a buffer was written`);
        at = start + Math.ceil(size / lineCells) * lineCells;
      }
    },
  };
}

/** Runs a kernel in all orders: the results must be the same, bit by bit. Gives the result. */
export function runEveryWay(emitted: Emitted, result: number): Float32Array {
  emitted.run();
  const whole = emitted.buffer(result).slice();
  for (const order of ["single", "reversed"] as const) {
    emitted.buffer(result).fill(NaN);
    emitted.run(order);
    assertEquals(bits(emitted.buffer(result)), bits(whole), `units ${order}`);
  }
  emitted.checkGuards();
  return whole;
}

function bits(values: Float32Array): Int32Array {
  return new Int32Array(values.slice().buffer);
}

/** A small generator of uniform numbers in (−1, 1). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    let mixed = state ^ (state >>> 15);
    mixed = Math.imul(mixed, 0x2c1b3c6d);
    mixed ^= mixed >>> 12;
    return (mixed >>> 0) / 2 ** 31 - 1;
  };
}

/** So many uniform numbers. */
export function uniformCells(size: number, random: () => number): Float32Array {
  return Float32Array.from({ length: size }, random);
}

/** Largest difference, relative to the root mean square of what is expected. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let largest = 0, squares = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
    squares += expected[i] ** 2;
  }
  return largest / (Math.sqrt(squares / expected.length) || 1);
}

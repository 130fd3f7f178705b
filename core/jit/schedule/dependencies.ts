/** @file Which kernels have to run before which. */
import type { Kernel } from "../kernels.ts";
import { readBuffers, writtenBuffers } from "./kernel_buffers.ts";

/** The order that kernels must keep: a graph of their indices. */
export class Dependencies {
  /** Of each buffer, the kernels that write it and those that read it. */
  readonly writers = new Map<number, number[]>();
  readonly readers = new Map<number, number[]>();
  readonly #successors: Set<number>[] = [];

  constructor(kernels: readonly Kernel[]) {
    kernels.forEach((kernel) => this.#list(kernel));
    for (const [buffer, writers] of this.writers) {
      for (const from of writers) {
        for (const to of this.readers.get(buffer) ?? []) this.order(from, to);
      }
    }
  }

  #list(kernel: Kernel): number {
    const index = this.#successors.push(new Set()) - 1;
    for (const buffer of writtenBuffers(kernel)) push(this.writers, buffer, index);
    for (const buffer of readBuffers(kernel)) push(this.readers, buffer, index);
    return index;
  }

  /** A further kernel, after those that write what it reads. */
  append(kernel: Kernel): number {
    const index = this.#list(kernel);
    for (const buffer of readBuffers(kernel)) {
      for (const from of this.writers.get(buffer) ?? []) this.order(from, index);
    }
    return index;
  }

  /** Puts one kernel before another. */
  order(from: number, to: number): void {
    if (from !== to) this.#successors[from].add(to);
  }

  /** The kernels directly after each. */
  get successors(): readonly ReadonlySet<number>[] {
    return this.#successors;
  }

  /** Whether one kernel must run before another. */
  isBefore(from: number, to: number): boolean {
    const seen = new Set([from]), stack = [from];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      for (const next of this.#successors[at]) {
        if (next === to) return true;
        if (!seen.has(next)) {
          seen.add(next);
          stack.push(next);
        }
      }
    }
    return false;
  }
}

function push(lists: Map<number, number[]>, key: number, value: number): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

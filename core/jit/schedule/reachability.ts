/**
 * @file Which units of work depend on which, kept up to date while units are merged: a bit set of
 * ancestors each. A merge may not close a cycle, so this is asked at every step of fusion.
 */

/** A growing acyclic graph that knows its transitive closure. */
export class Reachability {
  readonly #words: number;
  readonly #bits: Uint32Array;
  #count = 0;

  /** Room for so many units. */
  constructor(capacity: number) {
    this.#words = Math.ceil(capacity / 32);
    this.#bits = new Uint32Array(this.#words * capacity);
  }

  /** A new unit without ancestors; units are numbered from 0. */
  add(): number {
    return this.#count++;
  }

  /** Whether `to` depends on `from`. A unit does not reach itself. */
  reaches(from: number, to: number): boolean {
    return (this.#bits[to * this.#words + (from >>> 5)] >>> (from & 31) & 1) === 1;
  }

  /** Makes `to`, and all that depends on it, depend on `from`, which must not depend on it. */
  connect(from: number, to: number): void {
    if (from === to || this.reaches(from, to)) return;
    const before = this.#row(from);
    for (let unit = 0; unit < this.#count; unit++) {
      if (unit !== to && !this.reaches(to, unit)) continue;
      this.#include(unit, before);
      this.#set(unit, from);
    }
  }

  /** Makes one unit of two; `gone` may not be named again. No third one may lie between them. */
  merge(kept: number, gone: number): void {
    this.#include(kept, this.#row(gone));
    this.#clear(kept, gone);
    this.#clear(kept, kept);
    const before = this.#row(kept).slice();
    this.#row(gone).fill(0);
    for (let unit = 0; unit < this.#count; unit++) {
      if (!this.reaches(gone, unit) && !this.reaches(kept, unit)) continue;
      this.#include(unit, before);
      this.#clear(unit, gone);
      this.#set(unit, kept);
    }
  }

  #row(unit: number): Uint32Array {
    return this.#bits.subarray(unit * this.#words, (unit + 1) * this.#words);
  }

  #include(unit: number, ancestors: Uint32Array): void {
    const start = unit * this.#words, used = (this.#count + 31) >>> 5;
    for (let word = 0; word < used; word++) this.#bits[start + word] |= ancestors[word];
  }

  #set(unit: number, ancestor: number): void {
    this.#bits[unit * this.#words + (ancestor >>> 5)] |= 1 << (ancestor & 31);
  }

  #clear(unit: number, ancestor: number): void {
    this.#bits[unit * this.#words + (ancestor >>> 5)] &= ~(1 << (ancestor & 31));
  }
}

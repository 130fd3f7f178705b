/** @file What a bad disk, a cut transfer or a careless editor does to a file, for fuzz tests. */
import fc from "fast-check";

/** One damage: applied to bytes it returns other bytes, sometimes by chance the same. */
export type Mutation = (bytes: Uint8Array) => Uint8Array;

const position = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const at = (bytes: Uint8Array, where: number) => Math.floor(where * (bytes.length + 1));

const truncate = position.map((where): Mutation => (bytes) => bytes.slice(0, at(bytes, where)));

const flipBit = fc.tuple(position, fc.nat(7)).map(([where, bit]): Mutation => (bytes) => {
  const copy = bytes.slice();
  copy[Math.floor(where * copy.length)] ^= 1 << bit;
  return copy;
});

const insert = fc.tuple(position, fc.uint8Array({ minLength: 1, maxLength: 16 }))
  .map(([where, piece]): Mutation => (bytes) => {
    const index = at(bytes, where);
    return Uint8Array.from([...bytes.subarray(0, index), ...piece, ...bytes.subarray(index)]);
  });

/** A stretch of the file copied over another place in it. */
const splice = fc.tuple(position, position, fc.integer({ min: 1, max: 32 }))
  .map(([from, to, length]): Mutation => (bytes) => {
    const copy = bytes.slice();
    copy.copyWithin(at(bytes, to), at(bytes, from), at(bytes, from) + length);
    return copy;
  });

/** A run of digits, where there is one, replaced by another number: a wrong size or offset. */
const renumber = fc.tuple(position, fc.oneof(fc.nat(20), fc.maxSafeNat(), fc.constant(1e30)))
  .map(([where, value]): Mutation => (bytes) => {
    const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    const runs = [...text.matchAll(/\d+/g)];
    if (runs.length === 0) return bytes;
    const run = runs[Math.floor(where * runs.length)];
    const changed = text.slice(0, run.index) + value + text.slice(run.index + run[0].length);
    return Uint8Array.from(changed, (character) => character.charCodeAt(0));
  });

/** One to four damages in a row. */
export const mutations: fc.Arbitrary<Mutation> = fc
  .array(fc.oneof(truncate, flipBit, insert, splice, renumber), { minLength: 1, maxLength: 4 })
  .map((steps): Mutation => (bytes) => steps.reduce((damaged, step) => step(damaged), bytes));

/** Whether two byte sequences are the same. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

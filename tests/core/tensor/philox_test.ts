import { assertEquals } from "@std/assert";
import { philox4x32, wordToIndex } from "../../../core/tensor/philox.ts";
import {
  fork,
  openDevice,
  randomBits,
  randomIndices,
  randomKey,
} from "../../../core/tensor/mod.ts";
import { webgpuTest } from "../../webgpu.ts";

// Random123 (Salmon, Moraes, Dror and Shaw), tests/kat_vectors, the lines "philox4x32 10".
const knownAnswers = [
  { counter: [0, 0, 0, 0], key: [0, 0], block: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8] },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    block: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  { // digits of π
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    block: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
];

Deno.test("Philox 4×32-10 gives the known answers of Random123", () => {
  for (const { counter, key, block } of knownAnswers) {
    assertEquals([...philox4x32(Uint32Array.from(counter), Uint32Array.from(key))], block);
  }
});

/** ⌊word·count/2³²⌋ in exact arithmetic. */
function scaledWord(word: number, count: number): number {
  return Number((BigInt(word >>> 0) * BigInt(count)) >> 32n);
}

const counts = [1, 2, 3, 10, 60_000, 2 ** 23 + 1, 3 * 2 ** 29, 2 ** 31 - 1];

Deno.test("an index is the upper half of a word's product with the count", () => {
  const words = [0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
  for (const { block } of knownAnswers) words.push(...block);
  for (const count of counts) {
    for (const word of words) {
      assertEquals(wordToIndex(word, count), scaledWord(word, count), `${word} of ${count}`);
    }
  }
  // Random123's first vector, in dice.
  assertEquals(knownAnswers[0].block.map((word) => wordToIndex(word, 6)), [2, 5, 4, 3]);
});

/** Seeds, steps and labels whose bits reach the upper half of every word. */
const keys = [
  { seed: 0, step: 0, label: undefined },
  { seed: 7, step: 3, label: "noise" },
  { seed: 2 ** 53 - 1, step: 2 ** 31 - 1, label: "time" },
  { seed: 0xdeadbeef, step: -1, label: "π" },
];

/** Compares the words of the device that is open with the host's, counter by counter. */
async function assertWordsAreTheHosts(): Promise<void> {
  const samples = 37, perSample = 11;
  for (const { seed, step, label } of keys) {
    const root = randomKey(seed, step);
    const key = label === undefined ? root : fork(root, label);
    const bits = randomBits(key, [samples, perSample]);
    assertEquals(bits.dtype, "int32");
    const expected = Array.from({ length: samples * perSample }, (_, index) => {
      const sample = Math.floor(index / perSample), value = index % perSample;
      const counter = Uint32Array.of(value >> 2, sample, step, key.stream);
      const words = philox4x32(counter, Uint32Array.of(seed >>> 0, Math.floor(seed / 2 ** 32)));
      return words[value % 4] | 0;
    });
    assertEquals([...await bits.data()], expected, `seed ${seed}, step ${step}, ${label}`);
  }
}

/** The same for indices. */
async function assertIndicesAreTheHosts(): Promise<void> {
  const key = fork(randomKey(0xdeadbeef, 12), "indices");
  for (const shape of [[37], [5, 11]]) {
    const words = await randomBits(key, shape).data();
    for (const count of counts) {
      const indices = randomIndices(key, shape, count);
      assertEquals(indices.dtype, "int32");
      const expected = Array.from(words, (word) => scaledWord(word, count));
      assertEquals([...await indices.data()], expected, `of ${count}`);
    }
  }
}

for (const device of ["cpu", "wasm"] as const) {
  Deno.test(`randomIndices are the words of randomBits, scaled, on ${device}`, async () => {
    await openDevice(device);
    await assertIndicesAreTheHosts();
  });

  Deno.test(`randomBits are the words of the counters (block, sample, step, stream) on ${device}`, async () => {
    await openDevice(device);
    await assertWordsAreTheHosts();
  });
}

webgpuTest("randomIndices are the words of randomBits, scaled", assertIndicesAreTheHosts);

webgpuTest(
  "randomBits are the words of the counters (block, sample, step, stream)",
  assertWordsAreTheHosts,
);

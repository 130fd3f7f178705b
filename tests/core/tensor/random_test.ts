import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { VapoError } from "../../../core/errors.ts";
import {
  fork,
  openDevice,
  randomBits,
  randomIndices,
  type RandomKey,
  randomKey,
  randomNormal,
  randomUniform,
  type Tensor,
  tf,
} from "../../../core/tensor/mod.ts";
import { philox4x32, wordToUniform } from "../../../core/tensor/philox.ts";
import { webgpuTest } from "../../webgpu.ts";

const draws: Record<string, (key: RandomKey, shape: number[]) => Tensor> = {
  bits: randomBits,
  uniform: randomUniform,
  normal: randomNormal,
  indices: (key, shape) => randomIndices(key, shape, 1000),
};

/** The mean of f over values. */
function mean(values: ArrayLike<number>, f: (value: number, index: number) => number): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += f(values[i], i);
  return sum / values.length;
}

/** The largest gap between the empirical distribution of values and a distribution function. */
function kolmogorovSmirnov(values: Float32Array, distribution: (x: number) => number): number {
  const n = values.length;
  return values.slice().sort().reduce((largest, value, i) => {
    const p = distribution(value);
    return Math.max(largest, p - i / n, (i + 1) / n - p);
  }, 0);
}

/** The normal distribution function, to 1e-7 (Abramowitz and Stegun 7.1.26). */
function normalDistribution(x: number): number {
  const z = Math.abs(x) / Math.SQRT2, t = 1 / (1 + 0.3275911 * z);
  const polynomial = t * (0.254829592 +
    t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = polynomial * Math.exp(-z * z) / 2;
  return x > 0 ? 1 - tail : tail;
}

/** The threshold of the Kolmogorov-Smirnov statistic that one true sample in a thousand passes. */
const ksLimit = (n: number) => 1.95 / Math.sqrt(n);

Deno.test("uniform draws lie in the open interval (0, 1) in float32", () => {
  assertEquals(wordToUniform(0), 2 ** -24);
  assertEquals(Math.fround(wordToUniform(0xffffffff)), 1 - 2 ** -24);
});

Deno.test("uniform draws are their words scaled, and uniform", async () => {
  await openDevice("wasm");
  const n = 50_000, key = randomKey(11, 4);
  const uniform = await randomUniform(key, [n, 2]).data<"float32">();
  const words = await randomBits(key, [n, 2]).data();
  assertEquals(uniform, Float32Array.from(words, (word) => wordToUniform(word >>> 0)));
  const statistic = kolmogorovSmirnov(uniform, (x) => x);
  assert(statistic < ksLimit(2 * n), `${statistic}`);
});

Deno.test("normal draws have the moments and the distribution of N(0, 1)", async () => {
  await openDevice("wasm");
  const n = 40_000, perSample = 5;
  const normal = await randomNormal(randomKey(12), [n, perSample]).data<"float32">();
  const count = normal.length;
  // E x^k of the normal, each within four standard errors √(E x^2k − (E x^k)²)/√count.
  const moments = [[1, 0, 1], [2, 1, 2], [3, 0, 15], [4, 3, 96]];
  for (const [power, expected, variance] of moments) {
    const error = Math.abs(mean(normal, (x) => x ** power) - expected);
    assert(error < 4 * Math.sqrt(variance / count), `E x^${power} is off by ${error}`);
  }
  const statistic = kolmogorovSmirnov(normal, normalDistribution);
  assert(statistic < ksLimit(count), `${statistic}`);
});

Deno.test("streams, steps, seeds, samples and the values of a sample are uncorrelated", async () => {
  await openDevice("wasm");
  const n = 40_000, key = randomKey(13, 5);
  const of = (k: RandomKey) => randomNormal(k, [n, 4]).data<"float32">();
  const base = await of(key);
  const count = base.length;
  const others = {
    stream: await of(fork(key, "noise")),
    "another stream": await of(fork(key, "noisf")),
    "a stream of the stream": await of(fork(fork(key, "noise"), "noise")),
    step: await of(randomKey(13, 6)),
    seed: await of(randomKey(14, 5)),
    "the upper half of the seed": await of(randomKey(13 + 2 ** 32, 5)),
    "the next sample": Float32Array.from(base, (_, i) => base[(i + 4) % count]),
    "the other of a pair": Float32Array.from(base, (_, i) => base[i ^ 1]),
    "the next pair": Float32Array.from(base, (_, i) => base[i ^ 2]),
  };
  for (const [name, other] of Object.entries(others)) {
    // A mean of independent products of variance 1; √2 more where each product counts twice.
    const correlation = mean(base, (x, i) => x * other[i]);
    assert(Math.abs(correlation) < 4 * Math.SQRT2 / Math.sqrt(count), `${name}: ${correlation}`);
    // The radius of Box and Muller is shared by a pair, and squares would show it.
    const squares = mean(base, (x, i) => (x * x - 1) * (other[i] ** 2 - 1)) / 2;
    assert(Math.abs(squares) < 4 * Math.SQRT2 / Math.sqrt(count), `${name}, squared: ${squares}`);
  }
});

/** χ² of observed numbers of cases against expected ones. */
function chiSquared(observed: readonly number[], expected: readonly number[]): number {
  return observed.reduce((sum, o, i) => sum + (o - expected[i]) ** 2 / expected[i], 0);
}

/** How often each of 0 … bins − 1 comes up. */
function histogram(values: ArrayLike<number>, bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (let i = 0; i < values.length; i++) counts[values[i]]++;
  assertEquals(counts.length, bins);
  return counts;
}

Deno.test("indices are uniform over 0 … count − 1", async () => {
  await openDevice("wasm");
  // The χ² that one true sample in a thousand passes, by degrees of freedom (SciPy: chi2.isf).
  for (const [count, limit] of [[3, 13.816], [7, 22.458], [10, 27.877], [1000, 1142.848]]) {
    const n = 30 * Math.max(count, 1000);
    const indices = await randomIndices(randomKey(15), [n], count).data();
    const statistic = chiSquared(histogram(indices, count), Array(count).fill(n / count));
    assert(statistic < limit, `${statistic} of ${count}`);
  }
});

Deno.test("indices of 3·2²⁹ things have all their bits", async () => {
  await openDevice("wasm");
  const n = 40_000, count = 3 * 2 ** 29;
  const indices = await randomIndices(randomKey(16), [n], count).data();
  // Each of eight words in a row becomes ⌊3·word/8⌋ = 0, 0, 0, 1, 1, 1, 2, 2 and three more.
  const thirds = histogram(indices.map((index) => index % 3), 3);
  const statistic = chiSquared(thirds, [3 / 8, 3 / 8, 2 / 8].map((share) => share * n));
  assert(statistic < 13.816, `${thirds}`);
  // Uniform numbers of 23 bits times the count are 96 above a multiple of 192.
  assert(new Set(indices.map((index) => index % 192)).size === 192);
  // The mean of ⌊word·3/8⌋ over all words is 3·(2³² − 1)/16 less that of its fractions: 7/16.
  const expected = 3 * (2 ** 32 - 1) / 16 - 7 / 16;
  const error = Math.abs(mean(indices, (index) => index) - expected);
  assert(error < 4 * count / Math.sqrt(12 * n), `${error}`);
});

Deno.test("a fork's stream is FNV-1a of its label", () => {
  // http://www.isthe.com/chongo/tech/comp/fnv: 32-bit FNV-1a of "", "a" and "foobar".
  const key = randomKey(1, 2);
  assertEquals(fork(key, "").stream, 0x811c9dc5);
  assertEquals(fork(key, "a").stream, 0xe40c292c);
  assertEquals(fork(key, "foobar").stream, 0xbf9cf968);
  assertEquals(fork(key, "a").seed, key.seed);
  assertEquals(fork(key, "a").step, key.step);
  assertNotEquals(fork(fork(key, "a"), "b").stream, fork(fork(key, "b"), "a").stream);
  assertNotEquals(fork(fork(key, "a"), "b").stream, fork(key, "b").stream);
});

Deno.test("a step that lives on the device draws what a number draws", async () => {
  await openDevice("wasm");
  const step = tf.add(tf.scalar(20, "int32"), tf.scalar(3, "int32"));
  const fromTensor = await randomNormal(randomKey(5, step), [8]).data();
  assertEquals(fromTensor, await randomNormal(randomKey(5, 23), [8]).data());
});

/** Few samples are the first of many, for every kind of draw; values a multiple of four or not. */
async function assertPrefix(): Promise<void> {
  for (const [name, draw] of Object.entries(draws)) {
    for (const perSample of [[], [3], [2, 2]]) {
      const few = await draw(randomKey(17), [10, ...perSample]).data();
      const many = await draw(randomKey(17), [100, ...perSample]).data();
      assertEquals(few, many.slice(0, few.length), `${name} [n, ${perSample}]`);
    }
  }
}

Deno.test("few samples are a prefix of many", async () => {
  for (const device of ["cpu", "wasm"] as const) {
    await openDevice(device);
    await assertPrefix();
  }
});

webgpuTest("few samples are a prefix of many", assertPrefix);

/** A draw that starts at some sample is that part of the whole draw. */
async function assertPart(): Promise<void> {
  for (const [name, draw] of Object.entries(draws)) {
    for (const perSample of [[], [3], [2, 2]]) {
      const key = randomKey(17, 2), first = 37;
      const size = perSample.reduce((product, side) => product * side, 1);
      const whole = await draw(key, [100, ...perSample]).data();
      const part = await draw(fork({ ...key, firstSample: first }, ""), [10, ...perSample]).data();
      const forked = await draw(fork(key, ""), [100, ...perSample]).data();
      assertEquals(part, forked.slice(first * size, (first + 10) * size), `${name}, forked`);
      const rest = await draw({ ...key, firstSample: first }, [63, ...perSample]).data();
      assertEquals(rest, whole.slice(first * size), `${name} [n, ${perSample}]`);
    }
  }
}

Deno.test("a draw that starts at some sample is that part of the whole draw", async () => {
  for (const device of ["cpu", "wasm"] as const) {
    await openDevice(device);
    await assertPart();
  }
});

webgpuTest("a draw that starts at some sample is that part of the whole draw", assertPart);

/** A tensor for the first sample does what the number does, bit for bit. */
async function assertPartByTensor(): Promise<void> {
  for (const [name, draw] of Object.entries(draws)) {
    for (const first of [0, 37, 2 ** 31 - 5]) {
      const key = fork(randomKey(21, 2), name);
      const byNumber = await draw({ ...key, firstSample: first }, [10, 3]).data();
      const firstSample = tf.scalar(first, "int32");
      // It stays with a fork, as the number does.
      const parent = { ...randomKey(21, 2), firstSample };
      assertEquals(await draw(fork(parent, name), [10, 3]).data(), byNumber, `${name}, ${first}`);
    }
  }
}

Deno.test("a draw may start at a sample that lives on the device", async () => {
  for (const device of ["cpu", "wasm"] as const) {
    await openDevice(device);
    await assertPartByTensor();
  }
});

webgpuTest("a draw may start at a sample that lives on the device", assertPartByTensor);

Deno.test("a first sample that is no int32 scalar is refused", async () => {
  await openDevice("cpu");
  for (const firstSample of [tf.scalar(3), tf.tensor1d([1, 2], "int32")]) {
    assertThrows(
      () => randomUniform({ ...randomKey(1), firstSample }, [2]),
      VapoError,
      `firstSample is a ${firstSample.dtype} tensor of shape [${firstSample.shape}]`,
    );
  }
});

Deno.test("indices of no things, or of more than an int32 counts, are refused", async () => {
  await openDevice("cpu");
  for (const count of [0, -1, 1.5, 2 ** 31, NaN]) {
    assertThrows(() => randomIndices(randomKey(1), [2], count), VapoError, `of ${count} things`);
  }
  const all = await randomIndices(randomKey(1), [1000], 2 ** 31 - 1).data();
  assert(all.every((index) => index >= 0 && index < 2 ** 31 - 1));
  assert(all.some((index) => index > 2 ** 30));
});

Deno.test("a draw makes one tensor, and cpu and wasm draw the same bits", async () => {
  const drawn: unknown[] = [];
  for (const device of ["cpu", "wasm"] as const) {
    await openDevice(device);
    const key = randomKey(18);
    for (const draw of Object.values(draws)) {
      const before = tf.memory().numTensors;
      const values = draw(key, [9, 3]);
      assertEquals(tf.memory().numTensors, before + 1);
      drawn.push(await values.data());
    }
  }
  assertEquals(drawn.slice(0, 4), drawn.slice(4));
});

webgpuTest("uniforms are the host's bits and normals the host's to float32 rounding", async () => {
  const shape = [2000, 3];
  const uniform = await randomUniform(randomKey(19, 2), shape).data();
  const indices = await randomIndices(randomKey(19, 2), shape, 60_000).data();
  const normal = await randomNormal(randomKey(19, 2), shape).data();
  await openDevice("cpu");
  assertEquals(uniform, await randomUniform(randomKey(19, 2), shape).data());
  assertEquals(indices, await randomIndices(randomKey(19, 2), shape, 60_000).data());
  const expected = await randomNormal(randomKey(19, 2), shape).data<"float32">();
  // The built-in functions of some adapters would be off by 2⁻¹¹.
  const error = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - normal[i])), 0);
  assert(error < 2e-6, `${error}`);
});

webgpuTest("draws beyond 65,535 workgroups reach the last value", async () => {
  const samples = 70_000, perSample = 64; // 70,000 workgroups of 64 threads
  const bits = await randomBits(randomKey(20), [samples, perSample]).data();
  const last = [...bits.slice(-4)].map((word) => word >>> 0);
  const counter = Uint32Array.of(perSample / 4 - 1, samples - 1, 0, 0);
  assertEquals(last, [...philox4x32(counter, Uint32Array.of(20, 0))]);
});

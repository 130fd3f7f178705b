import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { ConfigError, NonFiniteError, VapoError } from "../../../core/errors.ts";
import { nearestImages, nearestPoints } from "../../../core/metrics/nearest_neighbours.ts";
import { openDevice, tf } from "../../../core/tensor/mod.ts";
import { seededNormals } from "../homotopy/numerics.ts";

/** All distances in float64, sorted: the smaller place first where they are equal. */
function bruteForce(
  queries: ArrayLike<number>,
  set: ArrayLike<number>,
  size: number,
  k: number,
): { indices: number[]; distances: number[] } {
  const indices: number[] = [], distances: number[] = [];
  for (let query = 0; query < queries.length / size; query++) {
    const all = Array.from({ length: set.length / size }, (_, member) => {
      let squared = 0;
      for (let i = 0; i < size; i++) {
        squared += (queries[query * size + i] - set[member * size + i]) ** 2;
      }
      return { member, squared };
    }).sort((a, b) => a.squared - b.squared || a.member - b.member).slice(0, k);
    indices.push(...all.map(({ member }) => member));
    distances.push(...all.map(({ squared }) => Math.sqrt(squared)));
  }
  return { indices, distances };
}

/** Bytes that look drawn at random. */
function bytes(count: number, seed: number, levels = 256): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => {
    let word = Math.imul(i + 1, 2654435761) ^ Math.imul(seed, 40503);
    word = Math.imul(word ^ (word >>> 15), 2246822519);
    word = Math.imul(word ^ (word >>> 13), 3266489917);
    return ((word ^ (word >>> 16)) >>> 0) % levels;
  });
}

Deno.test("nearest images are those of brute force, over several parts of the set", async () => {
  await openDevice("wasm");
  // 32·32·3 numbers make parts of 342 images; 50 levels make equal distances rare, three many.
  for (const [shape, members, levels] of [[[32, 32, 3], 900, 50], [[3, 3, 1], 3000, 3]] as const) {
    const size = shape[0] * shape[1] * shape[2];
    const queries = bytes(11 * size, 1, levels), set = bytes(members * size, 2, levels);
    const found = await nearestImages(queries, set, shape, 7);
    const expected = bruteForce(queries, set, size, 7);
    assertEquals([...found.indices], expected.indices);
    found.distances.forEach((d, i) => assertAlmostEquals(d, expected.distances[i] / 127.5, 1e-12));
    assertEquals([found.k, found.distances.length], [7, 77]);
  }
});

Deno.test("a copy has distance 0, and of several the first comes first", async () => {
  await openDevice("wasm");
  const set = bytes(5000 * 16, 3), queries = set.slice(100 * 16, 102 * 16);
  set.copyWithin(4900 * 16, 100 * 16, 101 * 16); // image 100 once more, far behind
  const { indices, distances } = await nearestImages(queries, set, [4, 4, 1], 2);
  assertEquals([...indices.subarray(0, 3)], [100, 4900, 101]);
  assertEquals([...distances.subarray(0, 3)], [0, 0, 0]);
});

Deno.test("black and white alone, where float32 sums round most, lose no neighbour", async () => {
  await openDevice("wasm");
  const size = 64 * 64 * 3;
  // Each image differs from white in a number of pixels of its own, from 399 down to 0.
  const set = new Uint8Array(400 * size).fill(255);
  for (let i = 0; i < 400; i++) set.fill(0, i * size, i * size + 399 - i);
  const white = new Uint8Array(size).fill(255);
  const { indices, distances } = await nearestImages(white, set, [64, 64, 3], 5);
  assertEquals([...indices], [399, 398, 397, 396, 395]);
  distances.forEach((d, i) => assertAlmostEquals(d, 2 * Math.sqrt(i), 1e-12));
});

Deno.test("nearest points are those of float64, far from the origin too", async () => {
  await openDevice("wasm");
  for (const offset of [0, 30, 1000]) {
    const draw = (n: number, seed: number) =>
      Float32Array.from(seededNormals(n * 40, seed), (value) => value + offset);
    const queries = draw(20, 1), set = draw(2000, 2);
    const found = await nearestPoints(queries, set, 40, 9);
    const expected = bruteForce(queries, set, 40, 9);
    assertEquals([...found.indices], expected.indices);
    found.distances.forEach((d, i) => assertAlmostEquals(d, expected.distances[i], 1e-12));
  }
});

Deno.test("more queries than are compared at once, and the device that does not compile", async () => {
  const set = Float32Array.from(seededNormals(300, 5));
  const queries = Float32Array.from(seededNormals(1500, 6));
  const expected = bruteForce(queries, set, 1, 3);
  for (const device of ["wasm", "cpu"] as const) {
    await openDevice(device);
    const before = tf.memory().numTensors, told: number[] = [];
    const found = await nearestPoints(queries, set, 1, 3, {
      signal: new AbortController().signal,
      onProgress: (done, total) => told.push(done / total),
    });
    assertEquals([...found.indices], expected.indices);
    assertEquals(tf.memory().numTensors, before);
    assert(
      told.length > 1 && told.at(-1) === 1 && told.every((x, i) => i === 0 || x > told[i - 1]),
    );
  }
});

Deno.test("any sizes, ties everywhere: brute force", async () => {
  await openDevice("cpu");
  const sizes = fc.tuple(
    fc.integer({ min: 1, max: 6 }),
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 1e6 }),
  );
  await fc.assert(
    fc.asyncProperty(sizes, async ([n, members, size, seed]) => {
      const queries = bytes(n * size, seed, 3), set = bytes(members * size, seed + 1, 3);
      const k = 1 + seed % members, expected = bruteForce(queries, set, size, k);
      const images = await nearestImages(queries, set, [1, size, 1], k);
      assertEquals([...images.indices], expected.indices);
      const points = await nearestPoints(
        Float32Array.from(queries),
        Float32Array.from(set),
        size,
        k,
      );
      assertEquals([...points.indices], expected.indices);
      assertEquals([...points.distances], expected.distances);
    }),
    { numRuns: 30 },
  );
});

Deno.test("an abort ends the search with the signal's reason", async () => {
  await openDevice("cpu");
  const signal = AbortSignal.abort(new Error("enough"));
  const set = bytes(64, 1);
  await assertRejects(() => nearestImages(set, set, [1, 1, 1], 1, { signal }), Error, "enough");
});

Deno.test("what cannot be searched is refused", async () => {
  await openDevice("cpu");
  const set = bytes(64, 1), points = new Float32Array(8);
  await assertRejects(() => nearestImages(set, set, [3, 3, 1], 1), VapoError, "whole images");
  await assertRejects(
    () => nearestImages(new Uint8Array(), set, [1, 1, 1], 1),
    VapoError,
    "0 bytes",
  );
  await assertRejects(
    () => nearestImages(set, set, [8, 8, 1], 2),
    ConfigError,
    "2 neighbours of 1",
  );
  await assertRejects(() => nearestPoints(points, points, 3, 1), VapoError, "8 numbers");
  const infinite = Float32Array.of(1, Infinity);
  await assertRejects(() => nearestPoints(points, infinite, 1, 1), NonFiniteError, "point 1");
  const large = Float32Array.of(1e30, 0);
  await assertRejects(() => nearestPoints(points, large, 1, 1), VapoError, "scale the points down");
  await assertRejects(() => nearestPoints(large, points, 1, 1), VapoError, "scale the points down");
});

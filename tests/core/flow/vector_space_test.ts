import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { VapoError } from "../../../core/errors.ts";
import {
  float64Space,
  tensorSpace,
  vectorScope,
  type VectorSpace,
  vectorSpaceOf,
} from "../../../core/flow/vector_space.ts";
import { openDevice, type Tensor, tf } from "../../../core/tensor/mod.ts";
import { webgpuTest } from "../../webgpu.ts";

/** A space with a way in and out, so that one set of laws serves all. */
interface Tested<V> {
  readonly space: VectorSpace<V>;
  make(values: readonly number[]): V;
  read(vector: V): Promise<number[]>;
  /** Relative error of an operation or two. */
  readonly precision: number;
}

const host: Tested<Float64Array> = {
  space: float64Space,
  make: (values) => Float64Array.from(values),
  read: (vector) => Promise.resolve([...vector]),
  precision: 1e-14,
};

const device: Tested<Tensor> = {
  space: tensorSpace,
  make: (values) => tf.tensor([...values], [1, values.length / 2, 2]),
  read: async (vector) => [...await vector.data()],
  precision: 1e-5,
};

function assertClose(actual: readonly number[], expected: readonly number[], tolerance: number) {
  assertEquals(actual.length, expected.length);
  actual.forEach((value, i) =>
    assertAlmostEquals(value, expected[i], tolerance * (1 + Math.abs(expected[i])))
  );
}

const component = fc.float({ min: -8, max: 8, noNaN: true });
const weight = fc.constantFrom(-2, -0.5, 0, 0.25, 1, 3);
const sizes = fc.constantFrom(2, 6, 10);

/** Weights and vectors of one size, and a positive scale. */
const terms = sizes.chain((size) =>
  fc.record({
    vectors: fc.array(
      fc.record({ c: weight, v: fc.array(component, { minLength: size, maxLength: size }) }),
      { minLength: 1, maxLength: 5 },
    ),
    scale: fc.array(fc.constantFrom(0.5, 1, 4), { minLength: size, maxLength: size }),
  })
);

async function checkLaws<V>(name: string, { space, make, read, precision }: Tested<V>) {
  await fc.assert(
    fc.asyncProperty(terms, async ({ vectors, scale }) => {
      const vs = vectors.map(({ v }) => make(v));
      const s = make(scale);
      const sum = space.combine(vectors.map(({ c }) => c), vs);
      assertClose(
        await read(sum),
        scale.map((_, i) => vectors.reduce((total, { c, v }) => total + c * v[i], 0)),
        precision,
      );
      const products = await space.innerProducts(vs, [vs[0], sum], s);
      const exact = (a: readonly number[], b: readonly number[]) =>
        a.reduce((total, x, i) => total + x * b[i] / scale[i] ** 2, 0) / a.length;
      const sumValues = await read(sum);
      vectors.forEach(({ v }, i) =>
        assertClose(products[i], [exact(v, vectors[0].v), exact(v, sumValues)], 50 * precision)
      );
      assertClose(
        await space.norms(vs, s),
        vectors.map(({ v }) => Math.sqrt(exact(v, v))),
        precision,
      );
      space.dispose(sum, s, ...vs);
    }),
    { numRuns: 40, seed: 1 },
  );
  const v = make([1, -2, 3, -4]);
  const w = make([-5, 1, 0, 0]);
  assertClose(await read(space.errorScale(v, w, 0.1, 2)), [2.5, 2.2, 2.3, 2.4], precision);
  assertEquals([await space.isFinite(v), space.shape(v).reduce((a, b) => a * b)], [true, 4]);
  for (const bad of [NaN, Infinity, -Infinity]) {
    assert(!await space.isFinite(make([1, bad, 0, 2])), `${name} ${bad}`);
  }
  // A coefficient of 0 keeps a vector out, whatever it holds.
  assertClose(await read(space.combine([0, 2], [make([NaN, Infinity]), make([1, 2])])), [2, 4], 0);
  assertClose(await read(space.combine([0], [v])), [0, 0, 0, 0], 0);
  const copy = space.copy(v);
  space.dispose(v);
  assertClose(await read(copy), [1, -2, 3, -4], 0);
}

Deno.test("linear combinations, norms and inner products agree with their definitions", async () => {
  await checkLaws("host", host);
  await openDevice("cpu");
  await checkLaws("cpu", device);
  await openDevice("wasm");
  await checkLaws("wasm", device);
});

webgpuTest("the laws hold where a device answers by promises", async () => {
  const scale = tf.ones([1, 2, 2]);
  assert(tensorSpace.norms([scale], scale) instanceof Promise);
  await checkLaws("webgpu", device);
});

Deno.test("large tensors, combined term by term, give what small ones give", async () => {
  await openDevice("wasm");
  const [few, many] = [1000, 2 ** 17];
  const values = (n: number, k: number) =>
    tf.tensor(Float32Array.from({ length: n }, (_, i) => Math.sin(i % few + k)));
  const results = [few, many].map((n) => {
    const [a, b, c] = [0, 1, 2].map((k) => values(n, k));
    const scale = tf.fill([n], 2);
    return {
      sum: [...tensorSpace.combine([1, -2, 0.5], [a, b, c]).dataSync().slice(0, few)],
      products: (tensorSpace.innerProducts([a, b, c], [a, c], scale) as number[][]).flat(),
    };
  });
  assertClose(results[1].sum, results[0].sum, 1e-6);
  // 2¹⁷ is no multiple of 1000, so that the means differ a little.
  assertClose(results[1].products, results[0].products, 1e-3);
});

Deno.test("operations on tensors leave behind what they return and nothing else", async () => {
  await openDevice("cpu");
  const [a, b] = [tf.ones([2, 3]), tf.ones([2, 3])];
  const before = tf.memory().numTensors;
  tensorSpace.norms([a, b], a);
  tensorSpace.innerProducts([a, b], [b], a);
  tensorSpace.isFinite(a);
  assertEquals(tf.memory().numTensors, before);
  const made = [
    tensorSpace.combine([1, 2], [a, b]),
    tensorSpace.combine([0], [a]),
    tensorSpace.errorScale(a, b, 1, 1),
    tensorSpace.copy(a),
  ];
  assertEquals(tf.memory().numTensors, before + made.length);
  tensorSpace.dispose(...made);
  assertEquals(tf.memory().numTensors, before);
  tf.dispose([a, b]);
});

Deno.test("a scope frees what is still in its charge, and only that", async () => {
  await openDevice("cpu");
  const outside = tf.ones([2]);
  const before = tf.memory().numTensors;
  const scope = vectorScope(tensorSpace);
  const kept = scope.combine([2], [outside]);
  const adopted = scope.adopt(tf.zeros([2]));
  scope.copy(outside);
  scope.errorScale(outside, outside, 1, 1);
  scope.dispose(adopted);
  scope.release(kept);
  scope.close();
  assertEquals(tf.memory().numTensors, before + 1);
  assertEquals([...kept.dataSync()], [2, 2]);
  assert(adopted.isDisposed && !outside.isDisposed);
  tf.dispose([kept, outside]);
});

Deno.test("the space of a vector is found by its type", () => {
  assert(vectorSpaceOf(new Float64Array(2)) === float64Space as unknown);
  assert(vectorSpaceOf(tf.zeros([2])) === tensorSpace as unknown);
  assertThrows(() => vectorSpaceOf([1, 2]), VapoError, "is Array: expected a Float64Array");
  assertThrows(() => vectorSpaceOf(tf.zeros([2], "int32")), VapoError, "a tensor of int32");
});

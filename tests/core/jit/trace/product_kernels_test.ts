import { assertEquals } from "@std/assert";
import { openDevice, type Tensor, tf } from "../../../../core/tensor/mod.ts";
import {
  assertAgrees,
  assertNear,
  floats,
  integers,
  onDevices,
  run,
  traceCleanly,
} from "./agreement.ts";

/** m, k, n and the two batches. */
const products: [number, number, number, number[], number[]][] = [
  [1, 1, 1, [], []],
  [5, 7, 3, [], []],
  [4, 6, 5, [3], [3]],
  [4, 3, 5, [3], [1]],
  [4, 3, 5, [1], [3]],
  [2, 3, 5, [4], []],
  [2, 3, 5, [], [4]],
  [2, 3, 4, [2, 3], [2, 3]],
];

onDevices("products of any rank, transposed or not, with their gradients", (device) => {
  for (const [m, k, n, batchA, batchB] of products) {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        // The WebAssembly backend broadcasts a batch of one against the other wrongly.
        if (device === "wasm" && `${batchA}` !== `${batchB}`) continue;
        const a = floats([...batchA, ...(transposeA ? [k, m] : [m, k])]);
        const b = floats([...batchB, ...(transposeB ? [n, k] : [k, n])]);
        const f = (a: Tensor, b: Tensor) => tf.matMul(a, b, transposeA, transposeB);
        const label = `[${a.shape}] × [${b.shape}]`;
        assertAgrees(label, f, [a, b]);
        if (`${batchA}` !== `${batchB}`) continue; // nor is the gradient summed over the batch
        const first = (a: Tensor, b: Tensor) =>
          tf.grads((a: Tensor, b: Tensor) => tf.square(f(a, b)))([a, b]);
        assertAgrees(`${label}'`, first, [a, b], { relative: 1e-5 });
        const second = (a: Tensor, b: Tensor) =>
          tf.grads((a: Tensor, b: Tensor) => {
            const [da, db] = first(a, b);
            return tf.add(tf.sum(tf.square(da)), tf.sum(db));
          })([a, b]);
        assertAgrees(`${label}''`, second, [a, b], { relative: 1e-5 });
      }
    }
  }
});

Deno.test("one matrix for a whole batch is one product of two matrices", async () => {
  await openDevice("cpu");
  const { graph } = traceCleanly((a, b) => tf.matMul(a, b), [floats([3, 4, 5]), floats([1, 5, 2])]);
  const product = graph.nodes.find(({ operation }) => operation.kind === "matmul")!;
  assertEquals(product.shape, [12, 2]);
});

Deno.test("batches broadcast against each other", async () => {
  await openDevice("cpu");
  const a = floats([2, 1, 2, 3]), b = floats([1, 3, 3, 4]);
  const traced = traceCleanly((a, b) => tf.matMul(a, b), [a, b]);
  // TensorFlow.js gets this wrong itself, so it is given the copies.
  const expected = tf.matMul(tf.tile(a, [1, 3, 1, 1]), tf.tile(b, [2, 1, 1, 1]));
  assertEquals(traced.graph.nodes[traced.graph.outputs[0].node].shape, expected.shape);
  assertNear(run(traced, [a, b])[0], expected.dataSync(), 2e-6, "product");
});

Deno.test("products of integers are integers", async () => {
  await openDevice("cpu");
  assertAgrees("product", (a, b) => tf.matMul(a, b), [integers([3, 4]), integers([4, 2])]);
});

onDevices("fused products: bias and every activation", () => {
  const a = floats([5, 4]), b = floats([4, 3]), bias = floats([3]);
  const preluActivationWeights = floats([3]);
  for (
    const activation of ["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu", "prelu"] as const
  ) {
    const f = (a: Tensor, b: Tensor, bias: Tensor) =>
      tf.fused.matMul(
        {
          ...{ a, b, bias, activation, leakyreluAlpha: 0.3 },
          ...(activation === "prelu" && { preluActivationWeights }),
        } as Parameters<typeof tf.fused.matMul>[0],
      );
    assertAgrees(activation, f, [a, b, bias]);
    if (activation === "linear" || activation === "relu") {
      const gradient = (...args: Tensor[]) => tf.grads(f as (...args: Tensor[]) => Tensor)(args);
      assertAgrees(`${activation}'`, gradient, [a, b, bias]);
    }
  }
  assertAgrees("no bias", (a, b) => tf.fused.matMul({ a, b, transposeB: true }), [
    a,
    floats([6, 4]),
  ]);
});

Deno.test("Einstein's summation", async () => {
  await openDevice("cpu");
  const equations: [string, ...number[][]][] = [
    ["ij,jk->ik", [3, 4], [4, 5]],
    ["ij,kj->ki", [3, 4], [5, 4]],
    ["bij,bjk->bik", [2, 3, 4], [2, 4, 5]],
    ["i,j->ij", [3], [4]],
    ["i,i->", [5], [5]],
    ["ij->ji", [3, 4]],
    ["ij->i", [3, 4]],
    ["bhqd,bhkd->bhqk", [2, 3, 4, 5], [2, 3, 6, 5]],
    ["ij,ij->j", [3, 4], [3, 4]],
    ["ijk->ik", [3, 4, 2]],
  ];
  for (const [equation, ...shapes] of equations) {
    assertAgrees(
      equation,
      (...args: Tensor[]) => tf.einsum(equation, ...args),
      shapes.map((s) => floats(s)),
    );
  }
});

import { assertEquals } from "@std/assert";
import {
  averagePool2,
  batchValueAndGradient,
  openDevice,
  type Tensor4D,
  tf,
} from "../../../core/tensor/mod.ts";
import { webgpuTest } from "../../webgpu.ts";
import { assertClose } from "../homotopy/numerics.ts";

const shape: [number, number, number, number] = [2, 4, 6, 3];
const values = Float32Array.from({ length: 2 * 4 * 6 * 3 }, (_, i) => Math.sin(1.7 * i));

async function assertMeans(): Promise<void> {
  const pooled = averagePool2(tf.tensor4d(values, shape));
  assertEquals(pooled.shape, [2, 2, 3, 3]);
  const at = (n: number, y: number, x: number, c: number) => values[((n * 4 + y) * 6 + x) * 3 + c];
  const expected: number[] = [];
  for (let n = 0; n < 2; n++) {
    for (let y = 0; y < 4; y += 2) {
      for (let x = 0; x < 6; x += 2) {
        for (let c = 0; c < 3; c++) {
          expected.push(
            (at(n, y, x, c) + at(n, y, x + 1, c) + at(n, y + 1, x, c) +
              at(n, y + 1, x + 1, c)) / 4,
          );
        }
      }
    }
  }
  assertClose(await pooled.data(), expected, 1e-6);
}

/**
 * With f(x) = Σ pool(x)³/3, ∇f is pool(x)²/4 spread over each block, and the gradient of ½|∇f|²
 * (= Σ over blocks of ½·4·(m²/4)², m = pool(x)) is (m³/2)/4 in each place.
 */
async function assertSecondGradient(): Promise<void> {
  const input = tf.tensor4d(values, shape);
  const cube = (x: Tensor4D) => tf.div(tf.sum(tf.pow(averagePool2(x), 3), [1, 2, 3]), 3);
  const { gradient } = batchValueAndGradient((x) => {
    const inner = batchValueAndGradient((y) => cube(y as Tensor4D), x).gradient;
    return tf.mul(0.5, tf.sum(tf.square(inner), [1, 2, 3]));
  }, input);
  const blockMean = tf.avgPool(input, 2, 2, "valid");
  const spread = tf.image.resizeNearestNeighbor(blockMean, [4, 6]);
  assertClose(
    await gradient.data(),
    Array.from(await spread.data(), (m) => m ** 3 / 8),
    1e-5,
  );
}

/** Pooling is linear: the gradient of ∇(½ Σ pool(x)²)·w in x is pooling and spreading w by quarters. */
async function assertProductWithHessian(): Promise<void> {
  const input = tf.tensor4d(values, shape);
  const w = tf.tensor4d(values.map((value, i) => Math.cos(i) - value), shape);
  const energy = (x: Tensor4D) => tf.mul(0.5, tf.sum(tf.square(averagePool2(x)), [1, 2, 3]));
  const { gradient } = batchValueAndGradient((x) => {
    const inner = batchValueAndGradient((y) => energy(y as Tensor4D), x).gradient;
    return tf.sum(tf.mul(inner, w), [1, 2, 3]);
  }, input);
  const spread = tf.image.resizeNearestNeighbor(tf.avgPool(w, 2, 2, "valid"), [4, 6]);
  assertClose(await gradient.data(), Array.from(await spread.data(), (mean) => mean / 4), 1e-5);
}

for (const device of ["cpu", "wasm"] as const) {
  Deno.test(`averagePool2 is the mean over 2×2 blocks on ${device}`, async () => {
    await openDevice(device);
    await assertMeans();
  });
  Deno.test(`averagePool2 can be differentiated twice on ${device}`, async () => {
    await openDevice(device);
    await assertSecondGradient();
    await assertProductWithHessian();
  });
}

webgpuTest("averagePool2 is the mean over 2×2 blocks", assertMeans);
webgpuTest("averagePool2 can be differentiated twice", async () => {
  await assertSecondGradient();
  await assertProductWithHessian();
});

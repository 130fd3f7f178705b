import { assert, assertEquals } from "@std/assert";
import {
  batchValueAndGradient,
  lossAndGradients,
  openDevice,
  type Scalar,
  type Tensor,
  type Tensor2D,
  tf,
} from "../../../core/tensor/mod.ts";
import { webgpuTest } from "../../webgpu.ts";
import { assertClose } from "../homotopy/numerics.ts";

/** Φ_a(x) = ½a₀ Σ x² + a₁ Σ x³, row by row, and its derivatives in closed form. */
const points = [[1, 2], [-0.5, 3], [0, 0.25]];
const a = [2, 0.5];

function cubic(parameters: { a: Tensor }, x: Tensor): Tensor {
  const [a0, a1] = tf.unstack(parameters.a);
  return tf.add(
    tf.mul(tf.mul(a0, 0.5), tf.sum(tf.square(x), 1)),
    tf.mul(a1, tf.sum(tf.pow(x, 3), 1)),
  );
}

async function assertBatchGradient(): Promise<void> {
  const x = tf.tensor2d(points);
  const { value, gradient } = batchValueAndGradient((x) => cubic({ a: tf.tensor1d(a) }, x), x);
  assertEquals(value.shape, [3]);
  assertEquals(gradient.shape, [3, 2]);
  assertClose(
    await value.data(),
    points.map((row) => row.reduce((sum, c) => sum + 0.5 * a[0] * c ** 2 + a[1] * c ** 3, 0)),
    1e-6,
  );
  assertClose(await gradient.data(), points.flat().map((c) => a[0] * c + 3 * a[1] * c ** 2), 1e-6);
}

Deno.test("the gradient of a batch of scalars is each row's own", async () => {
  for (const device of ["cpu", "wasm"] as const) {
    await openDevice(device);
    await assertBatchGradient();
  }
});

webgpuTest("the gradient of a batch of scalars is each row's own", assertBatchGradient);

Deno.test("a function without influence of its input has a zero gradient", async () => {
  await openDevice("cpu");
  const x = tf.tensor2d(points);
  const { gradient } = batchValueAndGradient(() => tf.ones([3]), x);
  assertEquals([...await gradient.data()], new Array(6).fill(0));
});

/** The mean of |∇Φ|² over the points, a gradient inside a loss; reports the mean of Φ. */
function gradientLoss(parameters: Record<string, Tensor>, x: Tensor) {
  return lossAndGradients(() => {
    const { value, gradient } = batchValueAndGradient(
      (x) => cubic(parameters as { a: Tensor }, x),
      x,
    );
    const loss = tf.mean(tf.sum(tf.square(gradient), 1)) as Scalar;
    return { loss, report: { potential: tf.mean(value) as Tensor } };
  }, parameters);
}

async function assertGradientOfGradient(): Promise<void> {
  const parameters = { a: tf.tensor1d(a), unused: tf.ones([2, 2]) };
  const { loss, report, gradients } = gradientLoss(parameters, tf.tensor2d(points));
  const slopes = points.flat().map((c) => ({ c, g: a[0] * c + 3 * a[1] * c ** 2 }));
  const meanOf = (f: (s: { c: number; g: number }) => number) =>
    slopes.reduce((sum, s) => sum + f(s), 0) / points.length;
  assertClose(await loss.data(), [meanOf(({ g }) => g ** 2)], 1e-6);
  assertClose(
    await gradients.a.data(),
    [meanOf(({ c, g }) => 2 * g * c), meanOf(({ c, g }) => 6 * g * c ** 2)],
    1e-6,
  );
  assertEquals([...await gradients.unused.data()], [0, 0, 0, 0]);
  assertEquals(gradients.unused.shape, [2, 2]);
  assertClose(
    await report.potential.data(),
    [meanOf(({ c }) => 0.5 * a[0] * c ** 2 + a[1] * c ** 3)],
    1e-6,
  );
}

Deno.test("the gradient of a loss that holds a gradient is the closed form", async () => {
  for (const device of ["cpu", "wasm"] as const) {
    await openDevice(device);
    await assertGradientOfGradient();
  }
});

webgpuTest(
  "the gradient of a loss that holds a gradient is the closed form",
  assertGradientOfGradient,
);

Deno.test("what is returned is all that is left: loss, report and gradients", async () => {
  await openDevice("wasm");
  const parameters = { a: tf.tensor1d(a), unused: tf.ones([2, 2]) };
  const x: Tensor2D = tf.tensor2d(points);
  const run = () => tf.tidy(() => ({ ...gradientLoss(parameters, x) }));
  tf.dispose(run());
  const before = { tensors: tf.memory().numTensors, data: tf.engine().backend.numDataIds() };
  const result = run();
  assertEquals(tf.memory().numTensors, before.tensors + 4);
  tf.dispose(result);
  assertEquals(tf.memory().numTensors, before.tensors);
  assertEquals(tf.engine().backend.numDataIds(), before.data);
});

Deno.test("a report outlives the tidy that its loss was computed in", async () => {
  await openDevice("cpu");
  const parameters = { a: tf.tensor1d(a) };
  const { loss, report, gradients } = tf.tidy(() =>
    lossAndGradients(() => {
      const squares = tf.square(parameters.a);
      return { loss: tf.sum(squares) as Scalar, report: { squares } };
    }, parameters)
  );
  assertEquals([...await report.squares.data()], [4, 0.25]);
  assertEquals([...await loss.data()], [4.25]);
  assertEquals([...await gradients.a.data()], [4, 1]);
  assert(!parameters.a.isDisposed);
});

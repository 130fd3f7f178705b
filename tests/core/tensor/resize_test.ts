import { assert, assertEquals } from "@std/assert";
import recorded from "../../fixtures/resize.json" with { type: "json" };
import { jit } from "../../../core/jit/mod.ts";
import { openDevice, type Tensor4D, tf } from "../../../core/tensor/mod.ts";
import { resizeBilinear } from "../../../core/tensor/resize.ts";
import { digest, findPyTorch } from "../../reference/pytorch.ts";
import { askPyTorchToResize, type ResizeCase, resizeCases } from "../../reference/resize.ts";
import { webgpuTest } from "../../webgpu.ts";

const known = recorded as unknown as Record<string, [number, number]>;

async function resized({ shape, size, data }: ResizeCase): Promise<Float32Array> {
  const f = jit((images: Tensor4D) => ({ resized: resizeBilinear(images, size) }));
  const images = tf.tensor4d(data, shape);
  const { resized } = await f(images);
  assertEquals(resized.shape, [shape[0], ...size, shape[3]]);
  const values = await resized.data() as Float32Array;
  f.dispose();
  tf.dispose([images, resized]);
  return values;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assertEquals(a.length, b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

function assertCloseToDigest(values: Float32Array, name: string): void {
  const [norm, projection] = digest(values);
  const error = Math.max(Math.abs(norm - known[name][0]), Math.abs(projection - known[name][1]));
  assert(error <= 1e-6 * known[name][0], `${name} is off by ${error}`);
}

Deno.test("images resized up and down, as recorded from PyTorch", async () => {
  await openDevice("wasm");
  for (const each of resizeCases) assertCloseToDigest(await resized(each), each.name);
});

webgpuTest("images resized up and down, as recorded from PyTorch", async () => {
  for (const each of resizeCases) assertCloseToDigest(await resized(each), each.name);
});

Deno.test("compiled and eager resizing give the same", async () => {
  for (const device of ["cpu", "wasm"] as const) {
    await openDevice(device);
    for (const each of resizeCases.filter(({ data }) => data.length < 3000)) {
      const eager = resizeBilinear(tf.tensor4d(each.data, each.shape), each.size).dataSync();
      assert(largestDifference(await resized(each), eager) <= 5e-7, `${each.name} on ${device}`);
    }
  }
});

Deno.test("a constant stays one to the bit, and so does an image of the size wanted", async () => {
  await openDevice("cpu");
  const grey = resizeBilinear(tf.fill([1, 7, 5, 3], 0.1), [16, 3]);
  assertEquals(new Set(grey.dataSync()), new Set([Math.fround(0.1)]));
  const { data } = resizeCases.find(({ name }) => name.startsWith("2x8x6x1"))!;
  const same = resizeBilinear(tf.tensor4d(data, [2, 8, 6, 1]), [8, 6]);
  assertEquals(same.dataSync(), data);
});

// Where it is not there, the recorded digests of the same images stand in for it, above.
const python = await findPyTorch();
if (python) {
  Deno.test("images resized up and down, every value as PyTorch computes it now", async () => {
    await openDevice("wasm");
    const expected = await askPyTorchToResize(python);
    for (const each of resizeCases) {
      const truth = expected[each.name], error = largestDifference(await resized(each), truth);
      assert(error <= 3e-7, `${each.name} is off by ${error}`);
      const [norm, projection] = digest(truth);
      assert(Math.abs(norm - known[each.name][0]) <= 1e-9 * norm);
      assert(Math.abs(projection - known[each.name][1]) <= 1e-9 * norm);
    }
  });
}

import { assert, assertEquals } from "@std/assert";
import { openDevice, type Tensor, type Tensor4D, tf } from "../../../core/tensor/mod.ts";
import { assertClose } from "../homotopy/numerics.ts";

/** Numbers without symmetry that any transposition or shift would show. */
function ramp(shape: number[], phase: number): Tensor {
  const size = tf.util.sizeFromShape(shape);
  const values = Float32Array.from({ length: size }, (_, i) => Math.sin(phase + 2.3 * i + i * i));
  return tf.tensor(values, shape);
}

/** Runs a program on both backends, the cpu's result being the truth, and looks for leaks. */
async function assertAsOnCpu(name: string, program: () => Tensor[]): Promise<void> {
  const results: { shape: number[]; values: ArrayLike<number> }[][] = [];
  for (const device of ["cpu", "wasm"] as const) {
    await openDevice(device);
    const tensors = tf.memory().numTensors, data = tf.engine().backend.numDataIds();
    const outputs = tf.tidy(program);
    results.push(
      await Promise.all(
        outputs.map(async (t) => ({ shape: t.shape, values: await t.data() })),
      ),
    );
    tf.dispose(outputs);
    assertEquals(tf.memory().numTensors, tensors, `${name} leaves tensors on ${device}`);
    assertEquals(tf.engine().backend.numDataIds(), data, `${name} leaves data on ${device}`);
  }
  const [expected, actual] = results;
  expected.forEach(({ shape, values }, i) => {
    assertEquals(actual[i].shape, shape, name);
    assert(Array.from(values).some((value) => value !== 0), `${name}: nothing to compare`);
    assertClose(actual[i].values, values, 2e-6);
  });
}

interface Convolution {
  readonly image: [height: number, width: number];
  readonly filter: [height: number, width: number];
  readonly stride: number | [number, number];
  readonly pad: "same" | "valid" | number;
}

const convolutions: Convolution[] = [];
for (const image of [[6, 8], [7, 5], [5, 6]] as [number, number][]) {
  for (const filter of [[1, 1], [2, 2], [3, 3], [5, 3]] as [number, number][]) {
    for (const stride of [1, 2, [1, 2] as [number, number]]) {
      for (const pad of ["same", "valid", 0, 1, 2] as const) {
        // TensorFlow.js takes the height for the width where it pads by a number: its output then
        // has a wrong shape, and on wasm the forward pass alone writes beyond its memory.
        const square = filter[0] === filter[1] && typeof stride === "number";
        if (typeof pad === "string" || square) convolutions.push({ image, filter, stride, pad });
      }
    }
  }
}

Deno.test("the gradients of a convolution are those of the cpu backend, without leaks", async () => {
  for (const convolution of convolutions) {
    const { image, filter, stride, pad } = convolution;
    await assertAsOnCpu(JSON.stringify(convolution), () => {
      const x = ramp([2, ...image, 3], 0) as Tensor4D;
      const kernel = ramp([...filter, 3, 4], 1) as Tensor4D;
      const convolve = (x: Tensor, kernel: Tensor) =>
        tf.conv2d(x as Tensor4D, kernel as Tensor4D, stride, pad);
      const dy = ramp(convolve(x, kernel).shape, 2);
      return tf.grads(convolve)([x, kernel], dy);
    });
  }
});

Deno.test("the filter gradient of a convolution's input gradient is the cpu backend's", async () => {
  for (const pad of ["same", "valid", 1] as const) {
    await assertAsOnCpu(`second order, ${pad}`, () => {
      const x = ramp([2, 5, 6, 3], 0), kernel = ramp([3, 3, 3, 4], 1);
      const energy = (kernel: Tensor) => {
        const sumOfSquares = (x: Tensor) =>
          tf.sum(tf.square(tf.conv2d(x as Tensor4D, kernel as Tensor4D, 1, pad)));
        return tf.sum(tf.square(tf.grad(sumOfSquares)(x)));
      };
      return [tf.grad(energy)(kernel)];
    });
  }
});

Deno.test("transposed products in batches are those of the cpu backend, without leaks", async () => {
  // Batches of a, of b, and the sizes m, k, n; a size of 1 makes the transposition nothing.
  const products: [number[], number[], [number, number, number]][] = [
    [[], [], [5, 7, 3]],
    [[], [], [1, 4, 6]],
    [[], [], [6, 1, 4]],
    [[], [], [4, 6, 1]],
    [[3], [3], [4, 5, 2]],
    [[3], [1], [4, 5, 2]],
    [[1], [3], [4, 5, 2]],
    [[2, 3], [2, 3], [2, 3, 4]],
  ];
  for (const [batchA, batchB, [m, k, n]] of products) {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const name = JSON.stringify({ batchA, batchB, m, k, n, transposeA, transposeB });
        await assertAsOnCpu(name, () => {
          const a = ramp([...batchA, ...(transposeA ? [k, m] : [m, k])], 0);
          const b = ramp([...batchB, ...(transposeB ? [n, k] : [k, n])], 1);
          return [tf.matMul(a, b, transposeA, transposeB)];
        });
      }
    }
  }
});

Deno.test("opening the wasm device twice registers its kernels once", async () => {
  await openDevice("wasm");
  const kernel = tf.getKernel("BatchMatMul", "wasm");
  await openDevice("wasm");
  assert(kernel && tf.getKernel("BatchMatMul", "wasm") === kernel);
});

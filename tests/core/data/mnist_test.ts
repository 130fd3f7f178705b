import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { mnistFileReader } from "../../../cli/mnist_files.ts";
import { encodeIdx, type IdxArray } from "../../../core/data/idx.ts";
import { drawImages } from "../../../core/data/images.ts";
import {
  loadMnist,
  mnistSizes,
  readMnist,
  readMnistLabels,
  readMnistRecords,
} from "../../../core/data/mnist.ts";
import { FormatError } from "../../../core/errors.ts";
import { openDevice, randomKey, tf, unpackBytes } from "../../../core/tensor/mod.ts";

const fromPackage = mnistFileReader();

/** Mean and standard deviation of the pixels in [0, 1]. */
function pixelStatistics(data: Uint8Array) {
  let sum = 0, squares = 0;
  for (const byte of data) {
    sum += byte;
    squares += byte * byte;
  }
  const mean = sum / data.length / 255;
  return { mean, std: Math.sqrt(squares / data.length / 255 ** 2 - mean ** 2) };
}

Deno.test("MNIST has 60,000 + 10,000 images with the known mean and deviation", async () => {
  const train = await readMnist(fromPackage);
  assertEquals([train.count, train.data.length], [60_000, 60_000 * 28 * 28]);
  const { mean, std } = pixelStatistics(train.data);
  // The two constants that every PyTorch example normalises MNIST with.
  assertAlmostEquals(mean, 0.1307, 5e-5);
  assertAlmostEquals(std, 0.3081, 5e-5);
  const test = await readMnist(fromPackage, "test");
  assertEquals(test.count, 10_000);
  assertAlmostEquals(pixelStatistics(test.data).mean, 0.1325, 5e-5);
});

Deno.test("mnist is 32×32 and mnist16 16×16, framed in black", async () => {
  await openDevice("wasm");
  const { data } = await readMnist(fromPackage, "test");
  for (
    const { name, side, inner, frame } of [
      { name: "mnist", side: 32, inner: 28, frame: 2 },
      { name: "mnist16", side: 16, inner: 14, frame: 1 },
    ] as const
  ) {
    const dataset = await loadMnist(name, fromPackage, "test");
    assertEquals(dataset.words.shape, [10_000, 28 * 28 / 4]);
    assertEquals([dataset.count, ...dataset.shape], [10_000, side, side, 1]);
    assertEquals(inner + 2 * frame, side);
    const first = tf.tidy(() => unpackBytes(tf.slice(dataset.words, [0, 0], [1, 196]), 784));
    assertEquals(await first.data(), Float32Array.from(data.subarray(0, 784)));
    const batch = drawImages(dataset, 20, randomKey(3));
    assertEquals(batch.shape, [20, side, side, 1]);
    const values = await batch.data<"float32">();
    const isFramed = values.every((value, i) => {
      const x = i % side, y = Math.floor(i / side) % side, last = side - 1 - frame;
      return x >= frame && x <= last && y >= frame && y <= last || value === -1;
    });
    assert(isFramed);
    assert(values.every((value) => value >= -1 && value <= 1) && values.some((v) => v > 0.5));
    tf.dispose([dataset.words, first, batch]);
  }
});

Deno.test("MNIST's labels are as many as its images, with the known numbers of each digit", async () => {
  const { count, shape, pixels, labels, labelsPerImage } = await readMnistRecords(fromPackage);
  assertEquals([count, ...shape, labelsPerImage], [60_000, 28, 28, 1, 1]);
  assertEquals([pixels.length, labels.length], [60_000 * 784, 60_000]);
  assertEquals([...labels.subarray(0, 10)], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
  const digits = (labels: Uint8Array) =>
    Array.from({ length: 10 }, (_, digit) => labels.filter((label) => label === digit).length);
  const train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
  assertEquals(digits(labels), train);
  const test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];
  assertEquals(digits(await readMnistLabels(fromPackage, "test", 10_000)), test);
});

Deno.test("Fashion-MNIST comes in the same files and sizes", async () => {
  await openDevice("cpu");
  const file = encodeIdx({ dtype: "uint8", shape: [2, 28, 28], data: new Uint8Array(2 * 784) });
  for (const name of ["fashion-mnist", "fashion-mnist16"] as const) {
    const asked: string[] = [];
    const dataset = await loadMnist(name, (name) => (asked.push(name), Promise.resolve(file)));
    assertEquals(asked, ["train-images-idx3-ubyte"]);
    assertEquals(dataset.shape, [mnistSizes[name].padTo, mnistSizes[name].padTo, 1]);
  }
});

Deno.test("what are not labels from 0 to 9 is refused with what it is", async () => {
  const labels = (data: Uint8Array) => ({ dtype: "uint8", shape: [data.length], data }) as const;
  const cases: [IdxArray, string][] = [
    [labels(Uint8Array.of(1, 2)), "holds uint8 of shape [2]; expected uint8 of shape [3]"],
    [labels(Uint8Array.of(1, 2, 10)), "holds the label 10 for image 2; expected 0 to 9"],
    [{ dtype: "int32", shape: [3], data: new Int32Array(3) }, "int32 of shape [3]"],
    [{ dtype: "uint8", shape: [3, 1], data: new Uint8Array(3) }, "uint8 of shape [3, 1]"],
  ];
  for (const [array, message] of cases) {
    const readFile = () => Promise.resolve(encodeIdx(array));
    await assertRejects(() => readMnistLabels(readFile, "test", 3), FormatError, message);
    await assertRejects(() => readMnistLabels(readFile, "test", 3), FormatError, "t10k-labels");
  }
});

Deno.test("what is not images of 28×28 bytes is refused with what it is", async () => {
  const cases: [IdxArray, string][] = [
    [{ dtype: "uint8", shape: [3], data: new Uint8Array(3) }, "uint8 of shape [3]"],
    [{ dtype: "uint8", shape: [2, 28, 27], data: new Uint8Array(1512) }, "[2, 28, 27]"],
    [{ dtype: "uint8", shape: [0, 28, 28], data: new Uint8Array() }, "[0, 28, 28]"],
    [
      { dtype: "float32", shape: [1, 28, 28], data: new Float32Array(784) },
      "float32 of shape [1, 28, 28]",
    ],
  ];
  for (const [array, message] of cases) {
    const readFile = () => Promise.resolve(encodeIdx(array));
    await assertRejects(() => loadMnist("mnist", readFile), FormatError, message);
  }
  await assertRejects(
    () => loadMnist("mnist", () => Promise.resolve(new Uint8Array(5))),
    FormatError,
    "train-images-idx3-ubyte",
  );
});

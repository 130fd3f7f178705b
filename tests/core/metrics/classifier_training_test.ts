import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { mnistFileReader } from "../../../cli/mnist_files.ts";
import type { ImageRecords } from "../../../core/data/image_records.ts";
import { readMnistRecords } from "../../../core/data/mnist.ts";
import { VapoError } from "../../../core/errors.ts";
import { augmentedImages } from "../../../core/metrics/classifier_augmentation.ts";
import { classifierNetwork } from "../../../core/metrics/classifier_network.ts";
import {
  type ClassifierParameters,
  type ClassifierTraining,
  testClassifier,
  trainClassifier,
} from "../../../core/metrics/classifier_training.ts";
import {
  openDevice,
  randomKey,
  randomNormal,
  type Tensor4D,
  tf,
} from "../../../core/tensor/mod.ts";

const read = mnistFileReader();

/** The first images of a part of MNIST. */
async function digits(part: "train" | "test", count: number): Promise<ImageRecords> {
  const { pixels, labels, ...rest } = await readMnistRecords(read, part);
  return { ...rest, count, pixels: pixels.slice(0, count * 784), labels: labels.slice(0, count) };
}

/** A training of a few steps on few images. */
async function briefly(
  options: Partial<ClassifierTraining> = {},
): Promise<ClassifierTraining> {
  const [train, test] = await Promise.all([digits("train", 300), digits("test", 10)]);
  return { name: "mnist-classifier", train, test, steps: 4, ...options };
}

/** All values, to be compared bit by bit. */
function bits(parameters: ClassifierParameters): Record<string, Int32Array> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { data }]) =>
      [name, new Int32Array(data.slice().buffer)] as const
    ),
  );
}

Deno.test("150 steps on MNIST: right on more than 95 % of images that it has not seen", async () => {
  await openDevice("wasm");
  const [train, test] = await Promise.all([digits("train", 20_000), digits("test", 3_000)]);
  const before = tf.memory().numTensors, heard: number[] = [];
  const trained = await trainClassifier({
    name: "mnist-classifier",
    train,
    test,
    steps: 150,
    onProgress: (done) => heard.push(done),
  });
  assertEquals(tf.memory().numTensors, before);
  assertEquals([trained.steps, trained.test.images], [150, 3000]);
  assert(trained.test.accuracy > 0.95, `accuracy ${trained.test.accuracy}`);
  assert(trained.testAt16.accuracy > 0.94, `accuracy at 16×16 ${trained.testAt16.accuracy}`);
  assertEquals(trained.test.errorsByClass.reduce((sum, n) => sum + n), trained.test.errors);
  assertAlmostEquals(trained.test.accuracy, 1 - trained.test.errors / 3000, 1e-12);
  assertEquals(heard, [...heard].sort((a, b) => a - b));
  assertEquals([heard[0], heard.at(-1)], [0, 150]);
});

Deno.test("on WebAssembly a network is the same to the last bit on any number of threads", async () => {
  for (const name of ["mnist-classifier", "fashion-mnist-classifier"] as const) {
    const found = [];
    for (const threads of [1, 2, 3]) {
      await openDevice("wasm", { threads });
      found.push(bits((await trainClassifier(await briefly({ name }))).parameters));
    }
    assertEquals(found[1], found[0]);
    assertEquals(found[2], found[0]);
  }
});

Deno.test("a network is a function of its seed and of the images to train on, not of the test images", async () => {
  await openDevice("wasm");
  const parameters = async (options: Partial<ClassifierTraining>) =>
    bits((await trainClassifier(await briefly(options))).parameters);
  const plain = await parameters({});
  assertEquals(await parameters({ test: await digits("train", 20) }), plain);
  for (const options of [{ seed: 1 }, { train: await digits("train", 299) }]) {
    const other = await parameters(options);
    assert(Object.keys(plain).every((name) => String(other[name]) !== String(plain[name])));
  }
});

Deno.test("a training that is aborted ends with the signal's reason and leaves no tensor", async () => {
  await openDevice("wasm");
  const controller = new AbortController(), reason = new Error("enough");
  const training = await briefly({
    steps: 100_000,
    signal: controller.signal,
    onProgress: (done) => done > 0 && controller.abort(reason),
  });
  const before = tf.memory().numTensors;
  const error = await assertRejects(() => trainClassifier(training), Error);
  assertEquals(error, reason);
  assertEquals(tf.memory().numTensors, before);
});

Deno.test("images of another size, without labels or with others are refused", async () => {
  await openDevice("wasm");
  const training = await briefly(), { test } = training;
  const wrong: [ImageRecords, string][] = [
    [{ ...test, shape: [32, 32, 3] }, "are 32×32×3"],
    [{ ...test, labels: new Uint8Array(), labelsPerImage: 0 }, "have 0 labels each"],
    [{ ...test, labels: Uint8Array.of(...test.labels.slice(1), 10) }, "have the label 10"],
    [{ ...test, count: 0, pixels: new Uint8Array(), labels: new Uint8Array() }, "are none"],
  ];
  for (const [records, message] of wrong) {
    await assertRejects(
      () => trainClassifier({ ...training, train: records }),
      VapoError,
      `images to train on ${message}`,
    );
    await assertRejects(
      () => trainClassifier({ ...training, test: records }),
      VapoError,
      `images to test with ${message}`,
    );
  }
});

Deno.test("a network that always says 3 is wrong on all else, of any number of images", async () => {
  await openDevice("wasm");
  const network = classifierNetwork("mnist-classifier");
  const parameters = Object.fromEntries(
    Object.entries(network.parameterShapes).map(([name, shape]) => {
      const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
      if (name === "head.bias") data[3] = 1;
      return [name, { shape, data }] as const;
    }),
  );
  const records = await digits("test", 301);
  const { errors, errorsByClass } = await testClassifier(network, parameters, records, {
    padTo: 32,
  });
  const expected = Array.from(
    { length: 10 },
    (_, label) => label === 3 ? 0 : records.labels.filter((each) => each === label).length,
  );
  assertEquals(errorsByClass, expected);
  assertEquals(errors, 301 - records.labels.filter((label) => label === 3).length);
});

const unchanged = { shift: 0, stretch: 0, mirror: false, coarse: 0 };

/** Random images, and what becomes of them: [n, 8, 8], 0 for black. */
async function augmentedBy(options: Partial<typeof unchanged>, n = 40) {
  const images = randomNormal(randomKey(1), [n, 8, 8, 1]) as Tensor4D;
  const changed = augmentedImages(images, randomKey(2), { ...unchanged, ...options });
  assertEquals(changed.shape, images.shape);
  return { images: await images.array(), changed: await changed.array() };
}

Deno.test("augmentation: without any, images stay; mirrored, half of them are", async () => {
  await openDevice("cpu");
  const close = (a: number[][][], b: number[][][]) =>
    a.flat(2).every((value, i) => Math.abs(value - b.flat(2)[i]) < 1e-5);
  const same = await augmentedBy({});
  assert(same.images.every((image, i) => close(image, same.changed[i])));
  const { images, changed } = await augmentedBy({ mirror: true });
  const mirrored = images.filter((image, i) =>
    close(image.map((row) => row.toReversed()), changed[i])
  );
  const kept = images.filter((image, i) => close(image, changed[i]));
  assertEquals(mirrored.length + kept.length, images.length);
  assert(mirrored.length > 8 && kept.length > 8);
});

Deno.test("augmentation: coarse images have squares of four equal pixels, their mean", async () => {
  await openDevice("cpu");
  const { images, changed } = await augmentedBy({ coarse: 0.5 });
  const isCoarse = changed.map((image) => Math.abs(image[0][0][0] - image[1][1][0]) < 1e-6);
  const count = isCoarse.filter(Boolean).length;
  assert(count > 8 && count < 32);
  const image = isCoarse.indexOf(true), [a, b] = images[image];
  const mean = (a[0][0] + a[1][0] + b[0][0] + b[1][0]) / 4;
  assertAlmostEquals(changed[image][0][1][0], mean, 1e-5);
});

Deno.test("augmentation: a light spot moves by no more than the shift, and black stays black", async () => {
  await openDevice("cpu");
  const spot = tf.tidy(() => {
    const [row, column] = [tf.oneHot([15], 32), tf.oneHot([16], 32)];
    const light = tf.matMul(row, column, true, false);
    return tf.sub(tf.mul(tf.cast(light, "float32"), 2), 1);
  });
  const images = tf.tile(tf.reshape(spot, [1, 32, 32, 1]), [200, 1, 1, 1]) as Tensor4D;
  const moved = augmentedImages(images, randomKey(3), { ...unchanged, shift: 2 });
  let farthest = 0;
  for (const image of await moved.array()) {
    let light = 0, down = 0, across = 0;
    image.forEach((row, i) =>
      row.forEach(([value], j) => {
        light += value + 1;
        down += (value + 1) * i;
        across += (value + 1) * j;
      })
    );
    // Linear interpolation keeps the sum and moves the middle by what is asked.
    assertAlmostEquals(light, 2, 1e-4);
    farthest = Math.max(farthest, Math.abs(down / 2 - 15), Math.abs(across / 2 - 16));
  }
  assert(farthest > 1.8 && farthest < 2.001, `moved by ${farthest}`);
  const black = augmentedImages(tf.fill([3, 8, 8, 1], -1), randomKey(4), {
    shift: 2,
    stretch: 0.1,
    mirror: true,
    coarse: 0.5,
  });
  assert((await black.data()).every((value) => value === -1));
});

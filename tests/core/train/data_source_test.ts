import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { encodeIdx } from "../../../core/data/idx.ts";
import { FormatError, VapoError } from "../../../core/errors.ts";
import { openDevice, randomKey, tf } from "../../../core/tensor/mod.ts";
import { type DataName, dataNames, isToy, sampleSpace } from "../../../core/train/data_sets.ts";
import {
  type DataOptions,
  type ImageFiles,
  openDataSource,
} from "../../../core/train/data_source.ts";
import { folderContents, imageFilesOf } from "./folder_files.ts";

/** Three grey images in place of MNIST. */
function threeImages(): ImageFiles {
  const data = Uint8Array.from({ length: 3 * 28 * 28 }, (_, i) => 100 * Math.floor(i / (28 * 28)));
  const idx = encodeIdx({ dtype: "uint8", shape: [3, 28, 28], data });
  return imageFilesOf({ "train-images-idx3-ubyte": idx });
}

/** Three records of CIFAR: grey images. */
function threeRecords(labels: number): Uint8Array {
  return Uint8Array.from(
    { length: 3 * (labels + 3072) },
    (_, i) => i % (labels + 3072) < labels ? 1 : 100 * Math.floor(i / (labels + 3072)),
  );
}

/** Files of every kind of set. */
function filesOf(name: DataName): { options: DataOptions; files: ImageFiles } {
  if (name === "points") {
    const distribution = { noise: 0.1, weights: [1, 2], points: [[0, 0], [1, 2]] } as const;
    return { options: { name, distribution }, files: imageFilesOf({}) };
  }
  if (isToy(name)) return { options: { name }, files: imageFilesOf({}) };
  if (name.includes("mnist")) return { options: { name }, files: threeImages() };
  if (name === "cifar10") {
    return { options: { name }, files: imageFilesOf({ "data_batch_4.bin": threeRecords(1) }) };
  }
  if (name === "cifar100") {
    return { options: { name }, files: imageFilesOf({ "train.bin": threeRecords(2) }) };
  }
  const size = name === "folder" ? 8 : null;
  const shape = name === "folder" ? [8, 8, 3] as const : sampleSpace(name).sampleShape;
  const contents = folderContents([2, 1], { name, shape: shape as [number, number, number] });
  return { options: { name, size }, files: imageFilesOf(contents) };
}

Deno.test("every data set draws samples of the shape that is known without reading it", async () => {
  await openDevice("wasm");
  const before = tf.memory().numTensors;
  for (const name of dataNames) {
    const { options, files } = filesOf(name);
    const source = await openDataSource(options, files);
    const { sampleShape, distribution } = sampleSpace(options);
    assertEquals([source.name, source.sampleShape], [name, sampleShape]);
    // A configured distribution is made anew each time, functions and all.
    assertEquals(source.distribution?.mixture, distribution?.mixture);
    assertEquals(source.distribution?.name, distribution?.name);
    const key = randomKey(3);
    const draw = source.draw(5, key), more = source.draw(9, key);
    assertEquals(draw.shape, [5, ...sampleShape]);
    assertEquals(draw.dataSync(), more.dataSync().slice(0, draw.size), name);
    const part = source.draw(4, { ...key, firstSample: 5 });
    assertEquals(part.dataSync(), more.dataSync().slice(draw.size), name);
    source.dispose();
    tf.dispose([draw, more, part, key.seed, key.step]);
    assertEquals(tf.memory().numTensors, before, `${name} leaves tensors`);
  }
});

Deno.test("images are those of the file", async () => {
  await openDevice("wasm");
  for (const name of ["mnist16", "fashion-mnist16", "cifar10"] as const) {
    const source = await openDataSource(name, filesOf(name).files);
    const draw = source.draw(200, randomKey(1));
    const centres = new Set(tf.slice(draw, [0, 8, 8, 0], [200, 1, 1, 1]).dataSync());
    [0, 100, 200].forEach((grey, i) =>
      assertAlmostEquals([...centres].sort((a, b) => a - b)[i], grey / 127.5 - 1, 1e-6)
    );
    assertEquals(centres.size, 3);
  }
});

Deno.test("a streamed set gives each image once an epoch, in the order of its seed", async () => {
  await openDevice("wasm");
  const contents = folderContents([4, 4, 3]);
  const options = { name: "folder", size: 8, placement: "stream", bufferImages: 5 } as const;
  const source = await openDataSource(options, imageFilesOf(contents));
  assertEquals([source.placement, source.stream!.count], ["stream", 11]);
  const numbersFrom = async (firstSample: number, seed: number) => {
    const reader = await source.stream!.open({ seed, batchSize: 11, firstSample });
    const { words } = await reader.next();
    const batch = tf.tensor(words, [11, source.stream!.imageWords], "int32");
    const images = source.draw(11, randomKey(0), batch);
    assertEquals(images.shape, [11, 8, 8, 3]);
    reader.close();
    // An image's first byte is its number.
    return [...tf.slice(images, [0, 0, 0, 0], [11, 1, 1, 1]).dataSync()]
      .map((value) => Math.round((value + 1) * 127.5));
  };
  const epochs = [await numbersFrom(0, 1), await numbersFrom(11, 1)];
  for (const epoch of epochs) {
    assertEquals(epoch.toSorted((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  }
  assert(epochs[0].join() !== epochs[1].join());
  assertEquals(await numbersFrom(0, 1), epochs[0]);
  assert((await numbersFrom(0, 2)).join() !== epochs[0].join());
});

Deno.test("a streamed batch is mirrored as a drawn one is: half of it, by its key", async () => {
  await openDevice("wasm");
  const contents = folderContents([64]);
  const options = { name: "folder", size: 8, placement: "stream", flip: true } as const;
  const source = await openDataSource(options, imageFilesOf(contents));
  const reader = await source.stream!.open({ seed: 1, batchSize: 64, firstSample: 0 });
  const { words } = await reader.next();
  const batch = tf.tensor(words, [64, source.stream!.imageWords], "int32");
  const images = source.draw(64, randomKey(5), batch);
  // The image's first bytes are its number; mirrored, they stand at the row's end.
  const corners = (
    left: number,
  ) => [...tf.slice(images, [0, 0, left, 1], [64, 1, 1, 1]).dataSync()];
  const isNumber = (value: number) => value === -1;
  const upright = corners(0).filter(isNumber).length, mirrored = corners(7).filter(isNumber).length;
  assertEquals(upright + mirrored, 64);
  assert(mirrored > 12 && mirrored < 52, `${mirrored} of 64 are mirrored`);
  const again = source.draw(64, randomKey(5), batch);
  assertEquals(again.dataSync(), images.dataSync());
});

Deno.test("auto keeps what fits on the device and streams what does not", async () => {
  await openDevice("wasm");
  const options = { name: "folder", size: 8 } as const;
  const source = await openDataSource(options, imageFilesOf(folderContents([3])));
  assertEquals([source.placement, source.stream], ["device", undefined]);
  source.dispose();
  // An index alone, of more images than 512 MiB hold.
  const contents = folderContents([3], { count: Math.ceil(2 ** 29 / (8 * 8 * 3)) });
  const large = await openDataSource(options, imageFilesOf(contents));
  assertEquals(large.placement, "stream");
});

Deno.test("what is not there, or not the set's, is refused with the command that makes it", async () => {
  await assertRejects(
    () => openDataSource("celeba64"),
    VapoError,
    'run "vapo data celeba64 --source PATH"',
  );
  await assertRejects(
    () => openDataSource("mnist"),
    VapoError,
    "expected index.json of a prepared set or train-images-idx3-ubyte",
  );
  await assertRejects(
    () => openDataSource("cifar10", imageFilesOf({})),
    VapoError,
    "data_batch_1.bin",
  );
  await assertRejects(
    () => openDataSource("cifar10", imageFilesOf(folderContents([3]))),
    FormatError,
    'is of "folder", 8×8×3: expected "cifar10", 32×32×3',
  );
  const files = imageFilesOf({ "data_batch_1.bin": threeRecords(1) });
  await assertRejects(
    () => openDataSource({ name: "cifar10", placement: "stream" }, files),
    VapoError,
    "expected a prepared set to stream from",
  );
});

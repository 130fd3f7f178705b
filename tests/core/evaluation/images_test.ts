import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ImageFormat, imageShape, imagesOfWords } from "../../../core/data/images.ts";
import { encodeIdx } from "../../../core/data/idx.ts";
import { VapoError } from "../../../core/errors.ts";
import {
  bytesAtSize,
  greyLevels,
  readPreparedSplit,
  readSplit,
} from "../../../core/evaluation/images.ts";
import { crc32 } from "../../../core/formats/crc32.ts";
import { openDevice, packBytes, tf } from "../../../core/tensor/mod.ts";
import { imageSet } from "../../../core/train/data_sets.ts";

Deno.test("grey levels are the nearest of 256, and bytes come back as they were", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  assertEquals(greyLevels(Float32Array.from(bytes, (byte) => byte / 127.5 - 1)), bytes);
  const beyond = Float32Array.of(-1.2, 1.2, NaN, Infinity, -Infinity);
  assertEquals(greyLevels(beyond), Uint8Array.of(0, 255, 0, 255, 0));
  // Halfway between 10 and 11, and just below.
  assertEquals(
    greyLevels(Float32Array.of(10.51 / 127.5 - 1, 10.49 / 127.5 - 1)),
    Uint8Array.of(11, 10),
  );
});

/** Bytes that look like noise, the same each time. */
function someBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7919 + (i >> 3) * 104729) % 256);
}

Deno.test("bytes at a potential's size are what it is trained on, to a grey level", async () => {
  await openDevice("cpu");
  const formats: ImageFormat[] = [
    { stored: [28, 28, 1], padTo: 32 },
    { stored: [28, 28, 1], poolTo: 14, padTo: 16 },
    { stored: [6, 6, 3], poolTo: 2, padTo: 3 },
    { stored: [5, 5, 2] },
  ];
  for (const format of formats) {
    const size = format.stored.reduce((a, b) => a * b), pixels = someBytes(3 * size);
    const words = tf.tensor2d(packBytes(pixels, size), [3, Math.ceil(size / 4)], "int32");
    const trained = await imagesOfWords(format, words).data() as Float32Array;
    const found = bytesAtSize(format, pixels), expected = greyLevels(trained);
    // The mean of a block may lie halfway between two levels, where float32 goes either way.
    const off = found.filter((byte, i) => Math.abs(byte - expected[i]) > (format.poolTo ? 1 : 0));
    assertEquals([off.length, found.length], [0, expected.length]);
    assertEquals(trained.length, 3 * imageShape(format).reduce((a, b) => a * b));
  }
});

/** A prepared set of grey images of 2×2, image i of the byte i, in shards of two. */
function preparedFiles(counts: Readonly<Record<string, number>>) {
  const contents = new Map<string, Uint8Array>();
  const splits = Object.fromEntries(
    Object.entries(counts).map(([split, count]) => {
      const shards = Array.from({ length: Math.ceil(count / 2) }, (_, shard) => {
        const images = Math.min(2, count - 2 * shard), file = `${split}-${shard}.bin`;
        const bytes = Uint8Array.from({ length: 4 * images }, (_, i) => 2 * shard + (i >> 2));
        contents.set(file, bytes);
        return { file, count: images, crc32: crc32(bytes) };
      });
      return [split, { count, skipped: 0, shards }];
    }),
  );
  const index = {
    format: "vapo-images",
    version: 1,
    name: "tiny",
    shape: [2, 2, 1],
    labelsPerImage: 0,
  };
  contents.set(
    "index.json",
    new TextEncoder().encode(JSON.stringify({ ...index, splits, made: {} })),
  );
  const read: string[] = [];
  return {
    read: (name: string) => {
      read.push(name);
      return Promise.resolve(contents.get(name) ?? null);
    },
    location: "memory",
    asked: read,
  };
}

Deno.test("a part of a split is drawn among all of it, the same one each time", async () => {
  const files = preparedFiles({ train: 99, test: 3 });
  const images = await readPreparedSplit({ padTo: 3 }, files, "train", 30);
  assertEquals([images.name, images.count, images.available], ["tiny train", 30, 99]);
  assertEquals(images.shape, [3, 3, 1]);
  assertEquals(images.checksum, crc32(images.pixels));
  // Image i is of the byte i: each at most once, in order, from the first to the last third.
  const chosen = Array.from({ length: 30 }, (_, i) => images.pixels[9 * i]);
  assertEquals(new Set(chosen).size, 30);
  assertEquals(chosen, [...chosen].sort((a, b) => a - b));
  assert(chosen[0] < 33 && chosen[29] >= 66);
  const again = await readPreparedSplit({ padTo: 3 }, files, "train", 30);
  assertEquals(again.pixels, images.pixels);
  const all = await readPreparedSplit({}, files, "held-out");
  assertEquals([all.name, all.count], ["tiny test", 3]);
  assertEquals(all.pixels, Uint8Array.of(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2));
});

Deno.test("what is held out are the images to validate with where there are none to test with", async () => {
  const files = preparedFiles({ train: 2, validation: 1 });
  assertEquals((await readPreparedSplit({}, files, "held-out")).name, "tiny validation");
  await assertRejects(
    () => readPreparedSplit({}, preparedFiles({ train: 2 }), "held-out"),
    VapoError,
    'no images of split "test"',
  );
});

Deno.test("original files are read too: MNIST's, gzipped or not", async () => {
  const idx = (count: number, byte: number) =>
    encodeIdx({
      dtype: "uint8",
      shape: [count, 28, 28],
      data: new Uint8Array(count * 784).fill(byte),
    });
  const contents: Record<string, Uint8Array> = {
    "train-images-idx3-ubyte": idx(3, 9),
    "t10k-images-idx3-ubyte.gz": idx(2, 5),
  };
  const files = {
    location: "memory",
    read: (name: string) => Promise.resolve(contents[name] ?? null),
  };
  const mnist = imageSet({ name: "mnist" });
  const train = await readSplit(mnist, files, "train", 2);
  assertEquals([train.name, train.count, train.available, train.shape], [
    "mnist train",
    2,
    3,
    [32, 32, 1],
  ]);
  const test = await readSplit(mnist, files, "held-out");
  assertEquals([test.name, test.count, test.pixels[16 * 32 + 16]], ["mnist test", 2, 5]);
});

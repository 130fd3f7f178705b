import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  drawImages,
  flipSome,
  fromUint8,
  type ImageDataset,
  type ImageFormat,
  imageShape,
  imagesOfWords,
  residentImages,
} from "../../../core/data/images.ts";
import { ConfigError, VapoError } from "../../../core/errors.ts";
import { jit, type TensorTree } from "../../../core/jit/mod.ts";
import {
  fork,
  openDevice,
  packBytes,
  randomIndices,
  type RandomKey,
  randomKey,
  randomUniform,
  type Tensor,
  tf,
} from "../../../core/tensor/mod.ts";
import fixture from "../../fixtures/images.json" with { type: "json" };
import { webgpuTest } from "../../webgpu.ts";
import { assertClose } from "../homotopy/numerics.ts";

type Shape4 = [number, number, number, number];
const bytes = Uint8Array.from(fixture.data), shape = fixture.shape as Shape4;

/** The values of images [n, …], image by image. */
async function rows(images: tf.Tensor): Promise<string[]> {
  const values = await images.data<"float32">(), size = values.length / images.shape[0];
  return Array.from(
    { length: images.shape[0] },
    (_, i) => values.slice(i * size, (i + 1) * size).join(),
  );
}

/** The words of a data set's first images, all of them where `count` is left out. */
function wordsOf(pixels: Uint8Array, format: ImageFormat): Tensor {
  const size = format.stored.reduce((product, side) => product * side);
  const words = packBytes(pixels, size), count = pixels.length / size;
  return tf.tensor2d(words, [count, words.length / count], "int32");
}

async function assertPooledAndPadded(): Promise<void> {
  const dataset = fromUint8(bytes, shape, { poolTo: 2, padTo: 5 });
  assertEquals(dataset.words.shape, [2, 6 * 4 * 3 / 4]);
  assertEquals([dataset.count, ...dataset.shape], [2, 5, 5, 3]);
  assertEquals(dataset.format.stored, [6, 4, 3]);
  const pooled = imagesOfWords({ stored: [6, 4, 3], poolTo: 2 }, dataset.words);
  assertClose(await pooled.data(), fixture.pooled, 1e-7);
  // Both images come up among enough draws; each is one that NumPy pooled and padded.
  const drawn = drawImages(dataset, 12, randomKey(1));
  assertEquals(drawn.shape, [12, 5, 5, 3]);
  const values = await drawn.data<"float32">(), size = 5 * 5 * 3;
  const indices = await randomIndices(fork(randomKey(1), "image"), [12], 2).data();
  assertEquals(new Set(indices).size, 2);
  indices.forEach((index, i) => {
    const expected = fixture.padded.slice(index * size, (index + 1) * size);
    assertClose(values.slice(i * size, (i + 1) * size), expected, 1e-7);
  });
}

for (const device of ["cpu", "wasm"] as const) {
  Deno.test(`images are averaged over blocks and padded as NumPy does, on ${device}`, async () => {
    await openDevice(device);
    await assertPooledAndPadded();
  });
}

webgpuTest("images are averaged over blocks and padded as NumPy does", assertPooledAndPadded);

Deno.test("bytes 0, 51 and 255 are −1, −0.6 and 1; without sizes an image stays as it is", async () => {
  await openDevice("cpu");
  const dataset = fromUint8(Uint8Array.of(0, 51, 255), [1, 1, 3, 1]);
  assertClose(await drawImages(dataset, 1, randomKey(0)).data(), [-1, -0.6, 1], 1e-7);
  assertEquals(dataset.shape, [1, 3, 1]);
  assertEquals(drawImages(dataset, 4, randomKey(0)).shape, [4, 1, 3, 1]);
});

/** A hundred images of one row, all different, none its own mirror image. */
function stripes(): ImageDataset {
  return fromUint8(Uint8Array.from({ length: 200 }, (_, i) => i), [100, 1, 2, 1]);
}

async function assertFlips(): Promise<void> {
  const dataset = stripes(), n = 1000;
  const plain = await drawImages(dataset, n, randomKey(6)).data<"float32">();
  const flipped = await drawImages(dataset, n, randomKey(6), { flip: true }).data<"float32">();
  let mirrored = 0;
  for (let i = 0; i < 2 * n; i += 2) {
    const isMirrored = flipped[i] !== plain[i];
    const expected = isMirrored ? [plain[i + 1], plain[i]] : [plain[i], plain[i + 1]];
    assertEquals([...flipped.slice(i, i + 2)], expected);
    if (isMirrored) mirrored++;
  }
  assert(Math.abs(mirrored - n / 2) < 4.5 * Math.sqrt(n) / 2, `${mirrored} of ${n} mirrored`);
}

Deno.test("flips mirror half of the images, each as a whole, and choose no others", async () => {
  await openDevice("wasm");
  await assertFlips();
});

webgpuTest("flips mirror half of the images, each as a whole, and choose no others", assertFlips);

Deno.test("images are drawn evenly with replacement, few being a prefix of many", async () => {
  await openDevice("wasm");
  const dataset = stripes(), n = 20_000;
  const many = await rows(drawImages(dataset, n, randomKey(9), { flip: true }));
  const few = await rows(drawImages(dataset, 10, randomKey(9), { flip: true }));
  assertEquals(few, many.slice(0, 10));
  const counts = new Map<string, number>();
  const drawn = await rows(drawImages(dataset, n, randomKey(9)));
  for (const image of drawn) counts.set(image, (counts.get(image) ?? 0) + 1);
  assertEquals(counts.size, 100);
  const expected = n / 100;
  const chiSquared = [...counts.values()].reduce((sum, c) => sum + (c - expected) ** 2, 0) /
    expected;
  assert(chiSquared < 148.3, `${chiSquared}`); // 99 degrees of freedom, one in a thousand
});

Deno.test("a draw leaves one tensor", async () => {
  await openDevice("wasm");
  const dataset = fromUint8(bytes, shape, { padTo: 8 }), key = randomKey(2);
  const before = tf.memory().numTensors;
  const images = drawImages(dataset, 7, key, { flip: true });
  assertEquals(tf.memory().numTensors, before + 1);
  images.dispose();
  dataset.words.dispose();
  assertEquals(tf.memory().numTensors, before - 1);
});

/** Scaled, averaged over blocks and padded, pixel by pixel in double precision. */
function plainImages(pixels: Uint8Array, format: ImageFormat): Float32Array {
  const { stored: [height, width, channels], poolTo, padTo } = format;
  const [rows, columns] = [poolTo ?? height, poolTo ?? width];
  const [blockRows, blockColumns] = [height / rows, width / columns];
  const [outerRows, outerColumns] = [padTo ?? rows, padTo ?? columns];
  const top = Math.floor((outerRows - rows) / 2), left = Math.floor((outerColumns - columns) / 2);
  const count = pixels.length / (height * width * channels);
  const out = new Float32Array(count * outerRows * outerColumns * channels).fill(-1);
  for (let image = 0; image < count; image++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (let channel = 0; channel < channels; channel++) {
          let sum = 0;
          for (let y = row * blockRows; y < (row + 1) * blockRows; y++) {
            for (let x = column * blockColumns; x < (column + 1) * blockColumns; x++) {
              sum += pixels[((image * height + y) * width + x) * channels + channel];
            }
          }
          const to = ((image * outerRows + top + row) * outerColumns + left + column) * channels;
          out[to + channel] = sum / (127.5 * blockRows * blockColumns) - 1;
        }
      }
    }
  }
  return out;
}

const formats: readonly ImageFormat[] = [
  { stored: [28, 28, 1], poolTo: 14, padTo: 16 },
  { stored: [28, 28, 1], padTo: 32 },
  { stored: [32, 32, 3] },
  { stored: [7, 5, 3] },
  { stored: [9, 6, 1], poolTo: 3, padTo: 8 },
  { stored: [3, 3, 3], poolTo: 1, padTo: 2 },
  { stored: [10, 10, 2], poolTo: 2 },
  { stored: [1, 1, 1], padTo: 3 },
];

async function assertImagesOfWords(): Promise<void> {
  for (const format of formats) {
    const n = 7, size = format.stored.reduce((product, side) => product * side);
    const pixels = Uint8Array.from(
      { length: n * size },
      (_, i) => i < size ? 255 : Math.imul(i, 0x9e3779b1) >>> 24,
    );
    const words = wordsOf(pixels, format);
    const images = imagesOfWords(format, words);
    assertEquals(images.shape, [n, ...imageShape(format)]);
    const values = await images.data<"float32">();
    assertClose(values, plainImages(pixels, format), 2e-7);
    assertEquals(values.reduce((most, value) => Math.max(most, value)), 1);
    // As a batch of a program's arguments: the very same numbers.
    const compiled = jit((words: Tensor) => imagesOfWords(format, words));
    assertEquals(await (await compiled(words)).data(), values, JSON.stringify(format));
    compiled.dispose();
  }
}

/** Draws are the images of the indices that are drawn, mirrored where the coin says so. */
async function assertDraws(): Promise<void> {
  const format: ImageFormat = { stored: [6, 4, 3], padTo: 7 }, count = 31, n = 40;
  const pixels = Uint8Array.from({ length: count * 72 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24);
  const dataset = fromUint8(pixels, [count, ...format.stored], format);
  const all = plainImages(pixels, format), key = randomKey(8, 3), size = 7 * 7 * 3;
  const indices = await randomIndices(fork(key, "image"), [n], count).data();
  const coins = await randomUniform(fork(key, "flip"), [n]).data();
  const expected = Float32Array.from({ length: n * size }, (_, i) => {
    const image = Math.floor(i / size), y = Math.floor(i / 21) % 7, x = Math.floor(i / 3) % 7;
    const column = coins[image] < 0.5 ? 6 - x : x;
    return all[indices[image] * size + (y * 7 + column) * 3 + i % 3];
  });
  const draw = (step: Tensor) => drawImages(dataset, n, { ...key, step }, { flip: true });
  const eager = await draw(key.step).data<"float32">();
  assertClose(eager, expected, 2e-7);
  const compiled = jit((step: Tensor) => draw(step));
  assertEquals(await (await compiled(key.step)).data(), eager);
  compiled.dispose();
}

/** The parts of a batch, drawn by one program with the first sample as its argument. */
async function assertParts(): Promise<void> {
  const dataset = stripes(), key = randomKey(5, 2), n = 6;
  const draw = (key: RandomKey, n: number) => drawImages(dataset, n, key, { flip: true });
  const whole = await draw(key, 3 * n).data();
  const part = jit((firstSample: Tensor) => draw({ ...key, firstSample }, n));
  for (let m = 0; m < 3; m++) {
    const size = whole.length / 3, images = await part(tf.scalar(m * n, "int32"));
    assertEquals(await images.data(), whole.slice(m * size, (m + 1) * size), `part ${m}`);
  }
  part.dispose();
}

const onBoth = {
  "words become images as plain loops make them, eagerly and compiled": assertImagesOfWords,
  "a draw is of the images and the sides that its indices and coins say": assertDraws,
  "one program draws all parts of a batch": assertParts,
};

for (const [name, check] of Object.entries(onBoth)) {
  Deno.test(name, async () => {
    await openDevice("wasm");
    await check();
  });
  webgpuTest(name, check);
}

Deno.test("mirroring keeps a batch's parts what they are in the whole", async () => {
  await openDevice("wasm");
  const images = tf.tensor4d([...Array(40).keys()], [20, 1, 2, 1]), key = randomKey(4);
  const whole = await flipSome(images, key).data();
  const part = tf.slice(images, [5, 0, 0, 0], [3, 1, 2, 1]);
  assertEquals(await flipSome(part, { ...key, firstSample: 5 }).data(), whole.slice(10, 16));
});

Deno.test("records lie on the device as their bytes", async () => {
  await openDevice("wasm");
  const records = { count: 2, shape: [6, 4, 3], pixels: bytes, labelsPerImage: 0 } as const;
  const dataset = residentImages({ ...records, labels: new Uint8Array() }, { padTo: 8 });
  assertEquals(await dataset.words.data(), packBytes(bytes, 72));
  assertEquals([dataset.count, ...dataset.shape], [2, 8, 8, 3]);
});

Deno.test("a compiled step holds a byte a pixel", async () => {
  await openDevice("wasm");
  const count = 3000;
  const dataset = fromUint8(new Uint8Array(count * 784), [count, 28, 28, 1], { padTo: 32 });
  const draw = (step: Tensor): TensorTree => drawImages(dataset, 4, { ...randomKey(1), step });
  const session = await jit(draw).load(tf.scalar(0, "int32"));
  const { arenaBytes } = session.statistics;
  assert(arenaBytes > count * 784 && arenaBytes < 1.05 * count * 784, `${arenaBytes}`);
  session.dispose();
});

Deno.test("bytes that do not fit, and sizes that cannot be, are refused", () => {
  assertThrows(
    () => fromUint8(bytes.subarray(1), shape),
    VapoError,
    "image data hold 143 bytes; expected 144 for 2 images of 6×4×3",
  );
  assertThrows(() => fromUint8(new Uint8Array(), [0, 6, 4, 3]), VapoError, "at least one");
  assertThrows(
    () => fromUint8(bytes, shape, { poolTo: 4 }),
    ConfigError,
    "poolTo is 4 for images of 6×4; expected a size that divides both",
  );
  for (const poolTo of [0, -2, 0.5, 12]) {
    assertThrows(() => fromUint8(bytes, shape, { poolTo }), ConfigError, `poolTo is ${poolTo} `);
  }
  assertThrows(
    () => fromUint8(bytes, shape, { padTo: 5 }),
    ConfigError,
    "padTo is 5 for images of 6×4; expected a size not below them",
  );
  assertThrows(() => fromUint8(bytes, shape, { padTo: 6.5 }), ConfigError, "padTo is 6.5");
});

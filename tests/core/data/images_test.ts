import { assert, assertEquals, assertThrows } from "@std/assert";
import { drawImages, fromUint8, type ImageDataset } from "../../../core/data/images.ts";
import { ConfigError, VapoError } from "../../../core/errors.ts";
import { fork, openDevice, randomIndices, randomKey, tf } from "../../../core/tensor/mod.ts";
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

async function assertPooledAndPadded(): Promise<void> {
  const dataset = fromUint8(bytes, shape, { poolTo: 2, padTo: 5 });
  assertEquals(dataset.images.shape, [2, 2, 2, 3]);
  assertClose(await dataset.images.data(), fixture.pooled, 1e-7);
  assertEquals([dataset.count, ...dataset.shape], [2, 5, 5, 3]);
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
  assertClose(await dataset.images.data(), [-1, -0.6, 1], 1e-7);
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
  dataset.images.dispose();
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

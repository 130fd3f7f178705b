import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { encodeIdx } from "../../../core/data/idx.ts";
import { VapoError } from "../../../core/errors.ts";
import { openDevice, randomKey, tf } from "../../../core/tensor/mod.ts";
import { dataNames, openDataSource, sampleSpace } from "../../../core/train/data_source.ts";

/** Three grey images in place of MNIST. */
function threeImages(): Promise<Uint8Array> {
  const data = Uint8Array.from({ length: 3 * 28 * 28 }, (_, i) => 100 * Math.floor(i / (28 * 28)));
  return Promise.resolve(encodeIdx({ dtype: "uint8", shape: [3, 28, 28], data }));
}

Deno.test("every data set draws samples of the shape that is known without reading it", async () => {
  await openDevice("wasm");
  const before = tf.memory().numTensors;
  for (const name of dataNames) {
    const source = await openDataSource(name, threeImages);
    const { sampleShape, distribution } = sampleSpace(name);
    assertEquals([source.name, source.sampleShape], [name, sampleShape]);
    assertEquals(source.distribution, distribution);
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
  const source = await openDataSource("mnist16", threeImages);
  const draw = source.draw(200, randomKey(1));
  const centres = new Set(tf.slice(draw, [0, 8, 8, 0], [200, 1, 1, 1]).dataSync());
  [0, 100, 200].forEach((grey, i) =>
    assertAlmostEquals([...centres].sort((a, b) => a - b)[i], grey / 127.5 - 1, 1e-6)
  );
  assertEquals(centres.size, 3);
});

Deno.test("images without a way to read files are refused by the file's name", async () => {
  await assertRejects(() => openDataSource("mnist"), VapoError, "train-images-idx3-ubyte");
});

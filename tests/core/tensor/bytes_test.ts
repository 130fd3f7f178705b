import { assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { VapoError } from "../../../core/errors.ts";
import { jit } from "../../../core/jit/mod.ts";
import {
  gatherBytes,
  openDevice,
  packBytes,
  type Tensor,
  tf,
  unpackBytes,
  wordsOfBytes,
} from "../../../core/tensor/mod.ts";
import { webgpuTest } from "../../webgpu.ts";

/** Bytes whose words are all over int32's range, with both ends of it. */
function someBytes(count: number): Uint8Array {
  const bytes = Uint8Array.from({ length: count }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24);
  if (count >= 8) bytes.set([255, 255, 255, 255, 0, 0, 0, 128]);
  return bytes;
}

/** Packed bytes on the open device. */
function packed(bytes: Uint8Array, rowBytes: number): Tensor {
  const shape: [number, number] = [bytes.length / rowBytes, wordsOfBytes(rowBytes)];
  return tf.tensor2d(packBytes(bytes, rowBytes), shape, "int32");
}

Deno.test("rows are packed little-endian, each from a word of its own, filled with zeros", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 13 }),
    fc.integer({ min: 0, max: 7 }),
    fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
    (rowBytes, rows, stream) => {
      const bytes = Uint8Array.from({ length: rows * rowBytes }, () => stream.next().value);
      const words = packBytes(bytes, rowBytes), perRow = Math.ceil(rowBytes / 4);
      assertEquals(words.length, rows * perRow);
      const view = new DataView(words.buffer);
      for (let row = 0; row < rows; row++) {
        for (let i = 0; i < 4 * perRow; i++) {
          const expected = i < rowBytes ? bytes[row * rowBytes + i] : 0;
          const word = view.getInt32(4 * (row * perRow + (i >> 2)), true);
          assertEquals((word >>> (8 * (i & 3))) & 255, expected);
        }
      }
    },
  ));
});

/** What is packed comes out again, eagerly and compiled. */
async function assertRoundTrip(): Promise<void> {
  for (const [rows, rowBytes] of [[1, 1], [5, 3], [7, 4], [3, 9], [2, 784], [40, 27], [301, 8]]) {
    const bytes = someBytes(rows * rowBytes), words = packed(bytes, rowBytes);
    const expected = Float32Array.from(bytes), shape = `[${rows}, ${rowBytes}]`;
    assertEquals(await unpackBytes(words, rowBytes).data(), expected, shape);
    const compiled = jit((words: Tensor) => unpackBytes(words, rowBytes));
    assertEquals(await (await compiled(words)).data(), expected, `${shape}, compiled`);
    compiled.dispose();
  }
}

/** Rows by their numbers, in any order and often, from a table that is captured or an argument. */
async function assertGathered(): Promise<void> {
  for (const [count, rowBytes, n] of [[1, 5, 3], [11, 7, 40], [600, 12, 5], [400, 30, 64]]) {
    const bytes = someBytes(count * rowBytes), words = packed(bytes, rowBytes);
    const numbers = Int32Array.from({ length: n }, (_, i) => (i * 7919 + 3) % count);
    const rows = tf.tensor1d(numbers, "int32");
    const expected = Float32Array.from(
      { length: n * rowBytes },
      (_, i) => bytes[numbers[Math.floor(i / rowBytes)] * rowBytes + i % rowBytes],
    );
    const what = `${n} rows of ${count}, ${rowBytes} bytes each`;
    assertEquals(await gatherBytes(words, rows, rowBytes).data(), expected, what);
    const captured = jit((rows: Tensor) => gatherBytes(words, rows, rowBytes));
    assertEquals(await (await captured(rows)).data(), expected, `${what}, captured`);
    const given = jit((words: Tensor, rows: Tensor) => gatherBytes(words, rows, rowBytes));
    assertEquals(await (await given(words, rows)).data(), expected, `${what}, given`);
    captured.dispose();
    given.dispose();
  }
}

/** A derivative that bytes have a part in, but are not taken by. */
async function assertUnderGradients(): Promise<void> {
  const words = packed(Uint8Array.of(1, 2, 3, 40, 50, 60), 3);
  const f = (weights: Tensor) =>
    tf.grads((weights: Tensor) => tf.sum(tf.mul(weights, unpackBytes(words, 3))))([weights])[0];
  const weights = tf.ones([2, 3]);
  assertEquals([...await f(weights).data()], [1, 2, 3, 40, 50, 60]);
  const compiled = jit(f);
  assertEquals([...await (await compiled(weights)).data()], [1, 2, 3, 40, 50, 60]);
  compiled.dispose();
}

const cases = {
  "bytes come out as they went in": assertRoundTrip,
  "rows of bytes are gathered exactly": assertGathered,
  "bytes take part in derivatives": assertUnderGradients,
};

for (const [name, check] of Object.entries(cases)) {
  Deno.test(`${name}, on wasm`, async () => {
    await openDevice("wasm");
    await check();
  });
  webgpuTest(name, check);
}

Deno.test("bytes come out as they went in, on cpu", async () => {
  await openDevice("cpu");
  const bytes = someBytes(66), rows = tf.tensor1d([4, 0, 4], "int32");
  const words = packed(bytes, 11);
  assertEquals(await unpackBytes(words, 11).data(), Float32Array.from(bytes));
  assertEquals(
    [...await gatherBytes(words, rows, 11).data()],
    [4, 0, 4].flatMap((row) => [...bytes.slice(11 * row, 11 * row + 11)]),
  );
});

Deno.test("unpacking makes one tensor", async () => {
  for (const device of ["cpu", "wasm"] as const) {
    await openDevice(device);
    const words = packed(someBytes(24), 6), rows = tf.tensor1d([3, 1], "int32");
    const before = tf.memory().numTensors;
    tf.dispose([unpackBytes(words, 6), gatherBytes(words, rows, 6)]);
    assertEquals(tf.memory().numTensors, before);
  }
});

Deno.test("what are no rows of bytes is refused with what it is", async () => {
  await openDevice("cpu");
  for (const rowBytes of [0, -1, 2.5, NaN, 3]) {
    assertThrows(() => packBytes(new Uint8Array(10), rowBytes), VapoError, `rows of ${rowBytes}`);
  }
  const words = tf.zeros([2, 3], "int32");
  const message =
    "13 bytes a row cannot be unpacked from int32 of shape [2,3]: expected int32 of " +
    "shape [n, 4]";
  assertThrows(() => unpackBytes(words, 13), VapoError, message);
  assertThrows(() => unpackBytes(words, 1.5), VapoError, "1.5 bytes a row");
  assertThrows(() => unpackBytes(tf.zeros([2, 3]), 12), VapoError, "from float32");
  assertThrows(() => unpackBytes(tf.zeros([6], "int32"), 12), VapoError, "of shape [6]");
  const rows = "rows to gather are float32 of shape [2]: expected int32 of shape [n]";
  assertThrows(() => gatherBytes(words, tf.zeros([2]), 12), VapoError, rows);
});

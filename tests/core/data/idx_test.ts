import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FormatError, VapoError } from "../../../core/errors.ts";
import { decodeIdx, encodeIdx, type IdxArray, readIdx } from "../../../core/data/idx.ts";

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const zipped = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(zipped).arrayBuffer());
}

function assertOneLine({ message }: Error): void {
  assert(/^mnist.*expected.*:/.test(message), message);
  assert(!message.includes("\n") && message.length < 300, message);
}

function assertRefused(bytes: Uint8Array, reason: string): void {
  assertOneLine(assertThrows(() => decodeIdx(bytes, "mnist"), FormatError, reason));
}

async function assertUnreadable(bytes: Uint8Array, reason: string, maxBytes?: number) {
  assertOneLine(
    await assertRejects(() => readIdx(bytes, "mnist", { maxBytes }), FormatError, reason),
  );
}

/** The layout of MNIST's training images: magic 2051, then 60000, 28, 28; here with two of 1×2. */
const images = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 7, 8, 9, 255);

const everyType: [IdxArray, number[]][] = [
  [{ dtype: "uint8", shape: [2], data: Uint8Array.of(1, 255) }, [8, 1, 0, 0, 0, 2, 1, 255]],
  [{ dtype: "int8", shape: [2], data: Int8Array.of(1, -1) }, [9, 1, 0, 0, 0, 2, 1, 255]],
  [{ dtype: "int16", shape: [1], data: Int16Array.of(-2) }, [11, 1, 0, 0, 0, 1, 255, 254]],
  [{ dtype: "int32", shape: [1], data: Int32Array.of(258) }, [12, 1, 0, 0, 0, 1, 0, 0, 1, 2]],
  [
    { dtype: "float32", shape: [1, 1], data: Float32Array.of(1.5) },
    [13, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0],
  ],
  [
    { dtype: "float64", shape: [1], data: Float64Array.of(-2) },
    [14, 1, 0, 0, 0, 1, 0xc0, 0, 0, 0, 0, 0, 0, 0],
  ],
];

Deno.test("images are read as MNIST lays them out", () => {
  const expected = { dtype: "uint8", shape: [2, 1, 2], data: Uint8Array.of(7, 8, 9, 255) };
  assertEquals(decodeIdx(images), expected as IdxArray);
  const shifted = new Uint8Array([1, ...images]).subarray(1);
  assertEquals(decodeIdx(shifted), expected as IdxArray);
});

Deno.test("every type is big-endian in the file, read and written", () => {
  for (const [array, tail] of everyType) {
    const bytes = Uint8Array.from([0, 0, ...tail]);
    assertEquals(decodeIdx(bytes), array);
    assertEquals(encodeIdx(array), bytes);
  }
});

Deno.test("the values read are a copy", () => {
  const bytes = images.slice();
  const { data } = decodeIdx(bytes);
  bytes.fill(0);
  assertEquals(data, Uint8Array.of(7, 8, 9, 255));
});

Deno.test("a compressed file is an error that says so, or decompressed", async () => {
  const zipped = await gzip(images);
  assertRefused(zipped, "decompress it with gunzip");
  assertEquals(await readIdx(zipped), decodeIdx(images));
  assertEquals(await readIdx(images), decodeIdx(images));
});

Deno.test("a compressed file of many pieces is decompressed", async () => {
  let state = 1;
  const data = Uint8Array.from({ length: 200_000 }, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state >> 16;
  });
  const array: IdxArray = { dtype: "uint8", shape: [1000, 200], data };
  const zipped = await gzip(encodeIdx(array));
  assert(zipped.length > 150_000);
  assertEquals(await readIdx(zipped), array);
});

Deno.test("each truncation is detected, and bytes after the end", () => {
  for (let length = 0; length < images.length; length++) {
    assertRefused(images.subarray(0, length), "");
  }
  assertRefused(images.subarray(0, 12), "expected 16 of header");
  assertRefused(images.subarray(0, 19), "cut short");
  assertRefused(new Uint8Array([...images, 0]), "followed by something else");
});

Deno.test("other magic numbers and dimensions beyond any file are errors", () => {
  assertRefused(new Uint8Array(0), "starts with bytes none");
  for (const magic of [[1, 0, 8, 1], [0, 1, 8, 1], [0, 0, 10, 1], [0, 0, 15, 1], [0, 0, 8, 0]]) {
    assertRefused(Uint8Array.from([...magic, 0, 0, 0, 0]), `starts with bytes ${magic.join(" ")}`);
  }
  assertRefused(new TextEncoder().encode("<!DOCTYPE html>"), "no IDX file");
  const sizes = (rank: number, byte: number) => new Array(4 * rank).fill(byte);
  assertRefused(Uint8Array.from([0, 0, 8, 1, ...sizes(1, 255)]), "expected 4294967303");
  assertRefused(Uint8Array.from([0, 0, 14, 2, ...sizes(2, 255)]), "that a file can hold");
  assertRefused(Uint8Array.from([0, 0, 8, 255, ...sizes(255, 255)]), "that a file can hold");
  const ones = Array.from({ length: 255 }, () => [0, 0, 0, 1]).flat();
  assertEquals(decodeIdx(Uint8Array.from([0, 0, 8, 255, ...ones, 9])).shape.length, 255);
});

Deno.test("damaged compressed files are errors", async () => {
  const zipped = await gzip(images);
  for (let length = 2; length < zipped.length; length++) {
    await assertUnreadable(zipped.subarray(0, length), "cannot be decompressed");
  }
  await assertUnreadable(new Uint8Array([...zipped, 1, 2, 3]), "cannot be decompressed");
  const flipped = zipped.slice();
  flipped[zipped.length - 8] ^= 1; // the CRC-32 of gzip itself
  await assertUnreadable(flipped, "cannot be decompressed");
});

Deno.test("a compressed file that would fill the memory is stopped early", async () => {
  const bomb = new Uint8Array(50_000_000);
  bomb.set([0, 0, 8, 1, 0, 0, 0, 4]);
  await assertUnreadable(await gzip(bomb), "more than the 12 bytes");
  bomb.set([0, 0, 8, 1, 127, 0, 0, 0]);
  await assertUnreadable(await gzip(bomb), "promises 2130706440 bytes");
  await assertUnreadable(await gzip(images), "at most 19", 19);
  assertEquals(await readIdx(await gzip(images), "mnist", { maxBytes: 20 }), decodeIdx(images));
  await assertUnreadable(await gzip(new Uint8Array(50_000_000)), "no IDX file");
});

Deno.test("arrays that do not fit their shape or dtype are errors", () => {
  const data = Uint8Array.of(1, 2);
  for (const shape of [[3], [], [2 ** 32], [-2, -1], new Array(256).fill(1)]) {
    assertThrows(() => encodeIdx({ dtype: "uint8", shape, data }), VapoError, "2 values");
  }
  const wrong = { dtype: "int8", shape: [2], data } as unknown as IdxArray;
  assertThrows(() => encodeIdx(wrong), VapoError, "int8 in Uint8Array");
});

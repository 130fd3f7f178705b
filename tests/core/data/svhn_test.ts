import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import type { ImageRecords } from "../../../core/data/image_records.ts";
import { readSvhn } from "../../../core/data/svhn.ts";
import { assertFormatError, fixtureFile } from "../formats/fixture_files.ts";

/** X[row, column, channel, image] of the files that SciPy wrote (make_archives_and_mat.py). */
const pixel = (row: number, column: number, channel: number, image: number) =>
  (7 * row + 3 * column + 50 * channel + 11 * image) % 256;

function assertImages(records: ImageRecords, count: number): void {
  assertEquals([records.count, records.shape, records.labelsPerImage], [count, [32, 32, 3], 1]);
  assertEquals(records.pixels.length, count * 3072);
  records.pixels.forEach((value, i) => {
    const [channel, column, row] = [i % 3, Math.floor(i / 3) % 32, Math.floor(i / 96) % 32];
    if (value !== pixel(row, column, channel, Math.floor(i / 3072))) throw new Error(`at ${i}`);
  });
}

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await assertRejects(() => readSvhn(bytes, "x.mat"));
  assertFormatError(error, "x.mat");
  return (error as Error).message;
}

const plain = fixtureFile("svhn/plain");

/** Where the values of X and y are in the plain file: after header, flags, sizes and name. */
const places = { dims: 128 + 8 + 16 + 8, images: 128 + 8 + 16 + 24 + 8 + 8 } as const;
const yStart = places.images + 2 * 3072;
const digits = yStart + 8 + 16 + 16 + 8 + 4;

Deno.test("SVHN: files of SciPy, digits as bytes or doubles, 10 for 0", async () => {
  const two = await readSvhn(plain);
  assertImages(two, 2);
  assertEquals(two.labels, Uint8Array.of(0, 9));
  const four = await readSvhn(fixtureFile("svhn/compressed"));
  assertImages(four, 4);
  assertEquals(four.labels, Uint8Array.of(0, 9, 8, 7));
});

Deno.test("SVHN: one image, whose last size MATLAB leaves out", async () => {
  const bytes = plain.slice(0, yStart);
  const view = new DataView(bytes.buffer);
  view.setUint32(132, 16 + 24 + 8 + 8 + 3072 - 8, true); // one size fewer, one image fewer
  view.setUint32(places.dims - 4, 12, true);
  const one = new Uint8Array([
    ...bytes.subarray(0, places.dims + 12),
    ...[0, 0, 0, 0],
    ...bytes.subarray(places.dims + 16, places.images - 4),
    ...new Uint8Array(Uint32Array.of(3072).buffer),
    ...bytes.subarray(places.images, places.images + 3072),
    ...plain.subarray(yStart),
  ]);
  const y = one.length - (plain.length - yStart);
  one[132] = (y - 136) & 255;
  one[133] = (y - 136) >> 8;
  one[y + 8 + 16 + 8] = 1; // y is [1, 1]
  one[y + 8 + 16 + 16 + 8 + 2] = 1; // of one byte
  const records = await readSvhn(one);
  assertImages(records, 1);
  assertEquals(records.labels, Uint8Array.of(0));
});

Deno.test("SVHN: digits out of range, sizes and classes of something else", async () => {
  assertEquals(plain[digits], 10); // the place is the right one
  for (const digit of [0, 11, 255]) {
    const bytes = plain.slice();
    bytes[digits + 1] = digit;
    const message = await refusal(bytes);
    assert(message.includes(`the digit ${digit} in y at index 1; expected 1 to 10`), message);
  }
  const other = plain.slice();
  new DataView(other.buffer).setUint32(places.dims, 16, true);
  new DataView(other.buffer).setUint32(places.dims + 4, 64, true);
  assert((await refusal(other)).includes("X of uint8 [16, 64, 3, 2]; expected"));
  const signed = plain.slice();
  signed[128 + 8 + 8] = 8; // class int8
  assert((await refusal(signed)).includes("X of int8 [32, 32, 3, 2]; expected"));
  assert((await refusal(fixtureFile("mat/plain"))).includes("no X up to byte"));
  const noDigits = await refusal(plain.subarray(0, yStart));
  assert(noDigits.includes("no y up to byte 6336, its end; expected [2, 1]"), noDigits);
});

Deno.test("SVHN: cut at any byte", async () => {
  for (const bytes of [plain, fixtureFile("svhn/compressed")]) {
    for (let length = 0; length < bytes.length; length += length % 11 === 0 ? 7 : 4) {
      await refusal(bytes.subarray(0, length));
    }
    await refusal(bytes.subarray(0, bytes.length - 1));
  }
});

Deno.test("SVHN: a compressed file with a flipped bit is the same or an error", async () => {
  const bytes = fixtureFile("svhn/compressed");
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length * 8 - 1), async (bit) => {
      const damaged = bytes.slice();
      damaged[bit >> 3] ^= 1 << (bit & 7);
      try {
        const records = await readSvhn(damaged, "x.mat");
        assertImages(records, 4);
        assertEquals(records.labels, Uint8Array.of(0, 9, 8, 7));
      } catch (error) {
        assertFormatError(error, "x.mat");
      }
    }),
    { seed: 20240722, numRuns: 200 },
  );
});

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodeIdx, encodeIdx, type IdxArray, readIdx } from "../../../core/data/idx.ts";
import { FormatError } from "../../../core/errors.ts";
import { mutations } from "../formats/mutations.ts";

const settings = { seed: 20240722, numRuns: 2000 };

const arrayTypes = {
  uint8: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

const product = (shape: readonly number[]) => shape.reduce((size, next) => size * next, 1);

const arrays: fc.Arbitrary<IdxArray> = fc
  .tuple(
    fc.constantFrom(...(Object.keys(arrayTypes) as IdxArray["dtype"][])),
    fc.array(fc.nat(5), { minLength: 1, maxLength: 3 }),
  )
  .chain(([dtype, shape]) => {
    const length = product(shape) * arrayTypes[dtype].BYTES_PER_ELEMENT;
    return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) =>
      ({ dtype, shape, data: new arrayTypes[dtype](bytes.slice().buffer) }) as IdxArray
    );
  });

const bits = ({ data }: IdxArray) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function assertBacked(array: IdxArray, length: number): void {
  assertEquals(array.data.length, product(array.shape));
  assert(array.data.byteLength < length);
}

function assertFormatError(error: unknown): void {
  if (!(error instanceof FormatError)) throw error;
  assert(!error.message.includes("\n") && error.message.length < 300, error.message);
}

Deno.test("IDX: what is written is read back, bit for bit", () => {
  fc.assert(
    fc.property(arrays, (array) => {
      const read = decodeIdx(encodeIdx(array));
      assertEquals([read.dtype, read.shape], [array.dtype, array.shape]);
      assertEquals(bits(read), bits(array));
    }),
    { ...settings, numRuns: 500 },
  );
});

Deno.test("IDX: damaged files and random bytes decode to values that fit, or to an error", () => {
  let valid = 0;
  const damagedFiles = fc.tuple(arrays, mutations).map(([array, mutate]) =>
    mutate(encodeIdx(array))
  );
  const random = fc.uint8Array({ maxLength: 40 }).map((tail) => Uint8Array.from([0, 0, ...tail]));
  fc.assert(
    fc.property(fc.oneof({ weight: 4, arbitrary: damagedFiles }, random), (bytes) => {
      try {
        assertBacked(decodeIdx(bytes), bytes.length);
        valid++;
      } catch (error) {
        assertFormatError(error);
      }
    }),
    settings,
  );
  assert(valid > 50, `only ${valid} of the damaged files got as far as values`);
});

Deno.test("IDX: damaged compressed files are read whole or are an error", async () => {
  await fc.assert(
    fc.asyncProperty(arrays, mutations, async (array, mutate) => {
      const plain = encodeIdx(array);
      const zipped = new Blob([plain]).stream().pipeThrough(new CompressionStream("gzip"));
      const damaged = mutate(new Uint8Array(await new Response(zipped).arrayBuffer()));
      try {
        const read = await readIdx(damaged, "x", { maxBytes: 1e6 });
        // gzip's own checksum vouches for the values; only its header may differ.
        assertEquals([read.dtype, read.shape], [array.dtype, array.shape]);
        assertEquals(bits(read), bits(array));
      } catch (error) {
        assertFormatError(error);
      }
    }),
    { ...settings, numRuns: 300 },
  );
});

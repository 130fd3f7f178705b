import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { FormatError } from "../../../core/errors.ts";
import { decodeNpy, encodeNpy, type NpyArray } from "../../../core/formats/npy.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsDtype,
  type SafetensorsFile,
  type SafetensorsTensor,
} from "../../../core/formats/safetensors.ts";
import { mutations, sameBytes } from "./mutations.ts";

const settings = { seed: 20240722, numRuns: 1500 };

/** What decoding gives, or undefined where it throws the one error that it may. */
function decoded<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    assert(!error.message.includes("\n") && error.message.length < 500, error.message);
    return undefined;
  }
}

const product = (shape: readonly number[]) => shape.reduce((size, next) => size * next, 1);

/** A shape, and as many random bytes as it needs. */
function shaped(bytesPerElement: number) {
  return fc.array(fc.nat(4), { maxLength: 3 }).chain((shape) => {
    const length = product(shape) * bytesPerElement;
    return fc.tuple(fc.constant(shape), fc.uint8Array({ minLength: length, maxLength: length }));
  });
}

const arrayTypes = {
  F32: Float32Array,
  F64: Float64Array,
  I32: Int32Array,
  U8: Uint8Array,
  I64: BigInt64Array,
  BF16: Uint16Array,
} as const;

const tensors: fc.Arbitrary<SafetensorsTensor> = fc
  .constantFrom(...(Object.keys(arrayTypes) as (keyof typeof arrayTypes)[]))
  .chain((dtype) =>
    shaped(arrayTypes[dtype].BYTES_PER_ELEMENT).map(([shape, bytes]) =>
      ({ dtype, shape, data: new arrayTypes[dtype](bytes.slice().buffer) }) as SafetensorsTensor
    )
  );

const names = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 8 }),
  fc.constantFrom("__proto__", "constructor", "toString", "0", "17", 'a"b\\', "layer.0.weight"),
).filter((name) => name.isWellFormed() && name !== "__metadata__");

const files = fc.record({
  tensors: fc.uniqueArray(fc.tuple(names, tensors), { maxLength: 4, selector: ([name]) => name }),
  metadata: fc.uniqueArray(fc.tuple(names, names), { maxLength: 3, selector: ([key]) => key }),
  checksum: fc.boolean(),
}).map(({ tensors, metadata, checksum }) => ({
  tensors: new Map(tensors),
  metadata: new Map(metadata),
  checksum,
  bytes: encodeSafetensors(Object.fromEntries(tensors), Object.fromEntries(metadata), { checksum }),
}));

/** The bits of an array: NaNs with different payloads are equal to an assertion, not to a file. */
const bits = ({ data }: { data: ArrayBufferView }) =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Every array has the size of its shape, and together they are no larger than the file. */
function assertBacked({ tensors }: SafetensorsFile, bytes: Uint8Array): void {
  let total = 0;
  for (const { shape, data } of Object.values(tensors)) {
    assertEquals(data.length, product(shape));
    total += data.byteLength;
  }
  assert(total <= bytes.length);
}

Deno.test("safetensors: what is written is read back, bit for bit", () => {
  fc.assert(
    fc.property(files, ({ tensors, metadata, bytes, checksum }) => {
      const file = decodeSafetensors(bytes);
      assertEquals(new Map(Object.entries(file.metadata)), metadata);
      assertEquals(file.checksum !== undefined, checksum);
      assertEquals(new Set(Object.keys(file.tensors)), new Set(tensors.keys()));
      for (const [name, { dtype, shape, data }] of tensors) {
        const read = file.tensors[name];
        assertEquals([read.dtype, read.shape], [dtype as SafetensorsDtype, shape]);
        assertEquals(bits(read), bits({ data }));
      }
      assert(sameBytes(encodeSafetensors(file.tensors, file.metadata, { checksum }), bytes));
    }),
    { ...settings, numRuns: 500 },
  );
});

Deno.test("safetensors: any damage to a file with a checksum is detected", () => {
  fc.assert(
    fc.property(files.filter(({ checksum }) => checksum), mutations, ({ bytes }, mutate) => {
      const damaged = mutate(bytes);
      const decode = () => decodeSafetensors(damaged, "x", { checksum: "required" });
      if (sameBytes(damaged, bytes)) decode();
      else assertThrows(decode, FormatError);
    }),
    settings,
  );
});

Deno.test("safetensors: damaged files decode to arrays that fit their shapes, or to an error", () => {
  let valid = 0;
  fc.assert(
    fc.property(files.filter(({ checksum }) => !checksum), mutations, ({ bytes }, mutate) => {
      const damaged = mutate(bytes);
      const file = decoded(() => decodeSafetensors(damaged));
      if (!file) return;
      assertBacked(file, damaged);
      valid++;
    }),
    settings,
  );
  assert(valid > 50, `only ${valid} of the damaged files got as far as arrays`);
});

Deno.test("safetensors: random bytes and random headers decode or are an error", () => {
  const words = fc.constantFrom(
    ...["{", "}", "[", "]", ",", ":", '"', "\\", " ", '"a"', '"dtype"', '"F32"', '"shape"'],
    ...['"data_offsets"', "[0,4]", "[1]", "[]", '"__metadata__"', '"vapo.crc32"', "-0", "1e400"],
    ...['{"dtype":"F32","shape":[1],"data_offsets":[0,4]}', "null", "\u0000", "ü"],
  );
  const headers = fc.array(words, { maxLength: 12 }).map((parts) => "{" + parts.join("") + "}");
  const framed = fc.tuple(headers, fc.uint8Array({ maxLength: 8 })).map(([header, payload]) => {
    const text = new TextEncoder().encode(header);
    return Uint8Array.from([
      text.length & 255,
      text.length >> 8,
      0,
      0,
      0,
      0,
      0,
      0,
      ...text,
      ...payload,
    ]);
  });
  const random = fc.uint8Array({ maxLength: 64 });
  fc.assert(
    fc.property(fc.oneof(framed, random), (bytes) => {
      const file = decoded(() => decodeSafetensors(bytes));
      if (file) assertBacked(file, bytes);
    }),
    { ...settings, numRuns: 5000 },
  );
});

const npyTypes = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint8: Uint8Array,
} as const;

const npyArrays: fc.Arbitrary<NpyArray> = fc
  .constantFrom(...(Object.keys(npyTypes) as NpyArray["dtype"][]))
  .chain((dtype) =>
    shaped(npyTypes[dtype].BYTES_PER_ELEMENT).map(([shape, bytes]) =>
      ({ dtype, shape, data: new npyTypes[dtype](bytes.slice().buffer) }) as NpyArray
    )
  );

Deno.test("npy: what is written is read back, bit for bit", () => {
  fc.assert(
    fc.property(npyArrays, (array) => {
      const read = decodeNpy(encodeNpy(array));
      assertEquals([read.dtype, read.shape], [array.dtype, array.shape]);
      assertEquals(bits(read), bits(array));
    }),
    { ...settings, numRuns: 500 },
  );
});

Deno.test("npy: damaged files decode to values that fit their shape, or to an error", () => {
  let valid = 0;
  const random = fc.uint8Array({ maxLength: 64 }).map((tail) =>
    Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, ...tail])
  );
  const damagedFiles = fc.tuple(npyArrays, mutations).map(([array, mutate]) =>
    mutate(encodeNpy(array))
  );
  fc.assert(
    fc.property(fc.oneof({ weight: 4, arbitrary: damagedFiles }, random), (bytes) => {
      const array = decoded(() => decodeNpy(bytes));
      if (!array) return;
      assertEquals(array.data.length, product(array.shape));
      assert(array.data.byteLength <= bytes.length);
      valid++;
    }),
    settings,
  );
  assert(valid > 50, `only ${valid} of the damaged files got as far as values`);
});

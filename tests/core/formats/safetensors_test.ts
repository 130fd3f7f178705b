import { assert, assertEquals, assertThrows } from "@std/assert";
import { FormatError, VapoError } from "../../../core/errors.ts";
import {
  checksumOf,
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsTensor,
} from "../../../core/formats/safetensors.ts";

const text = (value: string) => new TextEncoder().encode(value);
const joined = (...parts: (Uint8Array | number[])[]) =>
  Uint8Array.from(parts.flatMap((p) => [...p]));

/** A file with this header as it stands, and a payload. */
function fileOf(header: string, payload: Uint8Array | number[] = []): Uint8Array {
  const bytes = text(header);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(bytes.length), true);
  return joined(length, bytes, payload);
}

function tensor(dtype: string, shape: unknown, offsets: unknown): string {
  return JSON.stringify({ dtype, shape, data_offsets: offsets });
}

/** The error has a single line that names the file and this reason. */
function assertDamaged(bytes: Uint8Array, reason: string): void {
  const error = assertThrows(() => decodeSafetensors(bytes, "x.safetensors"), FormatError, reason);
  assert(error.message.startsWith("x.safetensors"), error.message);
  assert(/expected|remove|rewritten/.test(error.message), error.message);
  assert(!error.message.includes("\n") && error.message.length < 400, error.message);
}

const model: Readonly<Record<string, SafetensorsTensor>> = {
  "dense0.kernel": { dtype: "F32", shape: [2, 3], data: Float32Array.of(1, -2, 0.5, 3, 4, NaN) },
  "dense0.bias": { dtype: "F64", shape: [1], data: Float64Array.of(Math.PI) },
  step: { dtype: "I32", shape: [], data: Int32Array.of(-7) },
};

Deno.test("an array is written as in the reference implementation's own test vector", () => {
  const bytes = encodeSafetensors(
    { "attn.0": { dtype: "F32", shape: [1, 2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) } },
    {},
    { checksum: false },
  );
  const header = '{"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}';
  // deno-fmt-ignore
  const values = [
    0, 0, 0, 0, 0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64, 0, 0, 160, 64,
  ];
  assertEquals(bytes, joined([64, 0, 0, 0, 0, 0, 0, 0], text(header), values));
});

Deno.test("the header is padded with spaces to a multiple of 8", () => {
  assertEquals(
    encodeSafetensors({}, {}, { checksum: false }),
    joined([8, 0, 0, 0, 0, 0, 0, 0], text("{}      ")),
  );
  const data = Float32Array.of(0);
  const shorter = encodeSafetensors({ attn0: { dtype: "F32", shape: [1], data } });
  assertEquals(new DataView(shorter.buffer).getUint32(0, true) % 8, 0);
});

Deno.test("a file written by another program (struct and json of Python) is read", () => {
  const bytes = Uint8Array.fromBase64(
    "yAAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJucCJ9LCJ3Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUi" +
      "OlsyLDNdLCJkYXRhX29mZnNldHMiOlswLDI0XX0sIm4iOnsiZHR5cGUiOiJJMzIiLCJzaGFwZSI6W10sImRhdGFf" +
      "b2Zmc2V0cyI6WzI0LDI4XX0sImIiOnsiZHR5cGUiOiJVOCIsInNoYXBlIjpbM10sImRhdGFfb2Zmc2V0cyI6WzI4" +
      "LDMxXX19ICAgIAAAAAAAAIA/AAAAQAAAQEAAAIBAAACgQPf///8BAv8=",
  );
  const { tensors, metadata, checksum } = decodeSafetensors(bytes);
  assertEquals({ ...tensors }, {
    w: { dtype: "F32", shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) },
    n: { dtype: "I32", shape: [], data: Int32Array.of(-9) },
    b: { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 255) },
  });
  assertEquals({ ...metadata }, { format: "np" });
  assertEquals(checksum, undefined);
  assertThrows(
    () => decodeSafetensors(bytes, "x", { checksum: "required" }),
    FormatError,
    "no checksum",
  );
});

Deno.test("what is written is read back, aligned, in one order whatever the order given", () => {
  const metadata = { config: '{"seed":1}', "": 'line\nwith "vapo.crc32":"00000000"' };
  const bytes = encodeSafetensors(model, metadata);
  const reversed = Object.fromEntries(Object.entries(model).reverse());
  assertEquals(encodeSafetensors(reversed, metadata), bytes);
  const read = decodeSafetensors(bytes, "x", { checksum: "required" });
  assertEquals({ ...read.tensors }, { ...model });
  assertEquals({ ...read.metadata }, metadata);
  assertEquals(read.checksum, checksumOf(bytes));
  // The same bytes at an odd address, as in a larger buffer.
  const shifted = joined([0], bytes).subarray(1);
  assertEquals({ ...decodeSafetensors(shifted).tensors }, { ...model });
});

Deno.test("the arrays read are copies", () => {
  const bytes = encodeSafetensors(model);
  const { tensors } = decodeSafetensors(bytes);
  bytes.fill(0);
  assertEquals(tensors.step.data, Int32Array.of(-7));
});

Deno.test("every dtype and odd name goes through", () => {
  const odd: Record<string, SafetensorsTensor> = Object.fromEntries([
    ["__proto__", { dtype: "U64", shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) }],
    ["constructor", { dtype: "I64", shape: [1], data: BigInt64Array.of(-5n) }],
    ["", { dtype: "U32", shape: [1], data: Uint32Array.of(2 ** 32 - 1) }],
    ["0", { dtype: "BF16", shape: [1], data: Uint16Array.of(0x3f80) }],
    ["größe 😀\n", { dtype: "F16", shape: [1], data: Uint16Array.of(0x3c00) }],
    ["a", { dtype: "U16", shape: [1], data: Uint16Array.of(65535) }],
    ["b", { dtype: "I16", shape: [1], data: Int16Array.of(-1) }],
    ["c", { dtype: "F8_E4M3", shape: [1], data: Uint8Array.of(1) }],
    ["d", { dtype: "F8_E5M2", shape: [1], data: Uint8Array.of(2) }],
    ["e", { dtype: "I8", shape: [1], data: Int8Array.of(-3) }],
    ["f", { dtype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) }],
    ["empty", { dtype: "F64", shape: [0, 7], data: new Float64Array(0) }],
  ]);
  const { tensors } = decodeSafetensors(encodeSafetensors(odd));
  assertEquals(new Map(Object.entries(tensors)), new Map(Object.entries(odd)));
  assertEquals(decodeSafetensors(encodeSafetensors({})).tensors["constructor"], undefined);
});

Deno.test("the checksum is the CRC-32 that zlib gives for the file with its digits zeroed", () => {
  const bytes = encodeSafetensors({ x: { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) } });
  assertEquals(checksumOf(bytes), "c4eb7814");
  assertEquals(decodeSafetensors(bytes).checksum, "c4eb7814");
});

Deno.test("each flipped bit of a file with a checksum is detected", () => {
  const bytes = encodeSafetensors(model, { config: "{}" });
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    bytes[bit >> 3] ^= 1 << (bit & 7);
    assertThrows(
      () => decodeSafetensors(bytes, "checkpoint", { checksum: "required" }),
      FormatError,
      "checkpoint",
      `bit ${bit}`,
    );
    bytes[bit >> 3] ^= 1 << (bit & 7);
  }
  decodeSafetensors(bytes, "checkpoint", { checksum: "required" });
});

Deno.test("each truncation of a file is detected, and bytes after its end", () => {
  for (const checksum of [true, false]) {
    const bytes = encodeSafetensors(model, {}, { checksum });
    for (let length = 0; length < bytes.length; length++) {
      assertDamaged(bytes.subarray(0, length), "");
    }
    assertDamaged(joined(bytes, [0]), checksum ? "damaged" : "followed by something else");
  }
});

Deno.test("a file saved again by another program must drop the checksum", () => {
  const header = `{"__metadata__":{"a":"b","vapo.crc32":"00000000"}}`;
  assertDamaged(fileOf(header), "remove metadata entry vapo.crc32");
  assertThrows(() => checksumOf(fileOf(header)), FormatError, "no place for a checksum");
});

Deno.test("headers that are too long, no JSON or not UTF-8 are errors", () => {
  assertDamaged(new Uint8Array(0), "0 bytes long");
  assertDamaged(joined([255, 255, 255, 255, 255, 255, 255, 255]), "18446744073709551615 bytes");
  assertDamaged(joined([3, 0, 0, 0, 0, 0, 0, 0], text("{}")), "header of 3 bytes");
  const large = new Uint8Array(100_000_100);
  new DataView(large.buffer).setUint32(0, 100_000_001, true);
  assertDamaged(large, "at most 100000000");
  assertDamaged(fileOf(""), 'start with "{"');
  assertDamaged(fileOf(" {}"), 'start with "{"');
  assertDamaged(fileOf("\ufeff{}"), 'start with "{"');
  assertDamaged(fileOf("[]"), 'start with "{"');
  assertDamaged(fileOf("{"), "not valid JSON");
  assertDamaged(fileOf("{}\0"), "not valid JSON");
  assertDamaged(fileOf('{"a":}'), "not valid JSON");
  assertDamaged(fileOf('{"\\u00":1}'), "not valid JSON");
  assertDamaged(joined([4, 0, 0, 0, 0, 0, 0, 0], text("{"), [0xff], text("}}")), "not UTF-8");
  assertDamaged(fileOf('{"a":' + "[".repeat(65) + "]".repeat(65) + "}"), "64 deep");
  assertDamaged(fileOf(`{"a":[1${",1".repeat(4_000_000)}]}`), "at most 4000000 values");
});

Deno.test("a key that comes twice is an error, however it is written", () => {
  const entry = tensor("U8", [0], [0, 0]);
  assertDamaged(fileOf(`{"a":${entry},"a":${entry}}`), 'names "a" twice');
  assertDamaged(fileOf(`{"a":${entry},"\\u0061" :${entry}}`), 'names "a" twice');
  assertDamaged(fileOf(`{"__metadata__":{"k":"v","k":"w"}}`), 'names "k" twice');
  assertDamaged(
    fileOf(`{"a":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}}`),
    'names "shape" twice',
  );
  assertDamaged(fileOf(`{"a\\"b":${entry},"a\\"b":${entry}}`), 'names "a\\"b" twice');
  // The same key in two objects, or as a value, is none.
  const fine = `{"__metadata__":{"k":"k","l":"k"},"k":${entry},"a\\"":${entry},"a":${entry}}`;
  assertEquals(Object.keys(decodeSafetensors(fileOf(fine)).tensors), ["k", 'a"', "a"]);
});

Deno.test("entries that are no description of an array are errors", () => {
  assertDamaged(fileOf('{"a":1}'), "entry 1");
  assertDamaged(fileOf('{"a":null}'), "entry null");
  assertDamaged(fileOf('{"a":{}}'), "dtype none");
  assertDamaged(fileOf(`{"a":${tensor("F4", [0], [0, 0])}}`), 'dtype "F4"');
  assertDamaged(fileOf(`{"a":${tensor("toString", [0], [0, 0])}}`), 'dtype "toString"');
  for (const shape of [null, 3, "3", [-1], [1.5], ["1"], [null], [2 ** 53]]) {
    assertDamaged(fileOf(`{"a":${tensor("U8", shape, [0, 3])}}`, [1, 2, 3]), "shape");
  }
  for (const offsets of [null, [], [0], [0, 1, 2], [-1, 2], [0, 0.5], { 0: 0, 1: 3 }]) {
    assertDamaged(fileOf(`{"a":${tensor("U8", [3], offsets)}}`, [1, 2, 3]), "data_offsets");
  }
  assertDamaged(fileOf('{"__metadata__":{"a":1}}'), "text to text");
  assertDamaged(fileOf('{"__metadata__":[]}'), "text to text");
  assertDamaged(fileOf('{"__metadata__":null}'), "text to text");
});

Deno.test("shapes, sizes and offsets that do not fit each other are errors", () => {
  const payload = new Uint8Array(8);
  assertDamaged(fileOf(`{"a":${tensor("F32", [3], [0, 8])}}`, payload), "8 bytes for shape [3]");
  assertDamaged(fileOf(`{"a":${tensor("U8", [0], [8, 0])}}`, payload), "-8 bytes");
  const overflow = tensor("F64", [2 ** 40, 2 ** 40, 2 ** 40], [0, 8]);
  assertDamaged(fileOf(`{"a":${overflow}}`, payload), "a shape that a file can hold");
  const wrapped = tensor("U8", [2 ** 32, 2 ** 32], [0, 0]); // 0 modulo 2⁶⁴
  assertDamaged(fileOf(`{"a":${wrapped}}`), "a shape that a file can hold");
  const pair = (first: number[], second: number[]) =>
    fileOf(`{"a":${tensor("U8", [4], first)},"b":${tensor("U8", [4], second)}}`, payload);
  assertEquals(Object.keys(decodeSafetensors(pair([4, 8], [0, 4])).tensors), ["b", "a"]);
  assertDamaged(pair([0, 4], [0, 4]), "starts at byte 0; expected 4");
  assertDamaged(pair([0, 4], [3, 7]), "starts at byte 3; expected 4");
  assertDamaged(pair([1, 5], [5, 9]), "starts at byte 1; expected 0");
  assertDamaged(pair([0, 4], [5, 9]), "starts at byte 5; expected 4");
  assertDamaged(fileOf(`{"a":${tensor("U8", [4], [0, 4])}}`, payload), "followed by something");
  assertDamaged(fileOf(`{"a":${tensor("U8", [9], [0, 9])}}`, payload), "cut short");
});

Deno.test("messages stay short whatever the file says", () => {
  const name = "n\n".repeat(50_000);
  assertDamaged(fileOf(`{${JSON.stringify(name)}:1}`), "n\\n");
  const shape = Array.from({ length: 10_000 }, () => 1);
  assertDamaged(fileOf(`{"a":${tensor("U8", shape, [0, 0])}}`), "0 bytes for shape [1,1");
});

Deno.test("arrays that cannot be stored are errors before anything is written", () => {
  const data = Float32Array.of(1, 2);
  const wrong: [Record<string, SafetensorsTensor>, string][] = [
    [{ a: { dtype: "F32", shape: [3], data } }, "2 values for shape [3]"],
    [{ a: { dtype: "F32", shape: [-1, -2], data } }, "shape [-1,-2]"],
    [{ a: { dtype: "F64", shape: [2], data } as unknown as SafetensorsTensor }, "Float64Array"],
    [{ a: { dtype: "F4", shape: [2], data } as unknown as SafetensorsTensor }, 'dtype "F4"'],
    [{ __metadata__: { dtype: "F32", shape: [2], data } }, "rename it"],
    [{ "\ud800": { dtype: "F32", shape: [2], data } }, "rename it"],
  ];
  for (const [tensors, message] of wrong) {
    assertThrows(() => encodeSafetensors(tensors), VapoError, message);
  }
  assertThrows(() => encodeSafetensors({}, { "vapo.crc32": "1" }), VapoError, "vapo.crc32");
  assertThrows(() => encodeSafetensors({}, { a: "\udc00" }), VapoError, '"a"');
});

import { assert, assertEquals, assertThrows } from "@std/assert";
import { FormatError, VapoError } from "../../../core/errors.ts";
import { decodeNpy, encodeNpy, type NpyArray } from "../../../core/formats/npy.ts";

/** "\x93NUMPY", 1, 0, 118: then 118 bytes of header. */
const start = "k05VTVBZAQB2AHsn";
const spaces = (count: number) => "ICAg".repeat(count);

/** numpy.save of NumPy 1.24 of each array, in base64. */
const saved: [NpyArray, string][] = [
  [
    { dtype: "float32", shape: [2, 3], data: Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25) },
    start + "ZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9" +
    spaces(19) + "IAoAAAAAAACAPgAAAD8AAEA/AACAPwAAoD8=",
  ],
  [
    { dtype: "float64", shape: [2], data: Float64Array.of(Math.PI, -1e300) },
    start + "ZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAg" +
    spaces(19) + "IAoYLURU+yEJQJx1AIg85Df+",
  ],
  [
    { dtype: "int32", shape: [1, 2, 1], data: Int32Array.of(-1, 2 ** 31 - 1) },
    start + "ZGVzY3InOiAnPGk0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEsIDIsIDEpLCB9" +
    spaces(18) + "IAr/////////fw==",
  ],
  [
    { dtype: "uint8", shape: [3], data: Uint8Array.of(0, 128, 255) },
    start + "ZGVzY3InOiAnfHUxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDMsKSwgfSAg" +
    spaces(19) + "IAoAgP8=",
  ],
  [
    { dtype: "float64", shape: [], data: Float64Array.of(2.5) },
    start + "ZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKCksIH0g" +
    spaces(20) + "IAoAAAAAAAAEQA==",
  ],
  [
    { dtype: "float32", shape: [0, 3], data: new Float32Array(0) },
    start + "ZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDAsIDMpLCB9" +
    spaces(19) + "IAo=",
  ],
];

/** A file of version 1.0 with this header as it stands. */
function fileOf(header: string, payload: number[] = []): Uint8Array {
  const text = [...new TextEncoder().encode(header)];
  const length = [text.length & 255, text.length >> 8];
  return Uint8Array.from([
    0x93,
    0x4e,
    0x55,
    0x4d,
    0x50,
    0x59,
    1,
    0,
    ...length,
    ...text,
    ...payload,
  ]);
}

function assertRefused(bytes: Uint8Array, reason: string): void {
  const error = assertThrows(() => decodeNpy(bytes, "x.npy"), FormatError, reason);
  assert(/^x\.npy .*expected.*:/.test(error.message), error.message);
  assert(!error.message.includes("\n") && error.message.length < 400, error.message);
}

Deno.test("arrays are written and read as NumPy writes them", () => {
  for (const [array, base64] of saved) {
    const bytes = Uint8Array.fromBase64(base64);
    assertEquals(encodeNpy(array), bytes);
    assertEquals(decodeNpy(bytes), array);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    assertEquals(decodeNpy(shifted.subarray(1)), array);
  }
});

Deno.test("a header in another order and style is read", () => {
  const header = `{"shape":(2,) ,"fortran_order": False,\n"descr":"<i4"}`;
  const expected = { dtype: "int32", shape: [2], data: Int32Array.of(1, -1) };
  assertEquals(decodeNpy(fileOf(header, [1, 0, 0, 0, 255, 255, 255, 255])), expected as NpyArray);
});

Deno.test("a long header is padded so that the values start at a multiple of 64", () => {
  const shape = Array.from({ length: 200 }, () => 1);
  const bytes = encodeNpy({ dtype: "float32", shape, data: Float32Array.of(5) });
  assertEquals((bytes.length - 4) % 64, 0);
  assertEquals(decodeNpy(bytes).shape, shape);
  const longer = Array.from({ length: 30_000 }, () => 1);
  assertThrows(
    () => encodeNpy({ dtype: "float32", shape: longer, data: Float32Array.of(5) }),
    VapoError,
    "30000 dimensions",
  );
});

Deno.test("Fortran order and big-endian bytes are read as NumPy reads them", () => {
  const file = (descr: string, order: string, shape: string, values: Uint8Array) =>
    fileOf(`{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }\n`, [...values]);
  const fortran = new Uint8Array(Float32Array.of(0, 3, 1, 4, 2, 5).buffer);
  assertEquals(
    decodeNpy(file("<f4", "True", "(2, 3)", fortran)).data,
    Float32Array.of(0, 1, 2, 3, 4, 5),
  );
  // numpy.asfortranarray(numpy.arange(24).reshape(2, 1, 3, 4)).ravel("K")
  const ravelled = [0, 12, 4, 16, 8, 20, 1, 13, 5, 17, 9, 21, 2, 14, 6, 18, 10, 22, 3, 15, 7, 19];
  const cube = new Uint8Array(Int32Array.of(...ravelled, 11, 23).buffer);
  assertEquals(
    decodeNpy(file("<i4", "True", "(2, 1, 3, 4)", cube)).data,
    Int32Array.from({ length: 24 }, (_, i) => i),
  );
  assertEquals(
    decodeNpy(file("<f4", "True", "(0, 3)", new Uint8Array(0))).data,
    new Float32Array(0),
  );
  const double = file(
    ">f8",
    "False",
    "(2,)",
    Uint8Array.of(0x40, 4, ...Array(6).fill(0), 0xbf, 0xf0, ...Array(6).fill(0)),
  );
  assertEquals(decodeNpy(double).data, Float64Array.of(2.5, -1));
  assertEquals(
    decodeNpy(file(">i4", "True", "(1, 2)", Uint8Array.of(0, 0, 1, 0, 255, 255, 255, 255))).data,
    Int32Array.of(256, -1),
  );
});

Deno.test("other versions and types are refused with the remedy", () => {
  const f4 = (order: string, descr: string) =>
    fileOf(`{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (1,), }\n`, [0, 0, 0, 0]);
  decodeNpy(f4("False", "<f4"));
  assertRefused(f4("False", ">f2"), 'holds ">f2"; expected <f4, <f8, <i4');
  assertRefused(f4("False", "|O"), 'astype("<f4")');
  const version2 = f4("False", "<f4");
  version2[6] = 2;
  assertRefused(version2, "version 1.0");
  assertRefused(new TextEncoder().encode("PK\u0003\u0004 an .npz file"), "version 1.0");
});

Deno.test("each truncation is detected, and bytes after the end", () => {
  for (const [array, base64] of saved) {
    const bytes = Uint8Array.fromBase64(base64);
    for (let length = 0; length < bytes.length; length++) {
      assertRefused(bytes.subarray(0, length), "");
    }
    const longer = new Uint8Array([...bytes, 0]);
    assertRefused(longer, `followed by something else`);
    assertEquals(array.data.length * array.data.BYTES_PER_ELEMENT, longer.length - 129);
  }
});

Deno.test("headers that are no dictionary of the three entries are errors", () => {
  const complete = "'descr': '<f4', 'fortran_order': False, 'shape': ";
  for (
    const header of [
      "",
      "{}",
      `{${complete}(1)}`,
      `{${complete}(1, 2`,
      `{${complete}(,)}`,
      `{${complete}(01,)}`,
      `{${complete}(-1,)}`,
      `{${complete}(1,,)}`,
      `{${complete}[1]}`,
      `{${complete}(1,), 'shape': (1,)}`,
      `{${complete}(1,), 'extra': True}`,
      `{${complete}'(1,)'}`,
      "{'descr': '<f4', 'shape': (1,)}",
      "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
      `{${complete}(1,)} __import__("os")`,
      `{${complete}(${"1 ".repeat(30_000)},)}`,
    ]
  ) {
    assertRefused(fileOf(header, [0, 0, 0, 0]), "has the header");
  }
});

Deno.test("a shape that no file can hold is an error, not an allocation", () => {
  const header = "{'descr': '<f8', 'fortran_order': False, 'shape': ";
  assertRefused(fileOf(header + "(4294967296, 4294967296), }"), "expected more than any file has");
  assertRefused(fileOf(header + "(9999999999999999,), }"), "cut short");
  assertRefused(fileOf(header + "(1000000000, 1000), }"), "expected 8000000000000");
});

Deno.test("arrays that do not fit their shape or dtype are errors", () => {
  const data = Float32Array.of(1, 2);
  assertThrows(() => encodeNpy({ dtype: "float32", shape: [3], data }), VapoError, "2 values");
  const wrong = { dtype: "float64", shape: [2], data } as unknown as NpyArray;
  assertThrows(() => encodeNpy(wrong), VapoError, "float64 in Float32Array");
});

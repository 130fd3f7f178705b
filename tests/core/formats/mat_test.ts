import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { type MatArray, readMat } from "../../../core/formats/mat.ts";
import { assertFormatError, fixtureFile } from "./fixture_files.ts";
import { mutations } from "./mutations.ts";

/** What SciPy wrote: its arrays, the first index running fastest. */
const saved: Readonly<Record<string, MatArray>> = {
  u8: {
    type: "uint8",
    dims: [2, 3, 4],
    // numpy.arange(24) in C order: index 12 i + 4 j + k
    data: Uint8Array.from({ length: 24 }, (_, n) => {
      const [i, j, k] = [n % 2, Math.floor(n / 2) % 3, Math.floor(n / 6)];
      return 12 * i + 4 * j + k;
    }),
  },
  doubles: {
    type: "double",
    dims: [2, 3],
    data: Float64Array.of(0.5, Infinity, -1e300, -0, Math.PI, 2 ** -1074),
  },
  s: { type: "single", dims: [1, 2], data: Float32Array.of(0.25, -3) },
  i8: { type: "int8", dims: [1, 2], data: Int8Array.of(-128, 127) },
  i16: { type: "int16", dims: [2, 1], data: Int16Array.of(-32768, 32767) },
  u16: { type: "uint16", dims: [1, 3], data: Uint16Array.of(65535, 1, 2) },
  i32: { type: "int32", dims: [1, 1], data: Int32Array.of(-(2 ** 31)) },
  u32: { type: "uint32", dims: [1, 2], data: Uint32Array.of(2 ** 32 - 1, 7) },
  i64: { type: "int64", dims: [1, 2], data: BigInt64Array.of(-(2n ** 63n), 5n) },
  u64: { type: "uint64", dims: [1, 1], data: BigUint64Array.of(2n ** 64n - 1n) },
  flags: { type: "uint8", dims: [1, 3], data: Uint8Array.of(1, 0, 1) },
  none: { type: "double", dims: [0, 3], data: new Float64Array(0) },
  a_name_longer_than_eight: { type: "double", dims: [1, 1], data: Float64Array.of(1.5) },
};

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await assertRejects(() => readMat(bytes, "x.mat"));
  assertFormatError(error, "x.mat");
  return (error as Error).message;
}

const fileHeader = fixtureFile("mat/plain").subarray(0, 128);

/** An element: its tag, its data and what fills it up to a multiple of 8. */
function element(type: number, data: Uint8Array | number[], padded = true): Uint8Array {
  const bytes = new Uint8Array(8 + (padded ? Math.ceil(data.length / 8) * 8 : data.length));
  new Uint32Array(bytes.buffer, 0, 2).set([type, data.length]);
  bytes.set(data, 8);
  return bytes;
}

const joined = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
const ints = (...values: number[]) => new Uint8Array(Int32Array.from(values).buffer);

interface Parts {
  readonly classNumber?: number;
  readonly flags?: number;
  readonly dims?: number[];
  readonly name?: string;
  readonly values?: Uint8Array;
}

/** A variable; without anything said [1, 2] of class double, stored in bytes: 3 and 4. */
function variable(
  { classNumber = 6, flags = 0, dims = [1, 2], name = "x", values = element(2, [3, 4]) }: Parts,
): Uint8Array {
  const letters = new TextEncoder().encode(name);
  const start = [element(6, ints(classNumber | flags << 8, 0)), element(5, ints(...dims))];
  return element(14, joined(...start, element(1, letters), values));
}

async function compressed(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return element(15, new Uint8Array(await new Response(stream).arrayBuffer()), false);
}

const file = (...variables: Uint8Array[]) => joined(fileHeader, ...variables);

function assertSame(found: Readonly<Record<string, MatArray>>): void {
  assertEquals(Object.keys(found), Object.keys(saved));
  for (const [name, array] of Object.entries(saved)) assertEquals(found[name], array, name);
}

Deno.test("MAT: all classes of numbers as SciPy writes them, plain and compressed", async () => {
  assertSame(await readMat(fixtureFile("mat/plain")));
  assertSame(await readMat(fixtureFile("mat/compressed")));
});

Deno.test("MAT: files at any place in memory; the values are not the file's own", async () => {
  for (const name of ["mat/plain", "mat/compressed"] as const) {
    const bytes = fixtureFile(name);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    const read = await readMat(shifted.subarray(3));
    shifted.fill(0);
    assertSame(read);
  }
});

Deno.test("MAT: doubles that MATLAB stores in fewer bytes, and elements in their tag", async () => {
  const stored: [Uint8Array, number[]][] = [
    [element(2, [3, 4]), [3, 4]],
    [element(1, [255, 4]), [-1, 4]],
    [element(3, [255, 255, 4, 1]), [-1, 260]],
    [element(7, new Uint8Array(Float32Array.of(0.5, -2).buffer)), [0.5, -2]],
    [Uint8Array.of(2, 0, 2, 0, 8, 9, 0, 0), [8, 9]], // type 2, 2 bytes of data in the tag
    [Uint8Array.of(4, 0, 4, 0, 1, 2, 3, 4), [513, 1027]],
  ];
  for (const [values, expected] of stored) {
    const { x } = await readMat(file(variable({ values })));
    assertEquals(x, { type: "double", dims: [1, 2], data: Float64Array.from(expected) });
  }
  const values = element(5, ints(-7, 9));
  const { x } = await readMat(file(variable({ classNumber: 14, values })));
  assertEquals(x.data, BigInt64Array.of(-7n, 9n));
});

Deno.test("MAT: several variables, compressed or not", async () => {
  const bytes = file(
    await compressed(new Uint8Array(variable({ name: "one" }))),
    variable({ name: "two" }),
    await compressed(new Uint8Array(variable({ name: "__proto__" }))),
  );
  assertEquals(Object.keys(await readMat(bytes)), ["one", "two", "__proto__"]);
  assertEquals(Object.keys(await readMat(file())), []);
});

Deno.test("MAT: what is no array of real numbers is refused by its name", async () => {
  const kinds = {
    cell: "a cell array",
    structure: "a structure",
    sparse: "a sparse matrix",
    complex: "an array of complex numbers",
    text: "text",
  } as const;
  for (const [name, kind] of Object.entries(kinds)) {
    const message = await refusal(fixtureFile(`mat/refused/${name as keyof typeof kinds}`));
    assert(message.includes(`"${name}", is ${kind}; expected`), message);
  }
  assert((await refusal(file(variable({ classNumber: 99 })))).includes("of class 99"));
  // MATLAB keeps what its objects need in a variable without a name.
  assertEquals(Object.keys(await readMat(file(variable({ name: "" })))), []);
  assertEquals(Object.keys(await readMat(file(variable({ name: "", classNumber: 17 })))), []);
});

Deno.test("MAT: other versions, byte orders and formats", async () => {
  assert((await refusal(fixtureFile("mat/version4"))).includes("no MAT-file"));
  const header = (text: string, version: number[], order: string) => {
    const bytes = fileHeader.slice();
    bytes.set(new TextEncoder().encode(text));
    bytes.set(version, 124);
    bytes.set(new TextEncoder().encode(order), 126);
    return bytes;
  };
  const hdf5 = header("MATLAB 7.3 MAT-file", [0, 2], "IM");
  assert((await refusal(hdf5)).includes('save it with save(..., "-v7")'));
  assert((await refusal(header("MATLAB 5.0", [1, 0], "MI"))).includes("big-endian"));
  assert((await refusal(header("MATLAB 5.0", [0, 1], "XX"))).includes("at byte 124"));
  assert((await refusal(header("MATLAB 5.0", [0, 3], "IM"))).includes("at byte 124"));
  assert((await refusal(fixtureFile("tar/ustar"))).includes("no MAT-file"));
});

Deno.test("MAT: variables that contradict themselves", async () => {
  const refusals: [Uint8Array, string][] = [
    [variable({ dims: [1, 3] }), "has 2 bytes of type 2 for sizes [1, 3] of double; expected 3"],
    [variable({ dims: [2 ** 31 - 1, 2 ** 31 - 1] }), "expected a whole number"],
    [variable({ dims: [-1, -2] }), "for sizes [-1, -2]"],
    [variable({ dims: [2] }), "starts with elements"],
    [variable({ values: element(16, [3, 4]) }), "of type 16"],
    [variable({ classNumber: 14, values: element(7, ints(0, 0)) }), "of type 7"],
    [variable({ values: joined(element(2, [3, 4]), element(2, [])) }), "8 bytes after its values"],
    [element(14, []), "element of 8 bytes at byte 0, where 0 follow"],
    [element(14, element(14, [])), "where 0 follow"],
    [element(2, [1, 2]), "an element of type 2 at byte 128"],
    [joined(variable({}), variable({})), 'a second variable "x" at byte'],
    [Uint8Array.of(14, 0, 9, 0, 0, 0, 0, 0), "at byte 128"],
  ];
  for (const [content, reason] of refusals) {
    const message = await refusal(file(content));
    assert(message.includes(reason), message);
  }
});

Deno.test("MAT: compressed variables that are damaged, though not every engine sees it", async () => {
  const plain = new Uint8Array(variable({ name: "x".repeat(1000) }));
  const whole = await compressed(plain);
  assertEquals((await readMat(file(whole)))["x".repeat(1000)].dims, [1, 2]);
  const checksum = whole.slice();
  checksum[checksum.length - 1] ^= 1;
  assert((await refusal(file(checksum))).includes("download it again"));
  for (let cut = 1; cut < whole.length - 8; cut++) {
    const message = await refusal(file(element(15, whole.subarray(8, -cut), false)));
    assert(message.includes("compressed variable at byte 128"), message);
  }
  const longer = file(element(15, joined(whole.subarray(8), new Uint8Array(4)), false));
  assert((await refusal(longer)).includes("compressed variable at byte 128"));
  const two = await compressed(new Uint8Array(joined(plain, plain)));
  assert((await refusal(file(two))).includes("more than the"));
  const other = await compressed(new Uint8Array(element(2, [1, 2])));
  assert((await refusal(file(other))).includes("holds an element of type 2"));
  const huge = new Uint8Array(plain);
  new Uint32Array(huge.buffer)[1] = 0xfffffff0;
  assert((await refusal(file(await compressed(huge)))).includes("promises 4294967288 bytes"));
  assert((await refusal(file(element(15, [], false)))).includes("download it again"));
});

Deno.test("MAT: cut at any byte within a variable", async () => {
  const whole = { plain: fixtureFile("mat/plain"), compressed: fixtureFile("mat/compressed") };
  for (const bytes of Object.values(whole)) {
    let complete = 0;
    for (let length = 0; length < bytes.length; length++) {
      // A file that ends between two variables cannot be told from one with fewer.
      const read = await readMat(bytes.subarray(0, length), "x.mat").catch((error) => error);
      if (read instanceof Error) assertFormatError(read, "x.mat");
      else complete += Object.keys(read).length === complete ? 1 : Infinity;
    }
    assertEquals(complete, Object.keys(saved).length);
  }
});

Deno.test("MAT: a compressed file with anything wrong in it is the same or an error", async () => {
  const bytes = fixtureFile("mat/compressed");
  let same = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length * 8 - 1), async (bit) => {
      const damaged = bytes.slice();
      damaged[bit >> 3] ^= 1 << (bit & 7);
      try {
        assertSame(await readMat(damaged, "x.mat"));
        same++;
      } catch (error) {
        assertFormatError(error, "x.mat");
      }
    }),
    { seed: 20240722, numRuns: 500 },
  );
  assert(same > 20, "the text in the header is of no importance");
});

Deno.test("MAT: a damaged file is arrays that fit their sizes or an error", async () => {
  let read = 0;
  const names = ["mat/plain", "mat/compressed"] as const;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), mutations, async (name, mutate) => {
      try {
        const arrays = await readMat(mutate(fixtureFile(name)), "x.mat");
        for (const { dims, data } of Object.values(arrays)) {
          assertEquals(data.length, dims.reduce((product, size) => product * size, 1));
        }
        read++;
      } catch (error) {
        assertFormatError(error, "x.mat");
      }
    }),
    { seed: 20240722, numRuns: 1000 },
  );
  assert(read > 100, `only ${read} of the damaged files were read`);
});

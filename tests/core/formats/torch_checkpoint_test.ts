import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { FormatError } from "../../../core/errors.ts";
import { fileOfBytes } from "../../../core/formats/random_access.ts";
import { readTorchCheckpoint } from "../../../core/formats/torch_checkpoint.ts";
import { mutations } from "./mutations.ts";
import { bytesOf, madeFiles, recordedFiles, type TorchFiles } from "./torch_files.ts";

const read = (bytes: Uint8Array) => readTorchCheckpoint(fileOfBytes(bytes, "x.pth"));

async function assertTensors({ checkpoints }: TorchFiles, name: string): Promise<void> {
  const { file, tensors: expected } = checkpoints[name];
  const tensors = await read(bytesOf(file));
  assertEquals([...tensors.keys()], Object.keys(expected));
  for (const [key, { dtype, shape, values }] of Object.entries(expected)) {
    const tensor = tensors.get(key)!;
    assertEquals([tensor.dtype, tensor.shape], [dtype, shape], key);
    const numbers = values.map((each) => Number(String(each).replace("inf", "Infinity")));
    assertEquals(await tensor.read(), Float32Array.from(numbers), `${name}: ${key}`);
  }
}

async function assertRefused(bytes: Uint8Array, word: string): Promise<void> {
  const error = await assertRejects(() => read(bytes), FormatError, word);
  assert(/^x\.pth.*; expected .*: ./.test(error.message), error.message);
  assert(!error.message.includes("\n") && error.message.length < 500, error.message);
}

for (const name of Object.keys(recordedFiles.checkpoints)) {
  Deno.test(`what PyTorch wrote and keeps in memory: ${name}`, () =>
    assertTensors(recordedFiles, name));
}

for (const [name, { file, word }] of Object.entries(recordedFiles.refused)) {
  Deno.test(`refused with what it is: ${name}`, () => assertRefused(bytesOf(file), word));
}

Deno.test("files of the PyTorch that is installed", async () => {
  const files = await madeFiles();
  if (!files) return; // the same, recorded, are read above
  assertEquals(Object.keys(files.checkpoints), Object.keys(recordedFiles.checkpoints));
  for (const name of Object.keys(files.checkpoints)) await assertTensors(files, name);
  for (const { file, word } of Object.values(files.refused)) {
    await assertRefused(bytesOf(file), word);
  }
});

Deno.test("other files are told apart", async () => {
  const text = (content: string) => new TextEncoder().encode(content);
  await assertRefused(new Uint8Array(0), "0 bytes long");
  await assertRefused(text("hello"), "neither as a ZIP archive nor as a pickle");
  await assertRefused(text("PK\x03\x04"), "no end of a ZIP directory");
  await assertRefused(text("cposix\nsystem\n(S'true'\ntR."), "posix.system");
});

Deno.test("every truncation is an error", async () => {
  for (const name of ["network, zip", "network, legacy"]) {
    const bytes = bytesOf(recordedFiles.checkpoints[name].file);
    for (let length = 0; length < bytes.length; length += name.endsWith("zip") ? 7 : 1) {
      await assertRefused(bytes.slice(0, length), "");
    }
  }
});

Deno.test("elements are read when a tensor is asked for them, and none but its own", async () => {
  const bytes = bytesOf(recordedFiles.checkpoints["views, legacy"].file);
  const reads: [number, number][] = [];
  const tensors = await readTorchCheckpoint({
    ...fileOfBytes(bytes, "x.pth"),
    read(offset, length) {
      reads.push([offset, length]);
      return Promise.resolve(bytes.slice(offset, offset + length));
    },
  });
  reads.length = 0;
  assertEquals(await tensors.get("column")!.read(), Float32Array.of(2, 8, 14, 20));
  assertEquals(reads.map(([, length]) => length), [(20 - 2 + 1) * 4]);
});

Deno.test("a storage of many tensors is read once from an archive", async () => {
  const bytes = bytesOf(recordedFiles.checkpoints["views, zip"].file);
  let count = 0;
  const tensors = await readTorchCheckpoint({
    ...fileOfBytes(bytes, "x.pth"),
    read(offset, length) {
      count++;
      return Promise.resolve(bytes.slice(offset, offset + length));
    },
  });
  await tensors.get("whole")!.read();
  count = 0;
  await tensors.get("column")!.read();
  await tensors.get("permuted")!.read();
  assertEquals(count, 0);
});

Deno.test("a damaged storage of an archive is an error when it is read", async () => {
  const bytes = bytesOf(recordedFiles.checkpoints["protocol 1, zip"].file);
  const place = bytes.findIndex((_, i) => bytes[i + 2] === 0xc0 && bytes[i + 3] === 0x3f); // 1.5
  assert(place > 0);
  bytes[place + 2] ^= 1;
  const tensors = await read(bytes);
  await assertRejects(() => tensors.get("x")!.read(), FormatError, "CRC-32");
});

/** A legacy file around an object's pickle and one float32 storage "0" of so many elements. */
function legacyFile(object: string, elements: number): Uint8Array {
  const head = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03." +
    "\x80\x02}U\x0dlittle_endian\x88s.";
  const keys = "]U\x010a.", length = new Uint8Array(8);
  new DataView(length.buffer).setBigInt64(0, BigInt(elements), true);
  const start = Uint8Array.from(head + object + keys, (character) => character.charCodeAt(0));
  const bytes = new Uint8Array(start.length + 8 + 4 * elements);
  bytes.set(start);
  bytes.set(length, start.length);
  return bytes;
}

/** Instructions that make a tensor of storage "0". */
function tensorOf(elements: number, shape: number[], strides: number[], storage = ""): string {
  const tuple = (numbers: number[]) => `(${numbers.map((each) => `I${each}\n`).join("")}t`;
  return "ctorch._utils\n_rebuild_tensor_v2\n" +
    `((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuI${elements}\n${storage || "N"}tQ` +
    `I0\n${tuple(shape)}${tuple(strides)}\x89}tR`;
}

Deno.test("many dimensions, and sizes whose product is beyond all numbers", async () => {
  const dimensions = (count: number, size: number, stride: number) =>
    `}U\x01x${tensorOf(4, Array(count).fill(size), Array(count).fill(stride))}s.`;
  const tensors = await read(legacyFile(dimensions(64, 1, 1), 4));
  assertEquals((await tensors.get("x")!.read()).length, 1);
  await assertRefused(legacyFile(dimensions(65, 1, 1), 4), "shape");
  await assertRefused(legacyFile(dimensions(64, 2 ** 31, 0), 4), "shape");
  await assertRefused(legacyFile(dimensions(8, 2, 2 ** 52), 4), "strides");
});

Deno.test("a part of a storage, as the first versions had them", async () => {
  const part = "(U\x01vI1\nI2\nt";
  const object = (size: number) => `}U\x01x${tensorOf(4, [size], [1], part)}s.`;
  const file = legacyFile(object(2), 4);
  new DataView(file.buffer).setFloat32(file.length - 12, 0.5, true);
  assertEquals(await (await read(file)).get("x")!.read(), Float32Array.of(0.5, 0));
  await assertRefused(legacyFile(object(3), 4), "elements of its storage, which has 2");
  const outside = object(2).replace(part, "(U\x01vI3\nI2\nt");
  await assertRefused(legacyFile(outside, 4), 'a part that leaves storage "0"');
});

Deno.test("storages that contradict each other or the list of them", async () => {
  const two = (a: number, b: number) =>
    `}(U\x01a${tensorOf(a, [1], [1])}U\x01b${tensorOf(b, [1], [1])}u.`;
  assertEquals((await read(legacyFile(two(4, 4), 4))).size, 2);
  await assertRefused(legacyFile(two(4, 3), 4), 'a second storage "0"');
  await assertRefused(legacyFile(two(4, 4), 3), "3 elements in storage");
  const unlisted = two(4, 4).replaceAll("U\x010", "U\x011");
  await assertRefused(legacyFile(unlisted, 4), 'lists storage "0"');
  await assertRefused(legacyFile(two(-4, -4), 4), "something else than a storage");
});

Deno.test("dictionaries that hold themselves or grow beyond measure end soon", async () => {
  const tensor = tensorOf(4, [1], [1]);
  await assertRefused(legacyFile(`}q\0U\x01x${tensor}sU\x01yh\0s.`, 4), "dictionaries in each");
  // Thirty dictionaries, each holding the one before it twice.
  const doubling = Array.from({ length: 28 }, () => "0}(U\x01ah\0U\x01bh\0uq\0").join("");
  const once = legacyFile(`}q\0${doubling}U\x01x${tensor}s.`, 4);
  await assertRefused(once, "more than 1000000 values");
  const doubled = legacyFile(`}U\x01x${tensor}sq\0${doubling}.`, 4);
  await assertRefused(doubled, "more than 4194304 characters in all");
  const named = `}(U\x03a.b${tensor}U\x01a}U\x01b${tensor}su.`;
  await assertRefused(legacyFile(named, 4), '2 tensors "a.b"');
});

Deno.test("names that repeat a long key, one in the other, are refused", async () => {
  // Dictionaries in each other, with one key of the memo.
  const nested = (length: number, depth: number) => {
    const size = [length & 255, length >> 8].map((byte) => String.fromCharCode(byte)).join("");
    return legacyFile(
      `X${size}\0\0${"k".repeat(length)}q\0` + "}h\0".repeat(depth) + tensorOf(4, [1], [1]) +
        "s".repeat(depth) + ".",
      4,
    );
  };
  assertEquals([...(await read(nested(204, 5))).keys()], [
    Array(5).fill("k".repeat(204)).join("."),
  ]);
  await assertRefused(nested(205, 5), "a name of 1029 characters");
  await assertRefused(nested(50_000, 30), "expected at most 1024");
});

Deno.test("a pickle longer than what is read at once", async () => {
  const note = "x".repeat(300_000);
  const length = String.fromCharCode(
    ...[0, 8, 16, 24].map((shift) => (note.length >> shift) & 255),
  );
  const object = `}(U\x04noteX${length}${note}U\x01x${tensorOf(4, [4], [1])}u.`;
  const tensors = await read(legacyFile(object, 4));
  assertEquals(await tensors.get("x")!.read(), new Float32Array(4));
});

Deno.test("damaged checkpoints give tensors of their shapes, or an error", async () => {
  let valid = 0;
  const { checkpoints, refused } = recordedFiles;
  const filesOf = (each: Record<string, { file: string }>) =>
    fc.constantFrom(...Object.values(each).map(({ file }) => bytesOf(file)));
  const files = fc.oneof({ weight: 3, arbitrary: filesOf(checkpoints) }, filesOf(refused));
  await fc.assert(
    fc.asyncProperty(files, mutations, async (file, mutate) => {
      const damaged = mutate(file);
      try {
        for (const tensor of (await read(damaged)).values()) {
          const count = tensor.shape.reduce((product, size) => product * size, 1);
          assert(count <= damaged.length);
          assertEquals((await tensor.read()).length, count);
        }
        valid++;
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        assert(error.message.startsWith("x.pth"), error.message);
        assert(!error.message.includes("\n") && error.message.length < 600, error.message);
      }
    }),
    { seed: 20240722, numRuns: 3000 },
  );
  assert(valid > 100, `only ${valid} of the damaged files got as far as tensors`);
});

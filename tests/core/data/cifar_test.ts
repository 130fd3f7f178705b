import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type CifarName, readCifar } from "../../../core/data/cifar.ts";
import { assertFormatError } from "../formats/fixture_files.ts";

const labelCount = { cifar10: 1, cifar100: 2 } as const;

/** The byte of a pixel in the made-up files: no two neighbours have the same. */
const pixel = (record: number, row: number, column: number, channel: number) =>
  (91 * record + 7 * row + 3 * column + 50 * channel) % 256;

/** Records with their labels, as the description of the binary version has them. */
function fileOf(labels: readonly (readonly number[])[]): Uint8Array {
  const bytes: number[] = [];
  labels.forEach((label, record) => {
    bytes.push(...label);
    for (let channel = 0; channel < 3; channel++) {
      for (let row = 0; row < 32; row++) {
        for (let column = 0; column < 32; column++) bytes.push(pixel(record, row, column, channel));
      }
    }
  });
  return Uint8Array.from(bytes);
}

function refusal(bytes: Uint8Array, name: CifarName): string {
  const error = assertThrows(() => readCifar(bytes, { name, source: "x.bin" }));
  assertFormatError(error, "x.bin");
  return (error as Error).message;
}

Deno.test("CIFAR: planes become pixels, labels stay in their order", () => {
  const files = {
    cifar10: fileOf([[9], [0], [3]]),
    cifar100: fileOf([[19, 99], [0, 1], [4, 2]]),
  };
  for (const name of ["cifar10", "cifar100"] as const) {
    const records = readCifar(files[name], { name });
    assertEquals([records.count, records.shape], [3, [32, 32, 3]]);
    assertEquals(records.labelsPerImage, labelCount[name]);
    assertEquals(records.pixels.length, 3 * 32 * 32 * 3);
    records.pixels.forEach((value, i) => {
      const [channel, column, row] = [i % 3, Math.floor(i / 3) % 32, Math.floor(i / 96) % 32];
      if (value !== pixel(Math.floor(i / 3072), row, column, channel)) throw new Error(`at ${i}`);
    });
  }
  assertEquals([...readCifar(files.cifar10, { name: "cifar10" }).labels], [9, 0, 3]);
  assertEquals([...readCifar(files.cifar100, { name: "cifar100" }).labels], [19, 99, 0, 1, 4, 2]);
});

Deno.test("CIFAR: a part of a larger array", () => {
  const file = fileOf([[7]]);
  const larger = new Uint8Array(file.length + 9);
  larger.set(file, 5);
  const part = larger.subarray(5, 5 + file.length);
  assertEquals(readCifar(part, { name: "cifar10" }), readCifar(file, { name: "cifar10" }));
});

Deno.test("CIFAR: labels out of range name the record and the place", () => {
  assertEquals(
    refusal(fileOf([[9], [0], [10]]), "cifar10"),
    "x.bin has the label 10 in record 2, at byte 6146; expected 0 to 9: it is damaged or no file " +
      "of cifar10's binary version, download it again",
  );
  const coarse = refusal(fileOf([[0, 0], [20, 0]]), "cifar100");
  assert(
    coarse.includes("the coarse label 20 in record 1, at byte 3074; expected 0 to 19"),
    coarse,
  );
  const fine = refusal(fileOf([[0, 0], [0, 100]]), "cifar100");
  assert(fine.includes("the fine label 100 in record 1, at byte 3075; expected 0 to 99"), fine);
});

Deno.test("CIFAR: cut at any byte, and the other set's file", () => {
  const bytes = fileOf([[1], [2]]);
  for (let length = 0; length < bytes.length; length++) {
    if (length === 3073) continue; // a whole record
    const message = refusal(bytes.subarray(0, length), "cifar10");
    assert(message.includes(`is ${length} bytes long`), message);
    assert(message.includes(`at byte ${length < 3073 ? 0 : 3073} has`), message);
  }
  refusal(fileOf([[1, 2]]), "cifar10");
  refusal(fileOf([[1]]), "cifar100");
});

Deno.test("CIFAR: a flipped bit changes one label or one pixel, or is an error", () => {
  const bytes = fileOf([[5, 50], [6, 60]]);
  const whole = readCifar(bytes, { name: "cifar100" });
  fc.assert(
    fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
      const damaged = bytes.slice();
      damaged[bit >> 3] ^= 1 << (bit & 7);
      try {
        const read = readCifar(damaged, { name: "cifar100", source: "x.bin" });
        const differences = read.pixels.filter((value, i) => value !== whole.pixels[i]).length +
          read.labels.filter((value, i) => value !== whole.labels[i]).length;
        assertEquals(differences, 1);
      } catch (error) {
        assertFormatError(error, "x.bin");
      }
    }),
    { seed: 20240722, numRuns: 300 },
  );
});

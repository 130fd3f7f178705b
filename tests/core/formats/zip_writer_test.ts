import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { VapoError } from "../../../core/errors.ts";
import { fileOfBytes } from "../../../core/formats/random_access.ts";
import { openZip } from "../../../core/formats/zip.ts";
import { encodeZip } from "../../../core/formats/zip_writer.ts";
import { writeZip } from "./zip_writer.ts";

Deno.test("what is written is read back", async () => {
  const paths = fc.uniqueArray(fc.stringMatching(/^[a-zä0-9_ ]{1,12}(\/[a-z.]{1,8}x)?$/), {
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(paths, fc.array(fc.uint8Array({ maxLength: 64 })), async (paths, contents) => {
      const files = paths.map((path, i) => ({ path, content: contents[i] ?? new Uint8Array(0) }));
      const archive = await openZip(fileOfBytes(encodeZip(files), "x.zip"));
      const read = await Promise.all(
        archive.entries.map(async (entry) => ({
          path: entry.path,
          content: await archive.read(entry),
        })),
      );
      assertEquals(read, files);
    }),
    { seed: 20240722, numRuns: 200 },
  );
});

Deno.test("the bytes are those of the format's definition", () => {
  const files = [
    { name: "a/b.bin", content: Uint8Array.of(1, 2, 3) },
    { name: "empty", content: new Uint8Array(0) },
  ];
  // The writer of tests, which sets no flag; ours marks names as UTF-8.
  const expected = writeZip(files.map((file) => ({ ...file, flags: 1 << 11 })));
  assertEquals(encodeZip(files.map(({ name, content }) => ({ path: name, content }))), expected);
});

Deno.test("what an archive cannot hold is an error", () => {
  const content = new Uint8Array(0);
  assertThrows(() => encodeZip([{ path: "../x", content }]), VapoError, "climbs out");
  const twice = [{ path: "x", content }, { path: "x", content }];
  assertThrows(() => encodeZip(twice), VapoError, "comes twice");
  const many = Array.from({ length: 65_536 }, (_, i) => ({ path: `${i}`, content }));
  assertThrows(() => encodeZip(many), VapoError, "65536 files");
  const large = { length: 2 ** 32 } as Uint8Array;
  assertThrows(() => encodeZip([{ path: "x", content: large }]), VapoError, "too large");
  const long = "x".repeat(65_536);
  assertThrows(() => encodeZip([{ path: long, content }]), VapoError, "65536 bytes");
});

import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { fileOfBytes } from "../../../core/formats/random_access.ts";
import { openZip } from "../../../core/formats/zip.ts";
import { archived, archivedWithUnicode, assertFormatError, fixtureFile } from "./fixture_files.ts";
import { mutations } from "./mutations.ts";
import { writeZip, type WrittenEntry } from "./zip_writer.ts";

type Files = Record<string, Uint8Array>;

async function filesIn(bytes: Uint8Array, maxEntryBytes?: number): Promise<Files> {
  const { entries, read } = await openZip(fileOfBytes(bytes, "x.zip"), { maxEntryBytes });
  const files: Files = {};
  for (const entry of entries) files[entry.path] = await read(entry);
  return files;
}

async function refusal(bytes: Uint8Array, maxEntryBytes?: number): Promise<string> {
  const error = await assertRejects(() => filesIn(bytes, maxEntryBytes));
  assertFormatError(error, "x.zip");
  return (error as Error).message;
}

const refusalOf = (...entries: WrittenEntry[]) => refusal(writeZip(entries));
const letters = (text: string) => new TextEncoder().encode(text);

async function deflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

Deno.test("ZIP: archives of Python's zipfile, stored, deflated, with ZIP64 fields", async () => {
  assertEquals(await filesIn(fixtureFile("zip/stored")), archived);
  assertEquals(await filesIn(fixtureFile("zip/deflated")), archivedWithUnicode);
  assertEquals(await filesIn(fixtureFile("zip/zip64")), archived);
});

Deno.test("ZIP: entries are in the directory's order, with their sizes and places", async () => {
  const { entries } = await openZip(fileOfBytes(fixtureFile("zip/stored"), "x.zip"));
  assertEquals(entries.map(({ path }) => path), Object.keys(archived));
  assertEquals(entries.map(({ size }) => size), Object.values(archived).map((c) => c.length));
  const [first] = entries;
  assertEquals(first, {
    path: "a/hello.txt",
    size: 5,
    compressedSize: 5,
    crc32: 0x3610a686,
    method: 0,
    offset: 32, // after the directory "a/"
    encrypted: false,
  });
});

Deno.test("ZIP: several entries may be read at a time, in any order", async () => {
  const { entries, read } = await openZip(fileOfBytes(fixtureFile("zip/deflated"), "x.zip"));
  const backwards = entries.toReversed();
  const contents = await Promise.all(backwards.map(read));
  assertEquals(contents, Object.values(archivedWithUnicode).reverse());
});

Deno.test("ZIP: opening reads the directory and nothing of the entries", async () => {
  const content = new Uint8Array(300_000);
  const bytes = writeZip([{ name: "large", content }]);
  const file = fileOfBytes(bytes, "x.zip");
  const reads: [number, number][] = [];
  const { entries, read } = await openZip({
    ...file,
    read(offset, length) {
      reads.push([offset, length]);
      return file.read(offset, length);
    },
  });
  assert(reads.every(([offset]) => offset > content.length - 0x10100), JSON.stringify(reads));
  reads.length = 0;
  await read(entries[0]);
  assertEquals(reads.length, 1);
});

Deno.test("ZIP: more than 65,535 entries without ZIP64, as some programs write them", async () => {
  const entries = Array.from({ length: 65_540 }, (_, i) => ({ name: String(i) }));
  const archive = await openZip(fileOfBytes(writeZip(entries), "x.zip"));
  assertEquals(archive.entries.length, 65_540);
  assertEquals(archive.entries.at(-1)!.path, "65539");
});

Deno.test("ZIP: names in UTF-8, marked or not, and in code page 437", async () => {
  const names: [WrittenEntry, string][] = [
    [{ name: "käse", flags: 1 << 11 }, "käse"],
    [{ name: "käse" }, "käse"],
    [{ name: Uint8Array.of(0x6b, 0x84, 0x73, 0x65) }, "käse"],
    [{ name: "./a//b/./c..d" }, "a/b/c..d"],
  ];
  for (const [entry, path] of names) {
    assertEquals(Object.keys(await filesIn(writeZip([entry]))), [path]);
  }
  const broken = await refusalOf({ name: Uint8Array.of(0x6b, 0x84), flags: 1 << 11 });
  assert(broken.includes("is not UTF-8"), broken);
});

Deno.test("ZIP: a local header may be longer than its record", async () => {
  const content = letters("content");
  for (const length of [10, 600, 65_000]) {
    const bytes = writeZip([{ name: "a", content, localExtra: new Uint8Array(length) }]);
    assertEquals(await filesIn(bytes), { a: content });
  }
  const name = "a/".repeat(400) + "b";
  assertEquals(await filesIn(writeZip([{ name, content }])), { [name]: content });
});

Deno.test("ZIP: cut at any byte", async () => {
  for (const name of ["zip/stored", "zip/deflated", "zip/zip64"] as const) {
    const bytes = fixtureFile(name);
    for (let length = 0; length < bytes.length; length++) {
      const message = await refusal(bytes.subarray(0, length));
      assert(message.includes("no ZIP archive or cut short"), message);
    }
  }
});

Deno.test("ZIP: other files, and archives with something around them", async () => {
  assert((await refusal(fixtureFile("tar/ustar"))).includes("no ZIP archive"));
  const archive = fixtureFile("zip/stored");
  const before = new Uint8Array(archive.length + 10);
  before.set(archive, 10);
  assert((await refusal(before)).includes("something is before the archive"));
  const after = new Uint8Array(archive.length + 10);
  after.set(archive);
  assert((await refusal(after)).includes("no ZIP archive or cut short"));
  const part = archive.slice();
  part[part.length - 22 + 4] = 1;
  assert((await refusal(part)).includes("several disks"));
});

Deno.test("ZIP: a wrong count, a directory that is no directory", async () => {
  const bytes = writeZip([{ name: "a" }, { name: "b" }]);
  const wrong = bytes.slice();
  wrong[bytes.length - 22 + 10] = 3;
  assert((await refusal(wrong)).includes("has 2 entries in its directory at byte 62; expected 3"));
  const damaged = bytes.slice();
  damaged[62 + 47] = 0; // the second record's signature
  assert((await refusal(damaged)).includes("no record of an entry at byte 109"));
  const long = bytes.slice();
  long[62 + 47 + 28] = 99; // a name that goes beyond the end
  assert((await refusal(long)).includes("no record of an entry at byte 109"));
});

Deno.test("ZIP: paths that climb out or would elsewhere", async () => {
  const reasons: Record<string, string> = {
    "../evil": "climbs out",
    "a/../../evil": "climbs out",
    "/etc/passwd": "is absolute",
    "a\\b": "has a backslash",
    "C:/evil": "has a drive letter",
    "a\0b": "has a control character",
    "a\nb": "has a control character",
    "": "is empty",
  };
  for (const [name, reason] of Object.entries(reasons)) {
    const message = await refusalOf({ name: "fine" }, { name, content: letters("x") });
    assert(message.includes(reason) && /at byte \d+ has an entry/.test(message), message);
  }
  const folder = await refusalOf({ name: "folder/", content: letters("a file after all") });
  assert(folder.includes("is that of a directory"), folder);
  const twice = await refusalOf({ name: "a" }, { name: "./a" });
  assert(twice.includes('a second entry "a" at byte 31'), twice);
});

Deno.test("ZIP: small files that claim much", async () => {
  const zeros = new Uint8Array(200_000);
  const small = await deflated(zeros);
  const entry = { name: "a", content: small, method: 8, crc32: 0 };
  // More comes out than is said, less does, more than could, more than is allowed.
  assert((await refusalOf({ ...entry, size: 1000 })).includes("more than the 1000 bytes"));
  assert((await refusalOf({ ...entry, size: 200_001 })).includes("decompresses to 200000 bytes"));
  const claimed = await refusalOf({ ...entry, size: 1e9 });
  assert(claimed.includes("promises 1000000000 bytes"), claimed);
  const bytes = writeZip([{ ...entry, size: 200_000 }]);
  const limited = await refusal(bytes, 199_999);
  assert(limited.includes("200000 bytes long; expected at most 199999"), limited);
  assert((await refusal(bytes, 200_000)).includes("CRC-32"));
  // Many entries that are all the same bytes (Fifield, "A better zip bomb", 2019).
  const shared = Array.from({ length: 40 }, (_, i) => ({ name: `${i}`, offset: 0, size: 9 }));
  const content = new Uint8Array(3000);
  const bomb = writeZip([{ name: "x", content }, ...shared]);
  const records = new DataView(bomb.buffer);
  for (let at = 3030; at < bomb.length - 68; at++) {
    if (records.getUint32(at) === 0x504b0102) records.setUint32(at + 20, 2900, true);
  }
  assert((await refusal(bomb)).includes("one after the other"));
  const beyond = await refusalOf({ name: "a", offset: 1000 });
  assert(beyond.includes("at byte 1000; expected all entries"), beyond);
});

Deno.test("ZIP: what is not read is refused with what to do", async () => {
  assert((await refusal(fixtureFile("zip/bzip2"))).includes("compressed by method 12"));
  const content = letters("secret");
  assert((await refusalOf({ name: "a", content, flags: 1 })).includes("is encrypted"));
  assert((await refusalOf({ name: "a", content, size: 7 })).includes("expected 7"));
  assert((await refusalOf({ name: "a", content, crc32: 7 })).includes("expected 7"));
  assert((await refusalOf({ name: "a", content, localName: "b" })).includes("another header"));
  const damaged = writeZip([{ name: "a", content }]);
  damaged[3] = 5; // the local header's signature
  assert((await refusal(damaged)).includes("another header"));
});

Deno.test("ZIP: a file that shrinks while it is read", async () => {
  const file = fileOfBytes(fixtureFile("zip/stored"), "x.zip");
  const { entries, read } = await openZip({
    ...file,
    read: async (offset, length) =>
      (await file.read(offset, length)).subarray(0, offset === 32 ? 20 : length),
  });
  const error = await assertRejects(() => read(entries[0]));
  assertFormatError(error, "x.zip");
  assert((error as Error).message.includes("ends at byte 52"), (error as Error).message);
});

Deno.test("ZIP: an archive with anything wrong in it is the same or an error", async () => {
  const contents = {
    "zip/stored": archived,
    "zip/deflated": archivedWithUnicode,
    "zip/zip64": archived,
  } as const;
  const names = Object.keys(contents) as (keyof typeof contents)[];
  let same = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), mutations, async (name, mutate) => {
      try {
        assertEquals(await filesIn(mutate(fixtureFile(name))), contents[name]);
        same++;
      } catch (error) {
        assertFormatError(error, "x.zip");
      }
    }),
    { seed: 20240722, numRuns: 1000 },
  );
  assert(same > 5, `only ${same} of the damaged archives were read`);
});

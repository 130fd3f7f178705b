import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { FormatError, VapoError } from "../../../core/errors.ts";
import { readTar } from "../../../core/formats/tar.ts";
import { archived, archivedWithUnicode, assertFormatError, fixtureFile } from "./fixture_files.ts";
import { mutations } from "./mutations.ts";

type Files = Record<string, Uint8Array>;

/** A stream of the bytes in pieces of one length. */
function streamOf(bytes: Uint8Array, pieceLength = 65_536): ReadableStream<Uint8Array> {
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      if (offset >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(offset, offset += pieceLength));
    },
  });
}

async function filesIn(bytes: Uint8Array, pieceLength?: number): Promise<Files> {
  const files: Files = {};
  for await (const entry of readTar(streamOf(bytes, pieceLength), "x.tar")) {
    files[entry.path] = await entry.bytes();
    assertEquals(files[entry.path].length, entry.size);
  }
  return files;
}

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await assertRejects(() => filesIn(bytes));
  assertFormatError(error, "x.tar");
  return (error as Error).message;
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A header block as in POSIX's ustar. */
function header(path: string | Uint8Array, size: number, type = "0"): Uint8Array {
  const block = new Uint8Array(512);
  const put = (text: string, at: number) => block.set(new TextEncoder().encode(text), at);
  if (typeof path === "string") put(path, 0);
  else block.set(path);
  put(size.toString(8).padStart(11, "0"), 124);
  put(`        ${type}`, 148);
  put("ustar\x0000", 257);
  return withChecksum(block);
}

function withChecksum(block: Uint8Array): Uint8Array {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(new TextEncoder().encode(sum.toString(8).padStart(6, "0") + "\0 "), 148);
  return block;
}

const filled = (content: Uint8Array | string) => {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const blocks = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
  blocks.set(bytes);
  return blocks;
};

const joined = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
const end = new Uint8Array(1024);
const entry = (path: string, content: string) => [header(path, content.length), filled(content)];
const extended = (type: string, content: string, ...rest: Uint8Array[]) =>
  joined(header("extension", content.length, type), filled(content), ...rest, end);

Deno.test("tar: archives of Python's tarfile in three formats, plain and gzipped", async () => {
  assertEquals(await filesIn(fixtureFile("tar/ustar")), archived);
  for (const name of ["tar/gnu", "tar/pax", "tar.gz/pax"] as const) {
    assertEquals(await filesIn(fixtureFile(name)), archivedWithUnicode, name);
  }
});

Deno.test("tar: pieces of any length give the same files", async () => {
  for (const pieceLength of [1, 7, 511, 513]) {
    assertEquals(await filesIn(fixtureFile("tar/gnu"), pieceLength), archivedWithUnicode);
    assertEquals(await filesIn(fixtureFile("tar.gz/pax"), pieceLength), archivedWithUnicode);
  }
});

Deno.test("tar: what the system's tar writes is read", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/b.txt`, "from the system");
    const command = new Deno.Command("tar", { args: ["-czf", "-", "-C", directory, "."] });
    const { stdout, success } = await command.output();
    assert(success);
    assertEquals(await filesIn(stdout), { "b.txt": new TextEncoder().encode("from the system") });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("tar: entries may be passed over, and know where they are", async () => {
  const places: [string, number, number][] = [];
  const bytes = joined(...entry("one", "1".repeat(600)), ...entry("two", "2"), end);
  for await (const { path, size, offset } of readTar(streamOf(bytes))) {
    places.push([path, size, offset]);
  }
  assertEquals(places, [["one", 600, 0], ["two", 1, 1536]]);
});

Deno.test("tar: an entry is read once, before the next one", async () => {
  const [first, second] = await Array.fromAsync(readTar(streamOf(fixtureFile("tar/ustar"))));
  for (const { bytes } of [first, second]) await assertRejects(bytes, VapoError, "passed already");
  for await (const { path, bytes } of readTar(streamOf(fixtureFile("tar/ustar")))) {
    assertEquals(await bytes(), archived[path]);
    await assertRejects(bytes, VapoError, "read already");
  }
});

Deno.test("tar: a content that is not awaited does not disturb the next entry", async () => {
  const contents: Promise<Uint8Array>[] = [];
  for await (const { bytes } of readTar(streamOf(fixtureFile("tar/ustar"), 100))) {
    contents.push(bytes());
  }
  assertEquals(await Promise.all(contents), Object.values(archived));
});

Deno.test("tar: leaving the loop lets go of the stream", async () => {
  for (const name of ["tar/ustar", "tar.gz/pax"] as const) {
    let cancelled = false;
    const bytes = fixtureFile(name);
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(bytes),
      cancel() {
        cancelled = true;
      },
    });
    for await (const { path } of readTar(stream)) {
      assertEquals(path, "a/hello.txt");
      break;
    }
    assert(cancelled, name);
  }
});

Deno.test("tar: what the stream fails with comes through", async () => {
  const stream = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Deno.errors.PermissionDenied("the disk is gone"));
      },
    });
  await assertRejects(() => Array.fromAsync(readTar(stream())), Deno.errors.PermissionDenied);
});

Deno.test("tar: cut at any byte", async () => {
  for (const [name, step] of [["tar/ustar", 1], ["tar/pax", 17], ["tar.gz/pax", 1]] as const) {
    const bytes = fixtureFile(name);
    for (let length = 0; length < bytes.length; length += step) {
      const message = await refusal(bytes.subarray(0, length));
      assert(/cut short|no tar archive/.test(message), message);
    }
  }
});

Deno.test("tar: other files", async () => {
  const text = new TextEncoder().encode("This is a letter and no archive. ".repeat(40));
  assertEquals(
    await refusal(text),
    "x.tar has the checksum that is no number at byte 148; expected 44896: it is no tar archive",
  );
  assert((await refusal(new Uint8Array(0))).includes("no tar archive"));
  assert((await refusal(text.subarray(0, 100))).includes("no tar archive"));
  assert((await refusal(fixtureFile("zip/stored"))).includes("no tar archive"));
  assert((await refusal(await gzip(text))).includes("no tar archive"));
});

Deno.test("tar: a wrong checksum in the middle names its place", async () => {
  const bytes = joined(...entry("one", "1"), ...entry("two", "2"), end);
  bytes[1024 + 3]++;
  const message = await refusal(bytes);
  assert(message.includes("at byte 1172; expected"), message);
  assert(message.includes("damaged, download it again"), message);
});

Deno.test("tar: paths that climb out or would elsewhere", async () => {
  const reasons: Record<string, string> = {
    "../evil": "climbs out",
    "a/../../evil": "climbs out",
    "a/..": "climbs out",
    "/etc/passwd": "is absolute",
    "a\\b": "has a backslash",
    "C:/evil": "has a drive letter",
    "c:evil": "has a drive letter",
    "a\nb": "has a control character",
    ".": "is empty",
    "": "is empty",
  };
  for (const [path, reason] of Object.entries(reasons)) {
    const message = await refusal(joined(...entry("fine", ""), ...entry(path, "x"), end));
    assert(message.includes(reason) && message.includes("at byte 512 "), message);
    if (path === "") continue;
    const record = `path=${path}\n`;
    const pax = `${record.length + 3} ${record}`;
    assert((await refusal(extended("x", pax, ...entry("fine", "x")))).includes(reason));
    assert((await refusal(extended("L", path, ...entry("fine", "x")))).includes(reason));
  }
  const nul = extended("x", "16 path=a\0b.jpg\n", ...entry("fine", "x"));
  assert((await refusal(nul)).includes("has a control character"));
  assertEquals(
    await filesIn(joined(...entry("./a//b/./c..d", "x"), end)),
    { "a/b/c..d": Uint8Array.of(0x78) },
  );
});

Deno.test("tar: links and devices are refused with what to do", async () => {
  assert((await refusal(fixtureFile("tar/hardlink"))).includes("--hard-dereference"));
  assert((await refusal(fixtureFile("tar/symlink"))).includes("--dereference"));
  assert((await refusal(fixtureFile("tar/fifo"))).includes("named pipe"));
  assert((await refusal(joined(header("x", 0, "S"), end))).includes("sparse"));
  assert((await refusal(joined(header("x", 0, "Z"), end))).includes('type "Z"'));
});

Deno.test("tar: sizes", async () => {
  const limited = (bytes: Uint8Array, maxEntryBytes: number) =>
    Array.fromAsync(readTar(streamOf(bytes), "x.tar", { maxEntryBytes }), ({ bytes }) => bytes());
  const bytes = joined(...entry("one", "12345"), end);
  assertEquals((await limited(bytes, 5))[0].length, 5);
  await assertRejects(() => limited(bytes, 4), FormatError, "5 bytes long; expected at most 4");
  // GNU's binary number, of 2⁴⁰ bytes; and one that no file has.
  const block = header("big", 0);
  block.set([0x80, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0], 124);
  const message = await refusal(joined(withChecksum(block), filled("x"), end));
  assert(message.includes("is 1099511627776 bytes long; expected at most 1073741824"), message);
  block.fill(0xff, 125, 136);
  assert((await refusal(joined(withChecksum(block), end))).includes("has the size"));
  block.set(new TextEncoder().encode("00000000009\0"), 124);
  assert((await refusal(joined(withChecksum(block), end))).includes("has the size"));
});

Deno.test("tar: a pax header's size counts, and broken records are refused", async () => {
  const sized = extended("x", "10 size=3\n", header("three", 0), filled("abc"));
  assertEquals(await filesIn(sized), { three: new TextEncoder().encode("abc") });
  for (
    const records of [
      "path=a\n",
      "99 path=a\n",
      "8 path=a\n",
      "10 path=a.",
      "08 path=\n",
      "10 size=x\n",
      "13 path=a.jpg",
      "8 =path\n",
      "25 GNU.sparse.major=1\nxxxx",
      "22 GNU.sparse.major=1\n",
      "5 abc\n",
    ]
  ) {
    const message = await refusal(extended("x", records, ...entry("name", "x")));
    assert(message.includes("extension at byte 0"), message);
  }
  const large = joined(header("extension", 2 ** 21, "x"), new Uint8Array(2 ** 21), end);
  assert((await refusal(large)).includes("expected at most 1048576"));
});

Deno.test("tar: after the end there are zeros only", async () => {
  const archive = joined(...entry("one", "1"), end);
  const longer = joined(archive, new Uint8Array(100_000));
  assertEquals(Object.keys(await filesIn(longer)), ["one"]);
  const two = joined(archive, archive);
  assert((await refusal(two)).includes("goes on at byte 2048"));
  longer[90_000] = 1;
  assert((await refusal(longer)).includes("goes on at byte 90000"));
  assert((await refusal(joined(...entry("one", "1"), new Uint8Array(512)))).includes("cut short"));
});

Deno.test("tar: a gzipped archive with anything wrong in it is the same or an error", async () => {
  const bytes = fixtureFile("tar.gz/pax");
  await fc.assert(
    fc.asyncProperty(mutations, async (mutate) => {
      try {
        assertEquals(await filesIn(mutate(bytes)), archivedWithUnicode);
      } catch (error) {
        assertFormatError(error, "x.tar");
      }
    }),
    { seed: 20240722, numRuns: 500 },
  );
});

Deno.test("tar: a damaged archive is files within it or an error", async () => {
  const names = ["tar/ustar", "tar/gnu", "tar/pax"] as const;
  let read = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), mutations, async (name, mutate) => {
      const bytes = mutate(fixtureFile(name));
      try {
        const files = await filesIn(bytes);
        const total = Object.values(files).reduce((sum, { length }) => sum + length, 0);
        assert(total < bytes.length);
        read++;
      } catch (error) {
        assertFormatError(error, "x.tar");
      }
    }),
    { seed: 20240722, numRuns: 500 },
  );
  assert(read > 20, `only ${read} of the damaged archives were read`);
});

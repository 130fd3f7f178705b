import { assert, assertEquals, assertRejects } from "@std/assert";
import { squareDecoder } from "../../../cli/data/decode.ts";
import type { PrepareRequest } from "../../../cli/data/prepare.ts";
import { lockRun } from "../../../cli/run_lock.ts";
import { directoryStorage } from "../../../cli/run_storage.ts";
import { preparedIndexSchema } from "../../../core/data/prepared_index.ts";
import { FormatError, VapoError } from "../../../core/errors.ts";
import { crc32 } from "../../../core/formats/crc32.ts";
import type { RunStorage } from "../../../core/train/run_storage.ts";
import { filesBelow, inTemporaryDirectory } from "../program.ts";
import {
  concatenated,
  picture,
  prepared,
  quietWork,
  smoothPixels,
  splitBytes,
  writeFiles,
  writePictures,
} from "./source_files.ts";

/** Five images of 16×16 in a shard. */
const shardBytes = 5 * 16 * 16 * 3 + 100;

function folderRequest(cwd: string, out = "out"): Omit<PrepareRequest, "location"> {
  const [source, directory] = [`${cwd}/pictures`, `${cwd}/${out}`];
  return { name: "folder", source, directory, size: 16, shardBytes };
}

/** When each file was last written. */
async function times(directory: string): Promise<Record<string, number | undefined>> {
  const entries = await Array.fromAsync(Deno.readDir(directory));
  return Object.fromEntries(
    await Promise.all(entries.map(async ({ name }) => {
      const { mtime } = await Deno.stat(`${directory}/${name}`);
      return [name, mtime?.getTime()];
    })),
  );
}

Deno.test("a folder becomes shards in the order of the paths, with an index that holds", () =>
  inTemporaryDirectory(async (cwd) => {
    await writePictures(`${cwd}/pictures`, 12);
    const { kind, index } = await prepared(folderRequest(cwd));
    assertEquals(kind, "prepared");
    const text = await Deno.readTextFile(`${cwd}/out/index.json`);
    assertEquals(preparedIndexSchema.parse(JSON.parse(text)), index);
    assertEquals([index.name, index.shape, index.labelsPerImage], ["folder", [16, 16, 3], 0]);
    assertEquals(index.splits.train.shards.map(({ count }) => count), [5, 5, 2]);
    for (const { file, crc32: sum } of index.splits.train.shards) {
      assertEquals(crc32(await Deno.readFile(`${cwd}/out/${file}`)), sum);
    }
    const paths = [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11].map((i) =>
      `kind-${i % 2}/${String(i).padStart(3, "0")}.${["png", "jpeg", "webp"][i % 3]}`
    );
    const decoder = await squareDecoder();
    const squares = await Promise.all(paths.map(async (path) => {
      const bytes = await Deno.readFile(`${cwd}/pictures/${path}`);
      return await decoder.square(bytes, path, { size: 16 });
    }));
    const { pixels } = await splitBytes(`${cwd}/out`, index, "train");
    assertEquals(pixels, concatenated(...squares));
  }));

Deno.test("made again elsewhere, every byte is the same", () =>
  inTemporaryDirectory(async (cwd) => {
    await writePictures(`${cwd}/pictures`, 7);
    await prepared(folderRequest(cwd, "first"));
    await prepared(folderRequest(cwd, "second"));
    assertEquals(await filesBelow(`${cwd}/second`), await filesBelow(`${cwd}/first`));
  }));

Deno.test("a finished set is left as it is, its files gone or not", () =>
  inTemporaryDirectory(async (cwd) => {
    await writePictures(`${cwd}/pictures`, 7);
    await prepared(folderRequest(cwd));
    const before = await times(`${cwd}/out`), bytes = await filesBelow(`${cwd}/out`);
    for (const verify of [false, true]) {
      const { kind, index } = await prepared({ ...folderRequest(cwd), verify });
      assertEquals([kind, index.splits.train.count], ["complete", 7]);
    }
    await Deno.remove(`${cwd}/pictures`, { recursive: true });
    assertEquals((await prepared(folderRequest(cwd))).kind, "complete");
    assertEquals(await times(`${cwd}/out`), before);
    assertEquals(await filesBelow(`${cwd}/out`), bytes);
  }));

/** A storage that fails at the nth change, as a full disk does: after a part of an append. */
function failingStorage(storage: RunStorage, failAt: number): RunStorage {
  let changes = 0;
  const fails = () => ++changes === failAt;
  const full = () => new VapoError("cannot write out/x: the disk is full: make room and try again");
  return {
    ...storage,
    async write(path, bytes) {
      if (fails()) throw full();
      await storage.write(path, bytes);
    },
    async append(path, bytes) {
      if (!fails()) return await storage.append(path, bytes);
      await storage.append(path, bytes.subarray(0, bytes.length >> 1));
      throw full();
    },
    async remove(path) {
      if (fails()) throw full();
      await storage.remove(path);
    },
  };
}

Deno.test("stopped at any write, by a full disk or a kill, it goes on to the same bytes", () =>
  inTemporaryDirectory(async (cwd) => {
    await writePictures(`${cwd}/pictures`, 12);
    await writeFiles(`${cwd}/pictures`, { "kind-0/bad.png": "no image" });
    const request = { ...folderRequest(cwd), skipBad: true };
    await prepared({ ...request, directory: `${cwd}/whole` });
    const expected = await filesBelow(`${cwd}/whole`);
    for (let failAt = 1;; failAt++) {
      const directory = `${cwd}/out-${failAt}`;
      const storage = failingStorage(directoryStorage(directory, "out"), failAt);
      try {
        await prepared({ ...request, directory, storage });
        assert(failAt > 8, `${failAt} writes`); // journal, three shards with lines, the end, the index
        break;
      } catch (error) {
        assert(
          error instanceof VapoError && error.message.includes("the disk is full"),
          `${error}`,
        );
      }
      assert(!(await filesBelow(directory)).has("index.json"), "not all is there yet");
      const { kind, index, skipped } = await prepared({ ...request, directory });
      assertEquals([kind, index.splits.train.skipped], ["prepared", 1]);
      assertEquals(skipped, [`${cwd}/pictures/kind-0/bad.png`]);
      assertEquals(await filesBelow(directory), expected);
    }
  }));

Deno.test("shards that are whole are kept when it goes on; what a kill leaves half is not", () =>
  inTemporaryDirectory(async (cwd) => {
    await writePictures(`${cwd}/pictures`, 12);
    await prepared(folderRequest(cwd, "whole"));
    const request = folderRequest(cwd), { directory } = request;
    const storage = failingStorage(directoryStorage(directory, "out"), 4); // the second shard
    await assertRejects(() => prepared({ ...request, storage }), VapoError, "disk is full");
    // A file under the next shard's name that the journal knows nothing of, and a temporary one.
    await writeFiles(directory, {
      "train-00001.images": "half",
      ".tmp-0123abcd-train-00001.images": "",
    });
    const before = await times(directory);
    await prepared(request);
    const after = await times(directory);
    assertEquals(after["train-00000.images"], before["train-00000.images"]);
    assertEquals(await filesBelow(directory), await filesBelow(`${cwd}/whole`));
  }));

Deno.test("asked to stop, it ends with the shard at hand and says what there is", () =>
  inTemporaryDirectory(async (cwd) => {
    await writePictures(`${cwd}/pictures`, 12);
    const request = folderRequest(cwd), controller = new AbortController();
    const { kind, index } = await prepared(request, {
      ...quietWork(),
      signal: controller.signal,
      progress: (_what, done) => done === 2 && controller.abort(),
    });
    assertEquals([kind, index.splits.train.count], ["stopped", 5]);
    assertEquals((await prepared(request)).kind, "prepared");
    await prepared(folderRequest(cwd, "whole"));
    assertEquals(await filesBelow(`${cwd}/out`), await filesBelow(`${cwd}/whole`));
  }));

Deno.test("a shard that is lost or damaged is made again, the others are kept", () =>
  inTemporaryDirectory(async (cwd) => {
    await writePictures(`${cwd}/pictures`, 12);
    const request = folderRequest(cwd), shard = `${cwd}/out/train-00001.images`;
    await prepared(request);
    const expected = await filesBelow(`${cwd}/out`);
    const bytes = expected.get("train-00001.images")!, flipped = bytes.slice();
    flipped[100] ^= 1;
    const damages: [damage: () => Promise<void>, message: RegExp, verify?: boolean][] = [
      [() => Deno.remove(shard), /train-00001\.images is missing: made again/],
      [() => Deno.truncate(shard, 7), /train-00001\.images is 7 bytes long; expected 3840/],
      [() => Deno.writeFile(shard, flipped), /is damaged: checksum \w{8}, expected \w{8}/, true],
    ];
    for (const [damage, message, verify = false] of damages) {
      await damage();
      const first = (await times(`${cwd}/out`))["train-00000.images"];
      const notices: string[] = [];
      const { kind } = await prepared({ ...request, verify }, quietWork(notices));
      assertEquals(kind, "prepared");
      assert(notices.some((notice) => message.test(notice)), notices.join());
      assertEquals(await filesBelow(`${cwd}/out`), expected);
      assertEquals((await times(`${cwd}/out`))["train-00000.images"], first);
    }
    // Without the journal all is made again.
    await Deno.remove(shard);
    await Deno.remove(`${cwd}/out/.progress.jsonl`);
    await prepared(request);
    assertEquals(await filesBelow(`${cwd}/out`), expected);
  }));

Deno.test("a bad image is an error that names it, or left out and counted", () =>
  inTemporaryDirectory(async (cwd) => {
    await writePictures(`${cwd}/pictures`, 8);
    const jpeg = await picture(smoothPixels(64, 64), 64, "jpeg");
    await writeFiles(`${cwd}/pictures`, {
      "kind-0/half.jpg": jpeg.subarray(0, jpeg.length >> 1),
      "kind-1/empty.png": "",
    });
    const error = await assertRejects(() => prepared(folderRequest(cwd)), FormatError);
    assertEquals(
      error.message,
      `image ${cwd}/pictures/kind-0/half.jpg cannot be taken: premature end of JPEG image; ` +
        "mend it, or leave such images out by --skip-bad",
    );
    const notices: string[] = [];
    const request = { ...folderRequest(cwd), skipBad: true };
    const { index, skipped } = await prepared(request, quietWork(notices));
    assertEquals(skipped, [
      `${cwd}/pictures/kind-0/half.jpg`,
      `${cwd}/pictures/kind-1/empty.png`,
    ]);
    assertEquals([index.splits.train.count, index.splits.train.skipped], [8, 2]);
    assertEquals(notices.length, 2);
    // What is left is what would be there without them.
    await Deno.remove(`${cwd}/pictures/kind-0/half.jpg`);
    await Deno.remove(`${cwd}/pictures/kind-1/empty.png`);
    const without = await prepared(folderRequest(cwd, "without"));
    assertEquals(
      await splitBytes(`${cwd}/out`, index, "train"),
      await splitBytes(`${cwd}/without`, without.index, "train"),
    );
  }));

Deno.test("where every image is bad there is no set", () =>
  inTemporaryDirectory(async (cwd) => {
    await writeFiles(`${cwd}/pictures`, { "a.png": "a", "b.jpg": "b" });
    await assertRejects(
      () => prepared({ ...folderRequest(cwd), skipBad: true }),
      VapoError,
      "has no image of split train that can be taken: all 2 were left out",
    );
  }));

Deno.test("a directory that is something else is never touched", () =>
  inTemporaryDirectory(async (cwd) => {
    await writePictures(`${cwd}/pictures`, 3);
    await writeFiles(cwd, {
      "other/note.txt": "mine",
      "index/index.json": '{"format":"something"}',
      "journal/.progress.jsonl": "{}\n",
      "file": "",
    });
    const before = await filesBelow(cwd);
    const attempt = (directory: string) =>
      prepared({ ...folderRequest(cwd, directory), location: directory });
    const mistakes: [directory: string, message: string][] = [
      ["other", "other is not empty and holds no prepared set"],
      ["index", "index/index.json is not the index of a prepared set"],
      ["journal", "journal/.progress.jsonl is damaged"],
      ["file", "cannot open file: a part of the path is a file"],
    ];
    for (const [directory, message] of mistakes) {
      await assertRejects(() => attempt(directory), VapoError, message);
    }
    assertEquals(await filesBelow(cwd), before);
  }));

Deno.test("another set's directory is refused, and says what differs", () =>
  inTemporaryDirectory(async (cwd) => {
    await writePictures(`${cwd}/pictures`, 6);
    await writePictures(`${cwd}/others`, 7);
    const request = { ...folderRequest(cwd), location: "out" };
    await prepared(request);
    const before = await filesBelow(`${cwd}/out`);
    const attempts: [change: Partial<PrepareRequest>, message: string][] = [
      [{ size: 8 }, "out holds another set: folder, 16×16×3"],
      [{ name: "lsun-church64", size: undefined }, "out holds another set: folder"],
      [{ source: `${cwd}/others` }, 'its files is "6 train", that of this one "7 train"'],
    ];
    for (const [change, message] of attempts) {
      await assertRejects(() => prepared({ ...request, ...change }), VapoError, message);
    }
    assertEquals(await filesBelow(`${cwd}/out`), before);

    // The same while it is not finished.
    const begun = { ...folderRequest(cwd, "begun"), location: "begun" };
    const storage = failingStorage(directoryStorage(begun.directory, "begun"), 3);
    await assertRejects(() => prepared({ ...begun, storage }), VapoError, "disk is full");
    await assertRejects(
      () => prepared({ ...begun, source: `${cwd}/others` }),
      VapoError,
      "begun holds another set",
    );
  }));

Deno.test("two at once: the second one is refused", () =>
  inTemporaryDirectory(async (cwd) => {
    await writePictures(`${cwd}/pictures`, 3);
    await Deno.mkdir(`${cwd}/out`);
    using _lock = await lockRun(`${cwd}/out`, "out");
    await assertRejects(
      () => prepared({ ...folderRequest(cwd), location: "out" }),
      VapoError,
      `data directory out is in use by process ${Deno.pid}`,
    );
  }));

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConfigError, FormatError, VapoError } from "../../../core/errors.ts";
import { openPreparedSet } from "../../../core/data/prepared_set.ts";
import { type Contents, encodeJson, memoryFiles, preparedContents } from "./prepared_files.ts";

const shardCounts = [3, 2], labelsPerImage = 2;
const whole = (): Contents => preparedContents({ shardCounts, labelsPerImage });

// deno-lint-ignore no-explicit-any -- an index that is about to be spoiled
type AnyIndex = any;

function parseIndex(contents: Contents): AnyIndex {
  return JSON.parse(new TextDecoder().decode(contents["index.json"]));
}

/** What is said of a set whose index has been changed. */
async function refused(change: (index: AnyIndex) => void, reason: string): Promise<void> {
  const contents = whole(), index = parseIndex(contents);
  change(index);
  await assertUnopened({ ...contents, "index.json": encodeJson(index) }, reason);
}

async function assertUnopened(contents: Contents, reason: string): Promise<void> {
  const open = () => openPreparedSet(memoryFiles(contents), "train");
  assertOneLine(await assertRejects(open, FormatError, reason), "index.json");
}

function assertOneLine({ message }: Error, file: string): void {
  assert(message.startsWith(`data/numbers/${file}`), message);
  assert(/again by "vapo data \w+ … --out data\/numbers( --verify)?"$/.test(message), message);
  assert(!message.includes("\n") && message.length < 300, message);
}

Deno.test("a set is read as it was written", async () => {
  const contents = whole(), set = await openPreparedSet(memoryFiles(contents), "train");
  assertEquals([set.count, set.shards.length, set.location], [5, 2, "data/numbers"]);
  assertEquals([...set.shape], [1, 5, 1]);
  assertEquals(await set.readShard(1), contents["train-1.bin"]);
  const { pixels, labels, ...rest } = await set.readAll();
  assertEquals(pixels, new Uint8Array([...contents["train-0.bin"], ...contents["train-1.bin"]]));
  assertEquals(labels, Uint8Array.of(0, 1, 2, 3, 4, 5, 10, 11, 12, 13));
  assertEquals(rest, { count: 5, shape: [1, 5, 1], labelsPerImage });
});

Deno.test("a set without labels has none", async () => {
  const set = await openPreparedSet(memoryFiles(preparedContents({ shardCounts })), "train");
  assertEquals((await set.readAll()).labels.length, 0);
});

Deno.test("only the index is read at first", async () => {
  const names: string[] = [], { location, read } = memoryFiles(whole());
  await openPreparedSet({ location, read: (name) => (names.push(name), read(name)) }, "train");
  assertEquals(names, ["index.json"]);
});

Deno.test("a set that is not there, and a split that is not in it", async () => {
  const nowhere = await assertRejects(() => openPreparedSet(memoryFiles({}), "train"), VapoError);
  assert(nowhere.message.startsWith("there is no data/numbers/index.json"), nowhere.message);
  const open = (split: string, contents = whole()) => () =>
    openPreparedSet(memoryFiles(contents), split);
  await assertRejects(open("trian"), ConfigError, 'did you mean "train"');
  await assertRejects(open("test"), ConfigError, "Known there: train");
  const empty = preparedContents({ shardCounts: [] });
  await assertRejects(open("train", empty), ConfigError, "data/numbers has no images");
});

Deno.test("a damaged index is one line that names the key, the value and the remedy", async () => {
  const contents = whole(), bytes = contents["index.json"];
  for (const cut of [0, 1, bytes.length - 1]) {
    await assertUnopened({ ...contents, "index.json": bytes.slice(0, cut) }, "no JSON");
  }
  await assertUnopened({ ...contents, "index.json": Uint8Array.of(34, 255, 34) }, "no JSON");
  await assertUnopened({ ...contents, "index.json": encodeJson(null) }, "it is null");
  await assertUnopened({ ...contents, "index.json": encodeJson([]) }, "expected object");
  await refused((index) => index.format = "webdataset", '"format" is "webdataset"');
  await refused((index) => index.version = 2, '"version" is 2');
  await refused((index) => delete index.name, '"name" is missing');
  await refused((index) => index.shape[2] = 5, '"shape.2" is 5');
  await refused(
    (index) => index.splits.train.shards[1].count = -1,
    '"splits.train.shards.1.count"',
  );
  await refused((index) => index.splits.train.shards[1].file = "../secret", "shards.1.file");
  await refused((index) => index.more = 1, "more");
});

Deno.test("an index that contradicts itself is refused", async () => {
  await refused((index) => index.splits.train.count++, '"splits.train.count" is 6; expected 5');
  await refused((index) => index.splits.train.shards.pop(), "is 5; expected 3");
  await refused(
    (index) => delete index.splits.train.shards[1].labels,
    'shards.1.labels" is missing',
  );
  await refused((index) => index.labelsPerImage = 0, 'shards.0.labels" is given');
  await refused(
    (index) => index.splits.train.shards[1].file = "train-0.bin",
    'shards.1" names train-0.bin again',
  );
});

Deno.test("each damaged file is one line that names it", async () => {
  const cases: [string, (bytes: Uint8Array) => Uint8Array | undefined, string][] = [
    ["train-1.bin", () => undefined, "is missing: expected 2 images of 1×5×1"],
    ["train-1.bin", (bytes) => bytes.slice(1), "is 9 bytes long; expected 10"],
    ["train-1.bin", (bytes) => new Uint8Array([...bytes, 0]), "is 11 bytes long; expected 10"],
    ["train-0.bin", (bytes) => bytes.map((byte, i) => i === 7 ? byte ^ 16 : byte), "is damaged"],
    ["train-0.labels", () => undefined, "is missing: expected labels of 3 images"],
    ["train-0.labels", (bytes) => bytes.slice(1), "is 5 bytes long; expected 6"],
    ["train-1.labels", (bytes) => bytes.map((byte) => byte + 1), "is damaged: checksum"],
  ];
  for (const [name, spoil, reason] of cases) {
    const { [name]: bytes, ...contents } = whole(), spoiled = spoil(bytes);
    if (spoiled) contents[name] = spoiled;
    const set = await openPreparedSet(memoryFiles(contents), "train");
    assertOneLine(await assertRejects(() => set.readAll(), FormatError, reason), name);
  }
});

Deno.test("every single flipped bit of a shard is found", async () => {
  const contents = whole(), shard = contents["train-1.bin"];
  const set = await openPreparedSet(memoryFiles(contents), "train");
  for (let bit = 0; bit < 8 * shard.length; bit++) {
    shard[bit >> 3] ^= 1 << (bit & 7);
    await assertRejects(() => set.readShard(1), FormatError, "is damaged");
    shard[bit >> 3] ^= 1 << (bit & 7);
  }
  await set.readShard(1);
});

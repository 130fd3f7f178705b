import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ConfigError, FormatError } from "../../../core/errors.ts";
import {
  type BatchStream,
  type BatchStreamOptions,
  openBatchStream,
  streamMemoryBytes,
} from "../../../core/data/batch_stream.ts";
import {
  type DataFiles,
  openPreparedSet,
  type PreparedSet,
} from "../../../core/data/prepared_set.ts";
import { imageNumbers, memoryFiles, preparedContents } from "./prepared_files.ts";

function openSet(
  shardCounts: readonly number[],
  shape?: readonly [number, number, number],
): Promise<PreparedSet> {
  return openPreparedSet(memoryFiles(preparedContents({ shardCounts, shape })), "train");
}

/** The numbers of the images of so many batches. */
async function take({ next, imageBytes }: BatchStream, batches: number): Promise<number[]> {
  const numbers: number[] = [];
  for (let i = 0; i < batches; i++) numbers.push(...imageNumbers(await next(), imageBytes));
  return numbers;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

const runs = fc.record({
  shardCounts: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 10 }),
  options: fc.record({
    seed: fc.maxSafeNat(),
    batchSize: fc.integer({ min: 1, max: 40 }),
    bufferImages: fc.integer({ min: 1, max: 60 }),
  }),
});

Deno.test("each image comes exactly once an epoch, across windows, epochs and batches", async () => {
  await fc.assert(fc.asyncProperty(runs, async ({ shardCounts, options }) => {
    const count = sum(shardCounts), epochs = 3;
    const stream = openBatchStream(await openSet(shardCounts), options);
    const numbers = await take(stream, Math.ceil(epochs * count / options.batchSize));
    for (let epoch = 0; epoch < epochs; epoch++) {
      const ofEpoch = numbers.slice(epoch * count, (epoch + 1) * count);
      assertEquals(ofEpoch.sort((a, b) => a - b), ofEpoch.map((_, i) => i));
    }
  }));
});

Deno.test("a stream that starts later goes on as one that came there", async () => {
  await fc.assert(fc.asyncProperty(runs, fc.nat(200), async ({ shardCounts, options }, first) => {
    const set = await openSet(shardCounts);
    const all = await take(openBatchStream(set, { ...options, batchSize: 1 }), first + 40);
    const later = openBatchStream(set, { ...options, batchSize: 40, firstSample: first });
    assertEquals(await take(later, 1), all.slice(first));
  }));
});

Deno.test("the order is none of the batch size nor of the limit to memory", async () => {
  await fc.assert(fc.asyncProperty(runs, async ({ shardCounts, options }) => {
    const set = await openSet(shardCounts), { batchSize, bufferImages } = options;
    const memoryBytes = streamMemoryBytes(set, bufferImages);
    const numbers = await take(openBatchStream(set, options), 6);
    const others = openBatchStream(set, { ...options, batchSize: 3 * batchSize, memoryBytes });
    assertEquals(await take(others, 2), numbers);
  }));
});

Deno.test("images are filled up to whole words with zeros", async () => {
  for (const [width, padded] of [[2, 4], [3, 4], [4, 4], [5, 8], [8, 8]]) {
    const set = await openSet([4, 3], [1, width, 1]);
    const stream = openBatchStream(set, { seed: 1, batchSize: 7, bufferImages: 7 });
    assertEquals([stream.imageBytes, stream.batchBytes], [padded, 7 * padded]);
    const batch = await stream.next();
    assertEquals(batch.length, 7 * padded);
    for (const [i, number] of imageNumbers(batch, padded).entries()) {
      const pixels = new Array(width).fill(0xee);
      const image = [number, 0, ...pixels.slice(2), ...new Array(padded - width).fill(0)];
      assertEquals([...batch.subarray(i * padded, (i + 1) * padded)], image);
    }
  }
});

Deno.test("a batch is written where the caller wants it", async () => {
  const set = await openSet([4, 3]), options = { seed: 1, batchSize: 5, bufferImages: 4 };
  const given = openBatchStream(set, options), own = openBatchStream(set, options);
  const batch = new Uint8Array(new SharedArrayBuffer(given.batchBytes));
  for (let i = 0; i < 5; i++) {
    assert(await given.next(batch) === batch);
    assertEquals([...batch], [...await own.next()]);
  }
});

/** Files that note which shards have been read. */
function notingFiles(files: DataFiles): { files: DataFiles; names: string[] } {
  const names: string[] = [];
  const read = (name: string) => {
    if (name !== "index.json") names.push(name);
    return files.read(name);
  };
  return { files: { ...files, read }, names };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("the next window is read while one is used, and no more", async () => {
  const contents = preparedContents({ shardCounts: new Array(9).fill(4) });
  const { files, names } = notingFiles(memoryFiles(contents));
  const set = await openPreparedSet(files, "train");
  const { next } = openBatchStream(set, { seed: 1, batchSize: 1, bufferImages: 12 });
  await settled();
  assertEquals(names.length, 3);
  for (let sample = 0; sample < 36; sample++) {
    await next();
    await settled();
    // Shards of the next epoch that this one's last window has are not read again.
    if (sample < 24) assertEquals(names.length, sample < 12 ? 6 : 9);
  }
  assertEquals(new Set(names.slice(0, 9)).size, 9);
});

Deno.test("a set that is one window is read once", async () => {
  const { files, names } = notingFiles(memoryFiles(preparedContents({ shardCounts: [4, 4, 4] })));
  const set = await openPreparedSet(files, "train");
  const stream = openBatchStream(set, { seed: 1, batchSize: 12, bufferImages: 12 });
  const epochs = [await take(stream, 1), await take(stream, 1), await take(stream, 1)];
  assertEquals(names.length, 3);
  assert(`${epochs[0]}` !== `${epochs[1]}` && `${epochs[1]}` !== `${epochs[2]}`);
});

Deno.test("the bytes of shards held at once stay within the limit", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const shardCounts = [...new Array(11).fill(20), 7], imageBytes = 1000;
  const inMemory = memoryFiles(preparedContents({ shardCounts, shape: [10, 100, 1] }));
  const bufferImages = 60, limit = 2 * bufferImages * imageBytes;
  let alive: WeakRef<Uint8Array>[] = [], most = 0;
  const bytesAlive = () => sum(alive.map((each) => each.deref()?.length ?? 0));
  const files: DataFiles = {
    ...inMemory,
    async read(name) {
      const bytes = await inMemory.read(name);
      // What a reader still has when it asks for more, and what it asks for.
      if (name !== "index.json") alive.push(new WeakRef(bytes!));
      if (bytesAlive() > limit) {
        // Whatever a job has looked at through a WeakRef lives to its end.
        await settled();
        collect();
      }
      alive = alive.filter((each) => each.deref());
      most = Math.max(most, bytesAlive());
      return bytes;
    },
  };
  const set = await openPreparedSet(files, "train");
  const memoryBytes = streamMemoryBytes(set, bufferImages);
  assertEquals(memoryBytes, limit);
  const stream = openBatchStream(set, { seed: 1, batchSize: 13, bufferImages, memoryBytes });
  await take(stream, 30);
  assert(most <= limit, `${most}`);
  assert(most > limit / 2, `${most}`); // they have been counted at all
});

Deno.test("too little memory is an error with a buffer that fits", async () => {
  const set = await openSet(new Array(10).fill(4)); // shards of 20 bytes
  const options = { seed: 1, batchSize: 2, bufferImages: 16 };
  const open = (more: Partial<BatchStreamOptions>) => openBatchStream(set, { ...options, ...more });
  open({ memoryBytes: 200 });
  const error = assertThrows(() => open({ memoryBytes: 199 }), ConfigError, "takes 200 bytes");
  const fitting = Number(/lower bufferImages to (\d+)/.exec(error.message)?.[1]);
  assertEquals(fitting, 12); // 3 windows, of 3, 3 and 4 shards
  open({ memoryBytes: 199, bufferImages: fitting });
  open({ memoryBytes: 40, bufferImages: 1 });
  assertThrows(() => open({ memoryBytes: 39, bufferImages: 1 }), ConfigError, "limit to 40");
  assertThrows(() => open({ memoryBytes: 39 }), ConfigError, "two shards do not fit");
});

Deno.test("the buffer that is named always fits, and is the largest that does", async () => {
  await fc.assert(fc.asyncProperty(runs, fc.nat(600), async ({ shardCounts }, memoryBytes) => {
    const set = await openSet(shardCounts);
    const open = (bufferImages: number) =>
      openBatchStream(set, { seed: 1, batchSize: 1, bufferImages, memoryBytes });
    if (streamMemoryBytes(set, 100) <= memoryBytes) return void open(100);
    const { message } = assertThrows(() => open(100), ConfigError);
    const fitting = /lower bufferImages to (\d+)/.exec(message);
    if (!fitting) return void assertThrows(() => open(1), ConfigError, "two shards do not fit");
    open(Number(fitting[1]));
    assertThrows(() => open(Number(fitting[1]) + 1), ConfigError);
  }));
});

Deno.test("options out of range are errors that say so", async () => {
  const set = await openSet([4]), good = { seed: 1, batchSize: 2, bufferImages: 4 };
  const cases: [Partial<BatchStreamOptions>, string][] = [
    [{ batchSize: 0 }, "batchSize is 0"],
    [{ batchSize: NaN }, "batchSize is NaN"],
    [{ firstSample: -1 }, "firstSample is -1"],
    [{ seed: 0.5 }, "seed is 0.5"],
    [{ bufferImages: 0 }, "bufferImages is 0"],
  ];
  for (const [change, reason] of cases) {
    assertThrows(() => openBatchStream(set, { ...good, ...change }), ConfigError, reason);
  }
});

Deno.test("a damaged shard is an error when it is needed, and from then on", async () => {
  const contents = preparedContents({ shardCounts: [4, 4, 4] });
  contents["train-1.bin"][3] ^= 1;
  const set = await openPreparedSet(memoryFiles(contents), "train");
  const { next } = openBatchStream(set, { seed: 2, batchSize: 4, bufferImages: 4 });
  let good = 0;
  const { message } = await assertRejects(async () => {
    for (;; good++) await next();
  }, FormatError);
  assert(good < 3 && message.startsWith("data/numbers/train-1.bin is damaged"), message);
  await assertRejects(() => next(), FormatError, message);
});

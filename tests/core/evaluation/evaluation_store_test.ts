import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { VapoError } from "../../../core/errors.ts";
import {
  cachedRows,
  canonicalJson,
  type EvaluationFiles,
  type RowsWanted,
} from "../../../core/evaluation/evaluation_store.ts";
import { sha256 } from "../../../core/formats/sha256.ts";
import { decodeSafetensors } from "../../../core/formats/safetensors.ts";

/** Files in memory that a test may damage. */
function openFiles(): EvaluationFiles & { files: Map<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>();
  return {
    location: "memory",
    files,
    read: (name) => Promise.resolve(files.get(name)?.slice() ?? null),
    write: (name, bytes) => {
      files.set(name, bytes.slice());
      return Promise.resolve();
    },
  };
}

const partsOf = (files: Map<string, Uint8Array>) =>
  [...files.keys()].filter((name) => name.includes("-rows-")).sort();

/** Rows that tell from which key and row they are; counts what is computed. */
function rowsOf(label: number) {
  const computed: [number, number][] = [];
  const compute = (from: number, to: number) => {
    computed.push([from, to]);
    return Promise.resolve(expectedRows(label, from, to));
  };
  return { computed, compute };
}

/** Row i of [2, 2] is label + i, label − i, i, ½. */
function expectedRows(label: number, from: number, to: number): Float32Array {
  const rows = [];
  for (let i = from; i < to; i++) rows.push(label + i, label - i, i, 0.5);
  return Float32Array.from(rows);
}

const key = { kind: "samples", parameters: "ab12", seed: 3, until: null };
const wanted = (rows: number, chunk = 3): RowsWanted => ({
  rows,
  rowShape: [2, 2],
  dtype: "float32",
  chunk,
});

Deno.test("SHA-256 is FIPS 180-4's of its examples", async () => {
  assertEquals(
    await sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  );
  assertEquals(
    await sha256(new Uint8Array()),
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  );
});

Deno.test("rows are computed in chunks once, and found later, as many as are asked for", async () => {
  const store = openFiles();
  const { computed, compute } = rowsOf(100);
  const progress: number[][] = [];
  const onProgress = (done: number, total: number) => void progress.push([done, total]);
  const first = await cachedRows(store, key, wanted(8), compute, { onProgress });
  assertEquals(first, expectedRows(100, 0, 8));
  assertEquals(computed, [[0, 3], [3, 6], [6, 8]]);
  assertEquals(progress, [[3, 8], [6, 8], [8, 8]]);

  computed.length = 0;
  assertEquals(await cachedRows(store, key, wanted(8), compute), first);
  assertEquals(await cachedRows(store, key, wanted(4), compute), expectedRows(100, 0, 4));
  assertEquals(await cachedRows(store, key, wanted(0), compute), new Float32Array());
  assertEquals(computed, []);

  // The last chunk had two rows of three: it alone is computed again, from its beginning.
  assertEquals(await cachedRows(store, key, wanted(10), compute), expectedRows(100, 0, 10));
  assertEquals(computed, [[6, 9], [9, 10]]);
  assertEquals(partsOf(store.files).length, 5);
});

Deno.test("an interruption at any chunk loses nothing of those before it", async () => {
  for (let stop = 0; stop <= 5; stop++) {
    for (const how of ["throws", "aborted"] as const) {
      const store = openFiles();
      const { computed, compute } = rowsOf(7);
      const controller = new AbortController();
      const stopping = async (from: number, to: number) => {
        if (how === "throws" && computed.length === stop) throw new Error("pulled the plug");
        const rows = await compute(from, to);
        if (how === "aborted" && computed.length === stop) controller.abort();
        return rows;
      };
      if (how === "aborted" && stop === 0) controller.abort();
      const interrupted = cachedRows(store, key, wanted(14), stopping, {
        signal: controller.signal,
      });
      // An abort within the last chunk comes too late to matter.
      if (stop === 5) await interrupted;
      else await assertRejects(() => interrupted);
      assertEquals(partsOf(store.files).length, stop);

      computed.length = 0;
      const rows = await cachedRows(store, key, wanted(14), compute);
      assertEquals(rows, expectedRows(7, 0, 14));
      assertEquals(computed.length, 5 - stop);
    }
  }
});

Deno.test("a part with any bit flipped, cut short or empty is computed again, and it alone", async () => {
  const store = openFiles();
  const { computed, compute } = rowsOf(1);
  await cachedRows(store, key, wanted(9), compute);
  const victim = partsOf(store.files)[1];
  const whole = store.files.get(victim)!;
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), fc.boolean(), async (at, bit, cut) => {
      const damaged = cut ? whole.slice(0, at) : whole.slice();
      if (!cut) damaged[at] ^= 1 << bit;
      store.files.set(victim, damaged);
      computed.length = 0;
      const rows = await cachedRows(store, key, wanted(9), compute);
      assertEquals(rows, expectedRows(1, 0, 9));
      assertEquals(computed, [[3, 6]]);
      assertEquals(store.files.get(victim), whole);
    }),
  );
});

Deno.test("a part under another's name is not taken for it", async () => {
  const store = openFiles();
  const { compute } = rowsOf(1);
  await cachedRows(store, key, wanted(6), compute);
  await cachedRows(store, { ...key, seed: 4 }, wanted(6), rowsOf(50).compute);
  const [a, b, c] = partsOf(store.files);
  for (const [from, to] of [[a, b], [c, a]]) {
    store.files.set(to, store.files.get(from)!);
    assertEquals(await cachedRows(store, key, wanted(6), compute), expectedRows(1, 0, 6));
    assertEquals(
      await cachedRows(store, { ...key, seed: 4 }, wanted(6), rowsOf(50).compute),
      expectedRows(50, 0, 6),
    );
  }
});

Deno.test("two at once on one key both have the right rows, and leave the right files", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 14 }),
      fc.integer({ min: 1, max: 14 }),
      fc.scheduler(),
      async (rowsA, rowsB, scheduler) => {
        const store = openFiles();
        const slow: EvaluationFiles = {
          location: "memory",
          read: (name) =>
            scheduler.schedule(Promise.resolve(), "read").then(() => store.read(name)),
          write: (name, bytes) =>
            scheduler.schedule(Promise.resolve(), "write").then(() => store.write(name, bytes)),
        };
        const compute = rowsOf(9).compute;
        const both = Promise.all([
          cachedRows(slow, key, wanted(rowsA), compute),
          cachedRows(slow, key, wanted(rowsB), compute),
        ]);
        assertEquals(await scheduler.waitFor(both), [
          expectedRows(9, 0, rowsA),
          expectedRows(9, 0, rowsB),
        ]);
        // What they left is whole: a third finds the rows of the larger request's whole chunks.
        const { computed, compute: again } = rowsOf(9);
        const rows = Math.floor(Math.max(rowsA, rowsB) / 3) * 3;
        assertEquals(await cachedRows(store, key, wanted(rows), again), expectedRows(9, 0, rows));
        assertEquals(computed, []);
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("other keys, shapes, types and chunks are kept apart", async () => {
  const store = openFiles();
  const others: [Record<string, unknown>, RowsWanted][] = [
    [key, wanted(4)],
    [{ ...key, seed: 4 }, wanted(4)],
    [{ ...key, seed: "3" }, wanted(4)],
    [{ ...key, kind: "features" }, wanted(4)],
    [{ ...key, more: false }, wanted(4)],
    [{ ...key, until: [null] }, wanted(4)],
    [key, wanted(4, 2)],
    [key, { ...wanted(4), rowShape: [4] }],
    [key, { ...wanted(4), rowShape: [1, 4] }],
  ];
  for (const round of ["computed", "found"]) {
    for (const [i, [other, rows]] of others.entries()) {
      const { computed, compute } = rowsOf(10 * i);
      assertEquals(await cachedRows(store, other, rows, compute), expectedRows(10 * i, 0, 4));
      assertEquals(computed.length > 0, round === "computed");
    }
  }
  const bytes = (from: number, to: number) => Promise.resolve(new Uint8Array(4 * (to - from)));
  const asBytes = await cachedRows(store, key, { ...wanted(4), dtype: "uint8" }, bytes);
  assertEquals(asBytes, new Uint8Array(16));
  assertEquals(new Set(partsOf(store.files)).size, 2 * (others.length + 1));
});

Deno.test("the order of a key's entries and those that are undefined do not matter", async () => {
  const store = openFiles();
  await cachedRows(store, { a: 1, b: { c: 2, d: [3] } }, wanted(2), rowsOf(5).compute);
  const { computed, compute } = rowsOf(6);
  const same = { b: { d: [3], c: 2 }, a: 1, e: undefined };
  assertEquals(await cachedRows(store, same, wanted(2), compute), expectedRows(5, 0, 2));
  assertEquals(computed, []);
});

Deno.test("a part is a safetensors file with its key, which is beside it too", async () => {
  const store = openFiles();
  await cachedRows(store, key, wanted(4), rowsOf(5).compute);
  const [first, second] = partsOf(store.files);
  assert(/^samples-[0-9a-f]{32}-rows-00000000-00000003\.safetensors$/.test(first), first);
  assertEquals(second, first.replace("00000000-00000003", "00000003-00000004"));
  const { tensors, metadata } = decodeSafetensors(store.files.get(second)!);
  assertEquals(tensors.rows.shape, [1, 2, 2]);
  assertEquals(JSON.parse(metadata.key).key, key);
  const beside = store.files.get(first.replace(/rows-.*/, "key.json"))!;
  assertEquals(new TextDecoder().decode(beside), metadata.key + "\n");
});

Deno.test("without files everything is computed", async () => {
  const { computed, compute } = rowsOf(5);
  for (let i = 0; i < 2; i++) {
    assertEquals(await cachedRows(undefined, key, wanted(4), compute), expectedRows(5, 0, 4));
  }
  assertEquals(computed.length, 4);
});

Deno.test("what cannot be a key, a count or a result is refused", async () => {
  const { compute } = rowsOf(5);
  for (const value of [NaN, Infinity, 1n, () => 1, Symbol("s"), new Date(0), new Map()]) {
    assertThrows(() => canonicalJson({ value }), VapoError, "a cache key holds");
  }
  for (const bad of [wanted(1.5), wanted(-1), wanted(2, 0), { ...wanted(2), rowShape: [0] }]) {
    await assertRejects(() => cachedRows(openFiles(), key, bad, compute), VapoError, "chunks");
  }
  const store = openFiles();
  const short = () => Promise.resolve(new Float32Array(4));
  await assertRejects(() => cachedRows(store, key, wanted(2), short), VapoError, "expected 8");
  const bytes = () => Promise.resolve(new Uint8Array(8));
  await assertRejects(() => cachedRows(store, key, wanted(2), bytes), VapoError, "(float32)");
  assertEquals(store.files.size, 0);
});

Deno.test("canonical JSON is JSON of the same value, whatever the order of its entries", () => {
  const reversed = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(reversed)
      : value !== null && typeof value === "object"
      ? Object.fromEntries(Object.entries(value).reverse().map(([k, v]) => [k, reversed(v)]))
      : value;
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
      const text = canonicalJson(value);
      assertEquals(text, canonicalJson(reversed(value)));
      assertEquals(canonicalJson(JSON.parse(text)), text);
    }),
  );
  assertEquals(
    canonicalJson({ b: [1, { z: null, y: "é" }], a: true }),
    '{"a":true,"b":[1,{"y":"é","z":null}]}',
  );
  assertNotEquals(canonicalJson({ a: 1 }), canonicalJson({ a: "1" }));
});

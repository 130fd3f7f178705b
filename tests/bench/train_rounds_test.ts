import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { Peer, Variant } from "../../bench/train/peer.ts";
import { median, type RoundOptions, timeRatio, timeWork } from "../../bench/train/rounds.ts";
import type { Work } from "../../bench/train/works.ts";

const target = { kind: "speed", gigaflops: 1 } as const;
const work: Work = { name: "a product", target, kind: "product", m: 1, k: 1, n: 1, inner: 1 };

const options: RoundOptions = {
  rounds: 5,
  patience: 1,
  turn: 0.5,
  pause: () => Promise.resolve(),
};

/** A peer whose times are given; `log` takes down whose turn it was. */
function given(
  name: string,
  variants: readonly Variant[] | string,
  seconds: (variant: Variant, call: number) => number,
  log: string[] = [],
): Peer {
  let calls = 0;
  const nothing = () => Promise.resolve();
  return {
    name,
    describe: () => Promise.resolve({}),
    variants: () => Promise.resolve(variants),
    measure(_work, variant, { repeats, warmUp }) {
      if (warmUp) log.push(name);
      return Promise.resolve(Array.from({ length: repeats }, () => seconds(variant, calls++)));
    },
    release: nothing,
    close: nothing,
  };
}

Deno.test("the median is the middle value, or the mean of the two", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 2, 3]), 2.5);
});

Deno.test("the fastest variant of each thread count takes part, and the better of them counts", async () => {
  const variants = [1, 2].flatMap((threads) => ["a", "b"].map((form) => ({ threads, form })));
  const table: Record<string, number> = { "1a": 0.4, "1b": 0.3, "2a": 0.2, "2b": 0.25 };
  const peer = given("x", variants, ({ threads, form }) => table[`${threads}${form}`]);
  const { peers: { x } } = await timeWork(work, [peer], options);
  assertEquals(Object.keys(x.trials).length, 4);
  assertEquals(Object.keys(x.rounds), ["2 threads, a", "1 thread, b"]);
  assertEquals([x.best, x.median, x.seconds.length], ["2 threads, a", 0.2, 5]);
});

Deno.test("a slow peer is timed once, one that fails or lacks a work says why", async () => {
  const slow = given("slow", [{}], () => 20);
  const lacking = given("lacking", "has no products", () => 1);
  const failing = given("failing", [{}], () => {
    throw new Error("out of memory\n and more");
  });
  const fast = given("fast", [{}], () => 0.5);
  const { peers } = await timeWork(work, [slow, lacking, failing, fast], options);
  assertEquals(peers.slow.seconds, [20]);
  assertEquals(peers.lacking.lacks, "has no products");
  assertEquals(peers.failing.lacks, "failed: out of memory");
  assertEquals(peers.fast.seconds.length, 5);
  assertEquals(timeRatio(peers.fast, peers.slow), 40);
  assertEquals(timeRatio(peers.fast, peers.failing), undefined);
});

Deno.test("all take turns, and each begins as often as the others", async () => {
  const log: string[] = [];
  const peers = ["a", "b"].map((name) => given(name, [{}], () => 0.5, log));
  await timeWork(work, peers, { ...options, rounds: 4 });
  assertEquals(log.join(""), "abbaabba");
});

Deno.test("a ratio is the median over rounds: a disturbance that both share cancels", () => {
  const us = { trials: {}, rounds: {}, seconds: [1, 10, 2], median: 2 };
  const other = { trials: {}, rounds: {}, seconds: [3, 30, 5], median: 5 };
  assertAlmostEquals(timeRatio(us, other)!, 3);
});

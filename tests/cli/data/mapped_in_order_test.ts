import { assert, assertEquals, assertRejects } from "@std/assert";
import { mappedInOrder } from "../../../cli/data/mapped_in_order.ts";

const later = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

Deno.test("results come in the order of the items, whatever the order in which they are ready", async () => {
  const delays = [9, 1, 5, 0, 7, 3, 2, 8, 0, 4];
  const finished: number[] = [];
  const work = async (index: number) => {
    await later(delays[index]);
    finished.push(index);
    return index * index;
  };
  const results = await Array.fromAsync(mappedInOrder(delays.keys(), 4, work));
  assertEquals(results, delays.map((_, index) => index * index));
  assert(finished.some((index, i) => index !== i), "nothing was ready out of order");
});

Deno.test("no more than the limit is under way or waits, however slowly results are taken", async () => {
  let started = 0, taken = 0, most = 0;
  const work = async () => {
    most = Math.max(most, ++started - taken);
    await later(0);
  };
  for await (const _ of mappedInOrder(Array(40).keys(), 5, work)) {
    taken++;
    await later(1);
  }
  assertEquals([started, taken], [40, 40]);
  assert(most > 1 && most <= 5 + 1, `${most} at once`);
});

Deno.test("an error comes in its turn, and what is under way ends before", async () => {
  const done: number[] = [], taken: number[] = [];
  const work = async (item: number) => {
    await later(item === 2 ? 0 : 3);
    if (item === 2) throw new Error("item 2");
    done.push(item);
    return item;
  };
  await assertRejects(
    async () => {
      for await (const item of mappedInOrder([0, 1, 2, 3, 4, 5], 4, work)) taken.push(item);
    },
    Error,
    "item 2",
  );
  assertEquals(taken, [0, 1]);
  assert(done.includes(3), "item 3 was under way");
});

Deno.test("whoever stops taking stops the source", async () => {
  let asked = 0, closed = false;
  async function* source() {
    try {
      for (;; asked++) yield await Promise.resolve(asked);
    } finally {
      closed = true;
    }
  }
  for await (const item of mappedInOrder(source(), 3, (item) => item)) {
    if (item === 5) break;
  }
  assert(closed);
  assert(asked <= 9, `${asked}`);
});

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { pauses } from "../../core/pauses.ts";

/** Computes for so long without waiting for anything. */
function work(milliseconds: number): void {
  const start = performance.now();
  while (performance.now() - start < milliseconds);
}

Deno.test("an abort arrives in a computation that waits for nothing", async () => {
  const abort = new AbortController(), reason = new Error("enough");
  setTimeout(() => abort.abort(reason));
  const pause = pauses(abort.signal);
  // At the first call: the abort has had its turn.
  await assertRejects(async () => await pause(), Error, "enough");
  await assertRejects(async () => await pause(), Error, "enough");
  assertThrows(() => pauses(AbortSignal.abort(reason)), Error, "enough");
});

Deno.test("without a signal others have a turn after a while, and not before", async () => {
  const pause = pauses(undefined);
  let turns = 0;
  setTimeout(() => turns++);
  assertEquals(pause(), undefined);
  work(60);
  await pause();
  assertEquals(turns, 1);
});

/** @file Many pages at a time, over real connections; see `bench/web_load.ts`. */
import { assert, assertEquals } from "@std/assert";
import { runLoad } from "../../../bench/web_load.ts";

Deno.test("fifty pages that come and go get every line once, and leave nothing behind", async () => {
  const { lines, pages, followersAtEnd, server } = await runLoad({
    pages: 50,
    seconds: 8,
    linesPerSecond: 20,
    linesBefore: 3000,
    connectionSeconds: 2,
  });
  assert(lines > 3000);
  assertEquals(new Set(pages.map((page) => page.lines)), new Set([lines]));
  const connections = pages.reduce((sum, page) => sum + page.connections, 0);
  assert(connections > 100, `${connections} connections`);
  assert(Math.max(...server.map(({ followers }) => followers)) > 25);
  assertEquals(followersAtEnd, 0);
});

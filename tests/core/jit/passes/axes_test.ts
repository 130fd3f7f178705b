import { assertEquals } from "@std/assert";
import { alignAxes, padRank } from "../../../../core/jit/passes/axes.ts";

Deno.test("blocks of axes with the same cells", () => {
  const cases: [number[], number[], [number[], number[]][]][] = [
    [[2, 3, 4, 5], [6, 20], [[[0, 1], [0]], [[2, 3], [1]]]],
    [[6], [2, 3], [[[0], [0, 1]]]],
    [[4, 6], [6, 4], [[[0, 1], [0, 1]]]],
    [[2, 1, 3], [1, 2, 3, 1], [[[0], [1]], [[2], [2]]]],
    [[1, 1], [], []],
    [[8, 3], [2, 4, 3], [[[0], [0, 1]], [[1], [2]]]],
  ];
  for (const [from, to, expected] of cases) {
    assertEquals(alignAxes(from, to).map((block) => [block.from, block.to]), expected);
  }
});

Deno.test("ones in front", () => {
  assertEquals(padRank([3], 3), [1, 1, 3]);
  assertEquals(padRank([2, 3], 2), [2, 3]);
});

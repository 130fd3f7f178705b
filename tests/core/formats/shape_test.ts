import { assertEquals } from "@std/assert";
import { countElements } from "../../../core/formats/shape.ts";

Deno.test("countElements multiplies counts", () => {
  assertEquals(countElements([]), 1);
  assertEquals(countElements([7]), 7);
  assertEquals(countElements([2, 3, 4]), 24);
  assertEquals(countElements([0, 2 ** 40]), 0);
});

Deno.test("countElements refuses what is no count or too large to count", () => {
  for (
    const shape of [[-1], [1.5], [NaN], [Infinity], [0, -1], [2 ** 53], [2 ** 27, 2 ** 27], [
      2 ** 40,
      2 ** 40,
      0,
    ]]
  ) {
    assertEquals(countElements(shape), undefined);
  }
});

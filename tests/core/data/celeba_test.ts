import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  celebaCounts,
  celebaCrop,
  celebaSize,
  readCelebaPartition,
} from "../../../core/data/celeba.ts";
import { assertFormatError } from "../formats/fixture_files.ts";

function refusal(text: string): string {
  const error = assertThrows(() => readCelebaPartition(text, "x.txt"));
  assertFormatError(error, "x.txt");
  return (error as Error).message;
}

Deno.test("CelebA: the three parts, with any end of line", () => {
  const expected = new Map([
    ["000001.jpg", "train"],
    ["162771.jpg", "validation"],
    ["182638.jpg", "test"],
  ]);
  for (const end of ["\n", "\r\n", " \n"]) {
    const lines = ["000001.jpg 0", "162771.jpg 1", "182638.jpg 2"];
    for (const text of [lines.join(end), lines.join(end) + end, lines.join(end) + end + "\n"]) {
      assertEquals(new Map<string, string>(readCelebaPartition(text)), expected);
    }
  }
});

Deno.test("CelebA: 202,599 pictures in all, and a square in the middle of each", () => {
  assertEquals(celebaCounts.train + celebaCounts.validation + celebaCounts.test, 202_599);
  const { left, top, width, height } = celebaCrop;
  assertEquals(width, height);
  assertEquals(2 * left + width, celebaSize.width);
  assertEquals(2 * top + height, celebaSize.height);
});

Deno.test("CelebA: broken lines are named", () => {
  for (
    const line of [
      "000002.jpg 3",
      "000002.jpg",
      "000002.jpg 0 1",
      "000002.jpg,0",
      "../2.jpg 0",
      "a/2.jpg 0",
      "image_id,partition",
      "-1 1 -1",
      "x".repeat(10_000),
    ]
  ) {
    const message = refusal(`000001.jpg 0\n${line}\n`);
    assert(message.includes("on line 2, at character 13,"), message);
  }
  assert(refusal("000001.jpg 0\n000001.jpg 1\n").includes('on line 2, at character 13, "000001.j'));
  assert(refusal("").includes("has no line"));
  assert(refusal("\n \n").includes("has no line"));
});

Deno.test("CelebA: a text that is cut short is a start of the whole, or an error", () => {
  const text = "000001.jpg 0\r\n000002.jpg 2\r\n";
  for (let length = 0; length < text.length; length++) {
    try {
      const partition = readCelebaPartition(text.slice(0, length), "x.txt");
      assertEquals(partition.size, length < 26 ? 1 : 2);
      assertEquals(partition.get("000001.jpg"), "train");
    } catch (error) {
      assertFormatError(error, "x.txt");
    }
  }
});

import { assertEquals } from "@std/assert";
import { memoryStorage } from "../../../core/train/run_storage.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

Deno.test("what is written to memory is read back, and belongs to the storage alone", async () => {
  const storage = memoryStorage("runs/x");
  assertEquals([storage.location, await storage.read("a")], ["runs/x", null]);
  const mine = bytes(1, 2);
  await storage.write("a", mine);
  mine[0] = 9;
  (await storage.read("a"))![1] = 9;
  assertEquals(await storage.read("a"), bytes(1, 2));
  await storage.append("a", bytes(3));
  await storage.append("b", bytes(4));
  assertEquals([await storage.read("a"), await storage.read("b")], [bytes(1, 2, 3), bytes(4)]);
});

Deno.test("a directory takes the place of another whole; lists name what is inside", async () => {
  const storage = memoryStorage();
  await storage.writeDirectory("all/one", { x: bytes(1), y: bytes(2) });
  await storage.writeDirectory("all/one", { x: bytes(3) });
  await storage.write("all/two/deep/z", bytes(4));
  await storage.write("alleys", bytes(5));
  assertEquals(await storage.list("all"), ["one", "two"]);
  assertEquals(await storage.list("all/one"), ["x"]);
  assertEquals(await storage.list("none"), []);
  await storage.remove("all");
  await storage.remove("none");
  assertEquals([await storage.list("all"), await storage.read("alleys")], [[], bytes(5)]);
});

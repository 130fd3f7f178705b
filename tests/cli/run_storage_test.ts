import { assert, assertEquals, assertRejects } from "@std/assert";
import { VapoError } from "../../core/errors.ts";
import { directoryStorage, removeLeftovers } from "../../cli/run_storage.ts";
import { lockRun } from "../../cli/run_lock.ts";
import { inTemporaryDirectory } from "./program.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

Deno.test("files are read, written, appended to, listed and removed", () =>
  inTemporaryDirectory(async (cwd) => {
    const storage = directoryStorage(`${cwd}/run`, "run");
    assertEquals(storage.location, "run");
    assertEquals(await storage.read("a.bin"), null);
    assertEquals(await storage.list("deep/down"), []);
    await storage.write("deep/down/a.bin", bytes(1, 2));
    await storage.write("deep/down/a.bin", bytes(3));
    await storage.append("deep/down/a.bin", bytes(4));
    await storage.append("deep/down/b.bin", bytes(5));
    assertEquals(await storage.read("deep/down/a.bin"), bytes(3, 4));
    assertEquals((await storage.list("deep/down")).sort(), ["a.bin", "b.bin"]);
    await storage.remove("deep/down/a.bin");
    await storage.remove("deep/down/a.bin");
    assertEquals(await storage.list("deep/down"), ["b.bin"]);
  }));

Deno.test("a directory takes the place of another whole", () =>
  inTemporaryDirectory(async (cwd) => {
    const storage = directoryStorage(cwd);
    await storage.writeDirectory("checkpoints/step", { a: bytes(1), b: bytes(2) });
    await storage.writeDirectory("checkpoints/step", { b: bytes(3), c: bytes() });
    assertEquals((await storage.list("checkpoints/step")).sort(), ["b", "c"]);
    assertEquals(await storage.read("checkpoints/step/b"), bytes(3));
    assertEquals((await Array.fromAsync(Deno.readDir(`${cwd}/checkpoints`))).length, 1);
  }));

/** Runs a check over and over while something is under way. */
async function checkedWhile(underWay: Promise<void>, check: () => void): Promise<number> {
  let done = false, checks = 0;
  underWay = underWay.finally(() => done = true);
  for (; !done; checks++) {
    check();
    await new Promise((resolve) => setTimeout(resolve));
  }
  await underWay;
  return checks;
}

Deno.test("whoever looks while they are written sees files and directories whole", () =>
  inTemporaryDirectory(async (cwd) => {
    const storage = directoryStorage(cwd);
    const size = 2 ** 22, large = new Uint8Array(size);
    const sizes = (directory: string) =>
      Array.from(
        Deno.readDirSync(directory),
        ({ name }) => [name, Deno.statSync(`${directory}/${name}`).size] as const,
      );
    const isThere = (path: string) => {
      try {
        return Deno.lstatSync(path) !== null;
      } catch {
        return false;
      }
    };
    let checks = await checkedWhile(storage.write("file", large), () => {
      if (isThere(`${cwd}/file`)) assertEquals(Deno.statSync(`${cwd}/file`).size, size);
    });
    const files = { a: large, b: large, c: large, d: bytes(1) };
    checks += await checkedWhile(storage.writeDirectory("made", files), () => {
      if (isThere(`${cwd}/made`)) {
        assertEquals(sizes(`${cwd}/made`).sort(), [["a", size], ["b", size], ["c", size], [
          "d",
          1,
        ]]);
      }
    });
    assert(checks > 2, `${checks} checks`);
  }));

Deno.test("paths that leave the directory are refused", async () => {
  const storage = directoryStorage("/nowhere", "run");
  const paths = ["../a", "a/../../b", "/etc/passwd", "", "a//b", ".", "a\\..\\b", "C:/a", "a\0b"];
  for (const path of paths) {
    await assertRejects(() => storage.read(path), VapoError, "leaves the run directory run");
    await assertRejects(() => storage.write(path, bytes()), VapoError, JSON.stringify(path));
    await assertRejects(() => storage.remove(path), VapoError, JSON.stringify(path));
  }
});

Deno.test("a write that fails leaves the old file and nothing else", () =>
  inTemporaryDirectory(async (cwd) => {
    const storage = directoryStorage(cwd, "run");
    await storage.write("a/file", bytes(1));
    // A directory cannot be replaced by a file.
    await assertRejects(() => storage.write("a", bytes(2)), VapoError, "cannot write run/a: ");
    assertEquals(await storage.list("a"), ["file"]);
    assertEquals((await Array.fromAsync(Deno.readDir(cwd))).length, 1);
  }));

Deno.test("what a killed process leaves is not listed, and removed or put back", () =>
  inTemporaryDirectory(async (cwd) => {
    const storage = directoryStorage(cwd);
    await storage.writeDirectory("checkpoints/step-00000002", { a: bytes(2) });
    await storage.writeDirectory("checkpoints/.tmp-0123abcd-step-00000003", { a: bytes(3) });
    await storage.write(".tmp-0123abcd-metrics.jsonl", bytes(0));
    // Killed between the two renames that replace a directory, and after them.
    await storage.writeDirectory("checkpoints/.replaced-step-00000001", { a: bytes(1) });
    await storage.writeDirectory("checkpoints/.replaced-step-00000002", { a: bytes(0) });
    assertEquals(await storage.list("checkpoints"), ["step-00000002"]);
    await removeLeftovers(cwd, "run");
    assertEquals((await storage.list("checkpoints")).sort(), ["step-00000001", "step-00000002"]);
    assertEquals(await storage.read("checkpoints/step-00000001/a"), bytes(1));
    assertEquals(await storage.read("checkpoints/step-00000002/a"), bytes(2));
    assertEquals((await Array.fromAsync(Deno.readDir(cwd))).map(({ name }) => name), [
      "checkpoints",
    ]);
    assertEquals((await Array.fromAsync(Deno.readDir(`${cwd}/checkpoints`))).length, 2);
  }));

Deno.test("a lock is held until it is disposed of", () =>
  inTemporaryDirectory(async (cwd) => {
    const lock = await lockRun(cwd, "run");
    await assertRejects(
      () => lockRun(cwd, "run"),
      VapoError,
      `run directory run is in use by process ${Deno.pid}`,
    );
    lock[Symbol.dispose]();
    (await lockRun(cwd, "run"))[Symbol.dispose]();
  }));

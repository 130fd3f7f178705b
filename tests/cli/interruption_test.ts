import { assertEquals } from "@std/assert";
import { listenForInterruption } from "../../cli/interruption.ts";
import { root } from "./program.ts";

Deno.test("the first signal asks, the second one ends a program that is busy", {
  ignore: Deno.build.os === "windows",
}, async () => {
  const program = `
    import { listenForInterruption } from "${root}cli/interruption.ts";
    const { signal } = listenForInterruption(() => console.log("asked", signal.aborted));
    console.log("listening");
    while (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 1));
    while (true);`;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    stdout: "piped",
  }).spawn();
  const lines = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await lines.read()).value, "listening\n");
  process.kill("SIGINT");
  assertEquals((await lines.read()).value, "asked true\n");
  process.kill("SIGTERM");
  const { signal } = await process.status;
  assertEquals(signal, "SIGTERM");
  await lines.cancel();
});

Deno.test("disposed of, it leaves signals to the system", () => {
  // A listener that stayed would be reported as a leak.
  using interruption = listenForInterruption(() => {});
  assertEquals(interruption.signal.aborted, false);
});

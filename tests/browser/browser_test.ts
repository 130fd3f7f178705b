/**
 * @file The core in a browser's worker: the same bundle that a page would load, driven in headless
 * Chromium, held against the same run under Deno.
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { chromium } from "playwright-core";
import { chromiumPath } from "../chromium.ts";
import { trainTiny } from "./tiny_run.ts";

type Outcome = { metrics?: Awaited<ReturnType<typeof trainTiny>>; error?: string };

const wasmFiles = new URL(".", import.meta.resolve("@tensorflow/tfjs-backend-wasm"));

/** Bundles the worker as a page would get it. */
async function bundleWorker(directory: string): Promise<string> {
  const output = join(directory, "worker.js");
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "browser", "-o", output, "tests/browser/worker.ts"],
    cwd: fromFileUrl(new URL("../..", import.meta.url)),
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return output;
}

/** Serves an empty page, the worker, and the WebAssembly backend's files. */
function serve(worker: string) {
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async ({ url }) => {
    const { pathname } = new URL(url);
    const types: Record<string, string> = { js: "text/javascript", wasm: "application/wasm" };
    const headers = { "content-type": types[pathname.split(".").at(-1)!] ?? "text/html" };
    if (pathname === "/worker.js") return new Response(await Deno.readFile(worker), { headers });
    if (pathname.endsWith(".wasm")) {
      return new Response(await Deno.readFile(new URL(`.${pathname}`, wasmFiles)), { headers });
    }
    return new Response("<!doctype html><title>vapo</title>", { headers });
  });
}

async function runInBrowser(devices: string[]): Promise<Outcome[]> {
  const directory = await Deno.makeTempDir();
  const server = serve(await bundleWorker(directory));
  const browser = await chromium.launch({
    executablePath: await chromiumPath(),
    args: [
      "--headless=new",
      "--no-sandbox",
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
    ],
  });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.addr.port}/`);
    const outcomes: Outcome[] = [];
    for (const device of devices) {
      outcomes.push(
        await page.evaluate((device) =>
          new Promise<Outcome>((resolve) => {
            const worker = new Worker("/worker.js", { type: "module" });
            worker.onmessage = ({ data }) => resolve(data);
            worker.onerror = ({ message }) => resolve({ error: message });
            worker.postMessage({ device, wasmPath: "/" });
          }), device),
      );
    }
    return outcomes;
  } finally {
    await browser.close();
    await server.shutdown();
    await Deno.remove(directory, { recursive: true });
  }
}

const required = Deno.env.get("VAPO_REQUIRE_ALL") === "1";
const available = await chromiumPath() !== undefined;

Deno.test({
  name: "a browser's worker trains and samples as Deno does, on wasm and on webgpu",
  ignore: !available && !required,
  async fn() {
    assert(available, "no Chromium was found: install it (Debian: chromium)");
    const here = await trainTiny("wasm");
    const [wasm, webgpu] = await runInBrowser(["wasm", "webgpu"]);
    for (const { error } of [wasm, webgpu]) assertEquals(error, undefined);
    for (const { metrics } of [wasm, webgpu]) {
      assertEquals(metrics!.losses.length, 12);
      metrics!.losses.forEach((loss, i) => assertAlmostEquals(loss, here.losses[i], 1e-3));
      metrics!.samples.forEach((x, i) => assertAlmostEquals(x, here.samples[i], 1e-2));
    }
  },
});

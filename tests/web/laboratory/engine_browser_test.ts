/**
 * @file The engine in a browser, in its worker behind its connection: the same numbers as under Deno.
 */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import type { Browser } from "playwright-core";
import { hasRelaxedSimd } from "../../../core/jit/wasm/assembler.ts";
import { chromiumPath, launchChromium } from "../../chromium.ts";
import { tinySettings, trainTo, withEngine } from "./tiny_engine.ts";
import type { Visit, visit } from "./browser_page.ts";

const wasmFiles = new URL(".", import.meta.resolve("@tensorflow/tfjs-backend-wasm"));
const root = fromFileUrl(new URL("../../..", import.meta.url));

async function bundle(source: string, output: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "browser", "-o", output, source],
    cwd: root,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** A worker that dies of its first call. */
const brokenWorker = "let n = 0; onmessage = () => { if (n++) throw new Error('no memory'); };";

/**
 * Serves a page with its script, the worker and the WebAssembly, with the headers of the server; in
 * `/broken/` another worker, in `/absent/` none.
 */
function serve(directory: string) {
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async ({ url }) => {
    const { pathname } = new URL(url), [directoryName, file] = pathname.split("/").slice(-2);
    const headers = new Headers({
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
      "content-security-policy":
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:",
    });
    const answer = (type: string, body: BodyInit) => {
      headers.set("content-type", type);
      return new Response(body, { headers });
    };
    if (directoryName === "wasm") {
      return answer("application/wasm", await Deno.readFile(new URL(file, wasmFiles)));
    }
    if (file === "worker.ts" && directoryName === "absent") {
      return new Response(null, { status: 404, headers });
    }
    if (file === "worker.ts" && directoryName === "broken") {
      return answer("text/javascript", brokenWorker);
    }
    if (file === "page.js" || file === "worker.ts") {
      const script = join(directory, file.replace(".ts", ".js"));
      return answer("text/javascript", await Deno.readFile(script));
    }
    return answer("text/html", `<!doctype html><script type="module" src="page.js"></script>`);
  });
}

async function withPages(
  test: (open: (task: Visit, path?: string) => ReturnType<typeof visit>) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  await bundle("tests/web/laboratory/browser_page.ts", join(directory, "page.js"));
  await bundle("web/laboratory/worker.ts", join(directory, "worker.js"));
  const server = serve(directory);
  const browser: Browser = await launchChromium();
  try {
    await test(async (task, path = "") => {
      const page = await browser.newPage();
      try {
        await page.goto(`http://127.0.0.1:${server.addr.port}/${path}`);
        return await page.evaluate(
          (task) => (globalThis as unknown as { visit: typeof visit }).visit(task),
          task,
        );
      } finally {
        await page.close();
      }
    });
  } finally {
    await browser.close();
    await server.shutdown();
    await Deno.remove(directory, { recursive: true });
  }
}

const required = Deno.env.get("VAPO_REQUIRE_ALL") === "1";
const available = await chromiumPath() !== undefined;

Deno.test({
  name: "in a page's worker the engine does as under Deno, and says when it has died",
  ignore: !available && !required,
  async fn(t) {
    assert(available, "no Chromium was found: install it (Debian: chromium)");
    await withPages(async (open) => {
      await t.step("trained, drawn and exported on WebAssembly", async () => {
        const there = await open({ settings: tinySettings, options: { threads: 2 } });
        assertEquals([there.error, there.failures], [undefined, []]);
        assertEquals([there.device, there.threads], ["wasm", 2]);
        assert(there.exported > 10_000);
        await withEngine(async (engine, told) => {
          await engine.open(tinySettings);
          await trainTo(engine, told, 20);
          const field = await engine.field({
            ...{ subject: { kind: "learned" }, u: 0.5, size: 8, extent: 4 },
          });
          const metrics = told.progress.flatMap(({ metrics }) => metrics);
          assertEquals(there.metrics.map(({ step }) => step), metrics.map(({ step }) => step));
          const same = there.relaxedSimd === hasRelaxedSimd();
          const tolerance = same ? 0 : 1e-4;
          there.potential.forEach((value, i) =>
            assertAlmostEquals(value, field.potential[i], tolerance)
          );
          there.metrics.forEach((line, i) =>
            assertAlmostEquals(line.loss, metrics[i].loss, tolerance)
          );
        });
      });
      await t.step("on WebGPU the losses are those of WebAssembly", async () => {
        // Its software adapter takes long to compile what a deep potential needs.
        const settings = { ...tinySettings, depth: 1, other: { "potential.timeFeatures": 0 } };
        const [there, here] = [
          await open({ settings: { ...settings, device: "webgpu" }, options: {} }),
          await open({ settings, options: { threads: 1 } }),
        ];
        assertEquals([there.error, here.error, there.device], [undefined, undefined, "webgpu"]);
        there.metrics.forEach(({ loss }, i) =>
          assertAlmostEquals(loss, here.metrics[i].loss, 1e-3)
        );
        there.potential.forEach((value, i) => assertAlmostEquals(value, here.potential[i], 1e-3));
      });
      await t.step("a worker that dies is told of, once, and answers no more", async () => {
        for (const [path, why] of [["broken/", "no memory"], ["absent/", "be loaded"]] as const) {
          const { failures, error } = await open({ settings: tinySettings, options: {} }, path);
          assertEquals(failures, [error!]);
          assertMatch(error!, /^the laboratory's worker has stopped: .*; start it again$/);
          assertStringIncludes(error!, why);
        }
      });
    });
  },
});

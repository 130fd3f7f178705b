/**
 * @file The core in a browser, in a page and in a page's worker: the same bundle that a page would
 * load, driven in headless Chromium, held against the same run under Deno.
 */
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import type { Browser } from "playwright-core";
import { chromiumPath, launchChromium } from "../chromium.ts";
import { type Task, type TinyRun, trainTiny } from "./tiny_run.ts";
import type { Outcome, runTask } from "./worker.ts";

/** Where a run is done. */
interface Place {
  readonly where: "worker" | "page";
  /** Whether the page is isolated from others, which lets threads share memory. */
  readonly isolated: boolean;
  /** Whether workers may be started from scripts of the server alone. */
  readonly strict?: boolean;
}

const wasmFiles = new URL(".", import.meta.resolve("@tensorflow/tfjs-backend-wasm"));
/** So long no run takes, in milliseconds. */
const patience = 120_000;

/** Bundles the script as a page would get it. */
async function bundleScript(directory: string): Promise<string> {
  const output = join(directory, "worker.js");
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "browser", "-o", output, "tests/browser/worker.ts"],
    cwd: fromFileUrl(new URL("../..", import.meta.url)),
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return output;
}

/**
 * Serves a page with the script, the script, and the WebAssembly backend's files. What is asked for
 * with `isolated` or `strict` in the query has the headers for that.
 */
function serve(script: string) {
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async ({ url }) => {
    const { pathname, searchParams, search } = new URL(url);
    const types: Record<string, string> = { js: "text/javascript", wasm: "application/wasm" };
    const type = types[pathname.split(".").at(-1)!] ?? "text/html";
    const headers = new Headers({ "content-type": type });
    if (searchParams.has("isolated")) {
      headers.set("cross-origin-opener-policy", "same-origin");
      headers.set("cross-origin-embedder-policy", "require-corp");
    }
    if (searchParams.has("strict")) {
      headers.set("content-security-policy", "default-src 'self' 'wasm-unsafe-eval'");
    }
    if (pathname === "/worker.js") return new Response(await Deno.readFile(script), { headers });
    if (pathname.endsWith(".wasm")) {
      return new Response(await Deno.readFile(new URL(`.${pathname}`, wasmFiles)), { headers });
    }
    const page = `<!doctype html><script type="module" src="/worker.js${search}"></script>`;
    return new Response(page, { headers });
  });
}

/** What a run needs that is there only once. */
interface Stage {
  readonly browser: Browser;
  readonly origin: string;
}

/** Opens a browser for `use`, and closes it. */
async function withBrowser(use: (stage: Stage) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  const server = serve(await bundleScript(directory));
  const browser = await launchChromium();
  try {
    await use({ browser, origin: `http://127.0.0.1:${server.addr.port}` });
  } finally {
    await browser.close();
    await server.shutdown();
    await Deno.remove(directory, { recursive: true });
  }
}

/** Does a run in a new page. */
async function runIn(
  { browser, origin }: Stage,
  { where, isolated, strict }: Place,
  task: Task,
): Promise<Outcome> {
  const page = await browser.newPage();
  const query = [isolated ? "isolated" : [], strict ? "strict" : []].flat().join("&");
  await page.goto(`${origin}/?${query}`);
  const running = page.evaluate(
    async ([where, task]) => {
      if (where === "page") {
        return await (globalThis as unknown as { runTask: typeof runTask }).runTask(task);
      }
      const worker = new Worker(`/worker.js${location.search}`, { type: "module" });
      return await new Promise<Outcome>((resolve) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => resolve({ error: message, workers: 0, warnings: [] });
        worker.postMessage(task);
      });
    },
    [where, { wasmPath: "/", ...task }] as const,
  );
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${patience} ms`)), patience);
  });
  try {
    return await Promise.race([running, silence]);
  } finally {
    clearTimeout(timer);
    await page.close();
  }
}

/** Holds metrics and samples against those of another run. */
function assertAgrees(run: TinyRun, expected: TinyRun, tolerance: number): void {
  assertEquals(run.metrics.length, expected.metrics.length);
  run.metrics.forEach((line, i) => {
    assertEquals(Object.keys(line), Object.keys(expected.metrics[i]));
    for (const [name, value] of Object.entries(line)) {
      const message = `${name} of step ${i + 1}`;
      const there = expected.metrics[i][name];
      assertAlmostEquals(value, there, tolerance * Math.max(1, Math.abs(there)), message);
    }
  });
  assertEquals(Object.keys(run.samples), Object.keys(expected.samples));
  for (const [solver, samples] of Object.entries(run.samples)) {
    samples.forEach((x, i) =>
      assertAlmostEquals(x, expected.samples[solver][i], tolerance, `${solver}, value ${i}`)
    );
  }
}

/** The same to the last bit, where the engines multiply and add in the same way. */
function assertSame(run: TinyRun, expected: TinyRun): void {
  if (run.relaxedSimd === expected.relaxedSimd) assertEquals(run, expected);
  else assertAgrees(run, expected, 1e-5);
}

const places: (Place & { name: string; workers: number; warning?: string })[] = [
  { name: "a worker, two threads", where: "worker", isolated: true, workers: 1 },
  { name: "a page, which may not sleep, two threads", where: "page", isolated: true, workers: 1 },
  { name: "a worker without shared memory", where: "worker", isolated: false, workers: 0 },
  { name: "a page without shared memory", where: "page", isolated: false, workers: 0 },
  {
    name: "a worker that may not start workers",
    where: "worker",
    isolated: true,
    strict: true,
    workers: 1,
    warning: "worker-src blob:",
  },
];

const required = Deno.env.get("VAPO_REQUIRE_ALL") === "1";
const available = await chromiumPath() !== undefined;

Deno.test({
  name: "in a browser the core trains and samples as under Deno",
  ignore: !available && !required,
  async fn(t) {
    assert(available, "no Chromium was found: install it (Debian: chromium)");
    await withBrowser(async (stage) => {
      const here = await trainTiny({ device: "wasm", threads: 1 });
      for (const { name, warning, ...place } of places) {
        await t.step(name, async () => {
          const { error, run, workers, warnings } = await runIn(stage, place, {
            device: "wasm",
            threads: 2,
          });
          assertEquals(error, undefined);
          assertEquals(workers, place.workers);
          assertEquals(warnings.length, warning ? 1 : 0, warnings.join("\n"));
          if (warning) assertStringIncludes(warnings[0], warning);
          assertSame(run!, here);
        });
      }
      await t.step("a worker on webgpu", async () => {
        // Its software adapter takes long to compile what a deep potential needs.
        const changes = ["potential.hidden=[16]", "potential.timeFeatures=0"];
        const place = { where: "worker", isolated: false } as const;
        const { error, run } = await runIn(stage, place, { device: "webgpu", changes });
        assertEquals(error, undefined);
        assertAgrees(run!, await trainTiny({ device: "wasm", threads: 1, changes }), 1e-4);
      });
      await t.step("a page that does not say where the WebAssembly is", async () => {
        const task = { device: "wasm", wasmPath: undefined } as const;
        const { error } = await runIn(stage, { where: "page", isolated: false }, task);
        assertStringIncludes(error ?? "no error", 'VapoError: device "wasm" needs wasmPath');
      });
    });
  },
});

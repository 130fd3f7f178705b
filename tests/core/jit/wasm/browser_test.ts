/**
 * @file Threads in a browser: in a page, which may not sleep, and in a worker; where the page is
 * isolated and memory can be shared, and where not.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { chromiumPath, launchChromium } from "../../../chromium.ts";
import type { runThreads, ThreadsOutcome } from "./browser_threads.ts";

async function bundle(directory: string): Promise<string> {
  const output = join(directory, "threads.js");
  const entry = fromFileUrl(new URL("browser_threads.ts", import.meta.url));
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--minify", "--platform", "browser", "-o", output, entry],
    cwd: fromFileUrl(new URL("../../../..", import.meta.url)),
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return await Deno.readTextFile(output);
}

/** Serves the script, and a page with it: isolated, or not. */
function serve(script: string) {
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, ({ url }) => {
    const { pathname, searchParams } = new URL(url);
    const isScript = pathname === "/threads.js";
    const headers = new Headers({ "content-type": isScript ? "text/javascript" : "text/html" });
    if (searchParams.has("isolated")) {
      headers.set("cross-origin-opener-policy", "same-origin");
      headers.set("cross-origin-embedder-policy", "require-corp");
    }
    const page =
      '<!doctype html><title>vapo</title><script type="module" src="/threads.js?isolated">' +
      "</script>";
    return new Response(isScript ? script : page, { headers });
  });
}

async function runInBrowser(isolated: boolean): Promise<ThreadsOutcome[]> {
  const directory = await Deno.makeTempDir();
  const server = serve(await bundle(directory));
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.addr.port}/${isolated ? "?isolated" : ""}`);
    const here = await page.evaluate(() =>
      (globalThis as unknown as { runThreads: typeof runThreads }).runThreads(2)
    );
    const worker = await page.evaluate(() =>
      new Promise<ThreadsOutcome>((resolve) => {
        const worker = new Worker("/threads.js?isolated", { type: "module" });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => resolve({ error: message });
        worker.postMessage(2);
      })
    );
    return [here, worker];
  } finally {
    await browser.close();
    await server.shutdown();
    await Deno.remove(directory, { recursive: true });
  }
}

const required = Deno.env.get("VAPO_REQUIRE_ALL") === "1";
const available = await chromiumPath() !== undefined;

Deno.test({
  name: "threads in a browser's page and worker; one thread where memory cannot be shared",
  ignore: !available && !required,
  async fn() {
    assert(available, "no Chromium was found: install it (Debian: chromium)");
    for (const isolated of [true, false]) {
      for (const { error, same, threads } of await runInBrowser(isolated)) {
        assertEquals({ error, same, threads }, {
          error: undefined,
          same: true,
          threads: isolated ? 2 : 1,
        });
      }
    }
  },
});

/**
 * @file What an end-to-end test of the web view stands on: the pages' scripts built, the real server
 * in a process of its own over a runs directory of the test's own, and headless Chromium.
 */
import { assert } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { chromiumPath, launchChromium } from "../../chromium.ts";

/** The project's directory. */
export const project = fromFileUrl(new URL("../../..", import.meta.url));

const required = Deno.env.get("VAPO_REQUIRE_ALL") === "1";
const available = await chromiumPath() !== undefined;

/** Whether tests in a browser are left out here: none is installed, and nothing requires them. */
export const withoutBrowser = !available && !required;

/** A server that is running. */
export interface RunningServer {
  /** As in "http://127.0.0.1:8787". */
  readonly origin: string;
  readonly port: number;
  /** Kills it at once, as a crash would. */
  kill(): Promise<void>;
}

/** What a test has at hand. */
export interface Stage {
  readonly browser: Browser;
  /** The runs directory. */
  readonly runs: string;
  /** The server that was started first, or the last one that {@link restart} has started. */
  server(): RunningServer;
  /** Starts the server again, on the same port, after it was killed. */
  restart(): Promise<void>;
  /** A new page, in a context of its own; errors that it throws fail the test. */
  page(options?: BrowserContextOptions): Promise<Page>;
  /** What pages have thrown or had refused so far. */
  readonly complaints: string[];
}

async function buildClient(): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--node-modules-dir=auto", "web/build.ts"],
    cwd: project,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** The flags of the server's process, from the task in deno.json. */
async function serverArguments(): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(project, "deno.json")));
  const command = tasks.web.split("&&").at(-1).trim().split(/\s+/);
  assert(command[0] === "deno");
  return command.slice(1);
}

/** A port that nobody has now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Starts the server. */
export async function startServer(runs: string, port = freePort()): Promise<RunningServer> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [...await serverArguments(), "--runs", runs, "--port", String(port)],
    cwd: project,
    stdout: "piped",
    stderr: "inherit",
    stdin: "null",
  }).spawn();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let printed = "", found: RegExpExecArray | null = null;
  while (!found) {
    const { value, done } = await reader.read();
    assert(!done, `the server ended: ${printed}`);
    printed += value;
    found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(printed);
  }
  await reader.cancel();
  return {
    origin: found[0],
    port: Number(found[1]),
    async kill() {
      try {
        process.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await process.status;
    },
  };
}

/** Builds, serves and opens a browser for `use`; closes all of it again. */
export async function withStage(use: (stage: Stage) => Promise<void>): Promise<void> {
  await buildClient();
  const runs = await Deno.makeTempDir({ prefix: "vapo-web-" });
  let server = await startServer(runs);
  const browser = await launchChromium();
  const complaints: string[] = [];
  try {
    await use({
      browser,
      runs,
      complaints,
      server: () => server,
      async restart() {
        server = await startServer(runs, server.port);
      },
      async page(options) {
        const context = await browser.newContext({ acceptDownloads: true, ...options });
        const page = await context.newPage();
        page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
        page.on("console", (message) => {
          if (message.type() === "error") complaints.push(message.text());
        });
        return page;
      },
    });
  } finally {
    await browser.close();
    await server.kill();
    // A training that a failed test has left may still be writing.
    await Deno.remove(runs, { recursive: true }).catch(() => {});
  }
}

/** Runs the command line of the project; its standard output. */
export async function runVapo(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(project, "cli/main.ts"), ...args],
    cwd: project,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Waits until a condition in the page's test holds, or says what it was. */
export async function until(
  what: string,
  holds: () => Promise<boolean>,
  milliseconds = 60_000,
): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!await holds()) {
    assert(Date.now() < end, `not within ${milliseconds / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

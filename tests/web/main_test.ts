/** @file `deno task web`'s program: where it listens, what it says, and how it ends. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { assertUserError, inTemporaryDirectory, root } from "../cli/program.ts";

const [buildWords, serveWords] = manifest.tasks.web.split(" && ").map((line) => line.split(" "));

/** Builds what pages load, unless that has been done. */
async function build(): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: buildWords.slice(1),
    cwd: root,
    stdout: "null",
    stderr: "null",
  }).output();
  assert(success);
}

function command(cwd: string, args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...serveWords.slice(1, -1),
      `--config=${root}deno.json`,
      "--no-lock",
      `${root}${serveWords.at(-1)}`,
      ...args,
    ],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function finished(cwd: string, ...args: string[]) {
  const { code, stdout, stderr } = await command(cwd, args).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Starts a server and reads its first line. */
async function start(cwd: string, ...args: string[]) {
  const process = command(cwd, args).spawn();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const line = (await reader.read()).value ?? "";
  return {
    line,
    address: /http:\S+/.exec(line)?.[0] ?? "",
    async end(signal: Deno.Signal = "SIGINT") {
      process.kill(signal);
      const [{ code }, stderr] = await Promise.all([
        process.status,
        new Response(process.stderr).text(),
        reader.cancel(),
      ]);
      return { code, stderr };
    },
  };
}

Deno.test("it says where it is, answers there, and ends at Ctrl-C while a page listens", () =>
  inTemporaryDirectory(async (cwd) => {
    await build();
    const server = await start(cwd);
    assertMatch(
      server.line,
      /^vapo is at http:\/\/127\.0\.0\.1:8[78]\d\d\/ \(runs in runs; Ctrl-C ends\)\n$/,
    );
    for (const path of ["", "runs", "assets/client.js", "wasm/tfjs-backend-wasm-simd.wasm"]) {
      const answer = await fetch(`${server.address}${path}`);
      assertEquals(answer.status, 200, path);
      await answer.body?.cancel();
    }
    assertEquals(await (await fetch(`${server.address}api/runs`)).json(), []);
    const events = await fetch(`${server.address}api/runs/later/events`);
    const reader = events.body!.getReader();
    await reader.read();
    // Another one takes the next port, and one that insists on this port is told.
    const second = await start(cwd, "--runs", "other runs");
    assertMatch(second.line, /\(runs in other runs; /);
    assert(new URL(second.address).port > new URL(server.address).port);
    assertUserError(
      await finished(cwd, "--port", new URL(server.address).port),
      /^vapo: port \d+ is in use: name another with --port, or leave it out/,
    );
    assertEquals(await second.end("SIGTERM"), { code: 0, stderr: "" });
    assertEquals(await server.end(), { code: 0, stderr: "" });
    await reader.read().catch(() => {});
    // Nothing is written where nobody has asked for anything.
    assertEquals([...Deno.readDirSync(cwd)], []);
  }));

Deno.test("it listens to this machine alone, and says why", () =>
  inTemporaryDirectory(async (cwd) => {
    for (const host of ["0.0.0.0", "::", "192.168.1.2", "example.org"]) {
      assertUserError(
        await finished(cwd, "--host", host),
        new RegExp(`^vapo: --host ${host.replaceAll(".", "\\.")} is not this machine alone: `),
      );
    }
    for (const port of ["0", "65536", "x", "80.5"]) {
      assertUserError(await finished(cwd, "--port", port), /'--port <n>'.*Expected a port/);
    }
    assertUserError(await finished(cwd, "--prot", "1"), /unknown option '--prot'/);
  }));

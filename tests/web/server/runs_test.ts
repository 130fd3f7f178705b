/** @file What is said of runs: also of those that are damaged, held by another process, or many. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { lockRun } from "../../../cli/run_lock.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import type { RunDetail, RunSummary } from "../../../web/runs/run_types.ts";
import { lockWatch } from "../../../web/server/held_lock.ts";
import {
  type Fixture,
  makeRun,
  metricsLine,
  newPage,
  readEvents,
  takeUntil,
  withServer,
  write,
} from "./server_fixture.ts";

async function list({ get }: Fixture): Promise<Record<string, RunSummary>> {
  const runs: RunSummary[] = await (await get("/api/runs")).json();
  return Object.fromEntries(runs.map((run) => [run.name, run]));
}

async function detail({ get }: Fixture, name: string): Promise<RunDetail> {
  const answer = await get(`/api/runs/${encodeURIComponent(name)}`);
  assertEquals(answer.status, 200);
  return await answer.json();
}

Deno.test("a run is told of as its files say", () =>
  withServer(async (server) => {
    const run = await makeRun(server.runs, "rings", { checkpoints: [10, 20], samples: [10] });
    const checkpoint = join(run, "checkpoints");
    await write(run, "checkpoints/best/state.json", { step: 10 });
    await write(run, "checkpoints/.tmp-12345678-step-00000030/state.json", {});
    await write(run, "samples/step-00000010-seed-3.png", "another");
    const told = await detail(server, "rings");
    const { modified, config, ...rest } = told;
    assertEquals(rest, {
      name: "rings",
      status: "paused",
      problem: null,
      preset: "rings",
      data: "rings",
      sampleShape: [2],
      device: "wasm",
      step: 20,
      steps: 100,
      loss: -0.02,
      newestSample: 10,
      checkpoints: [10, 20],
      bestStep: 10,
      samples: [10],
      evaluation: null,
    });
    assertEquals(config!.training.steps, 100);
    assertEquals(modified, (await Deno.stat(join(run, "metrics.jsonl"))).mtime!.getTime());
    // Its end is its last checkpoint with its picture.
    await write(checkpoint, "step-00000100/state.json", { version: 1, step: 100 });
    await write(checkpoint, "step-00000100/state.safetensors", "state");
    assertEquals((await detail(server, "rings")).status, "paused");
    await write(run, "samples/step-00000100.png", "png");
    const finished = await detail(server, "rings");
    assertEquals([finished.status, finished.step], ["finished", 100]);
  }));

Deno.test("runs that changed last come first; files and hidden directories are no runs", () =>
  withServer(async (server) => {
    for (const [i, name] of ["old", "new", "middle"].entries()) {
      const run = await makeRun(server.runs, name), time = [1000, 3000, 2000][i];
      await Deno.utime(join(run, "metrics.jsonl"), time, time);
    }
    await Deno.writeTextFile(join(server.runs, "notes.txt"), "no run");
    await Deno.mkdir(join(server.runs, ".vapo-web"));
    const runs: RunSummary[] = await (await server.get("/api/runs")).json();
    assertEquals(runs.map(({ name }) => name), ["new", "middle", "old"]);
  }));

/** What may be wrong with a run, and what is said of it. */
const damages: Record<string, [(run: string) => Promise<unknown>, RegExp]> = {
  "cut config": [(run) => write(run, "config.json", '{"preset": "ri'), /config\.json is not JSON/],
  "wrong config": [
    (run) => write(run, "config.json", { ...presetConfig("rings"), seed: "x\n\x1b[2J" }),
    /config\.json: seed is/,
  ],
  "no config": [
    (run) => Deno.remove(join(run, "config.json")),
    /is not a run: it has no config\.json/,
  ],
  "directory for config": [
    async (run) => {
      await Deno.remove(join(run, "config.json"));
      await Deno.mkdir(join(run, "config.json"));
    },
    /config\.json is not a file/,
  ],
  "garbage in metrics": [
    (run) => write(run, "metrics.jsonl", `${metricsLine(10)}garbage\n${metricsLine(20)}`),
    /metrics\.jsonl has lines that cannot be read/,
  ],
  "directory for metrics": [
    async (run) => {
      await Deno.remove(join(run, "metrics.jsonl"));
      await Deno.mkdir(join(run, "metrics.jsonl"));
    },
    /metrics\.jsonl is not a file/,
  ],
  "file for checkpoints": [
    async (run) => {
      await Deno.remove(join(run, "checkpoints"), { recursive: true });
      await write(run, "checkpoints", "no directory");
    },
    /checkpoints is not a directory/,
  ],
  "empty checkpoint": [
    (run) => Deno.mkdir(join(run, "checkpoints/step-00000050")),
    /step-00000050 is damaged: it has no state\.json/,
  ],
  "cut checkpoint": [
    (run) => write(run, "checkpoints/step-00000020/state.safetensors", ""),
    /step-00000020 is damaged: it has no state\.safetensors/,
  ],
  "wrong best": [
    (run) => write(run, "checkpoints/best/state.json", "[]"),
    /best\/state\.json is damaged/,
  ],
  "file for samples": [
    (run) => write(run, "samples", "no directory"),
    /samples is not a directory/,
  ],
  "wrong evaluation": [
    (run) => write(run, "evaluation/step-00000020/eval.json", { format: "other" }),
    /eval\.json is damaged/,
  ],
  "cut evaluation": [
    (run) => write(run, "evaluation/step-00000020/eval.json", '{"format'),
    /eval\.json is not JSON/,
  ],
  "metrics that lead out": [
    async (run) => {
      await Deno.remove(join(run, "metrics.jsonl"));
      await Deno.symlink("/etc/hostname", join(run, "metrics.jsonl"));
    },
    /metrics\.jsonl is a link that leads out/,
  ],
};

Deno.test("a damaged run says what is wrong, and takes nothing else down", () =>
  withServer(async (server) => {
    await makeRun(server.runs, "whole");
    for (const [name, [damage]] of Object.entries(damages)) {
      await damage(await makeRun(server.runs, name));
    }
    const runs = await list(server);
    assertEquals(Object.keys(runs).length, Object.keys(damages).length + 1);
    assertEquals([runs.whole.status, runs.whole.problem], ["paused", null]);
    for (const [name, [, pattern]] of Object.entries(damages)) {
      const { status, problem } = runs[name];
      assertEquals(status, "damaged", name);
      assertMatch(problem!, pattern);
      // deno-lint-ignore no-control-regex -- these are what is looked for
      assert(!/[\x00-\x1f]/.test(problem!) && problem!.length <= 400, name);
      assertEquals((await detail(server, name)).problem, problem);
      assertEquals((await server.get(`/runs/${encodeURIComponent(name)}`)).status, 200);
      const events = readEvents(await server.get(`/api/runs/${encodeURIComponent(name)}/events`));
      await takeUntil(events, newPage(), (page) => page.detail?.problem === problem);
      await events.close();
    }
    assertEquals((await server.get("/runs")).status, 200);
  }));

Deno.test("a last line that is being written, and no metrics yet, are no damage", () =>
  withServer(async (server) => {
    const torn = await makeRun(server.runs, "torn");
    await Deno.writeTextFile(join(torn, "metrics.jsonl"), '{"step":30,"lo', { append: true });
    const fresh = await makeRun(server.runs, "fresh", { checkpoints: [] });
    await Deno.remove(join(fresh, "metrics.jsonl"));
    const runs = await list(server);
    assertEquals([runs.torn.status, runs.torn.step, runs.torn.loss], ["paused", 20, -0.02]);
    assertEquals([runs.fresh.status, runs.fresh.step, runs.fresh.loss], ["paused", 0, null]);
  }));

Deno.test("what has been mended is seen to be", () =>
  withServer(async (server) => {
    const run = await makeRun(server.runs, "rings");
    const config = await Deno.readTextFile(join(run, "config.json"));
    await write(run, "config.json", "{");
    assertEquals((await detail(server, "rings")).status, "damaged");
    await write(run, "config.json", config);
    assertEquals((await detail(server, "rings")).status, "paused");
    // As long ago that what was read is kept.
    await Deno.utime(join(run, "config.json"), 1000, 1000);
    assertEquals((await detail(server, "rings")).steps, 100);
    assertEquals((await detail(server, "rings")).steps, 100);
    await write(run, "config.json", config.replace('"steps":100', '"steps":200'));
    assertEquals((await detail(server, "rings")).steps, 200);
  }));

/** A process that holds a run's lock until it is told to let go. */
async function holdLock(run: string) {
  const module = new URL("../../../cli/run_lock.ts", import.meta.url).href;
  const code = `import { lockRun } from ${JSON.stringify(module)};
    const lock = await lockRun(${JSON.stringify(run)}, "run");
    console.log("held");
    for await (const _ of Deno.stdin.readable);
    lock[Symbol.dispose]();`;
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      `--config=${fromFileUrl(new URL("../../../deno.json", import.meta.url))}`,
      `data:application/typescript,${encodeURIComponent(code)}`,
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = process.stdout.getReader();
  await reader.read();
  return {
    async letGo() {
      await process.stdin.close();
      await reader.cancel();
      await process.status;
    },
  };
}

Deno.test("a run runs as long as a process holds its lock, however that ends", () =>
  withServer(async (server) => {
    const run = await makeRun(server.runs, "rings");
    await write(run, ".lock", "123\n");
    assertEquals((await detail(server, "rings")).status, "paused");
    for (let round = 0; round < 2; round++) {
      const holder = await holdLock(run);
      for (let i = 0; i < 3; i++) assertEquals((await detail(server, "rings")).status, "running");
      await holder.letGo();
      assertEquals((await detail(server, "rings")).status, "paused");
    }
  }));

Deno.test("a free lock is asked for once, and whoever takes it is not in the way of anyone", async () => {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "vapo-web-test-" }));
  const watch = lockWatch();
  assertEquals(await watch.holder(directory, ".lock"), null);
  (await lockRun(directory, "run"))[Symbol.dispose]();
  assertEquals(await watch.holder(directory, ".lock"), null);
  // Somebody who asks all the time keeps nobody from starting.
  let asking = true, asked = 0;
  const keepAsking = (async () => {
    for (; asking; asked++) await watch.holder(directory, ".lock");
  })();
  for (let i = 0; i < 100; i++) (await lockRun(directory, "run"))[Symbol.dispose]();
  asking = false;
  await keepAsking;
  assert(asked > 0);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("the list of a thousand runs reads no more of long files than their ends", () =>
  withServer(async (server) => {
    const first = await makeRun(server.runs, "run 0");
    const config = await Deno.readTextFile(join(first, "config.json"));
    const long = new Uint8Array(2 ** 26).fill(32);
    long.set(
      new TextEncoder().encode(`\n${metricsLine(77)}`),
      long.length - 1 - metricsLine(77).length,
    );
    await Deno.writeFile(join(first, "metrics.jsonl"), long);
    for (let i = 1; i < 1000; i++) {
      const run = join(server.runs, `run ${i}`);
      await Deno.mkdir(run);
      await Deno.writeTextFile(join(run, "config.json"), config);
      await Deno.writeTextFile(join(run, "metrics.jsonl"), metricsLine(i));
    }
    const before = Deno.memoryUsage().external;
    const runs = await list(server);
    assertEquals(Object.keys(runs).length, 1000);
    assertEquals([runs["run 0"].step, runs["run 7"].step], [77, 7]);
    assert(Deno.memoryUsage().external - before < 2 ** 25);
  }));

Deno.test("there is no runs directory yet", () =>
  withServer(async (server) => {
    await Deno.remove(server.runs);
    assertEquals(await (await server.get("/api/runs")).json(), []);
    assertEquals((await server.get("/runs")).status, 200);
    assertEquals((await server.get("/api/runs/rings")).status, 404);
  }));

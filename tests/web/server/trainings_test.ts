/** @file Trainings and flows: real processes, of a run that takes seconds. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { decodeNpy } from "../../../core/formats/npy.ts";
import type { RunDetail } from "../../../web/runs/run_types.ts";
import { webApp } from "../../../web/server.ts";
import { type Fixture, makeRun, withServer, write } from "./server_fixture.ts";

async function detail({ get }: Pick<Fixture, "get">, name: string): Promise<RunDetail> {
  return await (await get(`/api/runs/${name}`)).json();
}

/** Waits until a run is as it has to be. */
async function until(
  server: Pick<Fixture, "get">,
  name: string,
  condition: (run: RunDetail) => boolean,
): Promise<RunDetail> {
  for (let waited = 0; waited < 600; waited++) {
    const run = await detail(server, name);
    if (condition(run)) return run;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited in vain: ${JSON.stringify(await detail(server, name))}`);
}

async function refused(answer: Promise<Response>): Promise<[number, string]> {
  const { status, error } = await answer.then(async (it) => ({
    status: it.status,
    error: (await it.json()).error,
  }));
  return [status, error];
}

Deno.test("a training is started, paused and resumed, by one server after another", () =>
  withServer(async (server) => {
    const question = { preset: "8gaussians", name: "points", seed: 3, steps: 1_000_000 };
    const started = await server.post("/api/trainings", question);
    assertEquals([started.status, await started.json()], [202, { name: "points" }]);
    // It is there at once, and in the way of others.
    assertEquals((await detail(server, "points")).status, "running");
    const [status, error] = await refused(server.post("/api/trainings", { preset: "rings" }));
    assertEquals([status, error.includes("run points is under way")], [409, true]);
    const running = await until(server, "points", ({ step }) => step >= 50);
    assertEquals([running.status, running.config?.seed], ["running", 3]);

    // Another server on the same directory finds it, and pauses it.
    await server.close();
    const second = webApp({ runs: server.runs, port: 8787 });
    const headers = { origin: "http://127.0.0.1:8787", "content-type": "application/json" };
    const other: Pick<Fixture, "get" | "post"> = {
      get: async (path) => await second.app.request(`http://127.0.0.1:8787${path}`),
      post: async (path, body) =>
        await second.app.request(`http://127.0.0.1:8787${path}`, {
          method: "POST",
          headers: { ...headers, "x-vapo-token": second.token },
          body: JSON.stringify(body),
        }),
    };
    assertEquals((await refused(other.post("/api/runs/points/resume", {})))[0], 409);
    // Several at once do no harm: the process is asked once, and a second time would end it.
    const pauses = await Promise.all(
      Array.from({ length: 4 }, () => other.post("/api/runs/points/pause", {})),
    );
    assertEquals(pauses[0].status, 202);
    for (const { status, body } of pauses) {
      assert([202, 409].includes(status));
      await body?.cancel();
    }
    const paused = await until(other, "points", (run) => run.status !== "running");
    assertEquals([paused.status, paused.problem], ["paused", null]);
    assertEquals(paused.checkpoints.at(-1), paused.step);
    const log = await Deno.readTextFile(join(server.runs, ".vapo-web/points.log"));
    assertEquals(JSON.parse(log.trimEnd().split("\n").at(-1)!), {
      event: "exit",
      code: 130,
      signal: null,
      lastLine: null,
    });
    assertEquals((await refused(other.post("/api/runs/points/pause", {})))[0], 409);

    assertEquals((await other.post("/api/runs/points/resume", {})).status, 202);
    await until(other, "points", ({ step }) => step > paused.step + 50);
    assertEquals((await other.post("/api/runs/points/pause", {})).status, 202);
    const end = await until(other, "points", (run) => run.status === "paused");
    assert(end.step > paused.step);
    await second.close();
  }));

Deno.test("a short training comes to its end; its flow is drawn, kept and bounded", () =>
  withServer(async (server) => {
    const started = await server.post("/api/trainings", { preset: "rings", steps: 20 });
    assertEquals(await started.json(), { name: "rings" });
    const run = await until(server, "rings", ({ status }) => status === "finished");
    assertEquals([run.step, run.samples, run.problem], [20, [20], null]);
    assertEquals((await refused(server.post("/api/runs/rings/resume", {})))[0], 409);
    // The name is taken, so the next one has a number; a name that is asked for is refused.
    const [status, error] = await refused(
      server.post("/api/trainings", { preset: "rings", name: "rings" }),
    );
    assertEquals([status, error.includes("there is a run rings already")], [409, true]);

    const question = { n: 5, seed: 1, frames: 4, until: null };
    const answer = await server.post("/api/runs/rings/flow", question);
    assertEquals(answer.status, 200);
    const times: number[] = JSON.parse(answer.headers.get("x-vapo-times")!);
    const bytes = await answer.bytes();
    assertEquals(decodeNpy(bytes).shape, [4, 5, 2]);
    assertEquals([times.length, times[0]], [4, 0]);
    assert(times.every((time, i) => i === 0 || time > times[i - 1]));
    // Asked for again it comes from memory, as it was; at another end it is another.
    const second = await server.post("/api/runs/rings/flow", question);
    assertEquals(await second.bytes(), bytes);
    const half = await server.post("/api/runs/rings/flow", { ...question, until: 0.5 });
    assertEquals(JSON.parse(half.headers.get("x-vapo-times")!).at(-1), 0.5);
    assert((await half.bytes()).some((byte, i) => byte !== bytes[i]));
    // What the command line refuses is told in its words.
    const [code, line] = await refused(
      server.post("/api/runs/rings/flow", { ...question, until: 50 }),
    );
    assertEquals(code, 400);
    assertMatch(line, /^until is 50: .*known up to/);
  }));

Deno.test("one flow at a time; one that nobody waits for is ended", () =>
  withServer(async (server) => {
    await server.post("/api/trainings", { preset: "rings", steps: 5 });
    await until(server, "rings", ({ status }) => status === "finished");
    const ask = (question: unknown, signal?: AbortSignal) =>
      server.app.request("http://127.0.0.1:8787/api/runs/rings/flow", {
        method: "POST",
        headers: {
          origin: "http://127.0.0.1:8787",
          "content-type": "application/json",
          "x-vapo-token": server.token,
        },
        body: JSON.stringify(question),
        signal,
      });
    const long = { n: 20_000, seed: 1, frames: 400, until: null };
    const leaving = new AbortController();
    const first = Promise.resolve(ask(long, leaving.signal)).catch(() => null);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const short = { n: 2, seed: 1, frames: 2, until: null };
    const refusal = await ask(short);
    assertEquals([refusal.status, (await refusal.json()).error.includes("another flow")], [
      409,
      true,
    ]);
    leaving.abort();
    // Nobody waits for the first any more: it makes room.
    assertEquals((await ask(short)).status, 200);
    await first;
  }));

Deno.test("a training that fails at once says why, and leaves its name free", () =>
  withServer(async (server) => {
    const started = await server.post("/api/trainings", {
      preset: "lsun-church128",
      name: "church",
    });
    assertEquals(started.status, 202);
    const run = await until(server, "church", ({ status }) => status !== "running");
    assertEquals(run.status, "damaged");
    assertMatch(run.problem!, /^no data set "lsun-church128"|^no data set/);
    // Another server reads it from the log.
    const other = webApp({ runs: server.runs, port: 8787 });
    const told = await other.app.request("http://127.0.0.1:8787/api/runs/church");
    assertEquals((await told.json()).problem, run.problem);
    await other.close();
    const again = await server.post("/api/trainings", {
      preset: "rings",
      name: "church",
      steps: 5,
    });
    assertEquals(again.status, 202);
    const finished = await until(server, "church", ({ status }) => status === "finished");
    assertEquals([finished.preset, finished.problem], ["rings", null]);
  }));

Deno.test("what cannot be paused or resumed is told", () =>
  withServer(async (server) => {
    const run = await makeRun(server.runs, "rings");
    await write(run, ".lock", "1\n");
    const [status, error] = await refused(server.post("/api/runs/rings/pause", {}));
    assertEquals([status, error], [409, "run rings is not under way: there is nothing to pause"]);
    for (const action of ["pause", "resume"]) {
      assertEquals((await refused(server.post(`/api/runs/none/${action}`, {})))[0], 404);
      assertEquals((await refused(server.post(`/api/runs/..%2frings/${action}`, {})))[0], 404);
    }
    await write(run, "config.json", "{");
    const [code, line] = await refused(server.post("/api/runs/rings/resume", {}));
    assertEquals(code, 409);
    assertMatch(line, /config\.json is not JSON/);
  }));

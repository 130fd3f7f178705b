/** @file Runs that are stopped, killed and resumed are byte for byte the run that never was. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  assertUserError,
  filesBelow,
  inTemporaryDirectory,
  type Running,
  set,
  startVapo,
  vapo,
} from "./program.ts";

const small = [
  ...["--batch", "8", "--device", "wasm", "--json"],
  ...set("potential.hidden=[4]", "training.logEvery=1", "training.keepCheckpoints=2"),
  ...set("sampling.n=8", "sampling.solver=euler", "sampling.steps=2"),
];

/** A run that goes on until it is stopped. */
const endless = ["train", ...small, "--steps", "1000000"];

/**
 * What of a run has to be equal: all but the checkpoints at which it happened to be stopped, and how
 * fast it went.
 */
async function outcome(run: string): Promise<Map<string, Uint8Array>> {
  const files = await filesBelow(run);
  files.delete("speed.jsonl");
  const checkpoints = [...files.keys()].filter((path) => path.startsWith("checkpoints/"));
  const last = checkpoints.at(-1)!.split("/")[1];
  for (const path of checkpoints) if (!path.includes(last)) files.delete(path);
  return files;
}

function stepOf(line: string | null): number {
  return JSON.parse(line!).step;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} saves the run, exits with 130, and the run goes on exactly`, () =>
    inTemporaryDirectory(async (cwd) => {
      const args = [...small, "--steps", "120", ...set("training.sampleEvery=40")];
      const whole = await vapo(["train", ...args, "--out", "whole"], { cwd });
      assertEquals(whole.code, 0, whole.stderr);

      const first = startVapo(["train", ...args, "--out", "parts"], { cwd });
      await first.sees(/"event":"metrics","step":7,/);
      first.process.kill(signal);
      const stopped = await first.end();
      assertEquals([stopped.code, stopped.stderr], [130, ""]);
      const last = stopped.stdout.trimEnd().split("\n").at(-1)!;
      assertStringIncludes(last, '"event":"end"');
      assertStringIncludes(last, '"finished":false');
      const step = stepOf(last);
      assert(step >= 7 && step < 120);

      const resumed = await vapo(["train", "--resume", "parts", "--json"], { cwd });
      assertEquals([resumed.code, resumed.stderr], [0, ""]);
      assertEquals(stepOf(resumed.stdout.split("\n")[0]), step);
      assertEquals(await outcome(`${cwd}/parts`), await outcome(`${cwd}/whole`));
    }));
}

Deno.test("in text, a stopped run says how to go on, and a complete one that it is complete", () =>
  inTemporaryDirectory(async (cwd) => {
    // Nothing is read or written for a long time: the program has to listen all the same.
    const rarely = ["log", "checkpoint", "sample"].flatMap((what) =>
      set(`training.${what}Every=3000000`)
    );
    const text = [...small.filter((word) => word !== "--json"), ...rarely, "--steps", "3000000"];
    const run = startVapo(["train", ...text, "--out", "my run"], { cwd });
    while (!await Deno.stat(`${cwd}/my run/checkpoints/step-00000000`).catch(() => null)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    run.process.kill("SIGINT");
    const { code, stdout, stderr } = await run.end();
    assertEquals(code, 130);
    assertMatch(stderr, /\nstopping after this step; Ctrl-C once more to stop at once\n/);
    const step = Number(/^stopped and saved at step (\d+) of 3000000\n/.exec(stdout)?.[1]);
    assert(step < 3_000_000, stdout);
    assertMatch(stdout, /\nnext: vapo train --resume 'my run'\n$/);

    await vapo(["train", ...small, "--steps", "1", "--out", "short"], { cwd });
    const before = await filesBelow(`${cwd}/short`);
    const again = await vapo(["train", "--resume", "short"], { cwd });
    assertEquals([again.code, again.stderr], [0, ""]);
    assertMatch(again.stdout, /^run short is complete: 1 of 1 steps are done\nnext: /);
    assertEquals(await filesBelow(`${cwd}/short`), before);
  }));

Deno.test("a picture that Ctrl-C cut short is what the resumed run begins with", () =>
  inTemporaryDirectory(async (cwd) => {
    const slow = set("training.sampleEvery=3", "sampling.n=2000", "sampling.steps=1000000");
    const run = startVapo([...endless, ...slow, "--out", "run"], { cwd });
    const metrics = () => Deno.readTextFile(`${cwd}/run/metrics.jsonl`).catch(() => "");
    while ((await metrics()).split("\n").length < 4) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    run.process.kill("SIGINT");
    const { code, stdout } = await run.end();
    assertEquals([code, stepOf(stdout.trimEnd().split("\n").at(-1)!)], [130, 3]);
    assertEquals(await Deno.stat(`${cwd}/run/samples`).catch(() => null), null);

    const config = JSON.parse(await Deno.readTextFile(`${cwd}/run/config.json`));
    config.training.steps = 4;
    config.sampling.steps = 2;
    await Deno.writeTextFile(`${cwd}/run/config.json`, JSON.stringify(config));
    const resumed = await vapo(["train", "--resume", "run", "--json"], { cwd });
    assertEquals([resumed.code, resumed.stderr], [0, ""]);
    const pictures = await Array.fromAsync(Deno.readDir(`${cwd}/run/samples`));
    assertEquals(pictures.map(({ name }) => name).sort(), [
      "step-00000003.png",
      "step-00000004.png",
    ]);
  }));

Deno.test("one process at a time: the second is refused, sampling is not", () =>
  inTemporaryDirectory(async (cwd) => {
    const first = startVapo([...endless, "--out", "run"], { cwd });
    await first.sees(/"event":"metrics"/);
    assertUserError(
      await vapo(["train", "--resume", "run"], { cwd }),
      new RegExp(`^vapo: run directory run is in use by process ${first.process.pid}: `),
    );
    const { code, stderr } = await vapo(["sample", "run", "--out", "a.npy"], { cwd });
    assertEquals([code, stderr], [0, ""]);
    first.process.kill("SIGKILL");
    await first.end();
    // The system has released the lock of the killed process.
    const next = startVapo(["train", "--resume", "run", "--json"], { cwd });
    assertStringIncludes(await next.sees(/./) ?? "", '"event":"start"');
    next.process.kill("SIGINT");
    assertEquals((await next.end()).code, 130);
  }));

Deno.test("two processes that start at once get different default directories", () =>
  inTemporaryDirectory(async (cwd) => {
    const args = ["train", ...small, "--steps", "1"];
    const both = await Promise.all([vapo(args, { cwd }), vapo(args, { cwd })]);
    const directories = both.map(({ stdout }) => JSON.parse(stdout.split("\n")[0]).directory);
    assertEquals(directories.sort(), ["runs/8gaussians", "runs/8gaussians-2"]);
  }));

/** Draws in [0, 1) (mulberry32), so that a failure can be repeated as far as the clock allows. */
function uniformDraws(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let word = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Kills a program: while it starts, or while it trains. */
async function killSometime(run: Running, draw: () => number): Promise<void> {
  const starting = draw() < 0.2;
  if (!starting) await run.sees(/"event":"start"/);
  await new Promise((resolve) => setTimeout(resolve, 500 * draw()));
  try {
    run.process.kill("SIGKILL");
  } catch {
    // It had come to its end already.
  }
  await run.end();
}

Deno.test("killed twenty times at random moments, a run is the one that never was", () =>
  inTemporaryDirectory(async (cwd) => {
    // Half of its time this run writes checkpoints and pictures.
    const often = set("training.checkpointEvery=2", "training.sampleEvery=5");
    const args = ["train", ...small, ...often, "--steps", "150", "--out"];
    const { code, stderr } = await vapo([...args, "whole"], { cwd });
    assertEquals(code, 0, stderr);
    const whole = await outcome(`${cwd}/whole`);
    const wholeMetrics = new TextDecoder().decode(whole.get("metrics.jsonl"));

    const draw = uniformDraws(20240715);
    let kills = 0, runs = 0;
    const resumeOrStart = async (name: string) =>
      await Deno.stat(`${cwd}/${name}/config.json`).then(
        () => ["train", "--resume", name, "--json"],
        () => [...args, name],
      );
    while (kills < 20) {
      const name = `run-${++runs}`;
      for (; kills < 20; kills++) {
        const running = startVapo(await resumeOrStart(name), { cwd });
        await killSometime(running, draw);
        // Whatever the moment: what is there so far is the beginning of the whole.
        const metrics = await Deno.readTextFile(`${cwd}/${name}/metrics.jsonl`).catch(() => "");
        assert(wholeMetrics.startsWith(metrics), `after ${kills + 1} kills:\n${metrics}`);
        if (metrics === wholeMetrics) break;
      }
      const { code, stderr } = await vapo(await resumeOrStart(name), { cwd });
      assertEquals([code, stderr], [0, ""]);
      assertEquals(await outcome(`${cwd}/${name}`), whole);
    }
  }));

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { bugTeller } from "../../cli/train_report.ts";
import { mnistFileReader } from "../../cli/mnist_files.ts";
import { VapoError } from "../../core/errors.ts";
import { assertUserError, inTemporaryDirectory, set, startVapo, tiny, vapo } from "./program.ts";
import { prepareUntrainedNetwork } from "./untrained_network.ts";

/** A run of digits of a second or two. */
const digits = [
  ...["mnist16", "--steps", "6", "--batch", "8", "--device", "wasm"],
  ...set("potential.channels=4", "potential.multipliers=[1]", "sampling.n=4"),
  ...set("sampling.solver=heun", "sampling.steps=3", "sampling.batchSize=16"),
  ...set("training.checkpointEvery=2", "training.logEvery=1"),
];
const everySecond = ["--eval-every", "2", "--eval-n", "24"];
const weights = "data/mnist-features/weights.safetensors";

/** Prepares a network, and the first 300 digits to train on and to compare with. */
async function prepare(cwd: string): Promise<string[]> {
  await prepareUntrainedNetwork(cwd);
  const file = "train-images-idx3-ubyte", count = 300;
  const bytes = (await mnistFileReader()(file)).slice(0, 16 + count * 28 * 28);
  new DataView(bytes.buffer).setUint32(4, count);
  await Deno.mkdir(`${cwd}/digits`);
  await Deno.writeFile(`${cwd}/digits/${file}`, bytes);
  return [...digits, "--data", "digits"];
}

interface Line {
  readonly step: number;
  readonly metric: string;
  readonly value: number;
  readonly of: Record<string, unknown>;
}

async function evaluationsOf(run: string): Promise<Line[]> {
  const text = await Deno.readTextFile(`${run}/evaluations.jsonl`);
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

/** Turns a bit of a file; done twice, the file is as before. */
async function damage(file: string): Promise<void> {
  const bytes = await Deno.readFile(file);
  bytes[bytes.length - 9] ^= 1;
  await Deno.writeFile(file, bytes);
}

async function namesIn(directory: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name);
}

Deno.test("what cannot be measured on the way is refused before there is a run", () =>
  inTemporaryDirectory(async (cwd) => {
    const cases: [string[], RegExp][] = [
      [["--eval-every", "2", "--eval-metric", "fid"], /"8gaussians", which are points.*nll/],
      [["--eval-every", "2", "--eval-metric", "kid"], /evaluation\.metric is "kid"/],
      [["--eval-every", "2", "--eval-features", "inception"], /leave --eval-features out/],
      [["--eval-n", "50"], /--eval-n 50 has no use: .*add --eval-every STEPS, or leave it out/],
      [["--eval-metric", "nll", "--eval-every", "0"], /--eval-metric nll has no use/],
      [["--eval-features", "inception"], /--eval-features inception has no use/],
      [["--eval-every", "-1"], /Expected a whole number from 0 on/],
    ];
    for (const [args, message] of cases) {
      assertUserError(await vapo(["train", ...tiny, ...args, "--out", "run"], { cwd }), message);
    }
    for (
      const [features, command] of [["classifier", "mnist-features"], [
        "inception",
        "inception --source FILE",
      ]]
    ) {
      assertUserError(
        await vapo(["train", ...digits, ...everySecond, "--eval-features", features], { cwd }),
        new RegExp(`make it by "vapo data ${command}.*"; or .*--eval-every 0`),
      );
    }
    assertEquals(await namesIn(cwd), []);
  }));

Deno.test("a network or a cache that is of no use is refused at the start, not after many steps", () =>
  inTemporaryDirectory(async (cwd) => {
    const args = ["train", ...await prepare(cwd), ...everySecond, "--out", "run"];
    await Deno.writeTextFile(`${cwd}/data/features`, "no directory");
    const blocked = await vapo(args, { cwd });
    assertEquals(blocked.code, 2);
    assertMatch(blocked.stderr, /\nvapo: cannot read data\/features.*; or .*--eval-every 0\n$/);
    await Deno.remove(`${cwd}/data/features`);
    await damage(`${cwd}/${weights}`);
    const damaged = await vapo(args, { cwd });
    assertEquals(damaged.code, 2);
    assertMatch(
      damaged.stderr,
      /\nvapo: data\/mnist-features\/weights.* is damaged.*--eval-every 0\n$/,
    );
    // Nothing is in the way of the next try.
    await damage(`${cwd}/${weights}`);
    const mended = await vapo(args, { cwd });
    assertEquals(mended.code, 0, mended.stderr);
  }));

Deno.test("weights that are damaged on the way cost evaluations, not the run", () =>
  inTemporaryDirectory(async (cwd) => {
    const args = [
      "train",
      ...await prepare(cwd),
      ...everySecond,
      "--steps",
      "30",
      "--json",
      "--out",
      "run",
    ];
    const running = startVapo(args, { cwd });
    await running.sees(/"event":"evaluation"/);
    await damage(`${cwd}/${weights}`);
    const { code, stdout, stderr } = await running.end();
    assertEquals([code, stderr], [0, ""]);
    const events = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    const notices = events.filter(({ event }) => event === "notice");
    assert(notices.length > 0);
    for (const { message } of notices) {
      assertMatch(
        message,
        /^no frechet-classifier at step \d+: data\/mnist-features\/weights.*damaged/,
      );
    }
    assertEquals(events.at(-1), { ...events.at(-1), event: "end", step: 30, finished: true });
    const lines = await evaluationsOf(`${cwd}/run`);
    assertEquals(lines.length + notices.length, 15);
    const sampled = await vapo(["sample", "run", "--checkpoint", "best", "--n", "4"], { cwd });
    assertEquals(sampled.code, 0, sampled.stderr);
  }));

Deno.test("killed in an evaluation, a run goes on to the evaluations that it would have had", () =>
  inTemporaryDirectory(async (cwd) => {
    const args = ["train", ...await prepare(cwd), "--eval-every", "2", "--eval-n", "200", "--out"];
    const whole = await vapo([...args, "whole"], { cwd });
    assertEquals(whole.code, 0, whole.stderr);
    const { process } = startVapo([...args, "parts", "--json"], { cwd });
    // A checkpoint is there before the evaluation of its step begins.
    const saved = `${cwd}/parts/checkpoints/step-00000004`;
    while (!await Deno.stat(saved).then(() => true, () => false)) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    process.kill("SIGKILL");
    await process.status;
    assertEquals((await evaluationsOf(`${cwd}/parts`)).map(({ step }) => step), [2]);
    const resumed = await vapo(["train", "--resume", "parts"], { cwd });
    assertEquals(resumed.code, 0, resumed.stderr);
    for (const file of ["evaluations.jsonl", "checkpoints/best/state.json", "metrics.jsonl"]) {
      assertEquals(
        await Deno.readTextFile(`${cwd}/parts/${file}`),
        await Deno.readTextFile(`${cwd}/whole/${file}`),
      );
    }
  }));

Deno.test("what is measured may change where a run goes on, or end; other values are not compared", () =>
  inTemporaryDirectory(async (cwd) => {
    const stopped = async (...args: string[]) => {
      const running = startVapo(["train", "--json", ...args], { cwd });
      await running.sees(/"event":"evaluation"/);
      running.process.kill("SIGINT");
      return await running.end();
    };
    const endless = [...tiny, "--steps", "1000000", "--eval-every", "5", "--out", "run"];
    assertEquals((await stopped(...endless, "--eval-n", "16")).code, 130);
    const other = await stopped("--resume", "run", "--eval-n", "32", "--eval-every", "7");
    assertEquals(other.code, 130);
    assertMatch(
      other.stdout,
      /"event":"notice","message":"evaluations are others .*n 32, before 16/,
    );
    const lines = await evaluationsOf(`${cwd}/run`);
    assertEquals([lines[0].of.n, lines.at(-1)!.of.n], [16, 32]);
    const best = JSON.parse(await Deno.readTextFile(`${cwd}/run/checkpoints/best/state.json`));
    assertEquals(best.of, lines.at(-1)!.of);

    const refused = await vapo(["train", "--resume", "run", "--eval-every", "0", "--eval-n", "8"], {
      cwd,
    });
    assertUserError(refused, /--eval-n 8 has no use/);
    const { process, sees, end } = startVapo(
      ["train", "--resume", "run", "--eval-every", "0", "--json"],
      { cwd },
    );
    await sees(/"event":"metrics"/);
    process.kill("SIGINT");
    const { stdout } = await end();
    assert(!stdout.includes('"event":"evaluation"'), stdout);
    assertEquals(await evaluationsOf(`${cwd}/run`), lines);
    const { evaluation } = JSON.parse(await Deno.readTextFile(`${cwd}/run/config.json`));
    assertEquals(evaluation, { every: null, n: 32, metric: null, features: null });
  }));

Deno.test("a run whose own solver is stochastic is evaluated on the way", () =>
  inTemporaryDirectory(async (cwd) => {
    const sampling = set("sampling.solver=stochastic-heun", "sampling.until=null");
    const args = ["train", ...await prepare(cwd), ...sampling, ...everySecond, "--out", "run"];
    const { code, stderr } = await vapo(args, { cwd });
    assertEquals(code, 0, stderr);
    assert(!stderr.includes("no frechet-classifier"), stderr);
    const lines = await evaluationsOf(`${cwd}/run`);
    assertEquals(lines.map(({ step, of }) => [step, of.solver, of.until]), [
      [2, "stochastic-heun", null],
      [4, "stochastic-heun", null],
      [6, "stochastic-heun", null],
    ]);
  }));

Deno.test("a bug that does not stop the run is told with its stack, once", () => {
  const lines: string[] = [], tell = bugTeller((line) => lines.push(line));
  tell(undefined);
  assertEquals(lines, []);
  tell(new TypeError("x is undefined"));
  assertStringIncludes(lines[0], "this is a bug; please report it");
  assertStringIncludes(lines[1], "TypeError: x is undefined");
  assertStringIncludes(lines[2], "training_evaluation_test.ts");
  const told = lines.length;
  tell(new VapoError("another"));
  assertEquals(lines.length, told);
});

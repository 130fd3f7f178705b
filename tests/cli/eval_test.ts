import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type EvaluationDocument, evaluationSchema } from "../../core/evaluation/document.ts";
import {
  assertUserError,
  type Finished,
  inTemporaryDirectory,
  startVapo,
  tiny,
  vapo,
} from "./program.ts";

/** Runs a test beside a tiny trained run of points called `run`. */
function withRun(test: (cwd: string) => Promise<void>): Promise<void> {
  return inTemporaryDirectory(async (cwd) => {
    const { code, stderr } = await vapo(["train", ...tiny, "--out", "run"], { cwd });
    assertEquals(code, 0, stderr);
    await test(cwd);
  });
}

/** Asserts that a program ended with a user's error that has these parts. */
function assertSays(finished: Finished, ...parts: string[]): void {
  assertUserError(finished, /./);
  for (const part of parts) assertStringIncludes(finished.stderr, part);
}

async function readDocument(directory: string): Promise<EvaluationDocument> {
  return evaluationSchema.parse(JSON.parse(await Deno.readTextFile(`${directory}/eval.json`)));
}

const place = "run/evaluation/step-00000020";

Deno.test("eval of points writes numbers, pictures and a report, and measures nothing twice", () =>
  withRun(async (cwd) => {
    const first = await vapo(["eval", "run", "energy", "nll", "--n", "64"], { cwd });
    assertEquals(first.code, 0, first.stderr);
    assertMatch(first.stdout, /negative log-likelihood +\d/);
    assertStringIncludes(first.stdout, `  ${place}/report.html\n`);
    const document = await readDocument(`${cwd}/${place}`);
    // In the metrics' own order, whatever the command line's.
    assertEquals(document.results.map(({ metric }) => metric), ["nll", "energy"]);
    assertEquals(document.checkpoint.step, 20);
    const report = await Deno.readTextFile(`${cwd}/${place}/report.html`);
    for (const { pictures, title } of document.results) {
      for (const { file } of pictures) {
        assert((await Deno.stat(`${cwd}/${place}/${file}`)).size > 0);
      }
      assertStringIncludes(report, title);
    }
    assert(
      !/<script|(?:src|href)="(?!data:|#)/.test(report.replaceAll(/href="https?:[^"]*"/g, "")),
    );

    const again = await vapo(["eval", "run", "nll", "--n", "64"], { cwd });
    assertStringIncludes(again.stderr, "nll: measured before; --again measures it anew");
    assertEquals(await readDocument(`${cwd}/${place}`), document);
    // Another n is another result, beside the first.
    const more = await vapo(["eval", "run", "nll", "--n", "32", "--json"], { cwd });
    assertEquals(JSON.parse(more.stdout).options.n, 32);
    const { results } = await readDocument(`${cwd}/${place}`);
    assertEquals(results.map(({ metric, options }) => `${metric} ${options.n}`), [
      "nll 64",
      "nll 32",
      "energy 64",
    ]);
  }));

Deno.test("solvers of points: errors and distances in a table and a plot, found again when stopped", () =>
  withRun(async (cwd) => {
    const args = ["eval", "run", "solvers", "--n", "16", "--json"];
    const { code, stdout, stderr } = await vapo(args, { cwd });
    assertEquals(code, 0, stderr);
    const { tables, pictures } = JSON.parse(stdout);
    assertEquals(pictures.length, 1);
    assertMatch(await Deno.readTextFile(`${cwd}/${place}/${pictures[0].file}`), /^<svg /);
    const solvers = new Set(tables[0].rows.map(([name]: string[]) => name));
    for (const name of ["euler", "heun", "rk4", "rk45", "dop853", "radau"]) {
      assert(solvers.has(name), name);
    }
    // What is kept of each solver is what it was.
    const again = await vapo([...args, "--again"], { cwd });
    assertEquals(JSON.parse(again.stdout).tables, tables);
  }));

Deno.test("what a result is a function of is all of its options", () =>
  withRun(async (cwd) => {
    const measured = async (...args: string[]) => {
      const { code, stderr } = await vapo(["eval", "run", "energy", "--n", "32", ...args], { cwd });
      assertEquals(code, 0, stderr);
      return !stderr.includes("measured before");
    };
    const settings = [
      [],
      ["--solver", "rk45"],
      ["--solver", "rk45", "--steps", "7"],
      ["--solver", "rk45", "--rtol", "1e-2"],
      ["--solver", "euler-maruyama", "--steps", "5"],
      ["--solver", "euler-maruyama", "--steps", "5", "--noise", "2"],
      ["--until", "0.5"],
      ["--seed", "8"],
      ["--batch", "5"],
      ["--device", "cpu"],
    ];
    for (const args of settings) assert(await measured(...args), args.join(" "));
    for (const args of settings) assert(!await measured(...args), args.join(" "));
    // The run's own four steps of Heun, by name.
    assert(!await measured("--solver", "heun", "--steps", "4"));
  }));

Deno.test("a report and pictures that are gone are made again, the report from what is known", () =>
  withRun(async (cwd) => {
    assertEquals((await vapo(["eval", "run", "nll", "--n", "16"], { cwd })).code, 0);
    await Deno.remove(`${cwd}/${place}/report.html`);
    const { stdout } = await vapo(["eval", "run", "nll", "--n", "16"], { cwd });
    assertStringIncludes(stdout, `  ${place}/report.html\n`);
    assertStringIncludes(
      await Deno.readTextFile(`${cwd}/${place}/report.html`),
      "Negative log-likelihood",
    );
  }));

Deno.test("Ctrl-C ends an evaluation with 130, and the same command goes on with it", () =>
  withRun(async (cwd) => {
    const args = ["eval", "run", "solvers", "--n", "4000"];
    const { process } = startVapo(args, { cwd });
    const cache = `${cwd}/run/evaluation/cache`;
    const rows = async () => (await Array.fromAsync(Deno.readDir(cache)).catch(() => [])).length;
    while (await rows() < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    process.kill("SIGINT");
    assertEquals((await process.status).code, 130);
    const kept = await rows();
    const resumed = await vapo(["eval", "run", "energy", "--n", "16"], { cwd });
    assertEquals(resumed.code, 0, resumed.stderr);
    assert(await rows() >= kept);
  }));

Deno.test("two evaluations at once lose nothing of each other's", () =>
  withRun(async (cwd) => {
    const both = await Promise.all([
      vapo(["eval", "run", "energy", "--n", "64"], { cwd }),
      vapo(["eval", "run", "nll", "interpolate", "--n", "64"], { cwd }),
    ]);
    for (const { code, stderr } of both) assertEquals(code, 0, stderr);
    const { results } = await readDocument(`${cwd}/${place}`);
    assertEquals(results.map(({ metric }) => metric).sort(), ["energy", "interpolate", "nll"]);
    const report = await Deno.readTextFile(`${cwd}/${place}/report.html`);
    for (const { title } of results) assertStringIncludes(report, title);
  }));

Deno.test("what eval cannot do is said in a line", () =>
  withRun(async (cwd) => {
    const cases: [string[], string[]][] = [
      [["eval"], ["no run named"]],
      [["eval", "run"], ["no metric named", "nll, energy, interpolate, solvers, or all"]],
      [["eval", "run", "fdi"], ['metric "fdi" is not known', "expected fid"]],
      [["eval", "run", "fid"], ["fid is of images", '"8gaussians" are points']],
      [["eval", "run", "nll", "--features", "inception"], ["--features has no use", "points"]],
      [["eval", "run", "nll", "--reference-n", "5"], ["--reference-n has no use"]],
      [["eval", "run", "nll", "--checkpoint", "best"], ["no best checkpoint"]],
      [["eval", "run", "nll", "--checkpoint", "3"], ["no checkpoint of step 3"]],
      [["eval", "run", "nll", "--force"], ["--force without --make-stats"]],
      [["eval", "run", "nll", "--stats", "a.npz"], ["--stats", "nll"]],
      [["eval", "run", "--make-stats", "cifar10"], ["run with --make-stats", "leave it out"]],
      [["eval", "--make-stats", "mnist", "--reference", "test"], ["--reference", "--split"]],
      [["eval", "--make-stats", "cifar10"], ["needs --out FILE"]],
      [["eval", "--make-stats", "cifar10", "--out", "a.zip"], ["expected .npz"]],
      [["eval", "--make-stats", "cifra10", "--out", "a.npz"], ['no data set "cifra10"', "cifar10"]],
      [["eval", "nowhere", "nll"], ["nowhere", "no such file"]],
    ];
    for (const [args, parts] of cases) assertSays(await vapo(args, { cwd }), ...parts);
  }));

Deno.test("an evaluation's directory is not taken for another's, and damage is named", () =>
  withRun(async (cwd) => {
    const to = ["nll", "--n", "16", "--out", "out"];
    assertEquals((await vapo(["eval", "run", ...to, "--checkpoint", "20"], { cwd })).code, 0);
    const other = await vapo(["train", ...tiny, "--seed", "5", "--out", "other"], { cwd });
    assertEquals(other.code, 0, other.stderr);
    const before = await Deno.readTextFile(`${cwd}/out/eval.json`);
    assertSays(
      await vapo(["eval", "other", ...to], { cwd }),
      "out has the evaluation of other parameters",
      "--out",
    );
    assertEquals(await Deno.readTextFile(`${cwd}/out/eval.json`), before);
    await Deno.writeTextFile(
      `${cwd}/out/eval.json`,
      before.replace('"version": 1', '"version": 9'),
    );
    assertSays(
      await vapo(["eval", "run", ...to], { cwd }),
      "out/eval.json is damaged",
      "version",
    );
  }));

Deno.test("a run that evaluates on the way keeps its best checkpoint, and goes on with it", () =>
  inTemporaryDirectory(async (cwd) => {
    const every = ["--eval-every", "10", "--eval-n", "64"];
    const { code, stderr } = await vapo(["train", ...tiny, ...every, "--out", "run"], { cwd });
    assertEquals(code, 0, stderr);
    assertMatch(stderr, /nll [\d.]+ at step 10, the best so far/);
    const lines = (await Deno.readTextFile(`${cwd}/run/evaluations.jsonl`)).trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    assertEquals(lines.map(({ step, metric }) => [step, metric]), [[10, "nll"], [20, "nll"]]);
    const best = lines.reduce((a, b) => b.value < a.value ? b : a).step;
    const sampled = await vapo(["sample", "run", "--checkpoint", "best", "--n", "4"], { cwd });
    assertStringIncludes(sampled.stdout, `4 samples of step ${best}`);
    const { evaluation } = JSON.parse(await Deno.readTextFile(`${cwd}/run/config.json`));
    assertEquals(evaluation, { every: 10, n: 64, metric: null, features: null });
  }));

Deno.test("a network that is not prepared is named before a run is made", () =>
  inTemporaryDirectory(async (cwd) => {
    const args = ["train", "mnist16", "--eval-every", "10", "--steps", "20", "--out", "run"];
    assertSays(
      await vapo(args, { cwd }),
      "data/mnist-features",
      'make it by "vapo data mnist-features"',
    );
    const names = (await Array.fromAsync(Deno.readDir(cwd))).map(({ name }) => name);
    assert(!names.includes("run"));
  }));

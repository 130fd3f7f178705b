import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { decode } from "fast-png";
import { type EvaluationDocument, evaluationSchema } from "../../core/evaluation/document.ts";
import { reproducingCommands } from "../../core/evaluation/report_commands.ts";
import { fileOfBytes } from "../../core/formats/random_access.ts";
import { readStatistics } from "../../core/metrics/statistics_file.ts";
import { inTemporaryDirectory, set, startVapo, vapo } from "./program.ts";
import { prepareUntrainedNetwork } from "./untrained_network.ts";

const small = [
  ...["mnist16", "--steps", "4", "--batch", "8", "--device", "wasm", "--out", "run"],
  ...set("potential.channels=4", "potential.multipliers=[1]", "sampling.n=4"),
  ...set("sampling.solver=heun", "sampling.steps=3", "sampling.batchSize=16"),
];

/** Runs a test beside a tiny run of digits called `run` and a network for features. */
function withRun(test: (cwd: string) => Promise<void>): Promise<void> {
  return inTemporaryDirectory(async (cwd) => {
    const { code, stderr } = await vapo(["train", ...small], { cwd });
    assertEquals(code, 0, stderr);
    await prepareUntrainedNetwork(cwd);
    await test(cwd);
  });
}

const place = "run/evaluation/step-00000004";

async function readDocument(cwd: string): Promise<EvaluationDocument> {
  return evaluationSchema.parse(JSON.parse(await Deno.readTextFile(`${cwd}/${place}/eval.json`)));
}

Deno.test("every metric of images: numbers, pictures, a report; features are kept", () =>
  withRun(async (cwd) => {
    const names = ["fid", "kid", "is", "prdc", "nll", "ood", "energy", "neighbours", "interpolate"];
    const args = ["eval", "run", ...names, "--n", "24", "--reference-n", "100"];
    const { code, stdout, stderr } = await vapo(args, { cwd });
    assertEquals(code, 0, stderr);
    const { results } = await readDocument(cwd);
    // No result in a classifier's features has the name of one in Inception's.
    assertEquals(results.map(({ metric }) => metric), [
      ...["frechet-classifier", "kernel-classifier", "classifier-score"],
      ...names.slice(3),
    ]);
    for (const { metric, measurements, pictures, options } of results) {
      assert(
        measurements.length > 0 && measurements.every(({ value }) => Number.isFinite(value)),
        metric,
      );
      assertEquals(options.n, 24);
      for (const { file } of pictures) {
        const bytes = await Deno.readFile(`${cwd}/${place}/${file}`);
        if (file.endsWith(".png")) assert(decode(bytes).width > 50);
        else assertMatch(new TextDecoder().decode(bytes), /^<svg /);
      }
    }
    // Fashion-MNIST is not prepared here: said, and no reason to stop.
    assertMatch(stderr, /Left out: fashion-mnist, since data\/fashion-mnist is not there/);
    assert(!/\bFID\b|inception distance/i.test(stdout.replaceAll(/no FID|not Inception/g, "")));
    const report = await Deno.readTextFile(`${cwd}/${place}/report.html`);
    for (const { title } of results) assertStringIncludes(report, title);

    // What the report says to type computes nothing else than what is there.
    for (const words of reproducingCommands(await readDocument(cwd), "run")) {
      const typed = words.flatMap((part) => part.split(" ")).slice(1)
        .filter((word) => word !== "--average" && word !== "0.999");
      const { stderr, code } = await vapo(typed, { cwd });
      assertEquals(code, 0, stderr);
      const found = stderr.match(/measured before/g)?.length ?? 0;
      const metrics = typed.slice(2, typed.findIndex((word) => word.startsWith("--")));
      // "ood" left a set out, and is measured each time: it may be there now.
      assertEquals(found, metrics.filter((name) => name !== "ood").length, stderr);
    }

    const again = await vapo([...args, "--again"], { cwd });
    assertEquals(again.code, 0, again.stderr);
    const values = (document: EvaluationDocument) =>
      document.results.map(({ metric, measurements }) => [metric, measurements]);
    assertEquals(values(await readDocument(cwd)), values({ results } as EvaluationDocument));
  }));

Deno.test("statistics of a data set are written, and a run is compared with them", () =>
  withRun(async (cwd) => {
    const make = ["eval", "--make-stats", "mnist16", "--n", "150", "--out", "stats.npz"];
    const made = await vapo(make, { cwd });
    assertEquals(made.code, 0, made.stderr);
    assertStringIncludes(made.stdout, "statistics of 128 features of 150 images, mnist train");
    const bytes = await Deno.readFile(`${cwd}/stats.npz`);
    const { mean, covariance } = await readStatistics(fileOfBytes(bytes, "stats.npz"));
    assertEquals([mean.length, covariance.length], [128, 128 ** 2]);
    const twice = await vapo(make, { cwd });
    assertMatch(
      twice.stderr,
      /file stats.npz is there already: choose another name, or use --force/,
    );

    const fid = async (...more: string[]) => {
      const args = ["eval", "run", "fid", "--n", "24", "--json", ...more];
      const { code, stdout, stderr } = await vapo(args, { cwd });
      assertEquals(code, 0, stderr);
      return JSON.parse(stdout).measurements[0].value;
    };
    // The same images, through the file and not; others are another result.
    const [byFile, byImages, byOthers] = [
      await fid("--stats", "stats.npz"),
      await fid("--reference-n", "150"),
      await fid("--reference-n", "140"),
    ];
    assert(Math.abs(byFile / byImages - 1) < 1e-9, `${byFile} and ${byImages}`);
    assert(Math.abs(byOthers / byImages - 1) > 1e-6, `${byOthers} and ${byImages}`);
    const kid = await vapo(["eval", "run", "kid", "--n", "24", "--stats", "stats.npz"], { cwd });
    assertMatch(kid.stderr, /--stats stats.npz with kid: statistics have no images/);
  }));

Deno.test("an evaluation that is killed goes on with what it has, to the same numbers", () =>
  withRun(async (cwd) => {
    const args = ["eval", "run", "is", "--n", "1600", "--json"];
    const cache = `${cwd}/run/evaluation/cache`;
    const parts = async () => {
      const names = await Array.fromAsync(Deno.readDir(cache)).catch(() => []);
      return names.filter(({ name }) => name.startsWith("samples-") && /rows/.test(name)).length;
    };
    const { process } = startVapo(args, { cwd });
    while (await parts() < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    process.kill("SIGKILL");
    await process.status;
    const kept = await parts();
    assert(kept >= 3 && kept < 100, `${kept} parts are there`);
    const resumed = await vapo(args, { cwd });
    assertEquals(resumed.code, 0, resumed.stderr);

    await Deno.remove(cache, { recursive: true });
    const whole = await vapo([...args, "--again"], { cwd });
    const { measurements } = JSON.parse(whole.stdout);
    assertEquals(JSON.parse(resumed.stdout).measurements, measurements);
  }));

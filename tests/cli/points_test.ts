/** @file Runs on points that somebody has drawn, and on distributions with another noise and weights. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { evaluationSchema } from "../../core/evaluation/document.ts";
import { decodeNpy } from "../../core/formats/npy.ts";
import { assertUserError, filesBelow, inTemporaryDirectory, set, tiny, vapo } from "./program.ts";

const points = "[[40,40],[41,41]]";
const drawn = set(
  "data.name=points",
  `data.distribution={"points":${points},"weights":[1,3],"noise":0.5}`,
);

Deno.test("a run on drawn points trains, goes on exactly, samples and is evaluated", () =>
  inTemporaryDirectory(async (cwd) => {
    const args = ["train", "rings", ...tiny, ...drawn, "--json"];
    const whole = await vapo([...args, "--out", "run"], { cwd });
    assertEquals(whole.code, 0, whole.stderr);
    // Mixtures alone have a least loss to compare with.
    assertStringIncludes(await Deno.readTextFile(`${cwd}/run/metrics.jsonl`), '"excess":');
    const config = JSON.parse(await Deno.readTextFile(`${cwd}/run/config.json`));
    assertEquals([config.preset, config.data.name], ["rings", "points"]);
    assertEquals(config.data.distribution, {
      noise: 0.5,
      weights: [1, 3],
      points: JSON.parse(points),
    });

    // From the checkpoint in the middle the end is the same, byte for byte.
    const before = await filesBelow(`${cwd}/run/checkpoints`);
    await Deno.remove(`${cwd}/run/checkpoints/step-00000020`, { recursive: true });
    const resumed = await vapo(["train", "--resume", "run", "--json"], { cwd });
    assertEquals(resumed.code, 0, resumed.stderr);
    assertEquals(await filesBelow(`${cwd}/run/checkpoints`), before);

    const sampled = await vapo(["sample", "run", "--n", "9", "--out", "samples.npy"], { cwd });
    assertEquals(sampled.code, 0, sampled.stderr);
    assertEquals(decodeNpy(await Deno.readFile(`${cwd}/samples.npy`)).shape, [9, 2]);

    const evaluated = await vapo(["eval", "run", "nll", "energy", "--n", "200"], { cwd });
    assertEquals(evaluated.code, 0, evaluated.stderr);
    const document = evaluationSchema.parse(
      JSON.parse(await Deno.readTextFile(`${cwd}/run/evaluation/step-00000020/eval.json`)),
    );
    // The least there is: the entropy of two Gaussians of deviation ½ that overlap, below that of two
    // which do not and above that of one.
    const { measurements } = document.results.find(({ metric }) => metric === "nll")!;
    const { value } = measurements.find(({ label }) => label.includes("the least there is"))!;
    const one = Math.log(2 * Math.PI * Math.E * 0.25);
    assert(value > one - 0.3 && value < one + 0.5623 + 0.3, `${value}`);
    assertEquals(document.run.data, "points");
  }));

Deno.test("another noise and other weights of a distribution are kept in the run's configuration", () =>
  inTemporaryDirectory(async (cwd) => {
    const changes = set("data.distribution.noise=0.2", "data.distribution.weights=[1,2,0,4]");
    const run = await vapo(["train", "rings", ...tiny, ...changes, "--out", "run"], { cwd });
    assertEquals(run.code, 0, run.stderr);
    assertMatch(await Deno.readTextFile(`${cwd}/run/config.json`), /"noise": 0\.2/);
    const plain = await vapo(["train", "rings", ...tiny, "--out", "plain"], { cwd });
    assertEquals(plain.code, 0, plain.stderr);
    const state = (name: string) =>
      Deno.readFile(`${cwd}/${name}/checkpoints/step-00000020/state.safetensors`);
    assert(String(await state("run")) !== String(await state("plain")), "they learned the same");
  }));

Deno.test("points that are missing, and a directory for points, are one line", () =>
  inTemporaryDirectory(async (cwd) => {
    const said = async (...args: string[]) =>
      await vapo(["train", ...tiny, "--out", "run", ...args], { cwd });
    assertUserError(
      await said(...set("data.name=points")),
      /data\.distribution\.points is null for data "points": expected 1 to 4096 points/,
    );
    assertUserError(await said(...drawn, "--data", "somewhere"), /which is drawn, not read/);
    const swissroll = set("data.name=swissroll", "data.distribution.weights=[1,2]");
    assertUserError(await said(...swissroll), /expected null, for it has none/);
  }));

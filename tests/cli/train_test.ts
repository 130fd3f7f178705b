import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { decode } from "fast-png";
import { filesBelow, inTemporaryDirectory, root, set, tiny, vapo } from "./program.ts";

function parsedLines(text: string): Record<string, unknown>[] {
  assert(text.endsWith("\n"));
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

Deno.test("train leaves a run directory and says what to type next", () =>
  inTemporaryDirectory(async (cwd) => {
    const { code, stdout, stderr } = await vapo(["train", ...tiny], { cwd });
    assertEquals(code, 0, stderr);
    assertMatch(stdout, /^trained 20 steps in 0:\d\d; in runs\/8gaussians:\n/);
    assertMatch(stdout, /\nnext: vapo sample runs\/8gaussians\n$/);
    // No terminal: plain lines, nothing that moves a cursor.
    assertMatch(
      stderr,
      /^run {5}runs\/8gaussians\ndevice {2}wasm\nmemory {2}[\d.]+ [KM]iB of 4 GiB\n/,
    );
    assertMatch(stderr, /\n8gaussians .* 20\/20 {2}loss -?[\d.]+ .* steps\/s\n$/);
    // deno-lint-ignore no-control-regex -- control characters are what must not be there
    assert(!/[\x00-\x09\x0b-\x1f]/.test(stdout + stderr));

    const files = await filesBelow(`${cwd}/runs/8gaussians`);
    assertEquals([...files.keys()], [
      "checkpoints/step-00000000/state.json",
      "checkpoints/step-00000000/state.safetensors",
      "checkpoints/step-00000010/state.json",
      "checkpoints/step-00000010/state.safetensors",
      "checkpoints/step-00000020/state.json",
      "checkpoints/step-00000020/state.safetensors",
      "config.json",
      "metrics.jsonl",
      "samples/step-00000020.png",
      "speed.jsonl",
    ]);
    const metrics = parsedLines(new TextDecoder().decode(files.get("metrics.jsonl")));
    assertEquals(metrics.map(({ step }) => step), [5, 10, 15, 20]);
    const picture = decode(files.get("samples/step-00000020.png")!);
    assert(picture.width >= 100 && picture.height >= 100);
  }));

Deno.test("train --json prints JSON objects and nothing else", () =>
  inTemporaryDirectory(async (cwd) => {
    const { code, stdout, stderr } = await vapo(["train", "rings", ...tiny, "--json"], { cwd });
    assertEquals([code, stderr], [0, ""]);
    const lines = parsedLines(stdout);
    assertEquals(lines.map(({ event, step }) => [event, step]), [
      ["start", 0],
      ["ready", undefined],
      ...[5, 10, 15, 20].map((step) => ["metrics", step]),
      ["end", 20],
    ]);
    assertEquals([lines[0].directory, lines[0].device], ["runs/rings", "wasm"]);
    assertEquals(lines.at(-1)!.finished, true);
  }));

Deno.test("the default directory is the first that is not there", () =>
  inTemporaryDirectory(async (cwd) => {
    await Deno.mkdir(`${cwd}/runs/2moons-2`, { recursive: true });
    for (const name of ["2moons", "2moons-3"]) {
      const { stdout } = await vapo(["train", "2moons", ...tiny, "--steps", "1"], { cwd });
      assertStringIncludes(stdout, `vapo sample runs/${name}\n`);
    }
    assertEquals(await Array.fromAsync(Deno.readDir(`${cwd}/runs/2moons-2`)), []);
  }));

Deno.test("--out takes a directory that is empty, or where a run was killed at its start", () =>
  inTemporaryDirectory(async (cwd) => {
    await Deno.mkdir(`${cwd}/a`);
    await Deno.writeTextFile(`${cwd}/a/.lock`, "1\n");
    await Deno.writeTextFile(`${cwd}/a/.tmp-0123abcd-config.json`, "{");
    const { code, stderr } = await vapo(["train", ...tiny, "--steps", "1", "--out", "a"], { cwd });
    assertEquals(code, 0, stderr);
    const names = (await Array.fromAsync(Deno.readDir(`${cwd}/a`))).map(({ name }) => name).sort();
    assertEquals(names, [
      ".lock",
      "checkpoints",
      "config.json",
      "metrics.jsonl",
      "samples",
      "speed.jsonl",
    ]);
  }));

Deno.test("settings: preset, then --config, then flags, then --set", () =>
  inTemporaryDirectory(async (cwd) => {
    const overlay = {
      preset: "pinwheel",
      seed: 3,
      training: { steps: 11, batchSize: 7, logEvery: 2 },
      optimizer: { warmupSteps: 0 },
      potential: { hidden: [4] },
      sampling: { n: 4, solver: "euler", steps: 2 },
    };
    await Deno.writeTextFile(`${cwd}/overlay.json`, JSON.stringify(overlay));
    const flags = ["--config", "overlay.json", "--seed", "5", "--batch", "9", "--device", "cpu"];
    const args = ["train", ...flags, "--steps", "3", ...set("training.batchSize=8")];
    const { code, stderr } = await vapo(args, { cwd });
    assertEquals(code, 0, stderr);
    const config = JSON.parse(await Deno.readTextFile(`${cwd}/runs/pinwheel/config.json`));
    const { data, seed, device, training, potential } = config;
    assertEquals([data.name, seed, device], ["pinwheel", 5, "cpu"]);
    assertEquals([training.steps, training.batchSize, training.logEvery], [3, 8, 2]);
    assertEquals(potential.hidden, [4]);
  }));

Deno.test("a warm-up that would outlast --steps becomes a tenth of them", () =>
  inTemporaryDirectory(async (cwd) => {
    await vapo(["train", ...tiny, "--out", "a"], { cwd });
    const config = JSON.parse(await Deno.readTextFile(`${cwd}/a/config.json`));
    assertEquals(config.optimizer.warmupSteps, 2);
  }));

Deno.test("presets show NAME is a whole configuration for --config", () =>
  inTemporaryDirectory(async (cwd) => {
    const shown = await vapo(["presets", "show", "swissroll"], { cwd });
    await Deno.writeTextFile(`${cwd}/swissroll.json`, shown.stdout);
    const args = ["train", "--config", "swissroll.json", ...tiny, "--steps", "1", "--out", "a"];
    const { code, stderr } = await vapo(args, { cwd });
    assertEquals(code, 0, stderr);
    const config = JSON.parse(await Deno.readTextFile(`${cwd}/a/config.json`));
    assertEquals(config.preset, "swissroll");
    assertEquals(config.path, JSON.parse(shown.stdout).path);
  }));

Deno.test("deno task keeps to the directory that it was called in", () =>
  inTemporaryDirectory(async (cwd) => {
    const { INIT_CWD: _, ...env } = Deno.env.toObject();
    const task = new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", `--config=${root}deno.json`, "train", ...tiny, "--out", "my run"],
      cwd,
      // A task inside a task keeps the outer one's directory, and the tests may be run by a task.
      clearEnv: true,
      env,
    });
    const { code, stdout, stderr } = await task.output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    assertMatch(new TextDecoder().decode(stdout), /next: .*deno\S* task sample 'my run'\n$/);
    await Deno.stat(`${cwd}/my run/config.json`);
  }));

Deno.test("a run is a function of its seed", () =>
  inTemporaryDirectory(async (cwd) => {
    const metrics: string[] = [];
    for (const [name, seed] of [["a", "1"], ["b", "1"], ["c", "2"]]) {
      await vapo(["train", ...tiny, "--seed", seed, "--out", name], { cwd });
      metrics.push(await Deno.readTextFile(`${cwd}/${name}/metrics.jsonl`));
    }
    assertEquals(metrics[0], metrics[1]);
    assert(metrics[0] !== metrics[2]);
  }));

Deno.test("train on images, from IDX files of the user's own", () =>
  inTemporaryDirectory(async (cwd) => {
    const file = new Uint8Array(16 + 4 * 28 * 28).fill(200);
    file.set([0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 28, 0, 0, 0, 28]);
    await Deno.mkdir(`${cwd}/digits`);
    await Deno.writeFile(`${cwd}/digits/train-images-idx3-ubyte`, file);
    const small = set("potential.channels=2", "potential.multipliers=[1]", "sampling.n=4");
    const args = ["train", "mnist16", "--data", "digits", "--steps", "2", "--batch", "2", ...small];
    const { code, stderr } = await vapo([...args, "--device", "wasm"], { cwd });
    assertEquals(code, 0, stderr);
    const config = JSON.parse(await Deno.readTextFile(`${cwd}/runs/mnist16/config.json`));
    assertEquals(config.data.directory, `${cwd}/digits`);
    decode(await Deno.readFile(`${cwd}/runs/mnist16/samples/step-00000002.png`));
  }));

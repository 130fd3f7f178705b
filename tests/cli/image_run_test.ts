/** @file Runs on images from the command line: small sets, small nets, the whole way. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { decode } from "fast-png";
import { crc32 } from "../../core/formats/crc32.ts";
import { decodeNpy } from "../../core/formats/npy.ts";
import { presetConfig, presetNames, presetSources } from "../../core/train/presets.ts";
import { inTemporaryDirectory, set, startVapo, vapo } from "./program.ts";

/** CIFAR-10's binary version with so many random images. */
async function writeCifar(directory: string, count: number): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  const records = new Uint8Array(count * 3073);
  for (let i = 0; i < records.length; i++) {
    records[i] = i % 3073 === 0 ? i % 10 : Math.imul(i, 2654435761) >>> 24;
  }
  await Deno.writeFile(`${directory}/data_batch_1.bin`, records);
}

/** A prepared set of images of 8×8×3 in three shards. */
async function writeFolderSet(directory: string): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  const shards = [];
  for (const [i, count] of [7, 7, 5].entries()) {
    const pixels = Uint8Array.from({ length: count * 192 }, (_, k) => (17 * k + 31 * i) % 256);
    const file = `train-0000${i}.images`;
    await Deno.writeFile(`${directory}/${file}`, pixels);
    shards.push({ file, count, crc32: crc32(pixels) });
  }
  const index = {
    format: "vapo-images",
    version: 1,
    name: "folder",
    shape: [8, 8, 3],
    labelsPerImage: 0,
    splits: { train: { count: 19, skipped: 0, shards } },
    made: {},
  };
  await Deno.writeTextFile(`${directory}/index.json`, JSON.stringify(index));
}

const tinyNet = [
  ...["--batch", "4", "--device", "wasm"],
  ...set("potential.channels=4", "potential.multipliers=[1,2]", "training.logEvery=1"),
  ...set("sampling.n=2", "sampling.solver=euler", "sampling.steps=2"),
];

Deno.test("cifar10-small trains on the data set's own files and is sampled", () =>
  inTemporaryDirectory(async (cwd) => {
    await writeCifar(`${cwd}/cifar-10-batches-bin`, 20);
    const args = ["--data", "cifar-10-batches-bin", "--steps", "4", "--out", "run"];
    const averages = set("optimizer.otherAverageDecays=[0.25]");
    const trained = await vapo(["train", "cifar10-small", ...tinyNet, ...args, ...averages], {
      cwd,
    });
    assertEquals(trained.code, 0, trained.stderr);
    assertMatch(trained.stderr, /\ncifar10-small .* 4\/4 {2}loss -?[\d.]+ .* images\/s\n$/);
    const config = JSON.parse(await Deno.readTextFile(`${cwd}/run/config.json`));
    assertEquals([config.data.name, config.data.placement], ["cifar10", "device"]);
    const picture = decode(await Deno.readFile(`${cwd}/run/samples/step-00000004.png`));
    assertEquals(picture.channels, 3);

    const samples: Float32Array[] = [];
    for (const average of [[], ["--average", "0.25"], ["--average", "0.999"]]) {
      const out = `${samples.length}.npy`;
      const sampled = await vapo(["sample", "run", "--out", out, "--batch", "1", ...average], {
        cwd,
      });
      assertEquals(sampled.code, 0, sampled.stderr);
      const { shape, data } = decodeNpy(await Deno.readFile(`${cwd}/${out}`));
      assertEquals(shape, [2, 32, 32, 3]);
      samples.push(data as Float32Array);
    }
    assertEquals(samples[2], samples[0]);
    assert(samples[1].join() !== samples[0].join());
  }));

Deno.test("a streamed run is stopped, moved, and goes on with its batches in parts", () =>
  inTemporaryDirectory(async (cwd) => {
    await writeFolderSet(`${cwd}/images`);
    const folder = set("data.name=folder", "data.size=8", "data.placement=stream");
    const few = set("data.bufferImages=8", "training.sampleEvery=100000");
    const train = ["train", "cifar10-small", ...tinyNet, ...folder, ...few, "--data", "images"];
    const whole = await vapo([...train, "--steps", "60", "--out", "whole"], { cwd });
    assertEquals(whole.code, 0, whole.stderr);

    const first = startVapo([...train, "--steps", "60", "--out", "parts", "--json"], { cwd });
    await first.sees(/"event":"metrics","step":5,/);
    first.process.kill("SIGINT");
    const stopped = await first.end();
    assertEquals([stopped.code, stopped.stderr], [130, ""]);
    await Deno.rename(`${cwd}/images`, `${cwd}/elsewhere`);
    const lost = await vapo(["train", "--resume", "parts"], { cwd });
    assertEquals(lost.code, 2);
    assertMatch(lost.stderr, /^vapo: images has no index\.json: .* with --data, or/);

    const moved = ["--data", "elsewhere", "--micro-batch", "2", "--threads", "1"];
    const resumed = await vapo(["train", "--resume", "parts", ...moved], { cwd });
    assertEquals(resumed.code, 0, resumed.stderr);
    const config = JSON.parse(await Deno.readTextFile(`${cwd}/parts/config.json`));
    assertEquals([config.training.microBatch, config.data.placement], [2, "stream"]);
    const lines = async (run: string) =>
      (await Deno.readTextFile(`${cwd}/${run}/metrics.jsonl`)).trim().split("\n")
        .map((line) => JSON.parse(line) as { step: number; loss: number });
    const [expected, actual] = [await lines("whole"), await lines("parts")];
    assertEquals(actual.map(({ step }) => step), expected.map(({ step }) => step));
    // The same batches in the same order; rounding grows for the steps that follow.
    for (const step of [5, 10, 20]) {
      const [a, b] = [actual[step - 1].loss, expected[step - 1].loss];
      assert(Math.abs(a - b) < 0.01 * Math.max(1, Math.abs(b)), `step ${step}: ${a} and ${b}`);
    }
  }));

Deno.test("presets show prints JSON with the source of each value, which --config takes", () =>
  inTemporaryDirectory(async (cwd) => {
    await writeCifar(`${cwd}/cifar`, 6);
    const shown = await vapo(["presets", "show", "cifar10-small"], { cwd });
    assertMatch(shown.stdout, /"batchSize": 64, +\/\/ our choice: half an hour\n/);
    await Deno.writeTextFile(`${cwd}/mine.jsonc`, shown.stdout);
    const args = ["--config", "mine.jsonc", "--data", "cifar", "--steps", "1", "--out", "run"];
    const { code, stderr } = await vapo(["train", ...tinyNet, ...args], { cwd });
    assertEquals(code, 0, stderr);
    const plain = await vapo(["presets", "show", "cifar10-small", "--json"], { cwd });
    assertEquals(JSON.parse(plain.stdout), presetConfig("cifar10-small"));
  }));

Deno.test("presets show --summary names layers, parameters, operations and memory", () =>
  inTemporaryDirectory(async (cwd) => {
    const { stdout, stderr, code } = await vapo(["presets", "show", "mnist", "--summary"], { cwd });
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^layer +kind +output +parameters\nstem +convolution +32×32×32 +352\n/);
    assertMatch(stdout, /\nhead +dense +1 +66\n/);
    assertMatch(stdout, /\nparameters {2}241,058\n/);
    assertMatch(stdout, /\nstep +batch 64: [\d.]+ TFLOP, \d+ kernels a part\n/);
    assertMatch(stdout, /\nmemory +[\d.]+ MiB at 64 samples at once: state [\d.]+ MiB, /);
    assertMatch(stdout, /\nfits +wasm has 4 GiB for one program: the whole batch\n$/);
    const json = await vapo(["presets", "show", "mnist", "--summary", "--json"], { cwd });
    const { step, layers, fitting } = JSON.parse(json.stdout);
    assertEquals([step.parameters, fitting, layers.at(-1).name], [241_058, 64, "head"]);
  }));

Deno.test("every value of a preset of image scale has a source", () => {
  const keys = (record: object, path = ""): string[] =>
    Object.entries(record).flatMap(([key, value]) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? keys(value, `${path}${key}.`)
        : [path + key]
    );
  let checked = 0;
  for (const name of presetNames) {
    const sources = presetSources(name);
    if (Object.keys(sources).length === 0) continue;
    checked++;
    assertEquals(
      Object.keys(sources).sort(),
      keys(presetConfig(name)).sort().filter((key) => key !== "preset"),
      name,
    );
    for (const [key, source] of Object.entries(sources)) {
      assertMatch(
        source,
        /^(\[(VPFB?|DRL|NVAE|LAMB|ADM|DDPM)\]|our choice|of no effect|the data set's|noted)/,
        key,
      );
    }
  }
  assertEquals(checked, 19);
});

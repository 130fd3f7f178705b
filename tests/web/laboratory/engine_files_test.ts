import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { dirname, join } from "@std/path";
import { FormatError, VapoError } from "../../../core/errors.ts";
import { fileOfBytes } from "../../../core/formats/random_access.ts";
import { openZip } from "../../../core/formats/zip.ts";
import { encodeZip } from "../../../core/formats/zip_writer.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import type { RunFiles } from "../../../web/laboratory/engine_types.ts";
import { readRunArchive, readRunFiles } from "../../../web/laboratory/run_archive.ts";
import { settingsConfig } from "../../../web/laboratory/settings_config.ts";
import { inTemporaryDirectory, tiny, vapo } from "../../cli/program.ts";
import { tinySettings, trainTo, withEngine } from "./tiny_engine.ts";

const learned = { kind: "learned" } as const;
const field = { subject: learned, u: 0.5, size: 8, extent: 4 } as const;

/** Unpacks an archive; the paths of its files. */
async function unpack(zip: Uint8Array, directory: string): Promise<string[]> {
  const archive = await openZip(fileOfBytes(zip, "run.zip"));
  for (const entry of archive.entries) {
    const path = join(directory, entry.path);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeFile(path, await archive.read(entry));
  }
  return archive.entries.map(({ path }) => path);
}

/** The files of a run's directory, of one of its checkpoints. */
async function filesOf(directory: string, step: number): Promise<RunFiles> {
  const checkpoint = `checkpoints/step-${String(step).padStart(8, "0")}`;
  return {
    name: "run",
    step,
    config: await Deno.readTextFile(`${directory}/config.json`),
    state: await Deno.readFile(`${directory}/${checkpoint}/state.safetensors`),
    metrics: await Deno.readTextFile(`${directory}/metrics.jsonl`),
  };
}

Deno.test("an exported run is one to the command line, which goes on to the same numbers", () =>
  inTemporaryDirectory((cwd) =>
    withEngine(async (engine, told) => {
      const settings = {
        ...tinySettings,
        other: { "sampling.n": 16, "sampling.solver": "heun", "sampling.steps": 4 },
      };
      await engine.open(settings);
      // Between two lines of metrics.
      await trainTo(engine, told, 23);
      assertEquals(await unpack(await engine.exportRun("mine"), cwd), [
        "mine/config.json",
        "mine/metrics.jsonl",
        "mine/checkpoints/step-00000023/state.safetensors",
        "mine/checkpoints/step-00000023/state.json",
      ]);
      const config = JSON.parse(await Deno.readTextFile(`${cwd}/mine/config.json`));
      assertEquals(config, settingsConfig(settings));

      const sampled = await vapo(["sample", "mine", "--n", "5", "--out", "a.csv"], { cwd });
      assertEquals([sampled.code, sampled.stderr], [0, ""]);
      const rows = (await Deno.readTextFile(`${cwd}/a.csv`)).trimEnd().split("\n").slice(1);
      const flow = await engine.flow({
        ...{ subject: learned, n: 5, seed: 0, until: null, frames: 2 },
        ...{ solver: "heun", steps: 4, tolerance: 1e-4 },
      });
      const numbers = Float32Array.from(rows.flatMap((row) => row.split(",")), Number);
      assertEquals(flow.positions.subarray(10), numbers);

      const resumed = await vapo(["train", "--resume", "mine"], { cwd });
      assertEquals(resumed.code, 0, resumed.stderr);
      const evaluated = await vapo(["eval", "mine", "energy", "--n", "32"], { cwd });
      assertEquals(evaluated.code, 0, evaluated.stderr);

      await trainTo(engine, told, 40);
      await unpack(await engine.exportRun("whole"), cwd);
      assertEquals(await filesOf(`${cwd}/mine`, 40), await filesOf(`${cwd}/whole`, 40));
    })
  ));

Deno.test("a run of the command line opens, shows what it has learned, and goes on", () =>
  inTemporaryDirectory(async (cwd) => {
    const trained = await vapo(["train", ...tiny, "--out", "run"], { cwd });
    assertEquals(trained.code, 0, trained.stderr);
    await withEngine(async (engine, told) => {
      const files = await filesOf(`${cwd}/run`, 10);
      const { facts, settings } = await engine.openRun(files);
      assertEquals([facts.step, facts.steps], [10, 20]);
      assertEquals(facts.metrics.map(({ step }) => step), [5, 10]);
      assertEquals(settingsConfig(settings), JSON.parse(files.config));
      const before = await engine.field(field);
      assertEquals(before.step, 10);
      await trainTo(engine, told, 20);
      const end = await engine.field(field);
      await engine.openRun(await filesOf(`${cwd}/run`, 20));
      assertEquals((await engine.field(field)).potential, end.potential);
      // As an archive of the whole directory, the newest of whose checkpoints counts.
      const archive = encodeZip(
        await Promise.all(
          ["config.json", "metrics.jsonl"].concat(
            [10, 20].map((step) => `checkpoints/step-000000${step}/state.safetensors`),
          ).map(async (path) => ({
            path: `deep/run/${path}`,
            content: await Deno.readFile(`${cwd}/run/${path}`),
          })),
        ),
      );
      assertEquals(await readRunArchive(archive), await filesOf(`${cwd}/run`, 20));
      const text = new TextEncoder();
      const dropped = readRunFiles([
        { name: "state.safetensors", bytes: files.state },
        { name: "config.json", bytes: text.encode(files.config) },
      ], "dropped");
      assertEquals([dropped.step, dropped.name, dropped.metrics], [10, "dropped", undefined]);
      assertEquals((await engine.openRun(dropped)).facts.metrics, []);
    });
  }));

Deno.test("files that are no run of the plane, or damaged, are refused; the present run stays", () =>
  withEngine(async (engine, told) => {
    await engine.open(tinySettings);
    await trainTo(engine, told, 3);
    const files = await readRunArchive(await engine.exportRun("run"));
    const config = JSON.parse(files.config);
    for (
      const [wrong, message] of [
        [{ config: "{" }, "run/config.json is not JSON"],
        [{ config: '{"sead": 1}' }, "run/config.json"],
        [{ config: JSON.stringify(presetConfig("mnist")) }, "points in the plane"],
        [{ step: 41 }, "expected a whole number up to the 40 steps"],
        [{ step: -1 }, "expected a whole number"],
      ] as const
    ) {
      await assertRejects(() => engine.openRun({ ...files, ...wrong }), VapoError, message);
      assertEquals((await engine.field(field)).step, 3);
    }
    const flipped = files.state.slice();
    flipped[flipped.length - 9] ^= 4;
    const { potential } = config;
    for (
      const [wrong, message] of [
        [{ state: flipped }, "damaged"],
        [{ step: 4 }, "has done 3 steps: expected 4"],
        [
          { config: JSON.stringify({ ...config, potential: { ...potential, hidden: [5] } }) },
          "it belongs to another configuration",
        ],
        [{ metrics: '{"step": 1}\n{"st\n' }, "is not JSON"],
      ] as const
    ) {
      await assertRejects(() => engine.openRun({ ...files, ...wrong }), FormatError, message);
      // That one was dropped for it; another opens.
      await assertRejects(() => engine.field(field), FormatError, message);
      assertEquals((await engine.openRun(files)).facts.step, 3);
    }
    for (const name of ["", "../up", "a/b", ".hidden", "x".repeat(101)]) {
      await assertRejects(() => engine.exportRun(name), VapoError, "no name for a directory");
    }
  }));

Deno.test("an archive or files without a run say what is missing", async () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  await assertRejects(() => readRunArchive(bytes("hello, this is no archive")), FormatError);
  const one = (path: string) => encodeZip([{ path, content: bytes("{}") }]);
  await assertRejects(() => readRunArchive(one("a/b.txt")), FormatError, "has no config.json");
  await assertRejects(
    () => readRunArchive(one("a/config.json")),
    FormatError,
    "no state.safetensors",
  );
  assertThrows(
    () => readRunFiles([{ name: "state.safetensors", bytes: bytes("?") }]),
    FormatError,
    "has no config.json",
  );
  const files = [{ name: "config.json", bytes: bytes("{}") }];
  assertThrows(
    () => readRunFiles([...files, { name: "state.safetensors", bytes: bytes("?") }], "mine"),
    FormatError,
    "mine: state.safetensors",
  );
});

Deno.test("what reads archives loads no tensors, and neither does the page's side", async () => {
  for (const module of ["run_archive", "connection", "messages"]) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "info",
        "--json",
        new URL(`../../../web/laboratory/${module}.ts`, import.meta.url).href,
      ],
    }).output();
    const { modules } = JSON.parse(new TextDecoder().decode(stdout));
    const loaded = runtimeModules(modules, module);
    assert(loaded.length > 0);
    assertEquals(
      loaded.filter((path) => /core\/tensor|tensorflow|worker\.ts|engine/.test(path)),
      [],
    );
  }
});

/** What a module loads when it runs, directly and indirectly: imports of types are left out. */
function runtimeModules(
  modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly { readonly code?: { readonly specifier: string } }[];
  }[],
  entry: string,
): string[] {
  const byName = new Map(modules.map((module) => [module.specifier, module]));
  const start = modules.find(({ specifier }) => specifier.endsWith(`/laboratory/${entry}.ts`))!;
  const seen = new Set([start.specifier]);
  for (const specifier of seen) {
    for (const { code } of byName.get(specifier)?.dependencies ?? []) {
      if (code) seen.add(code.specifier);
    }
  }
  return [...seen];
}

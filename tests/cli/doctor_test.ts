import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { presetDescriptions, presetNames } from "../../core/train/presets.ts";
import { inTemporaryDirectory, vapo } from "./program.ts";

Deno.test("doctor --json: one object with what there is", () =>
  inTemporaryDirectory(async (cwd) => {
    const { code, stdout, stderr } = await vapo(["doctor", "--json"], { cwd });
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^\{[^\n]*\}\n$/);
    const found = JSON.parse(stdout);
    assertEquals(found.vapo, manifest.version);
    assertEquals(found.deno, Deno.version.deno);
    assertEquals(found.cores, navigator.hardwareConcurrency);
    assertEquals([found.simd, found.relaxedSimd, found.sharedMemory], [true, true, true]);
    assert(found.speed.wasm > 0 && found.speed.cpu > 0);
    const hardware = found.adapter !== null && !found.adapter.software;
    assertEquals(found.auto.name, hardware ? "webgpu" : "wasm");
  }));

Deno.test("doctor without an adapter says so and takes wasm", () =>
  inTemporaryDirectory(async (cwd) => {
    const env = { DENO_WEBGPU_BACKEND: "noop" };
    const { code, stdout, stderr } = await vapo(["doctor"], { cwd, env });
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /\nWebGPU {5}no adapter\n/);
    assertMatch(stdout, /\nauto {7}wasm: no WebGPU adapter\n$/);
    assertMatch(stdout, /\nspeed {6}wasm +[\d.]+ GFLOP\/s\n/);
  }));

Deno.test("presets lists every preset with its line", () =>
  inTemporaryDirectory(async (cwd) => {
    const { code, stdout, stderr } = await vapo(["presets"], { cwd });
    assertEquals([code, stderr], [0, ""]);
    const lines = stdout.trimEnd().split("\n");
    assertEquals(
      lines.map((line) => line.split(/ {2,}/)),
      presetNames.map((
        name,
      ) => [name, presetDescriptions[name]]),
    );
  }));

Deno.test("help and version go to stdout, with exit code 0", () =>
  inTemporaryDirectory(async (cwd) => {
    assertEquals(await vapo(["--version"], { cwd }), {
      code: 0,
      stdout: `${manifest.version}\n`,
      stderr: "",
    });
    const bare = await vapo([], { cwd });
    assertEquals(await vapo(["--help"], { cwd }), bare);
    assertEquals([bare.code, bare.stderr], [0, ""]);
    for (const name of ["train", "sample", "doctor", "presets", "completions"]) {
      assertMatch(bare.stdout, new RegExp(`\n  ${name} `));
      const { code, stdout, stderr } = await vapo([name, "--help"], { cwd });
      assertEquals([code, stderr], [0, ""]);
      assertStringIncludes(stdout, `Usage: vapo ${name} `);
    }
  }));

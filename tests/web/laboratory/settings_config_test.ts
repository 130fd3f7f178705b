import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { toyNames } from "../../../core/data/toy.ts";
import { ConfigError, VapoError } from "../../../core/errors.ts";
import { assignConfig } from "../../../core/train/config.ts";
import { presetConfig, presetNames } from "../../../core/train/presets.ts";
import {
  configSettings,
  defaultSettings,
  settingsConfig,
} from "../../../web/laboratory/settings_config.ts";

Deno.test("the default settings of a preset are its configuration, but for the lines of metrics", () => {
  for (const name of toyNames) {
    const settings = defaultSettings(name);
    const preset = presetConfig(name);
    assertEquals(settingsConfig(settings), {
      ...preset,
      training: { ...preset.training, logEvery: 10 },
    });
    assertEquals(settings.other, {});
  }
});

Deno.test("a preset that is not of the plane is refused", () => {
  const error = assertThrows(() => defaultSettings("mnist"), ConfigError);
  assertEquals(error.message.includes("expected one of 8gaussians"), true);
  for (const name of presetNames.filter((name) => presetConfig(name).potential.kind !== "mlp")) {
    assertThrows(() => configSettings(presetConfig(name)), VapoError, "points in the plane");
  }
});

Deno.test("each control sets what it says", () => {
  const settings = {
    ...defaultSettings("2moons"),
    data: { name: "2moons", noise: 0.3, weights: [3, 1], points: null },
    seed: 9,
    device: "wasm",
    estimator: "covariance",
    timeWeight: "beta",
    path: "optimal-transport",
    timeLaw: "log-uniform",
    sigma: 0.05,
    timeExplicit: false,
    width: 7,
    depth: 2,
    optimizer: "lamb",
    learningRate: 0.5,
    batchSize: 24,
    spectralGap: 0.25,
    steps: 77,
  } as const;
  const { data, seed, device, path, potential, loss, optimizer, training } = settingsConfig(
    settings,
  );
  assertEquals([data.name, data.distribution], ["2moons", {
    noise: 0.3,
    weights: [3, 1],
    points: null,
  }]);
  assertEquals([seed, device], [9, "wasm"]);
  const { path: law, timeLaw, sigma, betaMin } = path;
  assertEquals([law, timeLaw, sigma, betaMin], ["optimal-transport", "log-uniform", 0.05, 0.05]);
  assertEquals(potential.kind === "mlp" && [potential.hidden, potential.timeExplicit], [
    [7, 7],
    false,
  ]);
  assertEquals([loss.estimator, loss.timeWeight, loss.spectralGap], ["covariance", "beta", 0.25]);
  assertEquals([optimizer.kind, optimizer.learningRate], ["lamb", 0.5]);
  assertEquals([training.batchSize, training.steps, training.logEvery], [24, 77, 10]);
});

Deno.test("drawn points are data of their own", () => {
  const points = [[0, 1], [2.5, -3]] as const;
  const settings = {
    ...defaultSettings("rings"),
    data: { name: "points", noise: null, weights: null, points },
  } as const;
  const config = settingsConfig(settings);
  assertEquals(config.data.name, "points");
  assertEquals(config.data.distribution?.points, points.map((point) => [...point]));
  assertEquals(settingsConfig(configSettings(config)), config);
});

Deno.test("settings that make no run are refused with the key", () => {
  const settings = defaultSettings("rings");
  for (
    const [wrong, pattern] of [
      [{ learningRate: -1 }, "optimizer.learningRate"],
      [{ width: 0 }, "potential.hidden"],
      [{ sigma: 3 }, "path.betaMin is 3"],
      [{ other: { "path.omaga": 1 } }, "path.omega"],
      [{ other: { "omega.omega": 1 } }, 'unknown key "omega.omega"'],
      [{ other: { "__proto__.x": 1 } }, "unknown key"],
    ] as const
  ) {
    assertThrows(() => settingsConfig({ ...settings, ...wrong }), ConfigError, pattern);
  }
});

/** Changes to a run's configuration, as somebody may have made them on the command line. */
const changes = fc.record({
  "seed": fc.nat(),
  "preset": fc.constantFrom("8gaussians", "rings", "my own"),
  "device": fc.constantFrom("auto", "wasm", "webgpu", "cpu"),
  "data.name": fc.constantFrom(...toyNames),
  "data.bufferImages": fc.integer({ min: 1, max: 9 }),
  "data.directory": fc.constantFrom(null, "elsewhere"),
  "data.distribution": fc.constantFrom(
    null,
    { noise: 0.1 },
    { noise: null, weights: null, points: null },
  ),
  "path.path": fc.constantFrom("log-homotopy", "optimal-transport"),
  "path.timeLaw": fc.constantFrom("linear-std", "log-uniform"),
  "path.sigma": fc.double({ min: 0.001, max: 2, noNaN: true }),
  "path.betaMin": fc.double({ min: 0.001, max: 0.9, noNaN: true }),
  "path.omega": fc.double({ min: 1, max: 2, noNaN: true }),
  "path.delta": fc.double({ min: 1e-6, max: 0.5, noNaN: true }),
  "potential.hidden": fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
  "potential.timeExplicit": fc.boolean(),
  "potential.weightNormalization": fc.boolean(),
  "loss.estimator": fc.constantFrom("stein", "covariance"),
  "loss.timeDraw": fc.constantFrom("uniform", "late", "early"),
  "loss.spectralGap": fc.double({ min: 0, max: 2, noNaN: true }).filter((x) => !Object.is(x, -0)),
  "optimizer.kind": fc.constantFrom("adam", "lamb"),
  "optimizer.learningRate": fc.double({ min: 1e-6, max: 2, noNaN: true }),
  "optimizer.clipNorm": fc.constantFrom(null, 3),
  "optimizer.otherAverageDecays": fc.constantFrom([], [0.5, 0.9]),
  "training.steps": fc.integer({ min: 1, max: 9000 }),
  "training.batchSize": fc.constantFrom(8, 16, 24),
  "training.microBatch": fc.constantFrom(null, 4),
  "training.logEvery": fc.integer({ min: 1, max: 60 }),
  "sampling.solver": fc.constantFrom("rk45", "heun", "radau"),
  "evaluation.every": fc.constantFrom(null, 7),
}, { requiredKeys: [] });

Deno.test("a configuration of the plane survives being made settings of", () => {
  fc.assert(
    fc.property(fc.constantFrom(...toyNames), changes, (name, changes) => {
      const assignments = Object.entries(changes).map(([key, value]) =>
        `${key}=${JSON.stringify(value)}`
      );
      const config = assignConfig(presetConfig(name), assignments);
      const settings = configSettings(config);
      assertEquals(settingsConfig(settings), config);
      // As JSON, in an address, too.
      assertEquals(settingsConfig(JSON.parse(JSON.stringify(settings))), config);
    }),
    { numRuns: 200 },
  );
});

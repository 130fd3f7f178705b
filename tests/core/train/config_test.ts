import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../../../core/errors.ts";
import {
  assignConfig,
  overlayConfig,
  parseConfig,
  type RunConfig,
} from "../../../core/train/config.ts";
import { presetConfig, presetNames } from "../../../core/train/presets.ts";

const base = presetConfig("8gaussians");

/** One line, so that a terminal shows it whole. */
function assertMessage(run: () => unknown, ...parts: string[]): void {
  const error = assertThrows(run, ConfigError) as Error;
  assertEquals(error.message.split("\n").length, 1);
  for (const part of parts) assert(error.message.includes(part), `${part} not in ${error.message}`);
}

Deno.test("every preset is a configuration, and survives JSON", () => {
  for (const name of presetNames) {
    const config = presetConfig(name);
    assertEquals(config.preset, name);
    assertEquals(parseConfig(JSON.parse(JSON.stringify(config))), config);
  }
});

Deno.test("an unknown preset names the nearest", () => {
  assertMessage(() => presetConfig("8gausians"), '"8gausians"', 'did you mean "8gaussians"');
  assertMessage(() => presetConfig("constructor"), '"constructor"', "Known:");
});

Deno.test("an unknown key names itself, the nearest and the known ones", () => {
  const wrong = { ...base, training: { ...base.training, bachSize: 3 } };
  assertMessage(
    () => parseConfig(wrong, "my.json"),
    "my.json:",
    '"training.bachSize"',
    'did you mean "training.batchSize"',
    "checkpointEvery",
  );
  assertMessage(() => parseConfig({ ...base, sead: 1 }), '"sead"', 'did you mean "seed"');
});

Deno.test("an ill-typed or impossible value names its key, itself and what was expected", () => {
  const set = (assignment: string) => () => assignConfig(base, [assignment]);
  assertMessage(set("training.steps=many"), "training.steps", '"many"', "number");
  assertMessage(set("training.steps=1.5"), "training.steps", "1.5", "int");
  assertMessage(set("training.steps=-3"), "training.steps", "-3");
  assertMessage(set("loss.estimator=steiner"), "loss.estimator", '"steiner"', "stein");
  assertMessage(set("optimizer.learningRate=0"), "optimizer.learningRate", "0");
  assertMessage(set("seed=null"), "seed", "null");
  assertMessage(set("path.betaMin=2"), "path.betaMin is 2", "path.omega (1)");
  assertMessage(set("sampling.until=0.995"), "sampling.until is 0.995", "time-explicit", "0.99 ");
  assertMessage(set("optimizer.weightDecay=0.1"), "optimizer.weightDecay is 0.1", "lamb");
  const digits = presetConfig("mnist16");
  assignConfig(digits, ["sampling.until=2"]); // time-implicit
  assertMessage(
    () => assignConfig(digits, ["sampling.solver=euler-maruyama"]),
    "sampling.until is 1.25",
    "euler-maruyama",
    "0.99",
  );
  assignConfig(digits, ["sampling.solver=euler-maruyama", "sampling.until=null"]);
  assertMessage(
    () => parseConfig({ ...base, path: { ...base.path, timeLaw: "log-uniform", sigma: 1e-20 } }),
    "config: ",
    "sigma is 1e-20",
  );
  assertMessage(
    () => assignConfig(digits, ["potential.multipliers=[1,1,1,1,1,1]"]),
    "16×16 with 6 levels",
  );
  assertMessage(set("data.name=mnist"), 'potential.kind is "mlp"', '"wide-resnet"');
});

const points = '{"points":[[0,0],[1,2]]}';

Deno.test("data.distribution: null by default, in files of earlier versions too; noise, weights, points", () => {
  assertEquals(base.data.distribution, null);
  const { distribution: _, ...earlier } = base.data;
  assertEquals(parseConfig({ ...base, data: earlier }), base);
  const of = (...assignments: string[]) => assignConfig(base, assignments).data.distribution;
  assertEquals(of("data.distribution.noise=0.3"), { noise: 0.3, weights: null, points: null });
  const both = of("data.distribution.weights=[1,2,3,4,5,6,7,8]", "data.distribution.noise=0");
  assertEquals(both, { noise: 0, weights: [1, 2, 3, 4, 5, 6, 7, 8], points: null });
  assertEquals(of("data.name=points", `data.distribution=${points}`), {
    noise: null,
    weights: null,
    points: [[0, 0], [1, 2]],
  });
  // Of another distribution's configuration, one key alone.
  const drawn = assignConfig(base, ["data.name=points", `data.distribution=${points}`]);
  const moved = assignConfig(drawn, ["data.distribution.points=[[5,5]]"]);
  assertEquals(moved.data.distribution?.points, [[5, 5]]);
  const overlay = { data: { name: "points", distribution: JSON.parse(points) } };
  assertEquals(overlayConfig(base, overlay, "mine.json"), drawn);
});

Deno.test("a data.distribution that does not fit the data says what was expected", () => {
  const set = (...assignments: string[]) => () => assignConfig(base, assignments);
  assertMessage(set("data.distribution=5"), "data.distribution is 5: expected object");
  assertMessage(set("data.distribution.noise=-1"), "data.distribution.noise is -1");
  assertMessage(set("data.distribution.noise=1e9"), "data.distribution.noise is 1000000000");
  assertMessage(set("data.distribution.nose=1"), 'did you mean "data.distribution.noise"');
  assertMessage(set("data.distribution.weights=[1,2]"), "2 numbers for the 8 components");
  assertMessage(set("data.distribution.weights=[0,0,0,0,0,0,0,0]"), "all 0");
  assertMessage(set(`data.distribution=${points}`), '2 points for data "8gaussians"');
  assertMessage(set("data.name=points"), 'null for data "points": expected 1 to 4096 points');
  const drawn = (list: string) => set("data.name=points", `data.distribution.points=${list}`);
  assertMessage(drawn("[]"), "data.distribution.points is []");
  assertMessage(drawn("[[0,0,0]]"), "data.distribution.points.0 is [0,0,0]");
  assertMessage(drawn("[[0,101]]"), "data.distribution.points.0.1 is 101");
  assertMessage(drawn("[[0,null]]"), "data.distribution.points.0.1 is null");
  assertMessage(
    () => assignConfig(presetConfig("mnist16"), ["data.distribution.noise=0.1"]),
    'data.distribution is set for data "mnist16", which are images: expected null',
  );
  assertMessage(
    set("data.name=points", `data.distribution=${points}`, "data.placement=stream"),
    "which is drawn, not read",
  );
});

Deno.test("messages are in this project's words, not in those of its parser", () => {
  const { seed: _, ...seedless } = base;
  assertMessage(() => parseConfig(seedless, "my.json"), 'my.json: "seed" is missing: expected');
  for (const assignment of ["training.steps=many", "loss.estimator=steiner"]) {
    const error = assertThrows(() => assignConfig(base, [assignment]), ConfigError) as Error;
    assert(!/Invalid|received/.test(error.message), error.message);
  }
});

Deno.test("assignments: dots, JSON values, plain text; what is not one says so", () => {
  const config = assignConfig(base, [
    "potential.hidden=[8,8]",
    "loss.estimator=covariance",
    "optimizer.clipNorm=null",
  ]);
  assertEquals(config.potential.kind === "mlp" && config.potential.hidden, [8, 8]);
  assertEquals(config.loss.estimator, "covariance");
  assertEquals(config.optimizer.clipNorm, null);
  assertEquals(base.optimizer.clipNorm, 10);
  // A section that files of earlier versions may leave out.
  const { evaluation } = assignConfig(base, ["evaluation.every=100", "evaluation.n=50"]);
  assertEquals(evaluation, { every: 100, n: 50, metric: null, features: null });
  assertMessage(
    () => assignConfig(base, ["evaluation.evrey=3"]),
    'did you mean "evaluation.every"',
  );
  assertMessage(() => assignConfig(base, ["training.steps"]), "training.steps", "key=value");
  assertMessage(() => assignConfig(base, ["steps=3"]), '"steps"', "did you mean");
  assertMessage(() => assignConfig(base, ["seed.low=3"]), '"seed.low"', "not keys");
  assertMessage(
    () => assignConfig(base, ["potential=3", "potential.hidden=[3]"]),
    "potential is 3",
    "potential.hidden",
  );
  assertMessage(() => assignConfig(base, ["__proto__.polluted=1"]), "__proto__");
  assertEquals(({} as Record<string, unknown>).polluted, undefined);
});

Deno.test("an overlay merges sections and replaces a potential of another kind whole", () => {
  const merged = overlayConfig(base, { training: { steps: 7 } }, "file");
  assertEquals(merged.training, { ...base.training, steps: 7 });
  const narrow = overlayConfig(base, { potential: { kind: "mlp", hidden: [4] } }, "file");
  assertEquals(narrow.potential, { ...base.potential, hidden: [4] });
  const images = overlayConfig(base, {
    data: { name: "mnist16" },
    potential: {
      kind: "wide-resnet",
      channels: 4,
      multipliers: [1],
      blocksPerLevel: 1,
      timeExplicit: false,
    },
  }, "file");
  assertEquals("hidden" in images.potential, false);
  assertMessage(() => overlayConfig(base, [1], "file"), "file:", "JSON object");
});

Deno.test("fuzz: any JSON is a configuration or a one-line error", () => {
  const leaf = fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>(NaN, -0, 1e308, "", null));
  const keys = fc.constantFrom(
    ...Object.keys(base),
    ...Object.values(base).flatMap((part) => typeof part === "object" ? Object.keys(part) : []),
    "__proto__",
    "constructor",
    "",
  );
  const overlay = fc.dictionary(keys, fc.oneof(leaf, fc.dictionary(keys, leaf)));
  const attempt = (run: () => RunConfig) => {
    try {
      parseConfig(run());
    } catch (error) {
      assert(error instanceof ConfigError, String(error));
      assertEquals((error as ConfigError).message.split("\n").length, 1);
    }
  };
  fc.assert(
    fc.property(overlay, (value) => attempt(() => overlayConfig(base, value, "fuzz"))),
    { seed: 1, numRuns: 2000 },
  );
  fc.assert(fc.property(fc.jsonValue(), (value) => attempt(() => parseConfig(value))), { seed: 2 });
  const assignment = fc.tuple(fc.array(keys, { minLength: 1, maxLength: 3 }), fc.string())
    .map(([path, value]) => `${path.join(".")}=${value}`);
  fc.assert(
    fc.property(
      fc.oneof(assignment, fc.string()),
      (text) => attempt(() => assignConfig(base, [text])),
    ),
    { seed: 3, numRuns: 2000 },
  );
});

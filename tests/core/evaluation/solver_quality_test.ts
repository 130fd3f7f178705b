import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { VapoError } from "../../../core/errors.ts";
import { inlineSvg } from "../../../core/evaluation/report_svg.ts";
import type { MetricReport } from "../../../core/evaluation/document.ts";
import {
  solverQuality,
  type SolverQualityOptions,
} from "../../../core/evaluation/solver_quality.ts";
import type { SolverRow } from "../../../core/evaluation/solver_rows.ts";
import { priorSamples } from "../../../core/flow/sampler.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import type { Potential } from "../../../core/potential/potential.ts";
import { openDevice, tf } from "../../../core/tensor/mod.ts";

/** Φ = −½|x|², whose flow is x(u) = e⁻ᵘ x(0); Euler's is (1 − u/k)ᵏ x(0). */
const contraction: Potential = {
  sampleShape: [2],
  timeExplicit: false,
  initialize: () => ({}),
  apply: (_parameters, x) => tf.mul(tf.sum(tf.square(x), 1), -0.5),
};
const path = gaussianPath();
const options: SolverQualityOptions = {
  ...{ potential: contraction, parameters: {}, path, until: 0.8, n: 20, seed: 3, batchSize: 8 },
  ladder: { solvers: ["euler", "rk4", "rk45"], evaluations: [8, 16], tolerances: [1e-2, 1e-4] },
};

/** A row of "All solves" by its solver and setting. */
function solve(report: MetricReport, solver: string, setting: number) {
  const [table] = report.tables;
  assertEquals(table.title, "All solves");
  const row = table.rows.find((row) => row[0] === solver && (row[1] ?? row[2]) === setting);
  assert(row !== undefined, `no ${solver} at ${setting}`);
  return Object.fromEntries(table.columns.map((name, i) => [name, row![i]]));
}

Deno.test("errors are those of the closed forms", async () => {
  await openDevice("wasm");
  const before = tf.memory().numTensors;
  const report = await solverQuality(options);
  assertEquals(tf.memory().numTensors, before);
  const prior = await priorSamples(contraction, path, { n: 20, seed: 3 });
  const size = Math.sqrt(prior.reduce((sum, x) => sum + x * x, 0) / prior.length);
  for (const steps of [8, 16]) {
    const factor = (1 - 0.8 / steps) ** steps - Math.exp(-0.8);
    const { error, evaluations } = solve(report, "euler", steps);
    assertAlmostEquals(error as number, Math.abs(factor) * size, 1e-4);
    assertEquals(evaluations, steps);
  }
  // Four evaluations a step.
  assertEquals(solve(report, "rk4", 2).evaluations, 8);
  assert(
    (solve(report, "rk4", 2).error as number) < 0.1 * (solve(report, "euler", 8).error as number),
  );
  for (const tolerance of [1e-2, 1e-4]) {
    assert((solve(report, "rk45", tolerance).error as number) < tolerance);
  }
  assertEquals([solve(report, "rk45", 1e-2).steps, solve(report, "rk4", 2).tolerance], [
    null,
    null,
  ]);
  const fewest = report.measurements.find(({ name }) => name === "evaluations-for-0-1")!;
  assertEquals([fewest.value, fewest.label.includes("(euler)")], [8, true]);
});

Deno.test("a distance is measured for all, stochastic solvers included, and both are plotted", async () => {
  await openDevice("wasm");
  const report = await solverQuality({
    ...options,
    ladder: { ...options.ladder, solvers: ["rk4", "euler-maruyama", "stochastic-heun"] },
    distance: (samples) => Promise.resolve(samples.reduce((sum, x) => sum + x * x, 0)),
    distanceName: "sum of squares",
  });
  const prior = await priorSamples(contraction, path, { n: 20, seed: 3 });
  const exact = prior.reduce((sum, x) => sum + x * x, 0) * Math.exp(-1.6);
  assertAlmostEquals(solve(report, "rk4", 4)["sum of squares"] as number, exact, 1e-2 * exact);
  const noisy = solve(report, "stochastic-heun", 4);
  assertEquals([noisy.evaluations, noisy.error], [8, null]);
  assert((noisy["sum of squares"] as number) > 0);
  const tight = report.measurements.find(({ name }) => name === "tight-distance")!;
  assertAlmostEquals(tight.value, exact, 1e-4 * exact);
  const [{ content }] = report.pictures;
  for (
    const text of ["Error of 20 samples", "Sum of squares", "euler-maruyama", "tight solution"]
  ) {
    assert((content as string).includes(text), text);
  }
  const inline = inlineSvg(content as string, { prefix: "a", label: "solvers" });
  assert(inline !== null, "the report can hold it");
});

Deno.test("what cannot be had is listed with its reason", async () => {
  await openDevice("wasm");
  const report = await solverQuality({
    ...options,
    until: 1.5,
    ladder: {
      solvers: ["heun", "euler-maruyama", "rk45", "radau"],
      ...{ evaluations: [8, 64], tolerances: [1e-1, 1e-5, 1e-6], maxEvaluations: 26 },
    },
    distance: () => Promise.resolve(1),
  });
  const leftOut = report.tables.find(({ title }) => title === "Left out")!;
  const reasonFor = (solver: string) =>
    leftOut.rows.filter((row) => row[0] === solver).map((row) => `${row[1]}: ${row[2]}`);
  assert(reasonFor("heun")[0].startsWith("32 steps: heun takes more evaluations than"));
  assert(reasonFor("euler-maruyama")[0].startsWith("8 steps, 64 steps: stochastic solver"));
  // The first that takes too many; the finer one is not tried.
  const [refused] = reasonFor("rk45");
  assert(refused.startsWith("tolerance 0.00001, tolerance 0.000001: rk45 takes more"), refused);
  assertEquals(solve(report, "rk45", 0.1).solver, "rk45");
});

Deno.test("rows that are kept are not solved again, and an abort keeps those there are", async () => {
  await openDevice("wasm");
  const rows = new Map<string, SolverRow>();
  const cache = {
    read: (key: string) => Promise.resolve(rows.get(key) ?? null),
    write(key: string, row: SolverRow) {
      rows.set(key, JSON.parse(JSON.stringify(row)));
      return Promise.resolve();
    },
  };
  const abort = new AbortController();
  const onProgress = (done: number, total: number) => {
    assertEquals(total, 7);
    if (done === 3) abort.abort(new Error("enough"));
  };
  await assertRejects(
    () => solverQuality({ ...options, cache, onProgress, signal: abort.signal }),
    Error,
    "enough",
  );
  assertEquals(rows.size, 3);
  const resumed = await solverQuality({ ...options, cache });
  assertEquals(resumed, await solverQuality(options));
  const broken: Potential = {
    ...contraction,
    apply: () => {
      throw new Error("solved again");
    },
  };
  assertEquals(await solverQuality({ ...options, cache, potential: broken }), resumed);
  await assertRejects(
    () => solverQuality({ ...options, cache, potential: broken, seed: 4 }),
    Error,
  );
});

Deno.test("a solver that diverges at long steps is tried at shorter ones", async () => {
  await openDevice("wasm");
  // dx/du = −x³: from some points Euler's steps explode.
  const quartic: Potential = {
    ...contraction,
    apply: (_parameters, x) => tf.mul(tf.sum(tf.square(tf.square(x)), 1), -5),
  };
  const report = await solverQuality({
    ...options,
    potential: quartic,
    ladder: { solvers: ["euler"], evaluations: [8, 1024] },
  });
  const leftOut = report.tables.find(({ title }) => title === "Left out")!;
  assertEquals(leftOut.rows.map((row) => row[1]), ["8 steps"]);
  assert((solve(report, "euler", 1024).error as number) < 0.1);
});

Deno.test("wrong options are refused by name", async () => {
  await openDevice("cpu");
  const wrong: [Partial<SolverQualityOptions>, string][] = [
    [{ n: 0 }, "n is 0"],
    [{ until: -1 }, "until is -1"],
    [{ distance: () => Promise.reject(new VapoError("no features")) }, "no features"],
  ];
  for (const [more, message] of wrong) {
    await assertRejects(() => solverQuality({ ...options, ...more }), VapoError, message);
  }
});

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exactRingFlow, type NamedFlow } from "../../bench/ode_flows.ts";
import {
  evaluationsFor,
  markdownReport,
  workPrecision,
  workPrecisionPlot,
} from "../../bench/work_precision.ts";
import { toyDistributions } from "../../core/data/toy.ts";
import { solveOde } from "../../core/flow/ode/mod.ts";

const decay: NamedFlow<Float64Array> = {
  name: "decay <1>",
  f: (_t, y) => y.map((value) => -value),
  span: [0, 1],
  y0: Float64Array.of(1, 2),
  reference: [Math.exp(-1), 2 * Math.exp(-1)],
  values: (state) => state,
};

Deno.test("solves of a known problem have the errors and the costs that theory gives", async () => {
  const methods = ["euler", "rk4", "rk45"] as const;
  const options = { methods, steps: [10, 20], tolerances: [1e-3, 1e-6] };
  const { points, failures } = await workPrecision(decay, options);
  assertEquals([points.length, failures], [6, []]);
  const [coarse, fine] = points;
  assertEquals([coarse.steps, coarse.evaluations, fine.evaluations], [10, 10, 20]);
  // 0.9¹⁰ − e⁻¹ for the first component, twice that for the second.
  const error = Math.abs(0.9 ** 10 - Math.exp(-1)) * Math.sqrt(5 / 2);
  assert(Math.abs(coarse.error - error) < 1e-14);
  const adaptive = points.filter(({ method }) => method === "rk45");
  assertEquals(adaptive.map(({ tolerance }) => tolerance), [1e-3, 1e-6]);
  assert(adaptive[0].error > adaptive[1].error);
  assert(adaptive[0].evaluations < adaptive[1].evaluations);
});

Deno.test("without a reference the errors are those against a precise solve", async () => {
  const options = { methods: ["midpoint"], steps: [8] } as const;
  const given = await workPrecision(decay, options);
  const found = await workPrecision({ ...decay, reference: undefined }, options);
  assert(Math.abs(given.points[0].error / found.points[0].error - 1) < 1e-8);
});

Deno.test("exact Jacobian products count as evaluations", async () => {
  const options = { methods: ["radau"], tolerances: [1e-4] } as const;
  const [byDifferences] = (await workPrecision(decay, options)).points;
  const jvp = (_t: number, _y: Float64Array, v: Float64Array) => v.map((value) => -value);
  const [exact] = (await workPrecision({ ...decay, jvp }, options)).points;
  assert(exact.evaluations <= byDifferences.evaluations && exact.evaluations > exact.accepted * 6);
});

Deno.test("evaluations for a level are interpolated, and the cheapest counts", () => {
  const point = (evaluations: number, error: number) =>
    ({ method: "rk4", evaluations, error, accepted: 1, rejected: 0, milliseconds: 1 }) as const;
  const result = (points: ReturnType<typeof point>[]) => ({
    flow: "",
    components: 1,
    points,
    failures: [],
  });
  const line = result([point(10, 1e-1), point(1000, 1e-5)]);
  assertEquals(evaluationsFor(line, "rk4", 1e-3), 100);
  assertEquals(evaluationsFor(line, "rk4", 1e-6), undefined);
  assertEquals(evaluationsFor(line, "rk4", 1), 10);
  assertEquals(evaluationsFor(line, "euler", 1), undefined);
  const kinked = result([point(50, 1e-3), point(20, 1e-4), point(80, 1e-6)]);
  assertEquals(evaluationsFor(kinked, "rk4", 1e-3), 20);
});

Deno.test("failures are reported, and the report and the plot name every solver", async () => {
  const blowUp = { ...decay, f: (_t: number, y: Float64Array) => y.map((v) => 40 * v ** 2) };
  const broken = await workPrecision(
    { ...blowUp, reference: [0, 0] },
    { methods: ["rk4", "rk45"], steps: [30], tolerances: [1e-3] },
  );
  assertEquals([broken.points.length, broken.failures.length], [0, 2]);
  const sound = await workPrecision(decay, {
    methods: ["heun", "radau"],
    steps: [4],
    tolerances: [1e-2],
  });
  const markdown = markdownReport([sound, broken]);
  for (
    const text of ["## decay <1>", "| heun | 2 |", "| radau | tolerance 1e-2 |", "- rk4 at t = "]
  ) {
    assertStringIncludes(markdown, text);
  }
  const svg = workPrecisionPlot(sound);
  for (const text of ["<svg", "heun", "radau", "decay &lt;1&gt;"]) assertStringIncludes(svg, text);
});

Deno.test("the exact flow carries the prior to the ring", async () => {
  const { f, span, y0 } = await exactRingFlow("ring", {}, 64);
  const { y } = await solveOde(f, span, y0, { rtol: 1e-6, atol: 1e-6 });
  const { means, std } = toyDistributions["8gaussians"].mixture!;
  const near = Array.from({ length: 64 }, (_, i) => {
    const distances = means.map(([a, b]) => Math.hypot(y[2 * i] - a, y[2 * i + 1] - b));
    return Number(Math.min(...distances) < 3 * std);
  });
  // 98.9 % of a normal distribution in two dimensions lie within three standard deviations.
  assert(near.reduce((a, b) => a + b) >= 61);
});

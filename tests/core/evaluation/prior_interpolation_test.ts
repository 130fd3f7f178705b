import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { decode } from "fast-png";
import { VapoError } from "../../../core/errors.ts";
import type { MetricReport } from "../../../core/evaluation/document.ts";
import {
  type InterpolationOptions,
  interpolationReport,
} from "../../../core/evaluation/prior_interpolation.ts";
import { priorSamples } from "../../../core/flow/sampler.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import type { Potential } from "../../../core/potential/potential.ts";
import { openDevice, tf } from "../../../core/tensor/mod.ts";

/** A flow that leaves everything where it is. */
const still: Potential = {
  sampleShape: [2],
  timeExplicit: false,
  initialize: () => ({}),
  apply: (_parameters, x) => tf.mul(tf.sum(x, x.shape.slice(1).map((_, i) => i + 1)), 0),
};
const path = gaussianPath();
const sampling = { seed: 6, solver: "rk45", steps: 1, rtol: 1e-4, atol: 1e-4, until: 0.5 } as const;
const options: InterpolationOptions = {
  ...{ potential: still, parameters: {}, path, sampling, pairs: 3, steps: 400 },
};

function measured({ measurements }: MetricReport, name: string) {
  const found = measurements.find((each) => each.name === name);
  assert(found !== undefined, `no measurement ${name}`);
  return found!;
}

Deno.test("without a flow a path is the arc of the prior's great circle", async () => {
  await openDevice("wasm");
  const before = tf.memory().numTensors;
  const report = await interpolationReport(options);
  assertEquals(tf.memory().numTensors, before);
  const draws = await priorSamples(still, path, { n: 6, seed: 6 });
  const ratios = Array.from({ length: 3 }, (_, row) => arcOverChord(draws.subarray(4 * row)));
  report.tables[0].rows.forEach((row, i) => assertAlmostEquals(row[1] as number, ratios[i], 2e-3));
  const mean = ratios.reduce((a, b) => a + b) / 3;
  const { value, standardError } = measured(report, "point-path-length");
  assertAlmostEquals(value, mean, 2e-3);
  const squares = ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0);
  assertAlmostEquals(standardError!, Math.sqrt(squares / 2 / 3), 2e-3);
  assert((report.pictures[0].content as string).includes("<svg"));
});

/** The length of spherical interpolation between two points of the plane, over their distance. */
function arcOverChord([ax, ay, bx, by]: Float32Array): number {
  const [a, b] = [Math.hypot(ax, ay), Math.hypot(bx, by)];
  const angle = Math.acos((ax * bx + ay * by) / (a * b));
  const at = (f: number, x: number, y: number) =>
    (Math.sin((1 - f) * angle) * x + Math.sin(f * angle) * y) / Math.sin(angle);
  let length = 0, last = [ax, ay];
  for (let i = 1; i <= 5000; i++) {
    const next = [at(i / 5000, ax, bx), at(i / 5000, ay, by)];
    length += Math.hypot(next[0] - last[0], next[1] - last[1]);
    last = next;
  }
  return length / Math.hypot(bx - ax, by - ay);
}

const images: InterpolationOptions = {
  ...options,
  potential: { ...still, sampleShape: [3, 4, 1] },
  steps: 5,
};

Deno.test("rows of images are a grid of so many columns, their ends the samples of the prior draws", async () => {
  await openDevice("wasm");
  const report = await interpolationReport(images);
  const [{ content, name }] = report.pictures;
  assertEquals(name, "interpolation");
  const { width, height, data } = decode(content as Uint8Array);
  // Five images of 4 × 3 across and three down, two white pixels between them.
  const scale = (width - 4 * 2) / 20;
  assertEquals(height, 3 * 3 * scale + 2 * 2);
  const draws = await priorSamples(images.potential, path, { n: 6, seed: 6 });
  const shade = (value: number) => Math.round((Math.min(1, Math.max(-1, value)) + 1) * 127.5);
  assertEquals(data[0], shade(draws[0]));
  const lastImage = 4 * (4 * scale + 2);
  assertEquals(data[3 * lastImage], shade(draws[12]));
  assertEquals(report.tables[0].rows.length, 3);
  measured(report, "pixel-path-length");
  measured(report, "pixel-largest-step");
});

Deno.test("features are of grey levels, and a cross-fade stands beside them", async () => {
  await openDevice("wasm");
  const seen: Uint8Array[] = [];
  const report = await interpolationReport({
    ...images,
    features: {
      name: "pixel",
      of(bytes, n) {
        assertEquals(n, 15);
        seen.push(bytes);
        return Promise.resolve(Float32Array.from(bytes));
      },
    },
  });
  // Features that are the pixels themselves: the figures are the same, a cross-fade is straight.
  const pixels = measured(report, "pixel-path-length");
  assertAlmostEquals(measured(report, "feature-path-length").value, pixels.value, 1e-9);
  assertAlmostEquals(measured(report, "feature-cross-fade-length").value, 1, 1e-3);
  assert(pixels.value > 1.01);
  const [own, faded] = seen;
  for (let row = 0; row < 3; row++) {
    for (const end of [0, 4]) {
      const from = (row * 5 + end) * 12;
      assertEquals(faded.slice(from, from + 12), own.slice(from, from + 12));
    }
  }
});

Deno.test("a jump shows in the largest step", async () => {
  await openDevice("wasm");
  // Pushes apart what is left and right of 0.
  const parting: Potential = {
    ...still,
    apply: (_parameters, x) => tf.mul(tf.sum(tf.abs(x), 1), 8),
  };
  const smooth = await interpolationReport({ ...options, steps: 50 });
  const torn = await interpolationReport({ ...options, potential: parting, steps: 50 });
  const largest = (report: MetricReport) => measured(report, "point-largest-step").value;
  assert(largest(torn) > 5 * largest(smooth), `${largest(torn)} and ${largest(smooth)}`);
});

Deno.test("wrong numbers are refused by name", async () => {
  await openDevice("cpu");
  const wrong: [Partial<InterpolationOptions>, string][] = [
    [{ pairs: 0 }, "pairs is 0"],
    [{ steps: 2 }, "steps is 2"],
    [{ sampling: { ...sampling, solver: "euler-maruyama" } }, "euler-maruyama is stochastic"],
  ];
  for (const [more, message] of wrong) {
    await assertRejects(() => interpolationReport({ ...options, ...more }), VapoError, message);
  }
});

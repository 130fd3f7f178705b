import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { MetricsLine } from "../../../core/train/run_directory.ts";
import { lookOf, markOf } from "../../../web/components/curves/chart_marks.ts";
import { describeChart, trendOf } from "../../../web/components/curves/chart_words.ts";
import {
  excessSeries,
  gradientSeries,
  knownMinimum,
  lossSeries,
  metricColumn,
  partSeries,
} from "../../../web/components/curves/metric_series.ts";
import {
  formatCount,
  formatMilliseconds,
  formatNumber,
  formatPosition,
  formatShare,
} from "../../../web/components/curves/numbers.ts";
import { meanOf, smoothed } from "../../../web/components/curves/smoothing.ts";

Deno.test("numbers are written short, with a true minus, and a dash where there is none", () => {
  const written = [1.23456, -0.02, 0, -0, 1e-7, 1.5e-7, 3_200_000, 12_345, 99.996, 1e-3, 1 / 3]
    .map((value) => formatNumber(value));
  const expected = ["1.235", "−0.02", "0", "0", "1e−7", "1.5e−7", "3.2e6", "12,345", "100"];
  assertEquals(written, [...expected, "0.001", "0.3333"]);
  assertEquals([NaN, Infinity, -Infinity].map((value) => formatNumber(value)), ["NaN", "∞", "−∞"]);
  assertEquals([null, undefined].map((value) => formatNumber(value)), ["–", "–"]);
});

Deno.test("a written number is the number to its digits", () => {
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e12, max: 1e12 });
  fc.assert(fc.property(finite, (value) => {
    const read = Number(formatNumber(value).replaceAll("−", "-").replaceAll(",", ""));
    assert(Math.abs(read - value) <= 0.5001e-3 * Math.abs(value), `${value} is written ${read}`);
  }));
});

Deno.test("counts, places, shares and times", () => {
  assertEquals([formatCount(12_000), formatCount(null)], ["12,000", "–"]);
  assertEquals([formatPosition(3000), formatPosition(0.123456789)], ["3,000", "0.123457"]);
  assertEquals([formatShare(0.9836), formatShare(NaN), formatShare(undefined)], [
    "98.4 %",
    "NaN",
    "–",
  ]);
  assertEquals([0.812, 12.4, 1240, null].map(formatMilliseconds), [
    "0.81 ms",
    "12 ms",
    "1.2 s",
    "–",
  ]);
});

Deno.test("smoothing is the mean with weights that fall by the memory, over the weights' sum", () => {
  const y = [3, -1, 4, 1, -5, 9], memory = 0.8, result = smoothed(y, memory);
  y.forEach((_, n) => {
    let sum = 0, weights = 0;
    for (let i = 0; i <= n; i++) {
      sum += memory ** (n - i) * y[i];
      weights += memory ** (n - i);
    }
    assertAlmostEquals(result[n], sum / weights, 1e-12);
  });
});

Deno.test("smoothing keeps constants, stays within what was, and passes over breaks", () => {
  const list = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 });
  fc.assert(fc.property(list, fc.double({ min: 0, max: 0.99, noNaN: true }), (y, memory) => {
    const result = smoothed(y, memory), room = 1e-6;
    assert(result.every((v) => v >= Math.min(...y) - room && v <= Math.max(...y) + room));
  }));
  smoothed([2, 2, 2], 0.9).forEach((value) => assertAlmostEquals(value, 2, 1e-12));
  assertEquals(smoothed([1, 2, 3], 0), [1, 2, 3]);
  const broken = smoothed([1, NaN, 3], 0.5);
  assertEquals(broken[1], NaN);
  assertAlmostEquals(broken[2], (0.5 * 1 + 1 * 3) / 1.5, 1e-12);
  assertEquals(meanOf([1, NaN, 3]), 2);
  assertEquals(meanOf([NaN]), null);
});

const line = (step: number, numbers: Record<string, number>) =>
  ({ step, ...numbers }) as MetricsLine;
const mixture = [
  line(10, { loss: -1, transport: -3, kinetic: 2, gap: 0, excess: 3.1, minimum: -4.1 }),
  line(20, { loss: -3, transport: -5, kinetic: 2, gap: 0, excess: 0.9, minimum: -3.9 }),
];

Deno.test("the loss of a mixture has its known minimum beside it, the mean of what was estimated", () => {
  const [raw, loss, minimum] = lossSeries(mixture, 0.5);
  assertEquals([raw.y, raw.faint], [[-1, -3], true]);
  assertAlmostEquals(loss.y[1], (0.5 * -1 + -3) / 1.5, 1e-12);
  assertEquals(minimum.label, "known minimum");
  minimum.y.forEach((value) => assertAlmostEquals(value, -4, 1e-12));
  assert(minimum.dash!.length > 0 && loss.dash!.length === 0, "told apart by more than colour");
  assertEquals(excessSeries(mixture, 0).map(({ y }) => y), [[3.1, 0.9]]);
});

Deno.test("the parts that a loss has, each with a colour and dashes of its own", () => {
  const lines = [line(10, { transport: -3, kinetic: 2, gap: 0.1, spectral: 0 })];
  const looks = partSeries(lines, 0).map(({ label, color, dash }) => [label, color, dash?.length]);
  assertEquals(looks, [
    ["transport", "var(--series-1)", 0],
    ["kinetic", "var(--series-2)", 2],
    ["spectral gap", "var(--series-3)", 2],
  ]);
  // A part without weight is 0 throughout.
  assertEquals(partSeries(mixture, 0).map(({ label }) => label), ["transport", "kinetic"]);
});

Deno.test("a smoothed curve is whole and has the colour of what it was, pale behind it", () => {
  for (const series of [lossSeries, gradientSeries]) {
    const drawn = series([line(1, { loss: 1, gradientNorm: 1 })], 0.9);
    assertEquals(drawn.map((one, i) => [one.faint ?? false, ...Object.values(lookOf(one, i))]), [
      [true, "var(--series-1)", []],
      [false, "var(--series-1)", []],
    ]);
  }
});

Deno.test("of other data no minimum and no excess is shown", () => {
  const lines = [line(10, { loss: -1 })];
  assertEquals(knownMinimum(lines), null);
  assertEquals(lossSeries(lines, 0.9).map(({ label }) => label), ["loss, unsmoothed", "loss"]);
  assertEquals(excessSeries(lines, 0.9), []);
  assertEquals(lossSeries([], 0.9), []);
});

Deno.test("what JSON wrote as null was not a number, and breaks the curve", () => {
  const lines = [line(1, { loss: 2 }), line(2, { loss: null as unknown as number }), line(3, {})];
  assertEquals(metricColumn(lines, "loss"), { x: [1, 2], y: [2, NaN] });
});

Deno.test("a trend is named only where it stands out of the noise", () => {
  const steps = Array.from({ length: 200 }, (_, i) => i);
  const noise = (i: number) => Math.sin(i * 12.9898) * 0.3;
  assertEquals(trendOf(steps.map((i) => -i / 100 + noise(i))), "falling");
  assertEquals(trendOf(steps.map((i) => i / 100 + noise(i))), "rising");
  assertEquals(trendOf(steps.map(noise)), "level");
  assertEquals(trendOf([1, 2, 3]), null);
});

Deno.test("a chart in words says where each curve is and where it goes", () => {
  const x = Array.from({ length: 100 }, (_, i) => 30 * (i + 1));
  const series = [
    { label: "raw", x, y: x, faint: true },
    { label: "loss", x, y: x.map((step) => -step / 1000) },
    { label: "known minimum", x, y: x.map(() => -3.5) },
    { label: "broken", x: [1, 2], y: [7, NaN] },
  ];
  assertEquals(
    describeChart({ title: "Loss", xLabel: "step", series }),
    "Loss: loss −3 at step 3,000, falling; known minimum −3.5; broken 7 at step 1.",
  );
  assertEquals(
    describeChart({ title: "Loss", xLabel: "step", series: [] }),
    "Loss: nothing to show yet.",
  );
});

Deno.test("on a logarithmic axis a curve that halves and halves is falling to its end", () => {
  const x = Array.from({ length: 50 }, (_, i) => i), y = x.map((i) => 2 ** -i);
  const say = (logY: boolean) =>
    describeChart({ title: "E", xLabel: "step", logY, series: [{ label: "e", x, y }] });
  assert(say(true).endsWith("falling."));
  assert(say(false).endsWith("level."));
});

Deno.test("no two of the first thirty-six marks have both colour and marker in common", () => {
  const marks = Array.from({ length: 36 }, (_, i) => JSON.stringify(markOf(i)));
  assertEquals(new Set(marks).size, 36);
});

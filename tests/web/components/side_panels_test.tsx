/** The panels of curves and of measures, as the server renders them and once there are numbers. */
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { renderToString } from "preact-render-to-string";
import { fractionWithinModes } from "../../../core/metrics/modes.ts";
import type { MetricsLine } from "../../../core/train/run_directory.ts";
import { CurvesPanel } from "../../../web/components/curves/curves_panel.tsx";
import {
  energyDistanceSeries,
  likelihoodSeries,
  shareSeries,
  TRUE_SHARE,
} from "../../../web/components/measures_panel/measure_series.ts";
import {
  MeasuresPanel,
  presentNumbers,
} from "../../../web/components/measures_panel/measures_panel.tsx";
import type { Measures } from "../../../web/laboratory/engine_types.ts";
import { mixtureFacts, panelStore } from "./panel_store.ts";

const measured = (step: number, changes: Partial<Measures> = {}): Measures => ({
  step,
  energyDistance: 0.02,
  energyDistanceOfData: 0.004,
  negativeLogLikelihood: 2.0861,
  withinModes: 0.984,
  ...changes,
});

Deno.test("before training both panels are there, with dashes for numbers", () => {
  const store = panelStore();
  const curves = renderToString(<CurvesPanel store={store} />);
  const measures = renderToString(<MeasuresPanel store={store} />);
  for (const html of [curves, measures]) {
    assertStringIncludes(html, "–</dd>");
    assertStringIncludes(html, "Nothing to show yet");
    assert(!html.includes("style=") && !html.includes("NaN") && !html.includes("undefined"));
    assertEquals(html.match(/<legend/g)!.length, html.match(/<fieldset/g)!.length);
  }
  assertStringIncludes(measures, "disabled");
});

Deno.test("the numbers of a mixture's run, and the minimum in words", () => {
  const store = panelStore();
  store.metrics.value = [{ step: 30, loss: -3.1, minimum: -4.2, excess: 1e-7 } as MetricsLine];
  store.stepsPerSecond.value = 212.34;
  const html = renderToString(<CurvesPanel store={store} />);
  for (const text of ["−3.1", "−4.2", "1e−7", "212", "−½\u00a0E\u00a0w|∇Φ*|²"]) {
    assertStringIncludes(html, text);
  }
});

Deno.test("without a known minimum that is said, and its number is a dash", () => {
  const store = panelStore();
  store.metrics.value = [{ step: 30, loss: -3.1 } as MetricsLine];
  const html = renderToString(<CurvesPanel store={store} />);
  assert(/<dt>minimum<\/dt><dd class="tabular">–/.test(html));
  assertStringIncludes(html, "mixtures of Gaussians only");
});

Deno.test("a loss that is not a number is said to be none", () => {
  const store = panelStore();
  store.metrics.value = [{ step: 20, loss: -1 }, { step: 30, loss: NaN }] as MetricsLine[];
  const html = renderToString(<CurvesPanel store={store} />);
  assert(/<dt>loss<\/dt><dd class="tabular">NaN/.test(html));
});

Deno.test("what is measured stands beside the best that it can be", () => {
  const series = energyDistanceSeries([measured(100), measured(200, { energyDistance: 0.01 })]);
  assertEquals(series.map(({ label, y }) => [label, ...y]), [
    ["samples to data", 0.02, 0.01],
    ["data to data", 0.004, 0.004],
  ]);
  assert(series[1].dash!.length > 0, "told apart by more than colour");
  assertEquals(likelihoodSeries([measured(100)], 2.0723)[1].y, [2.0723]);
  assertEquals(likelihoodSeries([measured(100)], null).length, 1);
  assertEquals(shareSeries([measured(100, { withinModes: null })])[0].y, [NaN]);
  assertEquals(energyDistanceSeries([]), []);
});

Deno.test("the share of true draws within 3 standard deviations is that of the metric", () => {
  // Draws by quantile: radii r with 1 − exp(−r²/2) evenly over [0, 1], a closed form in the plane.
  const n = 20_000, draws = new Float32Array(2 * n);
  for (let i = 0; i < n; i++) {
    draws[2 * i] = 0.24 * Math.sqrt(-2 * Math.log(1 - (i + 0.5) / n));
  }
  const share = fractionWithinModes(draws, { means: [[0, 0]], std: 0.24 });
  assertAlmostEquals(share, TRUE_SHARE, 2 / n);
});

Deno.test("present numbers: entropy and modes only where they are known", () => {
  const known = presentNumbers(measured(3000), mixtureFacts);
  assertEquals(known.map(({ label, value }) => `${label} ${value}`), [
    "energy distance 0.02",
    "NLL, nats 2.086",
    "within 3 std 98.4 %",
    "at step 3,000",
  ]);
  assertEquals(known[1].note, "at best 2.072");
  const unknown = presentNumbers(measured(1, { withinModes: null }), {
    ...mixtureFacts,
    entropy: null,
  });
  assertEquals(unknown.map(({ label }) => label), ["energy distance", "NLL, nats", "at step"]);
  assertEquals(unknown[1].note, undefined);
});

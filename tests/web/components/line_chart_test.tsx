import type uPlot from "uplot";
import { signal } from "@preact/signals";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { renderToString } from "preact-render-to-string";
import { lookOf } from "../../../web/components/curves/chart_marks.ts";
import { tickOptions } from "../../../web/components/curves/chart_plot.ts";
import { ChartLegend, ChartTable, LineChart } from "../../../web/components/curves/line_chart.tsx";

const series = [
  { label: "loss", x: [10, 20, 30], y: [1, NaN, 1e-7] },
  { label: "floor", x: [10, 30], y: [0.5, 0.25] },
];

Deno.test("on the server a chart is its title, words, and an empty box as high as it will be", () => {
  const html = renderToString(
    <LineChart
      title="Loss"
      description="Lower is better."
      series={series}
      xLabel="step"
      yLabel="nats"
      height={212}
    />,
  );
  assertStringIncludes(html, "Lower is better.");
  assertStringIncludes(html, 'role="img"');
  assertStringIncludes(
    html,
    'aria-label="Loss: loss 1e−7 at step 30; floor 0.25 at step 30."',
  );
  assertStringIncludes(html, 'height="212"');
  assert(!html.includes("<canvas"));
  assert(!html.includes("style="), "the content policy allows no style attributes");
  assertStringIncludes(html, "<summary>");
});

Deno.test("a chart without data says so, and does not draw axes of nothing", () => {
  const html = renderToString(<LineChart title="Loss" series={[]} xLabel="step" yLabel="nats" />);
  assertStringIncludes(html, "Nothing to show yet");
  assertStringIncludes(html, 'aria-label="Loss: nothing to show yet."');
  assert(/class="chart-canvas"[^>]*hidden/.test(html));
});

Deno.test("a logarithmic axis is said, and is linear where a value is not positive", () => {
  const chart = (y: number[]) =>
    renderToString(
      <LineChart
        title="E"
        series={[{ label: "e", x: [1, 2], y }]}
        xLabel="step"
        yLabel="nats"
        logY
      />,
    );
  assertStringIncludes(chart([1, 0.1]), "nats, log scale");
  assert(!chart([1, 0]).includes("log scale"));
});

Deno.test("the legend has the value under the pointer, or the last, and each curve its own dashes", () => {
  const legend = (x: number | null) =>
    renderToString(<ChartLegend series={series} xLabel="step" hovered={signal(x)} />);
  assertStringIncludes(legend(null), "1e−7");
  assertStringIncludes(legend(11), '<span class="tabular chart-value">1</span>');
  assertStringIncludes(legend(11), "step 10");
  const dashes = Array.from({ length: 6 }, (_, i) => lookOf(series[0], i).dash.join());
  assertEquals(new Set(dashes).size, 6);
  for (const dash of legend(null).matchAll(/stroke-dasharray="([^"]*)"/g)) {
    assert(["", "7 4"].includes(dash[1]));
  }
});

Deno.test("faint curves are in no legend", () => {
  const html = renderToString(
    <ChartLegend series={[{ ...series[0], faint: true }]} xLabel="step" hovered={signal(null)} />,
  );
  assert(!html.includes("loss"));
});

Deno.test("the table has a row for each step, NaN where a value is not a number, a dash where none is", () => {
  const html = renderToString(<ChartTable title="Loss" series={series} xLabel="step" />);
  const rows = [...html.matchAll(/<tr><th scope="row">([^<]*)<\/th>(.*?)<\/tr>/g)]
    .map(([, head, cells]) => [head, ...cells.matchAll(/<td>([^<]*)<\/td>/g).map((m) => m[1])]);
  assertEquals(rows, [["10", "1", "0.5"], ["20", "NaN", "–"], ["30", "1e−7", "0.25"]]);
});

Deno.test("every tick of a logarithmic axis is labelled, where no power of ten is in sight too", () => {
  const { splits, filter, values } = tickOptions(true, 70);
  const scales = { x: { min: 19, max: 34 } }, bbox = { width: 300, height: 200 };
  const plot = { scales, bbox } as unknown as uPlot;
  const asFunction = <T,>(option: T) => option as unknown as (...given: unknown[]) => number[];
  const shown = asFunction(filter)(plot, asFunction(splits)(plot, 0, 19, 34, 0, 0), 0, 0, 0);
  assertEquals(shown, [20, 25, 30]);
  assertEquals(asFunction(values)(plot, shown, 0, 0, 0) as unknown, ["20", "25", "30"]);
});

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../../../core/errors.ts";
import {
  escapeXml,
  type LinePlotOptions,
  spreadApart,
  svgLinePlot,
} from "../../../core/picture/line_plot.ts";

/** Throws unless the text is one well-formed XML element: tags nest, attributes and entities hold. */
function assertWellFormed(xml: string): void {
  const open: string[] = [];
  const entity = /&(?!(amp|lt|gt|quot|apos);)/;
  let roots = 0;
  let at = 0;
  for (const match of xml.matchAll(/<(\/?)([a-zA-Z][\w-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g)) {
    const text = xml.slice(at, match.index);
    at = match.index + match[0].length;
    assert(!/[<>]/.test(text) && !entity.test(text), `text: ${text}`);
    assert(open.length > 0 || text.trim() === "", `text outside the root: ${text}`);
    const [, closing, name, attributes, empty] = match;
    assert(!entity.test(attributes), `attributes: ${attributes}`);
    const names = [...attributes.matchAll(/([\w:-]+)="/g)].map((m) => m[1]);
    assertEquals(new Set(names).size, names.length, "an attribute twice");
    if (open.length === 0 && !closing) roots++;
    if (closing) assertEquals(open.pop(), name);
    else if (!empty) open.push(name);
  }
  assertEquals(xml.slice(at).trim(), "");
  assertEquals(open, []);
  assertEquals(roots, 1);
  // deno-lint-ignore no-control-regex -- what XML 1.0 forbids
  assert(!/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(xml) && xml.isWellFormed());
}

/** Where the markers of a series are, in order. */
function markersOf(svg: string, name: string): [number, number][] {
  const group = svg.split(`<g data-series="${name}">`)[1].split("</g>")[0];
  return [...group.matchAll(/translate\(([-\d.]+) ([-\d.]+)\)/g)].map((m) => [+m[1], +m[2]]);
}

/** Where the label with this text is. */
function labelAt(svg: string, text: string): { x: number; y: number } {
  const match = svg.match(new RegExp(`<text x="([-\\d.]+)" y="([-\\d.]+)"[^>]*>${text}</text>`));
  assert(match, `no label ${text}`);
  return { x: +match![1], y: +match![2] };
}

const labels = { title: "t", xLabel: "x", yLabel: "y" };

Deno.test("points of a log-log plot stand at their tick labels, y upwards", () => {
  const svg = svgLinePlot({
    ...labels,
    xLog: true,
    yLog: true,
    series: [{ name: "a", x: [1, 10, 100, 1000], y: [1e-6, 1e-4, 1e-2, 1] }],
  });
  const markers = markersOf(svg, "a");
  ["10⁰", "10¹", "10²", "10³"].forEach((label, i) => {
    // 10⁰ labels a tick on both axes, the horizontal one first.
    assertAlmostEquals(markers[i][0], labelAt(svg, label).x, 0.01);
  });
  assertAlmostEquals(markers[0][1], labelAt(svg, "10⁻⁶").y, 0.01);
  assertAlmostEquals(markers[2][1], labelAt(svg, "10⁻²").y, 0.01);
  assert(markers[3][1] < markers[0][1]);
  assertAlmostEquals(markers[1][0] - markers[0][0], markers[3][0] - markers[2][0], 0.02);
  assertAlmostEquals(markers[1][1] - markers[0][1], markers[3][1] - markers[2][1], 0.02);
});

Deno.test("points of a linear plot stand at their tick labels", () => {
  const series = [{ name: "a", x: [0, 20, 100], y: [-1, 0.5, 2] }];
  const svg = svgLinePlot({ ...labels, series });
  const markers = markersOf(svg, "a");
  assertAlmostEquals(markers[1][0], labelAt(svg, "20").x, 0.01);
  assertAlmostEquals(markers[2][0], labelAt(svg, "100").x, 0.01);
  assertAlmostEquals(markers[0][1], labelAt(svg, "−1.0").y, 0.01);
  assertAlmostEquals(markers[2][1], labelAt(svg, "2.0").y, 0.01);
});

Deno.test("what an axis cannot show is dropped, breaks the line and is counted", () => {
  const svg = svgLinePlot({
    ...labels,
    yLog: true,
    series: [{ name: "a", x: [-1, 2, 3, 4, NaN, 6], y: [1, 10, 0, 100, 5, -1] }],
  });
  assertEquals(markersOf(svg, "a").length, 3);
  assertEquals(svg.match(/<path d="(M[^"]*)" fill="none"/)![1].match(/M/g)!.length, 2);
  assertStringIncludes(svg, "3 points not shown");
  const clean = svgLinePlot({ ...labels, series: [{ name: "a", x: [-1, 0], y: [0, -1] }] });
  assert(!clean.includes("not shown"));
});

Deno.test("one point alone is a marker inside the frame, on every kind of axis", () => {
  for (const value of [0, 3, -7, 1e-200, 1e200]) {
    for (const log of [false, true]) {
      if (log && value <= 0) continue;
      const svg = svgLinePlot({
        ...labels,
        xLog: log,
        yLog: log,
        series: [{ name: "a", x: [value], y: [value] }],
      });
      const frame = svg.match(/<rect x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"/)!.map(
        Number,
      );
      const [[x, y]] = markersOf(svg, "a");
      assertAlmostEquals(x, frame[1] + frame[3] / 2, 0.02);
      assertAlmostEquals(y, frame[2] + frame[4] / 2, 0.02);
    }
  }
});

Deno.test("long lines have no markers, except where a point stands alone", () => {
  const x = Array.from({ length: 500 }, (_, i) => i);
  const y = x.map((v) => v === 101 || v === 103 ? NaN : Math.sin(v / 50));
  const svg = svgLinePlot({ ...labels, series: [{ name: "a", x, y }] });
  assertEquals(markersOf(svg, "a").length, 1);
});

Deno.test("names of the legend never cover each other and stay inside the picture", () => {
  const x = [1, 2];
  const series = Array.from({ length: 25 }, (_, k) => ({ name: `s${k}`, x, y: [k, 1 + 1e-3 * k] }));
  const svg = svgLinePlot({ ...labels, series });
  const height = Number(svg.match(/height="(\d+)"/)![1]);
  const ys = series.map(({ name }) => labelAt(svg, name).y).sort((a, b) => a - b);
  ys.forEach((y, i) => assert(i === 0 || y - ys[i - 1] > 15, `${y - ys[i - 1]}`));
  assert(ys[0] > 0 && ys[24] < height);
});

Deno.test("series differ in colour or marker, and dashes are dashed", () => {
  const series = Array.from({ length: 30 }, (_, k) => ({ name: `s${k}`, x: [1], y: [k] }));
  const svg = svgLinePlot({ ...labels, series });
  const looks = series.map(({ name }) =>
    svg.split(`data-series="${name}"`)[1].match(/<path d="([^"]*)" transform[^>]*fill="(#\w+)"/)!
      .slice(1, 3).join()
  );
  assertEquals(new Set(looks).size, 30);
  const dashed = { name: "d", x: [1, 2], y: [1, 2], dashed: true };
  assertStringIncludes(svgLinePlot({ ...labels, series: [dashed] }), "stroke-dasharray");
  assert(!svg.includes("stroke-dasharray"));
});

Deno.test("well-formed and in finite coordinates for any text and any numbers", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("<&>\"'", "]]>", "\u0000", "\ud800"),
  );
  const points = fc.array(fc.tuple(fc.double(), fc.double()), { minLength: 1, maxLength: 8 });
  const options = fc.record({
    title: text,
    xLabel: text,
    yLabel: text,
    xLog: fc.boolean(),
    yLog: fc.boolean(),
    series: fc.array(
      fc.record({ name: text, points, dashed: fc.boolean() }).map(({ name, points, dashed }) => ({
        name,
        dashed,
        x: points.map(([x]) => x),
        y: points.map(([, y]) => y),
      })),
      { minLength: 1, maxLength: 4 },
    ),
  });
  fc.assert(
    fc.property(options, (plot) => {
      // A point that every axis can show, so that there is something to draw.
      const series = [...plot.series, { name: "one", x: [2], y: [3] }];
      const svg = svgLinePlot({ ...plot, series });
      assertWellFormed(svg);
      for (const [, value] of svg.matchAll(/ (?:d|x|y|width|height|transform)="([^"]*)"/g)) {
        assert(!/NaN|Infinity|undefined|\de/.test(value), value);
      }
    }),
    { numRuns: 150 },
  );
});

Deno.test("spreadApart keeps order and bounds, keeps distances, and moves nothing without need", () => {
  assertEquals(spreadApart([10, 50, 30], 15, 0, 100), [10, 50, 30]);
  assertEquals(spreadApart([50, 50], 10, 0, 100), [45, 55]);
  assertEquals(spreadApart([-5, 99, 300], 10, 0, 100), [0, 90, 100]);
  const wanted = fc.array(fc.double({ min: -50, max: 350, noNaN: true }), {
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(fc.property(wanted, (ends) => {
    const placed = spreadApart(ends, 15, 0, 300);
    const order = ends.map((_, i) => i).sort((a, b) => ends[a] - ends[b] || a - b);
    order.forEach((index, rank) => {
      assert(placed[index] > -1e-6 && placed[index] < 300 + 1e-6);
      assert(rank === 0 || placed[index] - placed[order[rank - 1]] > 15 - 1e-6);
    });
  }));
});

Deno.test("escapeXml writes the five special characters as entities", () => {
  assertEquals(escapeXml(`a<b & "c" > 'd'`), "a&lt;b &amp; &quot;c&quot; &gt; &apos;d&apos;");
  assertEquals(escapeXml("\u0000\ud800ok\n"), "\ufffd\ufffdok\n");
});

Deno.test("svgLinePlot refuses what it cannot draw", () => {
  const call = (series: LinePlotOptions["series"], more: Partial<LinePlotOptions> = {}) => () =>
    svgLinePlot({ ...labels, series, ...more });
  assertThrows(call([]), ConfigError, "no series");
  assertThrows(call([{ name: "a", x: [], y: [] }]), ConfigError, '"a" has no points');
  assertThrows(call([{ name: "a", x: [1], y: [] }]), ConfigError, "1 x and 0 y");
  assertThrows(call([{ name: "a", x: [1], y: [0] }], { yLog: true }), ConfigError, "positive");
  assertThrows(call([{ name: "a", x: [1], y: [0] }], { width: 3 }), ConfigError, "200");
});

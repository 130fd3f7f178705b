import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../../core/errors.ts";
import { svgLinePlot } from "../../../core/picture/line_plot.ts";
import { svgColumn } from "../../../core/picture/svg_column.ts";

const panel = (title: string, height: number) =>
  svgLinePlot({
    ...{ title, height, xLabel: "x", yLabel: "y" },
    series: [{ name: "a < b", x: [1, 2], y: [3, 4] }],
  });

Deno.test("plots stand below each other, with what their roots say of text", () => {
  const column = svgColumn([panel("above", 300), panel("below", 400)], "both & all");
  assert(column.startsWith('<svg xmlns="http://www.w3.org/2000/svg" width="720" height="700" '));
  assert(column.includes("<title>both &amp; all</title>"));
  const groups = column.match(/<g transform="translate\(0 \d+\)" font-family[^>]*>/g)!;
  assertEquals(groups.map((group) => /0 (\d+)/.exec(group)![1]), ["0", "300"]);
  assert(groups.every((group) => group.includes('font-size="13"') && group.includes('fill="#')));
  assertEquals(column.match(/<svg /g)!.length, 1);
  assertEquals(column.match(/<g[ >]/g)!.length, column.match(/<\/g>/g)!.length);
  assert(column.indexOf("above") < column.indexOf("below"));
});

Deno.test("no pictures, or one without a size, are refused", () => {
  assertThrows(() => svgColumn([], "none"), ConfigError, "at least one");
  assertThrows(() => svgColumn(["<p>text</p>"], "text"), ConfigError, 'begins with "<p>text');
});

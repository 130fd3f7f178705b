import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { inlineSvg } from "../../../core/evaluation/report_svg.ts";
import { svgLinePlot } from "../../../core/picture/line_plot.ts";

const place = { prefix: "f1-", label: 'a "plot" <of> &' };
const inlined = (svg: string, prefix = "f1-") => {
  const markup = inlineSvg(svg, { ...place, prefix });
  return markup === null ? null : String(markup);
};
/** An SVG file around its content. */
const file = (content: string, more = "") =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"${more}>${content}</svg>`;

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("\r\n\t", "\u0085\u007f", "\ufdd0\u{1fffe}", "\u0000\ud800", "plot"),
);

Deno.test("a plot of ours is put in as it is, with a label in place of its title", () => {
  fc.assert(
    fc.property(anyText, fc.string(), (title, name) => {
      const svg = svgLinePlot({
        title,
        xLabel: name,
        yLabel: "y",
        yLog: true,
        series: [{ name, x: [1, 2, 3], y: [1, 10, -1] }],
      });
      const text = inlined(svg);
      assert(text !== null, svg);
      assert(text!.startsWith('<svg role="img" aria-label="a &quot;plot&quot; &lt;of&gt; &amp;"'));
      assert(!text!.includes("<title>") && !text!.includes("data-series"));
      const paths = (source: string) => source.match(/ d="[^"]*"/g);
      assertEquals(paths(text!), paths(svg));
      const count = (source: string) => source.match(/<text[^>]*>[^<]*/g)!.length;
      assertEquals(count(text!), count(svg));
      assert(/^\w+$/.test(title) === false || text!.includes(`>${title}</text>`));
    }),
  );
});

Deno.test("identifiers and what refers to them are the plot's own", () => {
  const svg = file(
    '<defs><clipPath id="box"><rect width="5" height="5"/></clipPath></defs>' +
      '<g clip-path="url(#box)"><use href="#box"/></g>',
  );
  const text = inlined(svg, "f7-")!;
  for (const part of ['id="f7-box"', "url(#f7-box)", 'href="#f7-box"']) {
    assertStringIncludes(text, part);
  }
  assert(!/[#"]box/.test(text));
});

Deno.test("what no plot of ours has in it is not put into a page", () => {
  const bad = [
    file("<script>alert(1)</script>"),
    file("<SCRIPT>alert(1)</SCRIPT>"),
    file('<path d="M0 0" onclick="alert(1)"/>'),
    file("", ' onload="alert(1)"'),
    file("<style>* { display: none }</style>"),
    file('<rect style="fill: red"/>'),
    file('<rect class="plot"/>'),
    file('<image href="data:image/png;base64,AA=="/>'),
    file('<a href="https://example.org"><text>x</text></a>'),
    file('<use href="other.svg#x"/>'),
    file('<use href="javascript:alert(1)"/>'),
    file('<use xlink:href="#x"/>'),
    file('<rect fill="url(https://example.org/x)"/>'),
    file('<rect fill="url(#a) url(http:x)"/>'),
    file('<rect fill="javascript:alert(1)"/>'),
    file("<foreignObject><p>x</p></foreignObject>"),
    file('<animate attributeName="href"/>'),
    file("<!-- comment -->"),
    file("<![CDATA[x]]>"),
    file("<?php x ?>"),
    file("<text>&amp;&nbsp;</text>"),
    file("<text>&#60;</text>"),
    file("<text>\u0000</text>"),
    file("<text>\ud800</text>"),
    file("<text>a > b</text>"),
    file('<rect x="1" x="2"/>'),
    file("<rect x=1 />"),
    file("<g><rect/></g></g>"),
    file("<g>"),
    file('<svg viewBox="0 0 1 1"></svg>'),
    file("") + file(""),
    file("") + "text",
    "text" + file(""),
    "<!DOCTYPE svg [<!ENTITY x 'y'>]>" + file(""),
    '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    "<g></g>",
    "",
    "plain text",
  ];
  assert(inlined(file("<rect/>")) !== null);
  for (const svg of bad) assertEquals(inlined(svg), null, svg);
});

Deno.test("whatever a file is, what is put in is made of a plot's elements alone", () => {
  const pieces = fc.constantFrom(
    "<g>",
    "</g>",
    "<rect/>",
    "<text>",
    "</text>",
    "<script>",
    "</script>",
    '<rect fill="#fff"/>',
    '<rect onload="x"/>',
    '<g id="a">',
    "<",
    ">",
    "&amp;",
    "&",
    '"',
    "x",
    "</svg>",
    "<title>",
    "</title>",
  );
  let inside = 0;
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
      const text = inlined(file(parts.join("")));
      if (text === null) return;
      inside++;
      assert(!/script|onload|xmlns/.test(text), text);
      assertEquals(text.match(/<\/svg>/g)?.length, 1);
      const opened = text.match(/<[a-z]+/g)!.length, closed = text.match(/<\/[a-z]+>/g)!.length;
      assertEquals(opened, closed);
    }),
    { numRuns: 3000 },
  );
  assert(inside > 100, `${inside}`);
});

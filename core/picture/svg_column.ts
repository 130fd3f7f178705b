/**
 * @file Plots as stand-alone SVG, one below the other, as panels of one file.
 */
import { ConfigError } from "../errors.ts";
import { escapeXml } from "./line_plot.ts";

/**
 * SVG pictures below each other in one, each at its own size, from the left.
 *
 * @param pictures texts of SVG files whose root has a width and a height in pixels, as
 * {@link svgLinePlot} makes them; at least one
 * @param title of the whole
 * @returns well-formed XML with `<svg>` as its root, as wide as the widest
 * @throws {ConfigError} without a picture, or where one has no size
 * @example
 * ```ts
 * import { svgColumn, svgLinePlot } from "vapo";
 * import { assertStringIncludes } from "@std/assert";
 * const panel = (title: string) =>
 *   svgLinePlot({ title, xLabel: "x", yLabel: "y", series: [{ name: "a", x: [1, 2], y: [1, 2] }] });
 * const both = svgColumn([panel("above"), panel("below")], "both");
 * assertStringIncludes(both, 'viewBox="0 0 720 880"');
 * ```
 */
export function svgColumn(pictures: readonly string[], title: string): string {
  if (pictures.length === 0) throw new ConfigError("no pictures to arrange: give at least one");
  const sizes = pictures.map(sizeOf);
  const width = Math.max(...sizes.map((size) => size.width));
  const height = sizes.reduce((sum, size) => sum + size.height, 0);
  let top = 0;
  const panels = pictures.map((picture, i) => {
    const placed = asGroup(picture, top);
    top += sizes[i].height;
    return placed;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...panels,
    "</svg>\n",
  ].join("\n");
}

const ROOT = /^\s*<svg ([^>]*)>/;

/** The content of a picture, moved down; what its root says of text and colour goes with it. */
function asGroup(picture: string, top: number): string {
  const attributes = ROOT.exec(picture)![1].match(/(?:font-family|font-size|fill)="[^"]*"/g) ?? [];
  const content = picture.replace(ROOT, "").replace(/<\/svg>\s*$/, "")
    .replace(/^\s*<title>[^<]*<\/title>/, "").trim();
  return `<g transform="translate(0 ${top})" ${attributes.join(" ")}>\n${content}\n</g>`;
}

function sizeOf(picture: string, index: number): { width: number; height: number } {
  const root = ` ${ROOT.exec(picture)?.[1] ?? ""}`;
  const [width, height] = ["width", "height"].map((name) =>
    Number(new RegExp(` ${name}="([0-9.]+)"`).exec(root)?.[1])
  );
  if (width > 0 && height > 0) return { width, height };
  throw new ConfigError(
    `picture ${index} begins with ${JSON.stringify(picture.slice(0, 40))}: expected <svg> with a ` +
      "width and a height in pixels",
  );
}

/**
 * @file Plots of ours as part of an HTML page, where their text can be searched and their ink follows
 * the page's colours. A plot is read by a grammar that knows only what such plots are made of: shapes,
 * text, presentation attributes, references within the plot. All that is written is what was read so;
 * whatever else a file has in it (a script, a style, a link), it is not put into a page.
 */
import { Markup, markup, withHtmlCharacters } from "./report_html.ts";

const elements = new Set(
  (
    "svg g path rect circle ellipse line polyline polygon text tspan title desc defs clipPath use"
  ).split(" "),
);

const attributes = new Set((
  "id href width height viewBox x y x1 y1 x2 y2 cx cy r rx ry dx dy d points transform fill " +
  "fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linejoin stroke-linecap " +
  "stroke-dasharray stroke-dashoffset stroke-miterlimit opacity font-family font-size font-weight " +
  "font-style text-anchor dominant-baseline letter-spacing rotate clip-path paint-order " +
  "shape-rendering"
).split(" "));

/** Attributes that a page has no use for: they are left out. */
const LEFT_OUT = /^(xmlns|role|aria-[a-z]+|data-[a-z-]+)$/;

/** Text with no entities but the five of XML. */
const SAFE_TEXT = /^(?:[^<>&]|&(?:amp|lt|gt|quot|apos);)*$/;
/** Values: numbers, colours, paths, names of fonts; no colon, so that none is an address. */
const SAFE_VALUE = /^(?:[^<>&"\\:;{}@]|&(?:amp|lt|gt|quot|apos);)*$/;

const TOKEN = /<(\/?)([a-zA-Z]+)((?:\s+[a-zA-Z][\w:-]*="[^"<]*")*)\s*(\/?)>|([^<]+)/y;

/** What identifies a plot on its page. */
export interface SvgPlace {
  /** Put before each id, so that no two plots share one. */
  readonly prefix: string;
  /** What is to be seen. */
  readonly label: string;
}

/**
 * A plot as an element of an HTML page, or null where the file is anything but such a plot.
 *
 * @param svg a whole file, as `svgLinePlot` gives it
 * @param place what distinguishes it from other plots of the page
 */
export function inlineSvg(svg: string, { prefix, label }: SvgPlace): Markup | null {
  const text = withHtmlCharacters(svg)
    .replace(/^\ufeff?\s*(?:<\?xml[\w\s="'.-]*\?>\s*)?/, "").trimEnd();
  if (!text.isWellFormed()) return null;
  const open: string[] = [];
  let written = "", roots = 0;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const token = TOKEN.exec(text);
    if (!token) return null;
    const [, closing, name, given, empty, content] = token;
    if (content !== undefined) {
      if (!isText(content) || (open.length === 0 && content.trim() !== "")) return null;
      written += content;
      continue;
    }
    if (!elements.has(name)) return null;
    if (closing) {
      if (open.pop() !== name || given || empty) return null;
      written += `</${name}>`;
      continue;
    }
    const isRoot = open.length === 0;
    if (isRoot !== (name === "svg") || (isRoot && roots++ > 0)) return null;
    const kept = keptAttributes(given, prefix);
    if (kept === null || (isRoot && !/ viewBox="[-\d.\s]+"/.test(kept))) return null;
    const described = isRoot ? String(markup` role="img" aria-label="${label}"`) : "";
    written += `<${name}${described}${kept}>`;
    if (empty) written += `</${name}>`;
    else open.push(name);
  }
  if (open.length > 0 || roots !== 1) return null;
  // Its own title would be shown over everything that the pointer rests on.
  return new Markup(written.replace(/(^<svg[^>]*>\s*)<title>[^<]*<\/title>\s*/, "$1"));
}

/** The attributes of an element as they may stand in a page; null where one may not. */
function keptAttributes(given: string, prefix: string): string | null {
  let kept = "";
  const names = new Set<string>();
  for (const [, name, value] of given.matchAll(/\s+([a-zA-Z][\w:-]*)="([^"]*)"/g)) {
    if (names.has(name)) return null;
    names.add(name);
    if (LEFT_OUT.test(name)) continue;
    const safe = attributes.has(name) && isText(value) ? keptValue(name, value, prefix) : null;
    if (safe === null) return null;
    kept += ` ${name}="${safe}"`;
  }
  return kept;
}

function keptValue(name: string, value: string, prefix: string): string | null {
  if (name === "id") return /^[\w-]+$/.test(value) ? prefix + value : null;
  if (name === "href") return /^#[\w-]+$/.test(value) ? `#${prefix}${value.slice(1)}` : null;
  const reference = /^url\(#([\w-]+)\)$/.exec(value);
  if (reference) return `url(#${prefix}${reference[1]})`;
  return SAFE_VALUE.test(value) && !/url|expression/i.test(value) ? value : null;
}

function isText(text: string): boolean {
  // deno-lint-ignore no-control-regex -- these are errors in an HTML text
  return SAFE_TEXT.test(text) && !/[\u0000-\u0008\u000b-\u001f]/.test(text);
}

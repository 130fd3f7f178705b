/** What the style sheets promise of the charts' colours, from the sheets themselves. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { SERIES_COLORS } from "../../../web/components/curves/chart_marks.ts";

const sheet = (name: string) =>
  Deno.readTextFileSync(fromFileUrl(new URL(`../../../web/static/${name}`, import.meta.url)));

/** Tokens of a sheet, of the light theme and of the dark one. */
function tokens(css: string): { light: Map<string, string>; dark: Map<string, string> } {
  const [light, dark] = css.split("@media (prefers-color-scheme: dark)");
  const read = (text: string) =>
    new Map([...text.matchAll(/--([\w-]+): (#[0-9a-f]{6})/g)].map(([, name, hex]) => [name, hex]));
  return { light: read(light), dark: read(dark) };
}

/** Relative luminance (WCAG 2.2). */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = parseInt(hex.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

Deno.test("curves stand out of the panel at 3:1 or more in both themes", () => {
  assertEquals(Math.round(contrast("#000000", "#ffffff")), 21);
  const panels = tokens(sheet("panels.css")), base = tokens(sheet("base.css"));
  for (const theme of ["light", "dark"] as const) {
    const surface = base[theme].get("surface")!;
    for (let i = 1; i <= SERIES_COLORS; i++) {
      const color = panels[theme].get(`series-${i}`)!;
      const ratio = contrast(color, surface);
      assert(ratio >= 3, `--series-${i} ${color} on ${surface} of the ${theme} theme: ${ratio}`);
    }
  }
});

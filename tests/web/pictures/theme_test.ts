import { assert, assertEquals } from "@std/assert";
import { isDark, rgbOf, themeOfTokens } from "../../../web/pictures/theme.ts";

Deno.test("colours of CSS as red, green and blue", () => {
  assertEquals(rgbOf("#18f"), [17, 136, 255]);
  assertEquals(rgbOf("#2457c5"), [36, 87, 197]);
  assertEquals(rgbOf("rgb(1, 2, 3)"), [1, 2, 3]);
  assertEquals(rgbOf("rgb(1 2 3 / 0.5)"), [1, 2, 3]);
  // Outside a page others are not known.
  assertEquals(rgbOf("tomato"), [255, 255, 255]);
});

Deno.test("a theme is dark where its ground is", () => {
  assert(isDark("#181e2a") && isDark("rgb(20, 20, 30)"));
  assert(!isDark("#ffffff") && !isDark("#fff"));
});

Deno.test("tokens of the page; those of the light one where there are none", () => {
  const tokens: Record<string, string> = { "--surface": " #111 ", "--accent": "#8ab0ff" };
  const theme = themeOfTokens((name) => tokens[name] ?? "");
  assertEquals(theme.background, "#111");
  assertEquals(theme.accent, "#8ab0ff");
  assertEquals(theme.dark, true);
  assertEquals(themeOfTokens(() => "").dark, false);
});

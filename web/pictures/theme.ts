/**
 * @file The page's colours for pictures, read from its tokens (`base.css`) where they are used.
 */
import type { PictureTheme } from "./view.ts";

/** Of the light page, where a token is missing. */
const FALLBACK = {
  "--surface": "#ffffff",
  "--ink": "#1b2130",
  "--line": "#d5dae3",
  "--accent": "#2457c5",
  "--second": "#b4530a",
} as const;

/**
 * The theme at an element: from the custom properties that it has.
 *
 * @param element in the page
 */
export function pictureTheme(element: Element): PictureTheme {
  const style = getComputedStyle(element);
  return themeOfTokens((name) => style.getPropertyValue(name));
}

/**
 * A theme from custom properties.
 *
 * @param read the value of a property, as "--ink"; empty if there is none
 */
export function themeOfTokens(read: (name: string) => string): PictureTheme {
  const token = (name: keyof typeof FALLBACK) => read(name).trim() || FALLBACK[name];
  const background = token("--surface");
  return {
    background,
    ink: token("--ink"),
    faint: token("--line"),
    accent: token("--accent"),
    second: token("--second"),
    dark: isDark(background),
  };
}

/** Whether a colour "#rgb", "#rrggbb" or "rgb(r, g, b)" is nearer to black than to white. */
export function isDark(color: string): boolean {
  const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(color)?.[1];
  const channels = hex
    ? (hex.length === 3 ? [...hex].map((c) => c + c) : hex.match(/../g) ?? []).map((c) =>
      parseInt(c, 16)
    )
    : (/^rgba?\(([^)]+)\)$/.exec(color)?.[1] ?? "255 255 255").split(/[\s,/]+/).map(Number);
  const [red, green, blue] = channels;
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}

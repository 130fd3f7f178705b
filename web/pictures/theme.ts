/**
 * @file The page's colours for pictures, read from its tokens (`base.css`) where they are used.
 */
import type { Rgb } from "../../core/picture/rgb_image.ts";
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

/** Whether a colour is nearer to black than to white. */
export function isDark(color: string): boolean {
  const [red, green, blue] = rgbOf(color);
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}

const known = new Map<string, Rgb>();

/**
 * The red, green and blue of a CSS colour: "#rgb", "#rrggbb" or "rgb(r, g, b)", and in a page any other.
 *
 * @returns white for what is not read
 */
export function rgbOf(color: string): Rgb {
  const before = known.get(color);
  if (before) return before;
  const rgb = rgbOfText(color) ?? paintedRgb(color);
  if (known.size > 100) known.clear();
  known.set(color, rgb);
  return rgb;
}

function rgbOfText(color: string): Rgb | null {
  const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(color)?.[1];
  if (hex) {
    const pairs = hex.length === 3 ? [...hex].map((c) => c + c) : hex.match(/../g) ?? [];
    const [red, green, blue] = pairs.map((pair) => parseInt(pair, 16));
    return [red, green, blue];
  }
  const inside = /^rgba?\(([^)]+)\)$/.exec(color)?.[1];
  const [red, green, blue] = (inside ?? "").split(/[\s,/]+/).map(parseFloat);
  return Number.isFinite(red + green + blue) ? [red, green, blue] : null;
}

/** What the browser makes of a colour that is written in another way. */
function paintedRgb(color: string): Rgb {
  const context = typeof OffscreenCanvas === "undefined"
    ? null
    : new OffscreenCanvas(1, 1).getContext("2d");
  if (!context) return [255, 255, 255];
  context.fillStyle = "#fff";
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return [red, green, blue];
}

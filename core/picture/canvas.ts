/**
 * @file A canvas of pixels with what a plot needs: rectangles, discs, lines, triangles and text,
 * anti-aliased by their distance to the pixel's centre (a pixel at distance d inside an edge is
 * covered by clamp(½ + d, 0, 1)). Colours are mixed as they stand in sRGB, in single precision, so
 * that many faint layers add up without rounding. A browser's own canvas is not used because Deno
 * has none, and because a picture should come out the same everywhere.
 */
import type { Rgb, RgbImage } from "./rgb_image.ts";
import { type Polyline, textStrokes, textWidth } from "./stroke_font.ts";

/** A rectangle of pixels: left and top inclusive, right and bottom exclusive. */
export interface PixelRectangle {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The pixels, and the rectangle that drawing is confined to. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  /** `[height, width, 3]`, 0..255. */
  readonly data: Float32Array;
  /** Nothing is drawn outside; the whole canvas to begin with. */
  clip: PixelRectangle;
}

/** A canvas of one colour. */
export function createCanvas(width: number, height: number, background: Rgb): Canvas {
  const data = new Float32Array(width * height * 3);
  for (let i = 0; i < data.length; i++) data[i] = background[i % 3];
  return { width, height, data, clip: { left: 0, top: 0, right: width, bottom: height } };
}

/** The canvas as a picture, rounded to 8 bits. */
export function imageOf(canvas: Canvas): RgbImage {
  const data = new Uint8Array(canvas.data.length);
  for (let i = 0; i < data.length; i++) {
    data[i] = Math.min(255, Math.max(0, Math.round(canvas.data[i])));
  }
  return { width: canvas.width, height: canvas.height, data };
}

/** Runs `draw` with drawing confined to a rectangle, then lifts that again. */
export function clipped(canvas: Canvas, rectangle: PixelRectangle, draw: () => void): void {
  const before = canvas.clip;
  canvas.clip = {
    left: Math.max(before.left, rectangle.left),
    top: Math.max(before.top, rectangle.top),
    right: Math.min(before.right, rectangle.right),
    bottom: Math.min(before.bottom, rectangle.bottom),
  };
  draw();
  canvas.clip = before;
}

/** Mixes a colour into a pixel: opacity 1 replaces it. */
function blend(canvas: Canvas, column: number, row: number, color: Rgb, opacity: number): void {
  const i = (row * canvas.width + column) * 3;
  const data = canvas.data;
  data[i] += opacity * (color[0] - data[i]);
  data[i + 1] += opacity * (color[1] - data[i + 1]);
  data[i + 2] += opacity * (color[2] - data[i + 2]);
}

/** Calls `visit` for every pixel of the clip that touches the box (in pixels, y downwards). */
function forPixels(
  canvas: Canvas,
  box: PixelRectangle,
  visit: (column: number, row: number) => void,
): void {
  const { clip } = canvas;
  const left = Math.max(clip.left, Math.floor(box.left));
  const right = Math.min(clip.right, Math.ceil(box.right));
  const top = Math.max(clip.top, Math.floor(box.top));
  const bottom = Math.min(clip.bottom, Math.ceil(box.bottom));
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) visit(column, row);
  }
}

const clamp01 = (v: number) => v < 0 ? 0 : v > 1 ? 1 : v;

/** A rectangle of whole pixels in one colour. */
export function fillRectangle(
  canvas: Canvas,
  rectangle: PixelRectangle,
  color: Rgb,
  opacity = 1,
): void {
  forPixels(canvas, rectangle, (column, row) => blend(canvas, column, row, color, opacity));
}

/** A disc; centre and radius in pixels, where pixel (0, 0) spans 0..1 in both directions. */
export function fillDisc(
  canvas: Canvas,
  x: number,
  y: number,
  radius: number,
  color: Rgb,
  opacity = 1,
): void {
  const reach = radius + 0.5;
  const box = { left: x - reach, top: y - reach, right: x + reach, bottom: y + reach };
  // Below a radius of half a pixel the pen gets fainter, not thinner.
  const faint = opacity * Math.min(1, 4 * radius * radius);
  forPixels(canvas, box, (column, row) => {
    const cover = clamp01(reach - Math.hypot(column + 0.5 - x, row + 0.5 - y));
    if (cover > 0) blend(canvas, column, row, color, cover * faint);
  });
}

/** A triangle; corners in pixels, in either order of turning. */
export function fillTriangle(
  canvas: Canvas,
  corners: readonly [number, number, number, number, number, number],
  color: Rgb,
  opacity = 1,
): void {
  const [x0, y0, x1, y1, x2, y2] = corners;
  const turning = Math.sign((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0));
  if (turning === 0) return;
  const depth = (ax: number, ay: number, bx: number, by: number, px: number, py: number) =>
    turning * ((bx - ax) * (py - ay) - (by - ay) * (px - ax)) / Math.hypot(bx - ax, by - ay);
  const box = {
    left: Math.min(x0, x1, x2) - 1,
    right: Math.max(x0, x1, x2) + 1,
    top: Math.min(y0, y1, y2) - 1,
    bottom: Math.max(y0, y1, y2) + 1,
  };
  forPixels(canvas, box, (column, row) => {
    const px = column + 0.5;
    const py = row + 0.5;
    const inside = Math.min(
      depth(x0, y0, x1, y1, px, py),
      depth(x1, y1, x2, y2, px, py),
      depth(x2, y2, x0, y0, px, py),
    );
    if (inside > -0.5) blend(canvas, column, row, color, clamp01(0.5 + inside) * opacity);
  });
}

/** The squared distance of a point to the segment from (ax, ay) to (bx, by). */
function squaredDistance(
  px: number,
  py: number,
  ax: number,
  ay: number,
  bx: number,
  by: number,
): number {
  const dx = bx - ax;
  const dy = by - ay;
  const length2 = dx * dx + dy * dy;
  const s = length2 === 0 ? 0 : clamp01(((px - ax) * dx + (py - ay) * dy) / length2);
  return (px - ax - s * dx) ** 2 + (py - ay - s * dy) ** 2;
}

/** Polylines with a round pen, in pixels; where they cross, the ink does not add up. */
export function strokePolylines(
  canvas: Canvas,
  lines: readonly Polyline[],
  penWidth: number,
  color: Rgb,
  opacity = 1,
): void {
  const xs = lines.flatMap((line) => line.filter((_, i) => i % 2 === 0));
  const ys = lines.flatMap((line) => line.filter((_, i) => i % 2 === 1));
  if (xs.length === 0) return;
  const reach = Math.max(0.5, penWidth / 2) + 0.5;
  const faint = opacity * Math.min(1, penWidth);
  const box = {
    left: Math.min(...xs) - reach,
    right: Math.max(...xs) + reach,
    top: Math.min(...ys) - reach,
    bottom: Math.max(...ys) + reach,
  };
  forPixels(canvas, box, (column, row) => {
    let nearest = Infinity;
    for (const line of lines) {
      for (let i = 0; i + 3 < line.length; i += 2) {
        const d = squaredDistance(
          column + 0.5,
          row + 0.5,
          line[i],
          line[i + 1],
          line[i + 2],
          line[i + 3],
        );
        if (d < nearest) nearest = d;
      }
    }
    const cover = clamp01(reach - Math.sqrt(nearest));
    if (cover > 0) blend(canvas, column, row, color, cover * faint);
  });
}

/** How a line of text is set. */
export interface TextStyle {
  /** Height of a capital in pixels. */
  readonly capitalHeight: number;
  readonly color: Rgb;
  /** Which point of the text lies at x (default "start"). */
  readonly align?: "start" | "middle" | "end";
  /** Reads upwards, turned by 90° to the left (default false). */
  readonly upwards?: boolean;
  /** Pen width as a fraction of the capital height (default 0.125). */
  readonly weight?: number;
}

/** One line of text, its baseline through (x, y). */
export function drawText(
  canvas: Canvas,
  text: string,
  x: number,
  y: number,
  style: TextStyle,
): void {
  const { capitalHeight, color, align = "start", upwards = false, weight = 0.125 } = style;
  const width = textWidth(text, capitalHeight);
  const shift = align === "start" ? 0 : align === "middle" ? width / 2 : width;
  for (const character of textStrokes(text, capitalHeight)) {
    const lines = character.map((line) => {
      const placed: number[] = [];
      for (let i = 0; i < line.length; i += 2) {
        const along = line[i] - shift;
        const above = line[i + 1];
        if (upwards) placed.push(x - above, y - along);
        else placed.push(x + along, y - above);
      }
      return placed;
    });
    strokePolylines(canvas, lines, weight * capitalHeight, color);
  }
}

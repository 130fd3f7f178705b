import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  clipped,
  createCanvas,
  drawText,
  fillDisc,
  fillRectangle,
  fillTriangle,
  imageOf,
  strokePolylines,
} from "../../../core/picture/canvas.ts";
import type { Rgb } from "../../../core/picture/rgb_image.ts";
import { textStrokes, textWidth } from "../../../core/picture/stroke_font.ts";

const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];

/** How many pixels' worth of white are on a black canvas, in all. */
function ink(draw: (canvas: ReturnType<typeof createCanvas>) => void, size = 40): number {
  const canvas = createCanvas(size, size, BLACK);
  draw(canvas);
  return canvas.data.reduce((a, b) => a + b) / 765;
}

Deno.test("anti-aliased shapes cover their areas", () => {
  assertAlmostEquals(ink((c) => fillDisc(c, 20.3, 19.6, 6, WHITE)), Math.PI * 36, 1);
  assertAlmostEquals(ink((c) => fillDisc(c, 20.3, 19.6, 6, WHITE, 0.5)), Math.PI * 18, 0.5);
  assertAlmostEquals(ink((c) => fillTriangle(c, [5, 5, 31.5, 8, 12, 30], WHITE)), 320.75, 5);
  assertAlmostEquals(ink((c) => fillTriangle(c, [5, 5, 12, 30, 31.5, 8], WHITE)), 320.75, 5);
  const line = ink((c) => strokePolylines(c, [[5, 5, 35, 25]], 2, WHITE));
  assertAlmostEquals(line, 2 * Math.hypot(30, 20) + Math.PI, 2);
  assertEquals(
    ink((c) => fillRectangle(c, { left: 1, top: 2, right: 4, bottom: 9 }, WHITE)),
    21,
  );
});

Deno.test("lines that cross or meet in a corner do not add up", () => {
  const canvas = createCanvas(20, 20, BLACK);
  strokePolylines(canvas, [[2, 10, 18, 10], [10, 2, 10, 18, 2, 10]], 3, WHITE, 0.5);
  assertEquals(Math.max(...canvas.data), 127.5);
});

Deno.test("nothing is drawn outside the clip, and the clip is lifted afterwards", () => {
  const canvas = createCanvas(20, 20, BLACK);
  clipped(canvas, { left: 5, top: 6, right: 9, bottom: 12 }, () => {
    fillDisc(canvas, 8, 9, 30, WHITE);
  });
  const { data } = imageOf(canvas);
  for (let y = 0; y < 20; y++) {
    for (let x = 0; x < 20; x++) {
      const inside = x >= 5 && x < 9 && y >= 6 && y < 12;
      assertEquals(data[(y * 20 + x) * 3], inside ? 255 : 0);
    }
  }
  assertEquals(canvas.clip, { left: 0, top: 0, right: 20, bottom: 20 });
});

Deno.test("every printable ASCII character has a glyph of its own within the font's box", () => {
  const seen = new Set<string>();
  for (let code = 33; code < 127; code++) {
    const [strokes] = textStrokes(String.fromCharCode(code), 14);
    seen.add(JSON.stringify(strokes));
    const numbers = strokes.flat();
    const xs = numbers.filter((_, i) => i % 2 === 0);
    const ys = numbers.filter((_, i) => i % 2 === 1);
    assert(Math.min(...ys) >= -4.01 && Math.max(...ys) <= 16, String.fromCharCode(code));
    assert(Math.min(...xs) >= -1 && Math.max(...xs) <= 15.1, String.fromCharCode(code));
    assert(numbers.every(Number.isFinite));
  }
  seen.add(JSON.stringify(textStrokes("\u0001", 14)[0]));
  assertEquals(seen.size, 95);
});

Deno.test("text stands where its alignment says, and upwards text reads upwards", () => {
  const width = textWidth("HIH", 8);
  const extent = (align: "start" | "middle" | "end", upwards: boolean) => {
    const canvas = createCanvas(60, 60, BLACK);
    drawText(canvas, "HIH", 30, 30, { capitalHeight: 8, color: WHITE, align, upwards });
    const lit: [number, number][] = [];
    for (let i = 0; i < 3600; i++) {
      if (canvas.data[i * 3] > 64) lit.push([i % 60, Math.floor(i / 60)]);
    }
    const xs = lit.map(([x]) => x);
    const ys = lit.map(([, y]) => y);
    return [Math.min(...xs), Math.max(...xs) + 1, Math.min(...ys), Math.max(...ys) + 1];
  };
  const close = (got: number[], want: number[]) =>
    got.forEach((v, i) => assertAlmostEquals(v, want[i], 1.2));
  close(extent("start", false), [30, 30 + width, 22, 30]);
  close(extent("middle", false), [30 - width / 2, 30 + width / 2, 22, 30]);
  close(extent("end", false), [30 - width, 30, 22, 30]);
  close(extent("start", true), [22, 30, 30 - width, 30]);
});

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  clearRaster,
  drawDots,
  layMask,
  maskSegment,
  maskTriangle,
  newRaster,
} from "../../../web/pictures/raster.ts";

const ink = [10, 20, 30] as const;
const sum = (mask: ArrayLike<number>) => Array.from(mask).reduce((a, b) => a + b, 0) / 255;

Deno.test("a line covers its length times its width, at any angle and place", () => {
  fc.assert(fc.property(
    fc.double({ min: 0, max: 2 * Math.PI, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0.6, max: 4, noNaN: true }),
    (angle, shift, width) => {
      const raster = newRaster(101, 103);
      const dx = 40 * Math.cos(angle), dy = 40 * Math.sin(angle);
      const x = 50 + shift, y = 50 - shift;
      maskSegment(raster, x - dx, y - dy, x + dx, y + dy, width);
      // Half a pixel more at both ends, measured along an axis.
      const area = 80 * width;
      assertAlmostEquals(sum(raster.mask) / area, 1, 0.06);
    },
  ));
});

Deno.test("a line lies where it is said to", () => {
  const raster = newRaster(20, 10);
  maskSegment(raster, 3, 5.5, 15, 5.5, 1);
  for (let x = 3; x < 15; x++) assertEquals(raster.mask[5 * 20 + x], 255);
  assertEquals(raster.mask[4 * 20 + 8], 0);
  assertEquals(raster.mask[6 * 20 + 8], 0);
  const between = newRaster(20, 10);
  maskSegment(between, 3, 5, 15, 5, 1);
  assertEquals([between.mask[4 * 20 + 8], between.mask[5 * 20 + 8]], [127, 127]);
});

Deno.test("a line from somewhere outside, or from nowhere, leaves everything else as it is", () => {
  const raster = newRaster(10, 10);
  maskSegment(raster, NaN, 0, 5, 5, 1);
  maskSegment(raster, Infinity, 0, 5, 5, 1);
  maskSegment(raster, -50, -3, 70, -3, 1);
  assertEquals(sum(raster.mask), 0);
  maskSegment(raster, -1000, 5.5, 1000, 5.5, 1);
  assertEquals(sum(raster.mask), 10);
});

Deno.test("a triangle covers its area", () => {
  const raster = newRaster(60, 60);
  maskTriangle(raster, [10, 10, 50, 20, 20, 45]);
  assertAlmostEquals(sum(raster.mask), Math.abs(40 * 35 - 10 * 10) / 2, 12);
  assert(raster.mask[25 * 60 + 26] === 255 && raster.mask[50 * 60 + 50] === 0);
  const other = newRaster(60, 60);
  maskTriangle(other, [10, 10, 20, 45, 50, 20]);
  assertEquals(other.mask, raster.mask);
});

Deno.test("crossings of a translucent mask are not darker; a mask is used up", () => {
  const raster = newRaster(21, 21);
  maskSegment(raster, 0, 10.5, 21, 10.5, 1);
  maskSegment(raster, 10.5, 0, 10.5, 21, 1);
  layMask(raster, ink, 0.5);
  const at = (x: number, y: number) => [...raster.bytes.subarray(4 * (y * 21 + x)).slice(0, 4)];
  assertEquals(at(10, 10), [10, 20, 30, 128]);
  assertEquals(at(3, 10), at(10, 10));
  assertEquals(sum(raster.mask), 0);
});

Deno.test("one colour over another: as painted on glass", () => {
  const raster = newRaster(4, 1);
  const pixel = () => [...raster.bytes.subarray(0, 4)];
  const all = () => raster.mask.fill(255, 0, 4);
  all();
  layMask(raster, [200, 0, 0]);
  all();
  layMask(raster, [0, 100, 0], 0.5);
  assertEquals(pixel(), [100, 50, 0, 255]);
  clearRaster(raster);
  all();
  layMask(raster, [200, 0, 0], 0.5);
  all();
  layMask(raster, [0, 0, 0], 0.5);
  // Opacity 1 − ½ · ½; of what is seen, a third is the lower colour.
  pixel().forEach((v, i) => assertAlmostEquals(v, [200 / 3, 0, 0, 191][i], 1.1));
});

Deno.test("a disc covers its area around its place; a ring has a hole", () => {
  const disc = { shape: "disc", color: ink, outline: ink, radius: 6, rim: 0 } as const;
  for (const [x, y] of [[20, 20], [20.4, 21.9], [19.7, 20.2]]) {
    const raster = newRaster(41, 41);
    drawDots(raster, [x, y], disc);
    let area = 0, mx = 0, my = 0;
    for (let i = 0; i < 41 * 41; i++) {
      const a = raster.bytes[4 * i + 3] / 255;
      area += a;
      mx += a * (i % 41 + 0.5);
      my += a * (Math.floor(i / 41) + 0.5);
    }
    assertAlmostEquals(area, Math.PI * 36, 2);
    // Dots are told apart by quarters of a pixel.
    assertAlmostEquals(mx / area, x, 0.14);
    assertAlmostEquals(my / area, y, 0.14);
  }
  const raster = newRaster(41, 41);
  drawDots(raster, [20.5, 20.5], { ...disc, shape: "ring", outline: [255, 255, 255], rim: 1 });
  const at = (x: number) => [...raster.bytes.subarray(4 * (20 * 41 + x)).slice(0, 4)];
  assertEquals(at(20)[3], 0);
  assertEquals(at(25), [...ink, 255]);
});

Deno.test("dots at the edge are cut, and those outside left out", () => {
  const style = { shape: "disc", color: ink, outline: ink, radius: 3, rim: 1 } as const;
  const raster = newRaster(10, 10);
  drawDots(raster, [-50, 5, 500, 5, NaN, 5, 5, -99], style);
  assert(raster.pixels.every((pixel) => pixel === 0));
  drawDots(raster, [0, 0, 10, 10, 9.99, 0], style);
  assert(raster.pixels[0] !== 0 && raster.pixels[99] !== 0 && raster.pixels[55] === 0);
});

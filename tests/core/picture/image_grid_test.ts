import { assert, assertEquals, assertThrows } from "@std/assert";
import { decode } from "fast-png";
import fc from "fast-check";
import { ConfigError } from "../../../core/errors.ts";
import { NON_FINITE_COLOR } from "../../../core/picture/colormap.ts";
import { gridLayout, imageGrid } from "../../../core/picture/image_grid.ts";
import { encodePng, pixelAt } from "../../../core/picture/rgb_image.ts";

Deno.test("every pixel of every picture is where the layout says; all else is white", () => {
  const shape = fc.record({
    n: fc.integer({ min: 1, max: 5 }),
    h: fc.integer({ min: 1, max: 3 }),
    w: fc.integer({ min: 1, max: 3 }),
    c: fc.constantFrom(1, 3),
    columns: fc.integer({ min: 1, max: 4 }),
    scale: fc.integer({ min: 1, max: 3 }),
    gap: fc.integer({ min: 0, max: 2 }),
  });
  fc.assert(fc.property(shape, fc.integer(), (options, seed) => {
    const { n, h, w, c, columns, scale, gap } = options;
    const images = Float32Array.from(
      { length: n * h * w * c },
      (_, i) => Math.sin(seed % 1000 + 12.9 * i),
    );
    const grid = decode(encodePng(imageGrid({ images, ...options })));
    const used = Math.min(columns, n);
    assertEquals(grid.width, used * w * scale + (used - 1) * gap);
    assertEquals(grid.height, Math.ceil(n / used) * (h * scale + gap) - gap);
    for (let y = 0; y < grid.height; y++) {
      for (let x = 0; x < grid.width; x++) {
        const [column, inX] = [Math.floor(x / (w * scale + gap)), x % (w * scale + gap)];
        const [row, inY] = [Math.floor(y / (h * scale + gap)), y % (h * scale + gap)];
        const i = row * used + column;
        const outside = i >= n || inX >= w * scale || inY >= h * scale;
        const at = ((i * h + Math.floor(inY / scale)) * w + Math.floor(inX / scale)) * c;
        for (let k = 0; k < 3; k++) {
          const expected = outside ? 255 : Math.round((images[at + (c === 1 ? 0 : k)] + 1) * 127.5);
          assertEquals(grid.data[(y * grid.width + x) * 3 + k], expected);
        }
      }
    }
  }));
});

Deno.test("values beyond ±1 are clamped, values that are not finite are magenta", () => {
  const images = Float32Array.of(-7, 9, NaN, Infinity, 0);
  const grid = imageGrid({ images, n: 5, h: 1, w: 1, c: 1, columns: 5, scale: 1, gap: 0 });
  assertEquals(pixelAt(grid, 0, 0), [0, 0, 0]);
  assertEquals(pixelAt(grid, 1, 0), [255, 255, 255]);
  assertEquals(pixelAt(grid, 2, 0), NON_FINITE_COLOR);
  assertEquals(pixelAt(grid, 3, 0), NON_FINITE_COLOR);
  assertEquals(pixelAt(grid, 4, 0), [128, 128, 128]);
  // One channel that is not finite is enough.
  const rgb = imageGrid({ images: [0, -Infinity, 0], n: 1, h: 1, w: 1, c: 3, scale: 1 });
  assertEquals(pixelAt(rgb, 0, 0), NON_FINITE_COLOR);
});

Deno.test("left alone, a grid is about square and 500 to 800 pixels wide", () => {
  for (const [n, side] of [[16, 32], [64, 28], [100, 32], [64, 64], [16, 16], [36, 64]]) {
    const { width, height, columns } = gridLayout({ n, h: side, w: side, c: 3 });
    assertEquals(columns, Math.sqrt(n));
    assertEquals(width, height);
    assert(width >= 500 && width <= 800, `${n} of ${side}: ${width}`);
  }
});

Deno.test("imageGrid refuses shapes that do not fit", () => {
  const images = new Float32Array(8);
  const shape = { n: 2, h: 2, w: 2, c: 1 };
  assertThrows(() => imageGrid({ images, ...shape, n: 3 }), ConfigError, "give 12");
  assertThrows(() => imageGrid({ images, ...shape, c: 2 }), ConfigError, "2 channels");
  assertThrows(() => imageGrid({ images, ...shape, n: 0 }), ConfigError, "n = 0");
  assertThrows(() => imageGrid({ images, ...shape, scale: 1.5 }), ConfigError, "scale");
  assertThrows(() => imageGrid({ images, ...shape, gap: -1 }), ConfigError, "gap");
});

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { magma } from "../../../core/picture/colormap.ts";
import { type Camera, project } from "../../../web/pictures/projection.ts";
import { paintSurface, type Surface, type SurfacePaint } from "../../../web/pictures/surface.ts";

const size = { width: 100, height: 100 };
const paint: SurfacePaint = {
  scale: { colormap: magma, range: [0, 1] },
  contourStep: 0,
  lineWidth: 1,
  lightLines: false,
};

function surfaceOf(nodes: number, f: (x: number, y: number) => number): Surface {
  const heights = Float32Array.from({ length: nodes * nodes }, (_, i) => {
    const column = i % nodes;
    return f(2 * column / (nodes - 1) - 1, 1 - 2 * (i - column) / nodes / (nodes - 1));
  });
  return { nodes, values: heights, heights };
}

const above: Camera = {
  yaw: 0,
  pitch: Math.PI / 2,
  distance: Infinity,
  centerX: 50,
  centerY: 50,
  scale: 40,
};

Deno.test("a flat surface from above is its square, every pixel once covered", () => {
  const { bytes, nearness } = paintSurface(surfaceOf(9, () => 0.5), above, paint, size);
  for (let y = 0; y < 100; y++) {
    for (let x = 0; x < 100; x++) {
      const inside = x >= 10 && x < 90 && y >= 10 && y < 90;
      assertEquals(bytes[4 * (y * 100 + x) + 3], inside ? 255 : 0, `${x}, ${y}`);
      if (inside) assertAlmostEquals(nearness[y * 100 + x], 0.5, 1e-6);
      else assertEquals(nearness[y * 100 + x], -Infinity);
    }
  }
});

Deno.test("from above a surface is a map: x to the right, y upwards", () => {
  const { nearness } = paintSurface(surfaceOf(9, (x, y) => 0.1 * x + 0.2 * y), above, paint, size);
  for (const [x, y] of [[15, 15], [80, 20], [40, 85]]) {
    const px = (x + 0.5 - 50) / 40, py = (50 - y - 0.5) / 40;
    assertAlmostEquals(nearness[y * 100 + x], 0.1 * px + 0.2 * py, 1e-5);
  }
});

Deno.test("a hill hides what is behind it: everywhere the nearest is seen", () => {
  const hill = surfaceOf(21, (x, y) => Math.exp(-6 * (x * x + y * y)));
  for (const yaw of [0, 0.7, 2.5, -1.9]) {
    const view = { ...above, yaw, pitch: 0.3, distance: 6, scale: 26 };
    const { nearness } = paintSurface(hill, view, paint, size);
    for (let k = 0; k < 441; k++) {
      const column = k % 21, row = Math.floor(k / 21);
      // Tips of corners can be narrower than a pixel.
      if (column % 20 === 0 || row % 20 === 0) continue;
      const [px, py, near] = project(view, column / 10 - 1, 1 - row / 10, hill.heights[k]);
      // A pixel's middle is a little away from the node, which may be the hill's last.
      const around = [-101, -100, -99, -1, 0, 1, 99, 100, 101].map((d) =>
        nearness[Math.floor(py) * 100 + Math.floor(px) + d]
      );
      assert(Math.max(...around) > near - 0.12, `${yaw}: ${around} behind ${near}`);
    }
  }
});

Deno.test("contour lines are where levels are", () => {
  const ramp = surfaceOf(9, (x) => (x + 1) / 2);
  const plain = paintSurface(ramp, above, paint, size);
  const lined = paintSurface(ramp, above, { ...paint, contourStep: 0.25 }, size);
  const row = 40;
  const changed: number[] = [];
  for (let x = 10; x < 90; x++) {
    if (plain.pixels[row * 100 + x] !== lined.pixels[row * 100 + x]) changed.push(x);
  }
  // 0, ¼, ½, ¾ and 1 of 80 pixels from 10 on.
  const expected = [10, 29, 30, 49, 50, 69, 70, 89];
  assertEquals(changed, expected);
});

Deno.test("cells that are not finite are left out", () => {
  const hole = surfaceOf(9, (x, y) => Math.abs(x) < 0.1 && Math.abs(y) < 0.1 ? NaN : 0);
  const { bytes } = paintSurface(hole, above, paint, size);
  assertEquals(bytes[4 * (50 * 100 + 50) + 3], 0);
  assertEquals(bytes[4 * (20 * 100 + 20) + 3], 255);
});

Deno.test("an image of before is painted over", () => {
  const first = paintSurface(surfaceOf(5, () => 1), above, paint, size);
  const second = paintSurface(surfaceOf(5, () => 0), { ...above, scale: 20 }, paint, size, first);
  assert(second === first);
  assertEquals(second.bytes[4 * (15 * 100 + 15) + 3], 0);
});

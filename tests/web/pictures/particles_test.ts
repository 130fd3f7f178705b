import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  drawParticles,
  drawTrails,
  frameAt,
  particleRadius,
  positionsAt,
  trailsAt,
} from "../../../web/pictures/particles.ts";
import { newRaster } from "../../../web/pictures/raster.ts";
import { planeView } from "../../../web/pictures/view.ts";
import { straightFlow } from "./known_fields.ts";

// Times that are not equally far apart.
const flow = straightFlow([[0, 1], [-2, 0.5]], [[1, 0], [0.5, -2]], [0, 0.1, 0.4, 0.5, 1]);

Deno.test("particles on straight lines are there at any time, and stay at the ends", () => {
  for (const u of [0, 0.05, 0.1, 0.33, 0.5, 0.77, 1]) {
    const at = positionsAt(flow, u);
    [u, 1, -2 + 0.5 * u, 0.5 - 2 * u].forEach((v, i) => assertAlmostEquals(at[i], v, 1e-6));
  }
  assertEquals(positionsAt(flow, 3), positionsAt(flow, 1));
  assertEquals(positionsAt(flow, -1), positionsAt(flow, 0));
  const out = new Float32Array(4);
  assert(positionsAt(flow, 0.2, out) === out);
});

Deno.test("a flow of one frame stands still", () => {
  const still = straightFlow([[1, 2]], [[9, 9]], [0]);
  assertEquals([...positionsAt(still, 0.7)], [1, 2]);
  assertEquals(trailsAt(still, 0.7, 0.1, 4).length, 0);
});

Deno.test("frames: the one before, and the way to the next", () => {
  assertEquals(frameAt([0, 1, 3], 2), { frame: 1, share: 0.5 });
  assertEquals(frameAt([0, 1, 3], 1), { frame: 1, share: 0 });
  assertEquals(frameAt([0, 1, 3], 3), { frame: 1, share: 1 });
  assertEquals(frameAt([0, 1, 3], NaN), { frame: 0, share: 0 });
});

Deno.test("trails go from where particles were to where they are", () => {
  const trails = trailsAt(flow, 0.8, 0.4, 4);
  assertEquals(trails.length, 5 * 4);
  for (let k = 0; k <= 4; k++) {
    const u = 0.4 + 0.1 * k;
    const expected = [u, 1, -2 + 0.5 * u, 0.5 - 2 * u];
    expected.forEach((v, i) => assertAlmostEquals(trails[4 * k + i], v, 1e-6));
  }
  // Never from before the beginning.
  assertAlmostEquals(trailsAt(flow, 0.1, 0.4, 4)[0], 0, 1e-6);
  assertEquals(trailsAt(flow, 0, 0.4, 4).length, 0);
});

Deno.test("dots are where particles are, y upwards; others are left out", () => {
  const view = planeView({ width: 100, height: 100 }, 2);
  const raster = newRaster(100, 100);
  const style = {
    shape: "disc",
    color: [200, 10, 20],
    outline: [255, 255, 255],
    radius: 3,
  } as const;
  drawParticles(raster, view, [1, 1, 50, 0, NaN, 0], style);
  const at = (x: number, y: number) => [...raster.bytes.subarray(4 * (y * 100 + x)).slice(0, 4)];
  assertEquals(at(75, 25), [200, 10, 20, 255]);
  assertEquals(at(25, 75), [0, 0, 0, 0]);
  const painted = raster.pixels.filter((pixel) => pixel !== 0).length;
  assert(painted > 30 && painted < 110);
});

Deno.test("a trail fades away from its particle", () => {
  const view = planeView({ width: 200, height: 200 }, 1);
  const raster = newRaster(200, 200);
  const moving = straightFlow([[-0.8, 0]], [[1.6, 0]], [0, 1]);
  drawTrails(raster, view, trailsAt(moving, 1, 1, 6), 1, [0, 0, 0]);
  // y = 0 is between the rows 99 and 100.
  const opacity = (x: number) => raster.bytes[4 * (99 * 200 + x) + 3];
  assert(opacity(30) > 0 && opacity(100) > opacity(30) && opacity(175) > opacity(100));
  assertEquals(opacity(10), 0);
  assertEquals(opacity(190), 0);
});

Deno.test("many particles are smaller than few", () => {
  const view = planeView({ width: 600, height: 600 }, 2);
  assert(particleRadius(4000, view) < particleRadius(500, view));
});

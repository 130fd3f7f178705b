import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Camera, paintingOrder, project, rotation } from "../../../web/pictures/projection.ts";

const camera = (yaw: number, pitch: number, distance = Infinity): Camera => ({
  yaw,
  pitch,
  distance,
  centerX: 100,
  centerY: 200,
  scale: 50,
});
const angle = fc.double({ min: -7, max: 7, noNaN: true });

Deno.test("rotations are orthonormal and do not mirror", () => {
  fc.assert(fc.property(angle, angle, (yaw, pitch) => {
    const m = rotation(yaw, pitch);
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        const dot = m[3 * i] * m[3 * j] + m[3 * i + 1] * m[3 * j + 1] + m[3 * i + 2] * m[3 * j + 2];
        assertAlmostEquals(dot, i === j ? 1 : 0, 1e-12);
      }
    }
    const determinant = m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) +
      m[2] * (m[3] * m[7] - m[4] * m[6]);
    assertAlmostEquals(determinant, 1, 1e-12);
  }));
});

function assertPlace(actual: readonly number[], expected: readonly number[]) {
  expected.forEach((v, i) => assertAlmostEquals(actual[i], v, 1e-9));
}

Deno.test("corners: from the side, from above, and turned by a quarter", () => {
  // From the side: x to the right, z upwards, y away.
  assertPlace(project(camera(0, 0), 1, 1, 0.5), [150, 175, -1]);
  assertPlace(project(camera(0, 0), -1, -1, 0), [50, 200, 1]);
  // From above: a map, y upwards.
  assertPlace(project(camera(0, Math.PI / 2), 1, 1, 0.5), [150, 150, 0.5]);
  // A quarter against the clock takes +x to +y: away from the viewer.
  assertPlace(project(camera(Math.PI / 2, 0), 1, 0, 0), [100, 200, -1]);
  assertPlace(project(camera(Math.PI / 2, Math.PI / 2), 1, 0, 0), [100, 150, 0]);
});

Deno.test("perspective: what is near is larger, the middle stays", () => {
  const near = project(camera(0, 0, 5), 1, -1, 0);
  const far = project(camera(0, 0, 5), 1, 1, 0);
  assertAlmostEquals(near[0], 100 + 50 * 5 / 4);
  assertAlmostEquals(far[0], 100 + 50 * 5 / 6);
  assertPlace(project(camera(1, 0.5, 5), 0, 0, 0), [100, 200, 0]);
});

Deno.test("cells are painted from back to front, each once", () => {
  const cells = 8;
  fc.assert(fc.property(
    angle,
    fc.double({ min: 0.05, max: 1.5, noNaN: true }),
    fc.constantFrom(4, 7, Infinity),
    (yaw, pitch, distance) => {
      const view = camera(yaw, pitch, distance);
      const { columns, rows } = paintingOrder(view, cells);
      assertEquals([...columns].sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7]);
      assertEquals([...rows].sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7]);
      // A ray from the viewer runs through the plane in one direction along each axis: of two cells
      // in a row, the one nearer to the viewer's place is in front.
      const m = rotation(yaw, pitch);
      const eye = Math.min(distance, 1e6);
      const centre = (i: number) => (i + 0.5) * 2 / cells - 1;
      const away = (i: number, towards: number) => Math.abs(centre(i) - towards * eye);
      for (let i = 1; i < cells; i++) {
        assert(away(columns[i], m[6]) <= away(columns[i - 1], m[6]) + 1e-6);
        assert(away(rows[i], -m[7]) <= away(rows[i - 1], -m[7]) + 1e-6);
      }
    },
  ));
});

Deno.test("without perspective the last cell of the order is the nearest corner", () => {
  const { columns, rows } = paintingOrder(camera(0.3, 0.5), 4);
  // Turned by a little, the corner at the front left is nearest: y = −1 is the last row.
  assertEquals([columns[3], rows[3]], [0, 3]);
});

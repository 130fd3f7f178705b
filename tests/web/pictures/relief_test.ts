import { assert, assertAlmostEquals } from "@std/assert";
import fc from "fast-check";
import { project } from "../../../web/pictures/projection.ts";
import { reliefCamera, reliefHeight } from "../../../web/pictures/relief.ts";

Deno.test("heights are linear within the range, and ever more than before beyond it", () => {
  assertAlmostEquals(reliefHeight([-2, 2], 1), 0.5);
  assertAlmostEquals(reliefHeight([0, 4], 0), -1);
  let before = -Infinity;
  for (let v = -20; v <= 20; v += 0.5) {
    const height = reliefHeight([-5, 5], v);
    assert(height >= before && Math.abs(height) <= 1.3);
    before = height;
  }
  assert(Number.isNaN(reliefHeight([-1, 1], NaN)));
});

Deno.test("the whole box is on the canvas at any yaw and pitch", () => {
  fc.assert(fc.property(
    fc.double({ min: -4, max: 4, noNaN: true }),
    fc.double({ min: 0.05, max: 1.5, noNaN: true }),
    fc.constantFrom([600, 600], [320, 320], [900, 500], [400, 700]),
    (yaw, pitch, [width, height]) => {
      const camera = reliefCamera({ width, height, ratio: 1 }, yaw, pitch);
      for (const x of [-1, 1]) {
        for (const y of [-1, 1]) {
          for (const z of [-0.8, 0.42]) {
            const [px, py] = project(camera, x, y, z);
            assert(px > 0 && px < width && py > 0 && py < height, `${px}, ${py}`);
          }
        }
      }
    },
  ));
});

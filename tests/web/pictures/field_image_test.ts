import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../../../core/errors.ts";
import { colorAt, coolWarm, magma, NON_FINITE_COLOR } from "../../../core/picture/colormap.ts";
import {
  centred,
  fieldPixels,
  robustRange,
  scaleColors,
  scalePlace,
  steadyRange,
  symmetricRange,
} from "../../../web/pictures/field_image.ts";
import { gridOf } from "./known_fields.ts";

Deno.test("a plane's image has the colour of every pixel's centre", () => {
  const side = 40;
  const values = gridOf(8, 2, (x, y) => x + 0.5 * y);
  const pixels = fieldPixels(values, 8, { colormap: magma, range: [-3, 3] }, side);
  for (let row = 0; row < side; row += 3) {
    for (let column = 0; column < side; column += 3) {
      const x = 2 * ((2 * column + 1) / side - 1), y = -2 * ((2 * row + 1) / side - 1);
      const expected = colorAt(magma, (x + 0.5 * y + 3) / 6);
      const at = 4 * (row * side + column);
      // A step of the map's 256 colours is at most a few bytes.
      expected.forEach((v, k) => assertAlmostEquals(pixels[at + k], v, 5));
      assertEquals(pixels[at + 3], 255);
    }
  }
});

Deno.test("an image is interpolated before it is coloured", () => {
  // Between blue and red of coolWarm is its grey, not their purple.
  const values = gridOf(4, 1, (x) => x > 0 ? 1 : -1);
  const pixels = fieldPixels(values, 4, { colormap: coolWarm, range: [-1, 1] }, 401);
  const middle = [...pixels.subarray(4 * (200 * 401 + 200), 4 * (200 * 401 + 200) + 3)];
  middle.forEach((v) => assertAlmostEquals(v, 221, 3));
});

Deno.test("values beyond the range have its end colours; what is not finite has its own", () => {
  const low = fieldPixels(new Float32Array(16).fill(-9), 4, { colormap: magma, range: [0, 1] }, 3);
  assertEquals([...low.subarray(0, 3)], colorAt(magma, 0));
  const high = fieldPixels(new Float32Array(16).fill(9), 4, { colormap: magma, range: [0, 1] }, 3);
  assertEquals([...high.subarray(0, 3)], colorAt(magma, 1));
  const none = fieldPixels(new Float32Array(16).fill(NaN), 4, {
    colormap: magma,
    range: [0, 1],
  }, 3);
  assertEquals([...none.subarray(0, 3)], [...NON_FINITE_COLOR]);
});

Deno.test("scale places: linear, a power from 0, a power from the middle", () => {
  assertEquals(scalePlace({ colormap: magma, range: [2, 6] }, 3), 0.25);
  assertAlmostEquals(scalePlace({ colormap: magma, range: [0, 4], gamma: 0.5 }, 1), 0.5);
  const around = { colormap: coolWarm, range: [-4, 4] as const, gamma: 0.5 };
  assertAlmostEquals(scalePlace(around, 0), 0.5);
  assertAlmostEquals(scalePlace(around, 1), 0.75);
  assertAlmostEquals(scalePlace(around, -1), 0.25);
  assertEquals(scalePlace({ colormap: magma, range: [0, 4] }, 9), 1);
  assert(Number.isNaN(scalePlace({ colormap: magma, range: [0, 4] }, NaN)));
});

Deno.test("the table of a scale with a power follows its places", () => {
  const scale = { colormap: magma, range: [0, 5] as const, gamma: 0.5 };
  const bytes = new Uint8Array(scaleColors(scale, 101).buffer);
  for (let i = 0; i <= 100; i += 10) {
    const expected = colorAt(magma, scalePlace(scale, 5 * i / 100));
    expected.forEach((v, k) => assertAlmostEquals(bytes[4 * i + k], v, 4));
  }
});

Deno.test("a centred potential has no mean under its weight, and does not know its constant", () => {
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: 1, max: 9 })), {
      minLength: 1,
    }),
    fc.integer({ min: -50, max: 50 }),
    (pairs, constant) => {
      const phi = pairs.map(([value]) => value), weight = pairs.map(([, w]) => w);
      const once = centred(phi, weight);
      const mean = once.reduce((sum, v, i) => sum + v * weight[i], 0);
      assertAlmostEquals(mean, 0, 1e-2);
      const shifted = centred(phi.map((v) => v + constant), weight);
      once.forEach((v, i) => assertAlmostEquals(shifted[i], v, 1e-4));
    },
  ));
  assertEquals([...centred([1, 3, NaN], null)].slice(0, 2), [-1, 1]);
  // A density that has left the grid weighs nothing: all alike.
  assertEquals([...centred([1, 3], [0, 0])], [-1, 1]);
  assertThrows(() => centred([1, 2], [1]), ConfigError, "1 weights for 2 values");
});

Deno.test("robust ranges pass over a few extremes", () => {
  const values = Float32Array.from({ length: 1001 }, (_, i) => i / 1000);
  const [low, high] = robustRange(values, 0.1);
  assertAlmostEquals(low, 0.05, 1e-6);
  assertAlmostEquals(high, 0.95, 1e-6);
  const wild = Float32Array.from(values);
  wild[3] = 1e9;
  wild[4] = NaN;
  wild[5] = -Infinity;
  assertAlmostEquals(robustRange(wild, 0.1)[1], 0.95, 2e-3);
  assertEquals(robustRange([NaN]), [0, 0]);
  assertEquals(symmetricRange([-1, 0.5], [0, 3]), [-3, 3]);
});

Deno.test("a range holds what is wanted, and stays where it was while that fits", () => {
  assertEquals(steadyRange(null, [-2, 2]), [-2, 2]);
  // Noise of a tenth does not move it, either way.
  assertEquals(steadyRange([-2, 2], [-1.8, 1.8]), [-2, 2]);
  // It follows what is larger at once, and what is much smaller as far as needed.
  assertEquals(steadyRange([-2, 2], [-3, 3]), [-3, 3]);
  assertEquals(steadyRange([-10, 10], [-2, 2]), [-2.5, 2.5]);
  const range = fc.tuple(
    fc.double({ min: -100, max: 0, noNaN: true }),
    fc.double({ min: 0.1, max: 100, noNaN: true }),
  );
  fc.assert(fc.property(range, range, (previous, wanted) => {
    const next = steadyRange(previous, wanted);
    assert(next[0] <= wanted[0] && next[1] >= wanted[1], "holds what is wanted");
    assert(next[1] - next[0] <= 1.51 * (wanted[1] - wanted[0]), "is not much wider");
    assertEquals(steadyRange(next, wanted), next, "comes to rest at once");
  }));
});

Deno.test("a symmetric range stays symmetric, and that of densities begins at 0", () => {
  const [low, high] = steadyRange([-5, 5], [-3.7, 3.7]);
  assertAlmostEquals(low, -high);
  assertEquals(steadyRange([0, 4], [0, 1])[0], 0);
});

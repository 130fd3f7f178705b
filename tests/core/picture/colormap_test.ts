import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../../../core/errors.ts";
import {
  cielabOf,
  colorAt,
  coolWarm,
  magma,
  mapColors,
  NON_FINITE_COLOR,
  reversed,
  shortened,
} from "../../../core/picture/colormap.ts";

Deno.test("magma is the table of mpl-colormaps", () => {
  // Entries of _magma_data in https://github.com/BIDS/colormap/blob/master/colormaps.py
  const published: Record<number, number[]> = {
    0: [0.001462, 0.000466, 0.013866],
    1: [0.002258, 0.001295, 0.018331],
    64: [0.316654, 0.07169, 0.48538],
    128: [0.716387, 0.214982, 0.47529],
    192: [0.9867, 0.535582, 0.38221],
    255: [0.987053, 0.991438, 0.749504],
  };
  assertEquals(magma.table.length, 768);
  for (const [i, color] of Object.entries(published)) {
    assertEquals(colorAt(magma, Number(i) / 255), color.map((v) => Math.round(v * 255)));
  }
});

Deno.test("coolWarm agrees with the values that Moreland published", () => {
  // CoolWarmFloat257.csv, https://www.kennethmoreland.com/color-advice/
  assertEquals(colorAt(coolWarm, 0), [59, 76, 192]);
  assertEquals(colorAt(coolWarm, 1), [180, 4, 38]);
  const quarter = colorAt(coolWarm, 64 / 255);
  [141, 176, 254].forEach((v, i) => assertAlmostEquals(quarter[i], v, 1.5));
  const threeQuarters = colorAt(coolWarm, 192 / 255);
  [244, 152, 122].forEach((v, i) => assertAlmostEquals(threeQuarters[i], v, 1.5));
  colorAt(coolWarm, 0.5).forEach((v) => assertAlmostEquals(v, 221, 1.5));
});

Deno.test("cielabOf gives the published coordinates of the primaries", () => {
  // CIELAB of sRGB's corners under D65, as Lindbloom's calculator gives them.
  const cases: [readonly [number, number, number], number[]][] = [
    [[255, 255, 255], [100, 0, 0]],
    [[255, 0, 0], [53.24, 80.09, 67.2]],
    [[0, 255, 0], [87.73, -86.18, 83.18]],
    [[0, 0, 255], [32.3, 79.19, -107.86]],
    [[0, 0, 0], [0, 0, 0]],
  ];
  for (const [rgb, lab] of cases) {
    cielabOf(rgb).forEach((v, i) => assertAlmostEquals(v, lab[i], 0.02));
  }
});

Deno.test("lightness rises steadily along magma and falls on both sides of coolWarm's middle", () => {
  const lightness = (map: typeof magma, i: number) => cielabOf(colorAt(map, i / 255))[0];
  for (let i = 16; i < 256; i += 16) {
    const step = lightness(magma, i) - lightness(magma, i - 16);
    assert(step > 3 && step < 9, `${i}: ${step}`);
  }
  for (let i = 8; i <= 120; i += 8) {
    assert(lightness(coolWarm, i) > lightness(coolWarm, i - 8));
    assert(lightness(coolWarm, 255 - i) > lightness(coolWarm, 263 - i));
  }
});

Deno.test("mapColors: linear, gamma and log scales put the same colours at known numbers", () => {
  const color = (fraction: number) => Array.from(colorAt(magma, fraction));
  const linear = mapColors([0, 1, 4, -3, 9], { range: [0, 4] });
  assertEquals(Array.from(linear), [0, 0.25, 1, 0, 1].flatMap(color));
  const root = mapColors([0, 1, 4], { range: [0, 4], gamma: 0.5 });
  assertEquals(Array.from(root), [0, 0.5, 1].flatMap(color));
  const log = mapColors([1e-2, 1e-1, 1e2, 0, -5], { scale: "log" });
  assertEquals(Array.from(log), [0, 0.25, 1, 0, 0].flatMap(color));
});

Deno.test("mapColors shows what is not finite in a colour that no map contains", () => {
  const colors = mapColors([NaN, Infinity, 0, -Infinity, 1]);
  assertEquals(Array.from(colors.subarray(0, 6)), [...NON_FINITE_COLOR, ...NON_FINITE_COLOR]);
  assertEquals(Array.from(colors.subarray(9, 12)), [...NON_FINITE_COLOR]);
  for (const map of [magma, coolWarm]) {
    for (let i = 0; i < 256; i++) {
      const apart = colorAt(map, i / 255).map((v, k) => Math.abs(v - NON_FINITE_COLOR[k]));
      assert(Math.max(...apart) > 60, `${map.name} ${i}`);
    }
  }
});

Deno.test("any finite numbers have colours of the map, in order", () => {
  const place = new Map<string, number>();
  for (let i = 0; i < 256; i++) place.set(colorAt(magma, i / 255).join(), i);
  const numbers = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 });
  fc.assert(fc.property(numbers, fc.constantFrom("linear", "log"), (values, scale) => {
    values.sort((a, b) => a - b);
    const colors = mapColors(values, { scale });
    let last = -1;
    for (let i = 0; i < values.length; i++) {
      const at = place.get(colors.subarray(3 * i, 3 * i + 3).join()) ?? -1;
      assert(at >= 0 && at >= last);
      last = at;
    }
  }));
});

Deno.test("reversed and shortened read the same table", () => {
  assertEquals(colorAt(reversed(magma), 0.2), colorAt(magma, 0.8));
  assertEquals(colorAt(shortened(magma, 0.8), 1), colorAt(magma, 0.8));
  assertEquals(colorAt(shortened(magma, 0.8), 0), colorAt(magma, 0));
});

Deno.test("mapColors refuses ranges that make no sense", () => {
  assertThrows(() => mapColors([1], { range: [2, 1] }), ConfigError, "ascending");
  assertThrows(() => mapColors([1], { range: [0, NaN] }), ConfigError);
  assertThrows(() => mapColors([1], { range: [0, 1], scale: "log" }), ConfigError, "above 0");
  assertThrows(() => mapColors([1], { gamma: 0 }), ConfigError, "gamma");
});

import { assert, assertAlmostEquals } from "@std/assert";
import { cielabOf, type Colormap } from "../../../core/picture/colormap.ts";
import { densityPalette, divergingPalette, rgbOfOklab } from "../../../web/pictures/palettes.ts";

function labs({ table }: Colormap) {
  return Array.from(
    { length: 256 },
    (_, i) => cielabOf([table[3 * i], table[3 * i + 1], table[3 * i + 2]]),
  );
}

Deno.test("lightness tells how far a value is from the middle, equally on both sides", () => {
  for (const dark of [false, true]) {
    const colors = labs(divergingPalette(dark));
    const away = dark ? 1 : -1;
    for (let i = 0; i < 127; i++) {
      // To the rounding of 256 levels a channel.
      assert(away * (colors[i][0] - colors[i + 1][0]) > -0.9, `${dark} ${i}`);
      assert(away * (colors[255 - i][0] - colors[254 - i][0]) > -0.9, `${dark} ${255 - i}`);
      assertAlmostEquals(colors[i][0], colors[255 - i][0], 6, `${dark} ${i}`);
    }
    // Blue and red, which the colour-blind tell apart by their b*.
    assert(colors[0][2] < -25 && colors[255][2] > 10);
    assertAlmostEquals(Math.hypot(colors[127][1], colors[127][2]), 0, 6);
  }
});

Deno.test("densities grow darker in the light and lighter in the dark", () => {
  for (const dark of [false, true]) {
    const colors = labs(densityPalette(dark));
    const sign = dark ? 1 : -1;
    for (let i = 0; i < 255; i++) {
      assert(sign * (colors[i + 1][0] - colors[i][0]) > -0.5, `${dark} ${i}`);
    }
    assert(sign * (colors[255][0] - colors[0][0]) > 65);
  }
});

Deno.test("Oklab: white, black and red", () => {
  const near = (lab: [number, number, number], rgb: number[]) =>
    rgbOfOklab(...lab).forEach((v, i) => assertAlmostEquals(v, rgb[i], 1));
  near([1, 0, 0], [255, 255, 255]);
  near([0, 0, 0], [0, 0, 0]);
  near([0.62796, 0.22486, 0.12585], [255, 0, 0]);
});

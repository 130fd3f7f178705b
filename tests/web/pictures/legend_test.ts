import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { coolWarm, magma } from "../../../core/picture/colormap.ts";
import { scaleColors, scalePlace } from "../../../web/pictures/field_image.ts";
import { legendTicks } from "../../../web/pictures/legend.ts";

Deno.test("ticks of a linear scale: its smallest value at the bottom", () => {
  const ticks = legendTicks({ colormap: magma, range: [0, 10] }, 20, 100, 5);
  assertEquals(ticks.map(({ label }) => label), ["0", "2", "4", "6", "8", "10"]);
  assertEquals(ticks.map(({ place }) => place), [120, 100, 80, 60, 40, 20]);
});

Deno.test("ticks of a scale with a power are where their colours are", () => {
  const scale = { colormap: magma, range: [0, 4] as const, gamma: 0.5 };
  const one = legendTicks(scale, 0, 100, 4).find(({ value }) => value === 1);
  assertAlmostEquals(one?.place ?? NaN, 50);
  // The colour beside the tick is the colour of the value.
  const around = { colormap: coolWarm, range: [-4, 4] as const, gamma: 0.7 };
  const colors = new Uint8Array(scaleColors(around, 801).buffer);
  for (const { value, place } of legendTicks(around, 0, 100)) {
    const atTick = Math.round(255 * (1 - place / 100));
    const ofValue = 4 * Math.round((value + 4) * 100);
    for (let k = 0; k < 3; k++) {
      assertAlmostEquals(colors[ofValue + k], coolWarm.table[3 * atTick + k], 4);
    }
    assertAlmostEquals(1 - place / 100, scalePlace(around, value));
  }
});

Deno.test("an empty range has one tick", () => {
  const ticks = legendTicks({ colormap: magma, range: [2, 2] }, 0, 50);
  assert(ticks.length === 1 && ticks[0].place === 50);
});

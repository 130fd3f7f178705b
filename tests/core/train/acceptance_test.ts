/**
 * @file What a run with nothing but defaults has to reach. It trains for a minute or two.
 */
import { assert } from "@std/assert";
import { measurePreset } from "../../../bench/presets_report.ts";
import { openDevice } from "../../../core/tensor/mod.ts";

Deno.test("the default preset's samples are as good as the data, mode by mode", async () => {
  await openDevice("wasm");
  const { result } = await measurePreset("8gaussians");
  const { within, smallestMode, largestMode, energyRatio } = result;
  assert(within! >= 0.95, `${within} of the samples within three standard deviations of a mode`);
  assert(smallestMode! >= 0.09, `smallest mode ${smallestMode}`);
  assert(largestMode! <= 0.16, `largest mode ${largestMode}`);
  assert(energyRatio <= 2, `energy distance ${energyRatio} times that of the data`);
});

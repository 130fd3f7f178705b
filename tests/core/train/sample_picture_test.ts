import { assert, assertEquals } from "@std/assert";
import {
  configuredDistribution,
  type Distribution,
  toyDistributions,
} from "../../../core/data/toy.ts";
import { pixelOf } from "../../../core/picture/axes.ts";
import { densityPlotFrame } from "../../../core/picture/density_plot.ts";
import { pixelAt, type RgbImage } from "../../../core/picture/rgb_image.ts";
import { openDevice } from "../../../core/tensor/mod.ts";
import { samplePicture } from "../../../core/train/sample_picture.ts";

const noSamples = new Float32Array();
const frame = densityPlotFrame({ points: noSamples, extent: [-5, 5, -5, 5] });

/** How bright the quarters of a plot are: upper left, upper right, lower left, lower right. */
function quarters(image: RgbImage): number[] {
  const { left, top, width, height } = frame, sums = [0, 0, 0, 0];
  for (let row = 2; row < height - 2; row++) {
    for (let column = 2; column < width - 2; column++) {
      const quarter = 2 * Number(row >= height / 2) + Number(column >= width / 2);
      sums[quarter] += pixelAt(image, left + column, top + row).reduce((a, b) => a + b);
    }
  }
  return sums;
}

Deno.test("a density is drawn where it is, whether in closed form or from draws", async () => {
  await openDevice("wasm");
  // About (3, 1.5), in the upper right quarter alone.
  const density = (x: Float64Array) =>
    Float64Array.from(
      { length: x.length / 2 },
      (_, i) => Math.exp(-((x[2 * i] - 3) ** 2 + (x[2 * i + 1] - 1.5) ** 2) / 0.5),
    );
  const closed: Distribution = { ...toyDistributions["8gaussians"], density };
  const drawn: Distribution = {
    name: "points",
    dimension: 2,
    noise: 0,
    components: [],
    sample: (n, key) => toyDistributions["8gaussians"].sample(n, key).mul(0.1).add([[3, 1.5]]),
  };
  for (const distribution of [closed, drawn]) {
    const space = { name: "8gaussians", sampleShape: [2], distribution } as const;
    const sums = quarters(await samplePicture(space, noSamples));
    for (const other of [0, 2, 3]) assert(sums[1] > 2 * sums[other], sums.join(", "));
  }
});

Deno.test("points far away are in the picture, with a width and without", async () => {
  await openDevice("wasm");
  for (const noise of [3, 0]) {
    const points: [number, number][] = [[30, 20]];
    const distribution = configuredDistribution({
      name: "points",
      distribution: { noise, weights: null, points },
    });
    const space = { name: "points", sampleShape: [2], distribution } as const;
    const picture = await samplePicture(space, noSamples);
    const side = noise === 3 ? 42 : 30;
    const frame = densityPlotFrame({ points: noSamples, extent: [-side, side, -side, side] });
    // Bright where the point is, dark on the other side of the origin.
    const at = (x: number, y: number) => {
      const [column, row] = pixelOf(frame, x, y).map(Math.floor);
      return pixelAt(picture, column, row).reduce((sum, value) => sum + value);
    };
    assert(at(29.9, 20) > 300, `${at(29.9, 20)}`);
    assertEquals(at(-29.9, -20), at(0, 0));
    assert(at(0, 0) < 50);
  }
});

Deno.test("images are drawn as a grid of them all", async () => {
  const space = { name: "mnist16", sampleShape: [16, 16, 1] } as const;
  const black = await samplePicture(space, new Float32Array(4 * 256).fill(-1));
  const white = await samplePicture(space, new Float32Array(4 * 256).fill(1));
  assertEquals([black.width, black.height], [white.width, white.height]);
  const differing = white.data.filter((value, i) => value === 255 && black.data[i] === 0).length;
  assert(differing >= 4 * 256 * 3, `${differing} values differ`);
});

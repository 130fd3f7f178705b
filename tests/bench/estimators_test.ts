import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  type Course,
  decodeImages,
  measuredSteps,
  SHOWN,
  SIDE,
} from "../../bench/estimators/image_course.ts";
import { estimatorsFigure } from "../../bench/estimators/image_figure.ts";
import { mean, standardDeviation } from "../../bench/estimators/statistics.ts";

Deno.test("mean and standard deviation over seeds, and none where one is missing", () => {
  assertEquals(mean([1, 2, 6]), 3);
  assertAlmostEquals(standardDeviation([1, 2, 6])!, Math.sqrt(7), 1e-12);
  assertEquals([mean([]), mean([1, null]), standardDeviation([1, null])], [null, null, null]);
  assertEquals(standardDeviation([1]), null);
});

Deno.test("a training is measured at its end, and on the way where that is asked for", () => {
  const settings = { steps: 2500, samples: 1000 };
  assertEquals(measuredSteps({ ...settings, lastOnly: true }), [2500]);
  assertEquals(measuredSteps({ ...settings, lastOnly: false }), [100, 250, 500, 1000, 1750, 2500]);
  assertEquals(measuredSteps({ steps: 3, samples: 1, lastOnly: false }), [1, 2, 3]);
});

Deno.test("pictures are kept as bytes, −1 as 0 and 1 as 255", () => {
  const bytes = Uint8Array.of(0, 255, 51);
  assertEquals([...decodeImages(bytes.toBase64())], [-1, 1, Math.fround(51 / 127.5 - 1)]);
  assertEquals(decodeImages("").length, SHOWN * SIDE * SIDE);
});

Deno.test("the figure is drawn also where a training diverged", () => {
  const shown = new Uint8Array(SHOWN * SIDE * SIDE).fill(200).toBase64();
  const course = (contestant: string, seed: number, distances: (number | null)[]): Course => ({
    contestant,
    seed,
    learningRate: 1e-3,
    steps: [1, 2],
    distances: [distances, distances],
    evaluations: [10, 10],
    shown: seed === 0 ? shown : "",
  });
  const courses = [
    course("covariance", 0, [1, null]),
    course("covariance", 1, [1, 0.9]),
    course("Stein", 0, [0.5, 0.1]),
    course("Stein", 1, [0.6, 0.2]),
  ];
  const figure = estimatorsFigure({ courses, floor: [0.05, 0.06], shown });
  assertEquals(figure.data.length, figure.width * figure.height * 3);
  // Wide enough for the plot of 880 and two grids of six pictures of 64.
  assertEquals(figure.width > 880 + 2 * 6 * 64, true);
});

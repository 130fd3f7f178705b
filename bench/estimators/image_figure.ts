/**
 * @file The figure of the estimators on digits: the distance to held-out digits over training steps,
 * and what the trained potentials sample.
 */
import {
  picturesInColumn,
  picturesInRow,
  withCaption,
  withMargin,
} from "../../core/picture/compose.ts";
import { imageGrid } from "../../core/picture/image_grid.ts";
import {
  type BandedSeries,
  linePlotImage,
  seriesColor,
} from "../../core/picture/line_plot_image.ts";
import type { RgbImage } from "../../core/picture/rgb_image.ts";
import { type Course, decodeImages, SHOWN, SIDE, TIMES } from "./image_course.ts";
import { mean } from "./statistics.ts";

/** What the figure shows. */
export interface FigureContents {
  /** All of one length, in the order of the contestants. */
  readonly courses: readonly Course[];
  readonly floor: readonly number[];
  /** Digits of the training set. */
  readonly shown: string;
}

const FLOOR = "real digits";

/** One picture of some 1,740 × 1,020 pixels, to be shown at half that size. */
export function estimatorsFigure({ courses, floor, shown }: FigureContents): RgbImage {
  const names = [...new Set(courses.map(({ contestant }) => contestant))];
  const series = names.map((name) => seriesOf(courses.filter((c) => c.contestant === name)));
  const { x } = series[0];
  const level = mean(floor)!;
  const floorSeries = { name: FLOOR, x: [x[0], x.at(-1)!], y: [level, level], dashed: true };
  const plot = linePlotImage({
    title: "",
    xLabel: "training step",
    yLabel: "sliced Wasserstein distance to held-out digits",
    yLog: true,
    width: 440,
    height: 500,
    series: [...series, floorSeries],
  });
  const grids = names.map((name) => courses.find(({ contestant }) => contestant === name)!.shown);
  const panels = [...grids, shown].map((images, i) => panel([...names, FLOOR][i], images, i));
  const rows = [panels.slice(0, 2), panels.slice(2)].map((row) => picturesInRow(row, { gap: 24 }));
  const right = picturesInColumn(rows, { gap: 16 });
  return withMargin(picturesInRow([plot, right], { gap: 16, align: "middle" }), 8);
}

function panel(name: string, shown: string, index: number): RgbImage {
  const layout = { n: SHOWN, h: SIDE, w: SIDE, c: 1, columns: 6, scale: 4, gap: 4 };
  const grid = imageGrid({ images: decodeImages(shown), ...layout });
  const caption = shown ? name : `${name}: no samples`;
  return withCaption(grid, [caption], { capitalHeight: 18, color: seriesColor(index) });
}

/** The mean over the seeds and their range, at the preset's terminal time. */
function seriesOf(courses: readonly Course[]): BandedSeries {
  const { contestant: name, steps } = courses[0];
  const past = TIMES.length - 1;
  const values = steps.map((_, i) => courses.map(({ distances }) => distances[past][i] ?? NaN));
  return {
    name,
    x: steps,
    y: values.map((of) => mean(of) ?? NaN),
    low: values.map((of) => Math.min(...of)),
    high: values.map((of) => Math.max(...of)),
  };
}

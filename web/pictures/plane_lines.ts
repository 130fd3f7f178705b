/**
 * @file Lines and marks on the plane, drawn into a picture of its square: contour lines, arrows,
 * streamlines, samples of the data.
 */
import type { Rgb } from "../../core/picture/rgb_image.ts";
import type { ContourLine } from "./contours.ts";
import { layMask, maskSegment, maskTriangle, type Raster } from "./raster.ts";
import { arrowHeads, type Streamline } from "./streamlines.ts";
import { type PlaneView, squarePlacement } from "./view.ts";

/** The colours of lines. */
export interface LineColors {
  readonly ink: Rgb;
  /** Around lines, so that they are seen on any field. */
  readonly halo: Rgb;
}

/** A line of points [n, 2] in data units. */
interface DrawnLine {
  readonly points: Float32Array;
  readonly closed: boolean;
}

/** Contour lines: thin and translucent, that of 0 stronger. */
export function drawContours(
  raster: Raster,
  view: PlaneView,
  lines: readonly ContourLine[],
  { ink }: LineColors,
): void {
  maskLines(raster, view, lines.filter(({ level }) => level !== 0), 1.1 * view.ratio);
  layMask(raster, ink, 0.4);
  maskLines(raster, view, lines.filter(({ level }) => level === 0), 1.6 * view.ratio);
  layMask(raster, ink, 0.7);
}

function maskLines(
  raster: Raster,
  view: PlaneView,
  lines: readonly DrawnLine[],
  width: number,
): void {
  const { scale, half } = squarePlacement(view);
  for (const { points, closed } of lines) {
    const n = points.length;
    for (let i = 0; i + (closed ? 0 : 2) < n; i += 2) {
      const next = (i + 2) % n;
      maskSegment(
        raster,
        half + scale * points[i],
        half - scale * points[i + 1],
        half + scale * points[next],
        half - scale * points[next + 1],
        width,
      );
    }
  }
}

/** Lays shapes over the picture twice: wide in the colour of the page, then narrow in ink. */
function layWithHalo(
  raster: Raster,
  { ink, halo }: LineColors,
  mask: (wider: number) => void,
  ratio: number,
): void {
  mask(1.8 * ratio);
  layMask(raster, halo, 0.45);
  mask(0);
  layMask(raster, ink, 0.88);
}

/**
 * Arrows.
 *
 * @param arrows [n, 4] x, y of the middle and the arrow (dx, dy), in data units
 */
export function drawArrows(
  raster: Raster,
  view: PlaneView,
  arrows: Float32Array,
  colors: LineColors,
): void {
  const { scale, half } = squarePlacement(view);
  const { ratio } = view;
  layWithHalo(raster, colors, (wider) => {
    for (let i = 0; i < arrows.length; i += 4) {
      const x = half + scale * arrows[i], y = half - scale * arrows[i + 1];
      const dx = scale * arrows[i + 2], dy = -scale * arrows[i + 3];
      maskArrow(raster, x - dx / 2, y - dy / 2, dx, dy, ratio, wider);
    }
  }, ratio);
}

function maskArrow(
  raster: Raster,
  x: number,
  y: number,
  dx: number,
  dy: number,
  ratio: number,
  wider: number,
): void {
  const length = Math.hypot(dx, dy);
  if (!(length > 0)) return;
  const head = Math.min(6.5 * ratio, 0.6 * length);
  const ex = dx / length, ey = dy / length;
  const neck = length - 0.8 * head;
  maskSegment(raster, x, y, x + neck * ex, y + neck * ey, 1.2 * ratio + wider);
  maskHead(raster, x + dx, y + dy, ex, ey, head, wider);
}

/** An arrow head with its tip at (x, y); `wider` grows it to all sides. */
function maskHead(
  raster: Raster,
  x: number,
  y: number,
  ex: number,
  ey: number,
  length: number,
  wider: number,
): void {
  const half = 0.38 * length + 0.9 * wider;
  const tipX = x + wider * ex, tipY = y + wider * ey;
  const baseX = x - (length + wider / 2) * ex, baseY = y - (length + wider / 2) * ey;
  maskTriangle(raster, [
    tipX,
    tipY,
    baseX - half * ey,
    baseY + half * ex,
    baseX + half * ey,
    baseY - half * ex,
  ]);
}

/**
 * Streamlines with arrow heads.
 *
 * @param interval from head to head along a line, in data units
 */
export function drawStreamlines(
  raster: Raster,
  view: PlaneView,
  lines: readonly Streamline[],
  interval: number,
  colors: LineColors,
): void {
  const { scale, half } = squarePlacement(view);
  const { ratio } = view;
  const heads = arrowHeads(lines, interval);
  const length = 7.5 * ratio;
  layWithHalo(raster, colors, (wider) => {
    maskLines(raster, view, lines, 1.2 * ratio + wider);
    for (let i = 0; i < heads.length; i += 4) {
      const ex = heads[i + 2], ey = -heads[i + 3];
      const x = half + scale * heads[i] + length / 2 * ex;
      const y = half - scale * heads[i + 1] + length / 2 * ey;
      maskHead(raster, x, y, ex, ey, length, wider);
    }
  }, ratio);
}

/** Samples of the data, [n, 2], as small crosses. */
export function drawCrosses(
  raster: Raster,
  view: PlaneView,
  data: Float32Array,
  { ink }: LineColors,
): void {
  const { scale, half } = squarePlacement(view);
  const arm = 2.2 * view.ratio, width = view.ratio;
  for (let i = 0; i + 1 < data.length; i += 2) {
    const x = half + scale * data[i], y = half - scale * data[i + 1];
    maskSegment(raster, x - arm, y - arm, x + arm, y + arm, width);
    maskSegment(raster, x - arm, y + arm, x + arm, y - arm, width);
  }
  layMask(raster, ink, 0.5);
}

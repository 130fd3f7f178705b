/**
 * @file Contour lines by marching squares (W. E. Lorensen and H. E. Cline's "Marching cubes", SIGGRAPH
 * 1987, in the plane): where a level crosses the edges of the grid's cells, by linear interpolation,
 * joined to lines. A cell with two opposite corners above is resolved by the mean of the four.
 */
import { niceStep } from "../../core/picture/ticks.ts";
import type { Grid } from "../laboratory/engine_types.ts";
import { resampled } from "./grid.ts";
import type { Range } from "./field_image.ts";

/** A field at the nodes of a lattice, rows from the top. */
export interface Lattice {
  /** [rows, cols] */
  readonly values: ArrayLike<number>;
  readonly cols: number;
  readonly rows: number;
  /** The first node, in data units. */
  readonly left: number;
  readonly top: number;
  /** Distance of neighbours in a row, and of rows; y falls from row to row. */
  readonly dx: number;
  readonly dy: number;
}

/** One connected line of one level. */
export interface ContourLine {
  readonly level: number;
  /** [n, 2] x, y in data units; a closed line does not repeat its first point. */
  readonly points: Float32Array;
  readonly closed: boolean;
}

/**
 * Levels at multiples of 1, 2 or 5 times a power of ten.
 *
 * @param range what the levels are to be in
 * @param count about how many
 * @returns ascending; none for an empty range
 */
export function contourLevels([low, high]: Range, count = 12): number[] {
  if (!(high - low > 1e-12 * Math.max(Math.abs(low), Math.abs(high)))) return [];
  const step = niceStep((high - low) / count);
  const levels: number[] = [];
  const last = Math.floor(high / step + 1e-9);
  for (let i = Math.ceil(low / step - 1e-9); i <= last; i++) {
    levels.push(Number((i * step).toPrecision(12)) + 0);
  }
  return levels;
}

/**
 * A field's contour lines up to the edges of its square, as smooth as its cubic interpolation.
 *
 * @param values [size, size] at the centres of cells
 * @param grid the field's
 * @param levels as of {@link contourLevels}
 * @param refinement how many times finer than the grid the lines are followed
 */
export function fieldContours(
  values: ArrayLike<number>,
  { size, extent }: Grid,
  levels: readonly number[],
  refinement = 2,
): ContourLine[] {
  const count = refinement * size + 1;
  const step = 2 * extent / (count - 1);
  return contourLines({
    values: resampled(values, size, count, "nodes"),
    cols: count,
    rows: count,
    left: -extent,
    top: extent,
    dx: step,
    dy: step,
  }, levels);
}

/**
 * Contour lines of a lattice. A node on a level counts as above it, so that a plateau is surrounded;
 * cells with a corner that is not finite have none.
 *
 * @returns level by level; lines that begin and end at the lattice's rim, or at cells that have none,
 *   come before closed ones
 */
export function contourLines(lattice: Lattice, levels: readonly number[]): ContourLine[] {
  const { values, cols, rows } = lattice;
  // Edge 2k goes from node k to the right, 2k + 1 downwards: two links each, to edges it is joined to.
  const links = new Int32Array(4 * cols * rows).fill(-1);
  const lines: ContourLine[] = [];
  for (const level of levels) {
    const touched: number[] = [];
    for (let row = 0; row + 1 < rows; row++) {
      for (let k = row * cols; k < row * cols + cols - 1; k++) {
        const a = values[k], b = values[k + 1], c = values[k + cols + 1], d = values[k + cols];
        const above = (a >= level ? 1 : 0) | (b >= level ? 2 : 0) | (c >= level ? 4 : 0) |
          (d >= level ? 8 : 0);
        // NaN is never above, so that the sum is looked at only where a line might be.
        if (above === 0 || above === 15 || !Number.isFinite(a + b + c + d)) continue;
        linkCell(links, touched, k, cols, above, a + b + c + d >= 4 * level);
      }
    }
    joinLines(lattice, level, links, touched, lines);
    for (const edge of touched) links[2 * edge] = links[2 * edge + 1] = -1;
  }
  return lines;
}

/** Sides of a cell: 0 top, 1 right, 2 bottom, 3 left; which are joined, by corners above. */
const JOINED: readonly (readonly number[])[] = [
  [],
  [3, 0],
  [0, 1],
  [3, 1],
  [1, 2],
  [],
  [0, 2],
  [3, 2],
  [2, 3],
  [2, 0],
  [],
  [2, 1],
  [1, 3],
  [1, 0],
  [0, 3],
  [],
];
/** Of saddles: around the corners top right and bottom left, or around the other two. */
const AROUND_RISING = [0, 1, 2, 3];
const AROUND_FALLING = [3, 0, 1, 2];

function linkCell(
  links: Int32Array,
  touched: number[],
  k: number,
  cols: number,
  above: number,
  middleAbove: boolean,
): void {
  let sides = JOINED[above];
  // 5 has top left and bottom right above: a high middle joins them, and lines cut off the others.
  if (above === 5) sides = middleAbove ? AROUND_RISING : AROUND_FALLING;
  else if (above === 10) sides = middleAbove ? AROUND_FALLING : AROUND_RISING;
  for (let i = 0; i < sides.length; i += 2) {
    const from = edgeOf(k, cols, sides[i]), to = edgeOf(k, cols, sides[i + 1]);
    addLink(links, touched, from, to);
    addLink(links, touched, to, from);
  }
}

function edgeOf(k: number, cols: number, side: number): number {
  if (side === 0) return 2 * k;
  if (side === 1) return 2 * (k + 1) + 1;
  if (side === 2) return 2 * (k + cols);
  return 2 * k + 1;
}

function addLink(links: Int32Array, touched: number[], from: number, to: number): void {
  if (links[2 * from] < 0) {
    links[2 * from] = to;
    touched.push(from);
  } else links[2 * from + 1] = to;
}

function joinLines(
  lattice: Lattice,
  level: number,
  links: Int32Array,
  touched: readonly number[],
  lines: ContourLine[],
): void {
  const seen = new Set<number>();
  const follow = (start: number): number[] => {
    const points: number[] = [];
    for (let edge = start, before = -1; edge >= 0 && !seen.has(edge);) {
      seen.add(edge);
      addCrossing(lattice, level, edge, points);
      const next = links[2 * edge] === before ? links[2 * edge + 1] : links[2 * edge];
      before = edge;
      edge = next;
    }
    return points;
  };
  for (const closed of [false, true]) {
    for (const edge of touched) {
      if (seen.has(edge) || (!closed && links[2 * edge + 1] >= 0)) continue;
      const points = follow(edge);
      if (closed && points.length > 2 && repeatsFirst(points)) points.length -= 2;
      if (points.length > 2) lines.push({ level, points: Float32Array.from(points), closed });
    }
  }
}

/** The place on an edge where the level is; not twice, where lines meet in a node on the level. */
function addCrossing(lattice: Lattice, level: number, edge: number, points: number[]): void {
  const { values, cols, left, top, dx, dy } = lattice;
  const k = edge >> 1;
  const down = edge & 1;
  const from = values[k];
  const share = (level - from) / (values[down ? k + cols : k + 1] - from);
  const column = k % cols, row = (k - column) / cols;
  const x = left + (column + (down ? 0 : share)) * dx;
  const y = top - (row + (down ? share : 0)) * dy;
  const n = points.length;
  if (n === 0 || points[n - 2] !== x || points[n - 1] !== y) points.push(x, y);
}

function repeatsFirst(points: readonly number[]): boolean {
  return points[0] === points[points.length - 2] && points[1] === points[points.length - 1];
}

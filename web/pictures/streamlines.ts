/**
 * @file Evenly spaced streamlines (B. Jobard and W. Lefer, "Creating evenly-spaced streamlines of
 * arbitrary density", Eurographics Workshop on Visualization in Scientific Computing, 1997): every new
 * line begins at a given distance from a line that is there, and is followed both ways until it comes
 * too near to another. As in their sequel ("Unsteady flow visualization by animating evenly-spaced
 * streamlines", 2000) the seeds of the picture before can come first, so that lines move with a field
 * that changes and do not jump.
 */
import type { Grid } from "../laboratory/engine_types.ts";
import { checkGrid } from "./grid.ts";

/** How lines are placed; lengths in data units. */
export interface StreamlineOptions {
  /** Between neighbouring lines where one begins; default an 11th of the extent. */
  readonly separation?: number;
  /** A line ends where another is nearer than this share of the separation; default 0.5. */
  readonly testShare?: number;
  /** Lines shorter than this are left out; default the separation. */
  readonly shortest?: number;
  /** Seeds to be tried first, [n, 2]; they may be nearer to lines, half way to the test distance. */
  readonly seeds?: ArrayLike<number>;
}

/** One line, along the flow. */
export interface Streamline {
  /** [n, 2] x, y in data units, equally far apart; a closed line does not repeat its first point. */
  readonly points: Float32Array;
  readonly closed: boolean;
  /** The point that it was followed from. */
  readonly seed: readonly [number, number];
}

/** A field of directions. */
interface Directions {
  /** Direction of unit length at a point, in `out`; false where there is none. */
  at(x: number, y: number, out: Float64Array): boolean;
}

/** The lines so far, by cells as wide as the separation. */
interface Placed {
  readonly extent: number;
  readonly separation: number;
  readonly test: number;
  readonly across: number;
  readonly cells: number[][];
}

/** Steps a test distance: points of a line are so near that none of another slips between them. */
const STEPS = 4;
/** Of the greatest speed: slower is standing still. */
const STANDING = 1e-4;

/**
 * Lines along a velocity field, nowhere nearer to each other than the test distance.
 *
 * @param velocity [size, size, 2] at the centres of cells, rows from the top, y upwards
 * @param grid the field's; lines stay in its square
 * @throws {ConfigError} if the count of velocities is not size²
 */
export function streamlines(
  velocity: ArrayLike<number>,
  grid: Grid,
  options: StreamlineOptions = {},
): Streamline[] {
  checkGrid(velocity, grid.size, 2);
  const { extent } = grid;
  const { separation = extent / 5.5, testShare = 0.5, shortest = separation } = options;
  const across = Math.ceil(2 * extent / separation);
  const placed: Placed = {
    extent,
    separation,
    test: testShare * separation,
    across,
    cells: Array.from({ length: across * across }, () => []),
  };
  const directions = directionsOf(velocity, grid);
  const lines: Streamline[] = [];
  const tryFrom = (x: number, y: number, distance = separation) => {
    if (!isInside(placed, x, y) || isNear(placed, x, y, distance)) return;
    const line = lineThrough(directions, placed, x, y);
    if (!line || (line.points.length / 2 - 1) * stepOf(placed) < shortest) return;
    place(placed, line.points);
    lines.push(line);
  };
  const { seeds = [] } = options;
  // They are as far apart as they may be: what has moved a little is not to be given up.
  const nearer = (1 + testShare) / 2 * separation;
  for (let i = 0; i + 1 < seeds.length; i += 2) tryFrom(seeds[i], seeds[i + 1], nearer);
  tryFrom(0.31 * extent, 0.17 * extent);
  let grown = 0;
  const growAll = () => {
    for (; grown < lines.length; grown++) trySides(lines[grown], placed, tryFrom);
  };
  growAll();
  // What no line's neighbourhood reaches: behind places of rest.
  for (let i = 0; i < across * across; i++) {
    const column = i % across, row = (i - column) / across;
    tryFrom(((column + 0.5) / across * 2 - 1) * extent, (1 - (row + 0.5) / across * 2) * extent);
    growAll();
  }
  return lines;
}

/** Candidates at the separation from a line, on both of its sides. */
function trySides(
  { points }: Streamline,
  { separation }: Placed,
  tryFrom: (x: number, y: number) => void,
): void {
  // A hair more, so that rounding does not put a candidate too near.
  const away = separation * 1.001;
  for (let i = 2; i + 3 < points.length; i += 4) {
    const dx = points[i + 2] - points[i - 2], dy = points[i + 3] - points[i - 1];
    const length = Math.hypot(dx, dy) || 1;
    const nx = -dy / length * away, ny = dx / length * away;
    tryFrom(points[i] + nx, points[i + 1] + ny);
    tryFrom(points[i] - nx, points[i + 1] - ny);
  }
}

function stepOf({ test }: Placed): number {
  return test / STEPS;
}

/** Directions by bilinear interpolation of the velocity, as `bilinearAt` of both components. */
function directionsOf(velocity: ArrayLike<number>, { size, extent }: Grid): Directions {
  const scale = size / (2 * extent);
  let fastest = 0;
  for (let i = 0; i < velocity.length; i += 2) {
    const speed = velocity[i] ** 2 + velocity[i + 1] ** 2;
    if (speed > fastest && speed < Infinity) fastest = speed;
  }
  const slowest = STANDING * Math.sqrt(fastest);
  return {
    at(x, y, out) {
      const across = (x + extent) * scale - 0.5, down = (extent - y) * scale - 0.5;
      const c = Math.min(size - 2, Math.max(0, Math.floor(across)));
      const r = Math.min(size - 2, Math.max(0, Math.floor(down)));
      const s = across - c, t = down - r;
      const p = 2 * (r * size + c), q = p + 2 * size;
      const a = (1 - s) * (1 - t), b = s * (1 - t), d = (1 - s) * t, e = s * t;
      const vx = a * velocity[p] + b * velocity[p + 2] + d * velocity[q] + e * velocity[q + 2];
      const vy = a * velocity[p + 1] + b * velocity[p + 3] + d * velocity[q + 1] +
        e * velocity[q + 3];
      const speed = Math.sqrt(vx * vx + vy * vy);
      if (!(speed > slowest)) return false;
      out[0] = vx / speed;
      out[1] = vy / speed;
      return true;
    },
  };
}

function isInside({ extent }: Placed, x: number, y: number): boolean {
  return Math.abs(x) <= extent && Math.abs(y) <= extent;
}

function cellIndex({ extent, separation, across }: Placed, place: number): number {
  return Math.min(across - 1, Math.max(0, Math.floor((place + extent) / separation)));
}

/** Whether a placed line is nearer than a distance, at most the separation. */
function isNear(placed: Placed, x: number, y: number, distance: number): boolean {
  const { across, cells } = placed;
  const column = cellIndex(placed, x), row = cellIndex(placed, y);
  for (let r = Math.max(0, row - 1); r <= Math.min(across - 1, row + 1); r++) {
    for (let c = Math.max(0, column - 1); c <= Math.min(across - 1, column + 1); c++) {
      const cell = cells[r * across + c];
      for (let i = 0; i < cell.length; i += 2) {
        const dx = cell[i] - x, dy = cell[i + 1] - y;
        if (dx * dx + dy * dy < distance * distance) return true;
      }
    }
  }
  return false;
}

function place(placed: Placed, points: Float32Array): void {
  for (let i = 0; i < points.length; i += 2) {
    const cell = cellIndex(placed, points[i + 1]) * placed.across + cellIndex(placed, points[i]);
    placed.cells[cell].push(points[i], points[i + 1]);
  }
}

/** The line through a seed: downstream until it ends or closes, then upstream. */
function lineThrough(
  directions: Directions,
  placed: Placed,
  x: number,
  y: number,
): Streamline | null {
  const ahead = [x, y];
  const closed = follow(directions, placed, ahead, 1, []);
  const behind = [x, y];
  if (!closed) follow(directions, placed, behind, -1, ahead);
  const points = new Float32Array(behind.length + ahead.length - 2);
  let o = 0;
  for (let i = behind.length - 2; i > 0; i -= 2) {
    points[o++] = behind[i];
    points[o++] = behind[i + 1];
  }
  points.set(ahead, o);
  return points.length > 2 ? { points, closed, seed: [x, y] } : null;
}

/**
 * Follows a line from the last of its points, which it adds to; `other` is the half that was followed
 * before. Returns whether it came back to where it began.
 */
function follow(
  directions: Directions,
  placed: Placed,
  points: number[],
  sign: number,
  other: readonly number[],
): boolean {
  const step = stepOf(placed);
  const [startX, startY] = points;
  let [x, y] = points;
  const next = new Float64Array(4);
  let tentative = 0;
  // No line is longer than one that fills the square.
  const most = 8 * placed.extent ** 2 / (placed.test * step);
  for (let count = 0; count < most; count++) {
    if (!rungeKutta4(directions, x, y, sign * step, next)) break;
    // A sharp turn is a place of rest that was stepped over.
    if (count > 0 && next[2] * directionBefore[0] + next[3] * directionBefore[1] < 0.3) break;
    directionBefore[0] = next[2];
    directionBefore[1] = next[3];
    x = next[0];
    y = next[1];
    if (!isInside(placed, x, y) || isNear(placed, x, y, placed.test)) break;
    if (tentative === 0 && meetsItself(points, other, x, y, placed.test)) tentative = points.length;
    points.push(x, y);
    if (tentative > 0) {
      if (closes(points, startX, startY, step)) return true;
      if (points.length - tentative > 4 * STEPS) break;
    }
  }
  if (tentative > 0) points.length = tentative;
  return false;
}

/** Of the last step, for {@link follow}; not in it, so that it costs nothing a line. */
const directionBefore = new Float64Array(2);

/** Whether a line has come near to a part of it that is not just behind. */
function meetsItself(
  points: readonly number[],
  other: readonly number[],
  x: number,
  y: number,
  distance: number,
): boolean {
  const recent = 2 * 4 * STEPS;
  const limit = distance * distance;
  for (let i = 0; i < points.length - recent; i += 2) {
    if ((points[i] - x) ** 2 + (points[i + 1] - y) ** 2 < limit) return true;
  }
  for (let i = Math.max(0, recent - points.length); i < other.length; i += 2) {
    if ((other[i] - x) ** 2 + (other[i + 1] - y) ** 2 < limit) return true;
  }
  return false;
}

/** Whether the last step passed the line's beginning, as good as through it. */
function closes(points: number[], startX: number, startY: number, step: number): boolean {
  const n = points.length;
  const dx = points[n - 2] - points[n - 4], dy = points[n - 1] - points[n - 3];
  const along = ((startX - points[n - 4]) * dx + (startY - points[n - 3]) * dy) / step ** 2;
  const aside = Math.abs((startX - points[n - 4]) * dy - (startY - points[n - 3]) * dx) / step;
  if (along < 0 || along > 1 || aside > 0.05 * step) return false;
  points.length = n - 2;
  return true;
}

const k1 = new Float64Array(2), k2 = new Float64Array(2);
const k3 = new Float64Array(2), k4 = new Float64Array(2);

/** One step of the classical method; false where the field rests. out: x, y, direction. */
function rungeKutta4(
  directions: Directions,
  x: number,
  y: number,
  h: number,
  out: Float64Array,
): boolean {
  const found = directions.at(x, y, k1) &&
    directions.at(x + h / 2 * k1[0], y + h / 2 * k1[1], k2) &&
    directions.at(x + h / 2 * k2[0], y + h / 2 * k2[1], k3) &&
    directions.at(x + h * k3[0], y + h * k3[1], k4);
  if (!found) return false;
  out[0] = x + h / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0]);
  out[1] = y + h / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1]);
  out[2] = k1[0];
  out[3] = k1[1];
  return true;
}

/**
 * Where heads of arrows are drawn on lines, at equal distances along them.
 *
 * @param lines as of {@link streamlines}
 * @param interval from head to head in data units; every line has one at least
 * @returns [n, 4] x, y, and the direction there, of length 1
 */
export function arrowHeads(lines: readonly Streamline[], interval: number): Float32Array {
  const heads: number[] = [];
  for (const { points } of lines) {
    const count = points.length / 2 - 1;
    if (count < 1) continue;
    const step = Math.hypot(points[2] - points[0], points[3] - points[1]);
    const here = Math.max(1, Math.round(count * step / interval));
    for (let i = 0; i < here; i++) {
      const k = 2 * Math.min(count - 1, Math.floor((i + 0.5) / here * count));
      const dx = points[k + 2] - points[k], dy = points[k + 3] - points[k + 1];
      const length = Math.hypot(dx, dy) || 1;
      heads.push(points[k], points[k + 1], dx / length, dy / length);
    }
  }
  return Float32Array.from(heads);
}

/**
 * @file Points that somebody draws: strokes of points, sprayed along the path of a pointer, and what
 * the run's data are made of. Coordinates are whole multiples of a small unit from the start, so that
 * the points of an address are the points that were trained on, to the bit.
 */
import type { LaboratoryData } from "./settings.ts";
import type { Stroke } from "./store_types.ts";

/** A point of the plane, in data units. */
export type Point = readonly [number, number];

/** The most points that a drawing may have. */
export const MAX_POINTS = 500;

/** Points lie within [−BOUND, BOUND]². */
export const BOUND = 8;

const LEVELS = 32767;

/** The whole number that stands for a coordinate; never −0, which no address tells from 0. */
export function quantised(value: number): number {
  return Math.round(Math.min(Math.max(value, -BOUND), BOUND) / BOUND * LEVELS) || 0;
}

/** The coordinate that a whole number stands for. */
export function unquantised(level: number): number {
  return level / LEVELS * BOUND;
}

/** The nearest point that an address can hold, to 1.3e-4. */
export function addressable([x, y]: Point): Point {
  return [unquantised(quantised(x)), unquantised(quantised(y))];
}

/** How many points a drawing has. */
export function pointCount(strokes: readonly Stroke[]): number {
  return strokes.reduce((sum, { points }) => sum + points.length, 0);
}

/**
 * A drawing as a run's data.
 *
 * @param noise as in {@link LaboratoryData}
 */
export function drawnData(strokes: readonly Stroke[], noise: number | null): LaboratoryData {
  const weighted = strokes.some(({ weight }) => weight !== 1);
  return {
    name: "points",
    noise,
    points: strokes.flatMap(({ points }) => [...points]),
    weights: weighted ? strokes.flatMap(({ points, weight }) => points.map(() => weight)) : null,
  };
}

/** The strokes of a run's points: neighbours of one weight make one; empty for other data. */
export function strokesOf({ name, points, weights }: LaboratoryData): Stroke[] {
  const strokes: { points: Point[]; weight: number }[] = [];
  if (name !== "points") return strokes;
  points?.forEach((point, i) => {
    const weight = weights?.[i] ?? 1;
    const last = strokes.at(-1);
    if (last?.weight === weight) last.points.push(point);
    else strokes.push({ points: [point], weight });
  });
  return strokes;
}

/**
 * Points sprayed along a pointer's way.
 *
 * @param from where the last point of the stroke is; null at its start
 * @param to where the pointer is now
 * @param spacing the least distance of two neighbours, in data units
 * @param room how many points there may be
 */
export function sprayed(from: Point | null, to: Point, spacing: number, room: number): Point[] {
  if (room < 1) return [];
  if (!from) return [addressable(to)];
  const dx = to[0] - from[0], dy = to[1] - from[1];
  const count = Math.min(Math.floor(Math.hypot(dx, dy) / spacing), room);
  const step = spacing / Math.hypot(dx, dy);
  return Array.from(
    { length: count },
    (_, i) => addressable([from[0] + dx * step * (i + 1), from[1] + dy * step * (i + 1)]),
  );
}

/** The drawing without the points within a distance of one; strokes without points are gone. */
export function erased(strokes: readonly Stroke[], at: Point, radius: number): Stroke[] {
  return strokes
    .map((stroke) => ({
      ...stroke,
      points: stroke.points.filter(([x, y]) => Math.hypot(x - at[0], y - at[1]) > radius),
    }))
    .filter(({ points }) => points.length > 0);
}

/**
 * Points from text: a line, or what is between semicolons, has two numbers.
 *
 * @returns the points, or one line that says what is wrong
 */
export function parsePoints(text: string): { points: Point[] } | { problem: string } {
  const lines = text.split(/[\n;]/).map((line) => line.trim()).filter((line) => line !== "");
  const points: Point[] = [];
  for (const line of lines) {
    const numbers = line.split(/[\s,]+/).filter((part) => part !== "").map(Number);
    if (numbers.length !== 2 || !numbers.every((value) => Math.abs(value) <= BOUND)) {
      return {
        problem:
          `"${line}" is not a point: expected two numbers from −${BOUND} to ${BOUND}, as in ` +
          `"1.5, -2"`,
      };
    }
    points.push(addressable([numbers[0], numbers[1]]));
  }
  if (points.length < 1 || points.length > MAX_POINTS) {
    return { problem: `${points.length} points: expected 1 to ${MAX_POINTS}, one a line` };
  }
  return { points };
}

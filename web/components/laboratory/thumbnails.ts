/**
 * @file Points of the plane's distributions without randomness, for the buttons that choose them and
 * as a start for a drawing: each follows the construction of `core/data/toy.ts`, with the fractions
 * of a golden-ratio sequence in place of random draws.
 */
import type { ToyName } from "../../../core/data/toy.ts";
import type { Point } from "../../laboratory/drawing.ts";

/** Fractions of multiples of irrational numbers: evenly spread, whatever the number of points. */
const STRIDES = [0.6180339887498949, 0.7548776662466927, 0.5698402909980532, 0.8191725133961645];

function fraction(i: number, stride: number): number {
  return ((i + 0.5) * STRIDES[stride]) % 1;
}

/** A pair of normal deviates, by Box and Muller's formula. */
function normals(i: number): Point {
  const radius = Math.sqrt(-2 * Math.log(1 - 0.98 * fraction(i, 2)));
  const angle = 2 * Math.PI * fraction(i, 3);
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

const polar = (radius: number, angle: number): Point => [
  radius * Math.cos(angle),
  radius * Math.sin(angle),
];

function blurred([x, y]: Point, i: number, std: number): Point {
  const [dx, dy] = normals(i);
  return [x + std * dx, y + std * dy];
}

/** Of how many parts a distribution is made, and a point of a part: the i-th of it. */
interface Shape {
  readonly parts: number;
  point(part: number, i: number): Point;
}

const shapes: Readonly<Record<ToyName, Shape>> = {
  "8gaussians": {
    parts: 8,
    point: (part, i) => blurred(polar(3.6, Math.PI / 4 * part), 8 * i + part, 0.24),
  },
  "25gaussians": {
    parts: 25,
    point: (part, i) =>
      blurred([1.8 * (Math.floor(part / 5) - 2), 1.8 * (part % 5 - 2)], 25 * i + part, 0.12),
  },
  "2moons": {
    parts: 2,
    point(part, i) {
      const [x, y] = polar(1, Math.PI * fraction(i, 0)), sign = part === 0 ? 1 : -1;
      return blurred([2.4 * sign * (x - 0.5), 2.4 * sign * (y - 0.25)], i, 0.19);
    },
  },
  pinwheel: {
    parts: 5,
    point(part, i) {
      const [radial, tangential] = normals(i), along = 1 + 0.3 * radial, across = 0.1 * tangential;
      const angle = 2 * Math.PI / 5 * part + 0.25 * Math.exp(along);
      const cos = Math.cos(angle), sin = Math.sin(angle);
      return [2.8 * (along * cos + across * sin), 2.8 * (across * cos - along * sin)];
    },
  },
  checkerboard: {
    parts: 8,
    point(part, i) {
      const column = part % 4, row = column % 2 + 2 * Math.floor(part / 4);
      return [2 * (column - 2 + fraction(i, 0)), 2 * (row - 2 + fraction(i, 1))];
    },
  },
  swissroll: {
    parts: 1,
    point(_, i) {
      const angle = 1.5 * Math.PI * (1 + 2 * fraction(i, 0));
      return blurred(polar(angle / 3.5, angle), i, 0.15);
    },
  },
  rings: {
    parts: 4,
    point: (part, i) => blurred(polar(0.9 * (part + 1), 2 * Math.PI * fraction(i, 0)), i, 0.096),
  },
};

/** Points spread evenly over a distribution. */
export function thumbnailPoints(name: ToyName, count: number): Point[] {
  const { parts, point } = shapes[name];
  return Array.from({ length: count }, (_, i) => point(i % parts, Math.floor(i / parts)));
}

/** Points as the path of an SVG whose lines have round ends: a dot each; y upwards. */
export function dotPath(points: readonly Point[]): string {
  return points.map(([x, y]) => `M${x.toFixed(2)} ${(-y).toFixed(2)}h0`).join("");
}

/** What a drawing starts with: two eyes and a smile. */
export function firstDrawing(): Point[][] {
  const circle = (x: number, y: number, radius: number, count: number) =>
    Array.from({ length: count }, (_, i): Point => {
      const [dx, dy] = polar(radius, 2 * Math.PI * i / count);
      return [x + dx, y + dy];
    });
  const smile = Array.from({ length: 25 }, (_, i) => polar(3.2, Math.PI * (1.12 + 0.76 * i / 24)));
  return [circle(-1.4, 1.6, 0.35, 8), circle(1.4, 1.6, 0.35, 8), smile];
}

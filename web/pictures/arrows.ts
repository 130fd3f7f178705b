/**
 * @file A velocity field as arrows on a coarse lattice. Lengths go with the square root of speeds, so
 * that slow flow is seen beside fast; one arrow of a round speed says what lengths mean.
 */
import { niceStep, numberLabel } from "../../core/picture/ticks.ts";
import type { Grid } from "../laboratory/engine_types.ts";
import { robustRange } from "./field_image.ts";
import { bilinearAt, checkGrid } from "./grid.ts";

/** Arrows, and what their lengths mean. */
export interface ArrowField {
  /** [n, 4] x, y of the middle, and the arrow as it is drawn (dx, dy), in data units. */
  readonly arrows: Float32Array;
  /** An arrow of a round speed. */
  readonly key: { readonly speed: number; readonly length: number; readonly label: string };
}

/** An arrow's length of the distance between arrows, at most. */
const FILL = 0.92;
/** Arrows of less than this share of the longest length are not seen. */
const SHORTEST = 0.03;

/**
 * Arrows of a velocity field at the centres of across² cells of its square.
 *
 * @param velocity [size, size, 2], rows from the top
 * @param grid the field's
 * @param across arrows a side
 * @param reference the speed of the longest arrows, faster ones are as long; default that which a
 *   fiftieth of the arrows exceeds
 * @throws {ConfigError} if the count of velocities is not size²
 */
export function arrowField(
  velocity: ArrayLike<number>,
  grid: Grid,
  across = 17,
  reference?: number,
): ArrowField {
  checkGrid(velocity, grid.size, 2);
  const samples: number[] = [];
  const speeds: number[] = [];
  for (let row = 0; row < across; row++) {
    for (let column = 0; column < across; column++) {
      const x = ((column + 0.5) / across * 2 - 1) * grid.extent;
      const y = (1 - (row + 0.5) / across * 2) * grid.extent;
      const vx = bilinearAt(velocity, grid, x, y, 2, 0);
      const vy = bilinearAt(velocity, grid, x, y, 2, 1);
      if (!Number.isFinite(vx + vy)) continue;
      samples.push(x, y, vx, vy);
      speeds.push(Math.hypot(vx, vy));
    }
  }
  const fastest = reference ?? robustRange(speeds, 0.04)[1];
  const longest = FILL * 2 * grid.extent / across;
  const arrows: number[] = [];
  for (let i = 0; i < speeds.length && fastest > 0; i++) {
    const share = Math.sqrt(Math.min(1, speeds[i] / fastest));
    if (share < SHORTEST) continue;
    const scale = longest * share / speeds[i];
    const at = 4 * i;
    arrows.push(samples[at], samples[at + 1], scale * samples[at + 2], scale * samples[at + 3]);
  }
  return { arrows: Float32Array.from(arrows), key: arrowKey(fastest, longest) };
}

function arrowKey(fastest: number, longest: number): ArrowField["key"] {
  if (!(fastest > 0)) return { speed: 0, length: 0, label: "0" };
  const speed = niceStep(fastest / 1.6);
  return {
    speed,
    length: longest * Math.sqrt(Math.min(1, speed / fastest)),
    label: numberLabel(speed, speed),
  };
}

/**
 * @file Particles of a flow at any time between its frames, with trails of where they have been. Two
 * sets are told apart by colour and by shape: discs and rings.
 */
import type { Flow } from "../laboratory/engine_types.ts";
import type { Rgb } from "../../core/picture/rgb_image.ts";
import { drawDots, layMask, maskSegment, type ParticleShape, type Raster } from "./raster.ts";
import { type PlaneView, squarePlacement } from "./view.ts";

/** How a set of particles looks. */
export interface ParticleStyle {
  readonly shape: ParticleShape;
  readonly color: Rgb;
  /** Around it, so that it stands out from any field. */
  readonly outline: Rgb;
  /** In CSS pixels. */
  readonly radius: number;
}

/** Two frames, and how far between them a time is. */
interface Between {
  readonly frame: number;
  readonly share: number;
}

/** The frame before a time, and the share of the way to the next; times beyond the ends are the ends. */
export function frameAt(times: ArrayLike<number>, u: number): Between {
  const last = times.length - 1;
  if (last < 1 || !(u > times[0])) return { frame: 0, share: 0 };
  if (u >= times[last]) return { frame: last - 1, share: 1 };
  let low = 0, high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times[middle] <= u) low = middle;
    else high = middle;
  }
  return { frame: low, share: (u - times[low]) / (times[high] - times[low]) };
}

/**
 * Where the particles are at a time, linear between frames.
 *
 * @param flow frames of positions
 * @param u beyond the flow's times, its first or last frame
 * @param out [n, 2], to be written to; default a new one
 */
export function positionsAt(
  { times, positions, n }: Flow,
  u: number,
  out = new Float32Array(2 * n),
): Float32Array {
  const { frame, share } = frameAt(times, u);
  const from = 2 * n * frame;
  const to = times.length > 1 ? from + 2 * n : from;
  for (let i = 0; i < 2 * n; i++) {
    const a = positions[from + i];
    out[i] = share === 0 ? a : a + share * (positions[to + i] - a);
  }
  return out;
}

/**
 * Where the particles have been in the last part of the time: at `count + 1` equal times from
 * u − duration (the flow's beginning, if that is later) to u.
 *
 * @returns [count + 1, n, 2], the oldest first; empty at the flow's beginning
 */
export function trailsAt(flow: Flow, u: number, duration: number, count: number): Float32Array {
  const { times, n } = flow;
  const end = Math.min(u, times[times.length - 1]);
  const start = Math.max(times[0], end - duration);
  if (!(end > start)) return new Float32Array(0);
  const trails = new Float32Array((count + 1) * 2 * n);
  for (let i = 0; i <= count; i++) {
    const at = start + i / count * (end - start);
    positionsAt(flow, at, trails.subarray(2 * n * i, 2 * n * (i + 1)));
  }
  return trails;
}

/** How large particles are drawn, in CSS pixels, by how many there are and how large the square is. */
export function particleRadius(n: number, { side, ratio }: PlaneView): number {
  const size = side / ratio / 600;
  return Math.min(3, Math.max(1.3, 2.6 * (1000 / Math.max(n, 250)) ** 0.25 * Math.sqrt(size)));
}

/**
 * Draws particles.
 *
 * @param raster of the view's square alone
 * @param positions [n, 2] in data units; those outside the square are left out
 */
export function drawParticles(
  raster: Raster,
  view: PlaneView,
  positions: ArrayLike<number>,
  { shape, color, outline, radius }: ParticleStyle,
): void {
  const { scale, half } = squarePlacement(view);
  const places = new Float32Array(positions.length);
  for (let i = 0; i + 1 < positions.length; i += 2) {
    places[i] = half + scale * positions[i];
    places[i + 1] = half - scale * positions[i + 1];
  }
  const rim = Math.max(0.6, 0.33 * radius) * view.ratio;
  drawDots(raster, places, { shape, color, outline, radius: radius * view.ratio, rim });
}

/** The opacity of a trail where it is oldest, and at the particle. */
const FADE = [0.08, 0.85] as const;

/**
 * Draws trails: thin lines that fade away from the particle.
 *
 * @param raster of the view's square alone
 * @param trails [count + 1, n, 2] in data units, as of {@link trailsAt}
 * @param n particles
 */
export function drawTrails(
  raster: Raster,
  view: PlaneView,
  trails: Float32Array,
  n: number,
  color: Rgb,
): void {
  const count = trails.length / (2 * n) - 1;
  if (!(count >= 1)) return;
  const { scale, half } = squarePlacement(view);
  const width = 1.1 * view.ratio;
  for (let k = 0; k < count; k++) {
    const opacity = FADE[0] + (k + 1) / count * (FADE[1] - FADE[0]);
    for (let i = 2 * n * k; i < 2 * n * (k + 1); i += 2) {
      const next = i + 2 * n;
      maskSegment(
        raster,
        half + scale * trails[i],
        half - scale * trails[i + 1],
        half + scale * trails[next],
        half - scale * trails[next + 1],
        width,
        opacity,
      );
    }
  }
  layMask(raster, color);
}

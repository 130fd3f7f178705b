/**
 * @file Particles of a flow at any time between its frames, with trails of where they have been. Two
 * sets are told apart by colour and by shape: discs and rings.
 */
import type { Flow } from "../laboratory/engine_types.ts";
import { type PlaneView, toCanvas } from "./view.ts";

/** How a set of particles looks. */
export interface ParticleStyle {
  readonly shape: "disc" | "ring";
  /** CSS colour. */
  readonly color: string;
  /** Around it, so that it stands out from any field. */
  readonly outline: string;
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

/** Drawn once for each style; a dot is a copy of it. */
const sprites = new Map<string, OffscreenCanvas>();

function sprite({ shape, color, outline, radius }: ParticleStyle, ratio: number): OffscreenCanvas {
  const key = [shape, color, outline, radius.toFixed(2), ratio].join("|");
  const known = sprites.get(key);
  if (known) return known;
  const r = radius * ratio;
  const rim = Math.max(0.6, 0.35 * radius) * ratio;
  const side = 2 * Math.ceil(r + rim + 1);
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d");
  if (context) {
    const disc = (size: number, fill: string) => {
      context.fillStyle = fill;
      context.beginPath();
      context.arc(side / 2, side / 2, size, 0, 2 * Math.PI);
      context.fill();
    };
    disc(r + rim, outline);
    disc(r, color);
    if (shape === "ring") {
      context.globalCompositeOperation = "destination-out";
      disc(0.62 * r, "#000");
      // A thin rim inside too, of the outline's colour.
      context.globalCompositeOperation = "destination-over";
      disc(0.75 * r, outline);
      context.globalCompositeOperation = "destination-out";
      disc(0.45 * r, "#000");
    }
  }
  if (sprites.size > 60) sprites.clear();
  sprites.set(key, canvas);
  return canvas;
}

/** Draws particles where they are, [n, 2] in data units. */
export function drawParticles(
  context: CanvasRenderingContext2D,
  view: PlaneView,
  positions: ArrayLike<number>,
  style: ParticleStyle,
): void {
  const image = sprite(style, view.ratio);
  const half = image.width / 2;
  const scale = view.side / (2 * view.extent);
  const [x0, y0] = toCanvas(view, 0, 0);
  const { left, top, side } = view;
  for (let i = 0; i + 1 < positions.length; i += 2) {
    const x = x0 + scale * positions[i], y = y0 - scale * positions[i + 1];
    if (!(x > left && x < left + side && y > top && y < top + side)) continue;
    context.drawImage(image, x - half, y - half);
  }
}

/** How a trail fades: its opacity from its beginning to the particle, part by part. */
const FADE = [0.25, 0.5, 0.85];

/**
 * Draws trails, [count + 1, n, 2] in data units as of {@link trailsAt}: thin lines that fade away from
 * the particle.
 */
export function drawTrails(
  context: CanvasRenderingContext2D,
  view: PlaneView,
  trails: Float32Array,
  n: number,
  color: string,
): void {
  const count = trails.length / (2 * n) - 1;
  if (!(count >= 1)) return;
  const scale = view.side / (2 * view.extent);
  const [x0, y0] = toCanvas(view, 0, 0);
  context.save();
  context.strokeStyle = color;
  context.lineWidth = 1.1 * view.ratio;
  context.lineCap = "butt";
  context.lineJoin = "bevel";
  for (let part = 0; part < FADE.length; part++) {
    const from = Math.floor(part / FADE.length * count);
    const to = Math.floor((part + 1) / FADE.length * count);
    context.globalAlpha = FADE[part];
    context.beginPath();
    for (let i = 0; i < 2 * n && to > from; i += 2) {
      for (let k = from; k <= to; k++) {
        const x = x0 + scale * trails[2 * n * k + i], y = y0 - scale * trails[2 * n * k + i + 1];
        if (k === from) context.moveTo(x, y);
        else context.lineTo(x, y);
      }
    }
    context.stroke();
  }
  context.restore();
}

/** @file Fields and flows with known answers, for the tests of pictures. */
import type { Field, Flow } from "../../../web/laboratory/engine_types.ts";
import { cellCentre } from "../../../web/pictures/grid.ts";

/** A function at the centres of cells, [size, size], rows from the top. */
export function gridOf(
  size: number,
  extent: number,
  f: (x: number, y: number) => number,
): Float32Array {
  return Float32Array.from({ length: size * size }, (_, i) => {
    const column = i % size;
    const row = (i - column) / size;
    return f(cellCentre({ size, extent }, column), -cellCentre({ size, extent }, row));
  });
}

/** A velocity at the centres of cells, [size, size, 2]. */
export function velocityOf(
  size: number,
  extent: number,
  f: (x: number, y: number) => readonly [number, number],
): Float32Array {
  const out = new Float32Array(2 * size * size);
  gridOf(size, extent, (x, y) => f(x, y)[0]).forEach((v, i) => out[2 * i] = v);
  gridOf(size, extent, (x, y) => f(x, y)[1]).forEach((v, i) => out[2 * i + 1] = v);
  return out;
}

/** A field of a function; its velocity is left at 0. */
export function fieldOf(
  size: number,
  extent: number,
  f: (x: number, y: number) => number,
  density: Float32Array | null = null,
): Field {
  return {
    size,
    extent,
    u: 0.5,
    step: 0,
    subject: { kind: "learned" },
    potential: gridOf(size, extent, f),
    velocity: new Float32Array(2 * size * size),
    density,
  };
}

/** Particles on straight lines at constant speed: start + u · velocity. */
export function straightFlow(
  starts: readonly (readonly [number, number])[],
  velocities: readonly (readonly [number, number])[],
  times: readonly number[],
): Flow {
  const positions = times.flatMap((u) =>
    starts.flatMap(([x, y], i) => [x + u * velocities[i][0], y + u * velocities[i][1]])
  );
  return {
    subject: { kind: "learned" },
    step: 0,
    n: starts.length,
    times: Float32Array.from(times),
    positions: Float32Array.from(positions),
    evaluations: 0,
    hessianProducts: 0,
    milliseconds: 0,
  };
}

/** Standard normal numbers that are always the same. */
export function normals(count: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  const uniform = () => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  return Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

/**
 * @file What a picture of the plane is made from, and what is kept of it from frame to frame, by the
 * objects that it was made of.
 */
import type { Field, Flow } from "../laboratory/engine_types.ts";
import type { PictureChoices } from "../laboratory/store_types.ts";
import type { ParticleShape } from "./raster.ts";
import type { PlaneView } from "./view.ts";

/** What a picture of the plane is made of. */
export interface PlaneInput {
  /** Where the square is on the canvas, all in device pixels. */
  readonly view: PlaneView;
  readonly choices: PictureChoices;
  /** Of this canvas alone, as {@link planeCache} makes it. */
  readonly cache: PlaneCache;
  /** What is seen; null for nothing yet. */
  readonly field: Field | null;
  /**
   * What it is compared with: with `compare` "both" the field on the other canvas, so that both have
   * the same colours; with "difference" what is taken from it. Elsewhere without effect.
   */
  readonly reference?: Field | null;
  /** Particles: one set or two. */
  readonly flows: readonly Flow[];
  /** How each set is drawn; default the first as discs in the accent, the second as rings. */
  readonly shapes?: readonly ParticleShape[];
  /** The time that particles are shown at. */
  readonly u: number;
  /** Samples of the data, [n, 2]. */
  readonly data?: Float32Array | null;
  /** How long trails are, in u (default 0.08). */
  readonly trail?: number;
  /** Whether what colours and lengths mean is drawn in the corner; default where there is room. */
  readonly legend?: boolean;
}

/** What is kept from frame to frame; its content is not to be relied on. */
export interface PlaneCache {
  readonly entries: Map<string, { readonly keys: readonly unknown[]; readonly value: unknown }>;
}

/** An empty cache, one for each canvas. */
export function planeCache(): PlaneCache {
  return { entries: new Map() };
}

/** What was made of `keys` the last time, or is made now; `make` is given what there was before. */
export function kept<T>(
  { entries }: PlaneCache,
  name: string,
  keys: readonly unknown[],
  make: (before: T | null) => T,
): T {
  const entry = entries.get(name);
  const before = entry ? entry.value as T : null;
  if (entry && entry.keys.length === keys.length && entry.keys.every((k, i) => k === keys[i])) {
    return before as T;
  }
  const value = make(before);
  entries.set(name, { keys, value });
  return value;
}

/**
 * @file What the plane shows in colours and lines, as the page's choices say: Φ, a density, or how far
 * one is from the exact one; centred, and with ranges of colours that stay calm from frame to frame.
 */
import type { Field, Flow, Grid } from "../laboratory/engine_types.ts";
import { contourLevels, type ContourLine, fieldContours } from "./contours.ts";
import {
  bandwidthAt,
  blurred,
  type FlowBandwidths,
  flowBandwidths,
  particleDensity,
} from "./density.ts";
import {
  centred,
  type ColorScale,
  type Range,
  robustRange,
  steadyRange,
  symmetricRange,
} from "./field_image.ts";
import { densityPalette, divergingPalette, POTENTIAL_GAMMA } from "./palettes.ts";
import { positionsAt } from "./particles.ts";
import { kept, type PlaneCache, type PlaneInput } from "./plane_input.ts";
import type { PictureTheme } from "./view.ts";

/** A scalar field as it is shown. */
export interface Shown extends Grid {
  readonly values: ArrayLike<number>;
  readonly scale: ColorScale;
  /** What the colours are of. */
  readonly title: string;
}

/** The field and what it is compared with; for a difference, the last two that were of one time. */
export function comparedFields(
  { cache, field, reference = null, choices }: Pick<PlaneInput, "cache" | "field" | "reference"> & {
    readonly choices: Pick<PlaneInput["choices"], "compare">;
  },
) {
  const fits = field && reference && field.size === reference.size &&
    field.extent === reference.extent && Math.abs(field.u - reference.u) < 1e-6;
  if (choices.compare !== "difference") {
    return { field, reference: choices.compare === "both" && fits ? reference : null };
  }
  return kept<{ field: Field | null; reference: Field | null }>(
    cache,
    "pair",
    fits ? [field, reference] : cache.entries.get("pair")?.keys ?? [],
    () => fits ? { field, reference } : { field: null, reference: null },
  );
}

/** A field and what it is compared with. */
export type Pair = ReturnType<typeof comparedFields>;

/** The values that are in colours, or that contour lines are of. */
export function shownField(input: PlaneInput, pair: Pair, theme: PictureTheme): Shown | null {
  return input.choices.field === "density"
    ? shownDensity(input, pair, theme)
    : shownPotential(input, pair, theme);
}

function shownPotential(
  { cache, flows, choices }: PlaneInput,
  { field, reference }: Pair,
  theme: PictureTheme,
): Shown | null {
  if (!field) return null;
  const difference = choices.compare === "difference";
  if (difference && !reference) return null;
  return kept<Shown>(cache, "potential", [field, reference, difference, theme.dark], (before) => {
    const { own, other } = centredPotentials(cache, field, reference, flows[0]);
    const values = difference && other ? differenceOf(own, other) : own;
    const beside = other && !difference ? [robustRange(other)] : [];
    const wanted = symmetricRange(robustRange(values), ...beside);
    const title = difference ? "Φ − exact" : "Φ";
    const past = before?.title === title ? before.scale.range : null;
    const range = steadyRange(past, wanted);
    const scale = { colormap: divergingPalette(theme.dark), range, gamma: POTENTIAL_GAMMA };
    return { values, size: field.size, extent: field.extent, scale, title };
  });
}

/** Φ, and what it is compared with, without their means under one density. */
export function centredPotentials(
  cache: PlaneCache,
  field: Field,
  reference: Field | null,
  flow: Flow | undefined,
): { readonly own: Float32Array; readonly other: Float32Array | null } {
  const weight = centringWeight(cache, field, reference, flow);
  return {
    own: centred(field.potential, weight),
    other: reference && centred(reference.potential, weight),
  };
}

/** One field less another. */
export function differenceOf(values: Float32Array, other: ArrayLike<number>): Float32Array {
  return values.map((value, i) => value - other[i]);
}

/** What Φ's mean is taken with: the exact density, else that of the particles, else all alike. */
function centringWeight(
  cache: PlaneCache,
  field: Field,
  reference: Field | null,
  flow: Flow | undefined,
): ArrayLike<number> | null {
  const exact = reference?.density ?? field.density;
  if (exact) return exact;
  return flow
    ? particleDensity(positionsAt(flow, field.u), field, bandwidthOf(cache, flow, field.u))
    : null;
}

function bandwidthOf(cache: PlaneCache, flow: Flow, u: number): number {
  return bandwidthAt(
    kept<FlowBandwidths>(cache, "bandwidths", [flow], () => flowBandwidths(flow)),
    u,
  );
}

/** Points a side that the density of particles is computed at. */
const DENSITY_SIZE = 96;
/** Thin modes stay visible beside dense ones. */
const DENSITY_GAMMA = 0.6;

function shownDensity(
  { cache, flows, view, u, choices }: PlaneInput,
  { field, reference }: Pair,
  theme: PictureTheme,
): Shown | null {
  const difference = choices.compare === "difference";
  const exact = reference?.density ?? field?.density ?? null;
  const [flow] = flows;
  const isExact = field?.subject.kind === "exact" && !difference;
  if (field && exact && (isExact || !flow)) {
    return kept<Shown>(
      cache,
      "exact density",
      [field, theme.dark],
      () => densityShown(exact, field, densityRange(exact), theme),
    );
  }
  if (!flow) return null;
  if (difference && field && exact) {
    return kept<Shown>(cache, "density difference", [flow, u, exact, theme.dark], (before) => {
      const bandwidth = bandwidthOf(cache, flow, field.u);
      const estimate = particleDensity(positionsAt(flow, field.u), field, bandwidth);
      const other = blurred(exact, field, Math.max(bandwidth, field.extent / field.size));
      const values = estimate.map((value, i) => value - other[i]);
      const range = steadyRange(
        before?.scale.range ?? null,
        symmetricRange(robustRange(values, 0.01)),
      );
      const scale = { colormap: divergingPalette(theme.dark), range };
      return { values, size: field.size, extent: field.extent, scale, title: "ρ − exact" };
    });
  }
  const grid = { size: DENSITY_SIZE, extent: view.extent };
  // Beside the exact density the colours are that one's, so that both mean the same.
  const measure = choices.compare === "both" ? exact : null;
  return kept<Shown>(cache, "density", [flow, u, measure, view.extent, theme.dark], (before) => {
    const values = particleDensity(positionsAt(flow, u), grid, bandwidthOf(cache, flow, u));
    const range = measure
      ? densityRange(measure)
      : steadyRange(before?.scale.range ?? null, densityRange(values));
    return densityShown(values, grid, range, theme);
  });
}

/** From 0 to the density that all but the densest thousandth of the plane stays below. */
function densityRange(values: ArrayLike<number>): Range {
  return [0, robustRange(values, 0.002)[1] || 1];
}

function densityShown(
  values: ArrayLike<number>,
  { size, extent }: Grid,
  range: Range,
  theme: PictureTheme,
): Shown {
  const scale = { colormap: densityPalette(theme.dark), range, gamma: DENSITY_GAMMA };
  return { values, size, extent, scale, title: "density" };
}

/** Lines of the levels that the colours tell apart. */
export function contoursOf(cache: PlaneCache, shown: Shown): readonly ContourLine[] {
  return kept<readonly ContourLine[]>(cache, "lines", [shown], () => {
    const [low, high] = shown.scale.range;
    const levels = contourLevels([low, high], low < 0 ? 14 : 9);
    // Where there is no density its level 0 is everywhere.
    const hasZero = shown.title.startsWith("Φ");
    return fieldContours(shown.values, shown, levels.filter((level) => hasZero || level !== 0));
  });
}

/** The velocity that is seen: that of the field, or its difference. */
export function shownVelocity(cache: PlaneCache, { field, reference }: Pair, difference: boolean) {
  if (!field || (difference && !reference)) return null;
  if (!difference || !reference) return field.velocity;
  return kept<Float32Array>(
    cache,
    "velocity difference",
    [field, reference],
    () => differenceOf(field.velocity, reference.velocity),
  );
}

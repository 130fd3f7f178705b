/**
 * @file The plane's whole picture: a field or a density, contour lines, velocity, the data, particles
 * with trails, axes and what colours mean, as the page's choices say. What does not change from frame
 * to frame is kept: images of fields and lines, by the objects that they were made of.
 */
import type { Field, Flow, Grid } from "../laboratory/engine_types.ts";
import type { PictureChoices } from "../laboratory/store_types.ts";
import { type ArrowField, arrowField } from "./arrows.ts";
import { drawAxes } from "./axes.ts";
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
  fieldPixels,
  type Range,
  robustRange,
  steadyRange,
  symmetricRange,
} from "./field_image.ts";
import { addArrow, drawLegend } from "./legend.ts";
import { densityPalette, divergingPalette } from "./palettes.ts";
import { drawParticles, drawTrails, particleRadius, positionsAt, trailsAt } from "./particles.ts";
import { arrowHeads, type Streamline, streamlines } from "./streamlines.ts";
import { type PictureTheme, type PlaneView, toCanvas } from "./view.ts";

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
  /** Particles: the first set as discs, a second as rings. */
  readonly flows: readonly Flow[];
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

/** What was made of `keys` the last time, or is now; `make` is given what there was before. */
function kept<T>(
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

/** What tells themes apart: another object of the same colours is the same theme. */
function themeKey(theme: PictureTheme): string {
  return Object.values(theme).join(" ");
}

/** A scalar field as it is shown. */
interface Shown extends Grid {
  readonly values: ArrayLike<number>;
  readonly scale: ColorScale;
  /** What the colours are of. */
  readonly title: string;
}

/**
 * Draws the plane.
 *
 * @param context of a canvas that `input.view` is of; what was on it is cleared
 * @param input what is to be seen
 * @param theme colours of the page
 */
export function drawPlane(
  context: CanvasRenderingContext2D,
  input: PlaneInput,
  theme: PictureTheme,
): void {
  const { view, choices, data } = input;
  const { left, top, side } = view;
  context.save();
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  context.beginPath();
  context.rect(left, top, side, side);
  context.clip();
  context.fillStyle = theme.background;
  context.fillRect(left, top, side, side);
  const pair = comparedFields(input);
  const shown = shownField(input, pair, theme);
  if (shown && choices.field !== "none") drawFieldImage(context, input.cache, view, shown);
  if (choices.data && data) {
    drawLayer(context, input, "data", [data, themeKey(theme)], (c) => {
      drawData(c, view, data, theme);
    });
  }
  if (shown && choices.contours) {
    const lines = contoursOf(input.cache, shown);
    drawLayer(context, input, "contours", [lines, themeKey(theme)], (c) => {
      strokeContours(c, view, lines, theme);
    });
  }
  const arrows = drawVelocity(context, input, pair, theme);
  if (choices.particles) drawFlows(context, input, theme);
  context.restore();
  drawOverlay(context, input, shown, arrows, theme);
}

/** The field and what it is compared with; for a difference, the last two that were of one time. */
function comparedFields({ cache, field, reference = null, choices }: PlaneInput) {
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

type Pair = ReturnType<typeof comparedFields>;

/** The values that are in colours, or that contour lines are of. */
function shownField(input: PlaneInput, pair: Pair, theme: PictureTheme): Shown | null {
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
    const weight = centringWeight(cache, field, reference, flows[0]);
    let values = centred(field.potential, weight);
    let wanted = symmetricRange(robustRange(values));
    if (reference) {
      const other = centred(reference.potential, weight);
      if (difference) {
        values = values.map((value, i) => value - other[i]);
        wanted = symmetricRange(robustRange(values));
      } else wanted = symmetricRange(wanted, robustRange(other));
    }
    const title = difference ? "Φ − exact" : "Φ";
    const past = before?.title === title ? before.scale.range : null;
    const range = steadyRange(past, wanted);
    const scale = { colormap: divergingPalette(theme.dark), range };
    return { values, size: field.size, extent: field.extent, scale, title };
  });
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
      () => densityShown(exact, field, null, theme),
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
  return kept<Shown>(cache, "density", [flow, u, view.extent, theme.dark], (before) => {
    const values = particleDensity(positionsAt(flow, u), grid, bandwidthOf(cache, flow, u));
    return densityShown(values, grid, before?.scale.range ?? null, theme);
  });
}

function densityShown(
  values: ArrayLike<number>,
  { size, extent }: Grid,
  past: Range | null,
  theme: PictureTheme,
): Shown {
  const wanted: Range = [0, robustRange(values, 0.002)[1] || 1];
  const scale = {
    colormap: densityPalette(theme.dark),
    range: steadyRange(past, wanted),
    gamma: DENSITY_GAMMA,
  };
  return { values, size, extent, scale, title: "density" };
}

/** Pixels a side that a field is coloured at; the rest of the way is smooth enough for the canvas. */
const MOST_PIXELS = 640;

function drawFieldImage(
  context: CanvasRenderingContext2D,
  cache: PlaneCache,
  view: PlaneView,
  shown: Shown,
): void {
  const [left, top] = toCanvas(view, -shown.extent, shown.extent);
  const [right, bottom] = toCanvas(view, shown.extent, -shown.extent);
  const side = Math.max(1, Math.min(MOST_PIXELS, Math.round(right - left)));
  const image = kept<OffscreenCanvas>(cache, "image", [shown, side], (before) => {
    const canvas = before && before.width === side ? before : new OffscreenCanvas(side, side);
    const pixels = fieldPixels(shown.values, shown.size, shown.scale, side);
    canvas.getContext("2d")?.putImageData(new ImageData(pixels, side, side), 0, 0);
    return canvas;
  });
  context.imageSmoothingEnabled = true;
  context.drawImage(image, left, top, right - left, bottom - top);
}

/** Draws through a canvas that is kept as long as the keys and the view are the same. */
function drawLayer(
  context: CanvasRenderingContext2D,
  { cache, view }: PlaneInput,
  name: string,
  keys: readonly unknown[],
  draw: (context: OffscreenCanvasRenderingContext2D) => void,
): void {
  const { width, height } = context.canvas;
  const all = [...keys, width, height, view.left, view.top, view.side, view.extent, view.ratio];
  const canvas = kept<OffscreenCanvas>(cache, name, all, (before) => {
    const same = before && before.width === width && before.height === height;
    const layer = same ? before : new OffscreenCanvas(width, height);
    const target = layer.getContext("2d");
    if (target) {
      target.clearRect(0, 0, width, height);
      draw(target);
    }
    return layer;
  });
  context.drawImage(canvas, 0, 0);
}

/** Lines of the levels that the colours show, and a few beyond where the field goes on. */
function contoursOf(cache: PlaneCache, shown: Shown): readonly ContourLine[] {
  return kept<readonly ContourLine[]>(cache, "lines", [shown], () => {
    const [low, high] = shown.scale.range;
    const levels = contourLevels([low, high], low < 0 ? 14 : 9);
    return fieldContours(shown.values, shown, levels.filter((level) => low < 0 || level > 0));
  });
}

function strokeContours(
  context: OffscreenCanvasRenderingContext2D,
  view: PlaneView,
  lines: readonly ContourLine[],
  theme: PictureTheme,
): void {
  const thin = new Path2D();
  const strong = new Path2D();
  for (const { level, points, closed } of lines) {
    const path = level === 0 ? strong : thin;
    addLine(path, view, points, closed);
  }
  context.save();
  context.lineJoin = "round";
  context.strokeStyle = theme.ink;
  context.globalAlpha = 0.42;
  context.lineWidth = 0.9 * view.ratio;
  context.stroke(thin);
  context.globalAlpha = 0.7;
  context.lineWidth = 1.5 * view.ratio;
  context.stroke(strong);
  context.restore();
}

function addLine(path: Path2D, view: PlaneView, points: Float32Array, closed: boolean): void {
  const scale = view.side / (2 * view.extent);
  const [x0, y0] = toCanvas(view, 0, 0);
  path.moveTo(x0 + scale * points[0], y0 - scale * points[1]);
  for (let i = 2; i < points.length; i += 2) {
    path.lineTo(x0 + scale * points[i], y0 - scale * points[i + 1]);
  }
  if (closed) path.closePath();
}

/** The velocity that is seen: that of the field, or its difference. */
function shownVelocity(cache: PlaneCache, { field, reference }: Pair, difference: boolean) {
  if (!field || (difference && !reference)) return null;
  if (!difference || !reference) return field.velocity;
  return kept<Float32Array>(
    cache,
    "velocity difference",
    [field, reference],
    () => field.velocity.map((value, i) => value - reference.velocity[i]),
  );
}

/** Draws arrows or streamlines; returns the arrows, for what their lengths mean. */
function drawVelocity(
  context: CanvasRenderingContext2D,
  input: PlaneInput,
  pair: Pair,
  theme: PictureTheme,
): ArrowField | null {
  const { cache, choices, view } = input;
  const { field } = pair;
  const velocity = shownVelocity(cache, pair, choices.compare === "difference");
  if (choices.velocity === "none" || !field || !velocity) return null;
  const pixels = view.side / view.ratio;
  if (choices.velocity === "arrows") {
    const across = Math.min(21, Math.max(9, Math.round(pixels / 36)));
    const arrows = kept<ArrowField>(
      cache,
      "arrows",
      [velocity, across],
      () => arrowField(velocity, field, across),
    );
    drawLayer(context, input, "arrow layer", [arrows, themeKey(theme)], (c) => {
      strokeArrows(c, view, arrows.arrows, theme);
    });
    return arrows;
  }
  const separation = 2 * field.extent / Math.min(20, Math.max(9, pixels / 36));
  const lines = kept<readonly Streamline[]>(
    cache,
    "streamlines",
    [velocity, separation],
    (before) =>
      streamlines(velocity, field, {
        separation,
        seeds: before?.flatMap(({ seed }) => [...seed]),
      }),
  );
  drawLayer(context, input, "streamline layer", [lines, themeKey(theme)], (c) => {
    strokeStreamlines(c, view, lines, separation, theme);
  });
  return null;
}

function strokeArrows(
  context: OffscreenCanvasRenderingContext2D,
  view: PlaneView,
  arrows: Float32Array,
  theme: PictureTheme,
): void {
  const scale = view.side / (2 * view.extent);
  const path = new Path2D();
  for (let i = 0; i < arrows.length; i += 4) {
    const [x, y] = toCanvas(view, arrows[i], arrows[i + 1]);
    const dx = scale * arrows[i + 2], dy = -scale * arrows[i + 3];
    addArrow(path, x - dx / 2, y - dy / 2, dx, dy, view.ratio);
  }
  strokeWithHalo(context, path, theme, view.ratio, true);
}

function strokeStreamlines(
  context: OffscreenCanvasRenderingContext2D,
  view: PlaneView,
  lines: readonly Streamline[],
  separation: number,
  theme: PictureTheme,
): void {
  const path = new Path2D();
  for (const { points, closed } of lines) addLine(path, view, points, closed);
  strokeWithHalo(context, path, theme, view.ratio, false);
  const heads = new Path2D();
  const heading = arrowHeads(lines, 5 * separation);
  const size = 6.5 * view.ratio;
  for (let i = 0; i < heading.length; i += 4) {
    const [x, y] = toCanvas(view, heading[i], heading[i + 1]);
    const ex = heading[i + 2], ey = -heading[i + 3];
    heads.moveTo(x + 0.6 * size * ex, y + 0.6 * size * ey);
    heads.lineTo(x - 0.4 * size * (ex + ey), y - 0.4 * size * (ey - ex));
    heads.lineTo(x - 0.4 * size * (ex - ey), y - 0.4 * size * (ey + ex));
    heads.closePath();
  }
  strokeWithHalo(context, heads, theme, view.ratio, true);
}

/** Ink with a soft rim in the colour of the page, legible on any field. */
function strokeWithHalo(
  context: OffscreenCanvasRenderingContext2D,
  path: Path2D,
  theme: PictureTheme,
  ratio: number,
  filled: boolean,
): void {
  context.save();
  context.lineCap = "round";
  context.lineJoin = "round";
  context.strokeStyle = theme.background;
  context.globalAlpha = 0.4;
  context.lineWidth = 2.8 * ratio;
  context.stroke(path);
  context.strokeStyle = context.fillStyle = theme.ink;
  context.globalAlpha = 0.85;
  context.lineWidth = 1.1 * ratio;
  context.stroke(path);
  if (filled) context.fill(path);
  context.restore();
}

/** Samples of the data as small crosses. */
function drawData(
  context: OffscreenCanvasRenderingContext2D,
  view: PlaneView,
  data: Float32Array,
  theme: PictureTheme,
): void {
  const arm = 2.2 * view.ratio;
  const path = new Path2D();
  for (let i = 0; i + 1 < data.length; i += 2) {
    const [x, y] = toCanvas(view, data[i], data[i + 1]);
    path.moveTo(x - arm, y - arm);
    path.lineTo(x + arm, y + arm);
    path.moveTo(x - arm, y + arm);
    path.lineTo(x + arm, y - arm);
  }
  context.save();
  context.strokeStyle = theme.ink;
  context.globalAlpha = 0.45;
  context.lineWidth = view.ratio;
  context.stroke(path);
  context.restore();
}

/** Parts that a trail is drawn in. */
const TRAIL_PARTS = 6;

/** Sets of particles: the first in the accent as discs, the second as rings. */
function drawFlows(
  context: CanvasRenderingContext2D,
  { flows, view, u, choices, trail = 0.08 }: PlaneInput,
  theme: PictureTheme,
): void {
  const sets = flows.slice(0, 2);
  const colors = [theme.accent, theme.second];
  if (choices.trails) {
    sets.forEach((flow, i) => {
      drawTrails(context, view, trailsAt(flow, u, trail, TRAIL_PARTS), flow.n, colors[i]);
    });
  }
  sets.forEach((flow, i) => {
    const radius = particleRadius(flow.n, view);
    drawParticles(context, view, positionsAt(flow, u), {
      shape: i === 0 ? "disc" : "ring",
      color: colors[i],
      outline: theme.background,
      radius: i === 0 ? radius : 1.5 * radius,
    });
  });
}

/** Axes, and what colours and lengths mean, over everything. */
function drawOverlay(
  context: CanvasRenderingContext2D,
  input: PlaneInput,
  shown: Shown | null,
  arrows: ArrowField | null,
  theme: PictureTheme,
): void {
  const { view, choices } = input;
  const { legend = view.side / view.ratio >= 300 } = input;
  const scale = choices.field !== "none" && shown ? shown.scale : null;
  const keys = [legend, scale?.colormap, scale?.range[0], scale?.range[1], arrows, themeKey(theme)];
  drawLayer(context, input, "overlay", keys, (c) => {
    drawAxes(c, view, theme);
    if (!legend) return;
    const length = (arrows?.key.length ?? 0) * view.side / (2 * view.extent);
    const key = arrows && length > 0 ? { label: arrows.key.label, length } : null;
    const box = { left: view.left, top: view.top, width: view.side, height: view.side };
    drawLegend(c, { title: shown?.title ?? "", scale, key }, box, theme, view.ratio);
  });
}

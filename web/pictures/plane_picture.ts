/**
 * @file The plane's whole picture: a field or a density, contour lines, velocity, the data, particles
 * with trails, axes and what colours mean, as the page's choices say. What does not change from frame
 * to frame is kept: images of fields and lines, by the objects that they were made of.
 */
import { type ArrowField, arrowField } from "./arrows.ts";
import { drawAxes } from "./axes.ts";
import { fieldPixels } from "./field_image.ts";
import { drawLegend } from "./legend.ts";
import { drawParticles, drawTrails, particleRadius, positionsAt, trailsAt } from "./particles.ts";
import {
  comparedFields,
  contoursOf,
  type Pair,
  type Shown,
  shownField,
  shownVelocity,
} from "./plane_fields.ts";
import { kept, type PlaneCache, type PlaneInput } from "./plane_input.ts";
import {
  drawArrows,
  drawContours,
  drawCrosses,
  drawStreamlines,
  type LineColors,
} from "./plane_lines.ts";
import { clearRaster, newRaster, type Raster } from "./raster.ts";
import { type Streamline, streamlines } from "./streamlines.ts";
import { rgbOf } from "./theme.ts";
import { type PictureTheme, type PlaneView, toCanvas } from "./view.ts";

export { planeCache } from "./plane_input.ts";
export type { PlaneCache, PlaneInput } from "./plane_input.ts";

/** What tells themes apart: another object of the same colours is the same theme. */
function themeKey(theme: PictureTheme): string {
  return Object.values(theme).join(" ");
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
  const { view, choices } = input;
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
  const velocity = velocityLines(input, pair);
  drawLines(context, input, shown, velocity, theme);
  if (choices.particles) drawFlows(context, input, theme);
  context.restore();
  drawOverlay(context, input, shown, velocity.arrows, theme);
}

/** Pixels a side that a field is coloured at; larger canvases stretch it. */
const MOST_PIXELS = 1000;

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

/** A picture of the square, and the canvas that it goes through. */
interface RasterLayer {
  readonly raster: Raster;
  readonly canvas: OffscreenCanvas;
}

/** Draws pixels over the square, kept as long as the keys and the view are the same. */
function drawRasterLayer(
  context: CanvasRenderingContext2D,
  { cache, view }: PlaneInput,
  name: string,
  keys: readonly unknown[],
  draw: (raster: Raster) => void,
): void {
  const side = Math.max(1, Math.round(view.side));
  const all = [...keys, view.side, view.extent, view.ratio];
  const { canvas } = kept<RasterLayer>(cache, name, all, (before) => {
    const layer = before && before.canvas.width === side ? before : {
      raster: newRaster(side, side),
      canvas: new OffscreenCanvas(side, side),
    };
    clearRaster(layer.raster);
    draw(layer.raster);
    const image = new ImageData(layer.raster.bytes, side, side);
    layer.canvas.getContext("2d")?.putImageData(image, 0, 0);
    return layer;
  });
  // On whole pixels, so that lines stay sharp.
  context.drawImage(canvas, Math.round(view.left), Math.round(view.top));
}

/** How velocity is seen: one of these, or neither. */
interface VelocityLines {
  readonly arrows: ArrowField | null;
  readonly lines: readonly Streamline[] | null;
  /** Between neighbouring streamlines. */
  readonly separation: number;
}

/** CSS pixels from arrow to arrow, and from streamline to streamline. */
const SPACING = 36;

function velocityLines({ cache, choices, view }: PlaneInput, pair: Pair): VelocityLines {
  const none: VelocityLines = { arrows: null, lines: null, separation: 0 };
  const { field } = pair;
  if (choices.velocity === "none" || !field) return none;
  const velocity = shownVelocity(cache, pair, choices.compare === "difference");
  if (!velocity) return none;
  const across = Math.min(21, Math.max(9, Math.round(view.side / view.ratio / SPACING)));
  if (choices.velocity === "arrows") {
    const keys = [velocity, across];
    const arrows = kept(cache, "arrows", keys, () => arrowField(velocity, field, across));
    return { ...none, arrows };
  }
  const separation = 2 * field.extent / across;
  const lines = kept<readonly Streamline[]>(cache, "streamlines", [velocity, across], (before) => {
    // The seeds of the picture before: lines move with the field and do not jump.
    const seeds = before?.flatMap(({ seed }) => [...seed]);
    return streamlines(velocity, field, { separation, seeds });
  });
  return { ...none, lines, separation };
}

/** The data, contour lines and velocity: one layer, since fields bring all of them. */
function drawLines(
  context: CanvasRenderingContext2D,
  input: PlaneInput,
  shown: Shown | null,
  { arrows, lines, separation }: VelocityLines,
  theme: PictureTheme,
): void {
  const { cache, choices, view } = input;
  const data = choices.data && input.data ? input.data : null;
  const contours = shown && choices.contours ? contoursOf(cache, shown) : null;
  if (!data && !contours && !arrows && !lines) return;
  const colors: LineColors = { ink: rgbOf(theme.ink), halo: rgbOf(theme.background) };
  const keys = [data, contours, arrows, lines, themeKey(theme)];
  drawRasterLayer(context, input, "lines layer", keys, (raster) => {
    if (data) drawCrosses(raster, view, data, colors);
    if (contours) drawContours(raster, view, contours, colors);
    if (arrows) drawArrows(raster, view, arrows.arrows, colors);
    if (lines) drawStreamlines(raster, view, lines, 4.5 * separation, colors);
  });
}

/** Parts that a trail is drawn in. */
const TRAIL_PARTS = 6;

/** Sets of particles: discs in the accent, rings in the second colour. */
function drawFlows(
  context: CanvasRenderingContext2D,
  input: PlaneInput,
  theme: PictureTheme,
): void {
  const { view, u, choices, trail = 0.08 } = input;
  const sets = input.flows.slice(0, 2);
  if (sets.length === 0) return;
  const { shapes = ["disc", "ring"] } = input;
  const colors = { disc: rgbOf(theme.accent), ring: rgbOf(theme.second) };
  const keys = [...sets, ...shapes, u, choices.trails, trail, themeKey(theme)];
  drawRasterLayer(context, input, "particles layer", keys, (raster) => {
    sets.forEach((flow, i) => {
      if (!choices.trails) return;
      drawTrails(raster, view, trailsAt(flow, u, trail, TRAIL_PARTS), flow.n, colors[shapes[i]]);
    });
    sets.forEach((flow, i) => {
      const shape = shapes[i], radius = particleRadius(flow.n, view);
      drawParticles(raster, view, positionsAt(flow, u), {
        shape,
        color: colors[shape],
        outline: rgbOf(theme.background),
        radius: shape === "disc" ? radius : 1.5 * radius,
      });
    });
  });
}

/** Axes, and what colours and lengths mean, over everything; kept as long as they are the same. */
function drawOverlay(
  context: CanvasRenderingContext2D,
  { cache, view, choices, legend = view.side / view.ratio >= 300 }: PlaneInput,
  shown: Shown | null,
  arrows: ArrowField | null,
  theme: PictureTheme,
): void {
  const { width, height } = context.canvas;
  const scale = choices.field !== "none" && shown ? shown.scale : null;
  const length = (arrows?.key.length ?? 0) * view.side / (2 * view.extent);
  const of = choices.compare === "difference" ? "|∇Φ − ∇Φ*|" : "|∇Φ|";
  const key = arrows && length > 0 ? { label: `${of} = ${arrows.key.label}`, length } : null;
  const title = shown?.title ?? "";
  const place = [width, height, view.left, view.top, view.side, view.extent, view.ratio];
  const meaning = [legend, title, scale?.colormap, scale?.range[0], scale?.range[1]];
  const keys = [...place, ...meaning, key?.label, key?.length, themeKey(theme)];
  const canvas = kept<OffscreenCanvas>(cache, "overlay", keys, (before) => {
    const same = before && before.width === width && before.height === height;
    const layer = same ? before : new OffscreenCanvas(width, height);
    const target = layer.getContext("2d");
    if (!target) return layer;
    target.clearRect(0, 0, width, height);
    drawAxes(target, view, theme);
    const box = { left: view.left, top: view.top, width: view.side, height: view.side };
    if (legend) drawLegend(target, { title, scale, key }, box, theme, view.ratio);
    return layer;
  });
  context.drawImage(canvas, 0, 0);
}

/**
 * @file The potential as a landscape that can be turned: Φ as heights over the plane, coloured and
 * shaded, with its contour lines on it and on the ground, particles lifted onto it, and axes.
 */
import { linearTicks, niceStep } from "../../core/picture/ticks.ts";
import type { Field } from "../laboratory/engine_types.ts";
import { labelFont } from "./axes.ts";
import { contourLevels, type ContourLine, fieldContours } from "./contours.ts";
import {
  centred,
  type ColorScale,
  type Range,
  robustRange,
  steadyRange,
  symmetricRange,
} from "./field_image.ts";
import { bilinearAt, resampled } from "./grid.ts";
import { divergingPalette, POTENTIAL_GAMMA } from "./palettes.ts";
import { kept, type PlaneCache, planeCache } from "./plane_input.ts";
import { type Camera, project, rotation } from "./projection.ts";
import { drawDots } from "./raster.ts";
import { rgbOf } from "./theme.ts";
import { paintSurface, type Surface, type SurfaceImage } from "./surface.ts";
import type { PictureTheme } from "./view.ts";

/** How the relief is seen. */
export interface ReliefOptions {
  /** Turns the landscape about its upright axis, in radians. */
  readonly yaw: number;
  /** 0 is from the side, π/2 from straight above. */
  readonly pitch: number;
  readonly theme: PictureTheme;
  /** Of the canvas, in device pixels; device pixels a CSS pixel. */
  readonly size: { readonly width: number; readonly height: number; readonly ratio: number };
  /** Of colours and heights; default that of the field, robust and around 0. */
  readonly range?: Range;
  /** What Φ's mean is taken with; default the field's density, or all alike. */
  readonly weight?: ArrayLike<number> | null;
  /** [n, 2], lifted onto the landscape; those behind a hill are left out. */
  readonly particles?: ArrayLike<number>;
}

/** Nodes a side of the landscape: enough for a canvas, few enough for every frame. */
const NODES = 49;
/** Half the height between the ends of the range, in half sides of the ground. */
const HEIGHT = 0.42;
/** The ground's height. */
const GROUND = -0.8;
/** About how many contour lines. */
const LEVELS = 14;
/** A particle is hidden by what is so much nearer, in half sides of the ground. */
const HIDDEN = 0.06;
/** From the viewer to the middle, in half sides of the ground. */
const DISTANCE = 7;

/** The view of the landscape that fits a canvas at any yaw. */
export function reliefCamera(
  { width, height, ratio }: ReliefOptions["size"],
  yaw: number,
  pitch: number,
): Camera {
  const unit = { yaw: 0, pitch, distance: DISTANCE, centerX: 0, centerY: 0, scale: 1 };
  // A corner is √2 from the middle: at the highest or on the ground; labels stand outside.
  const ends = [GROUND, 1.2 * HEIGHT];
  const top = Math.min(...ends.map((z) => project(unit, 0, Math.SQRT2, z)[1])) - 0.1;
  const bottom = Math.max(...ends.map((z) => project(unit, 0, -Math.SQRT2, z)[1])) + 0.12;
  // To the sides √2 and a little by the perspective, and labels of the heights.
  const across = (width / 2 - 30 * ratio) / 1.46;
  const scale = Math.max(1, Math.min(across, height / (bottom - top)));
  return {
    ...unit,
    yaw,
    centerX: width / 2,
    centerY: height / 2 - scale * (top + bottom) / 2,
    scale,
  };
}

/**
 * The height of a value: linear within the range, and beyond it ever less, so that a steep rim does
 * not leave the picture.
 *
 * @returns from −1 to 1 within the range, at most 1.3 beyond
 */
export function reliefHeight([low, high]: Range, value: number): number {
  const at = high > low ? (2 * value - low - high) / (high - low) : 0;
  const size = Math.abs(at);
  return size <= 1 ? at : Math.sign(at) * (1 + 0.3 * Math.tanh((size - 1) / 0.3));
}

/** A field's landscape. */
interface Landscape {
  /** Φ without its mean, on the field's grid. */
  readonly values: Float32Array;
  readonly scale: ColorScale;
  readonly surface: Surface;
  readonly contours: readonly ContourLine[];
}

/** What is kept for a canvas: turning its landscape makes nothing of it anew. */
interface ReliefCache {
  readonly planes: PlaneCache;
  image: SurfaceImage | null;
  canvas: OffscreenCanvas | null;
}

const caches = new WeakMap<object, ReliefCache>();

function cacheOf(canvas: object): ReliefCache {
  const cache = caches.get(canvas) ?? { planes: planeCache(), image: null, canvas: null };
  caches.set(canvas, cache);
  return cache;
}

function landscapeOf({ planes }: ReliefCache, field: Field, options: ReliefOptions): Landscape {
  const weight = options.weight === undefined ? field.density : options.weight;
  const { range: given, theme } = options;
  const keys = [field, weight, given?.[0], given?.[1], theme.dark];
  return kept<Landscape>(planes, "landscape", keys, (before) => {
    const values = centred(field.potential, weight);
    const wanted = symmetricRange(robustRange(values));
    const range = given ?? steadyRange(before?.scale.range ?? null, wanted);
    const nodes = resampled(values, field.size, NODES, "nodes");
    const heights = nodes.map((value) => HEIGHT * reliefHeight(range, value));
    return {
      values,
      scale: { colormap: divergingPalette(theme.dark), range, gamma: POTENTIAL_GAMMA },
      surface: { nodes: NODES, values: nodes, heights },
      contours: fieldContours(values, field, contourLevels(range, LEVELS), 1),
    };
  });
}

/**
 * Draws the landscape of a field.
 *
 * @param context of a canvas of the size given; what was on it is cleared
 * @param field what is seen; as long as it is the same object, turning it is cheap
 * @param options the view
 */
export function drawRelief(
  context: CanvasRenderingContext2D,
  field: Field,
  options: ReliefOptions,
): void {
  const { size, theme } = options;
  const cache = cacheOf(context.canvas);
  const landscape = landscapeOf(cache, field, options);
  const camera = reliefCamera(size, options.yaw, options.pitch);
  context.save();
  context.clearRect(0, 0, size.width, size.height);
  drawGround(context, field, camera, theme, size.ratio);
  strokeGroundContours(context, landscape.contours, field.extent, camera, theme);
  drawSurface(context, cache, landscape, field.extent, camera, options);
  drawEdge(context, landscape.surface, camera, theme, size.ratio);
  drawHeights(context, camera, landscape.scale.range, theme, size.ratio);
  context.restore();
}

/** Pixels that a surface is painted at, about: up to twice as many a side, for smooth edges. */
const PIXELS = 9e5;

/** Paints the surface, with particles on it, onto the canvas. */
function drawSurface(
  context: CanvasRenderingContext2D,
  cache: ReliefCache,
  landscape: Landscape,
  extent: number,
  camera: Camera,
  { size, theme, particles = [] }: ReliefOptions,
): void {
  const { surface, scale } = landscape;
  const zoom = Math.min(2, Math.max(1, Math.sqrt(PIXELS / (size.width * size.height))));
  const width = Math.round(size.width * zoom), height = Math.round(size.height * zoom);
  const near: Camera = {
    ...camera,
    centerX: camera.centerX * zoom,
    centerY: camera.centerY * zoom,
    scale: camera.scale * zoom,
  };
  const contourStep = niceStep((scale.range[1] - scale.range[0]) / LEVELS);
  const lineWidth = 0.9 * size.ratio * zoom;
  const paint = { scale, contourStep, lineWidth, lightLines: theme.dark };
  const image = paintSurface(surface, near, paint, { width, height }, cache.image);
  drawDots(image, liftedParticles(landscape, extent, near, image, particles), {
    shape: "disc",
    color: rgbOf(theme.accent),
    outline: rgbOf(theme.background),
    radius: 1.9 * size.ratio * zoom,
    rim: 0.8 * size.ratio * zoom,
  });
  const fits = cache.canvas?.width === width && cache.canvas.height === height;
  const canvas = fits && cache.canvas ? cache.canvas : new OffscreenCanvas(width, height);
  canvas.getContext("2d")?.putImageData(new ImageData(image.bytes, width, height), 0, 0);
  context.drawImage(canvas, 0, 0, size.width, size.height);
  cache.image = image;
  cache.canvas = canvas;
}

/** The four corners of the square at a height, from the far left one on clockwise at yaw 0. */
const CORNERS = [[-1, 1], [1, 1], [1, -1], [-1, -1]] as const;

/** The ground: a plate with a grid, and labels along the edges that face the viewer. */
function drawGround(
  context: CanvasRenderingContext2D,
  { extent }: Field,
  camera: Camera,
  theme: PictureTheme,
  ratio: number,
): void {
  const turn = rotation(camera.yaw, camera.pitch);
  const at = (x: number, y: number) => project(camera, x, y, GROUND, turn);
  context.beginPath();
  CORNERS.forEach(([x, y]) => context.lineTo(...xy(at(x, y))));
  context.closePath();
  context.fillStyle = theme.ink;
  context.globalAlpha = 0.04;
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = theme.faint;
  context.lineWidth = ratio;
  const { values, labels } = linearTicks(-extent, extent, 5);
  for (const value of values) {
    const v = value / extent;
    context.moveTo(...xy(at(v, -1)));
    context.lineTo(...xy(at(v, 1)));
    context.moveTo(...xy(at(-1, v)));
    context.lineTo(...xy(at(1, v)));
  }
  context.stroke();
  context.font = labelFont(ratio);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = theme.ink;
  // Which side of each axis faces the viewer.
  const sideX = turn[6] >= 0 ? 1 : -1, sideY = turn[7] >= 0 ? 1 : -1;
  values.forEach((value, i) => {
    const v = value / extent;
    if (Math.abs(v) > 0.95) return;
    context.fillText(labels[i], ...xy(at(v, 1.12 * sideY)));
    context.fillText(labels[i], ...xy(at(1.12 * sideX, v)));
  });
}

function xy([x, y]: readonly [number, number, number]): [number, number] {
  return [x, y];
}

/** Contour lines on the ground, under the landscape. */
function strokeGroundContours(
  context: CanvasRenderingContext2D,
  lines: readonly ContourLine[],
  extent: number,
  camera: Camera,
  theme: PictureTheme,
): void {
  const turn = rotation(camera.yaw, camera.pitch);
  context.beginPath();
  for (const { points, closed } of lines) {
    for (let i = 0; i < points.length; i += 2) {
      const at = xy(project(camera, points[i] / extent, points[i + 1] / extent, GROUND, turn));
      if (i === 0) context.moveTo(...at);
      else context.lineTo(...at);
    }
    if (closed) context.closePath();
  }
  // One device pixel: wider lines take many times as long where there is no graphics processor.
  context.lineWidth = 1;
  context.strokeStyle = theme.ink;
  context.globalAlpha = 0.35;
  context.stroke();
  context.globalAlpha = 1;
}

/** The surface's rim as a line, which also hides its steps. */
function drawEdge(
  context: CanvasRenderingContext2D,
  { nodes, heights }: Surface,
  camera: Camera,
  theme: PictureTheme,
  ratio: number,
): void {
  const turn = rotation(camera.yaw, camera.pitch);
  const last = nodes - 1;
  context.beginPath();
  context.strokeStyle = theme.ink;
  context.globalAlpha = 0.55;
  context.lineWidth = 1.1 * ratio;
  context.lineJoin = "round";
  // Of the four sides those that face the viewer, which nothing hides.
  const sides = [
    [turn[7] >= 0, (i: number) => [i, 0]],
    [turn[7] < 0, (i: number) => [i, last]],
    [turn[6] < 0, (i: number) => [0, i]],
    [turn[6] >= 0, (i: number) => [last, i]],
  ] as const;
  for (const [faces, nodeOf] of sides) {
    if (!faces) continue;
    for (let i = 0; i <= last; i++) {
      const [column, row] = nodeOf(i);
      const [x, y] = [2 * column / last - 1, 1 - 2 * row / last];
      const at = xy(project(camera, x, y, heights[row * nodes + column], turn));
      if (i === 0) context.moveTo(...at);
      else context.lineTo(...at);
    }
  }
  context.stroke();
  context.globalAlpha = 1;
}

/** The upright axis at the corner that is farthest to the left, with ticks. */
function drawHeights(
  context: CanvasRenderingContext2D,
  camera: Camera,
  range: Range,
  theme: PictureTheme,
  ratio: number,
): void {
  const turn = rotation(camera.yaw, camera.pitch);
  // Seen from nearly above, heights are not read.
  if (Math.cos(camera.pitch) < 0.35) return;
  const places = CORNERS.map(([x, y]) => [x, y, project(camera, x, y, 0, turn)[0]] as const);
  const [x, y] = places.reduce((a, b) => b[2] < a[2] ? b : a);
  const at = (z: number) => xy(project(camera, x, y, z, turn));
  context.beginPath();
  context.strokeStyle = theme.ink;
  context.globalAlpha = 0.6;
  context.lineWidth = ratio;
  context.moveTo(...at(GROUND));
  context.lineTo(...at(HEIGHT));
  const { values, labels } = linearTicks(...range, 4);
  const ticks = values.map((value) => at(HEIGHT * reliefHeight(range, value)));
  for (const [px, py] of ticks) {
    context.moveTo(px, py);
    context.lineTo(px - 4 * ratio, py);
  }
  context.stroke();
  context.globalAlpha = 1;
  context.font = labelFont(ratio);
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillStyle = theme.ink;
  ticks.forEach(([px, py], i) => context.fillText(labels[i], px - 7 * ratio, py));
  const [px, py] = at(HEIGHT);
  context.fillText("Φ", px, py - 12 * ratio);
}

/** Where particles on the surface are in its picture, those left out that a hill hides: [n, 2]. */
function liftedParticles(
  { values, scale }: Landscape,
  extent: number,
  camera: Camera,
  { width, height, nearness }: SurfaceImage,
  particles: ArrayLike<number>,
): number[] {
  const turn = rotation(camera.yaw, camera.pitch);
  const grid = { size: Math.sqrt(values.length), extent };
  const places: number[] = [];
  for (let i = 0; i + 1 < particles.length; i += 2) {
    const x = particles[i], y = particles[i + 1];
    if (!(Math.abs(x) < extent && Math.abs(y) < extent)) continue;
    const z = HEIGHT * reliefHeight(scale.range, bilinearAt(values, grid, x, y));
    const [px, py, near] = project(camera, x / extent, y / extent, z, turn);
    if (!(px >= 0 && py >= 0 && px < width && py < height)) continue;
    const front = nearness[Math.floor(py) * width + Math.floor(px)];
    if (front <= near + HIDDEN) places.push(px, py);
  }
  return places;
}

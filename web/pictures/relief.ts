/**
 * @file The potential as a landscape that can be turned: Φ as heights over the plane, coloured and
 * shaded, with its contour lines on it and on the ground, particles lifted onto it, and axes.
 */
import { linearTicks, niceStep } from "../../core/picture/ticks.ts";
import { colorAt } from "../../core/picture/colormap.ts";
import type { Field } from "../laboratory/engine_types.ts";
import { drawLabel, labelFont } from "./axes.ts";
import { contourLevels, type ContourLine, fieldContours } from "./contours.ts";
import {
  centred,
  type ColorScale,
  type Range,
  robustRange,
  scalePlace,
  symmetricRange,
} from "./field_image.ts";
import { bilinearAt, resampled } from "./grid.ts";
import { divergingPalette } from "./palettes.ts";
import { type Camera, project, rotation } from "./projection.ts";
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
const NODES = 61;
/** Half the height between the ends of the range, in half sides of the ground. */
const HEIGHT = 0.42;
/** The ground's height. */
const GROUND = -0.8;
/** From the viewer to the middle, in half sides of the ground. */
const DISTANCE = 7;

/** The view of the landscape that fits a canvas at any yaw. */
export function reliefCamera(
  { width, height }: { readonly width: number; readonly height: number },
  yaw: number,
  pitch: number,
): Camera {
  // Corners reach √2 to each side, a little more by the perspective, and labels stand outside.
  const across = 0.5 * width / 1.66;
  const tall = Math.SQRT2 * Math.sin(pitch) * 1.12 + 0.78 * Math.cos(pitch);
  const upright = 0.5 * height / (tall + 0.14);
  return {
    yaw,
    pitch,
    distance: DISTANCE,
    centerX: width / 2,
    centerY: height / 2 - 0.1 * Math.cos(pitch) * Math.min(across, upright),
    scale: Math.min(across, upright),
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

/** The colour scale and the landscape of a field. */
function landscape(field: Field, options: ReliefOptions): {
  values: Float32Array;
  scale: ColorScale;
  surface: Surface;
} {
  const weight = options.weight === undefined ? field.density : options.weight;
  const values = centred(field.potential, weight);
  const range = options.range ?? symmetricRange(robustRange(values));
  const nodes = resampled(values, field.size, NODES, "nodes");
  const surface = {
    nodes: NODES,
    values: nodes,
    heights: nodes.map((value) => HEIGHT * reliefHeight(range, value)),
  };
  return { values, surface, scale: { colormap: divergingPalette(options.theme.dark), range } };
}

/**
 * Draws the landscape of a field.
 *
 * @param context of a canvas of the size given; what was on it is cleared
 * @param field at most every frame another
 * @param options the view
 */
export function drawRelief(
  context: CanvasRenderingContext2D,
  field: Field,
  options: ReliefOptions,
): void {
  const { size, theme } = options;
  const { values, scale, surface } = landscape(field, options);
  const camera = reliefCamera(size, options.yaw, options.pitch);
  const [low, high] = scale.range;
  const step = niceStep((high - low) / 14);
  context.save();
  context.clearRect(0, 0, size.width, size.height);
  drawGround(context, field, camera, theme, size.ratio);
  const lines = fieldContours(values, field, contourLevels(scale.range, 14), 1);
  strokeGroundContours(context, lines, field.extent, camera, scale, size.ratio);
  const image = drawSurface(context, surface, camera, options, scale, step);
  drawEdge(context, surface, camera, theme, size.ratio);
  drawHeights(context, camera, scale.range, theme, size.ratio);
  if (options.particles) liftParticles(context, values, field, camera, image, options, scale);
  context.restore();
}

/** Paints the surface onto the canvas; small ones twice as large, so that its edges are smooth. */
function drawSurface(
  context: CanvasRenderingContext2D,
  surface: Surface,
  camera: Camera,
  { size, theme }: ReliefOptions,
  scale: ColorScale,
  contourStep: number,
): SurfaceImage & { readonly zoom: number; readonly left: number; readonly top: number } {
  const side = Math.min(size.width, size.height);
  const zoom = side <= 560 ? 2 : 1;
  const left = (size.width - side) / 2, top = (size.height - side) / 2;
  const image = paintSurface(
    surface,
    {
      ...camera,
      centerX: (camera.centerX - left) * zoom,
      centerY: (camera.centerY - top) * zoom,
      scale: camera.scale * zoom,
    },
    { scale, contourStep, lineWidth: 0.9 * size.ratio * zoom, lightLines: theme.dark },
    Math.round(side * zoom),
  );
  const canvas = new OffscreenCanvas(image.side, image.side);
  canvas.getContext("2d")?.putImageData(
    new ImageData(image.pixels, image.side, image.side),
    0,
    0,
  );
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, left, top, side, side);
  return { ...image, zoom, left, top };
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
  // Which side of each axis faces the viewer.
  const sideX = turn[6] >= 0 ? 1 : -1, sideY = turn[7] >= 0 ? 1 : -1;
  values.forEach((value, i) => {
    const v = value / extent;
    if (Math.abs(v) > 0.95) return;
    drawLabel(context, labels[i], ...xy(at(v, 1.12 * sideY)), theme, ratio);
    drawLabel(context, labels[i], ...xy(at(1.12 * sideX, v)), theme, ratio);
  });
}

function xy([x, y]: readonly [number, number, number]): [number, number] {
  return [x, y];
}

/** Contour lines on the ground, in the colours of their levels. */
function strokeGroundContours(
  context: CanvasRenderingContext2D,
  lines: readonly ContourLine[],
  extent: number,
  camera: Camera,
  scale: ColorScale,
  ratio: number,
): void {
  const turn = rotation(camera.yaw, camera.pitch);
  context.lineWidth = 1.3 * ratio;
  context.lineJoin = "round";
  let level = NaN;
  context.beginPath();
  for (const line of lines) {
    if (line.level !== level) {
      context.stroke();
      context.beginPath();
      level = line.level;
      const [red, green, blue] = colorAt(scale.colormap, scalePlace(scale, level));
      context.strokeStyle = `rgb(${red},${green},${blue})`;
    }
    for (let i = 0; i < line.points.length; i += 2) {
      const x = line.points[i] / extent, y = line.points[i + 1] / extent;
      const at = xy(project(camera, x, y, GROUND, turn));
      if (i === 0) context.moveTo(...at);
      else context.lineTo(...at);
    }
    if (line.closed) context.closePath();
  }
  context.stroke();
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
  ticks.forEach(([px, py], i) => drawLabel(context, labels[i], px - 7 * ratio, py, theme, ratio));
  const [px, py] = at(HEIGHT);
  drawLabel(context, "Φ", px, py - 12 * ratio, theme, ratio);
}

/** Particles on the surface, where no hill is in front of them. */
function liftParticles(
  context: CanvasRenderingContext2D,
  values: ArrayLike<number>,
  field: Field,
  camera: Camera,
  image: SurfaceImage & { readonly zoom: number; readonly left: number; readonly top: number },
  { particles = [], theme, size }: ReliefOptions,
  scale: ColorScale,
): void {
  const turn = rotation(camera.yaw, camera.pitch);
  const { extent } = field;
  const radius = 1.7 * size.ratio;
  context.beginPath();
  for (let i = 0; i + 1 < particles.length; i += 2) {
    const x = particles[i], y = particles[i + 1];
    if (!(Math.abs(x) < extent && Math.abs(y) < extent)) continue;
    const z = HEIGHT * reliefHeight(scale.range, bilinearAt(values, field, x, y));
    const [px, py, near] = project(camera, x / extent, y / extent, z, turn);
    const column = Math.floor((px - image.left) * image.zoom);
    const row = Math.floor((py - image.top) * image.zoom);
    if (!(column >= 0 && row >= 0 && column < image.side && row < image.side)) continue;
    if (image.nearness[row * image.side + column] > near + 0.06) continue;
    context.moveTo(px + radius, py);
    context.arc(px, py, radius, 0, 2 * Math.PI);
  }
  context.lineWidth = 1.4 * size.ratio;
  context.strokeStyle = theme.background;
  context.stroke();
  context.fillStyle = theme.accent;
  context.fill();
}

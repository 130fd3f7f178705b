/**
 * @file A height field as pixels: triangles painted from back to front, with heights in colours, shaded
 * (J. H. Lambert's law, normals interpolated as of H. Gouraud, 1971), and contour lines that are equally
 * wide everywhere.
 */
import type { Colormap } from "../../core/picture/colormap.ts";
import { type ColorScale, scaleColors } from "./field_image.ts";
import { clearRaster, newRaster, type Raster } from "./raster.ts";
import { type Camera, paintingOrder, project, rotation } from "./projection.ts";

/** A height field over the box [−1, 1]². */
export interface Surface {
  /** Nodes a side, from edge to edge. */
  readonly nodes: number;
  /** [nodes, nodes] what colours and contour lines are of, rows from the far edge. */
  readonly values: Float32Array;
  /** [nodes, nodes] in half sides of the box. */
  readonly heights: Float32Array;
}

/** What a surface is painted with. */
export interface SurfacePaint {
  readonly scale: ColorScale;
  /** Contour lines at its multiples; 0 for none. */
  readonly contourStep: number;
  /** Pixels that a contour line is wide. */
  readonly lineWidth: number;
  /** Whether contour lines are lighter than the surface instead of darker. */
  readonly lightLines: boolean;
}

/** A surface's pixels: transparent where it is not. */
export interface SurfaceImage extends Raster {
  /** [height, width] how near it is, as of {@link project}; −Infinity where it is not. */
  readonly nearness: Float32Array;
}

/** Colours of a map, and brightnesses of each, that are told apart. */
const COLORS = 512;
const BRIGHTNESSES = 256;
/** Brightness 1 is the colour itself, below it is darker, above lighter. */
const BRIGHTEST = 1.6;
const AMBIENT = 0.66;
const DIFFUSE = 0.46;
/** Light in the viewer's coordinates: from the upper left, over the shoulder. */
const LIGHT = [-0.48, 0.62, 0.62] as const;

/** One for each colour map: none depends on a range, but on whether 0 is in its middle. */
const tables = new WeakMap<Colormap, Map<string, Uint32Array>>();

/** Colours × brightnesses as pixels. */
function paintTable(scale: ColorScale): Uint32Array {
  const ofMap = tables.get(scale.colormap) ?? new Map<string, Uint32Array>();
  tables.set(scale.colormap, ofMap);
  const key = `${scale.gamma ?? 1} ${scale.range[0] === -scale.range[1]}`;
  const table = ofMap.get(key) ?? newPaintTable(scale);
  ofMap.set(key, table);
  return table;
}

function newPaintTable(scale: ColorScale): Uint32Array {
  const flat = new Uint8Array(scaleColors(scale, COLORS).buffer);
  const bytes = new Uint8Array(4 * COLORS * BRIGHTNESSES);
  for (let b = 0, o = 0; b < BRIGHTNESSES; b++) {
    const brightness = b / (BRIGHTNESSES - 1) * BRIGHTEST;
    for (let c = 0; c < COLORS; c++) {
      for (let channel = 0; channel < 3; channel++) {
        const v = flat[4 * c + channel];
        bytes[o++] = brightness <= 1 ? v * brightness : v + (255 - v) * (brightness - 1);
      }
      bytes[o++] = 255;
    }
  }
  return new Uint32Array(bytes.buffer);
}

/** Nodes in the picture: x, y, nearness, brightness each. */
function projectedNodes({ nodes, heights }: Surface, camera: Camera): Float32Array {
  const turn = rotation(camera.yaw, camera.pitch);
  const [lx, ly, lz] = [0, 1, 2].map((k) =>
    LIGHT[0] * turn[k] + LIGHT[1] * turn[3 + k] + LIGHT[2] * turn[6 + k]
  );
  const step = 2 / (nodes - 1);
  const out = new Float32Array(4 * nodes * nodes);
  for (let row = 0, k = 0; row < nodes; row++) {
    for (let column = 0; column < nodes; column++, k++) {
      const west = k - (column > 0 ? 1 : 0), east = k + (column < nodes - 1 ? 1 : 0);
      const north = k - (row > 0 ? nodes : 0), south = k + (row < nodes - 1 ? nodes : 0);
      const sx = (heights[east] - heights[west]) / ((east - west) * step);
      const sy = (heights[north] - heights[south]) / ((south - north) / nodes * step);
      const lambert = (lz - lx * sx - ly * sy) / Math.sqrt(1 + sx * sx + sy * sy);
      const at = project(camera, column * step - 1, 1 - row * step, heights[k], turn);
      out.set(at, 4 * k);
      out[4 * k + 3] = AMBIENT + DIFFUSE * Math.max(0, lambert);
    }
  }
  return out;
}

/**
 * Paints a surface.
 *
 * @param camera in pixels of the image
 * @param size of the image, whole pixels
 * @param reused an image that is no longer needed: painted over and returned if it has the size
 * @returns cells with a height that is not finite are left out
 */
export function paintSurface(
  surface: Surface,
  camera: Camera,
  paint: SurfacePaint,
  size: { readonly width: number; readonly height: number },
  reused: SurfaceImage | null = null,
): SurfaceImage {
  const { nodes } = surface;
  const image = blankImage(size, reused);
  const painter = trianglePainter(image, surface, projectedNodes(surface, camera), paint);
  const { columns, rows } = paintingOrder(camera, nodes - 1);
  for (const row of rows) {
    for (const column of columns) {
      const k = row * nodes + column;
      painter(k, k + 1, k + nodes);
      painter(k + nodes + 1, k + nodes, k + 1);
    }
  }
  return image;
}

function blankImage(
  { width, height }: { readonly width: number; readonly height: number },
  reused: SurfaceImage | null,
): SurfaceImage {
  if (reused?.width === width && reused.height === height) {
    clearRaster(reused);
    reused.nearness.fill(-Infinity);
    return reused;
  }
  const nearness = new Float32Array(width * height).fill(-Infinity);
  return { ...newRaster(width, height), nearness };
}

/** A function that paints the triangle of three nodes. */
function trianglePainter(
  { width, height, pixels: out, nearness }: SurfaceImage,
  { values }: Surface,
  nodes: Float32Array,
  { scale, contourStep, lineWidth, lightLines }: SurfacePaint,
): (a: number, b: number, c: number) => void {
  const table = paintTable(scale);
  const [low, high] = scale.range;
  const toColor = high > low ? (COLORS - 1) / (high - low) : 0;
  const toBrightness = (BRIGHTNESSES - 1) / BRIGHTEST;
  const perStep = contourStep > 0 ? 1 / contourStep : 0;
  const lineDepth = toBrightness * (lightLines ? 0.34 : -0.34);
  return (a, b, c) => {
    const ax = nodes[4 * a], ay = nodes[4 * a + 1];
    const bx = nodes[4 * b] - ax, by = nodes[4 * b + 1] - ay;
    const cx = nodes[4 * c] - ax, cy = nodes[4 * c + 1] - ay;
    const area = bx * cy - cx * by;
    const va = values[a], vb = values[b] - va, vc = values[c] - va;
    // NaN, which what is not finite becomes in one of these, is not above.
    if (!(Math.abs(area) > 1e-9) || !Number.isFinite(va + vb + vc)) return;
    const vx = (vb * cy - vc * by) / area, vy = (vc * bx - vb * cx) / area;
    const sa = nodes[4 * a + 3], sb = nodes[4 * b + 3] - sa, sc = nodes[4 * c + 3] - sa;
    const sx = (sb * cy - sc * by) / area, sy = (sc * bx - sb * cx) / area;
    const na = nodes[4 * a + 2], nb = nodes[4 * b + 2] - na, nc = nodes[4 * c + 2] - na;
    const nx = (nb * cy - nc * by) / area, ny = (nc * bx - nb * cx) / area;
    // Levels a pixel: how far a line is, in pixels; where lines crowd they fade out.
    const slope = Math.sqrt(vx * vx + vy * vy) * perStep;
    const lines = slope > 0 ? lineDepth * Math.min(1, Math.max(0, 1.4 - 3 * slope)) : 0;
    const perPixel = slope > 0 ? 1 / slope : 0;
    const reach = lineWidth / 2 + 0.5;
    const minY = Math.max(0, Math.ceil(Math.min(0, by, cy) + ay - 0.5));
    const maxY = Math.min(height - 1, Math.floor(Math.max(0, by, cy) + ay - 0.5));
    for (let y = minY; y <= maxY; y++) {
      const py = y + 0.5 - ay;
      // The span that all three edges leave.
      let from = -Infinity, to = Infinity;
      for (let edge = 0; edge < 3; edge++) {
        const x0 = edge === 0 ? 0 : edge === 1 ? bx : cx,
          y0 = edge === 0 ? 0 : edge === 1 ? by : cy;
        const x1 = edge === 0 ? bx : edge === 1 ? cx : 0,
          y1 = edge === 0 ? by : edge === 1 ? cy : 0;
        const rise = y1 - y0;
        if (rise === 0) continue;
        const x = x0 + (py - y0) / rise * (x1 - x0);
        if ((rise < 0) === (area > 0)) from = Math.max(from, x);
        else to = Math.min(to, x);
      }
      const first = Math.max(0, Math.ceil(from + ax - 0.5));
      const last = Math.min(width - 1, Math.ceil(to + ax - 0.5) - 1);
      const px = first + 0.5 - ax;
      let v = va + vx * px + vy * py;
      let s = (sa + sx * px + sy * py) * toBrightness;
      let n = na + nx * px + ny * py;
      for (let o = y * width + first; o <= y * width + last; o++) {
        const color = (v - low) * toColor;
        let brightness = s;
        if (lines !== 0) {
          const level = v * perStep;
          const away = Math.abs(level - Math.round(level)) * perPixel;
          if (away < reach) brightness += lines * Math.min(1, reach - away);
        }
        out[o] = table[
          (brightness > 0 ? brightness < BRIGHTNESSES - 1 ? brightness | 0 : BRIGHTNESSES - 1 : 0) *
            COLORS + (color > 0 ? color < COLORS - 1 ? color | 0 : COLORS - 1 : 0)
        ];
        nearness[o] = n;
        v += vx;
        s += sx * toBrightness;
        n += nx;
      }
    }
  };
}

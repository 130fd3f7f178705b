/**
 * @file Lines, dots and triangles as pixels, smooth at their edges. A canvas draws thousands of them too
 * slowly for every frame where no graphics processor helps; this takes a few milliseconds anywhere.
 * Shapes are gathered in a mask, by the largest coverage of each pixel, so that joints and crossings of
 * translucent lines are not darker; a mask is then laid over what is there in one colour (T. Porter and
 * T. Duff, "Compositing digital images", SIGGRAPH 1984).
 */
import type { Rgb } from "../../core/picture/rgb_image.ts";

/** A picture that is drawn into; pixel (0, 0) spans 0..1. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  /** [height, width, 4] red, green, blue, opacity (not multiplied), as ImageData takes it. */
  readonly bytes: Uint8ClampedArray<ArrayBuffer>;
  /** The same, a pixel a number, in the order of the machine. */
  readonly pixels: Uint32Array;
  /** [height, width] coverage of the shapes since it was laid over, 0 to 255; padded to whole words. */
  readonly mask: Uint8Array<ArrayBuffer>;
}

/** What tells sets of particles apart beside their colour. */
export type ParticleShape = "disc" | "ring";

/** A dot: a disc or a ring with a rim. */
export interface DotStyle {
  readonly shape: ParticleShape;
  readonly color: Rgb;
  /** Around it, so that it stands out from any field. */
  readonly outline: Rgb;
  /** In pixels; the rim is outside it. */
  readonly radius: number;
  readonly rim: number;
}

/** A transparent picture. */
export function newRaster(width: number, height: number): Raster {
  const bytes = new Uint8ClampedArray(4 * width * height);
  return {
    width,
    height,
    bytes,
    pixels: new Uint32Array(bytes.buffer),
    mask: new Uint8Array(4 * Math.ceil(width * height / 4)),
  };
}

/** Makes a picture transparent again. */
export function clearRaster({ pixels, mask }: Raster): void {
  pixels.fill(0);
  mask.fill(0);
}

/**
 * Adds a straight line to the mask: half a pixel longer at both ends, so that lines that follow each
 * other join.
 *
 * @param width in pixels; thinner than 1 is fainter
 * @param opacity 0 to 1, of this line
 */
export function maskSegment(
  { width: cols, height: rows, mask }: Raster,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  width: number,
  opacity = 1,
): void {
  const dx = x1 - x0, dy = y1 - y0;
  // Along the axis that it goes further on, a short run of pixels across at each step.
  const steep = Math.abs(dy) > Math.abs(dx);
  const along = steep ? dy : dx, aside = steep ? dx : dy;
  const start = steep ? y0 : x0, end = steep ? y1 : x1, side = steep ? x0 : y0;
  const slope = along === 0 ? 0 : aside / along;
  // NaN and what is infinitely far.
  if (!(Math.abs(along) < 1e6 && Math.abs(slope) <= 1)) return;
  const cosine = 1 / Math.sqrt(1 + slope * slope);
  const reach = width / 2 + 0.5;
  const across = reach / cosine;
  const full = 255 * opacity;
  const most = Math.min(1, width);
  const strideAlong = steep ? cols : 1, strideAcross = steep ? 1 : cols;
  const lastAcross = (steep ? cols : rows) - 1;
  const from = Math.max(0, Math.ceil(Math.min(start, end) - 1));
  const to = Math.min((steep ? rows : cols) - 1, Math.floor(Math.max(start, end)));
  for (let i = from; i <= to; i++) {
    const center = side + (i + 0.5 - start) * slope - 0.5;
    const last = Math.min(lastAcross, Math.floor(center + across));
    for (let j = Math.max(0, Math.ceil(center - across)); j <= last; j++) {
      const cover = reach - Math.abs(j - center) * cosine;
      const value = full * (cover < most ? cover : most);
      const at = i * strideAlong + j * strideAcross;
      if (value > mask[at]) mask[at] = value;
    }
  }
}

/** Adds a triangle to the mask, smooth at its edges. */
export function maskTriangle(
  { width, height, mask }: Raster,
  [ax, ay, bx, by, cx, cy]: readonly number[],
): void {
  const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
  if (!(Math.abs(area) > 1e-9)) return;
  // Distances from the edges, inwards: nx · x + ny · y + n.
  const edge = (px: number, py: number, qx: number, qy: number) => {
    const length = Math.hypot(qx - px, qy - py) * Math.sign(area);
    const nx = (py - qy) / length, ny = (qx - px) / length;
    return [nx, ny, 0.5 - nx * px - ny * py + (nx + ny) / 2];
  };
  const [[px, py, p], [qx, qy, q], [rx, ry, r]] = [
    edge(ax, ay, bx, by),
    edge(bx, by, cx, cy),
    edge(cx, cy, ax, ay),
  ];
  const left = Math.max(0, Math.floor(Math.min(ax, bx, cx) - 0.5));
  const right = Math.min(width - 1, Math.max(ax, bx, cx) + 0.5);
  const bottom = Math.min(height - 1, Math.max(ay, by, cy) + 0.5);
  for (let y = Math.max(0, Math.floor(Math.min(ay, by, cy) - 0.5)); y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const first = px * x + py * y + p, second = qx * x + qy * y + q;
      const cover = Math.min(1, first, second, rx * x + ry * y + r);
      if (255 * cover > mask[y * width + x]) mask[y * width + x] = 255 * cover;
    }
  }
}

/** Lays the mask over the picture in a colour, and empties it. */
export function layMask(raster: Raster, color: Rgb, opacity = 1): void {
  const { mask, bytes, pixels } = raster;
  const alone = opacities(color, opacity);
  // Most of a mask is empty: four pixels at once are passed over.
  const words = new Uint32Array(mask.buffer);
  for (let w = 0; w < words.length; w++) {
    if (words[w] === 0) continue;
    for (let i = 4 * w; i < 4 * w + 4; i++) {
      if (mask[i] === 0) continue;
      if (pixels[i] === 0) pixels[i] = alone[mask[i]];
      else blend(bytes, 4 * i, color, mask[i] * opacity);
    }
    words[w] = 0;
  }
}

/** A colour on nothing, by coverage: [256] pixels. */
function opacities([red, green, blue]: Rgb, opacity: number): Uint32Array {
  const bytes = new Uint8ClampedArray(4 * 256);
  for (let i = 0; i < 256; i++) bytes.set([red, green, blue, i * opacity], 4 * i);
  return new Uint32Array(bytes.buffer);
}

/** A colour over a pixel, with an opacity up to 255. */
function blend(bytes: Uint8ClampedArray, at: number, color: Rgb, opacity: number): void {
  const below = bytes[at + 3] * (1 - opacity / 255);
  const sum = opacity + below;
  if (!(sum > 0)) return;
  const share = opacity / sum;
  bytes[at] += share * (color[0] - bytes[at]);
  bytes[at + 1] += share * (color[1] - bytes[at + 1]);
  bytes[at + 2] += share * (color[2] - bytes[at + 2]);
  bytes[at + 3] = sum;
}

/** A dot at some places within a pixel, to be copied from. */
interface Stamp {
  readonly side: number;
  /** [PLACES, PLACES] by the place within a pixel, [side, side, 4]. */
  readonly images: readonly Uint8ClampedArray[];
}

/** Places within a pixel that dots are told apart by, across and down. */
const PLACES = 4;
/** A ring's hole, of its radius. */
const HOLE = 0.5;
const stamps = new Map<string, Stamp>();

function stampOf(style: DotStyle): Stamp {
  const { shape, color, outline, radius, rim } = style;
  const key = [shape, color, outline, radius, rim].join(" ");
  const known = stamps.get(key);
  if (known) return known;
  // Even, so that the pixel that the middle is in is the one right of the stamp's own middle.
  const side = 2 * Math.ceil(radius + rim + 1);
  const images = Array.from({ length: PLACES * PLACES }, (_, k) => {
    const x = side / 2 + (k % PLACES + 0.5) / PLACES;
    const y = side / 2 + (Math.floor(k / PLACES) + 0.5) / PLACES;
    return stampImage(style, side, x, y);
  });
  if (stamps.size > 60) stamps.clear();
  const stamp = { side, images };
  stamps.set(key, stamp);
  return stamp;
}

function stampImage(
  { shape, color, outline, radius, rim }: DotStyle,
  side: number,
  x: number,
  y: number,
): Uint8ClampedArray {
  const bytes = new Uint8ClampedArray(4 * side * side);
  const within = (distance: number, size: number) =>
    Math.min(1, Math.max(0, size - distance + 0.5));
  for (let i = 0; i < side * side; i++) {
    const d = Math.hypot(i % side + 0.5 - x, Math.floor(i / side) + 0.5 - y);
    let outer = within(d, radius + rim);
    let inner = within(d, radius);
    if (shape === "ring") {
      // A rim is on the inside of the hole too.
      outer *= 1 - within(d, HOLE * radius - rim);
      inner *= 1 - within(d, HOLE * radius);
    }
    const share = outer > 0 ? inner / outer : 0;
    for (let k = 0; k < 3; k++) bytes[4 * i + k] = outline[k] + share * (color[k] - outline[k]);
    bytes[4 * i + 3] = 255 * outer;
  }
  return bytes;
}

/** Draws dots with their middles at places, [n, 2] in pixels; parts outside the picture are left out. */
export function drawDots(raster: Raster, places: ArrayLike<number>, style: DotStyle): void {
  const stamp = stampOf(style);
  for (let i = 0; i + 1 < places.length; i += 2) {
    drawStamp(raster, stamp, places[i], places[i + 1]);
  }
}

function drawStamp({ width, height, bytes }: Raster, stamp: Stamp, x: number, y: number): void {
  const { side, images } = stamp;
  const column = Math.floor(x), row = Math.floor(y);
  const left = column - side / 2, top = row - side / 2;
  if (!(left > -side && top > -side && left < width && top < height)) return;
  const place = Math.floor((y - row) * PLACES) * PLACES + Math.floor((x - column) * PLACES);
  const image = images[place];
  for (let r = Math.max(0, -top); r < Math.min(side, height - top); r++) {
    for (let c = Math.max(0, -left); c < Math.min(side, width - left); c++) {
      const from = 4 * (r * side + c);
      const opacity = image[from + 3];
      if (opacity === 0) continue;
      const at = 4 * ((top + r) * width + left + c);
      if (opacity === 255) {
        bytes[at] = image[from];
        bytes[at + 1] = image[from + 1];
        bytes[at + 2] = image[from + 2];
        bytes[at + 3] = 255;
      } else {
        const below = bytes[at + 3] * (1 - opacity / 255);
        const share = opacity / (opacity + below);
        bytes[at] += share * (image[from] - bytes[at]);
        bytes[at + 1] += share * (image[from + 1] - bytes[at + 1]);
        bytes[at + 2] += share * (image[from + 2] - bytes[at + 2]);
        bytes[at + 3] = opacity + below;
      }
    }
  }
}

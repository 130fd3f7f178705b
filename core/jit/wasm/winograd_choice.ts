/**
 * @file Where Winograd's method is faster than a product of gathered pixels, and with what tiles.
 */
import type { ConvolutionGeometry } from "../kernels.ts";
import { pointCounts } from "./winograd_points.ts";
import { gradientMethod } from "./winograd_gradient_transform.ts";
import { tileInputs } from "./winograd_transform.ts";

/** Fewest channels that the transforms of tiles can do. */
const fewestChannels = 4;

/** Most points along an axis: of filters with taps along one axis, and along both. */
export interface MostPoints {
  readonly one: number;
  readonly both: number;
}

/** Of a forward pass alone: errors along both axes multiply, and there would be many planes. */
export const forwardPoints: MostPoints = { one: 12, both: 8 };
/** Where there are gradients, whose own gradients feel errors more: those of F(4×4, 3×3) at most. */
export const gradientPoints: MostPoints = { one: 8, both: 6 };

/** Most cells of a tile: filters in the Winograd domain are large, and have to be read. */
const mostPlanes = 128;
/** Multiply-adds that the transform of one cell of a tile costs, measured; memory is part of it. */
const transformCost = 10;
/** And what a cell of the filter costs: to be transformed, and to be read by further chunks of tiles. */
const filterCost = 3, readingCost = 4;

/** Bytes of the planes that a thread works on at a time, about: half of a second-level cache. */
const cacheBytes = 1 << 20;

/** How many tiles a thread does at a time, at most; `channels` of input and output together. */
export function mostTiles(planes: number, channels: number): number {
  return Math.max(12, Math.min(48, Math.floor(cacheBytes / (4 * planes * channels))));
}

/** Height and width of an output tile. */
export type Tile = readonly [number, number];

/** Results of a tile along one axis: such that there are points for it. */
function axisTiles(taps: number, stride: number, most: number): number[] {
  if (taps === 1) return stride === 1 ? [1] : [];
  // With strides, two taps of the three are transformed.
  const transformed = stride === 1 ? taps : stride === 2 && taps === 3 ? 2 : Infinity;
  return pointCounts.filter((points) => points <= most)
    .map((points) => points - transformed + 1).filter((outputs) => outputs > 1);
}

/**
 * Multiply-adds of a convolution by Winograd's method: products of all tiles with the filter,
 * transforms of tiles, a few dozen operations a cell that wait for memory too, and the filter, which
 * is large in the Winograd domain and read by every chunk of tiles.
 */
function winogradCost(g: ConvolutionGeometry, tile: Tile): number {
  const { batch, inputChannels: c, outputChannels: o } = g;
  const planes = tileInputs({ taps: g.filterHeight, stride: g.strideHeight, outputs: tile[0] }) *
    tileInputs({ taps: g.filterWidth, stride: g.strideWidth, outputs: tile[1] });
  if (planes > mostPlanes) return Infinity;
  const tiles = batch * Math.ceil(g.outputHeight / tile[0]) * Math.ceil(g.outputWidth / tile[1]);
  const furtherChunks = Math.ceil(tiles / mostTiles(planes, c + o)) - 1;
  const filter = filterCost + readingCost * furtherChunks;
  return planes * (tiles * (c * o + transformCost * (c + o)) + filter * c * o);
}

/** Multiply-adds of a product of gathered pixels, and what gathering costs. */
function directCost(g: ConvolutionGeometry): number {
  const { inputChannels: c, outputChannels: o } = g;
  const pixels = g.batch * g.outputHeight * g.outputWidth;
  return pixels * g.filterHeight * g.filterWidth * (c * o + c + o);
}

/** The tiles by which a convolution is fastest in the Winograd domain; null where it is not. */
export function winogradTile(g: ConvolutionGeometry, mostPoints: MostPoints): Tile | null {
  if (Math.min(g.inputChannels, g.outputChannels) < fewestChannels) return null;
  if (g.filterHeight === 1 && g.filterWidth === 1) return null;
  const most = g.filterHeight > 1 && g.filterWidth > 1 ? mostPoints.both : mostPoints.one;
  let best: Tile | null = null, cost = directCost(g);
  for (const height of axisTiles(g.filterHeight, g.strideHeight, most)) {
    for (const width of axisTiles(g.filterWidth, g.strideWidth, most)) {
      const tileCost = winogradCost(g, [height, width]);
      if (tileCost < cost) [best, cost] = [[height, width], tileCost];
    }
  }
  return best;
}

/** Whether a filter's gradient should go by Winograd's F(4×4, 3×3). */
export function winogradGradientPays(g: ConvolutionGeometry): boolean {
  const { inputChannels, outputChannels, filterHeight, filterWidth } = g;
  const plain = filterHeight === 3 && filterWidth === 3 && g.strideHeight === 1 &&
    g.strideWidth === 1 && Math.min(inputChannels, outputChannels) >= fewestChannels;
  const { outputs } = gradientMethod;
  return plain && winogradCost(g, [outputs, outputs]) < directCost(g);
}

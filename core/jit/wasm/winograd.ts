/**
 * @file Convolutions by Winograd's method: an output tile is Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A for a filter g
 * and an input tile d. So: transforms of input tiles, a product for each cell of a tile in the
 * Winograd domain (36 of them for F(4×4, 3×3)), transforms to output tiles. A thread does all three
 * for as many tiles as its cache holds, before it goes on.
 */
import type { ConvolutionGeometry, Kernel } from "../kernels.ts";
import { type Code, control, i32 } from "./assembler.ts";
import { type BlockProduct, blockProduct, evenBlock, panelWidth } from "./block_product.ts";
import { alignBytes, type EmitterContext, type Phase } from "./emitter.ts";
import { countedLoop, rowSteps } from "./micro_kernel.ts";
import { biased, rowFinish } from "./row_finish.ts";
import { mostTiles } from "./winograd_choice.ts";
import {
  locateTile,
  methodOf,
  pixelAddress,
  pixelAddresses,
  planeBytes,
  type TiledImage,
  type TileMethod,
  type Tiling,
  tilingOf,
  transformBytes,
  transformInputTile,
  transformOutputTile,
} from "./winograd_tiles.ts";
import { longestSum } from "./winograd_transform.ts";

/** A convolution with a filter in the Winograd domain. */
export type WinogradConvolutionKernel = Extract<Kernel, { kind: "winogradConvolution" }>;

/** How tiles are divided among units, and into chunks that are done at a time. */
interface TilePlan {
  /** Rows of tiles a unit. */
  readonly bands: number;
  /** Tiles at a time. */
  readonly chunk: number;
}

function planTiles(tiling: Tiling, planes: number, channels: number): TilePlan {
  const most = mostTiles(planes, channels);
  const { across, bands } = tiling;
  let best = { bands: 1, chunk: evenChunk(across, most), cost: Infinity };
  for (let count = 1; count <= bands && (count === 1 || count * across <= most); count++) {
    const chunk = evenChunk(count * across, most);
    const chunks = Math.ceil(count * across / chunk);
    const rows = rowSteps(chunk).reduce((sum, step) => sum + Math.max(4, step), 0);
    // Reading the filter costs about as much as four more tiles.
    const unitCost = chunks * (rows + 4) + 1;
    const units = Math.ceil(bands / count);
    const time = (threads: number) => Math.ceil(units / threads) * unitCost * threads;
    const cost = time(2) + 0.2 * time(8);
    if (cost < best.cost) best = { bands: count, chunk, cost };
  }
  return best;
}

function evenChunk(tiles: number, most: number): number {
  const even = Math.ceil(tiles / Math.ceil(tiles / most));
  return tiles > most ? Math.min(most, Math.ceil(even / 6) * 6) : even;
}

/** Where a thread's scratch holds what, in bytes from its start. */
function layoutScratch(sizes: Record<string, number>): Record<string, number> & { end: number } {
  let end = 0;
  const places: Record<string, number> = {};
  for (const [name, bytes] of Object.entries(sizes)) {
    places[name] = end;
    end += alignBytes(bytes);
  }
  return { ...places, end };
}

/** Cells of shared scratch that the kernel needs. */
export function winogradConvolutionScratchCells(_kernel: WinogradConvolutionKernel): number {
  return 0;
}

/** The phase of a convolution with a filter in the Winograd domain. */
export function emitWinogradConvolution(
  context: EmitterContext,
  kernel: WinogradConvolutionKernel,
): Phase[] {
  const { geometry } = kernel;
  const { module } = context;
  const method = methodOf(geometry, kernel.tile), { planes } = method;
  const { batch, inputHeight, inputWidth, outputHeight, outputWidth } = geometry;
  const { inputChannels, outputChannels } = geometry;
  const finish = rowFinish(
    context,
    kernel.epilogue,
    batch * outputHeight * outputWidth,
    outputChannels,
  );
  const tiling = tilingOf(geometry, method);
  const { across, down, bands } = tiling;
  const plan = planTiles(tiling, planes, inputChannels + outputChannels);
  const unitTiles = plan.bands * across;
  const lastUnitTiles = (bands % plan.bands || plan.bands) * across;
  const input: TiledImage = {
    channels: inputChannels,
    height: inputHeight,
    width: inputWidth,
    planeBytes: planeBytes(plan.chunk * inputChannels),
  };
  const output: TiledImage = {
    channels: outputChannels,
    height: outputHeight,
    width: outputWidth,
    planeBytes: planeBytes(plan.chunk * outputChannels),
  };
  const filterPlaneBytes = 4 * Math.ceil(outputChannels / panelWidth) * inputChannels * panelWidth;
  const unitPixels = Math.min(bands, plan.bands) * tiling.height * outputWidth;
  const places = layoutScratch({
    temporary: transformBytes(method),
    table: 4 * planes,
    zeros: 4 * inputChannels,
    nowhere: 4 * outputChannels,
    input: planes * input.planeBytes,
    output: planes * output.planeBytes,
    block: finish.keep ? 0 : 4 * unitPixels * outputChannels,
    finish: finish.scratchBytes,
  });
  const key = [JSON.stringify([geometry, kernel.tile, plan]), finish.key];
  const code = module.shared(`winograd:${key}`, () => {
    const made = module.function("winograd", Array(6 + finish.pointers.length).fill("i32"));
    const [start, end, scratch, x, filter, y, ...rest] = made.parameters;
    const [unit, band, bandEnd, firstRow, rowEnd, target] = made.locals("i32", 6);
    const [tile, tileEnd, count, plane] = made.locals("i32", 4);
    const chunkInput = emitChunkInput(context, geometry, method, input);
    const chunkOutput = emitChunkOutput(context, geometry, method, output);
    const at = (place: number) => i32.add(scratch.get, i32.const(place));
    const product = (rows: number): BlockProduct => ({
      rows,
      columns: outputChannels,
      k: inputChannels,
      a: { rowStride: inputChannels, columnStride: 1 },
      b: { rowStride: 1, columnStride: 1 },
      packA: false,
      panels: "packed",
      kBlock: evenBlock(inputChannels, longestSum),
    });
    const multiply = (rows: number): Code =>
      countedLoop(
        plane,
        i32.const(0),
        i32.const(planes),
        blockProduct(module, product(rows)).call(
          i32.add(at(places.input), i32.mul(plane.get, i32.const(input.planeBytes))),
          i32.add(filter.get, i32.mul(plane.get, i32.const(filterPlaneBytes))),
          i32.add(at(places.output), i32.mul(plane.get, i32.const(output.planeBytes))),
          scratch.get,
          i32.const(inputChannels),
          i32.const(0),
          i32.const(Math.ceil(outputChannels / panelWidth)),
        ),
      );
    const counts = chunkCounts([unitTiles, ...(bands > plan.bands ? [lastUnitTiles] : [])], plan);
    const rowOf = (band: Code): Code => {
      const image = i32.divU(band, i32.const(down));
      const row = i32.mul(i32.remU(band, i32.const(down)), i32.const(tiling.height));
      return i32.mul(
        i32.add(i32.mul(image, i32.const(outputHeight)), row),
        i32.const(outputWidth),
      );
    };
    return made.body(
      control.memoryFill(at(places.zeros), i32.const(0), i32.const(4 * inputChannels)),
      countedLoop(unit, start.get, end.get, [
        band.set(i32.mul(unit.get, i32.const(plan.bands))),
        bandEnd.set(i32.add(band.get, i32.const(plan.bands))),
        control.if(i32.gtS(bandEnd.get, i32.const(bands)), bandEnd.set(i32.const(bands))),
        firstRow.set(rowOf(band.get)),
        rowEnd.set(rowOf(bandEnd.get)),
        target.set(
          finish.keep ? y.get : biased(at(places.block), firstRow.get, outputChannels),
        ),
        tile.set(i32.mul(band.get, i32.const(across))),
        tileEnd.set(i32.mul(bandEnd.get, i32.const(across))),
        control.loop(
          count.set(i32.sub(tileEnd.get, tile.get)),
          control.if(
            i32.gtS(count.get, i32.const(plan.chunk)),
            count.set(i32.const(plan.chunk)),
          ),
          chunkInput.call(
            x.get,
            tile.get,
            count.get,
            at(places.input),
            at(places.temporary),
            at(places.table),
            at(places.zeros),
          ),
          choose(count.get, counts, multiply),
          chunkOutput.call(
            target.get,
            tile.get,
            count.get,
            at(places.output),
            at(places.temporary),
            at(places.table),
            at(places.nowhere),
          ),
          control.brIf(
            i32.ltS(tile.tee(i32.add(tile.get, count.get)), tileEnd.get),
            0,
          ),
        ),
        finish.finish(rest, firstRow.get, rowEnd.get, at(places.finish), target.get),
      ]),
    );
  });
  return [{
    code,
    pointers: [
      context.address(kernel.input),
      context.address(kernel.filter),
      finish.keep ? context.address(kernel.output) : 0,
      ...finish.pointers,
    ],
    units: Math.ceil(bands / plan.bands),
    scratchBytes: places.end,
    work: 2 * planes * bands * across * inputChannels * outputChannels,
  }];
}

/** How many tiles there can be in a chunk. */
function chunkCounts(unitTiles: readonly number[], { chunk }: TilePlan): number[] {
  const counts = new Set<number>();
  for (const tiles of unitTiles) {
    if (tiles >= chunk) counts.add(chunk);
    if (tiles % chunk) counts.add(tiles % chunk);
  }
  return [...counts];
}

/** The code for the one of some known values that a value has. */
export function choose(
  value: Code,
  [first, ...others]: readonly number[],
  code: (known: number) => Code,
): Code {
  if (others.length === 0) return code(first);
  return control.if(
    i32.eq(value, i32.const(first)),
    code(first),
    choose(value, others, code),
  );
}

/**
 * The function (x, first tile, count, planes, temporary, table, zeros) that transforms so many input
 * tiles, one after another in every plane.
 */
export function emitChunkInput(
  { module }: EmitterContext,
  geometry: ConvolutionGeometry,
  method: TileMethod,
  image: TiledImage,
) {
  const { padTop, padLeft, strideHeight, strideWidth } = geometry;
  const tiling = tilingOf(geometry, method), { across, down } = tiling;
  const { channels, height, width } = image;
  const tile = [method.vertical.inputs, method.horizontal.inputs] as const;
  const key = [
    ...[method.key, across, down, padTop, padLeft, channels, height, width, image.planeBytes],
  ];
  return module.shared(`winogradInputs:${key}`, () => {
    const made = module.function("winogradInputs", Array(7).fill("i32"));
    const [x, first, count, target, temporary, table, zeros] = made.parameters;
    const [i, band, row, column, pixels] = made.locals("i32", 5);
    const inside = (value: Code, extent: number, side: number): Code =>
      extent < side ? i32.const(0) : i32.leU(value, i32.const(extent - side));
    const inputOf = (output: Code, stride: number, pad: number): Code =>
      i32.sub(stride === 1 ? output : i32.mul(output, i32.const(stride)), i32.const(pad));
    return made.body(countedLoop(i, i32.const(0), count.get, [
      locateTile({ band, row, column, pixels }, x.get, i32.add(first.get, i.get), tiling, image),
      row.set(inputOf(row.get, strideHeight, padTop)),
      column.set(inputOf(column.get, strideWidth, padLeft)),
      control.if(
        i32.and(inside(row.get, height, tile[0]), inside(column.get, width, tile[1])),
        transformInputTile(module, method, image, false).call(
          pixelAddress(image, pixels.get, row.get, column.get),
          target.get,
          temporary.get,
        ),
        [
          pixelAddresses(module, tile, image).call(
            pixels.get,
            row.get,
            column.get,
            table.get,
            zeros.get,
          ),
          transformInputTile(module, method, image, true).call(
            table.get,
            target.get,
            temporary.get,
          ),
        ],
      ),
      target.set(i32.add(target.get, i32.const(4 * channels))),
    ]));
  });
}

/**
 * The function (y, first tile, count, planes, temporary, table, nowhere) that transforms so many
 * tiles to the output.
 */
function emitChunkOutput(
  { module }: EmitterContext,
  geometry: ConvolutionGeometry,
  method: TileMethod,
  image: TiledImage,
) {
  const tiling = tilingOf(geometry, method), { across, down } = tiling;
  const { channels, height, width } = image;
  const tile = [tiling.height, tiling.width] as const;
  const key = [method.key, across, down, channels, height, width, image.planeBytes];
  return module.shared(`winogradOutputs:${key}`, () => {
    const made = module.function("winogradOutputs", Array(7).fill("i32"));
    const [y, first, count, source, temporary, table, nowhere] = made.parameters;
    const [i, band, row, column, pixels] = made.locals("i32", 5);
    const inside = (value: Code, extent: number, side: number): Code =>
      extent % side === 0 ? i32.const(1) : i32.leS(value, i32.const(extent - side));
    const whole = height % tile[0] === 0 && width % tile[1] === 0;
    const interior = transformOutputTile(module, method, image, false).call(
      source.get,
      pixelAddress(image, pixels.get, row.get, column.get),
      temporary.get,
    );
    const edge = (): Code => [
      pixelAddresses(module, tile, image).call(
        pixels.get,
        row.get,
        column.get,
        table.get,
        nowhere.get,
      ),
      transformOutputTile(module, method, image, true).call(source.get, table.get, temporary.get),
    ];
    return made.body(countedLoop(i, i32.const(0), count.get, [
      locateTile({ band, row, column, pixels }, y.get, i32.add(first.get, i.get), tiling, image),
      whole ? interior : control.if(
        i32.and(inside(row.get, height, tile[0]), inside(column.get, width, tile[1])),
        interior,
        edge(),
      ),
      source.set(i32.add(source.get, i32.const(4 * channels))),
    ]));
  });
}

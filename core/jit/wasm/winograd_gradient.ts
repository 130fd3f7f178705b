/**
 * @file Gradients of 3×3 filters by Winograd's F(4×4, 3×3): what the convolution multiplies, tile by
 * tile, is summed over tiles here, which are 36 matrix products of the transformed inputs with the
 * transformed gradients of the output. Tiles are done in chunks of a few megabytes.
 */
import type { ConvolutionGeometry, Kernel } from "../kernels.ts";
import { type Code, control, type FunctionBuilder, i32, v128 } from "./assembler.ts";
import {
  type BlockProduct,
  blockProduct,
  blockScratchBytes,
  evenBlock,
  panelWidth,
} from "./block_product.ts";
import { alignBytes, type EmitterContext, type Phase } from "./emitter.ts";
import { countedLoop, loadLanes } from "./micro_kernel.ts";
import { biased, rowFinish } from "./row_finish.ts";
import { emitChunkInput } from "./winograd.ts";
import {
  filterGradientTransform,
  gradientMethod,
  outputGradientTransform,
} from "./winograd_gradient_transform.ts";
import {
  channelLoop,
  locateTile,
  pixelAddresses,
  planeBytes,
  type TiledImage,
  tileMethod,
  type TileTransforms,
  type Tiling,
  tilingOf,
  transformBytes,
  transformTile,
} from "./winograd_tiles.ts";
import { longestSum, type Transform } from "./winograd_transform.ts";

type ConvolutionKernel = Extract<Kernel, { kind: "convolution" }>;

/** Sides of tiles, in the output and in the input. */
const { outputs: outputTile, inputs: inputTile } = gradientMethod;
/** Cells of a tile in the Winograd domain. */
const planes = inputTile * inputTile;
const method = tileMethod([3, 3], [1, 1], [outputTile, outputTile]);
const temporaryBytes = transformBytes(method);

/** Bytes of the transformed tiles of a chunk, at most. */
const chunkBytes = 4 << 20;
/** Tiles a unit of the transforms. */
const tilesPerUnit = 8;
/** Rows a unit of the products, at most. */
const mostRows = 66;

/** Sizes and places of everything in between; places in bytes from the kernel's scratch. */
interface GradientPlan {
  readonly tiling: Tiling;
  readonly tiles: number;
  /** Tiles a chunk. */
  readonly chunk: number;
  readonly input: TiledImage;
  readonly output: TiledImage;
  /** From a plane of the transformed filter gradient to the next. */
  readonly filterPlaneBytes: number;
  readonly places: { readonly input: number; readonly output: number; readonly filter: number };
  readonly bytes: number;
}

function planGradient(geometry: ConvolutionGeometry): GradientPlan {
  const { inputChannels, outputChannels } = geometry;
  const tiling = tilingOf(geometry, method);
  const tiles = tiling.bands * tiling.across;
  const paddedOutputs = Math.ceil(outputChannels / panelWidth) * panelWidth;
  const most = Math.max(
    64,
    Math.floor(chunkBytes / (4 * planes * (inputChannels + paddedOutputs))),
  );
  const chunk = evenBlock(tiles, most);
  const input: TiledImage = {
    channels: inputChannels,
    height: geometry.inputHeight,
    width: geometry.inputWidth,
    planeBytes: planeBytes(chunk * inputChannels),
  };
  const output: TiledImage = {
    channels: outputChannels,
    height: geometry.outputHeight,
    width: geometry.outputWidth,
    planeBytes: planeBytes(chunk * paddedOutputs),
  };
  const filterPlaneBytes = planeBytes(inputChannels * outputChannels);
  const places = {
    input: 0,
    output: planes * input.planeBytes,
    filter: planes * (input.planeBytes + output.planeBytes),
  };
  return {
    ...{ tiling, tiles, chunk, input, output, filterPlaneBytes, places },
    bytes: places.filter + planes * filterPlaneBytes,
  };
}

/** Cells of shared scratch that a filter gradient by Winograd's method needs. */
export function winogradGradientScratchCells({ geometry }: ConvolutionKernel): number {
  return planGradient(geometry).bytes / 4;
}

/** The phases of a filter gradient by Winograd's method; there have to be four channels at least. */
export function emitWinogradGradient(context: EmitterContext, kernel: ConvolutionKernel): Phase[] {
  const { geometry } = kernel;
  const plan = planGradient(geometry);
  const phases: Phase[] = [];
  for (let first = 0; first < plan.tiles; first += plan.chunk) {
    const count = Math.min(plan.chunk, plan.tiles - first);
    phases.push(transformPhase(context, kernel, plan, first, count));
    phases.push(productPhase(context, geometry, plan, first > 0, count));
  }
  return [...phases, finalPhase(context, kernel, plan)];
}

/** Tiles of input and output gradient to the Winograd domain. */
function transformPhase(
  context: EmitterContext,
  kernel: ConvolutionKernel,
  plan: GradientPlan,
  first: number,
  count: number,
): Phase {
  const { geometry } = kernel;
  const { module, kernelScratch } = context;
  const { input, output, places } = plan;
  const tableAt = temporaryBytes, zerosAt = tableAt + alignBytes(4 * planes);
  const zeroBytes = 4 * Math.max(input.channels, output.channels);
  const code = module.shared(`winogradGradientTiles:${JSON.stringify(geometry)}`, () => {
    const made = module.function("winogradGradientTiles", Array(9).fill("i32"));
    const [start, end, scratch, x, dy, inputs, outputs, firstTile, tiles] = made.parameters;
    const [unit, tile, number] = made.locals("i32", 3);
    const at = (place: number) => i32.add(scratch.get, i32.const(place));
    const transform = (f: FunctionBuilder, image: Code, target: Code) =>
      f.call(
        image,
        i32.add(firstTile.get, tile.get),
        number.get,
        target,
        scratch.get,
        at(tableAt),
        at(zerosAt),
      );
    return made.body(
      control.memoryFill(at(zerosAt), i32.const(0), i32.const(zeroBytes)),
      countedLoop(unit, start.get, end.get, [
        tile.set(i32.mul(unit.get, i32.const(tilesPerUnit))),
        number.set(i32.sub(tiles.get, tile.get)),
        control.if(
          i32.gtS(number.get, i32.const(tilesPerUnit)),
          number.set(i32.const(tilesPerUnit)),
        ),
        transform(
          emitChunkInput(context, geometry, method, input),
          x.get,
          i32.add(inputs.get, i32.mul(tile.get, i32.const(4 * input.channels))),
        ),
        transform(
          emitChunkGradient(context, geometry, plan),
          dy.get,
          i32.add(outputs.get, i32.mul(tile.get, i32.const(4 * panelWidth))),
        ),
      ]),
    );
  });
  return {
    code,
    pointers: [
      context.address(kernel.left),
      context.address(kernel.right),
      kernelScratch + places.input,
      kernelScratch + places.output,
      first,
      count,
    ],
    units: Math.ceil(count / tilesPerUnit),
    scratchBytes: zerosAt + alignBytes(zeroBytes),
    work: 4 * planes * count * (input.channels + output.channels),
  };
}

/**
 * The function (dy, first tile, count, planes, temporary, table, zeros) that transforms so many tiles
 * of the output's gradient, into panels [outputs/8][tiles][8] in every plane.
 */
function emitChunkGradient(
  { module }: EmitterContext,
  geometry: ConvolutionGeometry,
  { output, chunk, tiling }: GradientPlan,
): FunctionBuilder {
  return module.shared(`winogradGradients:${JSON.stringify([geometry, chunk])}`, () => {
    const made = module.function("winogradGradients", Array(7).fill("i32"));
    const [dy, first, count, target, temporary, table, zeros] = made.parameters;
    const [i, band, row, column, pixels] = made.locals("i32", 5);
    return made.body(countedLoop(i, i32.const(0), count.get, [
      locateTile({ band, row, column, pixels }, dy.get, i32.add(first.get, i.get), tiling, output),
      pixelAddresses(module, [outputTile, outputTile], output).call(
        pixels.get,
        row.get,
        column.get,
        table.get,
        zeros.get,
      ),
      transformGradientTile(module, output, chunk).call(table.get, target.get, temporary.get),
      target.set(i32.add(target.get, i32.const(4 * panelWidth))),
    ]));
  });
}

/** The function (table of pixel addresses, target, temporary) for a tile of 4×4 pixels. */
function transformGradientTile(
  module: EmitterContext["module"],
  { channels, planeBytes }: TiledImage,
  chunk: number,
): FunctionBuilder {
  return module.shared(`winogradGradient:${[channels, planeBytes, chunk]}`, () => {
    const made = module.function("winogradGradient", ["i32", "i32", "i32"]);
    const [table, target, temporary] = made.parameters;
    const [offset, column, row] = made.locals("i32", 3);
    const panelBytes = 4 * panelWidth * chunk;
    const group = (lanes: number) =>
      transformTile(made, both(outputGradientTransform), temporary, {
        firstColumn: column.set(table.get),
        load: (i, j) =>
          loadLanes(
            i32.add(i32.load(column.get, 4 * (outputTile * i + j)), offset.get),
            lanes,
            0,
          ),
        nextColumn: column.set(i32.add(column.get, i32.const(4))),
        firstRow: row.set(
          i32.add(
            i32.add(target.get, i32.and(offset.get, i32.const(16))),
            i32.mul(i32.shrU(offset.get, i32.const(5)), i32.const(panelBytes)),
          ),
        ),
        store: (i, j, value) => v128.store(row.get, value, planeBytes * (inputTile * i + j)),
        nextRow: row.set(i32.add(row.get, i32.const(inputTile * planeBytes))),
      });
    const tail = channels % 4;
    const whole = group(4), rest = group(tail);
    return made.body(
      whole.constants,
      countedLoop(
        offset,
        i32.const(0),
        i32.const(4 * (channels - tail)),
        whole.code,
        i32.const(16),
      ),
      tail ? [rest.constants, offset.set(i32.const(4 * (channels - tail))), rest.code] : [],
    );
  });
}

/** W (+)= Vᵀ D in every plane. */
function productPhase(
  { module, kernelScratch }: EmitterContext,
  { inputChannels, outputChannels }: ConvolutionGeometry,
  { input, output, filterPlaneBytes, places, chunk }: GradientPlan,
  accumulate: boolean,
  count: number,
): Phase {
  const blocks = Math.ceil(inputChannels / mostRows);
  const rows = Math.ceil(inputChannels / blocks);
  const lastRows = inputChannels - (blocks - 1) * rows;
  const panels = Math.ceil(outputChannels / panelWidth);
  const block = (rows: number): BlockProduct => ({
    rows,
    columns: outputChannels,
    k: chunk,
    a: { rowStride: 1, columnStride: inputChannels },
    b: { rowStride: 1, columnStride: 1 },
    packA: false,
    panels: "packed",
    kBlock: evenBlock(chunk, longestSum),
    accumulate,
  });
  const key = [inputChannels, outputChannels, chunk, accumulate];
  const code = module.shared(`winogradGradientProducts:${key}`, () => {
    const made = module.function("winogradGradientProducts", Array(7).fill("i32"));
    const [start, end, scratch, inputs, outputs, filter, tiles] = made.parameters;
    const [unit, plane, row] = made.locals("i32", 3);
    const multiply = (rows: number) =>
      blockProduct(module, block(rows)).call(
        i32.add(
          i32.add(inputs.get, i32.shl(row.get, i32.const(2))),
          i32.mul(plane.get, i32.const(input.planeBytes)),
        ),
        i32.add(outputs.get, i32.mul(plane.get, i32.const(output.planeBytes))),
        i32.add(
          i32.add(filter.get, i32.mul(row.get, i32.const(4 * outputChannels))),
          i32.mul(plane.get, i32.const(filterPlaneBytes)),
        ),
        scratch.get,
        tiles.get,
        i32.const(0),
        i32.const(panels),
      );
    return made.body(countedLoop(unit, start.get, end.get, [
      plane.set(i32.divU(unit.get, i32.const(blocks))),
      row.set(i32.mul(i32.remU(unit.get, i32.const(blocks)), i32.const(rows))),
      lastRows === rows ? multiply(rows) : control.if(
        i32.eq(row.get, i32.const((blocks - 1) * rows)),
        multiply(lastRows),
        multiply(rows),
      ),
    ]));
  });
  return {
    code,
    pointers: [
      kernelScratch + places.input,
      kernelScratch + places.output,
      kernelScratch + places.filter,
      count,
    ],
    units: planes * blocks,
    scratchBytes: blockScratchBytes(block(rows), panels),
    work: 2 * planes * count * inputChannels * outputChannels,
  };
}

/** The same along both axes. */
function both(transform: Transform): TileTransforms {
  return { vertical: transform, horizontal: transform };
}

/** From the Winograd domain to the filter's gradient. */
function finalPhase(
  context: EmitterContext,
  kernel: ConvolutionKernel,
  { filterPlaneBytes, places }: GradientPlan,
): Phase {
  const { inputChannels, outputChannels } = kernel.geometry;
  const { module } = context;
  const finish = rowFinish(context, kernel.epilogue, 9 * inputChannels, outputChannels);
  const rows = Math.ceil(inputChannels / 16);
  const units = Math.ceil(inputChannels / rows);
  // Rows of the result that a unit's taps are apart.
  const tapRows = finish.keep ? inputChannels : rows;
  const blockBytes = finish.keep ? 0 : alignBytes(4 * 9 * rows * outputChannels);
  const code = module.shared(
    `winogradGradientResult:${[inputChannels, outputChannels, finish.key]}`,
    () => {
      const made = module.function(
        "winogradGradientResult",
        Array(5 + finish.pointers.length).fill("i32"),
      );
      const [start, end, scratch, from, to, ...rest] = made.parameters;
      const [unit, first, last, row, tap, tapRow, target] = made.locals("i32", 7);
      const transform = transformFilterGradient(
        module,
        outputChannels,
        filterPlaneBytes,
        4 * tapRows * outputChannels,
      );
      const rowBytes = 4 * outputChannels;
      return made.body(countedLoop(unit, start.get, end.get, [
        first.set(i32.mul(unit.get, i32.const(rows))),
        last.set(i32.add(first.get, i32.const(rows))),
        control.if(
          i32.gtS(last.get, i32.const(inputChannels)),
          last.set(i32.const(inputChannels)),
        ),
        // Where row `first` of tap 0 goes.
        target.set(
          finish.keep
            ? i32.add(to.get, i32.mul(first.get, i32.const(rowBytes)))
            : i32.add(scratch.get, i32.const(temporaryBytes)),
        ),
        countedLoop(
          row,
          first.get,
          last.get,
          transform.call(
            i32.add(from.get, i32.mul(row.get, i32.const(rowBytes))),
            i32.add(
              target.get,
              i32.mul(i32.sub(row.get, first.get), i32.const(rowBytes)),
            ),
            scratch.get,
          ),
        ),
        finish.pointers.length === 0 ? [] : countedLoop(tap, i32.const(0), i32.const(9), [
          tapRow.set(i32.add(i32.mul(tap.get, i32.const(inputChannels)), first.get)),
          finish.finish(
            rest,
            tapRow.get,
            i32.add(tapRow.get, i32.sub(last.get, first.get)),
            i32.add(scratch.get, i32.const(temporaryBytes + blockBytes)),
            biased(
              i32.add(target.get, i32.mul(tap.get, i32.const(tapRows * rowBytes))),
              tapRow.get,
              outputChannels,
            ),
          ),
        ]),
      ]));
    },
  );
  return {
    code,
    pointers: [
      context.kernelScratch + places.filter,
      finish.keep ? context.address(kernel.output) : 0,
      ...finish.pointers,
    ],
    units,
    scratchBytes: temporaryBytes + blockBytes + finish.scratchBytes,
    work: 4 * planes * inputChannels * outputChannels,
  };
}

/** The function (planes, target, temporary) for one input channel: 36 planes to nine taps. */
function transformFilterGradient(
  module: EmitterContext["module"],
  outputChannels: number,
  planeBytes: number,
  tapBytes: number,
): FunctionBuilder {
  const key = [outputChannels, planeBytes, tapBytes];
  return module.shared(`winogradFilterGradient:${key}`, () => {
    const made = module.function("winogradFilterGradient", ["i32", "i32", "i32"]);
    const [from, to, temporary] = made.parameters;
    const [offset, column, row] = made.locals("i32", 3);
    const { constants, code } = transformTile(made, both(filterGradientTransform), temporary, {
      firstColumn: column.set(i32.add(from.get, offset.get)),
      load: (i, j) => v128.load(column.get, planeBytes * (inputTile * i + j)),
      nextColumn: column.set(i32.add(column.get, i32.const(planeBytes))),
      firstRow: row.set(i32.add(to.get, offset.get)),
      store: (i, j, value) => v128.store(row.get, value, tapBytes * (3 * i + j)),
      nextRow: row.set(i32.add(row.get, i32.const(3 * tapBytes))),
    });
    return made.body(constants, channelLoop(offset, outputChannels, code));
  });
}

/**
 * @file Winograd transforms of single tiles, four channels at a time: a 1-D transform of all columns,
 * then of all rows, or one of them alone where a filter has taps along one axis only. Loops rather
 * than straight code, since there may be many shapes.
 */
import {
  type Code,
  control,
  type FunctionBuilder,
  i32,
  type Local,
  type ModuleBuilder,
  v128,
} from "./assembler.ts";
import type { ConvolutionGeometry } from "../kernels.ts";
import { alignBytes } from "./emitter.ts";
import { countedLoop } from "./micro_kernel.ts";
import { type AxisTransforms, axisTransforms, type Transform } from "./winograd_transform.ts";

/** How tiles of a convolution are transformed: along columns, then along rows. */
export interface TileMethod {
  readonly vertical: AxisTransforms;
  readonly horizontal: AxisTransforms;
  /** Cells of a tile in the Winograd domain. */
  readonly planes: number;
  /** Names it. */
  readonly key: string;
}

/** The method for filters of [height, width] taps and output tiles of so many pixels. */
export function tileMethod(
  [height, width]: readonly [number, number],
  strides: readonly [number, number],
  tile: readonly [number, number],
): TileMethod {
  const vertical = axisTransforms({ taps: height, stride: strides[0], outputs: tile[0] });
  const isSquare = height === width && strides[0] === strides[1] && tile[0] === tile[1];
  const horizontal = isSquare
    ? vertical
    : axisTransforms({ taps: width, stride: strides[1], outputs: tile[1] });
  return {
    ...{ vertical, horizontal },
    planes: vertical.inputs * horizontal.inputs,
    key: `${[height, width, ...strides, ...tile]}`,
  };
}

/** The method of a convolution. */
export function methodOf(g: ConvolutionGeometry, tile: readonly [number, number]): TileMethod {
  return tileMethod([g.filterHeight, g.filterWidth], [g.strideHeight, g.strideWidth], tile);
}

/** How many tiles there are, and how large they are. */
export interface Tiling {
  /** In a row of tiles. */
  readonly across: number;
  /** Rows of tiles in an image. */
  readonly down: number;
  /** Rows of tiles in all images. */
  readonly bands: number;
  /** Of output tiles. */
  readonly height: number;
  readonly width: number;
}

/** The tiles of a convolution's output. */
export function tilingOf(
  { batch, outputHeight, outputWidth }: ConvolutionGeometry,
  { vertical, horizontal }: Pick<TileMethod, "vertical" | "horizontal">,
): Tiling {
  const height = vertical.outputs, width = horizontal.outputs;
  const across = Math.ceil(outputWidth / width), down = Math.ceil(outputHeight / height);
  return { across, down, bands: batch * down, height, width };
}

/** Code that finds a tile's image (at `pixels`) and, among its output pixels, the tile's first. */
export function locateTile(
  { band, row, column, pixels }: {
    readonly band: Local;
    readonly row: Local;
    readonly column: Local;
    readonly pixels: Local;
  },
  images: Code,
  number: Code,
  { across, down, ...tile }: Tiling,
  { channels, height, width }: TiledImage,
): Code {
  return [
    band.set(i32.divU(number, i32.const(across))),
    column.set(
      i32.mul(
        i32.sub(number, i32.mul(band.get, i32.const(across))),
        i32.const(tile.width),
      ),
    ),
    pixels.set(
      i32.add(
        images,
        i32.mul(i32.divU(band.get, i32.const(down)), i32.const(4 * height * width * channels)),
      ),
    ),
    row.set(i32.mul(i32.remU(band.get, i32.const(down)), i32.const(tile.height))),
  ];
}

/** The address of pixel (row, column) of the image at `pixels`. */
export function pixelAddress(
  { channels, width }: Omit<TiledImage, "height" | "planeBytes">,
  pixels: Code,
  row: Code,
  column: Code,
): Code {
  return i32.add(
    pixels,
    i32.mul(i32.add(i32.mul(row, i32.const(width)), column), i32.const(4 * channels)),
  );
}

/** Bytes that transforms of a tile need in passing. */
export function transformBytes({ planes }: Pick<TileMethod, "planes">): number {
  return alignBytes(16 * planes);
}

/** Bytes from a plane of so many cells to the next: not a power of two, which caches dislike. */
export function planeBytes(cells: number): number {
  const bytes = alignBytes(4 * cells);
  return bytes % 128 === 0 ? bytes + 64 : bytes;
}

/** How a transform finds and leaves its tile. */
export interface TileAccess {
  /** Goes to the first column, */
  readonly firstColumn: Code;
  /** loads a cell of some row, and of the column so many after the present one, */
  readonly load: (row: number, column: number) => Code;
  /** and goes on to the next. */
  readonly nextColumn: Code;
  /** Goes to the first row of the result, */
  readonly firstRow: Code;
  /** stores a cell of the row so many after the present one, and of some column, */
  readonly store: (row: number, column: number, value: Code) => Code;
  /** and goes on to the next. */
  readonly nextRow: Code;
}

/** The transforms of a tile's columns and of its rows. */
export interface TileTransforms {
  readonly vertical: Transform;
  readonly horizontal: Transform;
}

/** One of the three transforms of a method, along both axes. */
export function alongBoth(
  { vertical, horizontal }: TileMethod,
  which: "input" | "filter" | "output",
): TileTransforms {
  return { vertical: vertical[which], horizontal: horizontal[which] };
}

/** The code of a transform, and what has to be in front of it once. */
export function transformTile(
  f: FunctionBuilder,
  { vertical, horizontal }: TileTransforms,
  temporary: Local,
  access: TileAccess,
): { constants: Code; code: Code } {
  const { load, store, firstColumn, nextColumn, firstRow, nextRow } = access;
  if (horizontal.inputs === 1) {
    const { constants, apply } = vertical.prepare(f);
    const code = apply((row) => load(row, 0), (row, value) => store(row, 0, value));
    return { constants, code: [firstColumn, firstRow, code] };
  }
  if (vertical.inputs === 1) {
    const { constants, apply } = horizontal.prepare(f);
    const code = apply((column) => load(0, column), (column, value) => store(0, column, value));
    return { constants, code: [firstColumn, firstRow, code] };
  }
  const columns = vertical.prepare(f);
  const rows = horizontal === vertical ? columns : horizontal.prepare(f);
  const [at, end] = f.locals("i32", 2);
  const rowBytes = 16 * horizontal.inputs;
  return {
    constants: [columns.constants, rows === columns ? [] : rows.constants],
    code: [
      at.set(temporary.get),
      end.set(i32.add(temporary.get, i32.const(rowBytes))),
      firstColumn,
      control.loop(
        columns.apply((row) => load(row, 0), (i, value) => v128.store(at.get, value, rowBytes * i)),
        nextColumn,
        control.brIf(i32.ne(at.tee(i32.add(at.get, i32.const(16))), end.get), 0),
      ),
      at.set(temporary.get),
      end.set(i32.add(temporary.get, i32.const(rowBytes * vertical.outputs))),
      firstRow,
      control.loop(
        rows.apply((i) => v128.load(at.get, 16 * i), (column, value) => store(0, column, value)),
        nextRow,
        control.brIf(i32.ne(at.tee(i32.add(at.get, i32.const(rowBytes))), end.get), 0),
      ),
    ],
  };
}

/** The body for byte offsets 0, 16, … of channels, the last four of which may come twice. */
export function channelLoop(offset: Local, channels: number, body: Code): Code {
  const last = 4 * channels - 16;
  const step = last % 16 === 0 ? i32.add(offset.get, i32.const(16)) : control.select(
    i32.add(offset.get, i32.const(16)),
    i32.const(last),
    i32.ltS(offset.get, i32.const(last - 16)),
  );
  return [
    offset.set(i32.const(0)),
    control.block(control.loop(
      body,
      control.brIf(i32.eq(offset.get, i32.const(last)), 1),
      offset.set(step),
      control.br(0),
    )),
  ];
}

/** Sizes of an image whose tiles are transformed. */
export interface TiledImage {
  /** At least 4. */
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** From a plane of the Winograd domain to the next. */
  readonly planeBytes: number;
}

/**
 * The function (source, target, temporary) from an input tile to its planes. The source is the
 * tile's first pixel or, at an edge, a table of the addresses of all.
 */
export function transformInputTile(
  module: ModuleBuilder,
  method: TileMethod,
  image: TiledImage,
  edge: boolean,
): FunctionBuilder {
  const { channels, width, planeBytes } = image;
  const across = method.horizontal.inputs;
  const key = [method.key, channels, edge || width, planeBytes];
  return module.shared(`winogradInput:${key}`, () => {
    const made = module.function("winogradInput", ["i32", "i32", "i32"]);
    const [source, target, temporary] = made.parameters;
    const [offset, column, row] = made.locals("i32", 3);
    const { constants, code } = transformTile(made, alongBoth(method, "input"), temporary, {
      firstColumn: column.set(edge ? source.get : i32.add(source.get, offset.get)),
      load: (i, j) =>
        edge
          ? v128.load(i32.add(i32.load(column.get, 4 * (across * i + j)), offset.get))
          : v128.load(column.get, 4 * channels * (width * i + j)),
      nextColumn: column.set(i32.add(column.get, i32.const(edge ? 4 : 4 * channels))),
      firstRow: row.set(i32.add(target.get, offset.get)),
      store: (i, j, value) => v128.store(row.get, value, planeBytes * (across * i + j)),
      nextRow: row.set(i32.add(row.get, i32.const(across * planeBytes))),
    });
    return made.body(constants, channelLoop(offset, channels, code));
  });
}

/**
 * The function (source, target, temporary) from planes to an output tile. The target is the tile's
 * first pixel or, at an edge, a table of the addresses of all.
 */
export function transformOutputTile(
  module: ModuleBuilder,
  method: TileMethod,
  image: TiledImage,
  edge: boolean,
): FunctionBuilder {
  const { channels, width, planeBytes } = image;
  const { inputs, outputs } = method.horizontal;
  const key = [method.key, channels, edge || width, planeBytes];
  return module.shared(`winogradOutput:${key}`, () => {
    const made = module.function("winogradOutput", ["i32", "i32", "i32"]);
    const [source, target, temporary] = made.parameters;
    const [offset, column, row] = made.locals("i32", 3);
    const { constants, code } = transformTile(made, alongBoth(method, "output"), temporary, {
      firstColumn: column.set(i32.add(source.get, offset.get)),
      load: (i, j) => v128.load(column.get, planeBytes * (inputs * i + j)),
      nextColumn: column.set(i32.add(column.get, i32.const(planeBytes))),
      firstRow: row.set(edge ? target.get : i32.add(target.get, offset.get)),
      store: (i, j, value) =>
        edge
          ? v128.store(i32.add(i32.load(row.get, 4 * (outputs * i + j)), offset.get), value)
          : v128.store(row.get, value, 4 * channels * (width * i + j)),
      nextRow: row.set(
        i32.add(row.get, i32.const(edge ? 4 * outputs : 4 * channels * width)),
      ),
    });
    return made.body(constants, channelLoop(offset, channels, code));
  });
}

/**
 * The function (image, y, x, table, fallback) that writes the addresses of a tile's pixels from
 * (y, x) on into a table, and the fallback for those outside of the image.
 */
export function pixelAddresses(
  module: ModuleBuilder,
  [down, across]: readonly [number, number],
  { channels, height, width }: Omit<TiledImage, "planeBytes">,
): FunctionBuilder {
  return module.shared(`pixelAddresses:${[down, across, channels, height, width]}`, () => {
    const made = module.function("pixelAddresses", Array(5).fill("i32"));
    const [image, y, x, table, fallback] = made.parameters;
    const [row, column, rowEnd, columnEnd] = made.locals("i32", 4);
    return made.body(
      rowEnd.set(i32.add(y.get, i32.const(down))),
      columnEnd.set(i32.add(x.get, i32.const(across))),
      countedLoop(
        row,
        y.get,
        rowEnd.get,
        countedLoop(column, x.get, columnEnd.get, [
          i32.store(
            table.get,
            control.select(
              pixelAddress({ channels, width }, image.get, row.get, column.get),
              fallback.get,
              i32.and(
                i32.ltU(row.get, i32.const(height)),
                i32.ltU(column.get, i32.const(width)),
              ),
            ),
          ),
          table.set(i32.add(table.get, i32.const(4))),
        ]),
      ),
    );
  });
}

/**
 * @file Two-dimensional Winograd transforms of single tiles, four channels at a time: a 1-D transform
 * of all columns, then of all rows. Loops rather than straight code, since there may be many shapes.
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
import {
  inputTile,
  inputTransform,
  outputTile,
  outputTransform,
  type Transform,
} from "./winograd_transform.ts";

/** How many tiles there are. */
export interface Tiling {
  /** In a row of tiles. */
  readonly across: number;
  /** Rows of tiles in an image. */
  readonly down: number;
  /** Rows of tiles in all images. */
  readonly bands: number;
}

/** The tiles of a convolution's output. */
export function tilingOf({ batch, outputHeight, outputWidth }: ConvolutionGeometry): Tiling {
  const across = Math.ceil(outputWidth / outputTile);
  const down = Math.ceil(outputHeight / outputTile);
  return { across, down, bands: batch * down };
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
  tile: Code,
  { across, down }: Tiling,
  { channels, height, width }: TiledImage,
): Code {
  return [
    band.set(i32.divU(tile, i32.const(across))),
    column.set(
      i32.mul(
        i32.sub(tile, i32.mul(band.get, i32.const(across))),
        i32.const(outputTile),
      ),
    ),
    pixels.set(
      i32.add(
        images,
        i32.mul(i32.divU(band.get, i32.const(down)), i32.const(4 * height * width * channels)),
      ),
    ),
    row.set(i32.mul(i32.remU(band.get, i32.const(down)), i32.const(outputTile))),
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

/** Bytes that a 2-D transform needs in passing. */
export const transformBytes = 640;

/** Bytes from a plane of so many cells to the next: not a power of two, which caches dislike. */
export function planeBytes(cells: number): number {
  const bytes = alignBytes(4 * cells);
  return bytes % 128 === 0 ? bytes + 64 : bytes;
}

/** How a 2-D transform finds and leaves its tile. */
export interface TileAccess {
  /** Goes to the first column, */
  readonly firstColumn: Code;
  /** loads row i of the present column, */
  readonly load: (i: number) => Code;
  /** and goes on to the next. */
  readonly nextColumn: Code;
  /** Goes to the first row of the result, */
  readonly firstRow: Code;
  /** stores column i of the present row, */
  readonly store: (i: number, value: Code) => Code;
  /** and goes on to the next. */
  readonly nextRow: Code;
}

/** The code of a 2-D transform, and what has to be in front of it once. */
export function transformTile(
  f: FunctionBuilder,
  transform: Transform,
  temporary: Local,
  access: TileAccess,
): { constants: Code; code: Code } {
  const { constants, apply } = transform.prepare(f);
  const [at, end] = f.locals("i32", 2);
  const rowBytes = 16 * transform.inputs;
  return {
    constants,
    code: [
      at.set(temporary.get),
      end.set(i32.add(temporary.get, i32.const(rowBytes))),
      access.firstColumn,
      control.loop(
        apply(access.load, (i, value) => v128.store(at.get, value, rowBytes * i)),
        access.nextColumn,
        control.brIf(i32.ne(at.tee(i32.add(at.get, i32.const(16))), end.get), 0),
      ),
      at.set(temporary.get),
      end.set(i32.add(temporary.get, i32.const(rowBytes * transform.outputs))),
      access.firstRow,
      control.loop(
        apply((i) => v128.load(at.get, 16 * i), access.store),
        access.nextRow,
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
 * The function (source, target, temporary) from an input tile to its 36 planes. The source is the
 * tile's first pixel or, at an edge, a table of the addresses of all 36.
 */
export function transformInputTile(
  module: ModuleBuilder,
  image: TiledImage,
  edge: boolean,
): FunctionBuilder {
  const { channels, width, planeBytes } = image;
  return module.shared(`winogradInput:${[channels, edge || width, planeBytes]}`, () => {
    const made = module.function("winogradInput", ["i32", "i32", "i32"]);
    const [source, target, temporary] = made.parameters;
    const [offset, column, row] = made.locals("i32", 3);
    const { constants, code } = transformTile(made, inputTransform, temporary, {
      firstColumn: column.set(edge ? source.get : i32.add(source.get, offset.get)),
      load: (i) =>
        edge
          ? v128.load(i32.add(i32.load(column.get, 4 * inputTile * i), offset.get))
          : v128.load(column.get, 4 * channels * width * i),
      nextColumn: column.set(i32.add(column.get, i32.const(edge ? 4 : 4 * channels))),
      firstRow: row.set(i32.add(target.get, offset.get)),
      store: (i, value) => v128.store(row.get, value, planeBytes * i),
      nextRow: row.set(i32.add(row.get, i32.const(inputTile * planeBytes))),
    });
    return made.body(constants, channelLoop(offset, channels, code));
  });
}

/**
 * The function (source, target, temporary) from 36 planes to an output tile. The target is the
 * tile's first pixel or, at an edge, a table of the addresses of all 16.
 */
export function transformOutputTile(
  module: ModuleBuilder,
  image: TiledImage,
  edge: boolean,
): FunctionBuilder {
  const { channels, width, planeBytes } = image;
  return module.shared(`winogradOutput:${[channels, edge || width, planeBytes]}`, () => {
    const made = module.function("winogradOutput", ["i32", "i32", "i32"]);
    const [source, target, temporary] = made.parameters;
    const [offset, column, row] = made.locals("i32", 3);
    const { constants, code } = transformTile(made, outputTransform, temporary, {
      firstColumn: column.set(i32.add(source.get, offset.get)),
      load: (i) => v128.load(column.get, inputTile * planeBytes * i),
      nextColumn: column.set(i32.add(column.get, i32.const(planeBytes))),
      firstRow: row.set(edge ? target.get : i32.add(target.get, offset.get)),
      store: (i, value) =>
        edge
          ? v128.store(i32.add(i32.load(row.get, 4 * i), offset.get), value)
          : v128.store(row.get, value, 4 * channels * i),
      nextRow: row.set(
        i32.add(row.get, i32.const(edge ? 4 * outputTile : 4 * channels * width)),
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
  side: number,
  { channels, height, width }: Omit<TiledImage, "planeBytes">,
): FunctionBuilder {
  return module.shared(`pixelAddresses:${[side, channels, height, width]}`, () => {
    const made = module.function("pixelAddresses", Array(5).fill("i32"));
    const [image, y, x, table, fallback] = made.parameters;
    const [row, column, rowEnd, columnEnd] = made.locals("i32", 4);
    return made.body(
      rowEnd.set(i32.add(y.get, i32.const(side))),
      columnEnd.set(i32.add(x.get, i32.const(side))),
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

/**
 * @file Images as matrices: a row for each result pixel, with all the source pixels that it gathers
 * (im2col, of K. Chellapilla, S. Puri and P. Simard, "High Performance Convolutional Neural Networks
 * for Document Processing", 2006), made for a few pixels at a time.
 */
import {
  type Code,
  control,
  f32x4,
  type FunctionBuilder,
  i32,
  type Local,
  type ModuleBuilder,
  v128,
} from "./assembler.ts";
import { type Gathering, type TapClass, termsOf } from "./convolution_taps.ts";
import { countedLoop, loadLanes, minimum, storeColumns } from "./micro_kernel.ts";

/** Copies of at most so many cells are straight code. */
const inlineCells = 32;

/** Code that copies so many cells, or writes zeros; neither reads nor writes any further. */
export function copyCells(
  module: ModuleBuilder,
  from: Code | null,
  to: Code,
  cells: number,
): Code {
  if (cells <= inlineCells) return straightCopy(from, to, cells);
  const f = module.shared(`copyCells:${cells},${from !== null}`, () => {
    const made = module.function("copyCells", ["i32", "i32"]);
    const [source, target] = made.parameters;
    const end = made.local("i32");
    const rest = cells % 16;
    return made.body(
      end.set(i32.add(target.get, i32.const(4 * (cells - rest)))),
      control.loop(
        straightCopy(from && source.get, target.get, 16),
        source.set(i32.add(source.get, i32.const(64))),
        control.brIf(i32.ne(target.tee(i32.add(target.get, i32.const(64))), end.get), 0),
      ),
      straightCopy(from && source.get, target.get, rest),
    );
  });
  return f.call(from ?? i32.const(0), to);
}

function straightCopy(from: Code | null, to: Code, cells: number): Code {
  return Array.from({ length: Math.ceil(cells / 4) }, (_, i) => {
    const lanes = Math.min(4, cells - 4 * i);
    const vector = from ? loadLanes(from, lanes, 16 * i) : f32x4.const(0);
    if (lanes === 4) return v128.store(to, vector, 16 * i);
    if (lanes === 3) {
      // Two stores of one vector: its first half is loaded twice.
      return [
        storeColumns(to, [from ? loadLanes(from, 2, 16 * i) : vector], 2, 16 * i),
        storeColumns(to, [from ? loadLanes(from, 1, 16 * i + 8) : vector], 1, 16 * i + 8),
      ];
    }
    return storeColumns(to, [vector], lanes, 16 * i);
  });
}

/**
 * The function (source, row, column, count, target) that writes `count` rows of the matrix of a
 * class: for its pixels from (row, column) of the image at `source` on, over the ends of rows and
 * images. From one row of the matrix to the next there are `pitch` cells.
 */
export function gatherRows(
  module: ModuleBuilder,
  gathering: Gathering,
  taps: TapClass,
  pitch: number = termsOf(gathering, taps),
): FunctionBuilder {
  const { source: { height, width, channels }, multiplier } = gathering;
  const { row: rows, column: columns } = taps;
  const key = [
    ...[height, width, channels, multiplier, rows.count, columns.count],
    ...[rows.origin, rows.taps.length, columns.origin, columns.taps.length, pitch],
  ];
  return module.shared(`gatherRows:${key}`, () => {
    const made = module.function("gatherRows", Array(5).fill("i32"));
    const [image, row, column, count, target] = made.parameters;
    const [tap, tapColumn, sourceRow, sourceColumn, from, i] = made.locals("i32", 6);
    const across = columns.taps.length;
    const run = across * channels;
    const advance = (cells: number) => target.set(i32.add(target.get, i32.const(4 * cells)));
    // One pixel of the source at a time, where the run leaves the image.
    const pixels = countedLoop(tapColumn, i32.const(0), i32.const(across), [
      control.if(
        i32.ltU(i32.add(sourceColumn.get, tapColumn.get), i32.const(width)),
        copyCells(module, from.get, target.get, channels),
        copyCells(module, null, target.get, channels),
      ),
      from.set(i32.add(from.get, i32.const(4 * channels))),
      advance(channels),
    ]);
    const tapRow: Code = [
      control.if(
        i32.geU(sourceRow.get, i32.const(height)),
        [copyCells(module, null, target.get, run), advance(run)],
        [
          from.set(
            i32.add(
              image.get,
              i32.mul(
                i32.add(i32.mul(sourceRow.get, i32.const(width)), sourceColumn.get),
                i32.const(4 * channels),
              ),
            ),
          ),
          control.if(
            width < across ? i32.const(0) : i32.leU(sourceColumn.get, i32.const(width - across)),
            [copyCells(module, from.get, target.get, run), advance(run)],
            pixels,
          ),
        ],
      ),
      sourceRow.set(i32.add(sourceRow.get, i32.const(1))),
    ];
    if (termsOf(gathering, taps) === 0) return made.body();
    return made.body(countedLoop(i, i32.const(0), count.get, [
      sourceColumn.set(
        i32.add(
          i32.mul(column.get, i32.const(multiplier[1])),
          i32.const(columns.origin),
        ),
      ),
      sourceRow.set(
        i32.add(i32.mul(row.get, i32.const(multiplier[0])), i32.const(rows.origin)),
      ),
      countedLoop(tap, i32.const(0), i32.const(rows.taps.length), tapRow),
      advance(pitch - termsOf(gathering, taps)),
      column.set(i32.add(column.get, i32.const(1))),
      control.if(i32.eq(column.get, i32.const(columns.count)), [
        column.set(i32.const(0)),
        row.set(i32.add(row.get, i32.const(1))),
        control.if(i32.eq(row.get, i32.const(rows.count)), [
          row.set(i32.const(0)),
          image.set(i32.add(image.get, i32.const(4 * height * width * channels))),
        ]),
      ]),
    ]));
  });
}

/** Pixels of a filter's gradient at a time. */
export const gradientPixels = 64;

/** Variables of a walk over the pixels of a chunk; the walk sets all but `chunk`. */
export interface PixelWalk {
  /** Number of the chunk. */
  readonly chunk: Local;
  /** First pixel of the block at hand, among those of all images; the chunk's end. */
  readonly pixel: Local;
  readonly last: Local;
  /** How many pixels the block has. */
  readonly number: Local;
  /** The first pixel's row, among those of all images, and its image. */
  readonly row: Local;
  readonly image: Local;
}

/** Code that visits a chunk of pixels in blocks; `visit(false)` is for the first, `visit(true)` for others. */
export function walkPixels(
  { chunk, pixel, last, number, row, image }: PixelWalk,
  { pixels, total, height, width }: {
    /** A chunk's pixels, and all there are. */
    readonly pixels: number;
    readonly total: number;
    /** Of an image. */
    readonly height: number;
    readonly width: number;
  },
  gather: Code,
  visit: (accumulate: boolean) => Code,
): Code {
  const first = i32.mul(chunk.get, i32.const(pixels));
  return [
    pixel.set(first),
    last.set(minimum(i32.add(pixel.get, i32.const(pixels)), total)),
    control.loop(
      number.set(minimum(i32.sub(last.get, pixel.get), gradientPixels)),
      row.set(i32.divU(pixel.get, i32.const(width))),
      image.set(i32.divU(row.get, i32.const(height))),
      gather,
      control.if(i32.eq(pixel.get, first), visit(false), visit(true)),
      control.brIf(i32.ltS(pixel.tee(i32.add(pixel.get, number.get)), last.get), 0),
    ),
  ];
}

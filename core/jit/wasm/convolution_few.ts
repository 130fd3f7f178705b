/**
 * @file Convolutions with one to four result channels, where vectors of results would be mostly
 * empty: the last layer of a network, and the gradient of pictures. Every source pixel is multiplied
 * with all taps of the filter at once, [pixels, channels] × [channels, taps · results], which wastes
 * nothing and reads pixels in place; each result then is a sum of one product a tap.
 */
import type { ConvolutionGeometry, Kernel } from "../kernels.ts";
import { type Code, control, f32, f32x4, type FunctionBuilder, i32, v128 } from "./assembler.ts";
import {
  type BlockProduct,
  blockProduct,
  blockScratchBytes,
  evenBlock,
  longestBlock,
  panelWidth,
} from "./block_product.ts";
import { type Gathering, gatheringOf, type TapClass } from "./convolution_taps.ts";
import { alignBytes, type EmitterContext, type Phase } from "./emitter.ts";
import { gatherRows, gradientPixels, walkPixels } from "./image_rows.ts";
import { countedLoop, minimum, storeColumns } from "./micro_kernel.ts";
import { biased, rowFinish } from "./row_finish.ts";

type ConvolutionKernel = Extract<Kernel, { kind: "convolution" }>;

/** Most result channels. */
const mostChannels = 4;
/** Bytes of products at a time, about. */
const productBytes = 256 << 10;
/** Pixels of a row at a time, if it is longer. */
const rowPixels = 48;

/** Whether results are few and taps are many. */
export function hasFewResults({ form, geometry: g }: ConvolutionKernel): boolean {
  const taps = g.filterHeight * g.filterWidth;
  const strided = g.strideHeight > 1 || g.strideWidth > 1;
  const [results, sources] = form === "inputGradient"
    ? [g.inputChannels, g.outputChannels]
    : [g.outputChannels, g.inputChannels];
  if (results > mostChannels || sources < 2 * results || taps < 4 || taps > 49) return false;
  return form === "inputGradient" || !strided;
}

/** Cells of shared scratch that the kernel needs. */
export function fewResultsScratchCells({ form, geometry }: ConvolutionKernel): number {
  const { filterHeight, filterWidth, inputChannels, outputChannels } = geometry;
  const taps = filterHeight * filterWidth;
  if (form === "filterGradient") {
    return planChunks(geometry).chunks * taps * inputChannels * outputChannels;
  }
  const gathering = gatheringOf(form, geometry);
  const panels = Math.ceil(taps * gathering.target.channels / panelWidth);
  return panels * panelWidth * gathering.source.channels;
}

/** The phases of a convolution or gradient with few results. */
export function emitFewResults(context: EmitterContext, kernel: ConvolutionKernel): Phase[] {
  if (kernel.form === "filterGradient") return fewGradientPhases(context, kernel);
  const gathering = gatheringOf(kernel.form, kernel.geometry);
  return [packPhase(context, kernel, gathering), resultPhase(context, kernel, gathering)];
}

/** The filter as panels of a matrix [source channels, taps · results]. */
function packPhase(
  { module, address, kernelScratch }: EmitterContext,
  { form, geometry, right }: ConvolutionKernel,
  { source, target }: Gathering,
): Phase {
  const columns = geometry.filterHeight * geometry.filterWidth * target.channels;
  const padded = Math.ceil(columns / panelWidth) * panelWidth;
  const key = [form, source.channels, target.channels, columns];
  const code = module.shared(`packTaps:${key}`, () => {
    const made = module.function("packTaps", Array(5).fill("i32"));
    const [start, end, , from, to] = made.parameters;
    const [column, k, at, put] = made.locals("i32", 4);
    const results = target.channels;
    // The cell of source channel 0: [tap, source, result] forward, [tap, result, source] backward.
    const first = form === "forward"
      ? i32.add(
        i32.mul(
          i32.divU(column.get, i32.const(results)),
          i32.const(source.channels * results),
        ),
        i32.remU(column.get, i32.const(results)),
      )
      : i32.mul(column.get, i32.const(source.channels));
    const stride = form === "forward" ? results : 1;
    return made.body(countedLoop(column, start.get, end.get, [
      at.set(i32.add(from.get, i32.shl(first, i32.const(2)))),
      put.set(
        i32.add(
          to.get,
          i32.shl(
            i32.add(
              i32.mul(
                i32.divU(column.get, i32.const(panelWidth)),
                i32.const(panelWidth * source.channels),
              ),
              i32.remU(column.get, i32.const(panelWidth)),
            ),
            i32.const(2),
          ),
        ),
      ),
      countedLoop(k, i32.const(0), i32.const(source.channels), [
        control.if(
          i32.ltS(column.get, i32.const(columns)),
          f32.store(put.get, f32.load(at.get)),
          f32.store(put.get, f32.const(0)),
        ),
        at.set(i32.add(at.get, i32.const(4 * stride))),
        put.set(i32.add(put.get, i32.const(4 * panelWidth))),
      ]),
    ]));
  });
  return {
    code,
    pointers: [address(right), kernelScratch],
    units: padded,
    scratchBytes: 0,
    work: padded * source.channels,
  };
}

/** Sizes of the products of a unit: some rows of the source, with zeros around. */
interface ProductRows {
  /** Rows of each class of results a unit does. */
  readonly rows: number;
  /** Units an image. */
  readonly groups: number;
  /** First row of the source that a unit needs, if its first row is 0. */
  readonly origin: number;
  /** How many rows of the source it needs. */
  readonly height: number;
  /** Pixels of zeros to the left of a row. */
  readonly left: number;
  /** Pixels of a row with its zeros. */
  readonly width: number;
}

function planRows(gathering: Gathering, columns: number): ProductRows {
  const { batch, source, target, multiplier, step, classes } = gathering;
  const reach = (axis: "row" | "column") => {
    const used = classes.map((taps) => taps[axis]).filter(({ taps }) => taps.length > 0);
    if (used.length === 0) return { first: 0, last: 0, end: 0 };
    return {
      first: Math.min(...used.map(({ origin }) => origin)),
      last: Math.max(...used.map(({ origin, taps }) => origin + taps.length - 1)),
      end: Math.max(
        ...used.map(({ origin, taps, count }) =>
          (count - 1) * multiplier[axis === "row" ? 0 : 1] + origin + taps.length
        ),
      ),
    };
  };
  const across = reach("column"), down = reach("row");
  const left = Math.max(0, -across.first);
  const width = left + Math.max(source.width, across.end);
  const heightOf = (rows: number) => (rows - 1) * multiplier[0] + down.last - down.first + 1;
  const classRows = Math.ceil(target.height / step[0]);
  let rows = classRows;
  const tooLarge = () => heightOf(rows) * width * columns * 4 > productBytes;
  const tooFew = () => batch * Math.ceil(classRows / rows) < 12 && rows > 4;
  while (rows > 1 && (tooLarge() || tooFew())) rows = Math.ceil(rows / 2);
  return {
    ...{ rows, left, width, origin: down.first, height: heightOf(rows) },
    groups: Math.ceil(classRows / rows),
  };
}

/** The products of pixels with all taps, and their sums. */
function resultPhase(
  context: EmitterContext,
  kernel: ConvolutionKernel,
  gathering: Gathering,
): Phase {
  const { module } = context;
  const { geometry } = kernel;
  const { source, target, batch, multiplier, step, classes } = gathering;
  const results = target.channels;
  const columns = geometry.filterHeight * geometry.filterWidth * results;
  const pixels = batch * target.height * target.width;
  const finish = rowFinish(context, kernel.epilogue, pixels, results);
  const plan = planRows(gathering, columns);
  const productsEnd = alignBytes(4 * plan.height * plan.width * columns + 16);
  const unitPixels = Math.min(target.height, plan.rows * step[0]) * target.width;
  const storeBytes = finish.keep ? 0 : alignBytes(4 * unitPixels * results);
  const key = [kernel.form, JSON.stringify(geometry), finish.key];
  const code = module.shared(`fewResults:${key}`, () => {
    const made = module.function("fewResults", Array(6 + finish.pointers.length).fill("i32"));
    const [start, end, scratch, from, filter, to, ...rest] = made.parameters;
    const [unit, image, first, last, top, firstPixel, result] = made.locals("i32", 7);
    const [row, at, sourceRow] = made.locals("i32", 3);
    const rowBytes = 4 * plan.width * columns;
    const multiplyRow = multiplyPixels(context, source, columns);
    const productRow = control.if(
      i32.ltU(sourceRow.get, i32.const(source.height)),
      multiplyRow.call(
        i32.add(
          from.get,
          i32.mul(
            i32.add(i32.mul(image.get, i32.const(source.height)), sourceRow.get),
            i32.const(4 * source.width * source.channels),
          ),
        ),
        filter.get,
        i32.add(at.get, i32.const(4 * plan.left * columns)),
      ),
      control.memoryFill(at.get, i32.const(0), i32.const(rowBytes)),
    );
    const sumClass = (taps: TapClass): Code => [
      countedLoop(
        row,
        first.get,
        minimum(last.get, taps.row.count),
        sumTaps(context, kernel, gathering, taps, plan.width).call(
          i32.add(
            i32.add(
              scratch.get,
              i32.const(4 * (plan.left + taps.column.origin) * columns),
            ),
            i32.mul(
              i32.sub(
                i32.add(
                  i32.mul(row.get, i32.const(multiplier[0])),
                  i32.const(taps.row.origin),
                ),
                top.get,
              ),
              i32.const(rowBytes),
            ),
          ),
          i32.add(
            result.get,
            i32.mul(
              i32.add(
                i32.mul(
                  i32.add(
                    i32.mul(row.get, i32.const(step[0])),
                    i32.const(taps.row.first),
                  ),
                  i32.const(target.width),
                ),
                i32.const(taps.column.first),
              ),
              i32.const(4 * results),
            ),
          ),
        ),
      ),
    ];
    return made.body(
      control.memoryFill(scratch.get, i32.const(0), i32.const(productsEnd)),
      countedLoop(unit, start.get, end.get, [
        image.set(i32.divU(unit.get, i32.const(plan.groups))),
        first.set(
          i32.mul(i32.remU(unit.get, i32.const(plan.groups)), i32.const(plan.rows)),
        ),
        last.set(i32.add(first.get, i32.const(plan.rows))),
        top.set(
          i32.add(
            i32.mul(first.get, i32.const(multiplier[0])),
            i32.const(plan.origin),
          ),
        ),
        firstPixel.set(i32.mul(image.get, i32.const(target.height * target.width))),
        result.set(
          finish.keep ? i32.add(to.get, i32.mul(firstPixel.get, i32.const(4 * results))) : i32.sub(
            i32.add(scratch.get, i32.const(productsEnd)),
            i32.mul(first.get, i32.const(4 * results * step[0] * target.width)),
          ),
        ),
        at.set(scratch.get),
        countedLoop(
          sourceRow,
          top.get,
          i32.add(top.get, i32.const(plan.height)),
          [productRow, at.set(i32.add(at.get, i32.const(rowBytes)))],
        ),
        classes.map(sumClass),
        finish.finish(
          rest,
          i32.add(firstPixel.get, i32.mul(first.get, i32.const(step[0] * target.width))),
          i32.add(
            firstPixel.get,
            minimum(
              i32.mul(last.get, i32.const(step[0] * target.width)),
              target.height * target.width,
            ),
          ),
          i32.add(scratch.get, i32.const(productsEnd + storeBytes)),
          biased(result.get, firstPixel.get, results),
        ),
      ]),
    );
  });
  return {
    code,
    pointers: [
      context.address(kernel.left),
      context.kernelScratch,
      finish.keep ? context.address(kernel.output) : 0,
      ...finish.pointers,
    ],
    units: batch * plan.groups,
    scratchBytes: productsEnd + storeBytes + finish.scratchBytes,
    work: 2 * batch * source.height * source.width * source.channels * columns,
  };
}

/** The function (pixels, filter, products) for a row of an image. */
function multiplyPixels(
  { module }: EmitterContext,
  { width, channels }: Gathering["source"],
  columns: number,
): FunctionBuilder {
  return module.shared(`multiplyPixels:${[width, channels, columns]}`, () => {
    const made = module.function("multiplyPixels", ["i32", "i32", "i32"]);
    const [from, filter, to] = made.parameters;
    const at = made.local("i32");
    const count = Math.min(width, rowPixels * 1.5 < width ? rowPixels : width);
    const last = width - count;
    const multiply = blockProduct(module, {
      ...{ rows: count, columns, k: channels, packA: false, panels: "packed" },
      a: { rowStride: channels, columnStride: 1 },
      b: { rowStride: 1, columnStride: 1 },
      kBlock: evenBlock(channels, longestBlock),
    }).call(
      i32.add(from.get, i32.mul(at.get, i32.const(4 * channels))),
      filter.get,
      i32.add(to.get, i32.mul(at.get, i32.const(4 * columns))),
      i32.const(0),
      i32.const(channels),
      i32.const(0),
      i32.const(Math.ceil(columns / panelWidth)),
    );
    if (last === 0) return made.body(multiply);
    // The last pixels may be done twice, with the same result.
    return made.body(control.block(control.loop(
      multiply,
      control.brIf(i32.eq(at.get, i32.const(last)), 1),
      at.set(minimum(i32.add(at.get, i32.const(count)), last)),
      control.br(0),
    )));
  });
}

/** The function (products, target) for a row of results of a class: sums over its taps. */
function sumTaps(
  { module }: EmitterContext,
  { form, geometry }: ConvolutionKernel,
  gathering: Gathering,
  { row, column }: TapClass,
  width: number,
): FunctionBuilder {
  const { filterHeight, filterWidth } = geometry;
  const { target, multiplier, step } = gathering;
  const results = target.channels;
  const columns = filterHeight * filterWidth * results;
  // Where the product of each tap is, from the first pixel on, in cells.
  const offsets = row.taps.flatMap((i, u) =>
    column.taps.map((j, v) => (u * width + v) * columns + (i * filterWidth + j) * results)
  );
  const key = [form, results, columns, column.count, multiplier[1], step[1], offsets];
  return module.shared(`sumTaps:${key}`, () => {
    const made = module.function("sumTaps", ["i32", "i32"]);
    const [from, to] = made.parameters;
    const i = made.local("i32");
    const sum = made.local("v128"), value = made.local("f32");
    const sums: Code = results === 1
      ? [
        value.set(offsets.length ? f32.load(from.get, 4 * offsets[0]) : f32.const(0)),
        offsets.slice(1).map((offset) =>
          value.set(f32.add(value.get, f32.load(from.get, 4 * offset)))
        ),
        f32.store(to.get, value.get),
      ]
      : [
        sum.set(offsets.length ? v128.load(from.get, 4 * offsets[0]) : f32x4.const(0)),
        offsets.slice(1).map((offset) =>
          sum.set(f32x4.add(sum.get, v128.load(from.get, 4 * offset)))
        ),
        storeColumns(to.get, [sum.get], results, 0),
      ];
    return made.body(countedLoop(i, i32.const(0), i32.const(column.count), [
      sums,
      from.set(i32.add(from.get, i32.const(4 * multiplier[1] * columns))),
      to.set(i32.add(to.get, i32.const(4 * step[1] * results))),
    ]));
  });
}

function planChunks(
  { batch, inputHeight, inputWidth }: ConvolutionGeometry,
): { chunks: number; pixels: number; total: number } {
  const total = batch * inputHeight * inputWidth;
  const blocks = Math.ceil(total / gradientPixels);
  const pixels = Math.ceil(blocks / 16) * gradientPixels;
  return { chunks: Math.ceil(total / pixels), pixels, total };
}

/**
 * A filter's gradient for few outputs, without strides: input pixelsᵀ times gathered gradients of
 * the output, [channels, pixels] × [pixels, taps · outputs], in chunks of pixels.
 */
function fewGradientPhases(context: EmitterContext, kernel: ConvolutionKernel): Phase[] {
  const { module } = context;
  const { geometry } = kernel;
  const { inputChannels: c, outputChannels: o, inputHeight, inputWidth } = geometry;
  const gathering = gatheringOf("inputGradient", geometry);
  const [taps] = gathering.classes;
  const columns = taps.row.taps.length * taps.column.taps.length * o;
  const panels = Math.ceil(columns / panelWidth);
  const { chunks, pixels, total } = planChunks(geometry);
  const block = (accumulate: boolean): BlockProduct => ({
    ...{ rows: c, columns, k: gradientPixels, kBlock: gradientPixels, accumulate },
    a: { rowStride: 1, columnStride: c },
    b: { rowStride: columns, columnStride: 1 },
    packA: false,
    panels: "local",
  });
  const gatheredBytes = alignBytes(4 * gradientPixels * columns);
  const outputBytes = 4 * geometry.outputHeight * geometry.outputWidth * o;
  const code = module.shared(`fewGradient:${JSON.stringify(geometry)}`, () => {
    const made = module.function("fewGradient", Array(6).fill("i32"));
    const [start, end, scratch, x, dy, partial] = made.parameters;
    const [chunk, pixel, last, number, row, image] = made.locals("i32", 6);
    const multiply = (accumulate: boolean) =>
      blockProduct(module, block(accumulate)).call(
        i32.add(x.get, i32.mul(pixel.get, i32.const(4 * c))),
        scratch.get,
        i32.add(partial.get, i32.mul(chunk.get, i32.const(4 * c * columns))),
        i32.add(scratch.get, i32.const(gatheredBytes)),
        number.get,
        i32.const(0),
        i32.const(panels),
      );
    return made.body(countedLoop(chunk, start.get, end.get, [
      walkPixels(
        { chunk, pixel, last, number, row, image },
        { pixels, total, height: inputHeight, width: inputWidth },
        gatherRows(module, gathering, taps).call(
          i32.add(dy.get, i32.mul(image.get, i32.const(outputBytes))),
          i32.sub(row.get, i32.mul(image.get, i32.const(inputHeight))),
          i32.sub(pixel.get, i32.mul(row.get, i32.const(inputWidth))),
          number.get,
          scratch.get,
        ),
        multiply,
      ),
    ]));
  });
  return [
    {
      code,
      pointers: [
        context.address(kernel.left),
        context.address(kernel.right),
        context.kernelScratch,
      ],
      units: chunks,
      scratchBytes: gatheredBytes + blockScratchBytes(block(false), panels),
      work: 2 * total * c * columns,
    },
    sumGradient(context, kernel, chunks),
  ];
}

/** Sums of chunks [channels, taps turned by 180°, outputs], in the filter's order. */
function sumGradient(
  context: EmitterContext,
  { geometry, output, epilogue }: ConvolutionKernel,
  chunks: number,
): Phase {
  const { module } = context;
  const { inputChannels: c, outputChannels: o, filterHeight, filterWidth } = geometry;
  const taps = filterHeight * filterWidth;
  const finish = rowFinish(context, epilogue, taps * c, o);
  const blockBytes = finish.keep ? 0 : alignBytes(4 * c * o);
  const code = module.shared(`sumTurned:${[c, o, taps, chunks, finish.key]}`, () => {
    const made = module.function("sumTurned", Array(5 + finish.pointers.length).fill("i32"));
    const [start, end, scratch, from, to, ...rest] = made.parameters;
    const [tap, target, channel, result, chunk, at, put, row] = made.locals("i32", 8);
    const sum = made.local("f32");
    return made.body(countedLoop(tap, start.get, end.get, [
      row.set(i32.mul(tap.get, i32.const(c))),
      target.set(
        finish.keep ? i32.add(to.get, i32.mul(row.get, i32.const(4 * o))) : scratch.get,
      ),
      put.set(target.get),
      countedLoop(
        channel,
        i32.const(0),
        i32.const(c),
        countedLoop(result, i32.const(0), i32.const(o), [
          at.set(
            i32.add(
              from.get,
              i32.shl(
                i32.add(
                  i32.mul(
                    i32.add(
                      i32.mul(channel.get, i32.const(taps)),
                      i32.sub(i32.const(taps - 1), tap.get),
                    ),
                    i32.const(o),
                  ),
                  result.get,
                ),
                i32.const(2),
              ),
            ),
          ),
          sum.set(f32.load(at.get)),
          countedLoop(chunk, i32.const(1), i32.const(chunks), [
            at.set(i32.add(at.get, i32.const(4 * taps * c * o))),
            sum.set(f32.add(sum.get, f32.load(at.get))),
          ]),
          f32.store(put.get, sum.get),
          put.set(i32.add(put.get, i32.const(4))),
        ]),
      ),
      finish.finish(
        rest,
        row.get,
        i32.add(row.get, i32.const(c)),
        i32.add(scratch.get, i32.const(blockBytes)),
        biased(target.get, row.get, o),
      ),
    ]));
  });
  return {
    code,
    pointers: [
      context.kernelScratch,
      finish.keep ? context.address(output) : 0,
      ...finish.pointers,
    ],
    units: taps,
    scratchBytes: blockBytes + finish.scratchBytes,
    work: chunks * taps * c * o,
  };
}

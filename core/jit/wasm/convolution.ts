/**
 * @file Convolutions and their gradients as products of gathered pixels with the filter (implicit
 * matrix products): a few rows of the matrix of pixels at a time are made in the thread's scratch.
 * Filters of one pixel are plain products; gradients of 3×3 filters go by Winograd's method where
 * that is faster.
 */
import type { ConvolutionGeometry, Kernel } from "../kernels.ts";
import { type Code, control, i32 } from "./assembler.ts";
import {
  type BlockProduct,
  blockProduct,
  blockScratchBytes,
  evenBlock,
  longestBlock,
  panelWidth,
} from "./block_product.ts";
import { emitFewResults, fewResultsScratchCells, hasFewResults } from "./convolution_few.ts";
import { sumChunks } from "./chunk_sum.ts";
import { type Gathering, gatheringOf, type TapClass, termsOf } from "./convolution_taps.ts";
import { alignBytes, type EmitterContext, type Phase } from "./emitter.ts";
import { copyCells, gatherRows, gradientPixels, walkPixels } from "./image_rows.ts";
import { countedLoop, minimum, rowSteps } from "./micro_kernel.ts";
import { packPanel } from "./packing.ts";
import { emitProduct, type ProductKernel, productScratchCells } from "./product.ts";
import { biased, rowFinish } from "./row_finish.ts";
import { emitWinogradGradient, winogradGradientScratchCells } from "./winograd_gradient.ts";
import { winogradGradientPays } from "./winograd_choice.ts";

/** A convolution or one of its gradients. */
export type ConvolutionKernel = Extract<Kernel, { kind: "convolution" }>;

/** Bytes of gathered pixels at a time, at most. */
const gatheredBytes = 512 << 10;
/** Candidates for the pixels of a unit. */
const pixelCounts = [6, 12, 16, 18, 24, 30, 36, 42, 48, 60, 66];

/** Cells of shared scratch that the kernel needs. */
export function convolutionScratchCells(kernel: ConvolutionKernel): number {
  const product = asProduct(kernel);
  if (product) return productScratchCells(product);
  const { form, geometry } = kernel;
  if (hasFewResults(kernel)) return fewResultsScratchCells(kernel);
  if (form !== "filterGradient") return packedFilterCells(gatheringOf(form, geometry));
  if (winogradGradientPays(geometry)) return winogradGradientScratchCells(kernel);
  const { chunks } = planFilterGradient(geometry);
  return chunks * filterRows(geometry) * geometry.outputChannels;
}

/** The phases of a convolution or one of its gradients. */
export function emitConvolution(context: EmitterContext, kernel: ConvolutionKernel): Phase[] {
  const product = asProduct(kernel);
  if (product) return emitProduct(context, product);
  if (hasFewResults(kernel)) return emitFewResults(context, kernel);
  if (kernel.form === "filterGradient") {
    return winogradGradientPays(kernel.geometry)
      ? emitWinogradGradient(context, kernel)
      : filterGradient(context, kernel);
  }
  const gathering = gatheringOf(kernel.form, kernel.geometry);
  const multiply = gathering.classes.length === 1 ? gatherPhase : gatherClassesPhase;
  return [packFilterPhase(context, kernel, gathering), multiply(context, kernel, gathering)];
}

/** A convolution with a filter of one pixel as a product; null of any other. */
function asProduct(kernel: ConvolutionKernel): ProductKernel | null {
  const { form, geometry: g, left, right, output, epilogue } = kernel;
  if (
    g.filterHeight !== 1 || g.filterWidth !== 1 || g.strideHeight !== 1 || g.strideWidth !== 1 ||
    g.padTop !== 0 || g.padLeft !== 0 || g.inputHeight !== g.outputHeight ||
    g.inputWidth !== g.outputWidth
  ) return null;
  const pixels = g.batch * g.inputHeight * g.inputWidth;
  const { inputChannels: c, outputChannels: o } = g;
  const matrix = (buffer: number, rowStride: number, columnStride: number) => ({
    ...{ buffer, offset: 0, batchStride: 0, rowStride, columnStride },
  });
  const product = { kind: "matmul", batch: 1, output, ...(epilogue && { epilogue }) } as const;
  switch (form) {
    case "forward":
      return { ...product, m: pixels, n: o, k: c, a: matrix(left, c, 1), b: matrix(right, o, 1) };
    case "inputGradient":
      return { ...product, m: pixels, n: c, k: o, a: matrix(left, o, 1), b: matrix(right, 1, o) };
    case "filterGradient":
      return { ...product, m: c, n: o, k: pixels, a: matrix(left, 1, c), b: matrix(right, o, 1) };
  }
}

/** Cells of the filter's panels for all classes. */
function packedFilterCells(gathering: Gathering): number {
  const panels = Math.ceil(gathering.target.channels / panelWidth);
  const terms = gathering.classes.reduce((sum, taps) => sum + termsOf(gathering, taps), 0);
  return panels * panelWidth * terms;
}

/** The filter in panels [results/8][terms][8], class after class. */
function packFilterPhase(
  { module, address, kernelScratch }: EmitterContext,
  { form, geometry, right }: ConvolutionKernel,
  gathering: Gathering,
): Phase {
  const { inputChannels: c, outputChannels: o, filterWidth } = geometry;
  const columns = gathering.target.channels;
  const panels = Math.ceil(columns / panelWidth);
  const tail = columns % panelWidth;
  const [rowStride, columnStride] = form === "forward" ? [o, 1] : [1, o];
  const code = module.shared(`packFilter:${form},${JSON.stringify(geometry)}`, () => {
    const made = module.function("packFilter", Array(5).fill("i32"));
    const [start, end, , from, to] = made.parameters;
    const [panel, source, target] = made.locals("i32", 3);
    const packClass = (taps: TapClass, width: number): Code => {
      const pack = packPanel(module, { rowStride, columnStride, width });
      // Forward, all terms lie in the filter in their order.
      if (form === "forward") {
        return pack.call(source.get, target.get, i32.const(termsOf(gathering, taps)));
      }
      const numbers = taps.row.taps.flatMap((i) =>
        taps.column.taps.map((j) => i * filterWidth + j)
      );
      return numbers.map((number, i) =>
        pack.call(
          i32.add(source.get, i32.const(4 * c * o * number)),
          i32.add(target.get, i32.const(4 * panelWidth * o * i)),
          i32.const(o),
        )
      );
    };
    const packAll = (width: number): Code => {
      let place = 0;
      return gathering.classes.map((taps) => {
        const terms = termsOf(gathering, taps);
        const at = i32.add(
          i32.add(to.get, i32.const(4 * panelWidth * place)),
          i32.mul(panel.get, i32.const(4 * panelWidth * terms)),
        );
        place += panels * terms;
        return [target.set(at), packClass(taps, width)];
      });
    };
    return made.body(countedLoop(panel, start.get, end.get, [
      source.set(
        i32.add(from.get, i32.mul(panel.get, i32.const(4 * panelWidth * columnStride))),
      ),
      tail === 0 ? packAll(panelWidth) : control.if(
        i32.eq(panel.get, i32.const(panels - 1)),
        packAll(tail),
        panels > 1 ? packAll(panelWidth) : undefined,
      ),
    ]));
  });
  return {
    code,
    pointers: [address(right), kernelScratch],
    units: panels,
    scratchBytes: 0,
    work: packedFilterCells(gathering),
  };
}

/** A product of some gathered pixels with a packed filter. */
function gatheredProduct(
  rows: number,
  columns: number,
  terms: number,
  pitch: number = terms,
): BlockProduct {
  return {
    ...{ rows, columns, k: terms, packA: false, panels: "packed" },
    a: { rowStride: pitch, columnStride: 1 },
    b: { rowStride: 1, columnStride: 1 },
    kBlock: evenBlock(terms, longestBlock),
  };
}

/** Pixels a unit: such that two threads, and, less importantly, eight, finish early. */
function pixelsPerUnit(pixels: number, terms: number): number {
  const most = Math.max(6, gatheredBytes / (4 * terms));
  let best = { count: Math.min(pixels, 6), cost: Infinity };
  for (const candidate of pixelCounts) {
    const count = Math.min(candidate, pixels);
    if (count > most) break;
    const units = Math.ceil(pixels / count);
    const unitCost = rowSteps(count).reduce((sum, step) => sum + Math.max(4, step), 0) + 2;
    const time = (threads: number) => Math.ceil(units / threads) * unitCost * threads;
    const cost = time(2) + 0.2 * time(8);
    if (cost < best.cost) best = { count, cost };
  }
  return best.count;
}

/** All results see all taps: pixels are done in their order, whichever rows and images they are of. */
function gatherPhase(
  context: EmitterContext,
  kernel: ConvolutionKernel,
  gathering: Gathering,
): Phase {
  const { module } = context;
  const { target, source, batch, classes: [taps] } = gathering;
  const columns = target.channels;
  const panels = Math.ceil(columns / panelWidth);
  const pixels = batch * target.height * target.width;
  const terms = termsOf(gathering, taps);
  const count = pixelsPerUnit(pixels, terms);
  const units = Math.ceil(pixels / count);
  const last = pixels - (units - 1) * count;
  const finish = rowFinish(context, kernel.epilogue, pixels, columns);
  const gatheredAt = 0, blockAt = alignBytes(4 * count * terms);
  const blockBytes = finish.keep ? 0 : alignBytes(4 * count * columns);
  const key = [kernel.form, JSON.stringify(kernel.geometry), finish.key];
  const code = module.shared(`gatheredProduct:${key}`, () => {
    const made = module.function("gatheredProduct", Array(6 + finish.pointers.length).fill("i32"));
    const [start, end, scratch, from, filter, to, ...rest] = made.parameters;
    const [unit, pixel, row, image, number, block] = made.locals("i32", 6);
    const at = (place: number) => i32.add(scratch.get, i32.const(place));
    const multiply = (rows: number) =>
      blockProduct(module, gatheredProduct(rows, columns, terms)).call(
        at(gatheredAt),
        filter.get,
        block.get,
        scratch.get,
        i32.const(terms),
        i32.const(0),
        i32.const(panels),
      );
    return made.body(countedLoop(unit, start.get, end.get, [
      pixel.set(i32.mul(unit.get, i32.const(count))),
      number.set(i32.sub(i32.const(pixels), pixel.get)),
      control.if(i32.gtS(number.get, i32.const(count)), number.set(i32.const(count))),
      row.set(i32.divU(pixel.get, i32.const(target.width))),
      image.set(i32.divU(row.get, i32.const(target.height))),
      gatherRows(module, gathering, taps).call(
        i32.add(from.get, i32.mul(image.get, i32.const(imageBytes(source)))),
        i32.sub(row.get, i32.mul(image.get, i32.const(target.height))),
        i32.sub(pixel.get, i32.mul(row.get, i32.const(target.width))),
        number.get,
        at(gatheredAt),
      ),
      block.set(
        finish.keep ? i32.add(to.get, i32.mul(pixel.get, i32.const(4 * columns))) : at(blockAt),
      ),
      last === count || units === 1 ? multiply(last) : control.if(
        i32.eq(number.get, i32.const(count)),
        multiply(count),
        multiply(last),
      ),
      finish.finish(
        rest,
        pixel.get,
        i32.add(pixel.get, number.get),
        at(blockAt + blockBytes),
        biased(block.get, pixel.get, columns),
      ),
    ]));
  });
  return {
    code,
    pointers: [
      context.address(kernel.left),
      context.kernelScratch,
      finish.keep ? context.address(kernel.output) : 0,
      ...finish.pointers,
    ],
    units,
    scratchBytes: blockAt + blockBytes + finish.scratchBytes,
    work: 2 * pixels * columns * terms,
  };
}

function imageBytes({ height, width, channels }: Gathering["source"]): number {
  return 4 * height * width * channels;
}

/** Pixels at a time in {@link gatherClassesPhase}; what is missing is done in vain. */
const classPixels = [24, 12, 6];

/**
 * Results fall into classes that see different taps: a unit does some rows of an image, one class
 * after another, and puts their pixels where they belong.
 */
function gatherClassesPhase(
  context: EmitterContext,
  kernel: ConvolutionKernel,
  gathering: Gathering,
): Phase {
  const { module } = context;
  const { target, source, batch, classes, step: [stepRow, stepColumn] } = gathering;
  const columns = target.channels;
  const panels = Math.ceil(columns / panelWidth);
  const pixels = batch * target.height * target.width;
  const finish = rowFinish(context, kernel.epilogue, pixels, columns);
  // Rows of each class that a unit does, and units an image.
  const classRows = Math.ceil(target.height / stepRow);
  const classColumns = Math.ceil(target.width / stepColumn);
  const rows = Math.min(classRows, Math.max(1, Math.floor(48 / classColumns)));
  const groups = Math.ceil(classRows / rows);
  const most = Math.max(...classes.map((taps) => termsOf(gathering, taps)));
  const unitPixels = Math.min(target.height, rows * stepRow) * target.width;
  const blockAt = alignBytes(4 * classPixels[0] * most);
  const storeAt = blockAt + alignBytes(4 * classPixels[0] * columns);
  const storeBytes = finish.keep ? 0 : alignBytes(4 * unitPixels * columns);
  const key = [kernel.form, JSON.stringify(kernel.geometry), finish.key];
  const code = module.shared(`gatheredClasses:${key}`, () => {
    const made = module.function("gatheredClasses", Array(6 + finish.pointers.length).fill("i32"));
    const [start, end, scratch, from, filter, to, ...rest] = made.parameters;
    const [unit, image, group, first, last, result] = made.locals("i32", 6);
    const [row, column, left, number, i, firstRow] = made.locals("i32", 6);
    const at = (place: number) => i32.add(scratch.get, i32.const(place));
    let place = 0;
    const doClass = (taps: TapClass): Code => {
      const terms = termsOf(gathering, taps);
      const filterAt = 4 * panelWidth * panels * place;
      place += terms;
      const multiply = (rows: number) =>
        blockProduct(module, gatheredProduct(rows, columns, terms, most)).call(
          scratch.get,
          i32.add(filter.get, i32.const(filterAt)),
          at(blockAt),
          scratch.get,
          i32.const(terms),
          i32.const(0),
          i32.const(panels),
        );
      const targetPixel = i32.add(
        i32.mul(
          i32.add(
            i32.mul(row.get, i32.const(stepRow)),
            i32.const(taps.row.first),
          ),
          i32.const(target.width),
        ),
        i32.add(i32.mul(column.get, i32.const(stepColumn)), i32.const(taps.column.first)),
      );
      const putPixel: Code = [
        copyCells(
          module,
          i32.add(at(blockAt), i32.mul(i.get, i32.const(4 * columns))),
          i32.add(result.get, i32.mul(targetPixel, i32.const(4 * columns))),
          columns,
        ),
        column.set(i32.add(column.get, i32.const(1))),
        control.if(i32.eq(column.get, i32.const(taps.column.count)), [
          column.set(i32.const(0)),
          row.set(i32.add(row.get, i32.const(1))),
        ]),
      ];
      return [
        row.set(first.get),
        column.set(i32.const(0)),
        left.set(
          i32.mul(
            i32.sub(minimum(last.get, taps.row.count), first.get),
            i32.const(taps.column.count),
          ),
        ),
        control.block(control.loop(
          control.brIf(i32.leS(left.get, i32.const(0)), 1),
          number.set(minimum(left.get, classPixels[0])),
          gatherRows(module, gathering, taps, most).call(
            i32.add(from.get, i32.mul(image.get, i32.const(imageBytes(source)))),
            row.get,
            column.get,
            number.get,
            scratch.get,
          ),
          classPixels.reduceRight<Code>(
            (smaller, rows, i) =>
              i === classPixels.length - 1 ? multiply(rows) : control.if(
                i32.gtS(number.get, i32.const(classPixels[i + 1])),
                multiply(rows),
                smaller,
              ),
            [],
          ),
          countedLoop(i, i32.const(0), number.get, putPixel),
          left.set(i32.sub(left.get, number.get)),
          control.br(0),
        )),
      ];
    };
    return made.body(countedLoop(unit, start.get, end.get, [
      image.set(i32.divU(unit.get, i32.const(groups))),
      group.set(i32.remU(unit.get, i32.const(groups))),
      first.set(i32.mul(group.get, i32.const(rows))),
      last.set(i32.add(first.get, i32.const(rows))),
      // The first pixel of the image among all, then of the unit.
      firstRow.set(i32.mul(image.get, i32.const(target.height * target.width))),
      result.set(
        finish.keep ? i32.add(to.get, i32.mul(firstRow.get, i32.const(4 * columns))) : i32.sub(
          at(storeAt),
          i32.mul(first.get, i32.const(4 * columns * stepRow * target.width)),
        ),
      ),
      classes.map(doClass),
      finish.finish(
        rest,
        i32.add(firstRow.get, i32.mul(first.get, i32.const(stepRow * target.width))),
        i32.add(
          firstRow.get,
          minimum(
            i32.mul(last.get, i32.const(stepRow * target.width)),
            target.height * target.width,
          ),
        ),
        at(storeAt + storeBytes),
        biased(result.get, firstRow.get, columns),
      ),
    ]));
  });
  const terms = classes.reduce((sum, taps) => sum + termsOf(gathering, taps), 0);
  return {
    code,
    pointers: [
      context.address(kernel.left),
      context.kernelScratch,
      finish.keep ? context.address(kernel.output) : 0,
      ...finish.pointers,
    ],
    units: batch * groups,
    scratchBytes: storeAt + storeBytes + finish.scratchBytes,
    work: 2 * pixels * columns * terms / classes.length,
  };
}

/** Rows of a filter as a matrix: all but its last axis. */
function filterRows({ filterHeight, filterWidth, inputChannels }: ConvolutionGeometry): number {
  return filterHeight * filterWidth * inputChannels;
}

/** Cells of partial filter gradients, about, at most. */
const partialCells = 2 << 20;
/** Up to so many rows, a unit does all of the filter. */
const fewFilterRows = 144;

/** How a filter gradient is divided: pixels a chunk, and rows of the filter a unit. */
interface FilterGradientPlan {
  readonly chunks: number;
  readonly pixels: number;
  readonly tapRows: number;
}

function planFilterGradient(geometry: ConvolutionGeometry): FilterGradientPlan {
  const all = geometry.batch * geometry.outputHeight * geometry.outputWidth;
  const cells = filterRows(geometry) * geometry.outputChannels;
  const most = Math.max(1, Math.min(16, Math.floor(partialCells / cells)));
  const blocks = Math.ceil(all / gradientPixels);
  const pixels = Math.ceil(blocks / most) * gradientPixels;
  const tapRows = filterRows(geometry) <= fewFilterRows ? geometry.filterHeight : 1;
  return { chunks: Math.ceil(all / pixels), pixels, tapRows };
}

/**
 * Gathered inputsᵀ times gradients of the output, summed over pixels in chunks. A unit is a chunk
 * and a row of the filter, or all of it.
 */
function filterGradient(context: EmitterContext, kernel: ConvolutionKernel): Phase[] {
  const { module } = context;
  const { geometry } = kernel;
  const { inputChannels: c, outputChannels: o, filterHeight, filterWidth } = geometry;
  const { outputHeight, outputWidth } = geometry;
  const gathering = gatheringOf("forward", geometry);
  const [all] = gathering.classes;
  const { chunks, pixels, tapRows } = planFilterGradient(geometry);
  const total = geometry.batch * outputHeight * outputWidth;
  const rows = filterRows(geometry);
  const unitRows = tapRows * filterWidth * c;
  const groups = filterHeight / tapRows;
  const panels = Math.ceil(o / panelWidth);
  const block = (accumulate: boolean): BlockProduct => ({
    ...{ rows: unitRows, columns: o, k: gradientPixels, kBlock: gradientPixels, accumulate },
    a: { rowStride: 1, columnStride: unitRows },
    b: { rowStride: o, columnStride: 1 },
    packA: unitRows > packedRowsFrom,
    panels: "local",
  });
  const gatheredBytes = alignBytes(4 * gradientPixels * unitRows);
  const code = module.shared(`filterGradient:${JSON.stringify(geometry)}`, () => {
    const made = module.function("filterGradient", Array(6).fill("i32"));
    const [start, end, scratch, x, dy, partial] = made.parameters;
    const [unit, chunk, tap, pixel, last, number, row, image, target] = made.locals("i32", 9);
    const multiply = (accumulate: boolean) =>
      blockProduct(module, block(accumulate)).call(
        scratch.get,
        i32.add(dy.get, i32.mul(pixel.get, i32.const(4 * o))),
        target.get,
        i32.add(scratch.get, i32.const(gatheredBytes)),
        number.get,
        i32.const(0),
        i32.const(panels),
      );
    // The taps of row 0; other rows of the filter see the image that much further down.
    const gather = (t: number) =>
      gatherRows(module, gathering, {
        column: all.column,
        row: { ...all.row, origin: all.row.origin + t, taps: all.row.taps.slice(0, tapRows) },
      }).call(
        i32.add(x.get, i32.mul(image.get, i32.const(imageBytes(gathering.source)))),
        i32.sub(row.get, i32.mul(image.get, i32.const(outputHeight))),
        i32.sub(pixel.get, i32.mul(row.get, i32.const(outputWidth))),
        number.get,
        scratch.get,
      );
    const gatherTap = (t: number): Code =>
      t === groups - 1
        ? gather(t)
        : control.if(i32.eq(tap.get, i32.const(t)), gather(t), gatherTap(t + 1));
    return made.body(countedLoop(unit, start.get, end.get, [
      chunk.set(i32.divU(unit.get, i32.const(groups))),
      tap.set(i32.remU(unit.get, i32.const(groups))),
      target.set(
        i32.add(
          partial.get,
          i32.add(
            i32.mul(chunk.get, i32.const(4 * rows * o)),
            i32.mul(tap.get, i32.const(4 * unitRows * o)),
          ),
        ),
      ),
      walkPixels(
        { chunk, pixel, last, number, row, image },
        { pixels, total, height: outputHeight, width: outputWidth },
        gatherTap(0),
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
      units: chunks * groups,
      scratchBytes: gatheredBytes + blockScratchBytes(block(false), panels),
      work: 2 * total * rows * o,
    },
    sumChunks(context, {
      ...{ chunks, rows, columns: o, from: context.kernelScratch },
      to: kernel.epilogue?.keep === false ? 0 : context.address(kernel.output),
      finish: rowFinish(context, kernel.epilogue, rows, o),
    }),
  ];
}

/** From so many rows on, gathered pixels are packed for the product of a filter gradient. */
const packedRowsFrom = 128;

/**
 * @file Filters in the Winograd domain: [36][outputs/8][inputs][8], panels as the micro-kernel reads
 * them, with zeros beyond the last output.
 */
import type { Kernel } from "../kernels.ts";
import {
  type Code,
  control,
  f32x4,
  type FunctionBuilder,
  i32,
  type ModuleBuilder,
  v128,
} from "./assembler.ts";
import { panelWidth } from "./block_product.ts";
import type { EmitterContext, Phase } from "./emitter.ts";
import { countedLoop, loadLanes } from "./micro_kernel.ts";
import { gatherLanes } from "./packing.ts";
import { planeBytes, transformBytes, transformTile } from "./winograd_tiles.ts";
import { filterTransform, inputTile, planes } from "./winograd_transform.ts";

/** A filter's transform. */
export type WinogradFilterKernel = Extract<Kernel, { kind: "winogradFilter" }>;

/** Rows of a panel that are done at a time, in scratch: planes of the result are far apart. */
const blockRows = 16;
/** Bytes from one plane of such a block to the next. */
const blockPlaneBytes = planeBytes(blockRows * panelWidth);

/** Cells of shared scratch that the kernel needs. */
export function winogradFilterScratchCells(_kernel: WinogradFilterKernel): number {
  return 0;
}

/**
 * The phase of a filter's transform. The transposed one is of the filter with inputs and outputs
 * exchanged and turned by 180°.
 */
export function emitWinogradFilter(
  { module, address }: EmitterContext,
  kernel: WinogradFilterKernel,
): Phase[] {
  const { inputChannels, outputChannels, transposed } = kernel;
  // Rows and columns of the matrices that come out.
  const [rows, columns] = transposed
    ? [outputChannels, inputChannels]
    : [inputChannels, outputChannels];
  const panels = Math.ceil(columns / panelWidth);
  const tail = columns % panelWidth;
  const blocks = Math.ceil(rows / blockRows);
  const [rowStride, columnStride] = transposed ? [1, outputChannels] : [outputChannels, 1];
  const code = module.shared(
    `winogradFilter:${[inputChannels, outputChannels, transposed]}`,
    () => {
      const made = module.function("winogradFilter", Array(5).fill("i32"));
      const [start, end, scratch, from, to] = made.parameters;
      const [unit, panel, row, count] = made.locals("i32", 4);
      const transform = (width: number): Code =>
        [0, 1].map((half) =>
          transformRows(module, kernel, Math.max(0, Math.min(4, width - 4 * half))).call(
            i32.add(
              i32.add(from.get, i32.const(16 * columnStride * half)),
              i32.add(
                i32.mul(panel.get, i32.const(4 * panelWidth * columnStride)),
                i32.mul(row.get, i32.const(4 * rowStride)),
              ),
            ),
            i32.add(scratch.get, i32.const(transformBytes + 16 * half)),
            scratch.get,
            count.get,
          )
        );
      return made.body(countedLoop(unit, start.get, end.get, [
        panel.set(i32.divU(unit.get, i32.const(blocks))),
        row.set(i32.mul(i32.remU(unit.get, i32.const(blocks)), i32.const(blockRows))),
        count.set(i32.sub(i32.const(rows), row.get)),
        control.if(i32.gtS(count.get, i32.const(blockRows)), count.set(i32.const(blockRows))),
        tail === 0 ? transform(panelWidth) : control.if(
          i32.eq(panel.get, i32.const(panels - 1)),
          transform(tail),
          panels > 1 ? transform(panelWidth) : undefined,
        ),
        copyPlanes(module, 4 * panels * rows * panelWidth).call(
          i32.add(scratch.get, i32.const(transformBytes)),
          i32.add(
            to.get,
            i32.shl(i32.add(i32.mul(panel.get, i32.const(rows)), row.get), i32.const(5)),
          ),
          i32.shl(count.get, i32.const(5)),
        ),
      ]));
    },
  );
  return [{
    code,
    pointers: [address(kernel.filter), address(kernel.output)],
    units: panels * blocks,
    scratchBytes: transformBytes + planes * blockPlaneBytes,
    work: 3 * planes * rows * columns,
  }];
}

/** The function (block, target, bytes) that moves a block's planes to where they belong. */
function copyPlanes(module: ModuleBuilder, targetPlaneBytes: number): FunctionBuilder {
  return module.shared(`copyPlanes:${targetPlaneBytes}`, () => {
    const made = module.function("copyPlanes", ["i32", "i32", "i32"]);
    const [from, to, bytes] = made.parameters;
    const [plane, i] = made.locals("i32", 2);
    const copy = [0, 16].map((half) =>
      v128.store(
        i32.add(to.get, i.get),
        v128.load(i32.add(from.get, i.get), half),
        half,
      )
    );
    return made.body(countedLoop(plane, i32.const(0), i32.const(planes), [
      countedLoop(i, i32.const(0), bytes.get, copy, i32.const(32)),
      from.set(i32.add(from.get, i32.const(blockPlaneBytes))),
      to.set(i32.add(to.get, i32.const(targetPlaneBytes))),
    ]));
  });
}

/** The function (filter, target, temporary, count) for so many rows of half a panel. */
function transformRows(
  module: ModuleBuilder,
  { inputChannels, outputChannels, transposed }: WinogradFilterKernel,
  lanes: number,
): FunctionBuilder {
  const key = [inputChannels, outputChannels, transposed, lanes];
  return module.shared(`winogradFilterRows:${key}`, () => {
    const made = module.function("winogradFilterRows", Array(4).fill("i32"));
    const [from, to, temporary, count] = made.parameters;
    const [i, column, target] = made.locals("i32", 3);
    const tap = 4 * inputChannels * outputChannels;
    const { constants, code } = transformTile(made, filterTransform, temporary, {
      firstColumn: column.set(transposed ? i32.add(from.get, i32.const(2 * tap)) : from.get),
      load: (row) => {
        const offset = tap * 3 * (transposed ? 2 - row : row);
        if (lanes === 0) return f32x4.const(0);
        return transposed
          ? gatherLanes(column, lanes, outputChannels, offset)
          : loadLanes(column.get, lanes, offset);
      },
      nextColumn: column.set(i32.add(column.get, i32.const(transposed ? -tap : tap))),
      firstRow: target.set(to.get),
      store: (j, value) => v128.store(target.get, value, blockPlaneBytes * j),
      nextRow: target.set(i32.add(target.get, i32.const(inputTile * blockPlaneBytes))),
    });
    return made.body(
      constants,
      countedLoop(i, i32.const(0), count.get, [
        code,
        from.set(i32.add(from.get, i32.const(transposed ? 4 : 4 * outputChannels))),
        to.set(i32.add(to.get, i32.const(4 * panelWidth))),
      ]),
    );
  });
}

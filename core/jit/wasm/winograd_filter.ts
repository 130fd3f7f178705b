/**
 * @file Filters in the Winograd domain: [planes][outputs/8][inputs][8], panels as the micro-kernel
 * reads them, with zeros beyond the last output.
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
import {
  alongBoth,
  planeBytes,
  type TileMethod,
  tileMethod,
  transformBytes,
  transformTile,
} from "./winograd_tiles.ts";

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
  const method = tileMethod(kernel.filterSize, kernel.strides, kernel.tile);
  const { planes } = method;
  const blockAt = transformBytes(method);
  // Rows and columns of the matrices that come out.
  const [rows, columns] = transposed
    ? [outputChannels, inputChannels]
    : [inputChannels, outputChannels];
  const panels = Math.ceil(columns / panelWidth);
  const tail = columns % panelWidth;
  const blocks = Math.ceil(rows / blockRows);
  const [rowStride, columnStride] = transposed ? [1, outputChannels] : [outputChannels, 1];
  const code = module.shared(
    `winogradFilter:${[inputChannels, outputChannels, transposed, method.key]}`,
    () => {
      const made = module.function("winogradFilter", Array(5).fill("i32"));
      const [start, end, scratch, from, to] = made.parameters;
      const [unit, panel, row, count] = made.locals("i32", 4);
      const transform = (width: number): Code =>
        [0, 1].map((half) =>
          transformRows(module, kernel, method, Math.max(0, Math.min(4, width - 4 * half))).call(
            i32.add(
              i32.add(from.get, i32.const(16 * columnStride * half)),
              i32.add(
                i32.mul(panel.get, i32.const(4 * panelWidth * columnStride)),
                i32.mul(row.get, i32.const(4 * rowStride)),
              ),
            ),
            i32.add(scratch.get, i32.const(blockAt + 16 * half)),
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
        copyPlanes(module, planes, 4 * panels * rows * panelWidth).call(
          i32.add(scratch.get, i32.const(blockAt)),
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
    scratchBytes: blockAt + planes * blockPlaneBytes,
    work: 3 * planes * rows * columns,
  }];
}

/** The function (block, target, bytes) that moves a block's planes to where they belong. */
function copyPlanes(
  module: ModuleBuilder,
  planes: number,
  targetPlaneBytes: number,
): FunctionBuilder {
  return module.shared(`copyPlanes:${[planes, targetPlaneBytes]}`, () => {
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
  { filterSize: [height, width], inputChannels, outputChannels, transposed }: WinogradFilterKernel,
  method: TileMethod,
  lanes: number,
): FunctionBuilder {
  const across = method.horizontal.inputs;
  const key = [inputChannels, outputChannels, transposed, method.key, lanes];
  return module.shared(`winogradFilterRows:${key}`, () => {
    const made = module.function("winogradFilterRows", Array(4).fill("i32"));
    const [from, to, temporary, count] = made.parameters;
    const [i, column, target] = made.locals("i32", 3);
    const tap = 4 * inputChannels * outputChannels;
    // Turned, columns run backwards; where they are counted up, from the last one on.
    const lead = transposed && height > 1 ? width - 1 : 0;
    const { constants, code } = transformTile(made, alongBoth(method, "filter"), temporary, {
      firstColumn: column.set(i32.add(from.get, i32.const(tap * lead))),
      load: (i, j) => {
        const last = width - 1 - lead;
        const offset = tap * (transposed ? width * (height - 1 - i) + last - j : width * i + j);
        if (lanes === 0) return f32x4.const(0);
        return transposed
          ? gatherLanes(column, lanes, outputChannels, offset)
          : loadLanes(column.get, lanes, offset);
      },
      nextColumn: column.set(i32.add(column.get, i32.const(transposed ? -tap : tap))),
      firstRow: target.set(to.get),
      store: (i, j, value) => v128.store(target.get, value, blockPlaneBytes * (across * i + j)),
      nextRow: target.set(i32.add(target.get, i32.const(across * blockPlaneBytes))),
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

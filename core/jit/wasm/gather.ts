/**
 * @file Rows of a table by index. An index outside of the table is moved to its edge, so that
 * memory is never read where no table is.
 */
import type { Kernel } from "../kernels.ts";
import { type Code, control, i32, i32x4, type ModuleBuilder, v128 } from "./assembler.ts";
import type { EmitterContext, Phase } from "./emitter.ts";

type GatherKernel = Extract<Kernel, { kind: "gather" }>;

/** Rows of at least so many cells are copied by the engine. */
const LONG_ROW = 64;

/** `cells` cells from one address to another, both locals. */
function copyCells(to: Code, from: Code, cells: number): Code {
  if (cells >= LONG_ROW) return control.memoryCopy(to, from, i32.const(4 * cells));
  const code: Code[] = [];
  let at = 0;
  for (; at + 4 <= cells; at += 4) code.push(v128.store(to, v128.load(from, 4 * at), 4 * at));
  for (; at < cells; at++) code.push(i32.store(to, i32.load(from, 4 * at), 4 * at));
  return code;
}

/** A function over rows; pointers: table, indices, output. */
function gatherFunction(module: ModuleBuilder, tableRows: number, rowSize: number) {
  return module.shared(`gather ${tableRows} ${rowSize}`, () => {
    const target = module.function("gather", Array(6).fill("i32"));
    const [row, end, , table, indices, output] = target.parameters;
    const [index, from] = target.locals("i32", 2), chosen = target.local("v128");
    return target.body(control.if(i32.ltS(row.get, end.get), [
      indices.set(i32.add(indices.get, i32.mul(row.get, i32.const(4)))),
      output.set(i32.add(output.get, i32.mul(row.get, i32.const(4 * rowSize)))),
      control.loop(
        chosen.set(i32x4.splat(i32.load(indices.get))),
        chosen.set(i32x4.minS(chosen.get, i32x4.const(tableRows - 1))),
        index.set(i32x4.extractLane(i32x4.maxS(chosen.get, i32x4.const(0)), 0)),
        from.set(i32.add(table.get, i32.mul(index.get, i32.const(4 * rowSize)))),
        copyCells(output.get, from.get, rowSize),
        indices.set(i32.add(indices.get, i32.const(4))),
        output.set(i32.add(output.get, i32.const(4 * rowSize))),
        control.brIf(i32.ltS(row.tee(i32.add(row.get, i32.const(1))), end.get), 0),
      ),
    ]));
  });
}

/** A function over rows that fills them with zeros: what is taken of an empty table. */
function zeroFunction(module: ModuleBuilder, rowSize: number) {
  return module.shared(`zero rows ${rowSize}`, () => {
    const target = module.function("zeroRows", Array(6).fill("i32"));
    const [row, end, , , , output] = target.parameters;
    const bytes = i32.const(4 * rowSize);
    return target.body(control.memoryFill(
      i32.add(output.get, i32.mul(row.get, bytes)),
      i32.const(0),
      i32.mul(i32.sub(end.get, row.get), bytes),
    ));
  });
}

/** The phase of a gather: units are rows of the result. */
export function emitGather(context: EmitterContext, kernel: GatherKernel): Phase[] {
  const { table, indices, output, rows, rowSize, tableRows } = kernel;
  if (rows * rowSize === 0) return [];
  return [{
    code: tableRows > 0
      ? gatherFunction(context.module, tableRows, rowSize)
      : zeroFunction(context.module, rowSize),
    pointers: [table, indices, output].map((buffer) => context.address(buffer)),
    units: rows,
    scratchBytes: 0,
    work: rows * (rowSize + 4),
  }];
}

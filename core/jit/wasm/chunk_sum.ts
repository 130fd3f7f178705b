/**
 * @file The second half of sums that were divided into chunks: partial results are added up, in the
 * order of the chunks whoever does it.
 */
import { control, f32, f32x4, i32, v128 } from "./assembler.ts";
import { alignBytes, type EmitterContext, type Phase } from "./emitter.ts";
import { countedLoop } from "./micro_kernel.ts";
import { biased, type RowFinish } from "./row_finish.ts";

/** Partial results, contiguous and one behind the other, and where their sum goes. */
export interface ChunkSum {
  readonly chunks: number;
  readonly rows: number;
  readonly columns: number;
  /** Byte address of the first partial result. */
  readonly from: number;
  /** Byte address of the sum; of no interest where the finish does not keep it. */
  readonly to: number;
  readonly finish: RowFinish;
}

/** Cells a unit, about. */
const cellsPerUnit = 2048;

/** The phase that adds up. */
export function sumChunks({ module }: EmitterContext, sum: ChunkSum): Phase {
  const { chunks, rows, columns, finish } = sum;
  const rowsPerUnit = Math.min(rows, Math.max(1, Math.round(cellsPerUnit / columns)));
  const chunkBytes = 4 * rows * columns;
  const blockBytes = finish.keep ? 0 : alignBytes(4 * rowsPerUnit * columns);
  const key = [chunks, rows, columns, finish.key];
  const code = module.shared(`sumChunks:${key}`, () => {
    const made = module.function("sumChunks", Array(5 + finish.pointers.length).fill("i32"));
    const [start, end, scratch, from, to, ...rest] = made.parameters;
    const [unit, row, rowEnd, target, at, chunk, cell, cells] = made.locals("i32", 8);
    const vector = made.local("v128");
    const scalar = made.local("f32");
    const nextChunk = at.set(i32.add(at.get, i32.const(chunkBytes)));
    const source = i32.add(
      i32.add(from.get, i32.mul(row.get, i32.const(4 * columns))),
      i32.shl(cell.get, i32.const(2)),
    );
    const destination = i32.add(target.get, i32.shl(cell.get, i32.const(2)));
    return made.body(countedLoop(unit, start.get, end.get, [
      row.set(i32.mul(unit.get, i32.const(rowsPerUnit))),
      rowEnd.set(i32.add(row.get, i32.const(rowsPerUnit))),
      control.if(i32.gtS(rowEnd.get, i32.const(rows)), rowEnd.set(i32.const(rows))),
      cells.set(i32.mul(i32.sub(rowEnd.get, row.get), i32.const(columns))),
      target.set(
        finish.keep ? i32.add(to.get, i32.mul(row.get, i32.const(4 * columns))) : scratch.get,
      ),
      countedLoop(cell, i32.const(0), i32.and(cells.get, i32.const(-4)), [
        at.set(source),
        vector.set(v128.load(at.get)),
        countedLoop(chunk, i32.const(1), i32.const(chunks), [
          nextChunk,
          vector.set(f32x4.add(vector.get, v128.load(at.get))),
        ]),
        v128.store(destination, vector.get),
      ], i32.const(4)),
      countedLoop(cell, i32.and(cells.get, i32.const(-4)), cells.get, [
        at.set(source),
        scalar.set(f32.load(at.get)),
        countedLoop(chunk, i32.const(1), i32.const(chunks), [
          nextChunk,
          scalar.set(f32.add(scalar.get, f32.load(at.get))),
        ]),
        f32.store(destination, scalar.get),
      ]),
      finish.finish(
        rest,
        row.get,
        rowEnd.get,
        i32.add(scratch.get, i32.const(blockBytes)),
        biased(target.get, row.get, columns),
      ),
    ]));
  });
  return {
    code,
    pointers: [sum.from, finish.keep ? sum.to : 0, ...finish.pointers],
    units: Math.ceil(rows / rowsPerUnit),
    scratchBytes: blockBytes + finish.scratchBytes,
    work: chunks * rows * columns,
  };
}

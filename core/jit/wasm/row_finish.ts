/**
 * @file What happens to rows of a product while they are still in the cache: the kernel's epilogue,
 * if it has one.
 */
import type { Epilogue } from "../kernels.ts";
import { type Code, i32, type Local } from "./assembler.ts";
import type { EmitterContext } from "./emitter.ts";
import { rowLoopFunction } from "./loop.ts";

/** An epilogue as the emitters of products use it. */
export interface RowFinish {
  /** Whether rows have to be stored in the result. */
  readonly keep: boolean;
  /** Names the work; part of the key of a shared function that does it. */
  readonly key: string;
  /** The last arguments of the phase. */
  readonly pointers: readonly number[];
  /** Bytes of the thread's scratch that it needs. */
  readonly scratchBytes: number;
  /**
   * Does the rows start ≤ row < end. `parameters` hold the pointers, `product` is the address at
   * which row 0 of the result lies (or would lie, where only the block at hand is stored).
   */
  finish(
    parameters: readonly Local[],
    start: Code,
    end: Code,
    scratch: Code,
    product: Code,
  ): Code;
}

/** Nothing happens. */
const none: RowFinish = { keep: true, key: "", pointers: [], scratchBytes: 0, finish: () => [] };

/** The epilogue of a product of `rows` × `columns` cells. */
export function rowFinish(
  context: EmitterContext,
  epilogue: Epilogue | undefined,
  rows: number,
  columns: number,
): RowFinish {
  if (!epilogue) return none;
  const { loop, product, keep } = epilogue;
  const code = rowLoopFunction(context.module, loop, rows, columns);
  const views = [...loop.reads, ...loop.writes.map(({ view }) => view)];
  return {
    keep,
    key: `${code.index},${product},${keep}`,
    pointers: views.map(({ buffer }, i) => i === product ? 0 : context.address(buffer)),
    scratchBytes: 0,
    finish: (parameters, start, end, scratch, address) =>
      code.call(
        start,
        end,
        scratch,
        ...parameters.map((parameter, i) => i === product ? address : parameter.get),
      ),
  };
}

/** base − 4·columns·row: where row 0 would lie if row `row` lay at the base. */
export function biased(base: Code, row: Code, columns: number): Code {
  return i32.sub(base, i32.mul(row, i32.const(4 * columns)));
}

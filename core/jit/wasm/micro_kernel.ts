/**
 * @file The innermost loops of products: blocks of up to 6×8 results held in registers while k runs,
 * as in K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (ACM
 * Transactions on Mathematical Software 34(3), 2008). Twelve accumulators, two vectors of B and one
 * repeated cell of A fill the fifteen vector registers that V8 hands out on x86-64; eight loads go
 * with twelve multiply-adds, so that the multiply-adds are the bound.
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
import { multiplyAdd } from "./emitter.ts";

/** Sizes of {@link panelProduct} known when it is emitted; strides in cells. */
export interface PanelProduct {
  /** Rows of A and C. */
  readonly rows: number;
  /** Columns of B and C, 1 to 8. */
  readonly width: number;
  /** From a row of A to the next. */
  readonly rowStride: number;
  /** From a column of A to the next. */
  readonly columnStride: number;
  /** From a row of B to the next: 8 in a packed panel. */
  readonly panelStride: number;
  /** From a row of C to the next. */
  readonly outputStride: number;
  /**
   * Whether A is packed: for each step of {@link rowSteps} a panel of k times six cells. The strides
   * of A do not matter then.
   */
  readonly packed?: boolean;
}

/** Rows of A that lie side by side in a packed A. */
export const packedRows = 6;

/**
 * How many rows at a time: as many as there are registers for (six of two vectors, twelve of one),
 * and a rest that keeps at least eight accumulators busy (two multiply-adds a cycle, each four
 * cycles long) where that can be had.
 */
export function rowSteps(rows: number, width = 8): number[] {
  const most = width > 4 ? 6 : 12;
  const steps: number[] = [];
  while (rows > 1.5 * most || rows === most) {
    steps.push(most);
    rows -= most;
  }
  const least = Math.ceil(2 / 3 * most);
  if (rows > most) steps.push(least, rows - least);
  else if (rows > 0) steps.push(rows);
  return steps.sort((a, b) => b - a);
}

/** Stores the first `width` lanes of two vectors (or one) at an address. */
export function storeColumns(
  address: Code,
  vectors: readonly Code[],
  width: number,
  offset: number,
): Code {
  return vectors.map((vector, i) => {
    const at = offset + 16 * i;
    const lanes = width - 4 * i;
    if (lanes >= 4) return v128.store(address, vector, at);
    return [
      lanes >= 2 ? v128.store64Lane(address, vector, 0, at) : [],
      lanes % 2 === 1 ? v128.store32Lane(address, vector, lanes - 1, at + 4 * (lanes - 1)) : [],
    ];
  });
}

/** The first `lanes` (1 to 4) cells at an address, and zeros; reads no further. */
export function loadLanes(address: Code, lanes: number, offset: number): Code {
  if (lanes >= 4) return v128.load(address, offset);
  if (lanes === 1) return v128.load32Zero(address, offset);
  const pair = v128.load64Zero(address, offset);
  return lanes === 2 ? pair : v128.load32Lane(address, pair, 2, offset + 8);
}

/** f(0), f(1), … while i runs from `from` to before `to` in steps; nothing if there are none. */
export function countedLoop(
  counter: Local,
  from: Code,
  to: Code,
  body: Code,
  step: Code = i32.const(1),
): Code {
  return [
    counter.set(from),
    control.block(
      control.brIf(i32.geS(counter.get, to), 0),
      control.loop(
        body,
        control.brIf(i32.ltS(counter.tee(i32.add(counter.get, step)), to), 0),
      ),
    ),
  ];
}

/** min(value, most) of signed numbers. */
export function minimum(value: Code, most: number): Code {
  return control.select(value, i32.const(most), i32.ltS(value, i32.const(most)));
}

/** Steps of k in a turn of the loop. */
const unroll = 4;

/**
 * The function (a, b, c, k, accumulate) with C (+)= A·B for a tall block of A and one panel of B.
 * Sums start at zero and are added to C at the end, so that sums over k in several calls lose less
 * to rounding than one long sum.
 */
export function panelProduct(module: ModuleBuilder, product: PanelProduct): FunctionBuilder {
  const { rows, width, panelStride, outputStride, packed = false } = product;
  const rowStride = packed ? 1 : product.rowStride;
  const columnStride = packed ? packedRows : product.columnStride;
  const key = [rows, width, rowStride, columnStride, panelStride, outputStride, packed];
  return module.shared(`panelProduct:${key}`, () => {
    const name = `product${rows}x${width}`;
    const made = module.function(name, ["i32", "i32", "i32", "i32", "i32"]);
    const [a, b, c, k, accumulate] = made.parameters;
    const [aAt, bAt, endUnrolled, end, rowsEnd] = made.locals("i32", 5);
    const vectors = width > 4 ? 2 : 1;
    const accumulators = made.locals("v128", 12);
    const columns = made.locals("v128", vectors);
    const cell = made.local("v128");

    const oneStep = (count: number, step: number): Code => [
      columns.map((column, j) =>
        column.set(
          panelStride === 8
            ? v128.load(bAt.get, 4 * panelStride * step + 16 * j)
            : loadLanes(bAt.get, width - 4 * j, 4 * panelStride * step + 16 * j),
        )
      ),
      Array.from({ length: count }, (_, i) => [
        cell.set(v128.load32Splat(aAt.get, 4 * (rowStride * i + columnStride * step))),
        columns.map((column, j) => {
          const sum = accumulators[i * vectors + j];
          return sum.set(multiplyAdd(cell.get, column.get, sum.get));
        }),
      ]),
    ];
    const steps = (count: number, number: number, until: Local): Code =>
      control.block(
        control.brIf(i32.geU(bAt.get, until.get), 0),
        control.loop(
          Array.from({ length: number }, (_, step) => oneStep(count, step)),
          aAt.set(i32.add(aAt.get, i32.const(4 * columnStride * number))),
          control.brIf(
            i32.ltU(bAt.tee(i32.add(bAt.get, i32.const(4 * panelStride * number))), until.get),
            0,
          ),
        ),
      );
    const block = (count: number): Code => {
      const row = (i: number) => accumulators.slice(i * vectors, (i + 1) * vectors);
      const offset = (i: number) => 4 * outputStride * i;
      const all = Array.from({ length: count }, (_, i) => i);
      return [
        accumulators.slice(0, count * vectors).map((sum) => sum.set(f32x4.const(0))),
        aAt.set(a.get),
        bAt.set(b.get),
        steps(count, unroll, endUnrolled),
        steps(count, 1, end),
        control.if(
          accumulate.get,
          all.map((i) =>
            row(i).map((sum, j) =>
              sum.set(
                f32x4.add(sum.get, loadLanes(c.get, width - 4 * j, offset(i) + 16 * j)),
              )
            )
          ),
        ),
        all.map((i) => storeColumns(c.get, row(i).map((sum) => sum.get), width, offset(i))),
        a.set(i32.add(
          a.get,
          packed ? i32.mul(k.get, i32.const(4 * packedRows)) : i32.const(4 * rowStride * count),
        )),
        c.set(i32.add(c.get, i32.const(4 * outputStride * count))),
      ];
    };
    const plan = rowSteps(rows, packed ? 8 : width);
    const most = plan[0];
    const repeats = plan.filter((count) => count === most).length;
    return made.body(
      end.set(i32.add(b.get, i32.mul(k.get, i32.const(4 * panelStride)))),
      endUnrolled.set(
        i32.add(
          b.get,
          i32.mul(i32.and(k.get, i32.const(-unroll)), i32.const(4 * panelStride)),
        ),
      ),
      repeats > 1
        ? [
          rowsEnd.set(i32.add(c.get, i32.const(4 * outputStride * most * repeats))),
          control.loop(block(most), control.brIf(i32.ne(c.get, rowsEnd.get), 0)),
        ]
        : block(most),
      plan.filter((count) => count !== most).map(block),
    );
  });
}

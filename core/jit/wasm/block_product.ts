/**
 * @file The loops around the micro-kernel: C = A·B for some rows of A and some panels of B, with k
 * in blocks so that a panel stays in the first-level cache, and A, once packed, in the second.
 */
import { type Code, control, type FunctionBuilder, i32, type ModuleBuilder } from "./assembler.ts";
import { alignBytes } from "./emitter.ts";
import { countedLoop, packedRows, panelProduct, rowSteps } from "./micro_kernel.ts";
import { packPanel, packRows } from "./packing.ts";

/** Where the micro-kernel finds its panels of B. */
export type PanelPlace =
  /** Packed beforehand: panel p at p·k·8 cells. */
  | "packed"
  /** In B itself, whose columns are neighbours. */
  | "inPlace"
  /** Packed into the thread's scratch, block by block of k. */
  | "local";

/** What a {@link blockProduct} knows when it is emitted. Strides in cells. */
export interface BlockProduct {
  readonly rows: number;
  /** Of the whole C, which is contiguous. */
  readonly columns: number;
  /** The whole k: what a packed panel is long. */
  readonly k: number;
  readonly a: { readonly rowStride: number; readonly columnStride: number };
  readonly b: { readonly rowStride: number; readonly columnStride: number };
  /** Whether A (whose rows must be neighbours) is copied into scratch, block by block of k. */
  readonly packA: boolean;
  readonly panels: PanelPlace;
  /** Longest block of k, a multiple of 4. */
  readonly kBlock: number;
  /** Whether the product is added to what C holds. */
  readonly accumulate?: boolean;
}

/** Columns of a panel. */
export const panelWidth = 8;
/** Longest block of k that is of use: a panel takes 8 KiB then. */
export const longestBlock = 256;

/** Bytes of scratch of a {@link blockProduct} that does so many panels in a call. */
export function blockScratchBytes(product: BlockProduct, panels: number): number {
  const b = product.panels === "local" ? panels * panelWidth * product.kBlock * 4 : 0;
  return packedBytes(product) + alignBytes(b);
}

/** Bytes of a packed block of A. */
function packedBytes({ packA, rows, kBlock }: BlockProduct): number {
  return packA ? alignBytes(rowSteps(rows).length * packedRows * kBlock * 4) : 0;
}

/**
 * The function (a, b, c, scratch, k, first panel, end of panels). Its `a`, `c` are the first row's,
 * its `b` the first panel's of the whole B (or of the packed one).
 */
export function blockProduct(module: ModuleBuilder, product: BlockProduct): FunctionBuilder {
  const key = JSON.stringify(product);
  return module.shared(`blockProduct:${key}`, () => {
    const { rows, columns, packA, panels, kBlock } = product;
    const made = module.function("blockProduct", Array(7).fill("i32"));
    const [a, b, c, scratch, k, first, end] = made.parameters;
    const [done, length, panel, aNow, bNow, full, local] = made.locals("i32", 7);
    const tail = columns % panelWidth;
    const whole = (columns - tail) / panelWidth;
    const localB = packedBytes(product);

    const multiply = (width: number): Code =>
      panelProduct(module, {
        rows,
        width,
        rowStride: product.a.rowStride,
        columnStride: product.a.columnStride,
        panelStride: panels === "inPlace" ? product.b.rowStride : panelWidth,
        outputStride: columns,
        packed: packA,
      }).call(
        aNow.get,
        bNow.get,
        i32.add(c.get, i32.shl(panel.get, i32.const(5))),
        length.get,
        product.accumulate ? i32.const(1) : done.get,
      );
    const packLocal = (width: number): Code => [
      local.set(
        i32.add(
          i32.add(scratch.get, i32.const(localB)),
          i32.mul(i32.sub(panel.get, first.get), i32.shl(length.get, i32.const(5))),
        ),
      ),
      packPanel(module, { ...product.b, width }).call(
        i32.add(
          i32.add(b.get, i32.mul(panel.get, i32.const(4 * panelWidth * product.b.columnStride))),
          i32.mul(done.get, i32.const(4 * product.b.rowStride)),
        ),
        local.get,
        length.get,
      ),
      bNow.set(local.get),
    ];
    const find: Record<PanelPlace, (width: number) => Code> = {
      packed: () =>
        bNow.set(i32.add(
          b.get,
          i32.add(
            i32.mul(panel.get, i32.const(4 * panelWidth * product.k)),
            i32.shl(done.get, i32.const(5)),
          ),
        )),
      inPlace: () =>
        bNow.set(i32.add(
          b.get,
          i32.add(
            i32.shl(panel.get, i32.const(5)),
            i32.mul(done.get, i32.const(4 * product.b.rowStride)),
          ),
        )),
      local: packLocal,
    };
    const onePanel = (width: number): Code => [find[panels](width), multiply(width)];

    const kLoop: Code = [
      length.set(i32.sub(k.get, done.get)),
      control.if(i32.gtS(length.get, i32.const(kBlock)), length.set(i32.const(kBlock))),
      packA
        ? [
          packRows(module, rows, product.a.columnStride).call(
            i32.add(a.get, i32.mul(done.get, i32.const(4 * product.a.columnStride))),
            scratch.get,
            length.get,
          ),
          aNow.set(scratch.get),
        ]
        : aNow.set(i32.add(a.get, i32.mul(done.get, i32.const(4 * product.a.columnStride)))),
      countedLoop(panel, first.get, full.get, onePanel(panelWidth)),
      tail ? control.if(i32.gtS(end.get, full.get), [panel.set(full.get), onePanel(tail)]) : [],
    ];
    return made.body(
      full.set(control.select(end.get, i32.const(whole), i32.ltS(end.get, i32.const(whole)))),
      done.set(i32.const(0)),
      control.loop(
        kLoop,
        control.brIf(
          i32.ltS(done.tee(i32.add(done.get, length.get)), k.get),
          0,
        ),
      ),
    );
  });
}

/** The longest block of k of at most `most`, such that blocks are about equally long. */
export function evenBlock(k: number, most: number): number {
  const blocks = Math.max(1, Math.ceil(k / most));
  return Math.max(4, Math.ceil(k / blocks / 4) * 4);
}

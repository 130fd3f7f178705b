/**
 * @file Matrix products: blocking for caches and threads around the micro-kernel, after Goto and van
 * de Geijn (2008). Rows of A are read in place where they can be, B is packed into panels in a phase
 * of its own. Products with a vector, and those with a long k and a small result (gradients of
 * weights), have their own forms.
 */
import type { Kernel, MatrixView } from "../kernels.ts";
import { type Code, control, i32 } from "./assembler.ts";
import {
  type BlockProduct,
  blockProduct,
  blockScratchBytes,
  evenBlock,
  longestBlock,
  type PanelPlace,
  panelWidth,
} from "./block_product.ts";
import { sumChunks } from "./chunk_sum.ts";
import { alignBytes, type EmitterContext, type Phase } from "./emitter.ts";
import { countedLoop, minimum, rowSteps } from "./micro_kernel.ts";
import { packPanel } from "./packing.ts";
import { biased, rowFinish } from "./row_finish.ts";
import { isVectorProduct, vectorProduct } from "./vector_product.ts";

/** A product as the schedule gives it. */
export type ProductKernel = Extract<Kernel, { kind: "matmul" }>;

/** In place, B is read with as few rows of A as this, */
const fewRows = 12;
/** or when it has as few cells as this. */
const fewCells = 4096;

/** Candidates for the rows of a unit. */
const rowCounts = [6, 12, 16, 18, 24, 30, 36, 42, 48, 54, 60, 66];
/** And for the number of column blocks. */
const columnBlockCounts = [1, 2, 3, 4, 6, 8, 12, 16];

/** How a product is divided. */
interface ProductPlan {
  /** Rows of A a unit. */
  readonly rows: number;
  /** Panels of B a unit. */
  readonly panels: number;
  readonly place: PanelPlace;
  readonly packA: boolean;
  /** Into so many parts k is divided, the results of which are added up in a second phase. */
  readonly chunks: number;
}

/** Cells of shared scratch that the kernel needs. */
export function productScratchCells(kernel: ProductKernel): number {
  if (isVectorProduct(kernel)) return 0;
  const { m, n, k } = kernel;
  const plan = planProduct(kernel);
  if (plan.chunks > 1) return plan.chunks * m * n;
  if (plan.place !== "packed") return 0;
  return packedBatches(kernel) * Math.ceil(n / panelWidth) * panelWidth * k;
}

/** Of how many matrices B consists. */
function packedBatches({ batch, b }: ProductKernel): number {
  return b.batchStride === 0 ? 1 : batch;
}

/** The phases of a product. */
export function emitProduct(context: EmitterContext, kernel: ProductKernel): Phase[] {
  if (isVectorProduct(kernel)) return vectorProduct(context, kernel);
  if (kernel.batch * kernel.m * kernel.n === 0) return [];
  const plan = planProduct(kernel);
  if (plan.chunks > 1) return chunkedProduct(context, kernel, plan);
  const pack = plan.place === "packed" ? [packPhase(context, kernel)] : [];
  return [...pack, multiplyPhase(context, kernel, plan)];
}

/** Work of one call of the micro-kernel's loop, in units of the time of one row of eight columns. */
function rowsCost(rows: number): number {
  return rowSteps(rows).reduce((cost, step) => cost + Math.max(4, step), 0) + 1;
}

/**
 * Rows and panels a unit: such that two threads, and, less importantly, eight, finish early. A unit
 * costs the time of its rows, and something for reading panels and for being a unit at all.
 */
function divide(kernel: ProductKernel, packA: boolean, allColumns: boolean) {
  const { batch, m, n } = kernel;
  const panels = Math.ceil(n / panelWidth);
  let best = { rows: m, panels, cost: Infinity };
  const columnBlocks = allColumns ? [1] : columnBlockCounts;
  for (const rows of new Set(rowCounts.map((count) => Math.min(count, m)))) {
    for (const width of new Set(columnBlocks.map((count) => Math.ceil(panels / count)))) {
      const units = batch * Math.ceil(m / rows) * Math.ceil(panels / width);
      const unitCost = rowsCost(rows) * width + (packA ? rows : 0) + 8;
      const time = (threads: number) => Math.ceil(units / threads) * unitCost * threads;
      const cost = time(2) + 0.2 * time(8);
      if (cost < best.cost) best = { rows, panels: width, cost };
    }
  }
  return best;
}

function planProduct(kernel: ProductKernel): ProductPlan {
  const { batch, m, n, k, a, b, epilogue } = kernel;
  const packA = a.rowStride === 1 && a.columnStride !== 1 && n > panelWidth;
  if (batch === 1 && k >= 2048 && m * n <= 32768 && k >= 4 * Math.max(m, n)) {
    const chunks = Math.min(16, Math.floor(k / longestBlock));
    return { rows: m, panels: Math.ceil(n / panelWidth), place: "local", packA, chunks };
  }
  const { rows, panels } = divide(kernel, packA, epilogue !== undefined);
  const alone = rows >= m && (batch === 1 || b.batchStride !== 0);
  const inPlace = b.columnStride === 1 && (k * n <= fewCells || m <= fewRows);
  return {
    rows,
    panels,
    place: inPlace ? "inPlace" : alone ? "local" : "packed",
    packA,
    chunks: 1,
  };
}

const firstCell = (context: EmitterContext, view: MatrixView) =>
  context.address(view.buffer) + 4 * view.offset;

/** B into panels [batch][n/8][k][8] in the kernel's scratch. */
function packPhase(context: EmitterContext, kernel: ProductKernel): Phase {
  const { n, k, b } = kernel;
  const batches = packedBatches(kernel);
  const panels = Math.ceil(n / panelWidth);
  const tail = n % panelWidth;
  const code = context.module.shared(
    `packMatrix:${[n, k, b.batchStride, b.rowStride, b.columnStride, batches]}`,
    () => {
      const made = context.module.function("packMatrix", Array(5).fill("i32"));
      const [start, end, , from, to] = made.parameters;
      const [unit, panel] = made.locals("i32", 2);
      const pack = (width: number) =>
        packPanel(context.module, { ...b, width }).call(
          i32.add(
            from.get,
            i32.add(
              i32.mul(i32.divU(unit.get, i32.const(panels)), i32.const(4 * b.batchStride)),
              i32.mul(panel.get, i32.const(4 * panelWidth * b.columnStride)),
            ),
          ),
          i32.add(to.get, i32.mul(unit.get, i32.const(4 * panelWidth * k))),
          i32.const(k),
        );
      return made.body(countedLoop(unit, start.get, end.get, [
        panel.set(i32.remU(unit.get, i32.const(panels))),
        tail
          ? control.if(
            i32.eq(panel.get, i32.const(panels - 1)),
            pack(tail),
            panels > 1 ? pack(panelWidth) : undefined,
          )
          : pack(panelWidth),
      ]));
    },
  );
  return {
    code,
    pointers: [firstCell(context, b), context.kernelScratch],
    units: batches * panels,
    scratchBytes: 0,
    work: batches * n * k,
  };
}

/** A block product that does `rows` rows of the kernel. */
function blockOf(kernel: ProductKernel, plan: ProductPlan, rows: number): BlockProduct {
  const { n, k, a, b } = kernel;
  return {
    rows,
    columns: n,
    k,
    a: { rowStride: a.rowStride, columnStride: a.columnStride },
    b: { rowStride: b.rowStride, columnStride: b.columnStride },
    packA: plan.packA,
    panels: plan.place,
    kBlock: evenBlock(Math.ceil(k / plan.chunks), longestBlock),
  };
}

/** All units of the product: rows by panels. */
function multiplyPhase(context: EmitterContext, kernel: ProductKernel, plan: ProductPlan): Phase {
  const { batch, m, n, k, a, b } = kernel;
  const { module } = context;
  const finish = rowFinish(context, kernel.epilogue, batch * m, n);
  const panels = Math.ceil(n / panelWidth);
  const rowBlocks = Math.ceil(m / plan.rows);
  const columnBlocks = Math.ceil(panels / plan.panels);
  const lastRows = m - (rowBlocks - 1) * plan.rows;
  const full = blockOf(kernel, plan, plan.rows);
  const blockBytes = finish.keep ? 0 : alignBytes(plan.rows * n * 4);
  const productBytes = alignBytes(blockScratchBytes(full, plan.panels));
  const batchB = plan.place === "packed"
    ? b.batchStride === 0 ? 0 : panels * panelWidth * k
    : b.batchStride;

  const key = [
    JSON.stringify([full, plan.panels, batch, m, a.batchStride, batchB]),
    finish.key,
  ];
  const code = module.shared(`product:${key}`, () => {
    const made = module.function("product", Array(6 + finish.pointers.length).fill("i32"));
    const [start, end, scratch, aBase, bBase, cBase, ...rest] = made.parameters;
    const [unit, block, row, first, last, matrix, target, count] = made.locals("i32", 8);
    const multiply = (rows: number): Code =>
      blockProduct(module, blockOf(kernel, plan, rows)).call(
        i32.add(
          aBase.get,
          i32.add(
            i32.mul(matrix.get, i32.const(4 * a.batchStride)),
            i32.mul(row.get, i32.const(4 * a.rowStride)),
          ),
        ),
        i32.add(bBase.get, i32.mul(matrix.get, i32.const(4 * batchB))),
        target.get,
        i32.add(scratch.get, i32.const(blockBytes)),
        i32.const(k),
        first.get,
        last.get,
      );
    // Row number among all rows of all batches.
    const globalRow = i32.add(i32.mul(matrix.get, i32.const(m)), row.get);
    return made.body(countedLoop(unit, start.get, end.get, [
      block.set(i32.divU(unit.get, i32.const(columnBlocks))),
      first.set(
        i32.mul(
          i32.sub(unit.get, i32.mul(block.get, i32.const(columnBlocks))),
          i32.const(plan.panels),
        ),
      ),
      last.set(minimum(i32.add(first.get, i32.const(plan.panels)), panels)),
      matrix.set(i32.divU(block.get, i32.const(rowBlocks))),
      row.set(
        i32.mul(
          i32.sub(block.get, i32.mul(matrix.get, i32.const(rowBlocks))),
          i32.const(plan.rows),
        ),
      ),
      target.set(
        finish.keep ? i32.add(cBase.get, i32.mul(globalRow, i32.const(4 * n))) : scratch.get,
      ),
      count.set(minimum(i32.sub(i32.const(m), row.get), plan.rows)),
      lastRows === plan.rows ? multiply(plan.rows) : control.if(
        i32.ltS(count.get, i32.const(plan.rows)),
        multiply(lastRows),
        multiply(plan.rows),
      ),
      finish.finish(
        rest,
        globalRow,
        i32.add(globalRow, count.get),
        i32.add(scratch.get, i32.const(blockBytes)),
        biased(target.get, globalRow, n),
      ),
    ]));
  });
  return {
    code,
    pointers: [
      firstCell(context, a),
      plan.place === "packed" ? context.kernelScratch : firstCell(context, b),
      finish.keep ? context.address(kernel.output) : 0,
      ...finish.pointers,
    ],
    units: batch * rowBlocks * columnBlocks,
    scratchBytes: blockBytes + productBytes + finish.scratchBytes,
    work: 2 * batch * m * n * k,
  };
}

/** A product with a long k and a small result: parts of k, then their sum. */
function chunkedProduct(
  context: EmitterContext,
  kernel: ProductKernel,
  plan: ProductPlan,
): Phase[] {
  const { m, n, k, a, b } = kernel;
  const { module } = context;
  const panels = Math.ceil(n / panelWidth);
  const block = blockOf(kernel, plan, m);
  const length = Math.ceil(k / plan.chunks / block.kBlock) * block.kBlock;
  const chunks = Math.ceil(k / length);
  const code = module.shared(`productChunk:${JSON.stringify([block, length])}`, () => {
    const made = module.function("productChunk", Array(6).fill("i32"));
    const [start, end, scratch, aBase, bBase, partial] = made.parameters;
    const [unit, first] = made.locals("i32", 2);
    return made.body(countedLoop(unit, start.get, end.get, [
      first.set(i32.mul(unit.get, i32.const(length))),
      blockProduct(module, block).call(
        i32.add(aBase.get, i32.mul(first.get, i32.const(4 * a.columnStride))),
        i32.add(bBase.get, i32.mul(first.get, i32.const(4 * b.rowStride))),
        i32.add(partial.get, i32.mul(unit.get, i32.const(4 * m * n))),
        scratch.get,
        minimum(i32.sub(i32.const(k), first.get), length),
        i32.const(0),
        i32.const(panels),
      ),
    ]));
  });
  return [
    {
      code,
      pointers: [firstCell(context, a), firstCell(context, b), context.kernelScratch],
      units: chunks,
      scratchBytes: blockScratchBytes(block, panels),
      work: 2 * m * n * k,
    },
    sumChunks(context, {
      chunks,
      rows: m,
      columns: n,
      from: context.kernelScratch,
      to: kernel.epilogue?.keep === false ? 0 : context.address(kernel.output),
      finish: rowFinish(context, kernel.epilogue, m, n),
    }),
  ];
}

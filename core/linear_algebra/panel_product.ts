/**
 * @file Products of dense matrices in double precision, as WebAssembly on the compiler's threads:
 * blocks of 6×4 results held in registers while the depth runs, over panels packed for it (K. Goto
 * and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM Transactions on
 * Mathematical Software 34(3), 2008).
 *
 * A panel is twelve rows of an operand side by side: [depth][12]. Twelve are two blocks of six rows
 * and three of four columns, so the same panel serves as the left operand and as the right one, and
 * a product of a matrix with its own transpose packs it once.
 *
 * Why it is not a library's: of LAPACK for JavaScript there are hand translations (@stdlib/lapack,
 * blasjs, ml-matrix: scalar code, 1 to 2 GFLOP/s, no singular values in the first two) and one young
 * package in WebAssembly (@gcu/alpack 0.1: one thread, no singular values); what is here runs at
 * 19 GFLOP/s a core and shares the threads that there are already.
 */
import { type Code, control, f64x2, i32, type ModuleBuilder, v128 } from "../jit/wasm/assembler.ts";
import { alignBytes } from "../jit/wasm/emitter.ts";
import { countedLoop, minimum } from "../jit/wasm/micro_kernel.ts";
import { loadProgram } from "../jit/wasm/program.ts";
import { defaultThreads } from "../tensor/threads.ts";
import { load64Splat, multiplyAddFloat64 } from "./float64_instructions.ts";

/** Rows of a panel. */
export const panelRows = 12;
/** Depths are multiples of this; what is missing is zeros. */
export const depthStep = 4;
/** Panels of each operand that a tile of the result has at most. */
export const tilePanels = 8;

/** Steps of the depth in one go: two panels of as many take 36 KiB, less than the nearest cache. */
const depthBlock = 192;
const rowsAtOnce = 6;
/** Bytes of a step of the depth in a panel. */
const stepBytes = 8 * panelRows;

/** Part of a result: at most 96×96 numbers. Positions are indices of {@link PanelProducts.heap}. */
export interface Tile {
  /** Where the first panel of the left operand starts; the others follow it. */
  readonly left: number;
  readonly leftPanels: number;
  /** Where the first panel of the right operand starts. */
  readonly right: number;
  readonly rightPanels: number;
  /** Where the tile's first number lies. */
  readonly output: number;
}

/** What all tiles of a run have in common. */
export interface ProductShape {
  /** Length of the sums: a multiple of {@link depthStep}. */
  readonly depth: number;
  /** Cells between two panels of an operand: at least 12·depth. */
  readonly panelStride: number;
  /** Cells between two rows of the result. */
  readonly outputStride: number;
  /** Whether to add to what is there. */
  readonly accumulate?: boolean;
}

/** Memory for panels and results, and threads that multiply them. */
export interface PanelProducts {
  readonly threads: number;
  /** All cells; zero at first. Panels and results of even positions. */
  readonly heap: Float64Array;
  /** left·rightᵀ of each tile. Sums do not depend on the number of threads. */
  run(tiles: readonly Tile[], shape: ProductShape): void;
  dispose(): void;
}

/** Words of the header: depth, panelStride, outputStride (bytes), accumulate. */
const header = { depth: 0, panelStride: 4, outputStride: 8, accumulate: 12, bytes: 64 };
/** Words of a tile: addresses of left, right and output, and the numbers of panels. */
const tileWord = { left: 0, right: 4, output: 8, leftPanels: 12, rightPanels: 16, bytes: 32 };

/**
 * Opens memory for products.
 *
 * @param options.cells of the heap
 * @param options.tiles the most that one run has
 * @param options.threads one a processor where it is left out
 * @throws {DeviceMemoryError} (by the promise) where there is not enough memory
 */
export async function openPanelProducts(
  { cells, tiles: most, threads = defaultThreads() }: {
    readonly cells: number;
    readonly tiles: number;
    readonly threads?: number;
  },
): Promise<PanelProducts> {
  const heapOffset = alignBytes(header.bytes + tileWord.bytes * most);
  const program = await loadProgram({
    arenaCells: heapOffset / 4 + 2 * cells,
    threads,
    build: (module, arena) => [{
      name: "float64 product",
      accesses: { reads: [], writes: [] },
      phases: [{
        code: emitTiles(module),
        pointers: [arena, arena + header.bytes],
        units: most,
        scratchBytes: 0,
        work: Infinity,
      }],
    }],
  });
  const { memory, arena } = program;
  const heap = new Float64Array(memory.buffer, arena + heapOffset, cells);
  const words = new Int32Array(memory.buffer, arena, heapOffset / 4);
  const address = (cell: number) => arena + heapOffset + 8 * cell;
  return {
    threads: program.threads,
    heap,
    run(tiles, { depth, panelStride, outputStride, accumulate = false }) {
      words.fill(0);
      words.set([depth, 8 * panelStride, 8 * outputStride, +accumulate]);
      tiles.forEach((tile, i) => {
        // Threads take ranges of the list: they are to find as much in each.
        const unit = Math.floor(i * most / tiles.length);
        words.set([
          address(tile.left),
          address(tile.right),
          address(tile.output),
          tile.leftPanels,
          tile.rightPanels,
        ], (header.bytes + tileWord.bytes * unit) / 4);
      });
      program.run(1);
    },
    dispose: () => program.dispose(),
  };
}

/** (start, end, scratch, header, tiles): the tiles of a range of the list. */
function emitTiles(module: ModuleBuilder) {
  const block = emitBlock(module);
  const made = module.function("tiles", ["i32", "i32", "i32", "i32", "i32"]);
  const [start, end, , head, tiles] = made.parameters;
  const [tile, unit, from, steps, i, j, left, right, output] = made.locals("i32", 9);
  const field = (offset: number) => i32.load(tile.get, offset);
  const shape = (offset: number) => i32.load(head.get, offset);
  const panel = (base: number, index: Code) =>
    i32.add(
      i32.add(field(base), i32.mul(index, shape(header.panelStride))),
      i32.mul(from.get, i32.const(stepBytes)),
    );
  const blocks = countedLoop(j, i32.const(0), field(tileWord.rightPanels), [
    right.set(panel(tileWord.right, j.get)),
    countedLoop(i, i32.const(0), field(tileWord.leftPanels), [
      left.set(panel(tileWord.left, i.get)),
      output.set(i32.add(
        i32.add(field(tileWord.output), i32.mul(j.get, i32.const(stepBytes))),
        i32.mul(i.get, i32.mul(shape(header.outputStride), i32.const(panelRows))),
      )),
      block.call(
        left.get,
        right.get,
        output.get,
        steps.get,
        shape(header.outputStride),
        i32.or(shape(header.accumulate), from.get),
      ),
    ]),
  ]);
  return made.body(
    countedLoop(unit, start.get, end.get, [
      tile.set(i32.add(tiles.get, i32.mul(unit.get, i32.const(tileWord.bytes)))),
      countedLoop(
        from,
        i32.const(0),
        control.select(shape(header.depth), i32.const(0), field(tileWord.leftPanels)),
        [steps.set(minimum(i32.sub(shape(header.depth), from.get), depthBlock)), blocks],
        i32.const(depthBlock),
      ),
    ]),
  );
}

/**
 * (left, right, output, steps, output's stride in bytes, accumulate): a panel times a panel. Sums over
 * the block start at zero and are added at the end, so that long sums lose less to rounding.
 */
function emitBlock(module: ModuleBuilder) {
  const made = module.function("block", ["i32", "i32", "i32", "i32", "i32", "i32"]);
  const [left, right, output, steps, stride, accumulate] = made.parameters;
  const [leftAt, rightAt, outputAt, end] = made.locals("i32", 4);
  const accumulators = made.locals("v128", 2 * rowsAtOnce);
  const columns = made.locals("v128", 2);
  const cell = made.local("v128");
  const sums = Array.from({ length: rowsAtOnce }, (_, i) => accumulators.slice(2 * i, 2 * i + 2));

  const step = (row: number, column: number, k: number): Code => [
    columns.map((vector, j) =>
      vector.set(v128.load(rightAt.get, stepBytes * k + 8 * column + 16 * j))
    ),
    sums.map((pair, i) => [
      cell.set(load64Splat(leftAt.get, stepBytes * k + 8 * (row + i))),
      pair.map((sum, j) => sum.set(multiplyAddFloat64(cell.get, columns[j].get, sum.get))),
    ]),
  ];
  const eachRow = (body: (pair: typeof columns) => Code): Code =>
    sums.map((pair, i) => [
      body(pair),
      i + 1 < rowsAtOnce ? outputAt.set(i32.add(outputAt.get, stride.get)) : [],
    ]);
  const part = (row: number, column: number): Code => {
    const outputStart = outputAt.set(i32.add(
      i32.add(output.get, i32.const(8 * column)),
      i32.mul(stride.get, i32.const(row)),
    ));
    return [
      accumulators.map((sum) => sum.set(f64x2.const(0))),
      leftAt.set(left.get),
      rightAt.set(right.get),
      control.loop(
        Array.from({ length: depthStep }, (_, k) => step(row, column, k)),
        leftAt.set(i32.add(leftAt.get, i32.const(depthStep * stepBytes))),
        control.brIf(
          i32.ltU(
            rightAt.tee(i32.add(rightAt.get, i32.const(depthStep * stepBytes))),
            end.get,
          ),
          0,
        ),
      ),
      control.if(accumulate.get, [
        outputStart,
        eachRow((pair) =>
          pair.map((sum, j) => sum.set(f64x2.add(sum.get, v128.load(outputAt.get, 16 * j))))
        ),
      ]),
      outputStart,
      eachRow((pair) => pair.map((sum, j) => v128.store(outputAt.get, sum.get, 16 * j))),
    ];
  };
  const rows = [0, 6], columnStarts = [0, 4, 8];
  return made.body(
    end.set(i32.add(right.get, i32.mul(steps.get, i32.const(stepBytes)))),
    rows.map((row) => columnStarts.map((column) => part(row, column))),
  );
}

/**
 * @file Reduction of a matrix to an upper bidiagonal one with the same singular values, by Householder
 * reflections from both sides (G. Golub and W. Kahan, "Calculating the Singular Values and
 * Pseudo-Inverse of a Matrix", 1965), in an order that passes over the matrix once a step (G. Howell,
 * J. Demmel, C. Fulton, S. Hammarling and K. Marmol, "Cache Efficient Bidiagonalization Using BLAS 2.5
 * Operators", ACM Transactions on Mathematical Software 34(3), 2008): while a column is in the nearest
 * cache it gets the previous step's update, gives its product with the left reflection's vector,
 * therefore its cell of the reflected row, and therefore its part of the product of the matrix with that
 * row, from which the right reflection's vector differs in one cell.
 *
 * In LAPACK's order half of the operations are products of matrices; but memory is what bounds here,
 * and this order reads and writes each cell that is left once a step, 16/3·n³ bytes or 46 GB for
 * n = 2048: 2.1 seconds on one thread.
 */
import { type Code, control, f64x2, i32, type ModuleBuilder, v128 } from "../jit/wasm/assembler.ts";
import type { Phase } from "../jit/wasm/emitter.ts";
import { countedLoop } from "../jit/wasm/micro_kernel.ts";
import { loadProgram } from "../jit/wasm/program.ts";
import { defaultThreads } from "../tensor/threads.ts";
import { type Interruptible, pauses } from "../pauses.ts";
import {
  extractFloat64,
  load64Splat,
  multiplyAddFloat64,
  negativeMultiplyAddFloat64,
  storeFloat64,
} from "./float64_instructions.ts";

/** The diagonal, and what is above it. */
export interface Bidiagonal {
  /** n numbers. */
  readonly diagonal: Float64Array;
  /** n − 1 numbers. */
  readonly above: Float64Array;
}

/** Columns that are passed over together. */
const group = 4;
/** Columns of a unit of work: each has its own sum over columns, so that sums have one order. */
const blockColumns = 32;
/** Rows of a unit of work where those sums are added. */
const blockRows = 256;

/** Up to the next multiple. */
const roundUp = (value: number, step: number) => Math.ceil(value / step) * step;

/** Where things are: cells from the start of the arena; the first 64 bytes are for the header. */
function arrange(rows: number, columns: number) {
  const stride = roundUp(rows, blockRows), width = roundUp(columns, blockColumns);
  const blocks = width / blockColumns;
  let cells = 8;
  const take = (count: number) => (cells += count) - count;
  return {
    stride,
    width,
    blocks,
    list: take(roundUp(blocks, 8)),
    matrix: take(stride * width),
    /** Of the previous step: u, x by row; y, v by column. */
    u0: take(stride),
    x0: take(stride),
    y0: take(width),
    v0: take(width),
    /** Of this step: u by row; uᵀA and the reflected row by column. */
    u: take(stride),
    z: take(width),
    row: take(width),
    /** The matrix times that row: by block of columns, and in all. */
    parts: take(stride * blocks),
    product: take(stride),
    cells,
  };
}

/** Words of the header: the step k, and τ of its left reflection. */
const header = { first: 0, tau: 8 };

type Places = ReturnType<typeof arrange>;

/**
 * The bidiagonal of a matrix, which is scaled so that squares neither overflow nor vanish.
 *
 * @param matrix rows·columns numbers, column by column: rows ≥ columns
 * @param options.threads one a processor where it is left out
 * @throws {DeviceMemoryError} (by the promise) where there is not enough memory
 */
export async function bidiagonalise(
  matrix: Float64Array,
  rows: number,
  columns: number,
  { threads = defaultThreads(), signal, onProgress }: Interruptible & { threads?: number } = {},
): Promise<Bidiagonal> {
  const places = arrange(rows, columns);
  const program = await loadProgram({
    arenaCells: 2 * places.cells,
    threads,
    build: (module, arena) => {
      const phases = [emitPass(module, arena, places), emitSums(module, arena, places)];
      return [{ name: "bidiagonalisation", accesses: { reads: [], writes: [] }, phases }];
    },
  });
  try {
    const { memory, arena } = program;
    const heap = new Float64Array(memory.buffer, arena, places.cells);
    const scale = largest(matrix) || 1;
    for (let j = 0; j < columns; j++) {
      const column = matrix.subarray(j * rows, (j + 1) * rows);
      const at = places.matrix + j * places.stride;
      for (let i = 0; i < rows; i++) heap[at + i] = column[i] / scale;
    }
    const pause = pauses(signal);
    const step = reducer(heap, places, rows, columns);
    const diagonal = new Float64Array(columns), above = new Float64Array(Math.max(0, columns - 1));
    for (let k = 0; k < columns; k++) {
      diagonal[k] = scale * step.left(k);
      if (k + 1 < columns) {
        program.run(1);
        above[k] = scale * step.right(k);
      }
      if (k % 64 === 0) onProgress?.(k, columns);
      await pause();
    }
    onProgress?.(columns, columns);
    return { diagonal, above };
  } finally {
    program.dispose();
  }
}

function largest(values: Float64Array): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
}

/**
 * What is done to single columns and rows. A step k makes H = I − τuuᵀ of the column k, and with
 * y = τAᵀu of the row (H A)_k the reflection I − πvvᵀ; with x = πHAv the matrix becomes A − uyᵀ − xvᵀ,
 * which the next step's pass carries out.
 */
function reducer(heap: Float64Array, places: Places, rows: number, columns: number) {
  const view = (start: number, length: number) => heap.subarray(start, start + length);
  const { stride, width } = places;
  const u0 = view(places.u0, stride), x0 = view(places.x0, stride), u = view(places.u, stride);
  const y0 = view(places.y0, width), v0 = view(places.v0, width);
  const z = view(places.z, width), row = view(places.row, width);
  const product = view(places.product, stride);
  const column = (j: number) => view(places.matrix + j * stride, stride);
  const words = new Int32Array(heap.buffer, heap.byteOffset, 2);
  const list = new Int32Array(heap.buffer, heap.byteOffset + 8 * places.list, places.blocks);
  let tau = 0;
  return {
    /** The left reflection of step k; its cell of the diagonal. */
    left(k: number): number {
      const own = column(k);
      for (let i = k; i < rows; i++) own[i] -= u0[i] * y0[k] + x0[i] * v0[k];
      u.fill(0);
      const reflection = reflect(own, k, rows, u);
      tau = reflection.tau;
      // A column that is done is zeros, so that passes over it change nothing.
      own.fill(0);
      y0[k] = v0[k] = 0;
      if (k > 0) u0[k - 1] = x0[k - 1] = 0;
      words[0] = k;
      heap[1] = tau;
      const first = Math.floor((k + 1) / blockColumns), active = places.blocks - first;
      // Threads take ranges of the list: they are to find as much in each.
      list.fill(-1);
      for (let b = 0; b < active; b++) list[Math.floor(b * places.blocks / active)] = first + b;
      return reflection.value;
    },
    /** The right reflection of step k, after the pass; its cell above the diagonal. */
    right(k: number): number {
      const next = column(k + 1), lead = row[k + 1];
      v0.fill(0);
      const { tau: pi, value, divisor } = reflect(row, k + 1, columns, v0);
      let along = 0;
      for (let j = k + 1; j < columns; j++) {
        y0[j] = tau * z[j];
        along += y0[j] * v0[j];
      }
      // HAv = A v − u (yᵀv), and v = (row − value·e₁)/divisor.
      const byRow = pi === 0 ? 0 : pi / divisor, byColumn = value * byRow, byLeft = pi * along;
      for (let i = k + 1; i < rows; i++) {
        x0[i] = byRow * product[i] - byColumn * next[i] - byLeft * u[i];
      }
      x0[k] = 0;
      u0.set(u);
      u0[k] = 0;
      return pi === 0 ? lead : value;
    },
  };
}

/**
 * The reflection I − τ wwᵀ, w₀ = 1, that takes values[from … to) to (value, 0, 0, …), as LAPACK's
 * dlarfg.
 *
 * @param vector where w goes, from index `from` on
 * @returns τ (0 where nothing is to be reflected), value, and what the values were divided by, but for
 * the first, to give w
 */
function reflect(values: Float64Array, from: number, to: number, vector: Float64Array) {
  let rest = 0;
  for (let i = from + 1; i < to; i++) rest += values[i] * values[i];
  const lead = values[from];
  if (rest === 0) return { tau: 0, value: lead, divisor: 1 };
  const length = Math.sqrt(lead * lead + rest);
  const value = lead > 0 ? -length : length;
  const divisor = lead - value;
  vector[from] = 1;
  for (let i = from + 1; i < to; i++) vector[i] = values[i] / divisor;
  return { tau: -divisor / value, value, divisor };
}

/** The pass over the columns after k, a unit for each block of them. */
function emitPass(module: ModuleBuilder, arena: number, places: Places): Phase {
  const at = (cell: number) => i32.const(arena + 8 * cell);
  const made = module.function("pass", ["i32", "i32", "i32"]);
  const [start, end] = made.parameters;
  const [unit, block, from, j, byColumn, columnAt, top, own] = made.locals("i32", 8);
  const parts = [emitUpdate(module, arena, places), emitAdd(module, arena, places)];
  const k = i32.load(at(0), header.first);
  return {
    code: made.body(
      // Vectors hold two rows: those before k have zeros in u, u₀ and x₀.
      top.set(i32.mul(i32.and(k, i32.const(-2)), i32.const(8))),
      countedLoop(unit, start.get, end.get, [
        block.set(i32.load(i32.add(at(places.list), i32.shl(unit.get, i32.const(2))))),
        control.if(i32.geS(block.get, i32.const(0)), [
          own.set(i32.add(
            at(places.parts),
            i32.mul(block.get, i32.const(8 * places.stride)),
          )),
          control.memoryFill(
            i32.add(own.get, top.get),
            i32.const(0),
            i32.sub(i32.const(8 * places.stride), top.get),
          ),
          j.set(i32.mul(block.get, i32.const(blockColumns))),
          // Whole groups: columns up to k are zeros.
          from.set(i32.and(i32.add(k, i32.const(1)), i32.const(-group))),
          from.set(control.select(from.get, j.get, i32.gtS(from.get, j.get))),
          countedLoop(
            j,
            from.get,
            i32.mul(i32.add(block.get, i32.const(1)), i32.const(blockColumns)),
            [
              byColumn.set(i32.shl(j.get, i32.const(3))),
              columnAt.set(i32.add(
                at(places.matrix),
                i32.mul(j.get, i32.const(8 * places.stride)),
              )),
              parts[0].call(columnAt.get, byColumn.get, top.get),
              parts[0].call(
                i32.add(columnAt.get, i32.const(16 * places.stride)),
                i32.add(byColumn.get, i32.const(16)),
                top.get,
              ),
              parts[1].call(columnAt.get, byColumn.get, top.get, own.get),
            ],
            i32.const(group),
          ),
        ]),
      ]),
    ),
    pointers: [],
    units: places.blocks,
    scratchBytes: 0,
    work: Infinity,
  };
}

/**
 * (column, 8·its number, 8·first row): two columns a ← a − y₀u₀ − v₀x₀, z = u·a, and their cells of the
 * reflected row, a_k − τz.
 */
function emitUpdate(module: ModuleBuilder, arena: number, places: Places) {
  const at = (cell: number) => arena + 8 * cell;
  const made = module.function("update", ["i32", "i32", "i32"]);
  const [columnAt, byColumn, top] = made.parameters;
  const [cell, row] = made.locals("i32", 2);
  const y = made.locals("v128", 2), v = made.locals("v128", 2), a = made.local("v128");
  const sums = made.locals("v128", 4);
  const [u, u0, x0] = made.locals("v128", 3);
  const cells = (column: number, step: number) => 8 * places.stride * column + 16 * step;
  const steps = [0, 1].map((step): Code => [
    u.set(v128.load(row.get, at(places.u) + 16 * step)),
    u0.set(v128.load(row.get, at(places.u0) + 16 * step)),
    x0.set(v128.load(row.get, at(places.x0) + 16 * step)),
    [0, 1].map((column): Code => [
      a.set(negativeMultiplyAddFloat64(
        v[column].get,
        x0.get,
        negativeMultiplyAddFloat64(
          y[column].get,
          u0.get,
          v128.load(cell.get, cells(column, step)),
        ),
      )),
      v128.store(cell.get, a.get, cells(column, step)),
      sums[2 * column + step].set(
        multiplyAddFloat64(a.get, u.get, sums[2 * column + step].get),
      ),
    ]),
  ]);
  const sum = (column: number) => {
    const pair = sums[2 * column];
    return f64x2.add(pair.get, shuffleHalves(pair.get));
  };
  return made.body(
    [0, 1].map((column) => [
      y[column].set(load64Splat(byColumn.get, at(places.y0) + 8 * column)),
      v[column].set(load64Splat(byColumn.get, at(places.v0) + 8 * column)),
    ]),
    sums.map((each) => each.set(f64x2.const(0))),
    cell.set(i32.add(columnAt.get, top.get)),
    countedLoop(
      row,
      top.get,
      i32.const(8 * places.stride),
      [steps, cell.set(i32.add(cell.get, i32.const(32)))],
      i32.const(32),
    ),
    [0, 1].map((column): Code => [
      sums[2 * column].set(f64x2.add(sums[2 * column].get, sums[2 * column + 1].get)),
      a.set(sum(column)),
      storeFloat64(byColumn.get, extractFloat64(a.get, 0), at(places.z) + 8 * column),
      cell.set(i32.add(
        i32.add(columnAt.get, i32.const(8 * places.stride * column)),
        i32.shl(i32.load(i32.const(arena), header.first), i32.const(3)),
      )),
      storeFloat64(
        byColumn.get,
        extractFloat64(
          f64x2.sub(
            load64Splat(cell.get),
            f64x2.mul(load64Splat(i32.const(arena), header.tau), a.get),
          ),
          0,
        ),
        at(places.row) + 8 * column,
      ),
    ]),
  );
}

/** The two lanes of a vector, exchanged. */
function shuffleHalves(vector: Code): Code {
  return v128.shuffle32(vector, vector, [2, 3, 0, 1]);
}

/** (column, 8·its number, 8·first row, part): four columns times their cells of the row, added. */
function emitAdd(module: ModuleBuilder, arena: number, places: Places) {
  const made = module.function("add", ["i32", "i32", "i32", "i32"]);
  const [columnAt, byColumn, top, part] = made.parameters;
  const [cell, to, end] = made.locals("i32", 3);
  const factors = made.locals("v128", group), sum = made.local("v128");
  return made.body(
    factors.map((factor, column) =>
      factor.set(load64Splat(byColumn.get, arena + 8 * places.row + 8 * column))
    ),
    cell.set(i32.add(columnAt.get, top.get)),
    end.set(i32.add(part.get, i32.const(8 * places.stride))),
    countedLoop(
      to,
      i32.add(part.get, top.get),
      end.get,
      [
        [0, 1].map((step): Code => [
          sum.set(v128.load(to.get, 16 * step)),
          factors.map((factor, column) =>
            sum.set(multiplyAddFloat64(
              factor.get,
              v128.load(cell.get, 8 * places.stride * column + 16 * step),
              sum.get,
            ))
          ),
          v128.store(to.get, sum.get, 16 * step),
        ]),
        cell.set(i32.add(cell.get, i32.const(32))),
      ],
      i32.const(32),
    ),
  );
}

/** The parts of all blocks added, a unit for so many rows. */
function emitSums(module: ModuleBuilder, arena: number, places: Places): Phase {
  const at = (cell: number) => i32.const(arena + 8 * cell);
  const made = module.function("sums", ["i32", "i32", "i32"]);
  const [start, end] = made.parameters;
  const [row, from, first, cell] = made.locals("i32", 4);
  const sums = made.locals("v128", 4);
  const k = i32.load(at(0), header.first);
  const bytes = 16 * sums.length;
  return {
    code: made.body(
      first.set(i32.divU(i32.add(k, i32.const(1)), i32.const(blockColumns))),
      from.set(i32.mul(start.get, i32.const(8 * blockRows))),
      // Whole vectors from an even row on, as in the pass.
      cell.set(i32.and(i32.mul(k, i32.const(8)), i32.const(-bytes))),
      from.set(control.select(from.get, cell.get, i32.gtS(from.get, cell.get))),
      countedLoop(row, from.get, i32.mul(end.get, i32.const(8 * blockRows)), [
        sums.map((sum) => sum.set(f64x2.const(0))),
        countedLoop(
          cell,
          i32.add(
            i32.add(at(places.parts), row.get),
            i32.mul(first.get, i32.const(8 * places.stride)),
          ),
          at(places.parts + places.stride * places.blocks),
          sums.map((sum, i) => sum.set(f64x2.add(sum.get, v128.load(cell.get, 16 * i)))),
          i32.const(8 * places.stride),
        ),
        sums.map((sum, i) => v128.store(row.get, sum.get, arena + 8 * places.product + 16 * i)),
      ], i32.const(bytes)),
    ),
    pointers: [],
    units: places.stride / blockRows,
    scratchBytes: 0,
    work: Infinity,
  };
}

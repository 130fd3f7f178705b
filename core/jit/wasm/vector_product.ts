/**
 * @file Products of matrices with single vectors, which move every cell of the matrix just once:
 * along k where the matrix's rows are contiguous, along the result where its columns are.
 */
import type { Kernel, MatrixView } from "../kernels.ts";
import {
  type Code,
  control,
  f32,
  f32x4,
  type FunctionBuilder,
  i32,
  type Local,
  type ModuleBuilder,
  v128,
} from "./assembler.ts";
import { alignBytes, type EmitterContext, multiplyAdd, type Phase } from "./emitter.ts";
import { countedLoop, loadLanes, storeColumns } from "./micro_kernel.ts";
import { gatherLanes } from "./packing.ts";
import { biased, rowFinish } from "./row_finish.ts";

type ProductKernel = Extract<Kernel, { kind: "matmul" }>;

/** result[i] = Σ_k matrix[i, k] vector[k]; strides in cells, by the roles here. */
interface VectorProduct {
  readonly length: number;
  readonly k: number;
  readonly matrix: MatrixView;
  readonly vector: { readonly view: MatrixView; readonly stride: number };
}

/** Rows of results a unit. */
const rowsPerUnit = 16;

function asVectorProduct(kernel: ProductKernel): VectorProduct | null {
  const { m, n, k, a, b, epilogue } = kernel;
  const product = n === 1
    ? { length: m, k, matrix: a, vector: { view: b, stride: b.rowStride } }
    : m === 1 && !epilogue
    ? {
      length: n,
      k,
      matrix: { ...b, rowStride: b.columnStride, columnStride: b.rowStride },
      vector: { view: a, stride: a.columnStride },
    }
    : null;
  if (!product || k === 0) return null;
  const { rowStride, columnStride } = product.matrix;
  return rowStride === 1 || columnStride === 1 || product.length === 1 || k === 1 ? product : null;
}

/** Whether the product is one of a matrix and a vector in a form made here. */
export function isVectorProduct(kernel: ProductKernel): boolean {
  return asVectorProduct(kernel) !== null;
}

/** The phase of such a product. */
export function vectorProduct(context: EmitterContext, kernel: ProductKernel): Phase[] {
  const product = asVectorProduct(kernel);
  if (!product) throw new Error("not a product with a vector");
  const { batch } = kernel;
  const { length, k, matrix, vector } = product;
  const finish = rowFinish(context, kernel.epilogue, batch * length, 1);
  const blocks = Math.ceil(length / rowsPerUnit);
  const last = length - (blocks - 1) * rowsPerUnit;
  const copyBytes = vector.stride === 1 ? 0 : alignBytes(4 * k);
  const blockBytes = finish.keep ? 0 : 64;
  const { batchStride, rowStride, columnStride } = matrix;
  const key = [
    ...[batch, length, k, batchStride, rowStride, columnStride],
    ...[vector.view.batchStride, vector.stride, finish.key],
  ];
  const code = context.module.shared(`vectorProduct:${key}`, () => {
    const made = context.module.function(
      "vectorProduct",
      Array(6 + finish.pointers.length).fill("i32"),
    );
    const [start, end, scratch, matrixBase, vectorBase, output, ...rest] = made.parameters;
    const [unit, item, row, count, target, from, values, known] = made.locals("i32", 8);
    const inRows = columnStride === 1 && k > 1 || rowStride !== 1 && length > 1;
    const call = (rows: number) =>
      (inRows
        ? rowDots(context.module, rows, k, rowStride)
        : columnSums(context.module, rows, k, columnStride))
        .call(from.get, values.get, target.get);
    const globalRow = i32.add(i32.mul(item.get, i32.const(length)), row.get);
    return made.body(
      known.set(i32.const(-1)),
      countedLoop(unit, start.get, end.get, [
        item.set(i32.divU(unit.get, i32.const(blocks))),
        row.set(
          i32.mul(
            i32.sub(unit.get, i32.mul(item.get, i32.const(blocks))),
            i32.const(rowsPerUnit),
          ),
        ),
        control.if(i32.ne(known.get, item.get), [
          known.set(item.get),
          values.set(
            i32.add(
              vectorBase.get,
              i32.mul(item.get, i32.const(4 * vector.view.batchStride)),
            ),
          ),
          copyBytes
            ? [
              copyStrided(context.module, vector.stride).call(
                values.get,
                scratch.get,
                i32.const(k),
              ),
              values.set(scratch.get),
            ]
            : [],
        ]),
        from.set(
          i32.add(
            matrixBase.get,
            i32.add(
              i32.mul(item.get, i32.const(4 * matrix.batchStride)),
              i32.mul(row.get, i32.const(4 * matrix.rowStride)),
            ),
          ),
        ),
        target.set(
          finish.keep
            ? i32.add(output.get, i32.shl(globalRow, i32.const(2)))
            : i32.add(scratch.get, i32.const(copyBytes)),
        ),
        count.set(i32.sub(i32.const(length), row.get)),
        control.if(
          i32.gtS(count.get, i32.const(rowsPerUnit)),
          count.set(i32.const(rowsPerUnit)),
        ),
        last === rowsPerUnit || blocks === 1 ? call(last) : control.if(
          i32.ltS(count.get, i32.const(rowsPerUnit)),
          call(last),
          call(rowsPerUnit),
        ),
        finish.finish(
          rest,
          globalRow,
          i32.add(globalRow, count.get),
          i32.add(scratch.get, i32.const(copyBytes + blockBytes)),
          biased(target.get, globalRow, 1),
        ),
      ]),
    );
  });
  return [{
    code,
    pointers: [
      context.address(matrix.buffer) + 4 * matrix.offset,
      context.address(vector.view.buffer) + 4 * vector.view.offset,
      finish.keep ? context.address(kernel.output) : 0,
      ...finish.pointers,
    ],
    units: batch * blocks,
    scratchBytes: copyBytes + blockBytes + finish.scratchBytes,
    work: 2 * batch * length * k,
  }];
}

/** The function (source, target, count) that copies cells so many apart to neighbours. */
function copyStrided(module: ModuleBuilder, stride: number): FunctionBuilder {
  return module.shared(`copyStrided:${stride}`, () => {
    const made = module.function("copyStrided", ["i32", "i32", "i32"]);
    const [from, to, count] = made.parameters;
    const i = made.local("i32");
    const step = (cells: number, copy: Code): Code => [
      copy,
      from.set(i32.add(from.get, i32.const(4 * stride * cells))),
      to.set(i32.add(to.get, i32.const(4 * cells))),
    ];
    const fours = i32.and(count.get, i32.const(-4));
    return made.body(
      countedLoop(
        i,
        i32.const(0),
        fours,
        step(4, v128.store(to.get, gatherLanes(from, 4, stride, 0))),
        i32.const(4),
      ),
      countedLoop(i, fours, count.get, step(1, f32.store(to.get, f32.load(from.get)))),
    );
  });
}

/** The function (matrix, vector, target): products of so many rows, contiguous along k. */
function rowDots(
  module: ModuleBuilder,
  rows: number,
  k: number,
  rowStride: number,
): FunctionBuilder {
  return module.shared(`rowDots:${[rows, k, rowStride]}`, () => {
    const made = module.function("rowDots", ["i32", "i32", "i32"]);
    const [matrix, vector, target] = made.parameters;
    const [at, valuesAt, end, rowsEnd] = made.locals("i32", 4);
    const sums = made.locals("v128", 8);
    const values = made.local("v128");
    const step = (count: number, lanes: number, number: number): Code =>
      Array.from({ length: number }, (_, i) => [
        values.set(loadLanes(valuesAt.get, lanes, 16 * i)),
        sums.slice(4 * i, 4 * i + count).map((sum, row) =>
          sum.set(
            multiplyAdd(
              loadLanes(at.get, lanes, 16 * i + 4 * rowStride * row),
              values.get,
              sum.get,
            ),
          )
        ),
        i + 1 < number ? [] : [
          at.set(i32.add(at.get, i32.const(16 * number))),
          valuesAt.set(i32.add(valuesAt.get, i32.const(16 * number))),
        ],
      ]);
    const group = (count: number): Code => [
      sums.map((sum) => sum.set(f32x4.const(0))),
      at.set(matrix.get),
      valuesAt.set(vector.get),
      end.set(i32.add(valuesAt.get, i32.const(4 * (k - k % 8)))),
      k < 8 ? [] : control.loop(
        step(count, 4, 2),
        control.brIf(i32.ltU(valuesAt.get, end.get), 0),
      ),
      k % 8 >= 4 ? step(count, 4, 1) : [],
      k % 4 ? step(count, k % 4, 1) : [],
      combineLanes(sums, values),
      storeColumns(target.get, [values.get], count, 0),
      matrix.set(i32.add(matrix.get, i32.const(4 * rowStride * count))),
      target.set(i32.add(target.get, i32.const(4 * count))),
    ];
    const groups = Math.floor(rows / 4);
    return made.body(
      groups === 0 ? [] : [
        rowsEnd.set(i32.add(target.get, i32.const(16 * groups))),
        control.loop(group(4), control.brIf(i32.ne(target.get, rowsEnd.get), 0)),
      ],
      rows % 4 ? group(rows % 4) : [],
    );
  });
}

/** Sets lane i of the total to the sum of all lanes of sums i and i + 4. */
function combineLanes(sums: readonly Local[], total: Local): Code {
  const [a, b, c, d] = sums;
  return [
    sums.slice(0, 4).map((sum, i) => sum.set(f32x4.add(sum.get, sums[i + 4].get))),
    // [a0 + a2, b0 + b2, a1 + a3, b1 + b3], and the same of c and d.
    a.set(f32x4.add(
      v128.shuffle32(a.get, b.get, [0, 4, 1, 5]),
      v128.shuffle32(a.get, b.get, [2, 6, 3, 7]),
    )),
    c.set(f32x4.add(
      v128.shuffle32(c.get, d.get, [0, 4, 1, 5]),
      v128.shuffle32(c.get, d.get, [2, 6, 3, 7]),
    )),
    total.set(f32x4.add(
      v128.shuffle32(a.get, c.get, [0, 1, 4, 5]),
      v128.shuffle32(a.get, c.get, [2, 3, 6, 7]),
    )),
  ];
}

/** The function (matrix, vector, target): sums of columns, so many cells each, contiguous. */
function columnSums(
  module: ModuleBuilder,
  rows: number,
  k: number,
  columnStride: number,
): FunctionBuilder {
  return module.shared(`columnSums:${[rows, k, columnStride]}`, () => {
    const made = module.function("columnSums", ["i32", "i32", "i32"]);
    const [matrix, vector, target] = made.parameters;
    const end = made.local("i32");
    const vectors = Math.ceil(rows / 4);
    const sums = made.locals("v128", 8);
    const value = made.local("v128");
    const step = (number: number): Code => [
      Array.from({ length: number }, (_, i) => [
        value.set(v128.load32Splat(vector.get, 4 * i)),
        sums.slice(4 * i, 4 * i + vectors).map((sum, j) =>
          sum.set(
            multiplyAdd(
              value.get,
              loadLanes(matrix.get, rows - 4 * j, 4 * columnStride * i + 16 * j),
              sum.get,
            ),
          )
        ),
      ]),
      matrix.set(i32.add(matrix.get, i32.const(4 * columnStride * number))),
      vector.set(i32.add(vector.get, i32.const(4 * number))),
    ];
    return made.body(
      sums.map((sum) => sum.set(f32x4.const(0))),
      end.set(i32.add(vector.get, i32.const(4 * (k - k % 2)))),
      k < 2 ? [] : control.loop(step(2), control.brIf(i32.ltU(vector.get, end.get), 0)),
      k % 2 ? step(1) : [],
      sums.slice(0, 4).map((sum, j) => sum.set(f32x4.add(sum.get, sums[j + 4].get))),
      storeColumns(target.get, sums.slice(0, vectors).map((sum) => sum.get), rows, 0),
    );
  });
}

/** @file Products against sums written out. */
import { assert, assertEquals } from "@std/assert";
import {
  emitProduct,
  type ProductKernel,
  productScratchCells,
} from "../../../../core/jit/wasm/product.ts";
import { rowsEpilogue } from "./epilogue.ts";
import { prepare, relativeError, runEveryWay, uniform, uniformCells } from "./emitted.ts";

interface Case {
  readonly batch?: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** B is the same for the whole batch. */
  readonly sharedB?: boolean;
  /** What `bias` and `rectify` do, and whether the plain product is kept. */
  readonly epilogue?: "kept" | "dropped";
}

const [aBuffer, bBuffer, output, biasBuffer, rectified] = [0, 1, 2, 3, 4];

function kernelOf(c: Case): ProductKernel {
  const { batch = 1, m, n, k, transposeA, transposeB, sharedB, epilogue } = c;
  return {
    kind: "matmul",
    batch,
    m,
    n,
    k,
    a: {
      buffer: aBuffer,
      offset: 0,
      batchStride: batch === 1 ? 0 : m * k,
      rowStride: transposeA ? 1 : k,
      columnStride: transposeA ? m : 1,
    },
    b: {
      buffer: bBuffer,
      offset: 3,
      batchStride: batch === 1 || sharedB ? 0 : k * n,
      rowStride: transposeB ? 1 : n,
      columnStride: transposeB ? k : 1,
    },
    output,
    ...(epilogue && {
      epilogue: rowsEpilogue(batch * m, n, {
        keep: epilogue === "kept",
        product: output,
        bias: biasBuffer,
        output: rectified,
      }),
    }),
  };
}

/** The product in double precision. */
function expectedOf(
  { batch, m, n, k, a, b }: ProductKernel,
  left: Float32Array,
  right: Float32Array,
) {
  const result = new Float64Array(batch * m * n);
  for (let z = 0; z < batch; z++) {
    for (let i = 0; i < m; i++) {
      for (let l = 0; l < k; l++) {
        const cell = left[a.offset + z * a.batchStride + i * a.rowStride + l * a.columnStride];
        const from = b.offset + z * b.batchStride + l * b.rowStride;
        for (let j = 0; j < n; j++) {
          result[(z * m + i) * n + j] += cell * right[from + j * b.columnStride];
        }
      }
    }
  }
  return result;
}

function check(c: Case): void {
  const kernel = kernelOf(c);
  const { batch, m, n, k } = kernel;
  const random = uniform(m * 7919 + n * 104729 + k);
  const left = uniformCells(batch * m * k, random);
  const right = uniformCells((kernel.b.batchStride ? batch : 1) * k * n + 3, random);
  const bias = uniformCells(n, random);
  const expected = expectedOf(kernel, left, right);
  const emitted = prepare(
    [left, right, batch * m * n, bias, batch * m * n],
    productScratchCells(kernel),
    (context) => emitProduct(context, kernel),
  );
  const name = JSON.stringify(c);
  const limit = 1e-6 * Math.sqrt(k) + 1e-6;
  if (c.epilogue) {
    const after = expected.map((value, i) => Math.max(0, value + bias[i % n]));
    assert(relativeError(runEveryWay(emitted, rectified), after) < limit, name);
  }
  if (c.epilogue !== "dropped") {
    assert(relativeError(runEveryWay(emitted, output), expected) < limit, name);
  } else assert(emitted.buffer(output).every(Number.isNaN), "stored all the same");
}

const layouts = [
  {},
  { transposeA: true },
  { transposeB: true },
  { transposeA: true, transposeB: true },
];

Deno.test("small products of every shape and layout", () => {
  for (const m of [1, 2, 5, 6, 7, 13]) {
    for (const n of [1, 3, 4, 8, 11, 17]) {
      for (const k of [1, 2, 3, 9]) {
        check({ m, n, k, ...layouts[(m + n + k) % 4] });
      }
    }
  }
});

Deno.test("products of many rows, columns and terms", () => {
  for (const layout of layouts) {
    check({ m: 61, n: 53, k: 47, ...layout });
    check({ m: 128, n: 64, k: 300, ...layout });
    check({ m: 97, n: 8, k: 1030, ...layout });
    check({ m: 5, n: 200, k: 100, ...layout });
    check({ m: 203, n: 3, k: 64, ...layout });
  }
});

Deno.test("products with vectors", () => {
  for (const layout of layouts) {
    for (const k of [1, 2, 7, 8, 13, 128]) {
      for (const length of [1, 3, 16, 39]) {
        check({ m: length, n: 1, k, ...layout });
        check({ m: 1, n: length, k, ...layout });
      }
    }
    check({ m: 37, n: 1, k: 20, batch: 3, ...layout });
    check({ m: 1, n: 37, k: 20, batch: 3, ...layout });
  }
});

Deno.test("small products with many terms are summed in parts", () => {
  for (const layout of layouts) check({ m: 13, n: 18, k: 5003, ...layout });
  check({ m: 24, n: 24, k: 4096, transposeA: true });
});

Deno.test("batches, with one B for all of them too", () => {
  for (const layout of layouts) {
    check({ batch: 3, m: 14, n: 19, k: 21, ...layout });
    check({ batch: 4, m: 70, n: 33, k: 40, sharedB: true, ...layout });
  }
});

Deno.test("epilogues", () => {
  for (const epilogue of ["kept", "dropped"] as const) {
    check({ m: 64, n: 24, k: 32, epilogue });
    check({ m: 131, n: 37, k: 33, epilogue });
    check({ m: 131, n: 1, k: 33, epilogue });
    check({ m: 131, n: 1, k: 33, transposeA: true, epilogue });
    check({ m: 1, n: 37, k: 12, epilogue });
    check({ batch: 3, m: 50, n: 10, k: 7, epilogue });
    check({ m: 13, n: 18, k: 5003, transposeA: true, epilogue });
  }
});

Deno.test("what is not finite stays so, and stays in its row and column", () => {
  for (const [n, k] of [[19, 23], [1, 23], [3, 5000]]) {
    const m = 20, row = 7;
    const kernel = kernelOf({ m, n, k });
    const left = new Float32Array(m * k).fill(1);
    left[row * k + 2] = NaN;
    const emitted = prepare(
      [left, new Float32Array(k * n + 3).fill(1), m * n],
      productScratchCells(kernel),
      (context) => emitProduct(context, kernel),
    );
    const result = runEveryWay(emitted, output);
    result.forEach((value, i) =>
      assertEquals(value, Math.floor(i / n) === row ? NaN : k, `cell ${i}`)
    );
  }
});

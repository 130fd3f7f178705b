/**
 * @file Copies of matrices in the order in which the micro-kernel reads them: B as panels of eight
 * columns, A as panels of six rows, each with k running slowest within a panel.
 */
import {
  type Code,
  f32x4,
  type FunctionBuilder,
  i32,
  type Local,
  type ModuleBuilder,
  v128,
} from "./assembler.ts";
import { countedLoop, loadLanes, packedRows, rowSteps } from "./micro_kernel.ts";

/** A panel of B before it is packed: strides in cells, `width` of at most 8 columns. */
export interface PanelSource {
  readonly rowStride: number;
  readonly columnStride: number;
  readonly width: number;
}

/** The function (source, target, k) that packs one panel [k, 8] of B, zeros beyond its width. */
export function packPanel(module: ModuleBuilder, source: PanelSource): FunctionBuilder {
  const { rowStride, columnStride, width } = source;
  return module.shared(`packPanel:${[rowStride, columnStride, width]}`, () => {
    const made = module.function("packPanel", ["i32", "i32", "i32"]);
    const [from, to, k] = made.parameters;
    const [i, end] = made.locals("i32", 2);
    const vectors = made.locals("v128", 6);
    const [vector] = vectors;
    const halves = [0, 1].map((half) => Math.max(0, width - 4 * half));

    const row: Code = [
      halves.map((lanes, half) => [
        vector.set(
          lanes === 0
            ? f32x4.const(0)
            : columnStride === 1
            ? loadLanes(from.get, lanes, 16 * half)
            : gatherLanes(from, Math.min(4, lanes), columnStride, 16 * columnStride * half),
        ),
        v128.store(to.get, vector.get, 16 * half),
      ]),
      from.set(i32.add(from.get, i32.const(4 * rowStride))),
      to.set(i32.add(to.get, i32.const(32))),
    ];
    if (columnStride === 1 || rowStride !== 1) {
      return made.body(countedLoop(i, i32.const(0), k.get, row));
    }
    const fourRows: Code = [
      halves.map((lanes, half) =>
        transposeFour(
          vectors,
          (j) => j < lanes ? v128.load(from.get, 4 * columnStride * (4 * half + j)) : null,
          (j, value) => v128.store(to.get, value, 32 * j + 16 * half),
        )
      ),
      from.set(i32.add(from.get, i32.const(16))),
      to.set(i32.add(to.get, i32.const(128))),
    ];
    return made.body(
      end.set(i32.and(k.get, i32.const(-4))),
      countedLoop(i, i32.const(0), end.get, fourRows, i32.const(4)),
      countedLoop(i, end.get, k.get, row),
    );
  });
}

/** Up to four cells, so many cells apart. */
export function gatherLanes(from: Local, lanes: number, stride: number, offset: number): Code {
  let code = v128.load32Zero(from.get, offset);
  for (let lane = 1; lane < lanes; lane++) {
    code = v128.load32Lane(from.get, code, lane, offset + 4 * stride * lane);
  }
  return code;
}

/** Stores the transpose of four vectors; a missing one is zero. Takes six locals. */
export function transposeFour(
  vectors: readonly Local[],
  load: (index: number) => Code | null,
  store: (index: number, value: Code) => Code,
): Code {
  const [a, b, c, d, e, f] = vectors;
  return [
    [a, b, c, d].map((vector, i) => vector.set(load(i) ?? f32x4.const(0))),
    e.set(v128.shuffle32(a.get, b.get, [0, 4, 1, 5])),
    f.set(v128.shuffle32(c.get, d.get, [0, 4, 1, 5])),
    a.set(v128.shuffle32(a.get, b.get, [2, 6, 3, 7])),
    c.set(v128.shuffle32(c.get, d.get, [2, 6, 3, 7])),
    store(0, v128.shuffle32(e.get, f.get, [0, 1, 4, 5])),
    store(1, v128.shuffle32(e.get, f.get, [2, 3, 6, 7])),
    store(2, v128.shuffle32(a.get, c.get, [0, 1, 4, 5])),
    store(3, v128.shuffle32(a.get, c.get, [2, 3, 6, 7])),
  ];
}

/**
 * The function (source, target, k) that packs `rows` rows of an A whose columns are contiguous
 * (`columnStride` cells from one to the next) for a packed micro-kernel.
 */
export function packRows(
  module: ModuleBuilder,
  rows: number,
  columnStride: number,
): FunctionBuilder {
  return module.shared(`packRows:${rows},${columnStride}`, () => {
    const made = module.function("packRows", ["i32", "i32", "i32"]);
    const [from, to, k] = made.parameters;
    const [i, at] = made.locals("i32", 2);
    let first = 0;
    return made.body(
      rowSteps(rows).map((count) => {
        const offset = 4 * first;
        first += count;
        return [
          at.set(from.get),
          countedLoop(i, i32.const(0), k.get, [
            count > 4
              ? [
                v128.store(to.get, v128.load(at.get, offset)),
                v128.store64Lane(to.get, loadLanes(at.get, count - 4, offset + 16), 0, 16),
              ]
              : v128.store(to.get, loadLanes(at.get, count, offset)),
            at.set(i32.add(at.get, i32.const(4 * columnStride))),
            to.set(i32.add(to.get, i32.const(4 * packedRows))),
          ]),
        ];
      }),
    );
  });
}

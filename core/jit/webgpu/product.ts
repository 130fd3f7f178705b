/**
 * @file Products of matrices in WGSL, and what convolutions share with them. A workgroup makes a
 * tile of the result: it brings tiles of both operands into workgroup memory and adds their product
 * to registers, some rows and columns a thread, until the contraction is through. Where the result
 * is small and the contraction long, several workgroups share a tile and a second dispatch adds
 * their partial results in order. An epilogue is applied to the registers before they are stored.
 *
 * How an operand is read is its {@link OperandSource}'s affair: by strides for a matrix, by taps and
 * pixels for a convolution (an implicit matrix: Chetlur et al., "cuDNN: Efficient Primitives for
 * Deep Learning", 2014).
 */
import type { Epilogue, Kernel, MatrixView } from "../kernels.ts";
import { type PlacedLoop, placeLoop, pointLines } from "./loop.ts";
import {
  type Addresses,
  delinearize,
  type Dispatch,
  load,
  type Point,
  Shader,
  store,
} from "./shader.ts";

/** result[b, i, j] = Σ_k left[b, i, k] · right[b, k, j]. */
export interface ProductShape {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly length: number;
}

/**
 * How an operand is read: at an outer index (a row of the left operand, a column of the right one)
 * and an inner one (of the contraction), both u32. What depends on one of them alone is computed
 * once, under names that end in a given suffix.
 */
export interface OperandSource {
  /** Along which index neighbouring values are neighbours in memory. */
  readonly contiguous: "outer" | "inner";
  outer(index: string, suffix: string): string[];
  inner(index: string, suffix: string): string[];
  /** The value, an f32 expression; 0 beyond the operand's edges as far as the sum can see them. */
  value(outerSuffix: string, innerSuffix: string): string;
}

/** A tile: how much of the result a workgroup makes, in steps of `depth`, and how much a thread. */
interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly threadRows: number;
  readonly threadColumns: number;
  /** What part of a multiprocessor's multiplications a second it reaches, about. */
  readonly efficiency: number;
}

const TILES: readonly Tile[] = [
  { rows: 128, columns: 128, depth: 8, threadRows: 8, threadColumns: 8, efficiency: 0.7 },
  { rows: 128, columns: 64, depth: 16, threadRows: 8, threadColumns: 4, efficiency: 0.55 },
  { rows: 64, columns: 64, depth: 16, threadRows: 4, threadColumns: 4, efficiency: 0.4 },
  { rows: 128, columns: 32, depth: 16, threadRows: 8, threadColumns: 4, efficiency: 0.5 },
  { rows: 128, columns: 16, depth: 16, threadRows: 8, threadColumns: 4, efficiency: 0.4 },
  { rows: 32, columns: 32, depth: 16, threadRows: 4, threadColumns: 4, efficiency: 0.3 },
  { rows: 64, columns: 16, depth: 16, threadRows: 4, threadColumns: 4, efficiency: 0.25 },
  { rows: 16, columns: 64, depth: 16, threadRows: 4, threadColumns: 4, efficiency: 0.25 },
];

const threadsOf = ({ rows, columns, threadRows, threadColumns }: Tile) =>
  (rows / threadRows) * (columns / threadColumns);

/**
 * A GPU between a laptop's and a server's, for the choice of a tile: multiprocessors, multiplications
 * of each a clock cycle, cycles until a tile's operands have come, and cycles that a second dispatch
 * costs; cells that go to or from memory a cycle.
 */
const GPU = { multiprocessors: 64, lanes: 128, latency: 800, dispatch: 20_000, cells: 300 };

/** The most scratch for partial results, in cells. */
const MOST_SCRATCH = 16 * 2 ** 20;

/** A tile and among how many workgroups the contraction is divided. */
interface Tiling {
  readonly tile: Tile;
  readonly splits: number;
  /** Of the contraction, a workgroup; a multiple of the tile's depth. */
  readonly chunk: number;
}

function divide(length: number, tile: Tile, wanted: number): Tiling {
  const steps = Math.max(1, Math.ceil(length / tile.depth));
  const chunk = Math.ceil(steps / wanted) * tile.depth;
  return { tile, splits: Math.max(1, Math.ceil(length / chunk)), chunk };
}

/** About how many clock cycles a product takes. */
function cycles({ batch, rows, columns }: ProductShape, { tile, splits, chunk }: Tiling): number {
  const tiles = batch * Math.ceil(rows / tile.rows) * Math.ceil(columns / tile.columns);
  const step = tile.rows * tile.columns * tile.depth / (GPU.lanes * tile.efficiency);
  // Workgroups on one multiprocessor wait at the same time, and compute in turns.
  const queued = Math.ceil(tiles * splits / GPU.multiprocessors);
  const main = chunk / tile.depth * Math.max(GPU.latency + step, queued * step);
  if (splits === 1) return main;
  return main + GPU.dispatch + 2 * splits * batch * rows * columns / GPU.cells;
}

/** The tiling of a product that promises to be the fastest, from its shape alone. */
export function tilingOf(shape: ProductShape): Tiling {
  const cells = shape.batch * shape.rows * shape.columns;
  let best = divide(shape.length, TILES[0], 1);
  for (const tile of TILES) {
    for (let wanted = 1; wanted <= 64; wanted *= 2) {
      if (wanted > 1 && wanted * cells > MOST_SCRATCH) break;
      const tiling = divide(shape.length, tile, wanted);
      if (cycles(shape, tiling) < cycles(shape, best)) best = tiling;
    }
  }
  return best;
}

/** Cells of scratch for partial results. */
export function productScratchCells(shape: ProductShape): number {
  const { splits } = tilingOf(shape);
  return splits > 1 ? splits * shape.batch * shape.rows * shape.columns : 0;
}

/** What happens to a result before it is stored. */
interface PlacedEpilogue extends Omit<Epilogue, "loop"> {
  readonly loop: PlacedLoop;
}

/** Where results go. */
interface Destination {
  readonly output: number;
  readonly epilogue?: PlacedEpilogue;
}

/** The place of a result and the epilogue of its kernel. */
export function destinationOf(
  { output, epilogue }: { readonly output: number; readonly epilogue?: Epilogue },
  addresses: Addresses,
): Destination {
  return {
    output: addresses(output),
    epilogue: epilogue && { ...epilogue, loop: placeLoop(epilogue.loop, addresses) },
  };
}

/** A product's operands, each made when the shader is there that its parameters are for. */
export interface ProductOperands {
  left(shader: Shader): OperandSource;
  right(shader: Shader): OperandSource;
}

/** The dispatches of a product. */
export function productDispatches(
  shape: ProductShape,
  operands: ProductOperands,
  destination: Destination,
  scratch: number,
  label: string,
): Dispatch[] {
  const { batch, rows, columns } = shape;
  if (batch * rows * columns === 0) return [];
  const tiling = tilingOf(shape);
  const { splits } = tiling;
  const first = tiledDispatch(
    shape,
    tiling,
    operands,
    splits > 1 ? { output: scratch } : destination,
    label,
  );
  if (splits === 1) return [first];
  const combined = combinationDispatch(shape, splits, scratch, destination, `${label}, combined`);
  return [first, combined];
}

/** Stores one result, `product`, of row `row` (of all batches) and column `column`, both i32. */
function storeLines(
  shader: Shader,
  { output, epilogue }: Destination,
  { batch, rows, columns }: ProductShape,
): string[] {
  const flat = `row * ${columns}i + column`;
  const storeResult = () => store(`${shader.parameter(output)} + ${flat}`, "product");
  if (!epilogue) return [storeResult()];
  const { loop, product, keep } = epilogue;
  const lines = keep ? [storeResult()] : [];
  let point: Point = { extents: loop.extents, coordinates: ["row", "column"] };
  if (
    loop.extents.length !== 2 || loop.extents[0] !== batch * rows || loop.extents[1] !== columns
  ) {
    const inner = delinearize(`u32(${flat})`, loop.extents, "e");
    lines.push(...inner.lines);
    point = { extents: loop.extents, coordinates: inner.coordinates };
  }
  lines.push(...pointLines(shader, loop, point, new Map([[product, "product"]])));
  return lines;
}

/** Adds the partial results of several workgroups, in their order. */
function combinationDispatch(
  shape: ProductShape,
  splits: number,
  scratch: number,
  destination: Destination,
  label: string,
): Dispatch {
  const shader = new Shader(256);
  const cells = shape.batch * shape.rows * shape.columns;
  const text = [
    `let index = block * 256u + lane;`,
    `if (index >= ${cells}u) { return; }`,
    `let first = ${shader.parameter(scratch)} + i32(index);`,
    `var product = 0.0f;`,
    `for (var split = 0i; split < ${splits}i; split++) {`,
    `product += ${load(`first + split * ${cells}i`, "float32")};`,
    "}",
    `let row = i32(index / ${shape.columns}u);`,
    `let column = i32(index % ${shape.columns}u);`,
    ...storeLines(shader, destination, shape),
  ];
  return shader.finish(text.join("\n"), Math.ceil(cells / 256), label);
}

/** The product itself, to `destination`; partial results lie one after another. */
function tiledDispatch(
  shape: ProductShape,
  { tile, splits, chunk }: Tiling,
  operands: ProductOperands,
  destination: Destination,
  label: string,
): Dispatch {
  const { batch, rows, columns, length } = shape;
  const shader = new Shader(threadsOf(tile));
  const rowTiles = Math.ceil(rows / tile.rows), columnTiles = Math.ceil(columns / tile.columns);
  const blocks = rowTiles * columnTiles * batch * splits;
  const left = stageOperand(shader, "left", operands.left(shader), tile.rows, tile, length);
  const right = stageOperand(shader, "right", operands.right(shader), tile.columns, tile, length);
  const text = [
    // The last row of workgroups of a large dispatch may be more than there is to do.
    `if (block >= ${blocks}u) { return; }`,
    `let columnTile = (block % ${columnTiles}u) * ${tile.columns}u;`,
    `let rowTile = (block / ${columnTiles}u % ${rowTiles}u) * ${tile.rows}u;`,
    `let rest = block / ${rowTiles * columnTiles}u;`,
    `let matrix = rest % ${batch}u;`,
    `let split = rest / ${batch}u;`,
    `let threadColumn = lane % ${tile.columns / tile.threadColumns}u;`,
    `let threadRow = lane / ${tile.columns / tile.threadColumns}u;`,
    ...left.before("rowTile"),
    ...right.before("columnTile"),
    ...accumulators(tile).map((name) => `var ${name} = vec4<f32>();`),
    `let end = min(split * ${chunk}u + ${chunk}u, ${length}u);`,
    `for (var step = split * ${chunk}u; step < end; step += ${tile.depth}u) {`,
    ...left.read,
    ...right.read,
    "workgroupBarrier();",
    ...left.write,
    ...right.write,
    "workgroupBarrier();",
    `for (var depth = 0u; depth < ${tile.depth}u; depth++) {`,
    ...multiplication(tile, left.stride, right.stride),
    "}",
    "}",
    ...storeTile(shader, tile, shape, splits > 1, destination),
  ];
  return shader.finish(text.join("\n"), blocks, label);
}

/** A thread's registers: a vector for each of its rows and each four of its columns. */
function accumulators({ threadRows, threadColumns }: Tile): string[] {
  return Array.from({ length: threadRows * threadColumns / 4 }, (_, i) => `sum${i}`);
}

/** One step of the contraction: the outer product of a column and a row of the operands' tiles. */
function multiplication(tile: Tile, leftStride: number, rightStride: number): string[] {
  const lines: string[] = [];
  const rowVectors = tile.threadRows / 4, columnVectors = tile.threadColumns / 4;
  // Vectors of a thread lie apart, so that neighbouring threads read neighbouring ones.
  for (let i = 0; i < rowVectors; i++) {
    const place = `threadRow + ${i * tile.rows / tile.threadRows}u`;
    lines.push(`let l${i} = leftTile[depth * ${leftStride}u + ${place}];`);
  }
  for (let j = 0; j < columnVectors; j++) {
    const place = `threadColumn + ${j * tile.columns / tile.threadColumns}u`;
    lines.push(`let r${j} = rightTile[depth * ${rightStride}u + ${place}];`);
  }
  for (let i = 0; i < tile.threadRows; i++) {
    for (let j = 0; j < columnVectors; j++) {
      const sum = `sum${i * columnVectors + j}`;
      lines.push(`${sum} += l${i >> 2}.${"xyzw"[i & 3]} * r${j};`);
    }
  }
  return lines;
}

/** Operations on a thread's results, all together, from which on a loop does them. */
const MOST_UNROLLED = 128;

/** Stores a thread's results: each for itself, or in a loop where that would be long. */
function storeTile(
  shader: Shader,
  tile: Tile,
  shape: ProductShape,
  partial: boolean,
  destination: Destination,
): string[] {
  const { batch, rows, columns } = shape;
  const vectors = tile.threadColumns / 4;
  const rowsApart = tile.rows / tile.threadRows, columnsApart = tile.columns / tile.threadColumns;
  // Partial results lie as those of a larger batch.
  const lines = storeLines(shader, destination, { ...shape, batch: partial ? 0 : batch });
  /** Component j of accumulator i, both u32 expressions. */
  const storeOne = (i: string, j: string, product: string) => [
    "{",
    `let vectorRow = ${i} / ${4 * vectors}u * ${rowsApart}u + threadRow;`,
    `let vectorColumn = ${i} % ${vectors}u * ${columnsApart}u + threadColumn;`,
    `let tileRow = rowTile + vectorRow * 4u + ${i} / ${vectors}u % 4u;`,
    `let column = i32(columnTile + vectorColumn * 4u + ${j});`,
    `if (tileRow < ${rows}u && column < ${columns}i) {`,
    `let row = i32(${partial ? "rest" : "matrix"} * ${rows}u + tileRow);`,
    `let product = ${product};`,
    ...lines,
    "}",
    "}",
  ];
  const sums = accumulators(tile);
  const operations = 1 + (destination.epilogue?.loop.body.length ?? 0);
  if (4 * sums.length * operations <= MOST_UNROLLED) {
    return sums.flatMap((sum, i) =>
      [0, 1, 2, 3].flatMap((j) => storeOne(`${i}u`, `${j}u`, `${sum}.${"xyzw"[j]}`))
    );
  }
  return [
    `var sums = array<vec4<f32>, ${sums.length}>(${sums.join(", ")});`,
    `for (var i = 0u; i < ${sums.length}u; i++) {`,
    "for (var j = 0u; j < 4u; j++) {",
    ...storeOne("i", "j", "sums[i][j]"),
    "}",
    "}",
  ];
}

/** How a workgroup brings an operand into its memory: four outer values a vector. */
function stageOperand(
  shader: Shader,
  name: "left" | "right",
  source: OperandSource,
  extent: number,
  { depth, ...tile }: Tile,
  length: number,
) {
  const threads = threadsOf({ depth, ...tile });
  const vectors = extent / 4;
  // An odd number of vectors a row keeps threads that write one column out of each other's banks.
  const stride = vectors + 1;
  shader.declare(`var<workgroup> ${name}Tile : array<vec4<f32>, ${depth * stride}>;`);
  const along = source.contiguous === "inner" ? depth : vectors;
  const passes = vectors * depth / threads;
  const passStep = threads / along;
  if (!Number.isInteger(passes) || !Number.isInteger(passStep)) {
    throw new Error(`a tile of ${extent}×${depth} does not divide among ${threads} threads`);
  }
  const inner = source.contiguous === "inner";
  // What a thread reads in each pass: the vector and the inner index, of which one is fixed.
  const place = (pass: number) => `lane / ${along}u + ${pass * passStep}u`;
  const fixed = `lane % ${along}u`;
  const vectorOf = (pass: number) => inner ? place(pass) : fixed;
  const innerOf = (pass: number) => inner ? fixed : place(pass);
  const outerSuffix = (pass: number, i: number) => `_${name}${inner ? pass : 0}_${i}`;
  const innerSuffix = (pass: number) => `_${name}${inner ? 0 : pass}`;
  const all = Array.from({ length: passes }, (_, pass) => pass);
  const lanes = [0, 1, 2, 3];
  const isRagged = length % depth !== 0;

  const before = (origin: string) =>
    (inner ? all : all.slice(0, 1)).flatMap((pass) =>
      lanes.flatMap((i) =>
        source.outer(`(${origin} + (${vectorOf(pass)}) * 4u + ${i}u)`, outerSuffix(pass, i))
      )
    );
  const indices = (inner ? all.slice(0, 1) : all).flatMap((pass) => {
    const index = `inner${innerSuffix(pass)}`;
    return [
      `let ${index} = step + ${innerOf(pass)};`,
      ...source.inner(index, innerSuffix(pass)),
    ];
  });
  const values = all.map((pass) => {
    const vector = lanes.map((i) => source.value(outerSuffix(pass, i), innerSuffix(pass)));
    const value = `vec4<f32>(${vector.join(", ")})`;
    // Beyond its end the contraction must add nothing, whatever lies there.
    const within = `inner${innerSuffix(pass)} < ${length}u`;
    return `let ${name}${pass} = ${isRagged ? `select(vec4<f32>(), ${value}, ${within})` : value};`;
  });
  const write = all.map((pass) =>
    `${name}Tile[(${innerOf(pass)}) * ${stride}u + ${vectorOf(pass)}] = ${name}${pass};`
  );
  return { before, read: [...indices, ...values], write, stride };
}

/** A matrix by its strides; `outerStride` is that from row to row (of the right one: column). */
function matrixSource(
  shader: Shader,
  view: MatrixView,
  outerStride: number,
  innerStride: number,
  addresses: Addresses,
): OperandSource {
  const base = shader.parameter(addresses(view.buffer) + view.offset);
  const times = (index: string, stride: number) => stride === 1 ? index : `${index} * ${stride}i`;
  const batch = view.batchStride === 0 ? base : `${base} + i32(matrix) * ${view.batchStride}i`;
  return {
    contiguous: Math.abs(outerStride) === 1 && Math.abs(innerStride) !== 1 ? "outer" : "inner",
    outer: (
      index,
      suffix,
    ) => [`let outer${suffix} = ${batch} + ${times(`i32(${index})`, outerStride)};`],
    inner: (index, suffix) => [`let along${suffix} = ${times(`i32(${index})`, innerStride)};`],
    value: (outer, inner) => load(`outer${outer} + along${inner}`, "float32"),
  };
}

type Matmul = Extract<Kernel, { kind: "matmul" }>;

/** The shape of a product kernel. */
export function matmulShape({ batch, m, n, k }: Matmul): ProductShape {
  return { batch, rows: m, columns: n, length: k };
}

/** The dispatches of a product kernel. */
export function matmulDispatches(
  kernel: Matmul,
  addresses: Addresses,
  scratch: number,
  label: string,
): Dispatch[] {
  const { a, b } = kernel;
  const operands: ProductOperands = {
    left: (shader) => matrixSource(shader, a, a.rowStride, a.columnStride, addresses),
    right: (shader) => matrixSource(shader, b, b.columnStride, b.rowStride, addresses),
  };
  const destination = destinationOf(kernel, addresses);
  return productDispatches(matmulShape(kernel), operands, destination, scratch, label);
}

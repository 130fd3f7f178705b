/**
 * @file Loops over affine views in WGSL. Without reductions a thread does one point. With them a
 * workgroup does some rows of the result, several threads a row: each adds up every n-th point, then
 * they combine in workgroup memory as a tree; where rows are few, several workgroups share them and a
 * second dispatch combines their partial results. The order of every sum follows from the shape, so
 * that results repeat bit for bit.
 */
import type { DataType } from "../elementwise.ts";
import type { Instruction, Loop, Operand, Write } from "../kernels.ts";
import { sizeOf } from "../graph.ts";
import { callElementwise, combine } from "./functions.ts";
import {
  type Addresses,
  cellAt,
  delinearize,
  type Dispatch,
  load,
  type Place,
  placeOf,
  type Point,
  rowMajorStrides,
  Shader,
  store,
  wgslType,
} from "./shader.ts";

/** A {@link Write} with its place. */
interface PlacedWrite extends Omit<Write, "view"> {
  readonly place: Place;
}

/** A {@link Loop} whose views have places. */
export interface PlacedLoop extends Omit<Loop, "reads" | "writes"> {
  readonly reads: readonly Place[];
  readonly writes: readonly PlacedWrite[];
}

/** Gives the views of a loop their places. */
export function placeLoop(loop: Loop, addresses: Addresses): PlacedLoop {
  return {
    ...loop,
    reads: loop.reads.map((view) => placeOf(view, addresses)),
    writes: loop.writes.map(({ view, ...write }) => ({
      ...write,
      place: placeOf(view, addresses),
    })),
  };
}

/** The body of a loop at one point: its statements, and the expression and type of each operand. */
export class Body {
  readonly lines: string[] = [];
  readonly #values: string[] = [];

  constructor(
    readonly shader: Shader,
    readonly loop: { readonly reads: readonly Place[]; readonly body: readonly Instruction[] },
    readonly reads: readonly string[],
  ) {
    loop.body.forEach(({ name, operands }, i) => {
      const value = `value${i}`;
      const allNumbers = operands.every(({ kind }) => kind === "number");
      const texts = operands.map((operand, j) => {
        if (operand.kind === "number" && operand.value === 0 && operand.type === "float32") {
          // Drivers make 0·x zero, NaN or not, where they see the zero.
          return `bitcast<f32>(${shader.parameter(Object.is(operand.value, -0) ? 1 << 31 : 0)})`;
        }
        const text = this.operand(operand);
        if (!allNumbers) return text;
        // WGSL would compute it while compiling, where an infinite result is an error.
        this.lines.push(`var number${i}_${j} = ${text};`);
        return `number${i}_${j}`;
      });
      const type = this.typeOf(operands.at(-1)!);
      this.lines.push(`let ${value} = ${callElementwise(shader, name, texts, type)};`);
      this.#values.push(value);
    });
  }

  /** An operand as an expression. */
  operand(operand: Operand): string {
    if (operand.kind === "read") return this.reads[operand.index];
    if (operand.kind === "value") return this.#values[operand.index];
    return this.shader.literal(operand.value, operand.type);
  }

  /** The type of an operand. */
  typeOf(operand: Operand): DataType {
    if (operand.kind === "read") return this.loop.reads[operand.index].type;
    return operand.kind === "value" ? this.loop.body[operand.index].type : operand.type;
  }
}

const WORKGROUP = 256;

/** The dispatches of a loop. */
export function loopDispatches(loop: PlacedLoop, scratch: number, label: string): Dispatch[] {
  if (sizeOf(loop.extents.slice(0, loop.extents.length - loop.reducedDimensions)) === 0) return [];
  if (loop.writes.some(({ reduce }) => reduce)) return reductionDispatches(loop, scratch, label);
  return sizeOf(loop.extents) === 0 ? [] : [pointwiseDispatch(loop, label)];
}

function pointwiseDispatch(loop: PlacedLoop, label: string): Dispatch {
  const shader = new Shader(WORKGROUP);
  const size = sizeOf(loop.extents);
  // The extent of the commonest loops is a parameter, so that they share a pipeline.
  const limit = loop.extents.length <= 1 ? `u32(${shader.parameter(size)})` : `${size}u`;
  const { lines, coordinates } = delinearize("index", loop.extents, "c");
  const point: Point = { extents: loop.extents, coordinates, flat: "i32(index)" };
  const text = [
    `let index = block * ${WORKGROUP}u + lane;`,
    `if (index >= ${limit}) { return; }`,
    ...lines,
    ...pointLines(shader, loop, point),
  ];
  return shader.finish(text.join("\n"), Math.ceil(size / WORKGROUP), label);
}

/**
 * Reads, body and writes at one point of a loop without reductions. `given` are reads whose value
 * is at hand.
 */
export function pointLines(
  shader: Shader,
  loop: PlacedLoop,
  point: Point,
  given: ReadonlyMap<number, string> = new Map(),
): string[] {
  const lines: string[] = [];
  const reads = loop.reads.map(({ address, strides, type }, i) => {
    const known = given.get(i);
    if (known !== undefined) return known;
    const cell = cellAt(shader.parameter(address), strides, point);
    lines.push(`let read${i} = ${load(cell, type)};`);
    return `read${i}`;
  });
  const body = new Body(shader, loop, reads);
  lines.push(...body.lines);
  for (const { place, value } of loop.writes) {
    const cell = cellAt(shader.parameter(place.address), place.strides, point);
    lines.push(store(cell, body.operand(value)));
  }
  return lines;
}

/** How the threads of a reduction divide the work. */
interface ReductionLayout {
  /** Rows of the result, and points that each reduces. */
  readonly rows: number;
  readonly length: number;
  /** Threads a workgroup = rowsPerBlock · threadsPerRow, both powers of two. */
  readonly rowsPerBlock: number;
  readonly threadsPerRow: number;
  /** Whether neighbouring threads reduce one row (or else work on neighbouring rows). */
  readonly alongReduction: boolean;
  /** Workgroups that share a row, and points of it that each does. */
  readonly splits: number;
  readonly chunk: number;
}

const powerOfTwoAbove = (n: number) => 2 ** Math.ceil(Math.log2(Math.max(1, n)));

/** Cells of scratch for the partial results of a loop's reductions. */
export function loopScratchCells(
  loop: Pick<Loop, "extents" | "reducedDimensions" | "writes" | "reads">,
) {
  const writes = loop.writes.filter(({ reduce }) => reduce).length;
  if (writes === 0) return 0;
  const { rows, splits } = reductionLayout(loop, writes);
  return splits > 1 ? rows * splits * writes : 0;
}

function reductionLayout(
  { extents, reducedDimensions, reads }: {
    readonly extents: readonly number[];
    readonly reducedDimensions: number;
    readonly reads: readonly { readonly strides: readonly number[] }[];
  },
  writes: number,
): ReductionLayout {
  const outer = extents.length - reducedDimensions;
  const rows = sizeOf(extents.slice(0, outer)), length = sizeOf(extents.slice(outer));
  // Workgroup memory holds a value a thread and write.
  const threads = writes > 12 ? 64 : WORKGROUP;
  const walks = (axis: number) =>
    reads.filter(({ strides }) => Math.abs(strides[axis]) === 1).length;
  const alongReduction = rows === 1 || walks(extents.length - 1) >= walks(outer - 1);
  // A thread does at least four points, where the row has so many.
  const useful = powerOfTwoAbove(length / 4);
  let threadsPerRow: number;
  if (alongReduction) threadsPerRow = Math.min(threads, useful);
  else if (rows >= 16384) threadsPerRow = 1;
  else threadsPerRow = Math.min(threads / Math.min(32, powerOfTwoAbove(rows)), useful);
  const rowsPerBlock = threads / threadsPerRow;
  const blocks = Math.ceil(rows / rowsPerBlock);
  const wanted = Math.min(Math.ceil(256 / blocks), Math.floor(length / threadsPerRow / 8));
  const chunk = wanted < 2 ? length : Math.ceil(length / wanted / threadsPerRow) * threadsPerRow;
  const splits = Math.max(1, Math.ceil(length / Math.max(1, chunk)));
  return { rows, length, rowsPerBlock, threadsPerRow, alongReduction, splits, chunk };
}

function reductionDispatches(loop: PlacedLoop, scratch: number, label: string): Dispatch[] {
  const outer = loop.extents.length - loop.reducedDimensions;
  const reduced = loop.writes.filter(({ reduce }) => reduce);
  const layout = reductionLayout(loop, reduced.length);
  const { rows, splits } = layout;
  if (splits === 1) return [reductionDispatch(loop, layout, undefined, label)];
  const extents = [...loop.extents.slice(0, outer), splits];
  const combination: PlacedLoop = {
    extents,
    reducedDimensions: 1,
    body: [],
    reads: reduced.map((write, i) => ({
      address: scratch + i * rows * splits,
      strides: [...rowMajorStrides(extents.slice(0, -1)), rows],
      type: write.place.type,
    })),
    writes: reduced.map(({ place, reduce }, index) => ({
      place: { ...place, strides: [...place.strides.slice(0, outer), 0] },
      value: { kind: "read", index },
      reduce,
    })),
  };
  const whole = { ...reductionLayout(combination, reduced.length), splits: 1, chunk: splits };
  return [
    reductionDispatch(loop, layout, scratch, label),
    reductionDispatch(combination, whole, undefined, `${label}, combined`),
  ];
}

/** One dispatch of a reduction, to its writes or (with `scratch`) to partial results. */
function reductionDispatch(
  loop: PlacedLoop,
  layout: ReductionLayout,
  scratch: number | undefined,
  label: string,
): Dispatch {
  const { rows, length, rowsPerBlock, threadsPerRow, alongReduction, splits, chunk } = layout;
  const shader = new Shader(rowsPerBlock * threadsPerRow);
  const rowBlocks = Math.ceil(rows / rowsPerBlock);
  const blocks = rowBlocks * splits;
  const reduced = loop.writes.filter(({ reduce }) => reduce);
  const outer = loop.extents.length - loop.reducedDimensions;
  const rowPoint = delinearize("row", loop.extents.slice(0, outer), "c");
  const text = [
    `let rowBlock = block % ${rowBlocks}u;`,
    `let split = block / ${rowBlocks}u;`,
    ...(alongReduction
      ? [`let part = lane % ${threadsPerRow}u;`, `let rowOfBlock = lane / ${threadsPerRow}u;`]
      : [`let part = lane / ${rowsPerBlock}u;`, `let rowOfBlock = lane % ${rowsPerBlock}u;`]),
    `let row = rowBlock * ${rowsPerBlock}u + rowOfBlock;`,
    ...rowPoint.lines,
    ...reduced.map(({ reduce, place }, i) =>
      `var total${i} : ${wgslType(place.type)} = ${identity(shader, reduce!, place.type)};`
    ),
    `if (row < ${rows}u && split < ${splits}u) {`,
    `let end = min(split * ${chunk}u + ${chunk}u, ${length}u);`,
    ...accumulation(shader, loop, rowPoint.coordinates, `split * ${chunk}u + part`, threadsPerRow),
    "}",
    ...tree(shader, reduced, layout),
    `if (part == 0u && row < ${rows}u && split < ${splits}u) {`,
    ...reduced.map(({ place }, i) => {
      if (scratch !== undefined) {
        const base = shader.parameter(scratch + i * rows * splits);
        return store(`${base} + i32(split * ${rows}u + row)`, `total${i}`);
      }
      const point = { extents: loop.extents.slice(0, outer), coordinates: rowPoint.coordinates };
      const strides = place.strides.slice(0, outer);
      return store(cellAt(shader.parameter(place.address), strides, point), `total${i}`);
    }),
    "}",
  ];
  return shader.finish(text.join("\n"), blocks, label);
}

function identity(shader: Shader, reduce: NonNullable<Write["reduce"]>, type: DataType): string {
  if (reduce === "sum") return shader.literal(0, type);
  const sign = reduce === "maximum" ? -1 : 1;
  const bound = sign < 0 ? -2147483648 : 2147483647;
  return shader.literal(type === "float32" ? sign * Infinity : bound, type);
}

/** One thread's part of a row: every `step`-th point. Reads that no step changes come first. */
function accumulation(
  shader: Shader,
  loop: PlacedLoop,
  rowCoordinates: readonly string[],
  start: string,
  step: number,
): string[] {
  const outer = loop.extents.length - loop.reducedDimensions;
  const inner = delinearize("index", loop.extents.slice(outer), "k");
  const point: Point = {
    extents: loop.extents,
    coordinates: [...rowCoordinates, ...inner.coordinates],
  };
  const before: string[] = [], within: string[] = [];
  const reads = loop.reads.map(({ address, strides, type }, i) => {
    const varies = strides.slice(outer).some((stride) => stride !== 0);
    const cell = cellAt(shader.parameter(address), strides, point);
    (varies ? within : before).push(`let read${i} = ${load(cell, type)};`);
    return `read${i}`;
  });
  const body = new Body(shader, loop, reads);
  let count = 0;
  const writes = loop.writes.map(({ place, value, reduce }) => {
    const text = body.operand(value);
    if (!reduce) return store(cellAt(shader.parameter(place.address), place.strides, point), text);
    const total = `total${count++}`;
    return `${total} = ${combine(shader, reduce, total, text, place.type === "float32")};`;
  });
  return [
    ...before,
    `for (var index = ${start}; index < end; index += ${step}u) {`,
    ...inner.lines,
    ...within,
    ...body.lines,
    ...writes,
    "}",
  ];
}

/** Combines the totals of the threads of a row, those of the first thread of it in the end. */
function tree(
  shader: Shader,
  reduced: readonly PlacedWrite[],
  { rowsPerBlock, threadsPerRow, alongReduction }: ReductionLayout,
): string[] {
  if (threadsPerRow === 1) return [];
  const lines: string[] = [];
  reduced.forEach(({ place }, i) => {
    shader.declare(
      `var<workgroup> totals${i} : array<${wgslType(place.type)}, ${shader.workgroupSize}>;`,
    );
    lines.push(`totals${i}[lane] = total${i};`);
  });
  for (let half = threadsPerRow / 2; half >= 1; half /= 2) {
    const partner = `lane + ${alongReduction ? half : half * rowsPerBlock}u`;
    lines.push("workgroupBarrier();", `if (part < ${half}u) {`);
    reduced.forEach(({ reduce, place }, i) => {
      const other = `totals${i}[${partner}]`;
      const sum = combine(shader, reduce!, `total${i}`, other, place.type === "float32");
      lines.push(`total${i} = ${sum};`, `totals${i}[lane] = total${i};`);
    });
    lines.push("}");
  }
  return lines;
}

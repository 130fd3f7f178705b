/**
 * @file Random loops on small whole numbers, on which every instruction used is exact in float32: so
 * what they compute must be right to the bit, in whatever order.
 */
import fc from "fast-check";
import {
  type DataType,
  elementwise,
  type ElementwiseName,
} from "../../../../core/jit/elementwise.ts";
import type {
  Buffer,
  Instruction,
  Kernel,
  Loop,
  Operand,
  View,
  Write,
} from "../../../../core/jit/kernels.ts";
import { type Cells, cellsOf } from "../kernel_interpreter.ts";

/** A kernel with its buffers; those without contents are written. */
export interface LoopCase {
  readonly kernel: Extract<Kernel, { kind: "loop" }>;
  readonly buffers: readonly Buffer[];
  readonly contents: readonly (Cells | null)[];
}

/** Chooses: a number below `count`. */
type Choose = (count: number) => number;

const types: readonly DataType[] = ["float32", "float32", "int32", "bool"];
const unaryOf: Record<DataType, readonly ElementwiseName[]> = {
  float32: ["negate", "absolute", "sign", "floor", "round", "toInt", "toBool", "isFinite", "isNaN"],
  int32: ["negate", "absolute", "sign", "toFloat", "toBool"],
  bool: ["not", "toFloat", "toInt"],
};
const sums: readonly ElementwiseName[] = ["add", "subtract", "maximum", "minimum"];
const comparisons: readonly ElementwiseName[] = [
  ...["less", "lessEqual", "greater", "greaterEqual", "equal", "notEqual"] as const,
];
const binaryOf: Record<DataType, readonly ElementwiseName[]> = {
  float32: [...sums, ...comparisons],
  int32: [...sums, ...comparisons, "floorDivide", "modulo"],
  bool: ["and", "or", "equal", "notEqual"],
};

/** A buffer and a view of it that moves along some dimensions, in any order and direction. */
function randomView(
  choose: Choose,
  extents: readonly number[],
  moves: readonly boolean[],
): { size: number; offset: number; strides: number[] } {
  const order = extents.map((_, d) => d);
  if (choose(3) === 0) order.sort(() => choose(3) - 1);
  const strides = extents.map(() => 0);
  let step = choose(6) === 0 ? 2 : 1, offset = choose(4) === 0 ? choose(5) : 0, last = 0;
  for (const d of order.reverse()) {
    if (!moves[d]) continue;
    const backwards = choose(6) === 0;
    strides[d] = backwards ? -step : step;
    if (backwards) offset += step * (extents[d] - 1);
    else last += step * (extents[d] - 1);
    step *= extents[d];
    if (choose(6) === 0) step += 3;
  }
  return { size: offset + last + 1, offset, strides };
}

function randomBody(choose: Choose, reads: readonly View[], length: number): Instruction[] {
  const body: Instruction[] = [];
  const typeOf = (operand: Operand) =>
    operand.kind === "number"
      ? operand.type
      : operand.kind === "read"
      ? reads[operand.index].type
      : body[operand.index].type;
  const number = (type: DataType): Operand => ({
    kind: "number",
    type,
    value: type === "bool" ? choose(2) : choose(9) - 4,
  });
  const pick = (type: DataType, onlyReads = false): Operand => {
    const candidates: Operand[] = [
      ...reads.map((_, index) => ({ kind: "read" as const, index })),
      ...(onlyReads ? [] : body.map((_, index) => ({ kind: "value" as const, index }))),
    ].filter((operand) => typeOf(operand) === type);
    return candidates.length && choose(5) ? candidates[choose(candidates.length)] : number(type);
  };
  const add = (name: ElementwiseName, ...operands: Operand[]) => {
    const { result } = elementwise[name];
    const type = result === "same" ? typeOf(operands.at(-1)!) : result;
    body.push({ name, operands, type });
  };
  while (body.length < length) {
    const type = types[choose(types.length)];
    const kind = choose(5);
    if (kind === 0) add(unaryOf[type][choose(unaryOf[type].length)], pick(type));
    else if (kind === 1) add("select", pick("bool"), pick(type), pick(type));
    else if (kind === 2 && type !== "bool") add("multiply", pick(type, true), pick(type, true));
    else if (kind === 3 && type === "float32") add("square", pick(type, true));
    else add(binaryOf[type][choose(binaryOf[type].length)], pick(type), pick(type));
  }
  return body;
}

function randomWrites(
  choose: Choose,
  reads: readonly View[],
  body: readonly Instruction[],
  extents: readonly number[],
  reduced: number,
): { write: Write; size: number }[] {
  const operand = (): Operand => {
    const index = choose(reads.length + body.length);
    return body.length && choose(4)
      ? { kind: "value", index: body.length - 1 - choose(Math.min(3, body.length)) }
      : index < reads.length
      ? { kind: "read", index }
      : { kind: "number", type: "float32", value: 2 };
  };
  const kept = extents.length - reduced;
  return Array.from({ length: 1 + choose(3) }, (_, i) => {
    const value = operand();
    const type = value.kind === "number"
      ? value.type
      : (value.kind === "read" ? reads : body)[value.index].type;
    const reduces = reduced > 0 && (i === 0 || choose(2) === 0);
    const moves = extents.map((_, d) => !reduces || d < kept);
    const { size, ...view } = randomView(choose, extents, moves);
    // A bool is reduced as a bool: by its maximum or minimum.
    const names = ["maximum", "minimum", "sum"] as const;
    const reduce = names[choose(type === "bool" ? 2 : 3)];
    const write: Write = {
      view: { buffer: reads.length + i, type, ...view },
      value,
      ...(reduces && { reduce }),
    };
    return { write, size };
  });
}

const sizes = [1, 1, 2, 3, 4, 5, 7, 8, 11, 16, 19, 33, 64, 130, 700, 5000];

/** A loop from random choices. */
export function randomLoop(choose: Choose, mayReduce: boolean): LoopCase {
  const rank = choose(5), extents: number[] = [];
  let room = 12000;
  for (let d = 0; d < rank; d++) {
    const fitting = sizes.filter((size) => size <= room);
    extents.push(fitting[choose(fitting.length)]);
    room = Math.floor(room / extents[d]);
  }
  const reduced = mayReduce ? choose(rank + 1) : 0;
  const made = Array.from({ length: 1 + choose(4) }, (_, buffer) => {
    const type = types[choose(types.length)], broadcast = choose(3) === 0;
    const moves = extents.map(() => !broadcast || choose(2) === 0);
    const { size, ...view } = randomView(choose, extents, moves);
    return { view: { buffer, type, ...view }, size };
  });
  const reads = made.map(({ view }) => view);
  const body = randomBody(choose, reads, choose(9));
  const writes = randomWrites(choose, reads, body, extents, reduced);
  const buffers = [
    ...made.map(({ size, view }): Buffer => ({ size, type: view.type, role: "input" })),
    ...writes.map(({ size, write }): Buffer => ({
      size,
      type: write.view.type,
      role: "temporary",
    })),
  ];
  const contents = made.map(({ size, view: { type } }) =>
    cellsOf(type, size).map(() => type === "bool" ? choose(2) : choose(17) - 8)
  );
  const loop: Loop = {
    extents,
    reducedDimensions: reduced,
    reads,
    body,
    writes: writes.map(({ write }) => write),
  };
  return {
    kernel: { kind: "loop", loop },
    buffers,
    contents: [...contents, ...writes.map(() => null)],
  };
}

/** A seeded generator of choices. */
export function choices(seed: number): Choose {
  let state = seed >>> 0;
  return (count) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    let mixed = state ^ (state >>> 15);
    mixed = Math.imul(mixed, 0x2c1b3c6d);
    mixed = (mixed ^ (mixed >>> 12)) >>> 0;
    return Math.floor(mixed / 2 ** 32 * count);
  };
}

/** Loops for properties. */
export const arbitraryLoop = fc.record({ seed: fc.nat(), reduces: fc.boolean() }).map(
  ({ seed, reduces }) => randomLoop(choices(seed), reduces),
);

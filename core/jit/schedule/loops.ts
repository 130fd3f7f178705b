/**
 * @file Loops from units: the instructions of their items, each once; their reads and writes as
 * strides along the dimensions; and the canonical form, with reduced dimensions last and as few
 * dimensions as the views allow.
 */
import type { Instruction, Loop, Operand, View, Write } from "../kernels.ts";
import {
  type Access,
  accessKey,
  composeAccess,
  extentsBetween,
  identityAccess,
  stridesAlong,
} from "./access.ts";
import { columnsOf, type Unit, type Units } from "./fusion.ts";
import { isNumber, producerOf } from "./inlining.ts";
import type { Item, Items, Source } from "./items.ts";

/**
 * The loop of a unit (not yet canonical), with values in the place of buffers. Of its items only
 * those `needed` are computed, and of these only those that `isStored` names are written.
 */
export function loopOfUnit(
  program: Items,
  units: Units,
  unit: Unit,
  needed: readonly Item[],
  isStored: (item: Item) => boolean,
): Loop {
  const { head, points } = unit;
  // An epilogue has two dimensions even where one would do.
  const extents = head
    ? [points / columnsOf(head), columnsOf(head)]
    : extentsBetween(points, unit.cuts);
  const emitter = new LoopEmitter(program, units, unit, extents);
  const writes = needed.flatMap((item) => {
    const value = emitter.valueOf(item);
    return isStored(item) ? [emitter.write(item, value)] : [];
  });
  return { extents, reducedDimensions: 0, reads: emitter.reads, body: emitter.body, writes };
}

class LoopEmitter {
  readonly reads: View[] = [];
  readonly body: Instruction[] = [];
  readonly #program: Items;
  readonly #units: Units;
  readonly #unit: Unit;
  readonly #extents: readonly number[];
  readonly #members: ReadonlySet<Item>;
  readonly #known = new Map<string, Operand>();

  constructor(program: Items, units: Units, unit: Unit, extents: readonly number[]) {
    this.#program = program;
    this.#units = units;
    this.#unit = unit;
    this.#extents = extents;
    this.#members = new Set(unit.items);
  }

  /** An item's value at every point. */
  valueOf(item: Item): Operand {
    const source = { value: item.value, access: identityAccess(item.points) };
    // Of a reduction or a part it is what enters, and nobody in the loop may take it for the value.
    return item.kind === "elementwise" ? this.#operand(source) : this.#compute(item, source);
  }

  /** Stores it. */
  write(item: Item, value: Operand): Write {
    const view = this.#view(item.value, item.write);
    const { operation } = item;
    return operation.kind === "reduce" && item.kind === "reduce"
      ? { view, value, reduce: operation.name }
      : { view, value };
  }

  #view(value: number, access: Access): View {
    const { type } = this.#program.values[value];
    const strides = this.#extents.includes(1)
      ? this.#stridesOfEpilogue(access)
      : stridesAlong(access, this.#extents);
    return { buffer: value, type, offset: access.offset, strides };
  }

  /** Along [rows, columns], one of which has extent 1. */
  #stridesOfEpilogue(access: Access): number[] {
    const strides = stridesAlong(access, this.#extents.filter((extent) => extent > 1));
    const [rows, columns] = this.#extents;
    return [
      rows > 1 ? strides.shift()! : columns * (strides[0] ?? 1),
      columns > 1 ? strides[0] : 1,
    ];
  }

  #operand(source: Source): Operand {
    const value = this.#program.values[source.value], { origin, type } = value;
    if (isNumber(value) && origin.kind === "constant") {
      return { kind: "number", value: origin.values[0], type };
    }
    const key = `${source.value} ${accessKey(source.access)}`;
    const known = this.#known.get(key);
    if (known) return known;
    const producer = producerOf(value);
    const isComputed = producer &&
      (this.#members.has(producer) || this.#units.computes(this.#unit, source.value));
    const operand = isComputed ? this.#compute(producer, source) : this.#read(source);
    this.#known.set(key, operand);
    return operand;
  }

  #read({ value, access }: Source): Operand {
    this.reads.push(this.#view(value, access));
    return { kind: "read", index: this.reads.length - 1 };
  }

  /** An item's value at the points that a source reads it. */
  #compute(item: Item, { access }: Source): Operand {
    const operands = item.sources.map((inner) =>
      this.#operand({
        value: inner.value,
        access: composeAccess(access, inner.access, item.points)!,
      })
    );
    if (item.kind !== "elementwise" || item.operation.kind !== "elementwise") return operands[0];
    const instruction = { name: item.operation.name, operands, type: item.type };
    const key = `${item.operation.name} ${item.type} ${operands.map(operandKey)}`;
    const known = this.#known.get(key);
    if (known) return known;
    this.body.push(instruction);
    const value: Operand = { kind: "value", index: this.body.length - 1 };
    this.#known.set(key, value);
    return value;
  }
}

function operandKey(operand: Operand): string {
  if (operand.kind !== "number") return `${operand.kind}${operand.index}`;
  return `${operand.type}${Object.is(operand.value, -0) ? "-0" : operand.value}`;
}

/** Reduced dimensions last, neighbours merged where every view walks them in one stride. */
export function canonicalLoop(loop: Loop): Loop {
  const reduction = loop.writes.find(({ reduce }) => reduce)?.view.strides;
  const isReduced = (d: number) => reduction !== undefined && reduction[d] === 0;
  const dimensions = loop.extents.map((_, d) => d).filter((d) => loop.extents[d] !== 1);
  const ordered = [
    ...dimensions.filter((d) => !isReduced(d)),
    ...dimensions.filter((d) => isReduced(d)),
  ];
  const views = [...loop.reads, ...loop.writes.map(({ view }) => view)];
  // Runs of dimensions that become one, each by its innermost dimension.
  const runs: { extent: number; inner: number }[] = [];
  for (const d of ordered) {
    const outer = runs.at(-1), extent = loop.extents[d];
    const isOneWalk = outer && isReduced(outer.inner) === isReduced(d) &&
      views.every(({ strides }) => strides[outer.inner] === strides[d] * extent);
    if (isOneWalk) runs[runs.length - 1] = { extent: outer.extent * extent, inner: d };
    else runs.push({ extent, inner: d });
  }
  const along = (view: View): View => ({
    ...view,
    strides: runs.map(({ inner }) => view.strides[inner]),
  });
  return {
    extents: runs.map(({ extent }) => extent),
    reducedDimensions: runs.filter(({ inner }) => isReduced(inner)).length,
    reads: loop.reads.map(along),
    body: loop.body,
    writes: loop.writes.map((write) => ({ ...write, view: along(write.view) })),
  };
}

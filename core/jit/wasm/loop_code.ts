/**
 * @file The code of a loop nest: one function over a range of units. Values are computed at the
 * outermost level at which all they depend on is known (so what is the same for a row is computed
 * once a row); pointers are counted up, never multiplied out, within a range.
 */
import { elementwise } from "../elementwise.ts";
import type { DataType } from "../elementwise.ts";
import type { Operand } from "../kernels.ts";
import type { Code, FunctionBuilder, Local, ModuleBuilder } from "./assembler.ts";
import { control, f32x4, i32, i32x4, v128 } from "./assembler.ts";
import { multiplyAdd } from "./emitter.ts";
import type { Dimension, Nest, Split } from "./loop_plan.ts";
import {
  applyElementwise,
  asCells,
  maximum,
  minimum,
  transposeFour,
  VectorScope,
  type VectorValue,
} from "./vector_math.ts";

/** Numbers of cells in the vectors of a group: four each, but for the last. */
type Lanes = readonly number[];

function lanesOf(cells: number): number[] {
  return Array.from({ length: Math.ceil(cells / 4) }, (_, i) => Math.min(4, cells - 4 * i));
}

/** A value of a body, on its level: what is below needs no names. */
interface Usage {
  /** The level at which it is computed. */
  readonly level: number;
  /** Whether it differs between the vectors of a group. */
  readonly varies: boolean;
  /** Whether it has one user, on the same level, once a vector. */
  inline: boolean;
  uses: number;
  /** Whether a deeper level uses it. */
  escapes: boolean;
}

/** Values that have been computed, by name. */
type Known = Map<string, VectorValue>;

class NestCode {
  readonly target: FunctionBuilder;
  readonly scope: VectorScope;
  readonly #reads: Usage[];
  readonly #values: Usage[];
  /** Levels: 0 the units, then loops and vector, outermost first. */
  readonly #vectorLevel: number;
  readonly #innermost: number;
  readonly #firstLoop: number;
  readonly #strided: readonly (readonly number[])[];
  #indices: Local[] = [];

  constructor(module: ModuleBuilder, readonly nest: Nest) {
    const views = nest.reads.length + nest.writes.length;
    this.target = module.function("loop", Array(3 + views).fill("i32"));
    this.scope = new VectorScope(this.target);
    const columns = nest.mode === "columns";
    this.#innermost = nest.loops.length + 1;
    this.#vectorLevel = columns ? 1 : this.#innermost;
    this.#firstLoop = columns ? 2 : 1;
    this.#strided = this.#levelStrides(views);
    this.#reads = nest.reads.map((_, view) => this.#usageOf(view));
    this.#values = [];
    for (const { operands } of nest.body) {
      const used = operands.flatMap((operand) => this.#usage(operand) ?? []);
      this.#values.push({
        level: Math.max(-1, ...used.map(({ level }) => level)),
        varies: used.some(({ varies }) => varies),
        inline: true,
        uses: 0,
        escapes: false,
      });
    }
    this.#countUses();
  }

  /** Of each view: at each level, whether it moves there (its stride; of units: of any of them). */
  #levelStrides(views: number): number[][] {
    const { nest } = this;
    return Array.from({ length: views }, (_, view) => {
      const levels = Array<number>(this.#innermost + 1).fill(0);
      levels[0] = nest.units.find(({ strides }) => strides[view])?.strides[view] ?? 0;
      nest.loops.forEach(({ strides }, i) => levels[this.#firstLoop + i] = strides[view]);
      levels[this.#vectorLevel] = nest.vector.strides[view] || (nest.tile?.strides[view] ?? 0);
      return levels;
    });
  }

  #usageOf(view: number): Usage {
    const level = this.#strided[view].findLastIndex((stride) => stride !== 0);
    const varies = this.#slotStride(view) !== 0;
    return { level, varies, inline: true, uses: 0, escapes: false };
  }

  /** Cells from one vector of a group to the next. */
  #slotStride(view: number): number {
    const { tile, vector } = this.nest;
    return tile ? tile.strides[view] : 4 * vector.strides[view];
  }

  /** Whether the vectors of a whole tile lie across the tile in memory. */
  #isTransposed(view: number): boolean {
    const { tile, vector } = this.nest;
    return tile?.strides[view] === 1 && vector.strides[view] !== 0 && vector.strides[view] !== 1;
  }

  #usage(operand: Operand): Usage | null {
    if (operand.kind === "number") return null;
    return (operand.kind === "read" ? this.#reads : this.#values)[operand.index];
  }

  #countUses(): void {
    const use = (operand: Operand, level: number, varies: boolean) => {
      const usage = this.#usage(operand);
      if (!usage) return;
      usage.uses++;
      if (usage.level < level) usage.escapes = true;
      if (usage.uses > 1 || usage.level < level || usage.varies !== varies) usage.inline = false;
    };
    this.nest.body.forEach(({ operands }, i) => {
      const { level, varies } = this.#values[i];
      for (const operand of operands) use(operand, level, varies);
    });
    for (const { value } of this.nest.writes) use(value, this.#innermost, true);
  }

  // ---- Accesses

  /** Where vector `slot` begins, and an offset that an instruction may hold. */
  #at(pointer: Code, bytes: number): [Code, number] {
    return bytes < 0 ? [i32.add(pointer, i32.const(bytes)), 0] : [pointer, bytes];
  }

  #load(view: number, pointer: Code, slot: number, lanes: number): Code {
    const stride = this.nest.vector.strides[view], start = 4 * slot * this.#slotStride(view);
    const [address, offset] = this.#at(pointer, start);
    if (stride === 0) return v128.load32Splat(address, offset);
    if (stride === 1 && lanes === 4) return v128.load(address, offset);
    let vector: Code, lane = 1;
    if (stride === 1 && lanes > 1) {
      vector = v128.load64Zero(address, offset);
      lane = 2;
    } else vector = v128.load32Zero(address, offset);
    for (; lane < lanes; lane++) {
      const [address, offset] = this.#at(pointer, start + 4 * lane * stride);
      // The address is wanted below the vector on the stack, whatever the vector is made of.
      vector = v128.load32Lane(address, vector, lane, offset);
    }
    return vector;
  }

  /** Stores a local. */
  #store(view: number, pointer: Code, slot: number, lanes: number, value: Code): Code {
    const stride = this.nest.vector.strides[view], start = 4 * slot * this.#slotStride(view);
    const [address, offset] = this.#at(pointer, start);
    if (stride === 1 && lanes === 4) return v128.store(address, value, offset);
    const code: Code[] = [];
    let lane = 0;
    if (stride === 1 && lanes > 1) {
      code.push(v128.store64Lane(address, value, 0, offset));
      lane = 2;
    }
    for (; lane < lanes; lane++) {
      const [address, offset] = this.#at(pointer, start + 4 * lane * stride);
      code.push(v128.store32Lane(address, value, lane, offset));
    }
    return code;
  }

  /** The four vectors of a tile that lies across it in memory, into locals. */
  #loadTransposed(view: number, pointer: Code, into: readonly Local[]): Code {
    const { scope } = this, stride = 4 * this.nest.vector.strides[view];
    return [
      into.map((local, lane) => local.set(v128.load(...this.#at(pointer, stride * lane)))),
      transposeFour(scope, into),
    ];
  }

  #storeTransposed(view: number, pointer: Code, values: readonly Local[]): Code {
    const stride = 4 * this.nest.vector.strides[view];
    return [
      transposeFour(this.scope, values),
      values.map((local, lane) => {
        const [address, offset] = this.#at(pointer, stride * lane);
        return v128.store(address, local.get, offset);
      }),
    ];
  }

  // ---- Values

  #name(operand: Operand & { kind: "read" | "value" }, slot: number): string {
    const { varies } = this.#usage(operand)!;
    return `${operand.kind}${operand.index}/${varies ? slot : ""}`;
  }

  #typeOf(operand: Operand): DataType {
    if (operand.kind === "number") return operand.type;
    return operand.kind === "read"
      ? this.nest.reads[operand.index]
      : this.nest.body[operand.index].type;
  }

  /** An operand for a vector; what has to be computed for it first is appended to `statements`. */
  #resolve(operand: Operand, at: Place, statements: Code[]): VectorValue {
    if (operand.kind === "number") {
      const { value, type } = operand;
      const code = type === "float32" ? this.scope.float(value) : this.scope.integer(value);
      return { code, form: "cells" };
    }
    const name = this.#name(operand, at.slot);
    const known = at.known.get(name);
    if (known) return known;
    const usage = this.#usage(operand)!;
    const made: VectorValue = operand.kind === "read"
      ? {
        code: this.#load(operand.index, at.pointers[operand.index], at.slot, at.lanes),
        form: "cells",
      }
      : this.#compute(operand.index, at, statements);
    if (usage.inline) return made;
    const local = this.scope.temporary();
    statements.push(local.set(made.code));
    const value: VectorValue = { code: local.get, form: made.form };
    at.known.set(name, value);
    return value;
  }

  #compute(index: number, at: Place, statements: Code[]): VectorValue {
    const { name, operands } = this.nest.body[index];
    const resolved = operands.map((operand) => this.#resolve(operand, at, statements));
    const last = operands[elementwise[name].arity - 1];
    const known = operands.map((operand) => operand.kind === "number" ? operand.value : undefined);
    const value = applyElementwise(this.scope, name, resolved, this.#typeOf(last), known);
    const isProduct = this.nest.body[index].type === "float32" &&
      (name === "multiply" || name === "square") && this.#values[index].inline;
    if (!isProduct) return value;
    if (name === "multiply") return { ...value, factors: [resolved[0].code, resolved[1].code] };
    const local = this.scope.temporary();
    return { ...value, factors: [local.tee(resolved[0].code), local.get] };
  }

  /** Computes what belongs to a level and is wanted further in. */
  #prepare(level: number, pointers: readonly Code[], lanes: Lanes, known: Known): Code[] {
    const statements: Code[] = [];
    const prepare = (kind: "read" | "value") => (usage: Usage, index: number) => {
      if (usage.level !== level || !usage.escapes) return;
      const slots = usage.varies ? lanes.length : 1;
      for (let slot = 0; slot < slots; slot++) {
        const at = { slot, lanes: lanes[slot] ?? 4, pointers, known };
        this.#resolve({ kind, index }, at, statements);
      }
    };
    this.#reads.forEach(prepare("read"));
    this.#values.forEach(prepare("value"));
    return statements;
  }

  /** The points of one group of vectors: values, then writes or accumulations. */
  #group(pointers: readonly Code[], lanes: Lanes, known: Known, sums: readonly Local[][]): Code {
    const { nest, scope } = this, mark = scope.mark, inner = new Map(known);
    const statements = this.#uniform(pointers, lanes, inner);
    const isWholeTile = nest.tile !== undefined && lanes.length === 4 && lanes[0] === 4;
    const across = nest.writes.map((_, w) =>
      isWholeTile && this.#isTransposed(nest.reads.length + w)
        ? [0, 1, 2, 3].map(() => scope.temporary())
        : null
    );
    const slotMark = scope.mark;
    lanes.forEach((cells, slot) => {
      scope.reuse(slotMark);
      const at = { slot, lanes: cells, pointers, known: new Map(inner) };
      const stores: Code[] = [];
      nest.writes.forEach((write, w) => {
        const value = this.#resolve(write.value, at, statements);
        if (write.reduce) {
          const sum = sums[w][slot];
          const partial = nest.mode === "rows" && cells < 4 ? cells : 4;
          statements.push(sum.set(this.#accumulate(write, sum.get, value, partial)));
          return;
        }
        const local = across[w]?.[slot] ?? scope.temporary(), view = nest.reads.length + w;
        statements.push(local.set(asCells(scope, value)));
        if (!across[w]) stores.push(this.#store(view, pointers[view], slot, cells, local.get));
      });
      statements.push(...stores);
    });
    across.forEach((values, w) => {
      const view = nest.reads.length + w;
      if (values) statements.push(this.#storeTransposed(view, pointers[view], values));
    });
    scope.reuse(mark);
    return statements;
  }

  /** What the vectors of a group share on the innermost level; and tiles that lie across. */
  #uniform(pointers: readonly Code[], lanes: Lanes, known: Known): Code[] {
    const statements: Code[] = [];
    const visit = (kind: "read" | "value") => (usage: Usage, index: number) => {
      if (usage.level !== this.#innermost || usage.varies || usage.inline || !usage.uses) return;
      this.#resolve({ kind, index }, { slot: 0, lanes: lanes[0], pointers, known }, statements);
    };
    if (this.nest.tile && lanes.length === 4 && lanes[0] === 4) {
      this.#reads.forEach(({ uses }, view) => {
        if (!uses || !this.#isTransposed(view)) return;
        const vectors = [0, 1, 2, 3].map(() => this.scope.temporary());
        statements.push(this.#loadTransposed(view, pointers[view], vectors));
        vectors.forEach(({ get }, slot) =>
          known.set(`read${view}/${slot}`, { code: get, form: "cells" })
        );
      });
    }
    this.#reads.forEach(visit("read"));
    this.#values.forEach(visit("value"));
    return statements;
  }

  // ---- Reductions

  #identity({ type, reduce }: Nest["writes"][number]): Code {
    return type === "float32"
      ? this.scope.float(identityOf(type, reduce!))
      : this.scope.integer(identityOf(type, reduce!));
  }

  /** The accumulator after `lanes` more values. */
  #accumulate(write: Nest["writes"][number], sum: Code, value: VectorValue, lanes: number): Code {
    const { scope } = this;
    if (lanes < 4) {
      const mask = i32x4.const(-1, lanes > 1 ? -1 : 0, lanes > 2 ? -1 : 0, 0);
      const masked = v128.bitselect(asCells(scope, value), this.#identity(write), mask);
      return combineTwo(scope, write, sum, masked);
    }
    if (write.reduce === "sum" && write.type === "float32" && value.factors) {
      return multiplyAdd(...value.factors, sum);
    }
    return combineTwo(scope, write, sum, asCells(scope, value));
  }

  #newSums(vectors: number): Local[][] {
    return this.nest.writes.map(({ reduce }) => reduce ? this.target.locals("v128", vectors) : []);
  }

  #resetSums(sums: readonly Local[][]): Code {
    return sums.map((locals, w) =>
      locals.map((local) => local.set(this.#identity(this.nest.writes[w])))
    );
  }

  /** Adds accumulators up, then their lanes, and stores the result. */
  #finishRows(sums: readonly Local[][], pointers: readonly Code[]): Code {
    const { nest, scope } = this;
    return nest.writes.map((write, w) => {
      if (!write.reduce) return [];
      const [first, ...others] = sums[w];
      const code: Code[] = [];
      for (let step = 1; step <= others.length; step *= 2) {
        for (let i = 0; i + step <= others.length; i += 2 * step) {
          code.push(
            sums[w][i].set(combineTwo(scope, write, sums[w][i].get, sums[w][i + step].get)),
          );
        }
      }
      for (const lanes of [[2, 3, 2, 3], [1, 0, 1, 0]] as const) {
        const other = v128.shuffle32(first.get, first.get, lanes);
        code.push(first.set(combineTwo(scope, write, first.get, other)));
      }
      code.push(v128.store32Lane(pointers[nest.reads.length + w], first.get, 0));
      return code;
    });
  }

  #finishColumns(sums: readonly Local[][], pointers: readonly Code[], lanes: Lanes): Code {
    const { nest } = this;
    return nest.writes.map(({ reduce }, w) => {
      if (!reduce) return [];
      const view = nest.reads.length + w;
      return lanes.map((cells, slot) =>
        this.#store(view, pointers[view], slot, cells, sums[w][slot].get)
      );
    });
  }

  // ---- Loops

  /** Pointers of its own for the views that move; `advance` moves them by so many steps. */
  #moving(
    pointers: readonly Code[],
    strides: readonly number[],
  ): { pointers: Code[]; start: Code; advance: (steps: number) => Code } {
    const start: Code[] = [], inner = [...pointers];
    const moved: [Local, number][] = [];
    strides.forEach((stride, view) => {
      if (stride === 0) return;
      const local = this.target.local("i32");
      start.push(local.set(pointers[view]));
      inner[view] = local.get;
      moved.push([local, stride]);
    });
    const advance = (steps: number): Code =>
      moved.map(([local, stride]) => local.set(i32.add(local.get, i32.const(4 * stride * steps))));
    return { pointers: inner, start, advance };
  }

  /** `left` is how many parts a split dimension has in this unit. */
  #isLast(unit: number): Code {
    const { nest } = this;
    return i32.eq(this.#indices[unit].get, i32.const(nest.units[unit].extent - 1));
  }

  /** Runs `inner` at every point of the loops from number `i` on. */
  #loops(
    i: number,
    pointers: readonly Code[],
    known: Known,
    lanes: Lanes,
    inner: (pointers: readonly Code[], known: Known) => Code,
  ): Code {
    const { nest, scope } = this;
    if (i === nest.loops.length) return inner(pointers, known);
    const { extent, strides } = nest.loops[i], mark = scope.mark;
    const split = nest.loopSplit?.loop === i ? nest.loopSplit : null;
    const left = this.target.local("i32");
    const count = split
      ? control.select(i32.const(split.last), i32.const(extent), this.#isLast(split.unit))
      : i32.const(extent);
    const moving = this.#moving(pointers, strides);
    const mine = new Map(known), level = this.#firstLoop + i;
    const prepared = level < this.#innermost
      ? this.#prepare(level, moving.pointers, lanes, mine)
      : [];
    const body = this.#loops(i + 1, moving.pointers, mine, lanes, inner);
    scope.reuse(mark);
    return [
      left.set(count),
      moving.start,
      control.loop(
        prepared,
        body,
        moving.advance(1),
        control.brIf(left.tee(i32.sub(left.get, i32.const(1))), 0),
      ),
    ];
  }

  /** Goes along a dimension: so many cells at a time in a loop, then the rest. */
  #stretch(
    { extent, strides }: Dimension,
    split: Split | undefined,
    width: number,
    pointers: readonly Code[],
    group: (pointers: readonly Code[], cells: number) => Code,
  ): Code {
    if (!split && extent <= width) return group(pointers, extent);
    const moving = this.#moving(pointers, strides), left = this.target.local("i32");
    const rest = (split ? split.last : extent) % width;
    const count = split
      ? control.select(i32.const(split.last), i32.const(extent), this.#isLast(split.unit))
      : i32.const(extent);
    const groups = control.loop(
      group(moving.pointers, width),
      moving.advance(width),
      control.brIf(
        i32.geS(left.tee(i32.sub(left.get, i32.const(width))), i32.const(width)),
        0,
      ),
    );
    const ending = rest ? group(moving.pointers, rest) : [];
    return [
      left.set(count),
      moving.start,
      split && split.last < width
        ? control.if(i32.geS(left.get, i32.const(width)), groups)
        : groups,
      rest && split ? control.if(left.get, ending) : ending,
    ];
  }

  /** Goes along the vector dimension, and for tiles along that of their vectors. */
  #along(pointers: readonly Code[], known: Known, sums: readonly Local[][]): Code {
    const { vector, vectorSplit, tile, tileSplit, unroll } = this.nest;
    if (!tile) {
      return this.#stretch(
        vector,
        vectorSplit,
        4 * unroll,
        pointers,
        (inner, cells) => this.#group(inner, lanesOf(cells), known, sums),
      );
    }
    return this.#stretch(
      tile,
      tileSplit,
      4,
      pointers,
      (outer, slots) =>
        this.#stretch(
          vector,
          vectorSplit,
          4,
          outer,
          (inner, cells) => this.#group(inner, Array(slots).fill(cells), known, sums),
        ),
    );
  }

  // ---- Units

  /** One unit, with pointers to its first point. */
  #unit(pointers: readonly Code[], known: Known): Code {
    const { nest } = this;
    if (nest.mode !== "columns") {
      const sums = this.#newSums(Math.min(nest.unroll, Math.ceil(nest.vector.extent / 4)));
      return [
        this.#resetSums(sums),
        this.#loops(0, pointers, known, [], (p, k) => this.#along(p, k, sums)),
        this.#finishRows(sums, pointers),
      ];
    }
    const columns = (cells: number): Code => {
      const lanes = lanesOf(cells), sums = this.#newSums(lanes.length), mine = new Map(known);
      const mark = this.scope.mark;
      const code = [
        this.#prepare(this.#vectorLevel, pointers, lanes, mine),
        this.#resetSums(sums),
        this.#loops(0, pointers, mine, lanes, (p, k) => this.#group(p, lanes, k, sums)),
        this.#finishColumns(sums, pointers, lanes),
      ];
      this.scope.reuse(mark);
      return code;
    };
    const { vector, vectorSplit: split } = nest;
    if (!split || split.last === vector.extent) return columns(vector.extent);
    return control.if(this.#isLast(split.unit), columns(split.last), columns(vector.extent));
  }

  /** Moves on to the next unit: from dimension `d` on, inwards first. */
  #carry(d: number, pointers: readonly (Local | null)[]): Code {
    const { units } = this.nest, index = this.#indices[d];
    const steps = pointers.map((pointer, view) => {
      if (!pointer) return [];
      const inner = units[d + 1];
      const step = units[d].strides[view] - (inner ? inner.extent * inner.strides[view] : 0);
      return step ? pointer.set(i32.add(pointer.get, i32.const(4 * step))) : [];
    });
    return [
      steps,
      index.set(i32.add(index.get, i32.const(1))),
      d === 0 ? [] : control.if(
        i32.eq(index.get, i32.const(units[d].extent)),
        [index.set(i32.const(0)), this.#carry(d - 1, pointers)],
      ),
    ];
  }

  /** Index and pointers of the unit `start`. */
  #seek(start: Code, pointers: readonly (Local | null)[]): Code {
    const { target, nest } = this, rest = target.local("i32");
    const code: Code[] = [rest.set(start)];
    for (let d = nest.units.length - 1; d >= 0; d--) {
      const extent = i32.const(nest.units[d].extent), index = this.#indices[d];
      code.push(index.set(d === 0 ? rest.get : i32.remU(rest.get, extent)));
      if (d > 0) code.push(rest.set(i32.divU(rest.get, extent)));
    }
    pointers.forEach((pointer, view) => {
      if (!pointer) return;
      let address: Code = target.parameters[3 + view].get;
      nest.units.forEach(({ strides }, d) => {
        if (strides[view] === 0) return;
        const bytes = i32.const(4 * strides[view]);
        address = i32.add(address, i32.mul(this.#indices[d].get, bytes));
      });
      code.push(pointer.set(address));
    });
    return code;
  }

  /** The function: every unit of the range, one after the other. */
  build(): FunctionBuilder {
    const { target, nest } = this;
    const [start, end, , ...parameters] = target.parameters;
    const known: Known = new Map();
    const given = parameters.map(({ get }) => get);
    const before = this.#prepare(-1, given, [], known);
    if (nest.mode === "flat") return this.#flat(start, end, given, before, known);
    this.#indices = target.locals("i32", nest.units.length);
    const moving = this.#strided.map(([stride]) => stride ? target.local("i32") : null);
    const pointers = moving.map((local, view) => local?.get ?? given[view]);
    const prepared = this.#prepare(0, pointers, [], known);
    const unit = this.#unit(pointers, known);
    return target.body(control.if(i32.ltS(start.get, end.get), [
      this.scope.prologue,
      before,
      this.#seek(start.get, moving),
      control.loop(
        prepared,
        unit,
        nest.units.length ? this.#carry(nest.units.length - 1, moving) : [],
        control.brIf(i32.ltS(start.tee(i32.add(start.get, i32.const(1))), end.get), 0),
      ),
    ]));
  }

  /** A range of units as one stretch: groups, vectors, and cells one at a time. */
  #flat(start: Local, end: Local, given: Code[], before: Code[], known: Known): FunctionBuilder {
    const { target, nest } = this, { extent, strides } = nest.vector;
    const left = target.local("i32");
    const moving = this.#moving(
      given.map((pointer, view) =>
        strides[view] === 0
          ? pointer
          : i32.add(pointer, i32.mul(start.get, i32.const(4 * extent * strides[view])))
      ),
      strides,
    );
    const steps = [4 * nest.unroll, ...(nest.unroll > 1 ? [4] : []), 1];
    return target.body(control.if(i32.ltS(start.get, end.get), [
      moving.start,
      left.set(i32.mul(i32.sub(end.get, start.get), i32.const(extent))),
      ...this.#flatLoops(steps, moving, left, before, known),
    ]));
  }

  #flatLoops(
    steps: readonly number[],
    moving: { pointers: Code[]; advance: (steps: number) => Code },
    left: Local,
    before: Code[],
    known: Known,
  ): Code[] {
    const loops = steps.map((step) =>
      control.block(control.loop(
        control.brIf(i32.ltS(left.get, i32.const(step)), 1),
        this.#group(moving.pointers, lanesOf(step), known, []),
        moving.advance(step),
        left.set(i32.sub(left.get, i32.const(step))),
        control.br(0),
      ))
    );
    return [this.scope.prologue, before, ...loops];
  }
}

/** Where a value is wanted. */
interface Place {
  readonly slot: number;
  readonly lanes: number;
  readonly pointers: readonly Code[];
  readonly known: Known;
}

/** What a reduction of nothing gives. */
export function identityOf(type: DataType, reduce: "sum" | "maximum" | "minimum"): number {
  if (reduce === "sum") return 0;
  if (type === "float32") return reduce === "maximum" ? -Infinity : Infinity;
  return reduce === "maximum" ? -0x80000000 : 0x7fffffff;
}

function combineTwo(
  scope: VectorScope,
  { type, reduce }: Nest["writes"][number],
  a: Code,
  b: Code,
): Code {
  if (type === "float32") {
    if (reduce === "sum") return f32x4.add(a, b);
    return reduce === "maximum" ? maximum(scope, a, b) : minimum(scope, a, b);
  }
  if (reduce === "sum") return i32x4.add(a, b);
  return reduce === "maximum" ? i32x4.maxS(a, b) : i32x4.minS(a, b);
}

/** The function of a nest, with the parameters of a phase; pointers are of reads, then of writes. */
export function nestFunction(module: ModuleBuilder, nest: Nest): FunctionBuilder {
  const key = JSON.stringify(nest, (_, value) => Object.is(value, -0) ? "-0" : encode(value));
  return module.shared(`loop ${key}`, () => new NestCode(module, nest).build());
}

/** Numbers that JSON has no word for. */
function encode(value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? `${value}` : value;
}

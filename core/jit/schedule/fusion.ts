/**
 * @file Fusion: which items share a kernel. Items join, in topological order, the loops or products
 * that give them their operands point by point; loops that meet in a common consumer are merged, and
 * at the end loops beside each other too. A loop may have several results, as in XLA's multi-output
 * fusion. Nothing is merged that would close a cycle between kernels.
 */
import { accessKey, cutsOf, isIdentityAccess, refine } from "./access.ts";
import {
  fits,
  instructionCost,
  isNumber,
  producerOf,
  readsOf,
  smallInlinedValues,
  type Use,
  usesOf,
} from "./inlining.ts";
import { isLoopItem, type Item, type Items, type Source } from "./items.ts";
import { Reachability } from "./reachability.ts";

/** What becomes one kernel: a product with its epilogue, something special, or a loop. */
export interface Unit {
  readonly id: number;
  /** The product or the special item, if it is not a loop. */
  readonly head?: Item;
  /** Of the loop or the epilogue, in topological order. */
  readonly items: readonly Item[];
  readonly points: number;
  /** Where the loop's dimensions are cut; of a product at most the columns. */
  readonly cuts: readonly number[];
  /** The access of what reductions write; all of a loop have the same. */
  readonly reduction?: string;
}

/** What is read, and how: keys, and the values that they name. */
type Inputs = ReadonlyMap<string, number>;

/** A unit that still grows. */
interface GrowingUnit extends Unit {
  items: Item[];
  cuts: readonly number[];
  reduction?: string;
  /** What its items read of other units. */
  inputs: Inputs;
}

/** The units of a program, and how they read each other's values. */
export interface Units {
  /** In no particular order. */
  readonly units: readonly Unit[];
  /** Whether a unit computes a value for itself that it does not read from memory. */
  computes(unit: Unit, value: number): boolean;
  /** What a unit's loop reads from memory or from its own product, for one of its items. */
  reads(unit: Unit, item: Item): Source[];
}

/** Loops beside each other are merged up to this size, to save kernels. */
const SMALL_LOOP = 65536;
/** Loops with more streams than this are not made by merging neighbours, nor tiny ones with more. */
const MOST_STREAMS = 40, MOST_STREAMS_OF_TINY = 160;
const TINY_LOOP = 4096;
/** How many earlier units are tried as neighbours. */
const NEIGHBOURS = 16;
/**
 * No unit has more items, nor reads more. Every view is an argument of a WebAssembly function, of
 * which engines allow 1000; recomputing may make three reads of one. And code is made from bodies by
 * recursion along their longest chain.
 */
const MOST_ITEMS = 500, MOST_INPUTS = 160;

/**
 * Divides the work of a program into kernels; `replacements` gives the value that each argument has
 * after the run, where that is another one.
 */
export function fuse(program: Items, replacements: ReadonlyMap<number, number>): Units {
  const fusion = new Fusion(program, replacements);
  for (const item of program.items) fusion.place(item);
  fusion.readBeforeReplacing();
  fusion.mergeNeighbours();
  fusion.recomputeCheapValues();
  return {
    units: fusion.live(),
    computes: (unit, value) => fusion.isComputedIn(unit, value),
    reads: (unit, item) => fusion.reads(unit, item),
  };
}

class Fusion {
  readonly #program: Items;
  readonly #uses: readonly Use[][];
  readonly #inlined: Set<number>;
  /** Values that are stored, but that other units compute again. */
  readonly #recomputed = new Set<number>();
  /** By a unit's items: merging makes a new list. */
  readonly #knownStreams = new WeakMap<readonly Item[], Map<string, number>>();
  readonly #replacements: ReadonlyMap<number, number>;
  readonly #deferred: Set<Item>;
  /** The results. */
  readonly #wanted: ReadonlySet<number>;
  readonly #reach: Reachability;
  readonly #units: (GrowingUnit | undefined)[] = [];
  /** The unit of each item, by its order. */
  readonly #unitOf: number[] = [];
  readonly #reads: (readonly Source[])[] = [];
  /** Items whose units run in this order although the second reads nothing of the first. */
  readonly #ordered: (readonly [before: Item, after: Item])[] = [];

  constructor(program: Items, replacements: ReadonlyMap<number, number>) {
    this.#program = program;
    this.#replacements = replacements;
    this.#uses = usesOf(program);
    this.#inlined = smallInlinedValues(program, this.#uses, (index) => replacements.has(index));
    this.#deferred = itemsForReductions(program, this.#uses);
    this.#wanted = new Set(program.outputs);
    this.#reach = new Reachability(program.items.length);
  }

  live(): GrowingUnit[] {
    return this.#units.filter((unit) => unit !== undefined);
  }

  isComputedIn(unit: Unit, value: number): boolean {
    if (this.#inlined.has(value)) return true;
    return this.#recomputed.has(value) && !this.#writersOf(value).includes(unit.id);
  }

  reads(unit: Unit, item: Item): Source[] {
    return readsOf(this.#program.values, item, (value) => this.isComputedIn(unit, value))!;
  }

  /** Puts an item where it belongs among the units made so far. */
  place(item: Item): void {
    if (this.#inlined.has(item.value)) return;
    const reads = this.#readsBefore(item);
    if (!isLoopItem(item)) {
      const cuts = item.kind === "product" ? [columnsOf(item)] : [];
      const { points } = item;
      this.#addUnit({ head: item, items: [], points, cuts, inputs: new Map() }, item, reads);
      return;
    }
    const candidates = this.#candidates(item, reads);
    const target = candidates.find((unit) => this.#mayJoin(item, reads, unit));
    if (!target) {
      const reduction = item.kind === "reduce" ? accessKey(item.write) : undefined;
      const cuts = refine(item.points, ...cutLists(item, reads))!;
      const { points } = item, inputs = inputsOf(reads);
      this.#addUnit({ items: [item], points, cuts, reduction, inputs }, item, reads);
      return;
    }
    this.#join(item, reads, target);
    for (const { id } of candidates) {
      const [one, other] = [this.#units[target.id], this.#units[id]];
      if (one && other && other !== one) this.#tryMerge(one, other);
    }
  }

  /** What an item reads, before anything is recomputed. */
  #readsBefore(item: Item): readonly Source[] {
    return this.#reads[item.order] ??= isLoopItem(item)
      ? readsOf(this.#program.values, item, (value) => this.#inlined.has(value))!
      : item.sources;
  }

  /** The units that write a value. */
  #writersOf(value: number): number[] {
    const { origin } = this.#program.values[value];
    if (origin.kind !== "items") return [];
    return origin.items.map(({ order }) => this.#unitOf[order]);
  }

  #addUnit(unit: Omit<GrowingUnit, "id">, item: Item, reads: readonly Source[]): void {
    const id = this.#reach.add();
    this.#units.push({ ...unit, id });
    this.#unitOf[item.order] = id;
    this.#connect(id, reads);
  }

  #connect(id: number, reads: readonly Source[]): void {
    for (const { value } of reads) {
      for (const from of this.#writersOf(value)) if (from !== id) this.#reach.connect(from, id);
    }
  }

  /**
   * Units that compute an operand at the same points, in the order of preference: the last product
   * (its result need not be stored), else the last loop. What only reductions need waits for them.
   */
  #candidates(item: Item, reads: readonly Source[]): GrowingUnit[] {
    const found = new Set<number>();
    for (const read of reads) {
      if (this.#isPointwise(item.points, read)) {
        for (const id of this.#writersOf(read.value)) found.add(id);
      }
    }
    const units = [...found].map((id) => this.#units[id]!);
    return units
      .filter(({ head, points }) =>
        points === item.points && (!head || (head.kind === "product" && !this.#deferred.has(item)))
      )
      .sort((a, b) => Number(!!b.head) - Number(!!a.head) || b.id - a.id);
  }

  /** Whether a loop reads cell i of a whole value at point i. */
  #isPointwise(points: number, { value, access }: Source): boolean {
    const known = this.#program.values[value], producer = producerOf(known);
    return known.size === points && isIdentityAccess(access) && producer !== undefined &&
      producer.kind !== "reduce";
  }

  #mayJoin(item: Item, reads: readonly Source[], unit: GrowingUnit): boolean {
    if (unit.points !== item.points) return false;
    const reduction = item.kind === "reduce" ? accessKey(item.write) : undefined;
    if (!compatibleReductions(unit, { reduction })) return false;
    if (!refineFor(unit, ...cutLists(item, reads))) return false;
    if (unit.items.length === MOST_ITEMS) return false;
    if (this.#inputsTogether([unit], inputsOf(reads)).size > MOST_INPUTS) return false;
    return reads.every((read) =>
      this.#writersOf(read.value).every((from) =>
        from === unit.id
          ? this.#isPointwise(item.points, read)
          : !this.#reach.reaches(unit.id, from)
      )
    );
  }

  #join(item: Item, reads: readonly Source[], unit: GrowingUnit): void {
    if (item.kind === "reduce") unit.reduction = accessKey(item.write);
    unit.cuts = refineFor(unit, ...cutLists(item, reads))!;
    unit.inputs = this.#inputsTogether([unit], inputsOf(reads));
    unit.items.push(item);
    this.#unitOf[item.order] = unit.id;
    this.#connect(unit.id, reads);
  }

  /** What units, and something with these inputs, read together of others. */
  #inputsTogether(units: readonly GrowingUnit[], inputs: Inputs = new Map()): Inputs {
    const together = new Map([...units.map((unit) => unit.inputs), inputs].flatMap((i) => [...i]));
    for (const [key, value] of together) {
      const writers = this.#writersOf(value);
      if (units.some(({ id }) => writers.includes(id))) together.delete(key);
    }
    return together;
  }

  /** Merges two units, if that is possible, into the first or, if that one is none, the product. */
  #tryMerge(a: GrowingUnit, b: GrowingUnit): boolean {
    if (b.head) [a, b] = [b, a];
    if (b.head || a.head?.kind === "special" || a.points !== b.points) return false;
    if (!compatibleReductions(a, b)) return false;
    const cuts = refineFor(a, b.cuts);
    if (!cuts || !this.#readPointwise(a, b) || !this.#readPointwise(b, a)) return false;
    const inputs = this.#inputsTogether([a, b]);
    if (a.items.length + b.items.length > MOST_ITEMS || inputs.size > MOST_INPUTS) return false;
    if (this.#hasUnitBetween(a, b) || this.#hasUnitBetween(b, a)) return false;
    for (const { order } of b.items) this.#unitOf[order] = a.id;
    this.#reach.merge(a.id, b.id);
    a.items = [...a.items, ...b.items].sort((x, y) => x.order - y.order);
    a.cuts = cuts;
    a.inputs = inputs;
    a.reduction ??= b.reduction;
    this.#units[b.id] = undefined;
    return true;
  }

  /** What a unit reads of others, its head's operands included. */
  *#allReads(unit: Unit): Generator<Source> {
    for (const item of unit.items) yield* this.#readsBefore(item);
    if (unit.head) yield* unit.head.sources;
  }

  /** Whether `reader` reads what `writer` computes at the same point only. */
  #readPointwise(writer: Unit, reader: Unit): boolean {
    if (!this.#reach.reaches(writer.id, reader.id)) return true;
    const heads = reader.head?.sources ?? [];
    if (heads.some(({ value }) => this.#writersOf(value).includes(writer.id))) return false;
    return reader.items.every((item) =>
      this.#readsBefore(item).every((read) =>
        !this.#writersOf(read.value).includes(writer.id) || this.#isPointwise(item.points, read)
      )
    );
  }

  #hasUnitBetween(from: Unit, to: Unit): boolean {
    if (!this.#reach.reaches(from.id, to.id)) return false;
    const isBetween = (unit: number) =>
      unit !== to.id && unit !== from.id && this.#reach.reaches(from.id, unit);
    for (const { value } of this.#allReads(to)) {
      if (this.#writersOf(value).some(isBetween)) return true;
    }
    return this.#ordered.some(([before, after]) =>
      this.#unitOf[after.order] === to.id && isBetween(this.#unitOf[before.order])
    );
  }

  /** Puts the readers of an argument before the unit that makes what replaces it, where possible. */
  readBeforeReplacing(): void {
    for (const item of this.#program.items) {
      if (this.#inlined.has(item.value)) continue;
      for (const { value } of this.#readsBefore(item)) this.#putBeforeReplacement(item, value);
    }
  }

  /** Whether an item can read a value, if it is an argument, before it is replaced. */
  #putBeforeReplacement(reader: Item, argument: number): boolean {
    const { origin } = this.#program.values[argument];
    const result = origin.kind === "input" ? this.#replacements.get(origin.index) : undefined;
    if (result === undefined || result === argument) return true;
    const writer = producerOf(this.#program.values[result]);
    if (!writer) return false;
    const [from, to] = [this.#unitOf[reader.order], this.#unitOf[writer.order]];
    if (from === to || this.#reach.reaches(from, to)) return true;
    if (this.#reach.reaches(to, from)) return false;
    this.#reach.connect(from, to);
    this.#ordered.push([reader, writer]);
    return true;
  }

  /** Merges loops beside each other: small ones, and those that read the same large array. */
  mergeNeighbours(): void {
    const recent = new Map<string, number[]>();
    const inOrder = this.live().filter(({ head }) => !head)
      .sort((a, b) => a.items[0].order - b.items[0].order);
    for (const { id } of inOrder) {
      const unit = this.#units[id];
      if (!unit) continue;
      const key = `${unit.points} ${unit.reduction ?? ""}`;
      const before = recent.get(key) ?? [];
      const merged = before.slice(-NEIGHBOURS).reverse().some((other) => {
        const neighbour = this.#units[other]!;
        return this.#areNeighbours(neighbour, unit) && this.#tryMerge(neighbour, unit);
      });
      if (!merged) recent.set(key, [...before, id]);
    }
  }

  #areNeighbours(a: Unit, b: Unit): boolean {
    if (a.points === 1) return true;
    const readsOfB = this.#streams(b), readsOfA = this.#streams(a);
    const most = a.points <= TINY_LOOP ? MOST_STREAMS_OF_TINY : MOST_STREAMS;
    if (readsOfA.size + readsOfB.size > most) return false;
    if (a.points <= SMALL_LOOP) return true;
    return [...readsOfA].some(([key, points]) => points === a.points && readsOfB.has(key)) &&
      !this.#repeats(a, b);
  }

  /**
   * Whether a unit computes what another one does. Common subexpressions are gone: what there is
   * twice is to be computed at two times, so that it need not be kept from one to the other.
   */
  #repeats(a: Unit, b: Unit): boolean {
    const keyOf = ({ operation, sources }: Item) =>
      operation.kind === "elementwise" &&
      `${operation.name} ${sources.map(({ value, access }) => `${value} ${accessKey(access)}`)}`;
    const known = new Set(a.items.map(keyOf).filter((key) => key !== false));
    return b.items.some((item) => known.has(keyOf(item) || ""));
  }

  /** What a unit's loop reads and writes: keys, and how many cells each. */
  #streams(unit: Unit): ReadonlyMap<string, number> {
    const known = this.#knownStreams.get(unit.items);
    if (known) return known;
    const streams = new Map<string, number>();
    this.#knownStreams.set(unit.items, streams);
    for (const item of unit.items) {
      const isWritten = this.#wanted.has(item.value) || item.kind === "reduce" ||
        this.#usesOutside(item).length > 0;
      if (isWritten) streams.set(`${item.value} written`, 0);
      for (const { value, access } of this.#readsBefore(item)) {
        if (this.#writersOf(value).includes(unit.id)) continue;
        streams.set(`${value} ${accessKey(access)}`, this.#program.values[value].size);
      }
    }
    return streams;
  }

  /**
   * Values that a unit would store for others although they are a cheap function of one array that
   * is stored anyway: the others compute them from that.
   */
  recomputeCheapValues(): void {
    const needed = new Set(this.#program.outputs);
    for (const item of this.#program.items) {
      if (!isLoopItem(item)) { for (const { value } of item.sources) needed.add(value); }
    }
    for (const item of this.#program.items) {
      if (this.#inlined.has(item.value) || needed.has(item.value)) continue;
      if (instructionCost(item) > 2) continue;
      const outside = this.#usesOutside(item);
      if (outside.length === 0) continue;
      if (!this.#isFunctionOfStored(item, needed, outside)) continue;
      this.#recomputed.add(item.value);
      const fit = outside.every(({ item: user }) => {
        const unit = this.#units[this.#unitOf[user.order]]!;
        const isComputed = (value: number) => this.isComputedIn(unit, value);
        const reads = readsOf(this.#program.values, user, isComputed);
        return fits(user, reads) && refineFor(unit, ...cutLists(user, reads!)) !== null;
      });
      if (!fit) this.#recomputed.delete(item.value);
    }
    this.#refineCuts();
  }

  /** The uses of an item's value in other units. */
  #usesOutside({ order, value }: Item): Use[] {
    const own = this.#unitOf[order];
    return this.#finalUses(value).filter(({ item }) => this.#unitOf[item.order] !== own);
  }

  /** The uses of a value, and for those that are inlined, theirs. */
  #finalUses(value: number): readonly Use[] {
    const uses = this.#uses[value];
    if (!uses.some(({ item }) => this.#inlined.has(item.value))) return uses;
    return uses.flatMap((use) =>
      this.#inlined.has(use.item.value) ? this.#finalUses(use.item.value) : [use]
    );
  }

  /**
   * Whether all but one of an item's operands are small, and that one is stored for others too.
   * An argument that the run replaces must be read again before that.
   */
  #isFunctionOfStored(
    item: Item,
    needed: ReadonlySet<number>,
    outside: readonly Use[],
  ): boolean {
    const full = new Set<number>();
    for (const { value } of item.sources) {
      const known = this.#program.values[value];
      if (isNumber(known)) continue;
      if (this.#inlined.has(value) || this.#recomputed.has(value)) return false;
      const { origin } = known;
      if (origin.kind === "input") {
        if (!outside.every((use) => this.#putBeforeReplacement(use.item, value))) return false;
      }
      if (known.size * 8 > item.points) full.add(value);
    }
    if (full.size > 1) return false;
    return [...full].every((value) => {
      const { origin } = this.#program.values[value];
      if (origin.kind !== "items" || needed.has(value)) return true;
      const own = this.#writersOf(value);
      return this.#finalUses(value).some((use) =>
        use.item.value !== item.value && !own.includes(this.#unitOf[use.item.order])
      );
    });
  }

  #refineCuts(): void {
    for (const unit of this.live()) {
      const lists = unit.items.flatMap((item) => cutLists(item, this.reads(unit, item)));
      unit.cuts = refineFor(unit, ...lists)!;
    }
  }
}

/** The length of the last axis of a product's result. */
export function columnsOf({ shape }: Item): number {
  return shape.at(-1) ?? 1;
}

function inputsOf(reads: readonly Source[]): Inputs {
  return new Map(reads.map(({ value, access }) => [`${value} ${accessKey(access)}`, value]));
}

function cutLists(item: Item, reads: readonly Source[]): number[][] {
  return [cutsOf(item.write), ...reads.map(({ access }) => cutsOf(access))];
}

/** The cuts of a unit with more of them; null where that is not to be. */
function refineFor(unit: Unit, ...lists: (readonly number[])[]): readonly number[] | null {
  if (!unit.head) return refine(unit.points, unit.cuts, ...lists);
  return lists.every((cuts) => cuts.every((cut) => cut === columnsOf(unit.head!)))
    ? unit.cuts
    : null;
}

function compatibleReductions(
  a: { head?: Item; reduction?: string },
  b: { head?: Item; reduction?: string },
): boolean {
  if (a.reduction === undefined && b.reduction === undefined) return true;
  if (a.head || b.head) return false;
  return a.reduction === undefined || b.reduction === undefined || a.reduction === b.reduction;
}

/**
 * Items that only lead to one kind of reduction and that are better computed there than in the
 * epilogue of a product: where that reads and stores fewer arrays.
 */
function itemsForReductions(program: Items, uses: readonly Use[][]): Set<Item> {
  const cones = exclusiveCones(program, uses), wanted = new Set(program.outputs);
  const deferred = new Set<Item>();
  for (const cone of cones) {
    const values = new Set(cone.map(({ value }) => value));
    const entering = new Set<number>(), leaving = new Set<number>();
    for (const item of cone) {
      for (const { value, access } of item.sources) {
        const { size, origin } = program.values[value];
        if (origin.kind !== "items" || values.has(value)) continue;
        if (size === item.points && isIdentityAccess(access)) entering.add(value);
      }
      if (uses[item.value].some((use) => use.item.kind === "reduce")) leaving.add(item.value);
    }
    const storedForThis = [...entering].filter((value) =>
      !wanted.has(value) &&
      uses[value].every(({ item, source }) =>
        isLoopItem(item) && item.kind !== "reduce" && isIdentityAccess(source.access)
      )
    );
    if (entering.size + storedForThis.length < 2 * leaving.size) {
      for (const item of cone) deferred.add(item);
    }
  }
  return deferred;
}

/** Connected elementwise items whose every use ends in a reduction over the same points and axes. */
function exclusiveCones({ items, outputs }: Items, uses: readonly Use[][]): Item[][] {
  const wanted = new Set(outputs), keys = new Map<Item, string>();
  const roots = new Map<Item, Item>();
  const rootOf = (item: Item): Item => {
    let at = item;
    for (let next = roots.get(at)!; next !== at; next = roots.get(at)!) {
      roots.set(at, roots.get(next)!);
      at = next;
    }
    return at;
  };
  for (const item of items.toReversed()) {
    if (item.kind !== "elementwise" || wanted.has(item.value)) continue;
    const found = uses[item.value].map(({ item: user, source }) => {
      if (user.points !== item.points || !isIdentityAccess(source.access)) return undefined;
      return user.kind === "reduce" ? accessKey(user.write) : keys.get(user);
    });
    const [key] = found;
    if (key === undefined || found.some((other) => other !== key)) continue;
    keys.set(item, key);
    roots.set(item, item);
    for (const { item: user } of uses[item.value]) {
      if (roots.has(user)) roots.set(rootOf(user), item);
    }
  }
  return [...Map.groupBy(roots.keys(), rootOf).values()];
}

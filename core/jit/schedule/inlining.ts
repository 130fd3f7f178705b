/**
 * @file What is worth computing again in each loop that needs it rather than storing it: a few cheap
 * instructions on a small array (a column, a row, a scalar) that a larger loop spreads out, or on an
 * array that is stored anyway.
 */
import type { ElementwiseName } from "../elementwise.ts";
import { composeAccess, cutsOf, isIdentityAccess, refine } from "./access.ts";
import { isLoopItem, type Item, type Items, type Source, type Value } from "./items.ts";

/** More than this is stored. */
const LARGEST_COST = 4;
const MOST_READS = 3;

const expensive: ReadonlySet<ElementwiseName> = new Set<ElementwiseName>([
  ...(["exponential", "exponentialMinusOne", "logarithm", "logarithmOnePlus", "sine"] as const),
  ...(["cosine", "hyperbolicTangent", "sigmoid", "errorFunction", "power", "modulo"] as const),
]);
const middling: ReadonlySet<ElementwiseName> = new Set<ElementwiseName>([
  ...(["squareRoot", "reciprocalSquareRoot", "reciprocal", "divide", "floorDivide"] as const),
]);

/** About how many cheap instructions an item takes; infinite where it is not cheap. */
export function instructionCost({ kind, operation }: Item): number {
  if (kind !== "elementwise" || operation.kind !== "elementwise") return Infinity;
  if (expensive.has(operation.name)) return Infinity;
  return middling.has(operation.name) ? 2 : 1;
}

/** Where a value is read: by which item, and how. */
export interface Use {
  readonly item: Item;
  readonly source: Source;
}

/** All uses of each value. */
export function usesOf({ items, values }: Items): Use[][] {
  const uses: Use[][] = values.map(() => []);
  for (const item of items) {
    for (const source of item.sources) uses[source.value].push({ item, source });
  }
  return uses;
}

/** Whether a value is one number, which loops hold in their code. */
export function isNumber({ origin }: Value): boolean {
  return origin.kind === "constant" && origin.values.length === 1;
}

/** The one item that gives a whole value; undefined for arguments, constants and concatenations. */
export function producerOf({ origin }: Value): Item | undefined {
  if (origin.kind !== "items" || origin.items.length !== 1) return undefined;
  const [item] = origin.items;
  return item.kind === "reduce" || isIdentityAccess(item.write) ? item : undefined;
}

/**
 * What a loop reads for a source: the source, or what it is computed from where the value is not
 * stored. Numbers are not read. Null where the accesses do not compose.
 */
function expandSource(
  values: readonly Value[],
  source: Source,
  isInlined: (value: number) => boolean,
): Source[] | null {
  const value = values[source.value];
  if (isNumber(value)) return [];
  if (!isInlined(source.value)) return [source];
  const reads: Source[] = [];
  for (const inner of producerOf(value)!.sources) {
    const access = composeAccess(source.access, inner.access, value.size);
    const expanded = access && expandSource(values, { value: inner.value, access }, isInlined);
    if (!expanded) return null;
    reads.push(...expanded);
  }
  return reads;
}

/** All that an item's loop reads for it; null where accesses do not compose. */
export function readsOf(
  values: readonly Value[],
  item: Item,
  isInlined: (value: number) => boolean,
): Source[] | null {
  const reads: Source[] = [];
  for (const source of item.sources) {
    const expanded = expandSource(values, source, isInlined);
    if (!expanded) return null;
    reads.push(...expanded);
  }
  return reads;
}

/** Whether one loop nest can read all of it. */
export function fits(item: Item, reads: readonly Source[] | null): boolean {
  return reads !== null &&
    refine(item.points, cutsOf(item.write), ...reads.map(({ access }) => cutsOf(access))) !== null;
}

/**
 * Small values that every user computes for itself: cheap elementwise work whose users are larger
 * loops, on operands that are stored anyway. Arguments that a run replaces are left alone, so that
 * they are read early and can be replaced in place.
 */
export function smallInlinedValues(
  { items, values, outputs }: Items,
  uses: readonly Use[][],
  isReplaced: (argument: number) => boolean,
): Set<number> {
  const inlined = new Set<number>(), costs = new Map<number, number>();
  const isStored = (source: Source): boolean => {
    const { origin } = values[source.value], producer = producerOf(values[source.value]);
    if (origin.kind === "input") return !isReplaced(origin.index);
    return !producer || (producer.kind !== "elementwise" && producer.kind !== "copy");
  };
  const wanted = new Set(outputs);
  for (const item of items) {
    const users = uses[item.value];
    if (wanted.has(item.value) || users.length === 0) continue;
    if (!users.every((use) => isLoopItem(use.item) && use.item.points > item.points)) continue;
    const cost = item.sources.reduce(
      (sum, { value }) => sum + (inlined.has(value) ? costs.get(value)! : 0),
      instructionCost(item),
    );
    if (cost > LARGEST_COST) continue;
    const reads = readsOf(values, item, (value) => inlined.has(value));
    if (!reads || reads.length > MOST_READS || !reads.every(isStored)) continue;
    inlined.add(item.value);
    const isInlined = (value: number) => inlined.has(value);
    if (users.every((use) => fits(use.item, readsOf(values, use.item, isInlined)))) {
      costs.set(item.value, cost);
    } else inlined.delete(item.value);
  }
  return inlined;
}

/**
 * @file How a loop is run: which dimension the four lanes go along, what the units are that threads
 * share, and whether a reduction is cut into chunks whose partial results are combined afterwards.
 * All of it is a function of the loop alone, so results do not depend on the number of threads.
 */
import type { DataType } from "../elementwise.ts";
import { rowMajorStrides } from "../graph.ts";
import type { Instruction, Loop, Operand, View } from "../kernels.ts";
import { instructionWeight } from "./vector_math.ts";

/** One dimension of an iteration space; strides in cells, one a view. */
export interface Dimension {
  readonly extent: number;
  readonly strides: readonly number[];
}

/** Where a value goes; the view's number is the number of reads plus the write's place. */
export interface NestWrite {
  readonly value: Operand;
  readonly type: DataType;
  readonly reduce?: "sum" | "maximum" | "minimum";
}

/** A dimension that is dealt with in parts: all as long as its extent says but for the last one. */
export interface Split {
  /** Which of the unit dimensions counts the parts. */
  readonly unit: number;
  /** The extent of the last part. */
  readonly last: number;
}

/**
 * A loop as it will be run. Each unit (a point of the unit dimensions) goes through
 * - points: `loops`, and inside them the vector dimension;
 * - rows: the same, with accumulators of vectors that are added up across lanes at the unit's end;
 * - columns: the vector dimension, which is not reduced, and inside it `loops`, all reduced.
 * - flat: as points, but a range of units is one stretch along the vector dimension, `extent` a unit.
 */
export interface Nest {
  readonly mode: "points" | "rows" | "columns" | "flat";
  readonly units: readonly Dimension[];
  readonly loops: readonly Dimension[];
  readonly vector: Dimension;
  readonly vectorSplit?: Split;
  /** Of points: the dimension along which the vectors of a group follow each other, four to a tile. */
  readonly tile?: Dimension;
  readonly tileSplit?: Split;
  /** Of one of the loops. */
  readonly loopSplit?: Split & { readonly loop: number };
  /** How many vectors are in flight together. */
  readonly unroll: number;
  readonly reads: readonly DataType[];
  readonly body: readonly Instruction[];
  readonly writes: readonly NestWrite[];
}

/** A nest, and what combines its partial results. */
export interface LoopPlan {
  readonly nest: Nest;
  readonly units: number;
  readonly work: number;
  /** Where reductions are cut into chunks. */
  readonly partial?: {
    readonly chunks: number;
    /** Cells of one reduction's result. */
    readonly outputs: number;
    /** Dimensions of the result, outermost first, and each write's strides along them. */
    readonly extents: readonly number[];
  };
}

/** An iteration space without dimensions of extent 1, and with neighbours merged that can be. */
interface Space {
  readonly kept: readonly Dimension[];
  readonly reduced: readonly Dimension[];
}

const product = (dimensions: readonly { extent: number }[]) =>
  dimensions.reduce((size, { extent }) => size * extent, 1);

/** All views of a loop: reads, then writes. */
export function loopViews(loop: Loop): View[] {
  return [...loop.reads, ...loop.writes.map(({ view }) => view)];
}

/** Neighbours merged that every view walks in one stride; dimensions of extent 1 dropped. */
export function merged(dimensions: readonly Dimension[]): Dimension[] {
  const out: Dimension[] = [];
  for (const dimension of dimensions) {
    if (dimension.extent === 1) continue;
    const outer = out.at(-1);
    const { extent, strides } = dimension;
    if (outer && outer.strides.every((stride, view) => stride === strides[view] * extent)) {
      out[out.length - 1] = { extent: outer.extent * extent, strides };
    } else out.push(dimension);
  }
  return out;
}

/** The dimensions of a loop, as they are written. */
function dimensionsOf(loop: Loop): Dimension[] {
  const views = loopViews(loop);
  return loop.extents.map((extent, d) => ({
    extent,
    strides: views.map(({ strides }) => strides[d]),
  }));
}

function spaceOf(loop: Loop): Space {
  const all = dimensionsOf(loop), kept = all.length - loop.reducedDimensions;
  return { kept: merged(all.slice(0, kept)), reduced: merged(all.slice(kept)) };
}

/** About how many instructions a point's body is. */
function bodyWeight(loop: Loop): number {
  return loop.body.reduce((sum, { name }) => sum + instructionWeight(name), 0) +
    loop.writes.filter(({ reduce }) => reduce).length;
}

/** About how many instructions a point costs when vectors go along this dimension. */
function costAlong({ extent, strides }: Dimension, body: number): number {
  const lanes = extent / Math.ceil(extent / 4);
  const accesses = strides.reduce(
    (sum, stride) => sum + (stride === 0 ? 0 : stride === 1 ? 1 : 6),
    0,
  );
  return (accesses + body) / lanes + (8 + strides.length) / extent;
}

/** Which of the dimensions the vectors go along; inner ones are preferred. */
function bestVector(dimensions: readonly Dimension[], body: number): { at: number; cost: number } {
  let at = dimensions.length - 1, cost = Infinity;
  for (let d = dimensions.length - 1; d >= 0; d--) {
    const candidate = costAlong(dimensions[d], body);
    if (candidate < cost * 0.999) [at, cost] = [d, candidate];
  }
  return { at, cost };
}

/** Vectors in flight: more where a body is short, so that the loop itself costs little. */
function unrollOf(body: number): number {
  return body <= 8 ? 4 : body <= 30 ? 2 : 1;
}

function scalar(views: number): Dimension {
  return { extent: 1, strides: Array(views).fill(0) };
}

/** A unit dimension that counts parts of `size` cells of another dimension, and the split. */
function splitInto(
  { extent, strides }: Dimension,
  size: number,
  unit: number,
): { parts: Dimension; part: Dimension; split: Split } {
  const count = Math.ceil(extent / size);
  return {
    parts: { extent: count, strides: strides.map((stride) => stride * size) },
    part: { extent: size, strides },
    split: { unit, last: extent - (count - 1) * size },
  };
}

function common(loop: Loop): Pick<Nest, "reads" | "body" | "writes"> {
  return {
    reads: loop.reads.map(({ type }) => type),
    body: loop.body,
    writes: loop.writes.map(({ value, view, reduce }) => ({ value, type: view.type, reduce })),
  };
}

/** About how many instructions a point costs in tiles of four by four. */
function costOfTiles(tile: Dimension, vector: Dimension, body: number): number {
  const full = (extent: number) => extent / (4 * Math.ceil(extent / 4));
  const accesses = vector.strides.reduce((sum, stride, view) => {
    const across = tile.strides[view];
    if (stride === 0 || stride === 1) return sum + (across ? 4 : stride);
    return sum + (across === 1 ? 12 : 24);
  }, 0);
  return (accesses + 4 * body + 8) / 16 / full(tile.extent) / full(vector.extent);
}

/** Cells of a block of tiles: a line, and two. */
const TILE_BLOCK = 16, VECTOR_BLOCK = 32;

/** Tiles, where a view walks along one dimension while another walks along another; or null. */
function planTiles(loop: Loop, kept: readonly Dimension[], otherwise: number): LoopPlan | null {
  const body = bodyWeight(loop), views = loopViews(loop).length;
  let best = otherwise, tileAt = -1, vectorAt = -1;
  for (let v = kept.length - 1; v >= 0; v--) {
    for (let t = 0; t < kept.length; t++) {
      if (t === v || kept[t].extent < 4 || kept[v].extent < 4) continue;
      const cost = costOfTiles(kept[t], kept[v], body);
      if (cost < 0.9 * best) [best, tileAt, vectorAt] = [cost, t, v];
    }
  }
  if (tileAt < 0) return null;
  const units = kept.filter((_, d) => d !== tileAt && d !== vectorAt);
  let tile = kept[tileAt], vector = kept[vectorAt], tileSplit, vectorSplit;
  if (tile.extent > TILE_BLOCK) {
    const { parts, part, split } = splitInto(tile, TILE_BLOCK, units.length);
    [tile, tileSplit] = [part, split];
    units.push(parts);
  }
  if (vector.extent > VECTOR_BLOCK) {
    const { parts, part, split } = splitInto(vector, VECTOR_BLOCK, units.length);
    [vector, vectorSplit] = [part, split];
    units.push(parts);
  }
  const splits = { ...(tileSplit && { tileSplit }), ...(vectorSplit && { vectorSplit }) };
  return {
    nest: { mode: "points", units, loops: [], tile, vector, ...splits, unroll: 1, ...common(loop) },
    units: product(units),
    work: product(kept) * (body + views),
  };
}

/** A loop without reductions. */
function planPoints(loop: Loop, kept: readonly Dimension[]): LoopPlan {
  const body = bodyWeight(loop), views = loopViews(loop).length;
  const { at, cost } = bestVector(kept, body);
  const tiles = planTiles(loop, kept, cost);
  if (tiles) return tiles;
  const vector = kept[at] ?? scalar(views);
  const units = kept.filter((_, d) => d !== at);
  const unroll = unrollOf(body);
  const work = product(kept) * (body + views);
  const block = Math.max(64, Math.min(1024, 2 ** Math.round(Math.log2(16384 / (body + views)))));
  const base = { mode: "points" as const, loops: [], unroll, ...common(loop) };
  if (product(units) >= 256 || vector.extent <= block) {
    return { nest: { ...base, units, vector }, units: product(units), work };
  }
  const { parts, part, split } = splitInto(vector, block, units.length);
  return {
    nest: { ...base, units: [...units, parts], vector: part, vectorSplit: split },
    units: product(units) * parts.extent,
    work,
  };
}

/** Sums of more terms than this in one accumulator are cut into chunks, for accuracy. */
const LONGEST_SUM = 1024;
/** So many units are enough for any number of threads. */
const ENOUGH_UNITS = 64;
const WORTH_A_UNIT = 32768;
/** What a core has in its second-level cache, and pages for, with room to spare. */
const NEAR_CELLS = 2 ** 18;

/** How many chunks a reduction is cut into. */
function chunksFor(units: number, work: number, terms: number): number {
  const parallel = units >= ENOUGH_UNITS / 2
    ? 1
    : Math.min(Math.ceil(work / WORTH_A_UNIT), Math.ceil(ENOUGH_UNITS / units));
  return Math.max(parallel, Math.ceil(terms / LONGEST_SUM));
}

/** The dimensions with the reducing writes' strides replaced by those of contiguous results. */
function intoScratch(loop: Loop, kept: readonly Dimension[]): Dimension[] {
  const contiguous = rowMajorStrides(kept.map(({ extent }) => extent));
  return kept.map(({ extent, strides }, d) => ({
    extent,
    strides: strides.map((stride, view) =>
      loop.writes[view - loop.reads.length]?.reduce ? contiguous[d] : stride
    ),
  }));
}

/** The strides of a unit dimension of chunks: those of the part, and one result a chunk. */
function chunkStrides(loop: Loop, parts: Dimension, outputs: number): Dimension {
  return {
    extent: parts.extent,
    strides: parts.strides.map((stride, view) =>
      loop.writes[view - loop.reads.length]?.reduce ? outputs : stride
    ),
  };
}

/** The index of the dimension of the largest extent; −1 of none. */
function longestOf(dimensions: readonly Dimension[]): number {
  return dimensions.reduce(
    (best, { extent }, d) => best < 0 || extent > dimensions[best].extent ? d : best,
    -1,
  );
}

/** A reduction whose vectors go along a reduced dimension. */
function planRows(loop: Loop, space: Space, at: number, maySplit: boolean): LoopPlan {
  const body = bodyWeight(loop), views = loopViews(loop).length;
  const unroll = unrollOf(body), outputs = product(space.kept);
  const points = outputs * product(space.reduced), work = points * (body + views);
  const vector = space.reduced[at] ?? scalar(views);
  const loops = space.reduced.filter((_, d) => d !== at);
  const base = { mode: "rows" as const, unroll, ...common(loop) };
  const whole = { ...base, units: space.kept, loops, vector };
  const chunks = maySplit ? chunksFor(outputs, work, product(space.reduced) / (4 * unroll)) : 1;
  const longest = longestOf(loops);
  const ofLoop = longest >= 0 && loops[longest].extent >= vector.extent;
  const target = ofLoop ? loops[longest] : vector;
  const least = ofLoop ? 1 : 16 * unroll;
  const size = Math.ceil(target.extent / chunks / least) * least;
  if (chunks <= 1 || size >= target.extent) return { nest: whole, units: outputs, work };
  const kept = intoScratch(loop, space.kept);
  const { parts, part, split } = splitInto(target, size, kept.length);
  const nest: Nest = {
    ...base,
    units: [...kept, chunkStrides(loop, parts, outputs)],
    loops: ofLoop ? loops.with(longest, part) : loops,
    vector: ofLoop ? vector : part,
    ...(ofLoop ? { loopSplit: { ...split, loop: longest } } : { vectorSplit: split }),
  };
  const extents = space.kept.map(({ extent }) => extent);
  return {
    nest,
    units: outputs * parts.extent,
    work,
    partial: { chunks: parts.extent, outputs, extents },
  };
}

/** A reduction whose vectors go along a dimension of the result. */
function planColumns(loop: Loop, space: Space, at: number, maySplit: boolean): LoopPlan {
  const body = bodyWeight(loop), views = loopViews(loop).length;
  const unroll = body <= 4 ? 8 : body <= 12 ? 4 : body <= 40 ? 2 : 1;
  const outputs = product(space.kept), terms = product(space.reduced);
  const work = outputs * terms * (body + views);
  const width = 4 * unroll, groups = Math.ceil(space.kept[at].extent / width);
  const outerUnits = product(space.kept.filter((_, d) => d !== at));
  const longest = longestOf(space.reduced), length = space.reduced[longest]?.extent ?? 1;
  const pitch = Math.max(0, ...(space.reduced[longest]?.strides ?? []).map(Math.abs));
  const chunks = maySplit
    ? Math.max(
      chunksFor(outerUnits * groups, work, terms),
      // A group of columns that is not all of them should not go through too much memory.
      groups > 1 ? Math.ceil(length / Math.max(64, Math.floor(NEAR_CELLS / pitch))) : 1,
    )
    : 1;
  const size = Math.ceil(length / chunks), chunked = size < length;
  const kept = chunked ? intoScratch(loop, space.kept) : space.kept;
  const units = kept.filter((_, d) => d !== at);
  let loops = space.reduced, loopSplit: Nest["loopSplit"];
  if (chunked) {
    const { parts, part, split } = splitInto(loops[longest], size, units.length);
    units.push(chunkStrides(loop, parts, outputs));
    loops = loops.with(longest, part);
    loopSplit = { ...split, loop: longest };
  }
  let vector = kept[at], vectorSplit: Split | undefined;
  if (groups > 1) {
    const { parts, part, split } = splitInto(vector, width, units.length);
    units.push(parts);
    vector = part;
    vectorSplit = split;
  }
  const nest: Nest = {
    mode: "columns",
    units,
    loops,
    vector,
    ...(vectorSplit && { vectorSplit }),
    ...(loopSplit && { loopSplit }),
    unroll,
    ...common(loop),
  };
  const extents = space.kept.map(({ extent }) => extent);
  return {
    nest,
    units: product(units),
    work,
    ...(chunked && {
      partial: { chunks: Math.ceil(length / size), outputs, extents },
    }),
  };
}

/** How a loop of at least one point is run. `maySplit`: whether reductions may be cut into chunks. */
export function planLoop(loop: Loop, maySplit = true): LoopPlan {
  const space = spaceOf(loop);
  if (!loop.writes.some(({ reduce }) => reduce)) {
    return planPoints(loop, merged([...space.kept, ...space.reduced]));
  }
  const body = bodyWeight(loop);
  const along = bestVector(space.reduced, body), across = bestVector(space.kept, body);
  const horizontal = 10 / product(space.reduced);
  return across.cost < along.cost + horizontal
    ? planColumns(loop, space, across.at, maySplit)
    : planRows(loop, space, along.at, maySplit);
}

/** The dimensions of a loop over [rows, columns], however merged, as those of rows and of columns. */
function rowsAndColumns(loop: Loop, columns: number): [Dimension[], Dimension[]] {
  const all = dimensionsOf(loop), inner: Dimension[] = [];
  let left = columns;
  while (left > 1) {
    const dimension = all.pop();
    if (!dimension) throw new Error(`a loop over ${loop.extents} has no rows of ${columns}`);
    const { extent, strides } = dimension;
    const taken = Math.min(extent, left);
    if (extent % taken || left % taken) {
      throw new Error(`a loop over ${loop.extents} has no rows of ${columns}`);
    }
    inner.unshift({ extent: taken, strides });
    left /= taken;
    if (taken < extent) {
      all.push({ extent: extent / taken, strides: strides.map((stride) => stride * taken) });
    }
  }
  return [merged(all), merged(inner)];
}

/** A loop over [rows, columns] without reductions, whose units are its rows. */
export function planRowLoop(loop: Loop, rows: number, columns: number): Nest {
  const [outer, inner] = rowsAndColumns(loop, columns);
  const body = bodyWeight(loop), views = loopViews(loop).length;
  const base = { unroll: unrollOf(body), ...common(loop) };
  const flat = merged([...outer, ...inner]);
  if (product(outer) !== rows) {
    throw new Error(`a loop over ${loop.extents} has not ${rows} rows of ${columns}`);
  }
  if (flat.length === 1 && columns < 16) {
    const vector = { extent: columns, strides: flat[0].strides };
    return { ...base, mode: "flat", units: [], loops: [], vector };
  }
  const { at } = bestVector(inner, body);
  return {
    ...base,
    mode: "points",
    units: outer,
    loops: inner.filter((_, d) => d !== at),
    vector: inner[at] ?? scalar(views),
  };
}

/**
 * @file Affine accesses: which cell of an array is read at each point of an iteration space. Points
 * are numbered in row-major order, and the number is written in a mixed radix whose digits have
 * strides of their own, so that a reshape is nothing at all and transpositions, slices, reversals
 * and broadcasts are arithmetic of digits (the "strided layouts" of CUTLASS's CuTe; Halide's and
 * TVM's index maps, restricted to what needs no division).
 */
import type { Operation } from "../graph.ts";
import { sizeOf } from "../graph.ts";

/** A digit: how many values it takes, and how far apart they are in the array. */
export interface Factor {
  readonly extent: number;
  readonly stride: number;
}

/** Cell `offset + Σ digit·stride` of an array, for the digits of a point's number. */
export interface Access {
  readonly offset: number;
  /** Outermost first, no extents of 1, neighbours merged where they walk in one stride. */
  readonly factors: readonly Factor[];
}

/** An access with the fewest digits. */
export function normalize(offset: number, factors: readonly Factor[]): Access {
  const merged: Factor[] = [];
  for (const factor of factors) {
    if (factor.extent === 1) continue;
    const outer = merged.at(-1);
    if (outer && outer.stride === factor.stride * factor.extent) {
      merged[merged.length - 1] = {
        extent: outer.extent * factor.extent,
        stride: factor.stride,
      };
    } else merged.push(factor);
  }
  return { offset, factors: merged };
}

/** Point i reads cell i. */
export function identityAccess(size: number): Access {
  return normalize(0, [{ extent: size, stride: 1 }]);
}

/** Whether point i reads cell i. */
export function isIdentityAccess({ offset, factors }: Access): boolean {
  return offset === 0 &&
    (factors.length === 0 || (factors.length === 1 && factors[0].stride === 1));
}

/** Something to compare accesses by. */
export function accessKey({ offset, factors }: Access): string {
  return `${offset}:${factors.map(({ extent, stride }) => `${extent}*${stride}`)}`;
}

/** The number of points. */
function pointsOf({ factors }: Access): number {
  return factors.reduce((product, { extent }) => product * extent, 1);
}

/** The values of digits' place, between digits: 2·3 and 3 for digits of extents 4, 2, 3. */
export function cutsOf({ factors }: Access): number[] {
  const cuts: number[] = [];
  let place = 1;
  for (let i = factors.length - 1; i > 0; i--) cuts.push(place *= factors[i].extent);
  return cuts;
}

/**
 * The cuts of all lists in ascending order, or null where they do not divide one another: then no
 * loop nest can number its points by all of them.
 */
export function refine(size: number, ...lists: (readonly number[])[]): number[] | null {
  const cuts = [...new Set(lists.flat())].filter((cut) => cut > 1 && cut < size);
  cuts.sort((a, b) => a - b);
  const chain = [1, ...cuts, size];
  for (let i = 1; i < chain.length; i++) if (chain[i] % chain[i - 1] !== 0) return null;
  return cuts;
}

/** The extents of loops between cuts, outermost first. */
export function extentsBetween(size: number, cuts: readonly number[]): number[] {
  if (size === 1) return [];
  const chain = [1, ...cuts, size];
  return chain.slice(1).map((place, i) => place / chain[i]).reverse();
}

/** The strides of an access along loops of the given extents, which its digits are made of. */
export function stridesAlong({ factors }: Access, extents: readonly number[]): number[] {
  const strides: number[] = [];
  let next = extents.length - 1;
  for (let i = factors.length - 1; i >= 0; i--) {
    let covered = 1;
    while (covered < factors[i].extent) {
      strides.unshift(factors[i].stride * covered);
      covered *= extents[next--];
    }
  }
  return strides;
}

/** Digits by axis of a shape; null where an axis begins inside a digit. */
function factorsByAxis(access: Access, shape: readonly number[]): Factor[][] | null {
  const byAxis: Factor[][] = shape.map(() => []);
  const rest = access.factors.slice();
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    let wanted = shape[axis];
    while (wanted > 1) {
      const { extent, stride } = rest.pop()!;
      if (wanted % extent === 0) {
        byAxis[axis].unshift({ extent, stride });
        wanted /= extent;
      } else if (extent % wanted === 0) {
        byAxis[axis].unshift({ extent: wanted, stride });
        rest.push({ extent: extent / wanted, stride: stride * wanted });
        wanted = 1;
      } else return null;
    }
  }
  return byAxis;
}

/** The stride of each axis of a shape (0 for extents of 1); null where an axis has several. */
export function stridesOfAxes(access: Access, shape: readonly number[]): number[] | null {
  const byAxis = factorsByAxis(access, shape);
  if (!byAxis) return null;
  const merged = byAxis.map((factors) => normalize(0, factors).factors);
  return merged.some((factors) => factors.length > 1)
    ? null
    : merged.map(([factor]) => factor?.stride ?? 0);
}

/** Of an array of a shape, in row-major order. */
export function broadcastAccess(
  access: Access,
  from: readonly number[],
  to: readonly number[],
): Access | null {
  if (sizeOf(from) === sizeOf(to)) return access;
  const byAxis = factorsByAxis(access, from);
  if (!byAxis) return null;
  const missing = to.length - from.length;
  return normalize(
    access.offset,
    to.flatMap((extent, axis): Factor[] => {
      const own = axis < missing ? 1 : from[axis - missing];
      return own === extent ? byAxis[axis - missing] ?? [] : [{ extent, stride: 0 }];
    }),
  );
}

/** The operations that are affine maps of points. */
export type ViewOperation = Extract<
  Operation,
  { kind: "reshape" | "broadcast" | "transpose" | "slice" | "reverse" }
>;

/** Whether an operation moves cells and nothing else, affinely. */
export function isView(operation: Operation): operation is ViewOperation {
  return ["reshape", "broadcast", "transpose", "slice", "reverse"].includes(operation.kind);
}

/** The access of a view of what is accessed; null where it is not affine. */
export function viewAccess(
  operation: ViewOperation,
  access: Access,
  shape: readonly number[],
): Access | null {
  if (operation.kind === "reshape") return access;
  if (operation.kind === "broadcast") return broadcastAccess(access, shape, operation.shape);
  const byAxis = factorsByAxis(access, shape);
  if (!byAxis) return null;
  let { offset } = access;
  if (operation.kind === "transpose") {
    return normalize(offset, operation.permutation.flatMap((axis) => byAxis[axis]));
  }
  if (operation.kind === "reverse") {
    for (const axis of operation.axes) {
      for (const { extent, stride } of byAxis[axis]) offset += (extent - 1) * stride;
      byAxis[axis] = byAxis[axis].map(({ extent, stride }) => ({ extent, stride: -stride }));
    }
    return normalize(offset, byAxis.flat());
  }
  const factors: Factor[] = [];
  for (let axis = 0; axis < shape.length; axis++) {
    const [begin, size] = [operation.begin[axis], operation.size[axis]];
    const sliced = sliceAxis(byAxis[axis], shape[axis], begin, size, operation.strides[axis]);
    if (!sliced) return null;
    offset += sliced.offset;
    factors.push(...sliced.factors);
  }
  return normalize(offset, factors);
}

/** begin + i·step for i < size, of one axis; null where its digits would carry. */
function sliceAxis(
  factors: readonly Factor[],
  extent: number,
  begin: number,
  size: number,
  step: number,
): Access | null {
  if (size === 0) return { offset: 0, factors: [{ extent: 0, stride: 0 }] };
  const stepped = [{ extent: size, stride: size === 1 ? 0 : step }];
  return composeAccess({ offset: begin, factors: stepped }, { offset: 0, factors }, extent);
}

/**
 * Point → cell of `outer` → cell of `inner`, whose points are the cells of what `outer` accesses.
 * Null where it is not affine: where a sum of digits would carry, or a stride falls between places.
 */
export function composeAccess(outer: Access, inner: Access, innerSize: number): Access | null {
  if (isIdentityAccess(inner)) return outer;
  if (isIdentityAccess(outer) && pointsOf(outer) === innerSize) return inner;
  const places: number[] = [];
  let place = innerSize;
  for (const { extent } of inner.factors) places.push(place /= extent);
  // Backward strides are walked forward, and turned round at the end.
  let start = outer.offset;
  for (const { extent, stride } of outer.factors) if (stride < 0) start += stride * (extent - 1);
  let offset = inner.offset, rest = start;
  const largest = inner.factors.map(({ stride }, k) => {
    const digit = Math.floor(rest / places[k]);
    rest -= digit * places[k];
    offset += digit * stride;
    return digit;
  });
  const factors: Factor[] = [];
  for (const { extent, stride } of outer.factors) {
    const split = splitFactor({ extent, stride: Math.abs(stride) }, inner.factors, places, largest);
    if (!split) return null;
    for (const factor of split) {
      if (stride < 0) offset += factor.stride * (factor.extent - 1);
      factors.push(stride < 0 ? { ...factor, stride: -factor.stride } : factor);
    }
  }
  const carries = largest.some((digit, k) => digit >= inner.factors[k].extent);
  return carries ? null : normalize(offset, factors);
}

/** One digit in terms of the inner ones; adds the most that it comes to to `largest`. */
function splitFactor(
  factor: Factor,
  inner: readonly Factor[],
  places: readonly number[],
  largest: number[],
): Factor[] | null {
  let { extent, stride } = factor;
  const split: Factor[] = [];
  while (extent > 1) {
    if (stride === 0) {
      split.unshift({ extent, stride: 0 });
      break;
    }
    const k = places.findIndex((place) => place <= stride);
    if (k < 0 || stride % places[k] !== 0) return null;
    const step = stride / places[k];
    let here = extent;
    if (extent > 1 && (extent - 1) * step >= inner[k].extent) {
      here = inner[k].extent / step;
      if (!Number.isInteger(here) || here < 2 || extent % here !== 0) return null;
    }
    split.unshift({ extent: here, stride: step * inner[k].stride });
    largest[k] += (here - 1) * step;
    extent /= here;
    stride *= here;
  }
  return split;
}

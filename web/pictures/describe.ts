/**
 * @file What a picture shows, in a sentence or two: the text of a canvas for those who do not see it.
 */
import type { Field, Flow } from "../laboratory/engine_types.ts";
import type { PictureChoices } from "../laboratory/store_types.ts";
import { cellCentre } from "./grid.ts";
import { positionsAt } from "./particles.ts";
import { centredPotentials, comparedFields, differenceOf } from "./plane_fields.ts";
import { planeCache } from "./plane_input.ts";

/** What a picture of the plane is made of. */
export interface DescribedPlane {
  /** "learned", "exact", …: whose it is, if that needs to be said. */
  readonly whose?: string;
  readonly field: Field | null;
  /** What the field is held against, if it is. */
  readonly reference?: Field | null;
  readonly flows: readonly Flow[];
  readonly u: number;
  readonly choices: Pick<PictureChoices, "field" | "particles" | "compare">;
}

/** A field's extremes. */
export interface FieldFacts {
  readonly low: number;
  readonly high: number;
  /** Where it is highest, x and y. */
  readonly peak: readonly [number, number];
}

/** Where particles are. */
export interface ParticleFacts {
  readonly n: number;
  readonly mean: readonly [number, number];
  /** Root mean square distance from the mean. */
  readonly spread: number;
}

/** The extremes of values [size, size] on a field's grid; null where none is finite. */
export function fieldFacts(
  values: ArrayLike<number>,
  grid: { readonly size: number; readonly extent: number },
): FieldFacts | null {
  let low = Infinity, high = -Infinity, at = -1;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) continue;
    low = Math.min(low, values[i]);
    if (values[i] > high) {
      high = values[i];
      at = i;
    }
  }
  if (at < 0) return null;
  const column = at % grid.size;
  const row = (at - column) / grid.size;
  return { low, high, peak: [cellCentre(grid, column), -cellCentre(grid, row)] };
}

/** Mean and spread of points [n, 2]; null where none is finite. */
export function particleFacts(points: ArrayLike<number>): ParticleFacts | null {
  let n = 0, x = 0, y = 0, squares = 0;
  for (let i = 0; i + 1 < points.length; i += 2) {
    if (!Number.isFinite(points[i] + points[i + 1])) continue;
    n++;
    x += points[i];
    y += points[i + 1];
    squares += points[i] ** 2 + points[i + 1] ** 2;
  }
  if (n === 0) return null;
  const mean: [number, number] = [x / n, y / n];
  return { n, mean, spread: Math.sqrt(Math.max(0, squares / n - mean[0] ** 2 - mean[1] ** 2)) };
}

/**
 * What a picture of the plane shows, in words.
 *
 * @example "Potential at u = 0.50, learned: from −3.1 to 2.4, highest near (0.0, 4.0). 1000 particles
 *   around (0.1, 0.0), spread 2.83."
 */
export function describePlane(plane: DescribedPlane): string {
  const { flows, u, choices } = plane;
  const particles = choices.particles
    ? flows.map((flow, i) => {
      const set = flows.length > 1 ? ["First set: ", "Second set: "][i] ?? "" : "";
      return particleWords(set, particleFacts(positionsAt(flow, u)));
    })
    : [];
  return [fieldWords(plane), ...particles].join(" ");
}

/** What is seen in colours, with the numbers that its legend has. */
function fieldWords({ whose, field, reference, flows, u, choices }: DescribedPlane): string {
  const time = `at u = ${number(u, 2)}${whose ? `, ${whose}` : ""}`;
  if (choices.field === "density") return `Density ${time}.`;
  if (choices.field === "none" || !field) return `The plane ${time}.`;
  const isDifference = choices.compare === "difference", cache = planeCache();
  const pair = comparedFields({ cache, field, reference, choices });
  if (isDifference && !pair.reference) return `Potential ${time}.`;
  const { own, other } = centredPotentials(cache, field, pair.reference, flows[0]);
  const facts = fieldFacts(isDifference && other ? differenceOf(own, other) : own, field);
  return facts
    ? `Potential ${time}: from ${number(facts.low)} to ${number(facts.high)}, ` +
      `highest near ${place(facts.peak)}.`
    : `Potential ${time}: not finite anywhere.`;
}

function particleWords(set: string, facts: ParticleFacts | null): string {
  if (!facts) return `${set}${set ? "no" : "No"} particle is at a finite place.`;
  return `${set}${facts.n} particles around ${place(facts.mean)}, ` +
    `spread ${number(facts.spread, 2)}.`;
}

function place([x, y]: readonly [number, number]): string {
  return `(${number(x)}, ${number(y)})`;
}

/** With a true minus sign, and none before 0. */
function number(value: number, digits = 1): string {
  const text = Math.abs(value) >= 1e5 ? value.toExponential(1) : value.toFixed(digits);
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text.replaceAll("-", "−");
}

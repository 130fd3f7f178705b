/**
 * @file Sums of kept potentials as a state: which are in it, with what weights, and whether the sum is
 * what the plane shows.
 */
import type { KeptPotential, Subject } from "../../laboratory/engine_types.ts";

/** The weight that a potential comes into a sum with, before all are divided by their sum. */
export const DEFAULT_WEIGHT = 1;

/**
 * The solver that carries a sum best: enough noise that particles leave modes that are not shared. Of
 * 8gaussians and three Gaussians, two of them shared, 0.76 of the samples end there, of RK45's 0.47
 * (learned potentials, weights ½ and ½).
 */
export const STIRRING = { solver: "euler-maruyama", steps: 800, noise: 5 } as const;

/** What a sum is made of. */
export interface Composition {
  readonly parts: Parts;
  /**
   * Whether weights are divided by their sum. Then the score at each time is that of Π ρᵢ^wᵢ; else the
   * flow goes as many times as far as the weights come to (`core/potential/sum.ts`).
   */
  readonly normalised: boolean;
}

/** A kept potential in the sum, or with the weight that it last had there. */
export interface Part {
  readonly chosen: boolean;
  readonly weight: number;
}

/** Parts by the potential's id; what is not there is not chosen. */
export type Parts = Readonly<Record<number, Part>>;

/** A potential's part: not chosen, with the default weight, where nothing was said of it. */
export function partOf(parts: Parts, id: number): Part {
  return parts[id] ?? { chosen: false, weight: DEFAULT_WEIGHT };
}

/** What is shown already: what is in a sum is chosen, with its weight there. */
export function compositionOf(kept: readonly KeptPotential[], subject: Subject): Composition {
  const terms = subject.kind === "sum" ? subject.terms : [];
  const known = kept.flatMap(({ id }) => {
    const term = terms.find((one) => one.id === id);
    return term ? [[id, { chosen: true, weight: term.weight }]] : [];
  });
  const total = terms.reduce((sum, { weight }) => sum + weight, 0);
  const normalised = terms.length === 0 || Math.abs(total - 1) < 1e-9;
  return { parts: Object.fromEntries(known), normalised };
}

/** A potential of a sum. */
export interface Term {
  readonly kept: KeptPotential;
  /** What it is multiplied with. */
  readonly weight: number;
}

/** What is chosen, in the order in which it was kept, with the weights that it comes into the sum with. */
export function termsOf(
  kept: readonly KeptPotential[],
  { parts, normalised }: Composition,
): Term[] {
  const terms = kept.filter(({ id }) => partOf(parts, id).chosen)
    .map((one) => ({ kept: one, weight: partOf(parts, one.id).weight }));
  const total = terms.reduce((sum, { weight }) => sum + weight, 0);
  if (!normalised || total === 0) return terms;
  return terms.map((term) => ({ ...term, weight: term.weight / total }));
}

/** The sum of what is chosen; null where nothing is. */
export function sumOf(
  kept: readonly KeptPotential[],
  composition: Composition,
): Extract<Subject, { kind: "sum" }> | null {
  const terms = termsOf(kept, composition);
  return terms.length === 0
    ? null
    : { kind: "sum", terms: terms.map(({ kept: { id }, weight }) => ({ id, weight })) };
}

/** What the plane is to show once the sum is another: it goes on being the sum while there is one. */
export function subjectAfter(
  subject: Subject,
  kept: readonly KeptPotential[],
  composition: Composition,
): Subject {
  return subject.kind === "sum" ? sumOf(kept, composition) ?? { kind: "learned" } : subject;
}

/** A weight with two decimals. */
export function formatWeight(weight: number): string {
  return weight.toFixed(2).replace("-", "−");
}

/** A sum in words: "0.50 × 8gaussians + 0.50 × rings". */
export function sumInWords(terms: readonly Term[]): string {
  return terms.map(({ kept: { name }, weight }) =>
    weight === 1 ? name : `${formatWeight(weight)} × ${name}`
  ).join(" + ");
}

/** Why a sum may not do what is expected of it, in one line; null where nothing is amiss. */
export function sumProblem(terms: readonly Term[]): string | null {
  if (terms.length === 0) return null;
  const total = terms.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return "All weights are 0: nothing moves.";
  if (new Set(terms.map(({ kept }) => kept.timeExplicit)).size > 1) {
    return "One of these knows the time u and another does not: their sum mixes one landscape for " +
      "all times with another for each.";
  }
  if (Math.abs(total - 1) > 1e-9) {
    return `The weights sum to ${
      formatWeight(total)
    }, not to 1: the flow goes as many times as far ` +
      "in the same time.";
  }
  return null;
}

/**
 * @file Sums of kept potentials as a state: which are in it, with what weights, and whether the sum is
 * what the plane shows.
 */
import type { KeptPotential, Subject } from "../../laboratory/engine_types.ts";

/** The weight that a potential comes into a sum with. */
export const DEFAULT_WEIGHT = 1;

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

/** The parts of what is shown already: what is in a sum is chosen, with its weight there. */
export function partsOf(kept: readonly KeptPotential[], subject: Subject): Parts {
  const terms = subject.kind === "sum" ? subject.terms : [];
  const known = kept.flatMap(({ id }) => {
    const term = terms.find((one) => one.id === id);
    return term ? [[id, { chosen: true, weight: term.weight }]] : [];
  });
  return Object.fromEntries(known);
}

/** The sum of what is chosen, in the order in which it was kept; null where nothing is. */
export function sumOf(kept: readonly KeptPotential[], parts: Parts): Subject | null {
  const terms = kept.map(({ id }) => ({ id, ...partOf(parts, id) }))
    .filter(({ chosen }) => chosen)
    .map(({ id, weight }) => ({ id, weight }));
  return terms.length === 0 ? null : { kind: "sum", terms };
}

/** What the plane is to show once the parts are others: the sum goes on being the sum while there is one. */
export function subjectAfter(
  subject: Subject,
  kept: readonly KeptPotential[],
  parts: Parts,
): Subject {
  return subject.kind === "sum" ? sumOf(kept, parts) ?? { kind: "learned" } : subject;
}

/** A sum in words: "8gaussians + 0.5 × rings". */
export function sumInWords(kept: readonly KeptPotential[], parts: Parts): string {
  const said = kept.flatMap(({ id, name }) => {
    const { chosen, weight } = partOf(parts, id);
    return !chosen
      ? []
      : [weight === 1 ? name : `${weight.toFixed(2).replace("-", "−")} × ${name}`];
  });
  return said.join(" + ");
}

/** Why a sum may not do what is expected of it, in one line; null where nothing is amiss. */
export function sumProblem(kept: readonly KeptPotential[], parts: Parts): string | null {
  const chosen = kept.filter(({ id }) => partOf(parts, id).chosen);
  if (new Set(chosen.map(({ timeExplicit }) => timeExplicit)).size > 1) {
    return "One of these knows the time u and another does not: their sum mixes one landscape for " +
      "all times with another for each.";
  }
  if (chosen.length > 0 && chosen.every(({ id }) => partOf(parts, id).weight === 0)) {
    return "All weights are 0: nothing moves.";
  }
  return null;
}

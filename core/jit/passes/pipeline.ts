/** @file The order of the passes, and their repetition until none finds anything to do. */
import type { Graph } from "../graph.ts";
import { simplifyAlgebra } from "./algebra.ts";
import { moveBroadcasts } from "./broadcasts.ts";
import { mergeCommonSubexpressions } from "./common_subexpressions.ts";
import { foldConstants } from "./constant_folding.ts";
import { removeDeadCode } from "./dead_code.ts";
import { orderFactors } from "./factors.ts";
import { removeIdentities } from "./identities.ts";
import { collectPolynomials } from "./polynomials.ts";
import { simplifyProducts } from "./products.ts";
import { simplifyReductions } from "./reductions.ts";
import type { Pass } from "./rewrite.ts";

/** The passes, in the order in which they run. */
export const passes: readonly { readonly name: string; readonly run: Pass }[] = [
  { name: "dead code", run: removeDeadCode },
  { name: "constant folding", run: foldConstants },
  { name: "identities", run: removeIdentities },
  { name: "common subexpressions", run: mergeCommonSubexpressions },
  { name: "broadcasts", run: moveBroadcasts },
  { name: "polynomials", run: collectPolynomials },
  { name: "algebra", run: simplifyAlgebra },
  { name: "factors", run: orderFactors },
  { name: "reductions", run: simplifyReductions },
  { name: "products", run: simplifyProducts },
];

/** A graph, and what has just been done to it. */
export interface Stage {
  /** The pass, and the round where it is not the first. */
  readonly name: string;
  readonly graph: Graph;
}

/** What {@link optimize} makes of a graph. */
export interface Optimized {
  readonly graph: Graph;
  /** One for each pass that changed something, in order. */
  readonly stages: readonly Stage[];
}

/** Each round makes room for another; what is left after so many is not worth the time. */
const MOST_ROUNDS = 6;

/**
 * Runs all passes, in rounds, until a round changes nothing. The results, their shapes and their
 * names stay as they are, and so do the arguments.
 */
export function optimize(graph: Graph): Optimized {
  const stages: Stage[] = [];
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    const before = graph;
    for (const { name, run } of passes) {
      const after = run(graph);
      if (after === graph) continue;
      graph = after;
      stages.push({ name: round === 1 ? name : `${name} (round ${round})`, graph });
    }
    if (graph === before) break;
  }
  return { graph, stages };
}

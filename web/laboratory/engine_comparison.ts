/**
 * @file Solvers side by side from the same particles, each held against a tight solution: the error of
 * work-precision diagrams (Hairer, Nørsett & Wanner, "Solving Ordinary Differential Equations I",
 * section II.10).
 */
import { VapoError } from "../../core/errors.ts";
import { isSdeMethod } from "../../core/flow/sde.ts";
import type { FlowResult } from "./engine_flows.ts";
import type {
  FlowRequest,
  SolvedFlow,
  SolverChoice,
  SolverComparison,
  SolverComparisonRequest,
} from "./engine_types.ts";

/** Whose flow is solved. */
export interface ComparedFlow {
  /** The same stamp, the same flow. */
  readonly stamp: string;
  readonly step: number;
  /** The tolerance of the tight solution. */
  readonly tightTolerance: number;
  draw(request: Omit<FlowRequest, "subject">): Promise<FlowResult>;
}

/**
 * The tight solution's tolerance where the velocity is evaluated in single precision, positions in
 * double. Rounding, some 1e-7 of the velocity, makes it rough, and the flow to narrow modes magnifies
 * that: solutions of trained `8gaussians` at tolerances of 1e-7, 1e-8 and 3e-9 are 6e-6 to 7e-6 apart,
 * those of `checkerboard` 2e-6. So errors of solvers are true down to about 1e-5, and a tighter
 * solution would only take longer.
 */
export const SINGLE_PRECISION_TIGHT = 1e-7;
/** That where it is evaluated in double precision. */
export const DOUBLE_PRECISION_TIGHT = 1e-11;

/** Compares solvers; flows that were solved lately are kept, so that one slider can be moved. */
export interface SolverComparer {
  compare(flow: ComparedFlow, request: SolverComparisonRequest): Promise<SolverComparison>;
}

/** Flows that are kept: a tight solution and the solvers of some requests. */
const KEPT_FLOWS = 12;

/** Makes a comparer that has solved nothing yet. */
export function solverComparer(): SolverComparer {
  const solved = new Map<string, FlowResult>();
  const kept = async (key: string, draw: () => Promise<FlowResult>): Promise<FlowResult> => {
    const result = solved.get(key) ?? await draw();
    solved.delete(key);
    solved.set(key, result);
    for (const oldest of solved.keys()) {
      if (solved.size <= KEPT_FLOWS) break;
      solved.delete(oldest);
    }
    return result;
  };
  return {
    async compare(flow, { solvers, subject, ...common }) {
      const { stamp, step, tightTolerance: tolerance } = flow;
      const { n, seed, until, refineSteps = 0 } = common;
      const solve = (choice: SolverChoice, frames: number, refineSteps: number) => {
        const request = { ...choice, n, seed, until, frames, refineSteps };
        return kept(`${stamp} ${JSON.stringify(request)}`, () => flow.draw(request));
      };
      const tight = await solve({ solver: "dop853", steps: 1, tolerance }, 1, 0);
      const flows: SolverComparison["flows"][number][] = [];
      for (const { solver, steps, tolerance, noise } of solvers) {
        try {
          const result = await solve(
            { solver, steps, tolerance, noise },
            common.frames,
            refineSteps,
          );
          const errors = isSdeMethod(solver) || refineSteps > 0
            ? { error: null, largestError: null }
            : endErrors(result, tight);
          // What is kept must not be handed over to the page for good.
          flows.push({ ...copied(result), ...errors, subject, step, n });
        } catch (error) {
          if (!(error instanceof VapoError)) throw error;
          flows.push({ failure: error.message });
        }
      }
      return { flows, reference: { solver: "dop853", tolerance, evaluations: tight.evaluations } };
    },
  };
}

function copied(result: FlowResult): FlowResult {
  return { ...result, times: result.times.slice(), positions: result.positions.slice() };
}

/** Root mean square and largest of the distances between the particles of the last frames. */
function endErrors(
  { positions, times }: FlowResult,
  { positions: reference }: FlowResult,
): Pick<SolvedFlow, "error" | "largestError"> {
  const size = positions.length / times.length, last = positions.subarray(-size);
  let sum = 0, largest = 0;
  for (let i = 0; i < size; i += 2) {
    const square = (last[i] - reference[i]) ** 2 + (last[i + 1] - reference[i + 1]) ** 2;
    sum += square;
    largest = Math.max(largest, square);
  }
  return { error: Math.sqrt(sum / (size / 2)), largestError: Math.sqrt(largest) };
}

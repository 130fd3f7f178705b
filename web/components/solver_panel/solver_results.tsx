/**
 * @file What the chosen solvers took, and how far they came out from a tight solution, as a table.
 */
import { solverLabels } from "../../laboratory/choices.ts";
import type { Flow, SolvedFlow } from "../../laboratory/engine_types.ts";
import type { LaboratoryStore } from "../../laboratory/store_types.ts";
import { formatCount, formatMilliseconds, formatNumber, MISSING } from "../curves/numbers.ts";
import { useSlowValue } from "../curves/slow_value.ts";
import { formatTolerance } from "./solver_facts.ts";
import { SolverSign } from "./solver_sign.tsx";
import type { SolverStudy } from "./solver_study.ts";

/** The table, a line on what the error is, and a line for each solver that failed. */
export function SolverResults(
  { store, study }: { readonly store: LaboratoryStore; readonly study: SolverStudy },
) {
  const flow = useSlowValue(store.flow, 250);
  const answer = study.answer.value, letters = ["A", "B"] as const;
  const names = answer?.choices.map(({ solver }) => solver) ?? [store.flowChoice.value.solver];
  const flows = answer?.comparison.flows ?? [flow];
  const failures = flows.flatMap((one, i) =>
    one && "failure" in one ? [`${solverLabels[names[i]]}: ${one.failure}`] : []
  );
  const reference = answer?.comparison.reference;
  return (
    <div class="solver-results">
      <table class="plain tabular">
        <caption class="visually-hidden">What the chosen solvers took</caption>
        <thead>
          <tr>
            <th scope="col">
              <span class="visually-hidden">Quantity</span>
            </th>
            {names.map((name, i) => (
              <th scope="col" key={letters[i]}>
                <SolverSign letter={letters[i]} /> {solverLabels[name]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {QUANTITIES.map(({ label, say }) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              {names.map((_, i) => <td key={letters[i]}>{say(flows[i] ?? null)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
      {[...failures, ...(study.failure.value ? [study.failure.value] : [])].map((line) => (
        <p class="notice bad" role="alert" key={line}>{line}</p>
      ))}
      {reference && (
        <p class="muted solver-about">
          Error: root mean square distance at the end, in data units, from{" "}
          {solverLabels[reference.solver]} at tolerance{" "}
          {formatTolerance(reference.tolerance)}, which took {formatCount(reference.evaluations)}
          {" "}
          evaluations. Errors below some {formatTolerance(ownError(reference.tolerance))}{" "}
          are its own.
        </p>
      )}
    </div>
  );
}

/** What the tight solution is itself off by, in the order of magnitude. */
function ownError(tolerance: number): number {
  return Number((100 * tolerance).toPrecision(1));
}

type Result = Flow | SolvedFlow | { readonly failure: string } | null;

/** What is said of each solver, row by row. */
const QUANTITIES: readonly { readonly label: string; readonly say: (result: Result) => string }[] =
  [
    {
      label: "velocity evaluations",
      say: (result) =>
        result && "failure" in result ? "failed" : formatCount(solved(result)?.evaluations),
    },
    {
      label: "Hessian products",
      say: (result) => formatCount(solved(result)?.hessianProducts),
    },
    { label: "time", say: (result) => formatMilliseconds(solved(result)?.milliseconds) },
    { label: "error", say: (result) => errorInWords(solved(result), "error") },
    { label: "largest error", say: (result) => errorInWords(solved(result), "largestError") },
  ];

function solved(result: Result): Flow | SolvedFlow | null {
  return result && !("failure" in result) ? result : null;
}

/** A stochastic solver has no error against a tight solution: it goes elsewhere by design. */
function errorInWords(flow: Flow | SolvedFlow | null, which: "error" | "largestError"): string {
  if (!flow || !("error" in flow)) return MISSING;
  const value = (flow as SolvedFlow)[which];
  return value === null ? "random" : formatNumber(value, 2);
}

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
      <div class="scroll-x">
        <table class="plain tabular">
          <caption class="visually-hidden">What the chosen solvers took</caption>
          <thead>
            <tr>
              <th scope="col">Solver</th>
              <th scope="col">Evaluations</th>
              <th scope="col">Hessian products</th>
              <th scope="col">Time</th>
              <th scope="col">Error</th>
              <th scope="col">Largest</th>
            </tr>
          </thead>
          <tbody>
            {names.map((name, i) => (
              <ResultRow key={i} letter={letters[i]} name={solverLabels[name]} flow={flows[i]} />
            ))}
          </tbody>
        </table>
      </div>
      {[...failures, ...(study.failure.value ? [study.failure.value] : [])].map((line) => (
        <p class="notice bad" role="alert" key={line}>{line}</p>
      ))}
      {reference && (
        <p class="muted solver-about">
          Error: root mean square distance at the end, in data units, from{" "}
          {solverLabels[reference.solver]} at tolerance {formatTolerance(reference.tolerance)} (
          {formatCount(reference.evaluations)} evaluations).
        </p>
      )}
    </div>
  );
}

function ResultRow(
  { letter, name, flow }: {
    readonly letter: "A" | "B";
    readonly name: string;
    readonly flow: Flow | SolvedFlow | { readonly failure: string } | null;
  },
) {
  const solved = flow && !("failure" in flow) ? flow : null;
  const errors = solved && "error" in solved ? solved as SolvedFlow : null;
  const error = (value: number | null | undefined) =>
    errors && value === null ? "random" : formatNumber(value, 2);
  return (
    <tr>
      <th scope="row">
        <SolverSign letter={letter} /> {name}
      </th>
      <td>{flow && "failure" in flow ? "failed" : formatCount(solved?.evaluations)}</td>
      <td>{solved?.hessianProducts === 0 ? MISSING : formatCount(solved?.hessianProducts)}</td>
      <td>{formatMilliseconds(solved?.milliseconds)}</td>
      <td>{error(errors?.error)}</td>
      <td>{error(errors?.largestError)}</td>
    </tr>
  );
}

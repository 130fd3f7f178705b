/**
 * @file How far a run is.
 */
import type { RunSummary } from "../../runs/run_types.ts";
import { stepsText } from "./run_text.ts";

/** A bar with the steps in words under it. */
export function RunProgress(
  { run }: { readonly run: Pick<RunSummary, "name" | "step" | "steps"> },
) {
  const { name, step, steps } = run;
  const share = steps ? Math.min(1, step / steps) : null;
  return (
    <div class="run-progress">
      {share !== null && (
        <progress value={share} aria-label={`Steps done of ${name}`}>
          {Math.floor(100 * share)} %
        </progress>
      )}
      <span class="muted tabular">
        {stepsText(run)}
        {share !== null && share < 1 && ` · ${Math.floor(100 * share)} %`}
      </span>
    </div>
  );
}

/**
 * @file A run's status in a word, a shape and a colour: each of them says it alone.
 */
import type { RunStatus } from "../../runs/run_types.ts";

/** What a status is called. */
export const statusWords: Readonly<Record<RunStatus, string>> = {
  running: "Running",
  paused: "Paused",
  finished: "Finished",
  damaged: "Damaged",
};

const colors = { running: "accent", paused: "", finished: "good", damaged: "bad" } as const;

/** Paths in a square of 12. */
const shapes: Readonly<Record<RunStatus, string>> = {
  running: "M3 1.5v9l7.5-4.5z",
  paused: "M2.5 1.5h2.5v9h-2.5zM7 1.5h2.5v9h-2.5z",
  finished: "M1.2 6.4 2.7 4.9 4.8 7 9.3 2.2 10.8 3.6 4.8 10z",
  damaged: "M6 .8 11.6 11H.4zM5.3 4.4v3.4h1.4V4.4zM5.3 8.6v1.3h1.4V8.6z",
};

/** A badge with the status. */
export function StatusBadge({ status }: { readonly status: RunStatus }) {
  return (
    <span class={`badge run-status ${colors[status]}`} data-status={status}>
      <svg viewBox="0 0 12 12" width="11" height="11" aria-hidden="true">
        <path d={shapes[status]} fill="currentColor" fill-rule="evenodd" />
      </svg>
      {statusWords[status]}
    </span>
  );
}

/**
 * @file Pause and resume: a running run is saved and its process ends; a paused one goes on where it
 * was, in a process of its own.
 */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { RunSummary } from "../../runs/run_types.ts";
import { runPath, type SessionRequests } from "./session.ts";

/** What the buttons are of. */
export interface RunControlsProps {
  readonly run: Pick<RunSummary, "name" | "status">;
  readonly requests: SessionRequests;
  /** One line of what went wrong; null once it goes well. */
  readonly onProblem: (problem: string | null) => void;
  /** Something was asked of the server: what is shown may have changed. */
  readonly onChange?: () => void;
}

const actions = {
  running: { path: "/pause", label: "Pause", busy: "Pausing…" },
  paused: { path: "/resume", label: "Resume", busy: "Resuming…" },
} as const;

/** The button that fits the run's status, or none. */
export function RunControls({ run, requests, onProblem, onChange }: RunControlsProps) {
  const { name, status } = run;
  /** The status in which something was asked for: it is under way until the status is another. */
  const askedIn = useSignal<string | null>(null);
  useEffect(() => {
    if (askedIn.value !== status) askedIn.value = null;
    // A pause may take a while, a checkpoint is written; but a button must not stay dead.
    const timer = setTimeout(() => askedIn.value = null, 30_000);
    return () => clearTimeout(timer);
  }, [status, askedIn.value]);
  if (status !== "running" && status !== "paused") return null;
  const { path, label, busy } = actions[status];
  const isBusy = askedIn.value === status;
  const ask = async () => {
    askedIn.value = status;
    onProblem(null);
    try {
      await requests.post(runPath(name, path));
    } catch (error) {
      askedIn.value = null;
      onProblem((error as Error).message);
    }
    onChange?.();
  };
  return (
    <button type="button" class="button" onClick={ask} disabled={isBusy}>
      {isBusy ? busy : label}
      <span class="visually-hidden">{name}</span>
    </button>
  );
}

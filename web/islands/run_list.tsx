/**
 * @file The list of runs, live: it is fetched again every few seconds while somebody looks at it.
 */
import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { formatNumber } from "../components/curves/numbers.ts";
import { RunControls } from "../components/runs/run_controls.tsx";
import { RunProgress } from "../components/runs/run_progress.tsx";
import { agoText, isImage, sampleFile, shapeText } from "../components/runs/run_text.ts";
import {
  getJson,
  type PageSession,
  runPath,
  type SessionRequests,
  sessionRequests,
} from "../components/runs/session.ts";
import { StartTraining } from "../components/runs/start_training.tsx";
import { StatusBadge, statusWords } from "../components/runs/status_badge.tsx";
import type { RunSummary } from "../runs/run_types.ts";

/** What the list begins with. */
export interface RunListProps {
  /** Newest first. */
  readonly runs: readonly RunSummary[];
  readonly session: PageSession;
  /** The server's clock as the page was made, milliseconds since 1970. */
  readonly now: number;
}

/** Milliseconds between two looks. */
const interval = 3000;
/** From so many runs on there is a filter. */
const filterFrom = 11;

/** Every run, a form that starts one, and the buttons that pause and resume them. */
export function RunListIsland({ runs: first, session, now: made }: RunListProps) {
  const runs = useSignal(first), now = useSignal(made);
  const answers = useSignal(true);
  const wanted = useSignal("");
  const requests = useMemo(() => sessionRequests(session.token), [session.token]);
  const refresh = async () => {
    try {
      runs.value = await getJson<RunSummary[]>("/api/runs");
      if (!answers.value) await requests.renew();
      answers.value = true;
    } catch {
      answers.value = false;
    }
    now.value = Date.now();
  };
  useEffect(() => refreshed(refresh), []);
  const shown = useComputed(() => runs.value.filter((run) => matches(run, wanted.value)));
  const isEmpty = runs.value.length === 0;
  return (
    <div class="run-list-page">
      {isEmpty && <Welcome />}
      <section class="panel" aria-labelledby="start-heading">
        <h2 id="start-heading">Start a training</h2>
        <StartTraining presets={session.presets} requests={requests} onStart={refresh} />
      </section>
      {!isEmpty && (
        <section class="panel" aria-labelledby="runs-heading">
          <div class="row run-list-head">
            <h2 id="runs-heading">{countOf(runs.value)}</h2>
            {runs.value.length >= filterFrom && (
              <div class="field run-filter">
                <label for="run-filter">Filter by name, data or status</label>
                <input
                  id="run-filter"
                  type="search"
                  value={wanted}
                  onInput={(event) => wanted.value = event.currentTarget.value}
                />
              </div>
            )}
          </div>
          {wanted.value && (
            <p class="muted" role="status">{shown.value.length} of {runs.value.length} shown</p>
          )}
          <ul class="run-list">
            {shown.value.map((run) => (
              <RunRow
                key={run.name}
                run={run}
                now={now.value}
                requests={requests}
                onChange={refresh}
              />
            ))}
          </ul>
        </section>
      )}
      <p role="status" class={answers.value ? "visually-hidden" : "notice"}>
        {answers.value ? "" : "The server does not answer; trying again every few seconds."}
      </p>
    </div>
  );
}

/** Calls every few seconds while the page is seen, and at once when it is seen again. */
function refreshed(refresh: () => Promise<void>): () => void {
  let busy = false;
  const look = async () => {
    if (busy || document.hidden) return;
    busy = true;
    await refresh();
    busy = false;
  };
  const timer = setInterval(look, interval);
  document.addEventListener("visibilitychange", look);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", look);
  };
}

function matches(run: RunSummary, wanted: string): boolean {
  const { name, preset, data, status } = run;
  const text = [name, preset, data, statusWords[status]].join(" ").toLowerCase();
  return wanted.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function countOf(runs: readonly RunSummary[]): string {
  const running = runs.filter(({ status }) => status === "running").length;
  const all = `${runs.length} run${runs.length === 1 ? "" : "s"}`;
  return running > 0 ? `${all}, ${running} under way` : all;
}

interface RunRowProps {
  readonly run: RunSummary;
  readonly now: number;
  readonly requests: SessionRequests;
  readonly onChange: () => Promise<void>;
}

function RunRow({ run, now, requests, onChange }: RunRowProps) {
  const problem = useSignal<string | null>(null);
  const { name, status, preset, data } = run;
  const kind = [preset, data === preset ? null : data, shapeText(run.sampleShape)];
  return (
    <li class="run-row" data-name={name}>
      <Thumbnail run={run} />
      <div class="run-row-name">
        <h3>
          <a href={`/runs/${encodeURIComponent(name)}`}>{name}</a>
        </h3>
        <span class="muted">
          {kind.filter(Boolean).join(" · ") ||
            (status === "damaged" ? "Configuration not readable" : "About to begin")}
        </span>
      </div>
      <div class="run-row-status">
        <StatusBadge status={status} />
      </div>
      <RunProgress run={run} />
      <dl class="run-row-facts">
        <div>
          <dt>Loss</dt>
          <dd class="tabular">{formatNumber(run.loss)}</dd>
        </div>
        <div>
          <dt>Last grew</dt>
          <dd>
            <time dateTime={new Date(run.modified).toISOString()}>
              {agoText(run.modified, now)}
            </time>
          </dd>
        </div>
      </dl>
      <div class="run-row-action">
        <RunControls
          run={run}
          requests={requests}
          onProblem={(text) => problem.value = text}
          onChange={onChange}
        />
      </div>
      {run.problem && <p class="notice bad run-row-wide">{run.problem}</p>}
      {problem.value && <p class="notice bad run-row-wide" role="alert">{problem}</p>}
    </li>
  );
}

/** The newest picture of samples, or the run's kind as a shape. */
function Thumbnail({ run }: { readonly run: RunSummary }) {
  const step = run.newestSample;
  return (
    <div class={`run-thumbnail ${isImage(run) ? "images" : ""}`} aria-hidden="true">
      {typeof step === "number"
        ? <img src={runPath(run.name, `/samples/${sampleFile(step)}`)} alt="" loading="lazy" />
        : (
          <svg viewBox="0 0 24 24" width="28" height="28">
            <path
              d={isImage(run)
                ? "M3 3h8v8H3zM13 3h8v8h-8zM3 13h8v8H3zM13 13h8v8h-8z"
                : "M12 2.5a2 2 0 1 0 .01 0M4.5 9a2 2 0 1 0 .01 0M19.5 9a2 2 0 1 0 .01 0M8 16.5a2 2 0 1 0 .01 0M16 16.5a2 2 0 1 0 .01 0"}
              fill="currentColor"
            />
          </svg>
        )}
    </div>
  );
}

/** What a newcomer finds where there is no run yet. */
function Welcome() {
  return (
    <section class="panel welcome" aria-labelledby="welcome-heading">
      <h2 id="welcome-heading">No runs yet</h2>
      <p>
        A run is a directory that a training writes: its configuration, its losses, checkpoints and
        pictures of samples on the way. Start one below: <strong>8gaussians</strong>{" "}
        takes some fifteen seconds, <strong>mnist16</strong>{" "}
        (handwritten digits) about two minutes. It goes on when this page is closed, and appears
        here as it grows.
      </p>
      <p>
        The same from a terminal:{" "}
        <code>deno task train 8gaussians</code>. To train in this page instead and see the landscape
        form, go to the <a href="/">laboratory</a>.
      </p>
    </section>
  );
}

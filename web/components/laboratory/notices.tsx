/** @file What the page has to say before anything else: an error, a link with mistakes, a replay. */
import { formatCount } from "../curves/numbers.ts";
import type { LaboratoryPageStore } from "../../laboratory/store_types.ts";
import { useSlowValue } from "../curves/slow_value.ts";

interface NoticeProps {
  readonly store: LaboratoryPageStore;
}

/** All notices; nothing where there is nothing to say. */
export function Notices({ store }: NoticeProps) {
  return (
    <div class="lab-notices">
      <Problem store={store} />
      <AddressProblems store={store} />
      <Replay store={store} />
      <Opened store={store} />
    </div>
  );
}

function Problem({ store }: NoticeProps) {
  const problem = store.problem.value, failed = store.status.value === "failed";
  if (problem === null) return null;
  return (
    <div class="notice bad row" role="alert">
      <span class="lab-notice-text">{problem}</span>
      {failed
        ? (
          <button type="button" class="button" onClick={() => store.startAgain()}>
            Start again
          </button>
        )
        : (
          <button type="button" class="button" onClick={() => store.problem.value = null}>
            Dismiss
          </button>
        )}
    </div>
  );
}

function AddressProblems({ store }: NoticeProps) {
  const problems = store.addressProblems.value;
  if (problems.length === 0) return null;
  return (
    <div class="notice bad row" role="alert">
      <div class="lab-notice-text">
        The address could not be read in full:
        <ul>{problems.map((line) => <li key={line}>{line}</li>)}</ul>
      </div>
      <button type="button" class="button" onClick={() => store.addressProblems.value = []}>
        Dismiss
      </button>
    </div>
  );
}

function Replay({ store }: NoticeProps) {
  const replay = store.replay.value, step = useSlowValue(store.step, 100);
  if (!replay) return null;
  const label = `Replaying ${formatCount(replay.to)} steps`;
  return (
    <div class="notice row lab-replay" role="status">
      <span class="lab-notice-text">
        {label}: a run is a function of its settings and seed.
      </span>
      <progress max={replay.to} value={Math.min(step, replay.to)} aria-label={label} />
      <button type="button" class="button" onClick={() => store.pause()}>
        Stop here
      </button>
    </div>
  );
}

function Opened({ store }: NoticeProps) {
  const opened = store.opened.value;
  if (!opened) return null;
  return (
    <p class="notice">
      The run <strong>{opened.name}</strong>, as it was at step{" "}
      {formatCount(opened.step)}. It can be trained on; changing a setting starts a new run.
    </p>
  );
}

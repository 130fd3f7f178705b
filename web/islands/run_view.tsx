/**
 * @file One run, live: its state and curves as they grow, its samples, the flow of an image from noise,
 * its evaluation and its configuration.
 */
import { batch, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { EvaluationLine, MetricsLine, SpeedLine } from "../../core/train/run_directory.ts";
import { ConfigTable, type PresetDifferences } from "../components/runs/config_table.tsx";
import { CopyableCommand } from "../components/runs/copyable_command.tsx";
import { EvaluationView } from "../components/runs/evaluation_view.tsx";
import { FlowView } from "../components/runs/flow_view.tsx";
import { RunCurves } from "../components/runs/run_curves.tsx";
import {
  type ConnectionState,
  followRun,
  type RunConnection,
  type RunSignals,
} from "../components/runs/run_events.ts";
import { RunHead } from "../components/runs/run_head.tsx";
import { shellWord } from "../components/runs/run_text.ts";
import { SampleSlider } from "../components/runs/sample_slider.tsx";
import { getJson, type PageSession, sessionRequests } from "../components/runs/session.ts";
import type { RunDetail, RunSummary } from "../runs/run_types.ts";

/** What the page begins with. */
export interface RunViewProps {
  readonly detail: RunDetail;
  /** Where its configuration differs from the preset's; null where the preset is not known. */
  readonly differences: PresetDifferences | null;
  /** The other runs. */
  readonly others: readonly RunSummary[];
  readonly session: PageSession;
}

/** Everything about a run. */
export function RunViewIsland(
  { detail: first, differences, others: known, session }: RunViewProps,
) {
  const signals: RunSignals = {
    metrics: useSignal<readonly MetricsLine[]>([]),
    speed: useSignal<readonly SpeedLine[]>([]),
    evaluations: useSignal<readonly EvaluationLine[]>([]),
    detail: useSignal(first),
    connection: useSignal<ConnectionState>("connecting"),
  };
  const others = useSignal(known);
  const requests = useMemo(() => sessionRequests(session.token), [session.token]);
  useEffect(() => {
    const onRecovery = async () => {
      await requests.renew();
      try {
        const runs = await getJson<RunSummary[]>("/api/runs");
        others.value = runs.filter(({ name }) => name !== first.name);
      } catch {
        // The list stays as it was.
      }
    };
    return whileSeen(followRun(first.name, signals, { onRecovery }));
  }, []);
  const detail = signals.detail.value;
  const { config, checkpoints, sampleShape } = detail;
  return (
    <div class="run-page">
      <RunHead {...signals} requests={requests} />
      <div class="run-main">
        <SampleSlider detail={signals.detail} />
        <RunCurves {...signals} />
      </div>
      <div class="run-lower">
        {sampleShape && checkpoints.length > 0 && (
          <FlowView detail={detail} others={others.value} requests={requests} />
        )}
        <div class="run-side">
          <EvaluationView detail={detail} directory={session.directory} />
          <Commands detail={detail} directory={session.directory} />
        </div>
      </div>
      {config && <ConfigTable config={config} differences={differences} />}
    </div>
  );
}

/** Browsers allow few connections to one server: a page that is not seen gives its own back. */
function whileSeen(connection: RunConnection): () => void {
  const change = () => batch(() => document.hidden ? connection.rest() : connection.wake());
  document.addEventListener("visibilitychange", change);
  if (document.hidden) connection.rest();
  return () => {
    document.removeEventListener("visibilitychange", change);
    connection.close();
  };
}

/** What is done with a run at a terminal. */
function Commands(
  { detail, directory }: { readonly detail: RunDetail; readonly directory: string },
) {
  const { name, config, checkpoints, status } = detail;
  if (!config || checkpoints.length === 0) return null;
  const run = shellWord(`${directory}/${name}`);
  return (
    <section class="panel run-commands" aria-labelledby="commands-heading">
      <h2 id="commands-heading">At a terminal</h2>
      <CopyableCommand label="Draw samples as a picture" command={`deno task sample ${run}`} />
      <CopyableCommand
        label="Draw samples as an array, with their way from noise"
        command={`deno task sample ${run} --out samples.npy --trajectory flow.npy`}
      />
      {detail.evaluation && (
        <CopyableCommand
          label="Evaluate again"
          command={`deno task eval ${run} all`}
        />
      )}
      {status === "paused" && (
        <CopyableCommand label="Go on" command={`deno task train --resume ${run}`} />
      )}
    </section>
  );
}

/**
 * @file The page of one run, /runs/NAME.
 */
import type { VNode } from "preact";
import { presetConfig, presetNames } from "../../core/train/presets.ts";
import { Island } from "../components/island.tsx";
import { Layout } from "../components/layout.tsx";
import { type PresetDifferences, presetDifferences } from "../components/runs/config_table.tsx";
import type { PageSession } from "../components/runs/session.ts";
import { RunViewIsland, type RunViewProps } from "../islands/run_view.tsx";
import type { RunDetail, RunSummary } from "../runs/run_types.ts";

/**
 * The page of one run.
 *
 * @param others the other runs, one of which can be shown beside it
 * @param session the token of requests that change something
 */
export function runPage(detail: RunDetail, others: RunSummary[], session: PageSession): VNode {
  const { name } = detail;
  return (
    <Layout
      title={`${name} – vapo`}
      description={`The run ${name}: curves, samples, evaluation and configuration.`}
      current="runs"
      styles={["/static/panels.css", "/static/runs.css"]}
    >
      <nav class="crumbs" aria-label="Where this is">
        <a href="/runs">Runs</a> <span aria-hidden="true">/</span> {name}
      </nav>
      <Island<RunViewProps>
        name="run-view"
        component={RunViewIsland}
        props={{
          detail,
          differences: differencesOf(detail),
          others: others.filter((run) => run.name !== name),
          session: { ...session, presets: [] },
        }}
      />
    </Layout>
  );
}

function differencesOf({ config }: RunDetail): PresetDifferences | null {
  if (!config || !presetNames.includes(config.preset)) return null;
  return presetDifferences(config, presetConfig(config.preset));
}

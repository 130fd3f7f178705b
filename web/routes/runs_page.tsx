/**
 * @file The page of all runs, /runs.
 */
import type { VNode } from "preact";
import { Island } from "../components/island.tsx";
import { Layout } from "../components/layout.tsx";
import type { PageSession } from "../components/runs/session.ts";
import { RunListIsland, type RunListProps } from "../islands/run_list.tsx";
import type { RunSummary } from "../runs/run_types.ts";

/**
 * The page of all runs.
 *
 * @param runs newest first
 * @param session the token of requests that change something, and what can be trained
 */
export function runsPage(runs: RunSummary[], session: PageSession): VNode {
  return (
    <Layout
      title="Runs – vapo"
      description="Trainings of potential flows: what runs, what is paused, what is finished."
      current="runs"
      styles={["/static/runs.css"]}
    >
      <h1 class="runs-title">Runs</h1>
      <Island<RunListProps>
        name="run-list"
        component={RunListIsland}
        props={{ runs, session, now: Date.now() }}
      />
    </Layout>
  );
}

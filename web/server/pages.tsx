/**
 * @file The pages as HTML, and those that say that there is none.
 */
import type { VNode } from "preact";
import { renderToString } from "preact-render-to-string";
import { Layout } from "../components/layout.tsx";
import type { PageSession } from "../components/runs/session.ts";
import type { RunDetail, RunSummary } from "../runs/run_types.ts";

/** The pages that there are. */
export interface Pages {
  laboratory(): VNode | Promise<VNode>;
  runs(runs: RunSummary[], session: PageSession): VNode | Promise<VNode>;
  run(
    detail: RunDetail,
    others: RunSummary[],
    session: PageSession,
  ): VNode | Promise<VNode>;
}

/** The pages of `web/routes`, each loaded when it is asked for first. */
export const ownPages: Pages = {
  laboratory: async () => (await import("../routes/laboratory_page.tsx")).laboratoryPage(),
  runs: async (...given) => (await import("../routes/runs_page.tsx")).runsPage(...given),
  run: async (...given) => (await import("../routes/run_page.tsx")).runPage(...given),
};

/** A page as a document. */
export function document(page: VNode): string {
  return `<!doctype html>\n${renderToString(page)}`;
}

/** The page of a refusal. */
export function problemPage(status: number, line: string): VNode {
  const title = status === 404 ? "Not found" : "This did not work";
  return (
    <Layout title={`${title} – vapo`} description={title} current="runs">
      <section class="panel">
        <h1>{title}</h1>
        <p class="notice bad" role="alert">{line}</p>
        <p>
          Go to the <a href="/">laboratory</a> or to the <a href="/runs">runs</a>.
        </p>
      </section>
    </Layout>
  );
}

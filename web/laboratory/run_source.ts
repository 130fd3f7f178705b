/** @file Runs of the server, as files that the engine opens. */
import type { RunFilesAnswer, RunSummary } from "../runs/run_types.ts";
import type { RunFiles } from "./engine_types.ts";
import type { PageEnvironment } from "./page_environment.ts";

type Fetch = PageEnvironment["fetch"];

/** The answer, or an error with the server's own line. */
async function answered(fetch: Fetch, path: string, what: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path);
  } catch {
    throw new Error(`${what}: the server did not answer; is "deno task web" still running?`);
  }
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({})) as { error?: string };
  throw new Error(`${what}: ${error ?? `the server answered ${response.status}`}`);
}

/**
 * The files of a run of the server's, of its newest checkpoint.
 *
 * @throws {Error} one line that says why not
 */
export async function fetchRun(fetch: Fetch, name: string): Promise<RunFiles> {
  const path = `/api/runs/${encodeURIComponent(name)}`, what = `run "${name}"`;
  const files = await (await answered(fetch, `${path}/files`, what)).json() as RunFilesAnswer;
  const state = await answered(fetch, `${path}/state?step=${files.step}`, what);
  return { ...files, state: new Uint8Array(await state.arrayBuffer()) };
}

/** The server's runs of points in the plane that have a checkpoint, newest first. */
export async function fetchPlaneRuns(fetch: Fetch): Promise<RunSummary[]> {
  const runs = await (await answered(fetch, "/api/runs", "list of runs")).json() as RunSummary[];
  return runs.filter(({ sampleShape, status, step }) =>
    sampleShape?.length === 1 && sampleShape[0] === 2 && status !== "damaged" && step > 0
  );
}

/**
 * @file What the browser test runs in a page and in a page's worker: the same core, the same run,
 * handed back as numbers. Bundled by the test; nothing here knows that it is not under Deno.
 */
import { type Task, type TinyRun, trainTiny } from "./tiny_run.ts";

/** What came of it. */
export interface Outcome {
  readonly run?: TinyRun;
  readonly error?: string;
  /** Workers that were started for it. */
  readonly workers: number;
  /** Warnings that it printed. */
  readonly warnings: string[];
}

let workers = 0;
const warnings: string[] = [];

globalThis.Worker = class extends globalThis.Worker {
  constructor(...args: ConstructorParameters<typeof Worker>) {
    super(...args);
    workers++;
  }
};
console.warn = (...texts) => warnings.push(texts.join(" "));

/** Does the run. */
export async function runTask(task: Task): Promise<Outcome> {
  try {
    return { run: await trainTiny(task), workers, warnings };
  } catch (error) {
    return { error: String((error as Error).stack ?? error), workers, warnings };
  }
}

if ("document" in globalThis) {
  Object.assign(globalThis, { runTask });
} else {
  self.onmessage = async ({ data }: MessageEvent<Task>) => self.postMessage(await runTask(data));
}

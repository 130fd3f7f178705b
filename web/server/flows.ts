/**
 * @file The flow of some samples of a run from noise, as `vapo sample` draws it: in a process, one at a
 * time, ended when nobody waits for it any more. Flows that were asked for before are kept in memory.
 */
import { join } from "@std/path";
import { gaussianPath } from "../../core/homotopy/gaussian_path.ts";
import type { RunConfig } from "../../core/train/config.ts";
import { isSdeMethod } from "../../core/flow/sde.ts";
import { runSampling } from "../../core/train/run_sampling.ts";
import { sampleSpace } from "../../core/train/data_sets.ts";
import type { FlowQuestion } from "../runs/run_types.ts";
import { memoryCache } from "./memory_cache.ts";
import { oneLine, Refusal } from "./refusal.ts";
import { findFile, type RunPlace } from "./run_paths.ts";
import { stepName } from "./run_pieces.ts";
import { lastLine, spawnProgram, vapoCall } from "./vapo_command.ts";

/** A flow. */
export interface Flow {
  /** A .npy file: float32 of shape [frames, n, …sampleShape]. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** [frames], ascending from 0. */
  readonly times: readonly number[];
}

/** Draws flows. */
export interface Flows {
  /**
   * Draws a flow, or finds it in memory.
   *
   * @param step the newest checkpoint's
   * @param signal nobody waits any more
   * @throws {Refusal} 409 while another is drawn, 413 for one that is too large, 400 where the command
   * line refuses it
   */
  draw(run: FlowRun, question: FlowQuestion, signal?: AbortSignal): Promise<Flow>;
  /** Ends what is being drawn; resolves when nothing of it is left. */
  close(): Promise<void>;
}

/** What a flow is drawn from. */
export interface FlowRun {
  readonly place: RunPlace;
  readonly config: RunConfig;
  readonly step: number;
}

/** The most bytes of a flow, and of all that are kept: those of numbers alone, in 64 MiB. */
export const LARGEST_FLOW = 2 ** 26;
/** The longest that a flow is drawn for. */
const LONGEST_MILLISECONDS = 600_000;

/** A flow that is being drawn. */
interface Drawing {
  readonly key: string;
  readonly flow: Promise<Flow>;
  readonly abort: AbortController;
  waiting: number;
}

/** Makes the flows of a server. */
export function openFlows(): Flows {
  const kept = memoryCache<Flow>(LARGEST_FLOW, ({ bytes }) => bytes.length);
  let current: Drawing | null = null;

  function begin(run: FlowRun, question: FlowQuestion, key: string): Drawing {
    const abort = new AbortController();
    const flow = drawFlow(run, question, abort.signal).finally(() => current = null);
    flow.then((done) => kept.set(key, done), () => {});
    return current = { key, flow, abort, waiting: 0 };
  }

  return {
    async draw(run, question, signal) {
      const times = frameTimes(run.config, question);
      requireFits(run.config, question, times.length);
      const key = await keyOf(run, question);
      const found = kept.get(key);
      if (found) return found;
      // One that nobody waits for is about to end.
      while (current && current.waiting === 0 && current.abort.signal.aborted) {
        await current.flow.catch(() => {});
      }
      if (current && current.key !== key) {
        throw new Refusal(409, "another flow is being drawn: wait for it, or leave its page");
      }
      const drawing = current ?? begin(run, question, key);
      return await waitFor(drawing, signal);
    },
    async close() {
      current?.abort.abort();
      await current?.flow.catch(() => {});
    },
  };
}

/** Waits for a flow; when the last one who does goes away, it is ended. */
async function waitFor(drawing: Drawing, signal?: AbortSignal): Promise<Flow> {
  const leave = () => {
    if (--drawing.waiting === 0) drawing.abort.abort();
  };
  drawing.waiting++;
  if (signal?.aborted) leave();
  else signal?.addEventListener("abort", leave, { once: true });
  try {
    return await drawing.flow;
  } finally {
    signal?.removeEventListener("abort", leave);
  }
}

/** What a flow is a function of. */
async function keyOf({ place, step }: FlowRun, question: FlowQuestion): Promise<string> {
  const state = await findFile(
    place.directory,
    `checkpoints/${stepName(step)}/state.safetensors`,
  );
  const { n, seed, frames, until } = question;
  return JSON.stringify([place.directory, step, state?.info.mtime, n, seed, frames, until]);
}

/** The times of the frames; a stochastic solver has no more of them than it takes steps. */
function frameTimes(config: RunConfig, { frames, until }: FlowQuestion): number[] {
  const { solver, steps, until: own } = runSampling(config);
  const end = until ?? own ?? gaussianPath(config.path).uMax;
  const stochastic = isSdeMethod(solver);
  const count = stochastic ? Math.min(frames, steps + 1) : frames;
  return Array.from({ length: count }, (_, i) => {
    const fraction = i / (count - 1);
    return end * (stochastic ? Math.round(fraction * steps) / steps : fraction);
  });
}

function requireFits(config: RunConfig, { n }: FlowQuestion, frames: number): void {
  const { sampleShape } = sampleSpace(config.data);
  const size = sampleShape.reduce((product, length) => product * length, 1);
  const bytes = n * frames * size * 4;
  if (bytes <= LARGEST_FLOW) return;
  const most = Math.floor(LARGEST_FLOW / (frames * size * 4));
  throw new Refusal(
    413,
    `${n} samples in ${frames} frames are ${Math.round(bytes / 2 ** 20)} MiB: expected at most ` +
      `${LARGEST_FLOW / 2 ** 20} MiB, ${most > 0 ? `which ${most} samples take` : "fewer frames"}`,
  );
}

async function drawFlow(
  { place, config, step }: FlowRun,
  question: FlowQuestion,
  signal: AbortSignal,
): Promise<Flow> {
  const times = frameTimes(config, question);
  const directory = await Deno.makeTempDir({ prefix: "vapo-flow-" });
  try {
    const trajectory = join(directory, "flow.npy");
    await runSample([
      place.directory,
      ...["--checkpoint", String(step), "--n", String(question.n), "--seed", String(question.seed)],
      ...["--frames", String(times.length), "--trajectory", trajectory],
      ...["--out", join(directory, "end.npy")],
      ...(question.until === null ? [] : ["--until", String(question.until)]),
    ], signal);
    return { bytes: await Deno.readFile(trajectory), times };
  } finally {
    await Deno.remove(directory, { recursive: true }).catch(() => {});
  }
}

/** Runs `vapo sample` to its end, or until it is asked to stop. */
async function runSample(args: readonly string[], signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const child = spawnProgram(vapoCall("sample", args), { stdout: "null", stderr: "piped" });
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  const timer = setTimeout(kill, LONGEST_MILLISECONDS);
  signal.addEventListener("abort", kill);
  try {
    const errors = new Response(child.stderr).text();
    const { success, code, signal: killed } = await child.status;
    const line = lastLine(await errors);
    if (success) return;
    if (signal.aborted) throw new Refusal(409, "the flow was stopped: nobody waited for it");
    if (killed) {
      throw new Refusal(500, `the flow was ended by ${killed}, after ten minutes or by hand`);
    }
    throw new Refusal(code === 2 ? 400 : 500, oneLine(line ?? `vapo sample ended with ${code}`));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
  }
}

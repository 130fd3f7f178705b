/**
 * @file PyTorch as a peer: a process such as `torch_peer.py`, spoken to in JSON lines. It sleeps in a
 * read while others are timed; its threads (OpenMP's and OpenBLAS's) go on spinning for a while after
 * its own work, and the report waits for that before it times another.
 */
import type { Peer, Variant } from "../train/peer.ts";
import type { Work } from "../train/works.ts";

/**
 * Large blocks stay with the process instead of going back to the system after each use, which
 * spares PyTorch page faults: 5 % of a step here. OpenBLAS's threads spin for 2²⁵ cycles after their
 * work, longer than anything between two products of a step, instead of 2²⁸, a tenth of a second.
 */
const ENVIRONMENT = {
  OPENBLAS_THREAD_TIMEOUT: "25",
  MALLOC_MMAP_THRESHOLD_: String(32 * 2 ** 20),
  MALLOC_TRIM_THRESHOLD_: String(4 * 2 ** 30),
  MALLOC_TOP_PAD_: String(256 * 2 ** 20),
};

/** A program of PyTorch's that answers requests. */
export interface TorchProcess {
  /** Its answer to a request. */
  ask<T>(request: unknown): Promise<T>;
  /** Processor seconds that its process has used so far. */
  processorSeconds(): Promise<number>;
  /** Ends it. */
  close(): Promise<void>;
}

/** PyTorch's peer, with what only it can do. */
export interface TorchPeer extends Peer, Pick<TorchProcess, "processorSeconds"> {
  /** The loss and the gradient's norms for given arrays; see `torch_peer.py`. */
  check(request: unknown): Promise<TorchCheck>;
}

/** What PyTorch says of a loss. */
export interface TorchCheck {
  readonly loss: number;
  readonly gradientNorm: number;
  /** The norm of each parameter's gradient. */
  readonly norms: Readonly<Record<string, number>>;
}

function conversation(process: Deno.ChildProcess): TorchProcess["ask"] {
  const writer = process.stdin.getWriter();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const encoder = new TextEncoder();
  let text = "";
  return async <T>(request: unknown): Promise<T> => {
    await writer.write(encoder.encode(`${JSON.stringify(request)}\n`));
    while (!text.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) {
        throw new Error("PyTorch's process ended: expected an answer; see its message above");
      }
      text += value;
    }
    const end = text.indexOf("\n");
    const answer = JSON.parse(text.slice(0, end)) as T;
    text = text.slice(end + 1);
    return answer;
  };
}

/** Whether a Python has PyTorch. */
async function hasTorch(python: string): Promise<boolean> {
  try {
    const command = new Deno.Command(python, { args: ["-c", "import torch"], stderr: "null" });
    return (await command.output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Starts a program beside this file; null where that Python has no PyTorch. */
export async function startTorch(python: string, program: string): Promise<TorchProcess | null> {
  if (!await hasTorch(python)) return null;
  const process = new Deno.Command(python, {
    args: ["-B", new URL(program, import.meta.url).pathname],
    stdin: "piped",
    stdout: "piped",
    env: ENVIRONMENT,
  }).spawn();
  return {
    ask: conversation(process),
    async processorSeconds() {
      const fields = (await Deno.readTextFile(`/proc/${process.pid}/stat`)).split(") ")[1].split(
        " ",
      );
      return (Number(fields[11]) + Number(fields[12])) / 100; // user and system, in hundredths
    },
    async close() {
      process.kill();
      await process.status;
    },
  };
}

/** Waits until PyTorch's threads, which spin for a while after their work, are asleep. */
export async function stillness(torch: Pick<TorchProcess, "processorSeconds">): Promise<void> {
  let used = await torch.processorSeconds();
  for (let still = 0, tries = 0; still < 2 && tries < 40; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 40));
    const now = await torch.processorSeconds();
    still = now > used ? 0 : still + 1;
    used = now;
  }
}

/** Starts PyTorch's peer; null where that Python has no PyTorch. */
export async function openTorch(python: string): Promise<TorchPeer | null> {
  const process = await startTorch(python, "./torch_peer.py");
  if (!process) return null;
  const { ask, processorSeconds, close } = process;
  const threads = navigator.hardwareConcurrency > 1 ? [1, 2] : [1];
  return {
    name: "PyTorch",
    describe: () => ask({ describe: true }),
    async variants(work: Work) {
      const { variants } = await ask<{ variants: string[] }>({ work, variants: true });
      return variants.flatMap((form) => threads.map((threads): Variant => ({ threads, form })));
    },
    async measure(work, { threads, form }, { repeats, warmUp }) {
      const request = { work, threads, variant: form, repeats, warmUp };
      return (await ask<{ seconds: number[] }>(request)).seconds;
    },
    release: () => ask({ release: true }),
    close,
    check: (request) => ask({ check: request }),
    processorSeconds,
  };
}

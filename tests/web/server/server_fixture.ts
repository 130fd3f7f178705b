/** @file A server over runs made by hand, and a reader of its events. */
import { join } from "@std/path";
import { presetConfig } from "../../../core/train/presets.ts";
import type { EvaluationLine, MetricsLine, SpeedLine } from "../../../core/train/run_directory.ts";
import type { RunDetail } from "../../../web/runs/run_types.ts";
import { type WebApp, webApp, type WebAppOptions } from "../../../web/server.ts";

/** Where the server is asked, in tests that do not listen. */
export const origin = "http://127.0.0.1:8787";

/** A server with a runs directory of its own. */
export interface Fixture extends WebApp {
  /** The runs directory, its real path. */
  readonly runs: string;
  /** A directory around it, for what must not be reached. */
  readonly outside: string;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  /** A POST as a page of the server sends it; headers are laid over. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
}

/** Runs a test with a server, and removes what it has made. */
export async function withServer(
  test: (fixture: Fixture) => Promise<void>,
  options: Partial<WebAppOptions> = {},
): Promise<void> {
  const outside = await Deno.realPath(await Deno.makeTempDir({ prefix: "vapo-web-test-" }));
  const runs = join(outside, "runs");
  await Deno.mkdir(runs);
  const web = webApp({ runs, port: 8787, pollMilliseconds: 20, ...options });
  const ask = async (path: string, init: RequestInit) =>
    await web.app.request(`${origin}${path}`, init);
  try {
    await test({
      ...web,
      runs,
      outside,
      get: (path, headers = {}) => ask(path, { headers }),
      post: (path, body, headers = {}) =>
        ask(path, {
          method: "POST",
          headers: {
            "content-type": "application/json",
            "x-vapo-token": web.token,
            origin,
            ...headers,
          },
          body: typeof body === "string" ? body : JSON.stringify(body),
        }),
    });
  } finally {
    await web.close();
    await Deno.remove(outside, { recursive: true });
  }
}

/** The text of a line of metrics. */
export function metricsLine(step: number, loss = -step / 1000): string {
  return `${JSON.stringify({ step, loss })}\n`;
}

/** Makes a run's directory with a configuration, metrics and checkpoints. */
export async function makeRun(
  runs: string,
  name: string,
  {
    steps = 100,
    lines = [10, 20],
    checkpoints = [20],
    samples = [] as number[],
    preset = "rings",
  } = {},
): Promise<string> {
  const directory = join(runs, name);
  await Deno.mkdir(directory);
  const config = presetConfig(preset);
  await write(directory, "config.json", {
    ...config,
    device: "wasm",
    training: { ...config.training, steps },
  });
  await write(directory, "metrics.jsonl", lines.map((step) => metricsLine(step)).join(""));
  for (const step of checkpoints) {
    const name = `step-${String(step).padStart(8, "0")}`;
    await write(directory, `checkpoints/${name}/state.json`, { version: 1, step });
    await write(directory, `checkpoints/${name}/state.safetensors`, `state of ${step}`);
  }
  for (const step of samples) {
    await write(directory, `samples/step-${String(step).padStart(8, "0")}.png`, `png ${step}`);
  }
  return directory;
}

/** Writes a file of a run; what is no text as JSON. */
export async function write(directory: string, path: string, content: unknown): Promise<void> {
  const file = join(directory, path);
  await Deno.mkdir(join(file, ".."), { recursive: true });
  await Deno.writeTextFile(file, typeof content === "string" ? content : JSON.stringify(content));
}

/** Replaces a file as a run that is resumed does. */
export async function replace(directory: string, path: string, content: string): Promise<void> {
  await write(directory, `.tmp-${path}`, content);
  await Deno.rename(join(directory, `.tmp-${path}`), join(directory, path));
}

/** An event as a browser has it. */
export interface ServerEvent {
  readonly type: string;
  readonly id: string;
  // deno-lint-ignore no-explicit-any -- whatever the server sends
  readonly data: any;
}

/** Reads events one by one. */
export interface EventReader {
  /** The next event; null at the end. */
  next(): Promise<ServerEvent | null>;
  close(): Promise<void>;
}

/** Reads the events of an answer, as the standard says; comments and `retry` are left out. */
export function readEvents(answer: Response): EventReader {
  const reader = answer.body!.getReader(), decoder = new TextDecoder();
  let text = "";
  return {
    async next() {
      while (true) {
        const end = text.indexOf("\n\n");
        if (end >= 0) {
          const block = text.slice(0, end);
          text = text.slice(end + 2);
          const event = parseEvent(block);
          if (event) return event;
          continue;
        }
        const { value, done } = await reader.read();
        if (done) return null;
        text += decoder.decode(value, { stream: true });
      }
    },
    close: () => reader.cancel(),
  };
}

function parseEvent(block: string): ServerEvent | null {
  const fields = new Map(
    block.split("\n").map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")] as const;
    }),
  );
  if (!fields.has("data")) return null;
  return {
    type: fields.get("event") ?? "message",
    id: fields.get("id") ?? "",
    data: JSON.parse(fields.get("data")!),
  };
}

/** What a page holds of a run: it takes events as `web/runs/run_types.ts` says, and no others. */
export interface FollowedRun {
  metrics: MetricsLine[];
  speed: SpeedLine[];
  evaluations: EvaluationLine[];
  detail: RunDetail | null;
  lastId: string;
}

/** A page that has seen nothing. */
export function newPage(): FollowedRun {
  return { metrics: [], speed: [], evaluations: [], detail: null, lastId: "" };
}

/** Takes an event into what is held. */
export function take(page: FollowedRun, { type, id, data }: ServerEvent): void {
  page.lastId = id;
  switch (type) {
    case "metrics":
    case "speed":
    case "evaluations":
      page[type].push(...data);
      return;
    case "rewind":
      for (const kind of ["metrics", "speed", "evaluations"] as const) {
        page[kind] = page[kind].filter(({ step }) => step <= data.step) as never;
      }
      return;
    case "detail":
      page.detail = data;
      return;
    default:
      throw new Error(`unknown event ${type}`);
  }
}

/** Takes events until a condition holds. */
export async function takeUntil(
  reader: EventReader,
  page: FollowedRun,
  condition: (page: FollowedRun, event: ServerEvent) => boolean,
): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  while (true) {
    const event = await soon(reader.next());
    if (!event) throw new Error("the events ended");
    take(page, event);
    events.push(event);
    if (condition(page, event)) return events;
  }
}

/** What is waited for, or an error after a time in which it has to be there. */
async function soon<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("nothing has come for long")), 20_000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The steps of lines. */
export function stepsOf(lines: readonly { step: number }[]): number[] {
  return lines.map(({ step }) => step);
}

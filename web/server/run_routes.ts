/**
 * @file What the server says of runs, and what can be asked of them: the routes of
 * `web/runs/run_types.ts`.
 */
import { type Context, Hono } from "hono";
import { z } from "zod";
import { presetNames } from "../../core/train/presets.ts";
import { isToy } from "../../core/train/data_sets.ts";
import { schemaIssue } from "../../core/schema_issue.ts";
import type { RunFilesAnswer } from "../runs/run_types.ts";
import type { Flows } from "./flows.ts";
import { lineFiles, readTail } from "./json_lines.ts";
import { Refusal } from "./refusal.ts";
import type { EventConnections } from "./run_events.ts";
import { findFile, findRun, isRunName, requireRunName, type RunPlace } from "./run_paths.ts";
import { stepName } from "./run_pieces.ts";
import type { RunReader } from "./run_reader.ts";
import { usePolicy } from "./security.ts";
import { streamFile } from "./served_files.ts";
import type { Trainings } from "./trainings.ts";

/** What the routes are made of. */
export interface RunServices {
  readonly runs: string;
  readonly reader: RunReader;
  readonly events: EventConnections;
  readonly trainings: Trainings;
  readonly flows: Flows;
}

/** The largest body of a request. */
const LARGEST_BODY = 2 ** 16;
/** The largest file of a run that is sent: pictures, reports, states of points. */
const LARGEST_FILE = 2 ** 28;
/** The most of the metrics that goes to the laboratory, from their end. */
const LABORATORY_METRICS = 2 ** 24;

const seed = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const trainingSchema = z.strictObject({
  preset: z.enum(presetNames as [string, ...string[]]),
  name: z.string().max(100).refine(
    isRunName,
    "expected a name without / \\ or % that does not begin with a dot",
  ).nullable().default(null),
  seed: seed.nullable().default(null),
  steps: z.int().min(1).max(2 ** 31 - 1).nullable().default(null),
});

const flowSchema = z.strictObject({
  n: z.int().min(1).max(100_000),
  seed,
  frames: z.int().min(2).max(1000),
  until: z.number().positive().max(100).nullable().default(null),
});

/** The routes below /api. */
export function runRoutes(services: RunServices): Hono {
  const { runs, reader, events, trainings, flows } = services;
  const place = async (context: Context): Promise<RunPlace> => {
    const name = requireRunName(context.req.param("name"));
    const found = await findRun(runs, name);
    if (found) return found;
    throw new Refusal(404, `there is no run ${name} in the runs directory`);
  };
  /** A run of points with the step that is asked for, its newest checkpoint's by default. */
  const planeRun = async (context: Context) => {
    const found = await place(context);
    const run = await reader.detail(found.name);
    if (!run?.config) throw new Refusal(409, run?.problem ?? `there is no run ${found.name}`);
    if (!isToy(run.config.data.name)) {
      throw new Refusal(400, `run ${found.name} is of images: the laboratory takes points alone`);
    }
    return {
      ...found,
      run,
      step: askedStep(context.req.query("step"), run.checkpoints, found.name),
    };
  };

  const routes = new Hono();
  routes.get("/runs", async (context) => context.json(await reader.list()));
  routes.get("/runs/:name", async (context) => {
    const { name } = await place(context);
    const detail = await reader.detail(name);
    if (!detail) throw new Refusal(404, `there is no run ${name}`);
    return context.json(detail);
  });
  routes.get("/runs/:name/events", (context) => {
    // The answer to HEAD has no body that anybody would end.
    if (context.req.raw.method !== "GET") throw new Refusal(405, "events are only to be got");
    const name = requireRunName(context.req.param("name"));
    const lastId = context.req.header("last-event-id") ?? context.req.query("after") ?? null;
    return new Response(events.open(name, lastId), {
      headers: { "content-type": "text/event-stream; charset=utf-8" },
    });
  });
  routes.get("/runs/:name/metrics", async (context) => {
    const { directory, name } = await place(context);
    const file = await findFile(directory, lineFiles.metrics);
    if (!file) throw new Refusal(404, `run ${name} has no ${lineFiles.metrics} yet`);
    return await streamFile(file, Infinity);
  });
  routes.get("/runs/:name/samples/:file", async (context) => {
    const { directory, name } = await place(context);
    const file = context.req.param("file");
    const isPicture = /^step-\d{8,15}(-seed-\d{1,16}(-\d{1,6})?)?\.png$/.test(file);
    const found = isPicture ? await findFile(directory, `samples/${file}`) : null;
    if (!found) throw new Refusal(404, `run ${name} has no such picture of samples`);
    return await kept(context, found, "data");
  });
  routes.get("/runs/:name/evaluation/:file", async (context) => {
    const { directory, name } = await place(context);
    const file = context.req.param("file"), within = await reader.evaluation({ directory, name });
    const isKnown = within !== null && /^[\w-][\w.-]*\.(html|png|svg)$/.test(file);
    const found = isKnown ? await findFile(directory, `${within}/${file}`) : null;
    if (!found) throw new Refusal(404, `run ${name} has no such file of an evaluation`);
    return await kept(context, found, file.endsWith(".html") ? "report" : "data");
  });
  routes.get("/runs/:name/files", async (context) => {
    const { directory, name, step } = await planeRun(context);
    const config = await findFile(directory, "config.json");
    const metrics = await findFile(directory, lineFiles.metrics);
    const answer: RunFilesAnswer = {
      name,
      config: config ? await Deno.readTextFile(config.path) : "",
      step,
      metrics: metrics ? await readTail(metrics.path, LABORATORY_METRICS) : "",
    };
    return context.json(answer);
  });
  routes.get("/runs/:name/state", async (context) => {
    const { directory, name, step } = await planeRun(context);
    const path = `checkpoints/${stepName(step)}/state.safetensors`;
    const found = await findFile(directory, path);
    if (!found) throw new Refusal(404, `run ${name} has no ${path}`);
    return await streamFile(found, LARGEST_FILE);
  });
  routes.post("/runs/:name/flow", async (context) => {
    const found = await place(context);
    const question = await body(context, flowSchema);
    const run = await reader.detail(found.name), step = run?.checkpoints.at(-1);
    if (!run?.config) throw new Refusal(409, run?.problem ?? `there is no run ${found.name}`);
    if (step === undefined) {
      throw new Refusal(409, `run ${found.name} has no checkpoint yet: wait for its first`);
    }
    const asked = { place: found, config: run.config, step };
    const { bytes, times } = await flows.draw(asked, question, context.req.raw.signal);
    return new Response(bytes, {
      headers: {
        "content-type": "application/octet-stream",
        "x-vapo-times": JSON.stringify(times),
      },
    });
  });
  routes.post("/runs/:name/pause", async (context) => {
    await body(context, z.strictObject({}));
    const name = requireRunName(context.req.param("name"));
    await trainings.pause(name);
    return context.json({ name }, 202);
  });
  routes.post("/runs/:name/resume", async (context) => {
    await body(context, z.strictObject({}));
    const name = requireRunName(context.req.param("name"));
    await trainings.resume(name);
    return context.json({ name }, 202);
  });
  routes.post("/trainings", async (context) => {
    const name = await trainings.start(await body(context, trainingSchema));
    return context.json({ name }, 202);
  });
  return routes;
}

/** A file that may be asked for again: whoever has it is told so. */
async function kept(
  context: Context,
  { path, info }: { path: string; info: Deno.FileInfo },
  policy: "report" | "data",
): Promise<Response> {
  const etag = `W/"${info.size.toString(36)}-${info.mtime?.getTime().toString(36)}"`;
  usePolicy(context, policy);
  const headers = { etag, "cache-control": "no-cache" };
  if (context.req.header("if-none-match") === etag) {
    return new Response(null, { status: 304, headers });
  }
  const answer = await streamFile({ path }, LARGEST_FILE);
  for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value);
  return answer;
}

function askedStep(
  text: string | undefined,
  checkpoints: readonly number[],
  name: string,
): number {
  const step = text === undefined ? checkpoints.at(-1) : Number(text);
  if (step !== undefined && checkpoints.includes(step)) return step;
  throw new Refusal(
    404,
    `run ${name} has no checkpoint${
      text === undefined ? " yet" : ` of step ${text.slice(0, 20)}`
    }: ` +
      `expected ${checkpoints.length > 0 ? `one of ${checkpoints.join(", ")}` : "one to be saved"}`,
  );
}

/** The body of a request, checked. An empty one is an empty object. */
async function body<T>(context: Context, schema: z.ZodType<T>): Promise<T> {
  const text = await boundedText(context.req.raw);
  let value: unknown;
  try {
    value = JSON.parse(text || "{}");
  } catch {
    throw new Refusal(400, "the request is not JSON: expected an object");
  }
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const { key, given, expected } = schemaIssue(result.error.issues[0], value);
  throw new Refusal(400, `${key || "the request"} is ${given}: ${expected}`);
}

async function boundedText(request: Request): Promise<string> {
  const tooLarge = new Refusal(413, `the request is larger than ${LARGEST_BODY} bytes`);
  if (Number(request.headers.get("content-length") ?? 0) > LARGEST_BODY) throw tooLarge;
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of request.body ?? []) {
    length += part.length;
    if (length > LARGEST_BODY) throw tooLarge;
    parts.push(part);
  }
  return await new Blob(parts as Uint8Array<ArrayBuffer>[]).text();
}

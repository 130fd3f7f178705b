/**
 * @file The server of the web view: pages, what they are made of, and the routes of runs. Everything is
 * read from the runs directory as it is now; the server itself keeps nothing that another one would
 * miss.
 */
import { dirname, fromFileUrl, resolve } from "@std/path";
import { Hono } from "hono";
import { VapoError } from "../core/errors.ts";
import { presetDescriptions, presetNames } from "../core/train/presets.ts";
import { openFlows } from "./server/flows.ts";
import { lockWatch } from "./server/held_lock.ts";
import { shownPath } from "../cli/user_paths.ts";
import type { PageSession } from "./components/runs/session.ts";
import { document, ownPages, type Pages, problemPage } from "./server/pages.tsx";
import { describeRefusal, Refusal } from "./server/refusal.ts";
import { eventConnections } from "./server/run_events.ts";
import { findRun, requireRunName } from "./server/run_paths.ts";
import { runReader } from "./server/run_reader.ts";
import { runRoutes, type RunServices } from "./server/run_routes.ts";
import {
  newToken,
  notFromElsewhere,
  onlyOwnPages,
  onlyThisHost,
  securityHeaders,
  usePolicy,
} from "./server/security.ts";
import { servedFiles } from "./server/served_files.ts";
import { openTrainings } from "./server/trainings.ts";

/** What a server is made with. */
export interface WebAppOptions {
  /** The runs directory, which need not be there yet. */
  readonly runs: string;
  /** The port that it is asked at: others are refused. */
  readonly port: number;
  /** The pages; those of `web/routes` by default. */
  readonly pages?: Partial<Pages>;
  /** The directory of what Vite has built. */
  readonly assets?: string;
  /** How often a run that is followed is looked at; 500. */
  readonly pollMilliseconds?: number;
  /** How often a connection without events shows that it is there; 15,000. */
  readonly heartbeatMilliseconds?: number;
  /** The most connections that follow runs; 256. */
  readonly connections?: number;
  /** Told of what is no user's doing. */
  readonly onBug?: (error: unknown) => void;
}

/** A server that can be asked. */
export interface WebApp {
  readonly app: Hono;
  /** What requests that change something carry as `x-vapo-token`. */
  readonly token: string;
  /** How many connections follow runs, and how many runs they follow. */
  connections(): { readonly followers: number; readonly runs: number };
  /** Ends connections and what is being drawn; trainings go on. */
  close(): Promise<void>;
}

/** Where Vite builds to. */
export const assetsDirectory: string = fromFileUrl(new URL("dist/", import.meta.url));
const staticDirectory = fromFileUrl(new URL("static/", import.meta.url));

/** Makes the server; whoever calls listens, on loopback alone. */
export function webApp(options: WebAppOptions): WebApp {
  const { port, onBug = console.error } = options;
  const runs = resolve(options.runs), token = newToken();
  const services = openServices(runs, { ...options, onBug });
  const { reader, events, flows } = services;
  const session: PageSession = {
    token,
    directory: shownPath(runs),
    presets: presetNames.map((name) => ({ name, description: presetDescriptions[name] })),
  };

  const app = new Hono();
  app.use(securityHeaders(), onlyThisHost(() => port));
  app.use("/api/*", notFromElsewhere(), onlyOwnPages(token), async (context, next) => {
    usePolicy(context, "data");
    await next();
  });
  app.get("/api/session", (context) => context.json({ token }));
  app.route("/api", runRoutes(services));
  addPages(app, { ...ownPages, ...options.pages }, { runs, reader, session });
  addFiles(app, options.assets ?? assetsDirectory);
  app.notFound(() => {
    throw new Refusal(404, "there is nothing at this address");
  });
  app.onError((error, context) => {
    const { status, line } = describeRefusal(error);
    if (!(error instanceof VapoError)) onBug(error);
    if (context.req.path.startsWith("/api/")) return context.json({ error: line }, status);
    return context.html(document(problemPage(status, line)), status);
  });
  return {
    app,
    token,
    connections: () => ({ followers: events.count, runs: events.watched }),
    async close() {
      events.close();
      await flows.close();
    },
  };
}

function openServices(
  runs: string,
  {
    onBug,
    pollMilliseconds = 500,
    heartbeatMilliseconds = 15_000,
    connections: limit = 256,
  }: WebAppOptions & { readonly onBug: (error: unknown) => void },
): RunServices {
  const locks = lockWatch();
  const trainings = openTrainings({
    runs,
    locks,
    running: async () =>
      (await reader.list()).find(({ status }) => status === "running")?.name ?? null,
    detail: (name) => reader.detail(name),
  });
  const reader = runReader({ runs, locks, training: trainings.facts });
  const events = eventConnections({
    limit,
    heartbeatMilliseconds,
    watcher: (name) => ({
      directory: async () => (await findRun(runs, name))?.directory ?? null,
      detail: () => reader.detail(name),
      pollMilliseconds,
      onBug,
    }),
  });
  return { runs, reader, events, trainings, flows: openFlows() };
}

function addPages(
  app: Hono,
  pages: Pages,
  { runs, reader, session }: Pick<RunServices, "runs" | "reader"> & { session: PageSession },
): void {
  app.get("/", async (context) => context.html(document(await pages.laboratory())));
  app.get(
    "/runs",
    async (context) => context.html(document(await pages.runs(await reader.list(), session))),
  );
  app.get("/runs/:name", async (context) => {
    const name = requireRunName(context.req.param("name"));
    const detail = await findRun(runs, name) && await reader.detail(name);
    if (!detail) throw new Refusal(404, `there is no run ${name} in the runs directory`);
    const others = (await reader.list()).filter((run) => run.name !== name);
    return context.html(document(await pages.run(detail, others, session)));
  });
}

function addFiles(app: Hono, assets: string): void {
  const files = servedFiles();
  const add = (prefix: string, directory: string, pattern: RegExp) =>
    app.get(`${prefix}*`, (context) => {
      const path = new URL(context.req.url).pathname.slice(prefix.length);
      if (!pattern.test(path)) throw new Refusal(404, "there is no such file");
      return files.serve(context, directory, path);
    });
  add("/assets/", assets, /^[\w./-]+$/);
  add("/static/", staticDirectory, /^[\w./-]+$/);
  add("/wasm/", wasmDirectory(), /^[\w-]+\.wasm$/);
}

/** Where the package of the WebAssembly kernels has its files. */
function wasmDirectory(): string {
  return dirname(fromFileUrl(import.meta.resolve("@tensorflow/tfjs-backend-wasm")));
}

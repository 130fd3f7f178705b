/**
 * @file `deno task web`: serves the web view on this machine, and to nobody else.
 */
import { Command, InvalidArgumentError } from "commander";
import { join } from "@std/path";
import { exitCodes, printFailure } from "../cli/failures.ts";
import { listenForInterruption } from "../cli/interruption.ts";
import { placeOnDisk } from "../cli/options.ts";
import { standardOutput } from "../cli/terminal.ts";
import { shownPath, userPath } from "../cli/user_paths.ts";
import { VapoError } from "../core/errors.ts";
import { assetsDirectory, type WebApp, webApp } from "./server.ts";

interface WebFlags {
  readonly port?: number;
  readonly runs: string;
  readonly host: string;
}

/** Where it listens unless a port is given: the first of these that is free. */
const firstPort = 8787, lastPort = 8886;

const epilog = `
The laboratory (/) trains in the browser; /runs shows the trainings in the runs directory,
by whomever they were started, and starts, pauses and resumes them. Trainings go on when
the server ends, and another one finds them.

It can be reached from this machine alone. From another one, through SSH:
  ssh -L 8787:127.0.0.1:8787 HOST   and then http://127.0.0.1:8787/ there

Examples:
  deno task web
  deno task web --runs ~/experiments --port 9000`;

/** The command. */
export function webCommand(): Command {
  return new Command("web")
    .description("serve the laboratory and the view of runs on this machine")
    .option("--port <n>", "the port (default: 8787, or the next one that is free)", portNumber)
    .option("--runs <dir>", "the directory of runs", placeOnDisk, "runs")
    .option("--host <name>", "a name of this machine: 127.0.0.1, ::1 or localhost", "127.0.0.1")
    .addHelpText("after", epilog)
    .exitOverride()
    .configureOutput({ writeOut: standardOutput.write, outputError: () => {} });
}

function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError("Expected a port from 1 to 65535.");
}

/** The address to listen at. */
function loopbackAddress(host: string): string {
  if (host === "127.0.0.1" || host === "localhost") return "127.0.0.1";
  if (host === "::1" || host === "[::1]") return "::1";
  throw new VapoError(
    `--host ${host} is not this machine alone: whoever reaches the server can start programs here; ` +
      "expected 127.0.0.1, ::1 or localhost (from elsewhere: ssh -L 8787:127.0.0.1:8787)",
  );
}

/** A server that listens. */
interface Listening {
  readonly web: WebApp;
  readonly address: string;
}

function listen({ port: asked, host, runs }: WebFlags): Listening {
  const hostname = loopbackAddress(host);
  const onBug = (error: unknown) => void printFailure(error);
  for (let port = asked ?? firstPort;; port++) {
    const web = webApp({ runs: userPath(runs), port, onBug });
    try {
      Deno.serve({ hostname, port, onListen() {}, onError: bugAnswer(onBug) }, web.app.fetch);
      return {
        web,
        address: `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}/`,
      };
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw listenError(error, port);
      if (asked !== undefined) {
        throw new VapoError(`port ${port} is in use: name another with --port, or leave it out`);
      }
      if (port === lastPort) {
        throw new VapoError(`ports ${firstPort} to ${lastPort} are in use: name one with --port`);
      }
    }
  }
}

function listenError(error: unknown, port: number): unknown {
  if (!(error instanceof Deno.errors.PermissionDenied)) return error;
  return new VapoError(`port ${port} is not for everybody: name one from 1024 on with --port`);
}

function bugAnswer(onBug: (error: unknown) => void) {
  return (error: unknown) => {
    onBug(error);
    return new Response("500", { status: 500 });
  };
}

async function requireBuilt(): Promise<void> {
  const script = join(assetsDirectory, "client.js");
  if (await Deno.stat(script).then(({ isFile }) => isFile, () => false)) return;
  throw new VapoError(
    `the pages' scripts are not built: ${
      shownPath(script)
    } is missing; start by "deno task web", ` +
      "which builds them",
  );
}

async function serve(args: readonly string[]): Promise<void> {
  const command = webCommand().parse([...args], { from: "user" });
  const flags = command.opts<WebFlags>();
  loopbackAddress(flags.host);
  await requireBuilt();
  const { web, address } = listen(flags);
  const runs = shownPath(userPath(flags.runs));
  standardOutput.line(`vapo is at ${address} (runs in ${runs}; Ctrl-C ends)`);
  await new Promise<void>((resolve) => listenForInterruption(resolve));
  await web.close();
}

async function run(args: readonly string[]): Promise<number> {
  try {
    await serve(args);
    return exitCodes.success;
  } catch (error) {
    return printFailure(error);
  }
}

if (import.meta.main) {
  globalThis.addEventListener("unhandledrejection", (event) => {
    // A server goes on: what has failed is one answer.
    event.preventDefault();
    printFailure(event.reason);
  });
  Deno.exit(await run(Deno.args));
}

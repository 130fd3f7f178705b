/**
 * @file The laboratory's engine as the page has it: in a worker, called by messages. Nothing of the core
 * is loaded here.
 */
import type { EngineOptions } from "./engine.ts";
import type { LaboratoryEngine, LaboratoryEvents } from "./engine_types.ts";
import { receiveEvent, remoteCalls } from "./messages.ts";
import type { StartMessage } from "./worker.ts";

/** An engine elsewhere. */
export interface Connection {
  /** Its methods are calls; errors keep their name and their line. */
  readonly engine: LaboratoryEngine;
  /** Ends the worker at once, and rejects what is outstanding. */
  close(): void;
}

/**
 * Starts the worker. One that dies rejects everything that is outstanding or yet to come, and is told
 * of as a failure, in one line.
 *
 * @param events told of progress and failures
 * @param options how the engine is made; the server has its WebAssembly in `/wasm/`
 */
export function connect(events: LaboratoryEvents, options: EngineOptions = {}): Connection {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const calls = remoteCalls<LaboratoryEngine>(worker);
  let ended = false;
  const end = (reason: Error) => {
    ended = true;
    worker.terminate();
    calls.fail(reason);
  };
  const die = (why: string) => {
    if (ended) return;
    const line = `the laboratory's worker has stopped${why && `: ${why}`}; start it again`;
    end(new Error(line));
    events.failure(line);
  };
  worker.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (!ended && !calls.receive(data)) receiveEvent(events, data);
  };
  worker.onmessageerror = () => die("a message could not be read");
  worker.onerror = (event) => {
    event.preventDefault();
    // One whose script could not be loaded says nothing.
    die(event.message?.split("\n")[0] || "its script could not be loaded");
  };
  const start: StartMessage = { start: { wasmPath: "/wasm/", ...options } };
  worker.postMessage(start);
  return {
    engine: calls.proxy,
    close: () => ended || end(new Error("the laboratory is closed")),
  };
}

/**
 * @file The worker of the laboratory's page: the engine, behind messages. Its first message says how the
 * engine is made; every other one is a call. Started by `connection.ts`.
 */
import { laboratoryEngine } from "./engine.ts";
import type { EngineOptions } from "./engine.ts";
import type { LaboratoryEngine, LaboratoryEvents } from "./engine_types.ts";
import { answerRequest, type MessageTarget, remoteEvents } from "./messages.ts";

/** What the page says first. */
export interface StartMessage {
  readonly start: EngineOptions;
}

/** A worker's global scope, which the types of a page do not have. */
const scope = globalThis as unknown as MessageTarget & {
  onmessage: ((event: MessageEvent<unknown>) => void) | null;
};

let engine: LaboratoryEngine | undefined;

scope.onmessage = ({ data }) => {
  if (engine) {
    void answerRequest(engine, data, scope);
  } else {
    const { start } = data as StartMessage;
    engine = laboratoryEngine(remoteEvents<LaboratoryEvents>(scope), start);
  }
};

/**
 * @file Calls of an object's methods in another thread, as messages: requests with a number, answers
 * with the same number, and events. Typed by the interface, so that no method is listed here.
 */

/** The names of an interface's methods. */
type MethodName<I> = {
  [K in keyof I]: I[K] extends (...args: never[]) => unknown ? K : never;
}[keyof I];

/** A call. */
export interface RequestMessage {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** What a call has come to. */
export type AnswerMessage =
  & { readonly id: number }
  & ({ readonly result: unknown } | { readonly error: ErrorMessage });

/** An error as far as the other side needs it. */
export interface ErrorMessage {
  readonly name: string;
  readonly message: string;
}

/** A call that nobody answers. */
export interface EventMessage {
  readonly event: string;
  readonly args: readonly unknown[];
}

/** What both threads have of each other. */
export interface MessageTarget {
  postMessage(message: unknown, transfer: Transferable[]): void;
}

/** Calls that go elsewhere. */
export interface RemoteCalls<I> {
  /** An object whose every method makes a call. */
  readonly proxy: I;
  /** Takes a message of the other side; false where it is no answer. */
  receive(message: unknown): boolean;
  /** Rejects what is outstanding, and all that is to come. */
  fail(reason: Error): void;
}

/** Makes calls of the methods of `I` by messages. */
export function remoteCalls<I extends object>(target: MessageTarget): RemoteCalls<I> {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let next = 0, failure: Error | null = null;
  const call = (method: string, args: readonly unknown[]): Promise<unknown> => {
    if (failure) return Promise.reject(failure);
    const answer = Promise.withResolvers<unknown>(), id = next++;
    waiting.set(id, answer);
    try {
      const request: RequestMessage = { id, method, args };
      target.postMessage(request, []);
    } catch (error) {
      waiting.delete(id);
      answer.reject(error);
    }
    return answer.promise;
  };
  const methods = new Map<string, (...args: unknown[]) => Promise<unknown>>();
  const proxy = new Proxy({}, {
    get(_, method) {
      // A promise that resolves to the proxy asks whether it is one itself.
      if (typeof method !== "string" || method === "then") return undefined;
      const known = methods.get(method) ?? ((...args: unknown[]) => call(method, args));
      methods.set(method, known);
      return known;
    },
  });
  return {
    proxy: proxy as I,
    receive(message) {
      if (!isRecord(message) || typeof message.id !== "number") return false;
      const answer = waiting.get(message.id);
      waiting.delete(message.id);
      if ("error" in message) answer?.reject(errorOf(message.error as ErrorMessage));
      else answer?.resolve(message.result);
      return true;
    },
    fail(reason) {
      failure ??= reason;
      for (const answer of waiting.values()) answer.reject(reason);
      waiting.clear();
    },
  };
}

/** Answers requests with an object's methods; what they return goes over without being copied. */
export async function answerRequest<I extends object>(
  object: I,
  message: unknown,
  target: MessageTarget,
): Promise<void> {
  if (!isRequest(message)) return;
  const { id, method, args } = message;
  let answer: AnswerMessage;
  try {
    const found = Object.hasOwn(object, method) ? object[method as MethodName<I>] : undefined;
    if (typeof found !== "function") throw new TypeError(`there is no method "${method}"`);
    answer = { id, result: await found.apply(object, args) };
  } catch (error) {
    answer = { id, error: messageOf(error) };
  }
  target.postMessage(answer, "result" in answer ? buffersOf(answer.result) : []);
}

/** An object whose every method is an event for the other side. */
export function remoteEvents<E extends object>(target: MessageTarget): E {
  return new Proxy({}, {
    get: (_, event) => (...args: unknown[]) => {
      const message: EventMessage = { event: String(event), args };
      target.postMessage(message, []);
    },
  }) as E;
}

/** Hands an event to its listener. */
export function receiveEvent<E extends object>(listeners: E, message: unknown): void {
  if (!isRecord(message) || typeof message.event !== "string" || !Array.isArray(message.args)) {
    return;
  }
  const listener = listeners[message.event as MethodName<E>];
  if (typeof listener === "function") listener.apply(listeners, message.args);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isRequest(value: unknown): value is RequestMessage {
  return isRecord(value) && typeof value.id === "number" && typeof value.method === "string" &&
    Array.isArray(value.args);
}

function messageOf(error: unknown): ErrorMessage {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { name, message };
}

/** An error of the other side: one that a user caused keeps its line, and every one its name. */
function errorOf({ name, message }: ErrorMessage): Error {
  const error = new Error(message);
  error.name = name;
  return error;
}

/** The buffers of all typed arrays in a value, each once; shared ones need no transfer. */
function buffersOf(value: unknown, found = new Set<Transferable>()): Transferable[] {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (Array.isArray(value)) {
    for (const member of value) buffersOf(member, found);
  } else if (isRecord(value)) {
    for (const member of Object.values(value)) buffersOf(member, found);
  }
  return [...found];
}

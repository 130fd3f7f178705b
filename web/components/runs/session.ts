/**
 * @file Requests that change something: they carry the session's token, and where the server was
 * started again meanwhile, and so has another token, they fetch that and ask once more.
 */
import { VapoError } from "../../../core/errors.ts";

/** What a page is given to ask the server with. */
export interface PageSession {
  readonly token: string;
  /** The runs directory as one types it at a terminal. */
  readonly directory: string;
  /** What can be trained. */
  readonly presets: readonly { readonly name: string; readonly description: string }[];
}

/** Asks the server in the name of a session. */
export interface SessionRequests {
  /**
   * POSTs JSON.
   *
   * @throws {VapoError} with the server's own line where it refuses, or where it does not answer
   */
  post(path: string, body?: unknown, signal?: AbortSignal): Promise<Response>;
  /** Fetches the token anew; nothing happens where the server does not answer. */
  renew(): Promise<void>;
}

/**
 * Requests with a token that is renewed where needed.
 *
 * @param token as the page came with it
 * @param request how to ask, default is the browser's fetch
 */
export function sessionRequests(
  token: string,
  request: typeof fetch = (...asked) => fetch(...asked),
): SessionRequests {
  const renew = async () => {
    try {
      const answer = await request("/api/session", { cache: "no-store" });
      if (answer.ok) token = ((await answer.json()) as { token: string }).token;
    } catch {
      // The next POST says so, in words.
    }
  };
  const send = (path: string, body: unknown, signal?: AbortSignal) =>
    answered(() =>
      request(path, {
        method: "POST",
        headers: { "content-type": "application/json", "x-vapo-token": token },
        body: JSON.stringify(body ?? {}),
        signal,
      })
    );
  return {
    renew,
    async post(path, body, signal) {
      let answer = await send(path, body, signal);
      if (answer.status === 403) {
        const before = token;
        await renew();
        if (token !== before) answer = await send(path, body, signal);
      }
      if (!answer.ok) throw new VapoError(await refusal(answer));
      return answer;
    },
  };
}

/**
 * GETs JSON.
 *
 * @throws {VapoError} with the server's own line where it refuses, or where it does not answer
 */
export async function getJson<T>(path: string): Promise<T> {
  const answer = await answered(() => fetch(path, { cache: "no-store" }));
  if (!answer.ok) throw new VapoError(await refusal(answer));
  return await answer.json() as T;
}

/** The address of something of a run. */
export function runPath(name: string, rest = ""): string {
  return `/api/runs/${encodeURIComponent(name)}${rest}`;
}

async function answered(ask: () => Promise<Response>): Promise<Response> {
  try {
    return await ask();
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new VapoError(
      'The server does not answer: start it with "deno task web" where it is not running',
    );
  }
}

/** The line that a refusal carries. */
async function refusal(answer: Response): Promise<string> {
  try {
    const { error } = await answer.json() as { error?: unknown };
    if (typeof error === "string" && error) return error;
  } catch {
    // No JSON: the status has to do.
  }
  return `The server answered ${answer.status} ${answer.statusText}`.trim() + ": try again";
}

/**
 * @file What keeps the server to its own pages: who may ask (a host that is this machine, against DNS
 * rebinding; for what changes anything the same origin and the session's token), and the headers that
 * tell a browser what a page may do.
 */
import type { Context, MiddlewareHandler } from "hono";
import { Refusal } from "./refusal.ts";

/** The names that this machine has for itself. */
const loopbackNames = ["127.0.0.1", "localhost", "[::1]"];

/** The header that requests carry the session's token in. */
export const TOKEN_HEADER = "x-vapo-token";

/** The longest address. */
const LONGEST_URL = 2048;
/** The most requests that are worked on at a time; events have a limit of their own. */
const REQUESTS = 1024;

/**
 * The policy of the pages. Threads of compiled programs start from Blobs (`worker-src`) and compile
 * WebAssembly (`wasm-unsafe-eval`, which lets no text be evaluated); pictures are made in the page.
 */
const pagePolicy = policy({
  "default-src": "'none'",
  "script-src": "'self' 'wasm-unsafe-eval'",
  "worker-src": "'self' blob:",
  "style-src": "'self'",
  "img-src": "'self' blob: data:",
  "connect-src": "'self'",
  "frame-src": "'self'",
  "base-uri": "'none'",
  "form-action": "'none'",
  "frame-ancestors": "'self'",
});

/**
 * The policy of evaluation reports, which are one file with its styles and pictures in it: no script, no
 * origin, nothing loaded.
 */
const reportPolicy = policy({
  "default-src": "'none'",
  "style-src": "'unsafe-inline'",
  "img-src": "data:",
  "base-uri": "'none'",
  "form-action": "'none'",
  "frame-ancestors": "'self'",
  // What is opened from it, in a window of its own, is an ordinary page again.
  "sandbox": "allow-popups allow-popups-to-escape-sandbox",
});

/** The policy of everything that is no page: a picture of a run that is opened on its own runs nothing. */
const dataPolicy = policy({
  "default-src": "'none'",
  "style-src": "'unsafe-inline'",
  "frame-ancestors": "'none'",
  "sandbox": "",
});

function policy(directives: Readonly<Record<string, string>>): string {
  return Object.entries(directives).map((entry) => entry.join(" ").trim()).join("; ");
}

/** Which policy an answer has. */
export type PolicyName = "page" | "report" | "data";

const policies: Readonly<Record<PolicyName, string>> = {
  page: pagePolicy,
  report: reportPolicy,
  data: dataPolicy,
};

/** Headers of every answer. Threads share memory only in pages that are isolated from all others. */
const commonHeaders: Readonly<Record<string, string>> = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "permissions-policy":
    "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
  "x-content-type-options": "nosniff",
};

/**
 * Gives every answer its headers; a handler that has set a policy by {@link usePolicy} keeps it. The
 * body of an answer to HEAD is cancelled: nobody would read it, and the file that it comes from would
 * stay open.
 */
export function securityHeaders(): MiddlewareHandler {
  return async (context, next) => {
    await next();
    const { headers } = context.res;
    // Of other answers the body is left alone: one that was looked at is sent without its length.
    if (context.req.raw.method === "HEAD") await context.res.body?.cancel();
    for (const [name, value] of Object.entries(commonHeaders)) headers.set(name, value);
    const chosen = context.get("policy") as PolicyName | undefined;
    headers.set("content-security-policy", policies[chosen ?? "page"]);
    if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  };
}

/** Says which policy the answer has. */
export function usePolicy(context: Context, name: PolicyName): void {
  context.set("policy", name);
}

/**
 * Refuses requests that were meant for another host, or are larger or more than is sensible.
 *
 * @param port where the server listens
 */
export function onlyThisHost(port: () => number): MiddlewareHandler {
  let requests = 0;
  return async (context, next) => {
    const { url } = context.req.raw;
    if (url.length > LONGEST_URL) {
      throw new Refusal(414, `the address has ${url.length} characters: expected ${LONGEST_URL}`);
    }
    const host = hostOf(context);
    if (!isOwnHost(host, port())) {
      throw new Refusal(
        403,
        `the host ${JSON.stringify(host.slice(0, 80))} is not this server: expected ` +
          `127.0.0.1:${port()} or localhost:${port()}`,
      );
    }
    if (requests >= REQUESTS) throw new Refusal(503, "too many requests at a time: try again");
    requests++;
    try {
      await next();
    } finally {
      requests--;
    }
  };
}

function hostOf(context: Context): string {
  return (context.req.header("host") ?? new URL(context.req.raw.url).host).toLowerCase();
}

function isOwnHost(host: string, port: number): boolean {
  return loopbackNames.some((name) => host === `${name}:${port}` || (port === 80 && host === name));
}

/** Refuses what another site's page has sent, so far as the browser says so. */
export function notFromElsewhere(): MiddlewareHandler {
  return async (context, next) => {
    const site = context.req.header("sec-fetch-site");
    if (site !== undefined && site !== "same-origin" && site !== "none") {
      throw new Refusal(403, `a page of another site (${site.slice(0, 20)}) may not ask this`);
    }
    await next();
  };
}

/**
 * Refuses requests that change something unless they are from a page of this server: same origin, the
 * session's token, and JSON, which other sites cannot send unasked.
 */
export function onlyOwnPages(token: string): MiddlewareHandler {
  return async (context, next) => {
    const { method } = context.req;
    if (method === "GET" || method === "HEAD") return await next();
    if (context.req.header("origin") !== `http://${hostOf(context)}`) {
      throw new Refusal(403, "the request is not from a page of this server: load the page again");
    }
    const site = context.req.header("sec-fetch-site");
    if (site !== undefined && site !== "same-origin") {
      throw new Refusal(403, "the request is not from a page of this server: load the page again");
    }
    if (!sameText(context.req.header(TOKEN_HEADER) ?? "", token)) {
      throw new Refusal(
        403,
        "the session's token is missing or another server's: load the page again",
      );
    }
    const type = context.req.header("content-type") ?? "none";
    if (!/^application\/json(\s*;.*)?$/i.test(type)) {
      throw new Refusal(415, `content-type is ${type.slice(0, 80)}: expected application/json`);
    }
    await next();
  };
}

/** A token that nobody can guess. */
export function newToken(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toHex();
}

/** Whether two texts are the same, in a time that does not tell where they differ. */
export function sameText(a: string, b: string): boolean {
  const [first, second] = [a, b].map((text) => new TextEncoder().encode(text));
  let difference = first.length ^ second.length;
  for (let i = 0; i < second.length; i++) difference |= (first[i] ?? 0) ^ second[i];
  return difference === 0;
}

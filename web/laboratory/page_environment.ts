/**
 * @file What the laboratory's state needs of a browser's page: its address, its clock, whether it is
 * seen. Tests hand in their own.
 */

/** A page, as far as the state of the laboratory is concerned. */
export interface PageEnvironment {
  /** The address's fragment, with "#" or empty. */
  fragment(): string;
  /** The run that the address names in its query, or null. */
  run(): string | null;
  /** Writes the fragment (without "#") and the run to the address, in place. */
  write(fragment: string, run: string | null): void;
  /** Whether nobody sees the page. */
  hidden(): boolean;
  /** Calls back when the fragment was changed by somebody else, or the page was hidden or shown. */
  listen(event: "hashchange" | "visibilitychange", handler: () => void): () => void;
  /** Milliseconds that only grow. */
  now(): number;
  /** Calls back later; what is returned takes it back. */
  later(handler: () => void, milliseconds: number): () => void;
  fetch(path: string): Promise<Response>;
}

/** The page that this script is in. */
export function browserPage(): PageEnvironment {
  return {
    fragment: () => location.hash,
    run: () => new URLSearchParams(location.search).get("run") || null,
    write(fragment, run) {
      const query = run === null ? "" : `?run=${encodeURIComponent(run)}`;
      const next = `${location.pathname}${query}${fragment === "" ? "" : `#${fragment}`}`;
      const now = `${location.pathname}${location.search}${location.hash}`;
      if (next !== now) history.replaceState(null, "", next);
    },
    hidden: () => document.hidden,
    listen(event, handler) {
      const target = event === "hashchange" ? globalThis : document;
      target.addEventListener(event, handler);
      return () => target.removeEventListener(event, handler);
    },
    now: () => performance.now(),
    later(handler, milliseconds) {
      const id = setTimeout(handler, milliseconds);
      return () => clearTimeout(id);
    },
    fetch: (path) => fetch(path),
  };
}

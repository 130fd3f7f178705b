/** @file A page for tests of the laboratory's state: its clock is moved by hand. */
import type { PageEnvironment } from "../../../web/laboratory/page_environment.ts";

/** A page that tests look into. */
export interface FakePage extends PageEnvironment {
  /** What the address is. */
  address: { fragment: string; run: string | null };
  /** How often it was written. */
  readonly writes: string[];
  isHidden: boolean;
  /** Lets time pass, and whatever waits for it happen; promises settle in between. */
  pass(milliseconds: number): Promise<void>;
  fire(event: "hashchange" | "visibilitychange"): void;
  /** What is answered to fetch, by path. */
  readonly files: Map<string, () => Response>;
}

/** All promises that can settle without time passing have settled. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

/** Makes a page at an address. */
export function fakePage(fragment = "", run: string | null = null): FakePage {
  const handlers = new Map<string, Set<() => void>>();
  let clock = 0, timers: { at: number; handler: () => void }[] = [];
  const page: FakePage = {
    address: { fragment, run },
    writes: [],
    isHidden: false,
    files: new Map(),
    fragment: () => page.address.fragment === "" ? "" : `#${page.address.fragment}`,
    run: () => page.address.run,
    write(fragment, run) {
      page.address = { fragment, run };
      page.writes.push(fragment);
    },
    hidden: () => page.isHidden,
    listen(event, handler) {
      const set = handlers.get(event) ?? new Set();
      handlers.set(event, set.add(handler));
      return () => set.delete(handler);
    },
    now: () => clock,
    later(handler, milliseconds) {
      const timer = { at: clock + milliseconds, handler };
      timers.push(timer);
      return () => timers = timers.filter((other) => other !== timer);
    },
    fetch: (path) =>
      Promise.resolve(page.files.get(path)?.() ?? Response.json({ error: "no" }, { status: 404 })),
    async pass(milliseconds) {
      const end = clock + milliseconds;
      await settled();
      for (;;) {
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        timers = timers.filter((timer) => timer !== next);
        clock = Math.max(clock, next.at);
        next.handler();
        await settled();
      }
      clock = end;
      await settled();
    },
    fire: (event) => handlers.get(event)?.forEach((handler) => handler()),
  };
  return page;
}

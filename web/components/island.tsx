/**
 * @file An island in a page that the server renders: its first view as HTML, and what it needs to be
 * made live in the browser (`client.ts`).
 */
import type { ComponentType } from "preact";

/** An island's name in `client.ts`, its component, and what it is given. */
export interface IslandProps<P> {
  readonly name: string;
  readonly component: ComponentType<P>;
  /** Nothing but JSON. */
  readonly props: P;
}

/** Renders the island, with all that makes it live. */
export function Island<P extends object>({ name, component: Component, props }: IslandProps<P>) {
  return (
    <div data-island={name} data-props={JSON.stringify(props)}>
      <Component {...props} />
    </div>
  );
}

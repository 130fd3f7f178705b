/**
 * @file The page around everything: head, the name with its navigation, what is in the page, and the
 * one script that makes its islands live. No inline script and no inline style: the content security
 * policy allows neither.
 */
import type { ComponentChildren } from "preact";

/** What a page is. */
export interface LayoutProps {
  readonly title: string;
  /** A sentence for search engines and for lists of tabs. */
  readonly description: string;
  /** Which entry of the navigation this is. */
  readonly current: "laboratory" | "runs";
  /** Stylesheets beside the common one, as in "/static/runs.css". */
  readonly styles?: readonly string[];
  readonly children: ComponentChildren;
}

const entries = [
  { key: "laboratory", href: "/", label: "Laboratory" },
  { key: "runs", href: "/runs", label: "Runs" },
] as const;

/** The whole page but its doctype. */
export function Layout({ title, description, current, styles = [], children }: LayoutProps) {
  return (
    <html lang="en">
      <head>
        <meta charSet="utf-8" />
        <title>{title}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="description" content={description} />
        <meta name="color-scheme" content="light dark" />
        <link rel="icon" href="/static/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/static/base.css" />
        {styles.map((href) => <link rel="stylesheet" href={href} key={href} />)}
        <script type="module" src="/assets/client.js"></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header class="masthead">
          <a class="brand" href="/">
            <img src="/static/icon.svg" alt="" width="28" height="28" />
            vapo
          </a>
          <nav aria-label="Pages">
            {entries.map(({ key, href, label }) => (
              <a href={href} key={key} aria-current={key === current ? "page" : undefined}>
                {label}
              </a>
            ))}
          </nav>
        </header>
        <main id="main" tabIndex={-1}>{children}</main>
      </body>
    </html>
  );
}

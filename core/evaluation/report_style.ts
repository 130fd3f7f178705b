/**
 * @file How the report looks: a page that is read at a desk, on a telephone, in the dark and on paper.
 * Colours have a contrast of 4.5 and more (WCAG 2.2, 1.4.3), in both schemes.
 */

/** The style sheet. */
export const reportStyle = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1d2025; --muted: #59616b; --line: #d8dce1; --rule: #1d2025;
  --surface: #f5f6f8; --accent: #0a58a6; --grid: #f0f0f2; --grid-strong: #d8d8dc;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #15171b; --ink: #e4e6ea; --muted: #a4acb6; --line: #343941; --rule: #8b939d;
    --surface: #1d2025; --accent: #82baff; --grid: #23262c; --grid-strong: #363b43;
  }
}
*, ::before, ::after { box-sizing: border-box; }
html { background: var(--paper); color: var(--ink); scroll-padding-top: 1rem; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0 auto; padding: 2rem 1rem 3rem; max-width: 60rem; overflow-wrap: break-word; }
a { color: var(--accent); text-underline-offset: .15em; }
a:focus-visible, [tabindex]:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
h1, h2, h3 { line-height: 1.25; text-wrap: balance; margin: 0; }
h1 { font-size: 1.9rem; letter-spacing: -.01em; }
h2 { font-size: 1.4rem; margin-bottom: .75rem; }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p, ul { margin: 0 0 .75rem; max-width: 44rem; }
.kicker { margin: 0 0 .25rem; color: var(--muted); }
main > section { padding-top: 2.5rem; }
main > section + section { margin-top: 2.5rem; border-top: 1px solid var(--line); }
.muted, figcaption, caption { color: var(--muted); }
small, figcaption, caption, .options { font-size: .875rem; }
b, th { font-weight: 600; }
code, pre { font: .875em/1.5 ui-monospace, "Cascadia Mono", "Noto Sans Mono", "Liberation Mono",
  monospace; }

nav { margin-top: 1.75rem; font-size: .9375rem; }
nav h2 { font-size: .9375rem; margin-bottom: .35rem; }
nav ol { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.25rem; }
nav a { display: inline-block; padding: .2rem 0; }

.facts { display: flex; flex-wrap: wrap; gap: .35rem 2rem; margin: 1rem 0 0; }
.facts > div { min-width: 0; }
dt { color: var(--muted); font-size: .875rem; }
dd { margin: 0; }
.options { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; margin: 0; }
.options > div { min-width: 0; }
.options dt, .options dd { display: inline; }
.options dd { overflow-wrap: anywhere; margin-inline-start: .35em; }
.options .wide { flex-basis: 100%; }

.scroll { overflow-x: auto; margin: 1rem 0 1.5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums lining-nums; }
caption { text-align: start; padding-bottom: .5rem; }
caption > span { display: block; position: sticky; inset-inline-start: 0; max-width: calc(100vw - 2rem); }
caption b, figcaption b { color: var(--ink); }
th, td { padding: .45rem .75rem .45rem 0; text-align: start; vertical-align: baseline; }
th:last-child, td:last-child { padding-inline-end: 0; }
thead { border-block: 1.5px solid var(--rule); }
thead th { white-space: nowrap; vertical-align: bottom; }
tbody tr + tr, tbody + tbody { border-top: 1px solid var(--line); }
tbody:last-child { border-bottom: 1.5px solid var(--rule); }
tbody th { font-weight: 400; }
.number { text-align: end; white-space: nowrap; }
th.number { white-space: normal; }
.measured { white-space: nowrap; }
.measured .value { display: inline-block; min-width: calc(var(--value, 0) * 1ch); text-align: end;
  font-weight: 600; }
.measurements .member th { padding-inline-start: 1.25rem; }
.measurements tbody .member { border: 0; }
.measurements tbody .member > * { padding-block: .2rem; }
.measurements tbody .member:last-child > * { padding-bottom: .55rem; }
table small { color: var(--muted); }
table small code { font-size: 1em; }
.unit, .better { color: var(--muted); white-space: nowrap; }
.data { width: auto; min-width: min(100%, 30rem); }

.figures { display: grid; gap: 1.5rem 2rem; margin: 1.5rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
figure { margin: 0; min-width: 0; }
figure img, figure svg { display: block; max-width: 100%; height: auto; }
figure img { border-radius: 2px; }
img.card { background: #ffffff; }
figcaption { margin-top: .5rem; max-width: 44rem; }
.plot { overflow-x: auto; }
.plot svg { min-width: min(34rem, 100vw * 1.5); }
.plot [fill="#ffffff"] { fill: var(--paper); }
.plot [stroke="#ffffff"] { stroke: var(--paper); }
.plot [fill="#26262a"], .plot [fill="#000000"] { fill: var(--ink); }
.plot [stroke="#26262a"], .plot [stroke="#000000"] { stroke: var(--ink); }
.plot [stroke="#f0f0f2"] { stroke: var(--grid); }
.plot [stroke="#d8d8dc"] { stroke: var(--grid-strong); }
.plot [fill="#783c28"] { fill: var(--muted); }
.missing { padding: 1rem; border: 1px dashed var(--line); color: var(--muted); }

pre { margin: .5rem 0 1rem; padding: .75rem 1rem; background: var(--surface); border-radius: 4px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre code { display: block; padding-inline-start: 2ch; text-indent: -2ch; font-size: 1em; }
pre code + code { margin-top: .35em; }
pre span { display: inline-block; max-width: 100%; text-indent: 0; }
.notes li + li { margin-top: .35rem; }
.references { padding-inline-start: 2rem; margin: 0; max-width: 48rem; }
.references li + li { margin-top: .5rem; }
:target { background: color-mix(in srgb, var(--accent) 12%, transparent); }
section:target { background: none; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--muted);
  font-size: .875rem; }

@media screen and (min-width: 80rem) {
  body { max-width: 84rem; padding: 3rem 2rem 4rem; display: grid; column-gap: 4rem;
    grid-template: "nav header" auto "nav main" 1fr "nav footer" auto / 15rem minmax(0, 1fr); }
  body.single { max-width: 64rem; display: block; }
  header { grid-area: header; } main { grid-area: main; } footer { grid-area: footer; }
  nav { grid-area: nav; margin-top: .25rem; }
  nav > div { position: sticky; top: 2rem; max-height: calc(100vh - 4rem); overflow-y: auto; }
  nav ol { flex-direction: column; }
  nav a { padding: .1rem 0; text-decoration: none; }
  nav a:hover { text-decoration: underline; }
}
@media screen and (min-width: 110rem) {
  :root { font-size: 17px; }
  body { max-width: 96rem; }
}
@media screen and (max-width: 40rem) {
  body { padding-top: 1.25rem; }
  h1 { font-size: 1.6rem; }
  .measurements :is(caption, thead, tbody) { display: block; }
  .measurements tr { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 1rem;
    align-items: baseline; padding-block: .4rem; }
  .measurements .member, .measurements .member:last-child { padding-block: .25rem; }
  .measurements :is(th, td), .measurements tbody .member > * { padding-block: 0;
    padding-inline-end: 0; }
  .measurements [scope="rowgroup"] { grid-column: 1 / -1; }
  .measurements thead th:last-child { position: absolute; clip-path: inset(50%); }
  .measurements .member th { padding-inline-start: .75rem; }
  .measured { white-space: normal; text-align: end; max-width: 11.5rem; }
  .measured span { white-space: nowrap; }
  .measured .value { min-width: 0; }
  .measurements tbody th { grid-row: 1 / span 2; }
  .better { grid-column: 2; text-align: end; font-size: .8125rem; }
  .better:empty { display: none; }
  table small, .unit { display: block; }
}
@media print {
  @page { margin: 18mm 16mm; }
  :root { font-size: 10.5pt; }
  body { max-width: none; padding: 0; }
  nav { display: none; }
  a { color: inherit; }
  main > section { padding-top: 1.5rem; }
  main > section + section { margin-top: 1.5rem; }
  h2, h3, caption { break-after: avoid; }
  figure, tr, pre, .options > div, .references li { break-inside: avoid; }
  .scroll, .plot { overflow: visible; }
  .plot svg { min-width: 0; }
  .references a::after { content: " (" attr(href) ")"; overflow-wrap: anywhere; }
}
`;

/**
 * @file The report of an evaluation for people: one HTML file with all its numbers, pictures and the
 * document itself, without scripts and without anything from elsewhere.
 *
 * Reports of experiments should say what was measured, how surely, under which conditions, and what the
 * figures may be held against: the order here is that of each section.
 */
import type { EvaluationDocument, MetricResult } from "./document.ts";
import { reproducingCommands } from "./report_commands.ts";
import { Markup, markup } from "./report_html.ts";
import { formatCount, formatDuration, formatExact } from "./report_numbers.ts";
import { dataAddress, figureMarkup, type ReportPictures } from "./report_pictures.ts";
import { allReferences, metricReferences, type Reference } from "./report_references.ts";
import { reportStyle } from "./report_style.ts";
import { dataTable, measurementsTable, type Section, summaryTable } from "./report_tables.ts";
import { distinctTitles, optionLabel, optionText } from "./report_words.ts";

export type { ReportPictures } from "./report_pictures.ts";
export { textSummary } from "./report_text.ts";

/** What is told of an evaluation beside its document. */
export interface ReportContext {
  /** The version of the software that made the report. */
  readonly version?: string;
  /** The run's directory, as a command takes it; the run's name where it is left out. */
  readonly run?: string;
}

/** Numbers of tables and figures through the page. */
interface Numbering {
  tables: number;
  figures: number;
}

/**
 * The report of an evaluation: a self-contained HTML page.
 *
 * It has no script and asks for nothing from elsewhere (a content security policy in the page says so
 * to browsers); PNG pictures are `data:` addresses, plots are SVG elements, and `eval.json` is in it as
 * a file to save. The same arguments give the same bytes.
 *
 * @param document what was found
 * @param pictures the files that the document names: PNG bytes, or the text of an SVG file; in the place
 * of one that is missing the page says so
 * @param context the software's version and where the run is
 * @returns a whole HTML file, for UTF-8
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { type EvaluationDocument, renderReport } from "vapo";
 * const document: EvaluationDocument = {
 *   format: "vapo-evaluation",
 *   version: 1,
 *   run: { name: "digits", preset: "mnist", data: "mnist" },
 *   checkpoint: { step: 3000, average: 0.999, sha256: "0".repeat(64) },
 *   results: [{
 *     metric: "fid",
 *     title: "Fréchet inception distance",
 *     options: { n: 50000, features: "inception" },
 *     measurements: [{ name: "fid", label: "FID", value: 16.6234, standardError: 0.41 }],
 *     tables: [],
 *     pictures: [],
 *     notes: ["Fewer samples give a larger distance."],
 *     seconds: 12,
 *   }],
 * };
 * const page = renderReport(document, new Map());
 * assertStringIncludes(page, "n = 50,000");
 * assertStringIncludes(page, "Heusel");
 * ```
 */
export function renderReport(
  document: EvaluationDocument,
  pictures: ReportPictures,
  context: ReportContext = {},
): string {
  const titles = distinctTitles(document.results);
  const sections = document.results.map((result, i): Section => ({
    result,
    title: titles[i],
    id: `metric-${i + 1}`,
  }));
  const { run } = document;
  const numbering: Numbering = { tables: 0, figures: 0 };
  const single = sections.length < 2;
  return String(markup`<!DOCTYPE html>
<html lang="en">
${headMarkup(`Evaluation of ${run.name}`, context)}
<body${single && markup` class="single"`}>
${headerMarkup(document)}
${!single && contentsMarkup(sections)}<main>
${summaryMarkup(sections, numbering)}${
    sections.map((section) => sectionMarkup(section, pictures, numbering))
  }${reproductionMarkup(document, context)}${referencesMarkup(allReferences(document))}</main>
<footer>Made by vapo${context.version && ` ${context.version}`} from eval.json.</footer>
</body>
</html>
`);
}

function headMarkup(title: string, { version }: ReportContext): Markup {
  // A page that is handed around must not be able to call home, whatever was put into it.
  const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; " +
    "form-action 'none'";
  return markup`<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="vapo${version && ` ${version}`}">
<title>${title}</title>
<style>${new Markup(reportStyle)}</style>
</head>`;
}

function headerMarkup({ run, checkpoint }: EvaluationDocument): Markup {
  return markup`<header>
<p class="kicker">Evaluation</p>
<h1>${run.name}</h1>
<dl class="facts">
${fact("Data", run.data)}${fact("Preset", run.preset)}${
    fact("Checkpoint", `step ${formatCount(checkpoint.step)}`)
  }${fact("Parameters", averageText(checkpoint.average))}</dl>
</header>`;
}

/** A term and what it is here; a checksum has a line of its own. */
function fact(name: string, value: string): Markup {
  return /^[0-9a-f]{32,}$/.test(value)
    ? markup`<div class="wide"><dt>${name}</dt> <dd><code>${value}</code></dd></div>
`
    : markup`<div><dt>${name}</dt> <dd>${value}</dd></div>
`;
}

function averageText(decay: number): string {
  return decay === 0 ? "as trained, not averaged" : `moving average, decay ${formatExact(decay)}`;
}

function contentsMarkup(sections: readonly Section[]): Markup {
  const entries = [
    { id: "summary", title: "Summary" },
    ...sections,
    { id: "reproduction", title: "How to reproduce" },
    { id: "references", title: "References" },
  ];
  const items = entries.map(({ id, title }) =>
    markup`<li><a href="#${id}">${title}</a></li>
`
  );
  return markup`<nav aria-labelledby="contents"><div>
<h2 id="contents">Contents</h2>
<ol>
${items}</ol>
</div></nav>
`;
}

function summaryMarkup(sections: readonly Section[], numbering: Numbering): Markup {
  const measured = sections.filter(({ result }) => result.measurements.length > 0);
  const none = sections.length === 0 ? "Nothing was measured." : "There are no measurements.";
  return markup`<section id="summary">
<h2>Summary</h2>
${measured.length > 0 ? summaryTable(measured, ++numbering.tables) : markup`<p>${none}</p>`}
</section>
`;
}

/** What one metric has found, and what it means. */
function sectionMarkup(
  section: Section,
  pictures: ReportPictures,
  numbering: Numbering,
): Markup {
  const { result, title, id } = section;
  return markup`<section id="${id}">
<h2>${title}</h2>
${methodMarkup(result)}${
    result.measurements.length > 0 && measurementsTable(section, ++numbering.tables)
  }${result.tables.map((table) => dataTable(table, ++numbering.tables))}${
    figuresMarkup(result, pictures, numbering)
  }${notesMarkup(result)}<h3>Settings</h3>
${optionsMarkup(result)}</section>
`;
}

function methodMarkup(result: MetricResult): Markup | null {
  const { method, features } = metricReferences(result);
  const cited = [["Method", method], ["Features", features]] as const;
  const sentences = cited.filter(([, works]) => works.length > 0).map(([what, works]) => {
    const links = works.map(({ id, short }) => markup`<a href="#${id}">${short}</a>`);
    return markup`${what}: ${links.map((link, i) => i === 0 ? link : markup`, ${link}`)}. `;
  });
  return sentences.length === 0 ? null : markup`<p class="muted">${sentences}</p>
`;
}

function figuresMarkup(
  result: MetricResult,
  pictures: ReportPictures,
  numbering: Numbering,
): Markup | null {
  if (result.pictures.length === 0) return null;
  const figures = result.pictures.map((picture) =>
    figureMarkup(picture, pictures, ++numbering.figures)
  );
  return markup`<div class="figures">
${figures}</div>
`;
}

function notesMarkup({ notes }: MetricResult): Markup | null {
  if (notes.length === 0) return null;
  const items = notes.map((note) =>
    markup`<li>${note}</li>
`
  );
  return markup`<h3>What these numbers can and cannot be compared with</h3>
<ul class="notes">
${items}</ul>
`;
}

function optionsMarkup({ options, seconds }: MetricResult): Markup {
  const facts = Object.entries(options).map(([name, value]) =>
    fact(optionLabel(name), optionText(name, value))
  );
  return markup`<dl class="options">
${facts}${fact("time, reused work not counted", formatDuration(seconds))}</dl>
`;
}

function reproductionMarkup(document: EvaluationDocument, context: ReportContext): Markup {
  const { run, checkpoint } = document;
  const commands = reproducingCommands(document, context.run ?? run.name).map((pieces) =>
    markup`<code>${pieces.map((piece, i) => markup`${i > 0 && " "}<span>${piece}</span>`)}</code>`
  );
  const json = JSON.stringify(document, null, 2) + "\n";
  const file = dataAddress(new TextEncoder().encode(json), "application/json");
  return markup`<section id="reproduction">
<h2>How to reproduce</h2>
<p>The numbers are a function of the parameters and of the settings that stand with each. All of them,
unrounded: <a href="${file}" download="eval.json">eval.json</a>, which is in this page.</p>
${
    commands.length > 0 && markup`<pre>${commands}</pre>
`
  }<dl class="options">
${fact("run", run.name)}${fact("preset", run.preset)}${fact("data", run.data)}${
    fact("checkpoint", `step ${formatCount(checkpoint.step)}`)
  }${fact("parameters", averageText(checkpoint.average))}${
    context.version !== undefined && fact("software", `vapo ${context.version}`)
  }${fact("SHA-256 of the parameters", checkpoint.sha256)}</dl>
</section>
`;
}

function referencesMarkup(works: readonly Reference[]): Markup {
  const items = works.map(({ id, authors, title, published, url }) =>
    markup`<li id="${id}">${authors}. <cite><a href="${url}">${title}</a></cite>. ${published}.</li>
`
  );
  return markup`<section id="references">
<h2>References</h2>
<ol class="references">
${items}</ol>
</section>
`;
}

/**
 * @file The tables of the report: all measurements, those of a metric, and a metric's own tables.
 */
import type { EvaluationTable, Measurement, MetricResult } from "./document.ts";
import { type Markup, markup, numberMarkup } from "./report_html.ts";
import { formatColumn, roundMeasurement } from "./report_numbers.ts";
import { basisOf, betterWords } from "./report_words.ts";

/** A result with what its section is called. */
export interface Section {
  readonly result: MetricResult;
  readonly title: string;
  /** Of its element. */
  readonly id: string;
}

/**
 * All measurements in one table, a group of rows a metric.
 *
 * @param sections with measurements, each
 * @param number of the table, from 1 on
 */
export function summaryTable(sections: readonly Section[], number: number): Markup {
  return markup`<table class="measurements"${
    valueWidth(sections.flatMap(({ result }) => result.measurements))
  }>
<caption><b>Table ${number}.</b> All measurements: value ± standard error, where it is known, in the
digits that the error supports.</caption>
${measurementHeads}
${sections.map(summaryRows)}</table>`;
}

const measurementHeads = markup`<thead>
<tr><th scope="col">Measurement</th><th scope="col">Value</th><th scope="col">Better</th></tr>
</thead>`;

/** A metric's measurements under its title; where there is one alone, in one row. */
function summaryRows({ result, title, id }: Section): Markup {
  const { measurements } = result;
  const from = basisOf(result).join(", ");
  const link = (text: string) =>
    markup`<a href="#${id}">${text}</a>${from && markup` <small>${from}</small>`}`;
  if (measurements.length === 1) {
    const [measurement] = measurements;
    return markup`<tbody>
${measurementRow(measurement, link(sentence(measurement.label)))}</tbody>
`;
  }
  return markup`<tbody>
<tr><th scope="rowgroup" colspan="3">${link(title)}</th></tr>
${
    measurements.map((measurement) =>
      measurementRow(measurement, sentence(measurement.label), "member")
    )
  }</tbody>
`;
}

/**
 * A metric's measurements, with their names in `eval.json`.
 *
 * @param section what they are of
 * @param number of the table
 */
export function measurementsTable(
  { result: { measurements }, title }: Section,
  number: number,
): Markup {
  return markup`<table class="measurements"${valueWidth(measurements)}>
<caption><b>Table ${number}.</b> ${title}: measurements, with their names in eval.json.</caption>
${measurementHeads}
<tbody>
${
    measurements.map((measurement) => {
      const { label, name } = measurement;
      const named = markup`${sentence(label)} <small><code>${name}</code></small>`;
      return measurementRow(measurement, named);
    })
  }</tbody>
</table>
`;
}

function measurementRow(measurement: Measurement, head: Markup | string, kind = "plain"): Markup {
  const { better, unit } = measurement;
  const direction = better &&
    markup`<span aria-hidden="true">${betterWords[better].arrow}</span> ${
      betterWords[better].word
    }`;
  return markup`<tr class="${kind}"><th scope="row">${head}</th><td class="measured">${
    valueMarkup(measurement)
  }${unit !== undefined && markup` <span class="unit">${unit}</span>`}</td><td class="better">${
    direction ?? null
  }</td></tr>
`;
}

function valueMarkup({ value, standardError }: Measurement): Markup {
  const { value: rounded, error, exponent } = roundMeasurement(value, standardError);
  const power = exponent === 0 ? null : markup` × 10<sup>${numberMarkup(String(exponent))}</sup>`;
  const [open, close] = power && error !== undefined ? ["(", ")"] : ["", ""];
  const before = markup`<span class="value">${open}${numberMarkup(rounded)}</span>`;
  const after = error !== undefined &&
    markup` <span>± ${numberMarkup(error)}${close}${power}</span>`;
  return markup`<data value="${value}">${before}${after || power}</data>`;
}

/** How many digits wide a table's values are, so that their ± stand below each other. */
function valueWidth(measurements: readonly Measurement[]): Markup {
  const widths = measurements.map(({ value, standardError }) => {
    const { value: rounded, exponent } = roundMeasurement(value, standardError);
    return rounded.length + (exponent !== 0 && standardError !== undefined ? 1 : 0);
  });
  return markup` style="--value:${Math.max(...widths)}"`;
}

/** The first letter of a word as at the beginning of a sentence; symbols as in n or p-value stay. */
function sentence(text: string): string {
  return text.replace(/^\p{Ll}(?=\p{Ll})/u, (letter) => letter.toLocaleUpperCase("en"));
}

type Cell = EvaluationTable["rows"][number][number] | undefined;

/** A column of a table, ready to be set. */
interface Column {
  readonly head: string;
  readonly cells: readonly Markup[];
  /** Set flush right, where it is of numbers alone. */
  readonly style: Markup | null;
}

/**
 * A metric's own table; its first column heads the rows.
 *
 * @param table rows may be shorter or longer than the heads
 * @param number of the table
 */
export function dataTable(
  { title, columns: heads, rows }: EvaluationTable,
  number: number,
): Markup {
  const width = Math.max(heads.length, ...rows.map((row) => row.length));
  const columns = Array.from(
    { length: width },
    (_, i) => tableColumn(heads[i] ?? "", rows.map((row): Cell => row[i])),
  );
  const lines = rows.map((_, row) => {
    const cells = columns.map(({ cells, style }, i) =>
      i === 0
        ? markup`<th scope="row"${style}>${cells[row]}</th>`
        : markup`<td${style}>${cells[row]}</td>`
    );
    return markup`<tr>${cells}</tr>
`;
  });
  const none = markup`<tr><td colspan="${Math.max(1, width)}">There are no rows.</td></tr>
`;
  const top = columns.map(({ head, style }) =>
    // A head without words would head nothing.
    head === "" ? markup`<td></td>` : markup`<th scope="col"${style}>${head}</th>`
  );
  // A table that scrolls on a narrow screen has to be reached without a pointer.
  return markup`<div class="scroll" role="group" aria-labelledby="table-${number}" tabindex="0">
<table class="data">
<caption id="table-${number}"><span><b>Table ${number}.</b> ${title}</span></caption>
${
    width > 0 && markup`<thead><tr>${top}</tr></thead>
`
  }<tbody>
${lines.length === 0 ? none : lines}</tbody>
</table>
</div>
`;
}

function tableColumn(head: string, cells: readonly Cell[]): Column {
  const numbers = cells.filter((cell) => typeof cell === "number");
  const texts = new Map(formatColumn(numbers).map((text, i) => [numbers[i], text]));
  const others = cells.filter((cell) => cell !== null && cell !== undefined).length -
    numbers.length;
  return {
    head,
    style: numbers.length > 0 && others === 0 ? markup` class="number"` : null,
    cells: cells.map((cell) => cellMarkup(cell, texts)),
  };
}

function cellMarkup(cell: Cell, numbers: ReadonlyMap<number, string>): Markup {
  if (typeof cell === "number") return numberMarkup(numbers.get(cell)!);
  if (cell === null || cell === undefined) return markup`–`;
  return markup`${typeof cell === "boolean" ? (cell ? "yes" : "no") : cell}`;
}

/**
 * @file An evaluation as lines of a terminal.
 */
import type { EvaluationDocument, Measurement } from "./document.ts";
import { roundMeasurement } from "./report_numbers.ts";
import { basisOf, betterWords, distinctTitles } from "./report_words.ts";

/**
 * All measurements of an evaluation as an aligned table: under each metric's title, with how many
 * samples and which features it is computed from, a line a measurement: what, value ± standard error
 * with its unit, which way is better.
 *
 * @param document what was found, or its results alone
 * @returns lines without their ends; none where nothing was measured
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type EvaluationDocument, textSummary } from "vapo";
 * const document: EvaluationDocument = {
 *   format: "vapo-evaluation",
 *   version: 1,
 *   run: { name: "digits", preset: "mnist", data: "mnist" },
 *   checkpoint: { step: 3000, average: 0.999, sha256: "0".repeat(64) },
 *   results: [{
 *     metric: "nll",
 *     title: "Negative log-likelihood",
 *     options: { n: 1000 },
 *     measurements: [{
 *       name: "nll",
 *       label: "negative log-likelihood",
 *       value: 3.5814,
 *       standardError: 0.0213,
 *       unit: "bits/dimension",
 *       better: "lower",
 *     }],
 *     tables: [],
 *     pictures: [],
 *     notes: [],
 *     seconds: 12,
 *   }],
 * };
 * assertEquals(textSummary(document), [
 *   "Negative log-likelihood: n = 1,000",
 *   "  negative log-likelihood  3.581 ± 0.021 bits/dimension  ↓ lower",
 * ]);
 * ```
 */
export function textSummary({ results }: Pick<EvaluationDocument, "results">): string[] {
  const measured = results.filter(({ measurements }) => measurements.length > 0);
  const titles = distinctTitles(measured);
  const all = measured.flatMap(({ measurements }) => measurements);
  const values = valueColumn(all);
  const rows = aligned(all.map(({ label, unit, better }, i) =>
    [
      `  ${label}`,
      unit === undefined ? values[i] : `${values[i]} ${unit}`,
      better ? `${betterWords[better].arrow} ${betterWords[better].word}` : "",
    ].map(printable)
  ));
  let row = 0;
  return measured.flatMap((result, i) => {
    const basis = basisOf(result).join(", ");
    const lines = rows.slice(row, row += result.measurements.length);
    return [printable(basis ? `${titles[i]}: ${basis}` : titles[i]), ...lines];
  });
}

/** Values and errors with the ± of all of them below each other. */
function valueColumn(measurements: readonly Measurement[]): string[] {
  const parts = measurements.map(({ value, standardError }) => {
    const { value: rounded, error, exponent } = roundMeasurement(value, standardError);
    const power = exponent === 0 ? "" : `e${exponent}`;
    if (error === undefined) return [`${rounded}${power}`, ""];
    return power ? [`(${rounded}`, ` ± ${error})${power}`] : [rounded, ` ± ${error}`];
  });
  const widest = Math.max(...parts.map(([value]) => value.length));
  return parts.map(([value, error]) => value.padStart(widest) + error);
}

/** Columns padded to the widest of each, two spaces between. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => widthOf(row[column])))
  );
  return rows.map((row) =>
    row.map((cell, column) => cell + " ".repeat(widths[column] - widthOf(cell))).join("  ")
      .trimEnd()
  );
}

const segmenter = new Intl.Segmenter("en");

/** Characters as a reader counts them: an accent of its own has no width. */
function widthOf(text: string): number {
  return [...segmenter.segment(text)].length;
}

/** Text without what a terminal would obey. */
function printable(text: string): string {
  return text.toWellFormed().replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, "\ufffd");
}

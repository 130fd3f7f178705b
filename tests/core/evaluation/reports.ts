/**
 * @file What all reports of metrics have in common.
 */
import { assert, assertEquals } from "@std/assert";
import { type MetricReport, metricResultSchema } from "../../../core/evaluation/document.ts";

/** Throws unless the report fits `eval.json`, with names of its own for measurements and pictures. */
export function assertReport(report: MetricReport): void {
  const pictures = report.pictures.map(({ name, content, alt, caption }) => {
    if (typeof content === "string") assert(content.startsWith("<svg"));
    else assertEquals([...content.subarray(1, 4)], [0x50, 0x4e, 0x47]); // "PNG"
    return { file: `${name}.${typeof content === "string" ? "svg" : "png"}`, alt, caption };
  });
  metricResultSchema.parse({
    ...{ metric: "metric", title: "title", options: {}, seconds: 0 },
    ...{ ...report, pictures },
  });
  const names = report.measurements.map(({ name }) => name);
  assertEquals(new Set(names).size, names.length);
  assertEquals(new Set(report.pictures.map(({ name }) => name)).size, report.pictures.length);
  for (const { columns, rows } of report.tables) {
    for (const row of rows) assertEquals(row.length, columns.length);
  }
  // NaN and infinities would become null.
  assertEquals(JSON.parse(JSON.stringify(report.tables)), report.tables);
}

/** The value of a measurement. */
export function measured({ measurements }: MetricReport, name: string): number {
  const found = measurements.find((each) => each.name === name);
  if (!found) throw new Error(`no measurement ${name} among ${measurements.map((m) => m.name)}`);
  return found.value;
}

/**
 * @file `deno task bench:ode`: every solver over a range of step counts and tolerances, on every
 * flow of `ode_flows.ts`. Writes the table (ode.md, ode.json) and, for each flow, the work-precision
 * diagram (ode.svg, ode-2.svg, …) into bench/results.
 */
import { reportedFlows } from "./ode_flows.ts";
import {
  markdownReport,
  type WorkPrecision,
  workPrecision,
  workPrecisionPlot,
} from "./work_precision.ts";

const RESULTS = new URL("./results/", import.meta.url);

if (import.meta.main) {
  const results: WorkPrecision[] = [];
  for (const flow of await reportedFlows()) {
    console.log(flow.name);
    results.push(await workPrecision(flow));
  }
  await Deno.mkdir(RESULTS, { recursive: true });
  const write = (name: string, text: string) => Deno.writeTextFile(new URL(name, RESULTS), text);
  await write("ode.md", markdownReport(results));
  await write("ode.json", JSON.stringify(results, null, 1) + "\n");
  for (const [i, result] of results.entries()) {
    await write(i === 0 ? "ode.svg" : `ode-${i + 1}.svg`, workPrecisionPlot(result));
  }
}

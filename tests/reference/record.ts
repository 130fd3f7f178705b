/**
 * @file Writes tests/fixtures/potentials.json, what PyTorch answers to the cases beside this file:
 * `deno run -A tests/reference/record.ts`.
 */
import { openDevice } from "../../core/tensor/mod.ts";
import { caseInputs, cases } from "./cases.ts";
import { askPyTorch, digest, findPyTorch } from "./pytorch.ts";

const python = await findPyTorch();
if (!python) throw new Error("no Python with PyTorch: install it (Debian: python3-torch)");
await openDevice("cpu");
const recorded: Record<string, unknown> = {};
for (const each of cases) {
  const answer = await askPyTorch(python, each, caseInputs(each));
  const digests = Object.entries(answer).map(([name, values]) => [name, digest(values)]);
  recorded[each.name] = Object.fromEntries(digests);
}
const file = new URL("../fixtures/potentials.json", import.meta.url);
// A line an array.
const text = JSON.stringify(recorded).replaceAll('],"', '],\n"').replaceAll(':{"', ':{\n"');
await Deno.writeTextFile(file, `${text}\n`);

/**
 * @file Writes tests/fixtures/classifier.json, what PyTorch makes of the digits in `classifier.ts`:
 * `deno run -A tests/reference/record_classifier.ts`.
 */
import { openDevice } from "../../core/tensor/mod.ts";
import { askClassifier } from "./classifier.ts";
import { findPyTorch } from "./pytorch.ts";

const python = await findPyTorch();
if (!python) throw new Error("no Python with PyTorch: install it (Debian: python3-torch)");
await openDevice("cpu");
const recorded: Record<string, unknown> = {};
const rounded = (values: ArrayLike<number>) =>
  Array.from(values, (value) => Number(value.toPrecision(7)));
for (const [name, { features, logits }] of Object.entries(await askClassifier(python))) {
  recorded[name] = { features: rounded(features), logits: rounded(logits) };
}
const file = new URL("../fixtures/classifier.json", import.meta.url);
const text = JSON.stringify(recorded).replaceAll('],"', '],\n"').replaceAll('},"', '},\n"');
await Deno.writeTextFile(file, `${text}\n`);

/**
 * @file Writes tests/fixtures/inception.json, what PyTorch makes of the digits in `inception.ts`:
 * `deno run -A tests/reference/record_inception.ts`.
 */
import { askInception, digitImages, excerpt, findTorchvision } from "./inception.ts";

const python = await findTorchvision();
if (!python) {
  throw new Error("no Python with torchvision: install it (Debian: python3-torchvision)");
}
const { features, logits } = await askInception(python, await digitImages());
const rounded = (values: ArrayLike<number>) =>
  excerpt(values).map((value) => Number(value.toPrecision(7)));
const text = JSON.stringify({ features: rounded(features), logits: rounded(logits) });
const file = new URL("../fixtures/inception.json", import.meta.url);
await Deno.writeTextFile(file, text.replace('],"', '],\n"') + "\n");

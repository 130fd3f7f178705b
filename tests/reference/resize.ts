/**
 * @file Images of several sizes to be resized, and what PyTorch makes of them (`resize.py`).
 * `deno run -A tests/reference/resize.ts` writes tests/fixtures/resize.json.
 */
import { fromFileUrl } from "@std/path";
import { decodeSafetensors, encodeSafetensors } from "../../core/formats/safetensors.ts";
import { digest, findPyTorch } from "./pytorch.ts";

/** An image to be resized. */
export interface ResizeCase {
  readonly name: string;
  /** [n, h, w, c]. */
  readonly shape: [number, number, number, number];
  readonly size: [number, number];
  readonly data: Float32Array;
}

const squares = [16, 28, 32, 64, 128, 299, 300].map((side) => [[1, side, side, 3], [299, 299]]);
const others = [
  [[2, 5, 7, 3], [11, 13]],
  [[2, 11, 13, 2], [5, 7]],
  [[1, 9, 4, 1], [3, 8]],
  [[3, 1, 1, 2], [4, 3]],
  [[1, 6, 5, 1], [1, 1]],
  [[2, 8, 6, 1], [8, 9]],
  [[2, 8, 6, 1], [5, 6]],
];

/** Up and down, odd and even, one axis alone. */
export const resizeCases: readonly ResizeCase[] = [...squares, ...others].map(([shape, size]) => ({
  name: `${shape.join("x")} to ${size.join("x")}`,
  shape: shape as ResizeCase["shape"],
  size: size as ResizeCase["size"],
  // Neighbours differ much, and no two alike.
  data: Float32Array.from(
    { length: shape.reduce((product, extent) => product * extent, 1) },
    (_, i) => Math.sin(i * (i % 17 + 1)),
  ),
}));

/** What PyTorch makes of the cases, by their names. */
export async function askPyTorchToResize(python: string): Promise<Record<string, Float64Array>> {
  const directory = await Deno.makeTempDir();
  try {
    const request = `${directory}/request.safetensors`;
    const response = `${directory}/response.safetensors`;
    const tensors = resizeCases.map(({ name, shape, data }) =>
      [name, { dtype: "F32", shape, data }] as const
    );
    await Deno.writeFile(request, encodeSafetensors(Object.fromEntries(tensors)));
    const script = fromFileUrl(new URL("./resize.py", import.meta.url));
    const { success, stderr } = await new Deno.Command(python, {
      args: ["-B", script, request, response],
    }).output();
    if (!success) throw new Error(`resize.py failed: ${new TextDecoder().decode(stderr)}`);
    const found = decodeSafetensors(await Deno.readFile(response)).tensors;
    return Object.fromEntries(
      Object.entries(found).map(([name, { data }]) => [name, data as Float64Array]),
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) {
  const python = await findPyTorch();
  if (!python) throw new Error("no Python with PyTorch: install it (Debian: python3-torch)");
  const lines = Object.entries(await askPyTorchToResize(python))
    .map(([name, values]) => `"${name}":${JSON.stringify(digest(values))}`);
  const file = new URL("../fixtures/resize.json", import.meta.url);
  await Deno.writeTextFile(file, `{\n${lines.join(",\n")}\n}\n`);
}

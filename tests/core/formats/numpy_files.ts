/** @file .npz files that NumPy wrote, and NumPy as a reader of ours where it is installed. */
import { fromFileUrl } from "@std/path";
import recorded from "../../fixtures/npz.json" with { type: "json" };
import { findPython } from "../../reference/python.ts";

/** What tests/reference/npz.py writes; files in base64. */
export const numpyFiles = recorded as {
  readonly arrays: string;
  readonly compressed: string;
  readonly mean: number[];
  readonly covariance: number[];
  readonly statistics: Record<string, string>;
};

/** An array as NumPy describes it. */
export interface ReadArray {
  readonly descr: string;
  readonly shape: number[];
  readonly values: number[];
}

/** What `numpy.load` finds in a file; undefined where there is no NumPy. */
export async function loadByNumpy(
  bytes: Uint8Array,
): Promise<Record<string, ReadArray> | undefined> {
  const python = await findPython("numpy");
  if (!python) return undefined;
  const path = await Deno.makeTempFile({ suffix: ".npz" });
  try {
    await Deno.writeFile(path, bytes);
    const script = fromFileUrl(new URL("../../reference/npz.py", import.meta.url));
    const { success, stdout, stderr } = await run(python, ["-B", script, "read", path]);
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(path);
  }
}

function run(program: string, args: string[]): Promise<Deno.CommandOutput> {
  return new Deno.Command(program, { args }).output();
}

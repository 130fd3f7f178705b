/** @file Files that PyTorch wrote: made anew where it is installed, else those that are recorded. */
import { fromFileUrl } from "@std/path";
import recorded from "../../fixtures/torch_checkpoints.json" with { type: "json" };
import { findPyTorch } from "../../reference/pytorch.ts";

/** What tests/reference/torch_checkpoints.py writes; files in base64. */
export interface TorchFiles {
  readonly torch: string;
  readonly checkpoints: Record<string, { file: string; tensors: Record<string, DescribedTensor> }>;
  readonly refused: Record<string, { file: string; word: string }>;
  readonly pickles: Record<string, string>;
}

/** A tensor in full; what JSON has no number for is text. */
export interface DescribedTensor {
  readonly dtype: string;
  readonly shape: number[];
  readonly values: (number | string)[];
}

/** The recorded files. */
export const recordedFiles = recorded as unknown as TorchFiles;

/** The files of the PyTorch that is installed here, if one is. */
export async function madeFiles(): Promise<TorchFiles | undefined> {
  const python = await findPyTorch();
  if (!python) return undefined;
  const script = new URL("../../reference/torch_checkpoints.py", import.meta.url);
  const { success, stdout, stderr } = await new Deno.Command(python, {
    args: ["-B", fromFileUrl(script)],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** The bytes of a file. */
export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(base64);
}

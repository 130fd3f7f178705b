/**
 * @file Runs the PyTorch programs beside this file, and says in few numbers what they answer.
 */
import { fromFileUrl } from "@std/path";
import { decodeSafetensors, encodeSafetensors } from "../../core/formats/safetensors.ts";
import type { Tensor } from "../../core/tensor/mod.ts";
import type { Case, CaseInputs } from "./cases.ts";
import { findPython } from "./python.ts";

/** Arrays by name: "phi", "velocity", "loss" and "gradients/NAME". */
export type Answer = Record<string, ArrayLike<number>>;

/** A Python that has PyTorch, if there is one. */
export function findPyTorch(): Promise<string | undefined> {
  return findPython("torch.nn.utils.stateless");
}

/** What PyTorch makes of a case, in float64. */
export async function askPyTorch(
  python: string,
  { program, options }: Case,
  inputs: CaseInputs,
): Promise<Answer> {
  const directory = await Deno.makeTempDir();
  try {
    const request = `${directory}/request.safetensors`;
    const response = `${directory}/response.safetensors`;
    await Deno.writeFile(request, await encodeRequest(options, inputs));
    const script = fromFileUrl(new URL(program, import.meta.url));
    const { success, stderr } = await new Deno.Command(python, {
      args: ["-B", script, request, response],
    }).output();
    if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
    const { tensors } = decodeSafetensors(await Deno.readFile(response));
    return Object.fromEntries(
      Object.entries(tensors).map(([name, { data }]) => [name, data as Float64Array]),
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function encodeRequest(
  options: Record<string, unknown>,
  { parameters, data, noise, time, masks }: CaseInputs,
): Promise<Uint8Array> {
  const tensors: Record<string, { dtype: "F32"; shape: number[]; data: Float32Array }> = {};
  const add = async (name: string, tensor: Tensor) => {
    tensors[name] = {
      dtype: "F32",
      shape: tensor.shape,
      data: await tensor.data() as Float32Array,
    };
  };
  for (const [name, tensor] of Object.entries({ data, noise, time })) await add(name, tensor);
  for (const [name, tensor] of Object.entries(parameters)) await add(`parameters/${name}`, tensor);
  for (const [name, tensor] of Object.entries(masks)) await add(`masks/${name}`, tensor);
  return encodeSafetensors(tensors, { options: JSON.stringify(options) });
}

/** An array in two numbers: its norm, and its product with cos(0), cos(1), cos(2), … */
export type Digest = [norm: number, projection: number];

/** The digest of an array. */
export function digest(values: ArrayLike<number>): Digest {
  let squares = 0, projection = 0;
  for (let i = 0; i < values.length; i++) {
    squares += values[i] ** 2;
    projection += values[i] * Math.cos(i);
  }
  return [Math.sqrt(squares), projection];
}

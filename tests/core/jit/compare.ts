/**
 * @file Runs a program eagerly and compiled, and compares.
 */
import { assert, assertEquals } from "@std/assert";
import { jit, type JitOptions, type TensorTree } from "../../../core/jit/mod.ts";
import { flattenTree } from "../../../core/jit/trace/tree.ts";
import { type Tensor, tf } from "../../../core/tensor/mod.ts";
import type { Program } from "./corpus.ts";

/**
 * Compares every result: integers and logic exactly, floats relative to the largest finite value of
 * their tensor (a single number: of all such, for a loss is a sum of parts that cancel); NaN and
 * infinities must be where they are eagerly.
 */
export async function compareWithEager(
  { name, f, args }: Program,
  tolerance: number,
  options: JitOptions = {},
): Promise<void> {
  const inputs = args();
  const eager = tf.tidy(() => (f as (...args: TensorTree[]) => TensorTree)(...inputs) as never);
  const compiled = jit(f as (...args: TensorTree[]) => TensorTree, options);
  try {
    const expected = flattenTree<Tensor>(eager).leaves;
    const found = flattenTree<Tensor>(await compiled(...inputs)).leaves;
    assertEquals(found.map(({ path }) => path), expected.map(({ path }) => path), name);
    const scales = new Map<string, number>();
    for (const { path, tensor } of expected) {
      const group = groupOf(path, tensor);
      scales.set(group, Math.max(scales.get(group) ?? 1e-30, await largest(tensor)));
    }
    for (const [i, { path, tensor }] of expected.entries()) {
      const what = `${name}: ${path}`;
      assertEquals(found[i].tensor.shape, tensor.shape, what);
      assertEquals(found[i].tensor.dtype, tensor.dtype, what);
      const scale = scales.get(groupOf(path, tensor))!;
      await assertSameValues(found[i].tensor, tensor, { tolerance, scale }, what);
      tf.dispose([tensor, found[i].tensor]);
    }
  } finally {
    compiled.dispose();
    tf.dispose(inputs as never);
  }
}

/** Single numbers are one group; any other tensor is one by itself. */
function groupOf(path: string, { size }: Tensor): string {
  return size === 1 ? "single numbers" : path;
}

/** The largest finite absolute value. */
async function largest(tensor: Tensor): Promise<number> {
  let largest = 0;
  for (const value of await tensor.data()) {
    if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  }
  return largest;
}

async function assertSameValues(
  a: Tensor,
  b: Tensor,
  { tolerance, scale }: { tolerance: number; scale: number },
  what: string,
): Promise<void> {
  const found = await a.data(), expected = await b.data();
  if (b.dtype !== "float32") return assertEquals([...found], [...expected], what);
  expected.forEach((value, i) => {
    const same = Object.is(found[i], value) || found[i] === value ||
      (Number.isNaN(value) && Number.isNaN(found[i])) ||
      Math.abs(found[i] - value) <= tolerance * scale;
    assert(same, `${what}[${i}] is ${found[i]}: expected ${value} within ${tolerance} of ${scale}`);
  });
}

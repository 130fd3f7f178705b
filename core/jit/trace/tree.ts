/**
 * @file Nested records and lists of tensors as flat lists with path names, and back (the pytrees of
 * JAX): what a compiled function takes and gives.
 */
import type { Tensor } from "../../tensor/mod.ts";
import { JitError } from "../errors.ts";

/** Leaves in nested records and lists. */
export type Tree<Leaf> =
  | Leaf
  | { readonly [name: string]: Tree<Leaf> }
  | readonly Tree<Leaf>[];

/** Tensors in nested records and lists. */
export type TensorTree =
  | Tensor
  | { readonly [name: string]: TensorTree }
  | readonly TensorTree[];

/** What a trace needs to know of an argument; a tensor is one. */
export interface TensorSpec {
  readonly shape: readonly number[];
  readonly dtype: string;
}

/** A tree without its leaves. */
export type TreeStructure =
  | { readonly kind: "leaf" }
  | { readonly kind: "list"; readonly children: readonly TreeStructure[] }
  | {
    readonly kind: "record";
    readonly names: readonly string[];
    readonly children: readonly TreeStructure[];
  };

/**
 * A leaf and where it hangs: names from the root, joined by "/"; "" at the root itself. A "/" in a
 * name is written ~1, and a ~ is ~0, as in JSON pointers (RFC 6901), so that no two are the same.
 */
export interface PathLeaf<Leaf> {
  readonly path: string;
  readonly tensor: Leaf;
}

/**
 * The leaves of a tree from left to right (records in the order of their members), and the rest.
 *
 * @throws {JitError} for anything else than tensors, records and lists
 */
export function flattenTree(
  tree: TensorTree,
): { leaves: PathLeaf<Tensor>[]; structure: TreeStructure };
/** The same of what has a shape and a type. */
export function flattenTree<Leaf extends TensorSpec>(
  tree: Tree<Leaf>,
): { leaves: PathLeaf<Leaf>[]; structure: TreeStructure };
export function flattenTree<Leaf extends TensorSpec>(
  tree: Tree<Leaf>,
): { leaves: PathLeaf<Leaf>[]; structure: TreeStructure } {
  const leaves: PathLeaf<Leaf>[] = [];
  const visit = (value: unknown, path: string): TreeStructure => {
    if (isLeaf(value)) {
      leaves.push({ path, tensor: value as Leaf });
      return { kind: "leaf" };
    }
    const at = (name: string | number) => {
      const escaped = `${name}`.replaceAll("~", "~0").replaceAll("/", "~1");
      return path === "" ? escaped : `${path}/${escaped}`;
    };
    if (Array.isArray(value)) {
      return { kind: "list", children: value.map((child, i) => visit(child, at(i))) };
    }
    if (isRecord(value)) {
      const names = Object.keys(value);
      return { kind: "record", names, children: names.map((name) => visit(value[name], at(name))) };
    }
    throw new JitError(
      `${path || "the value"} is ${describe(value)}: expected a tensor, or records and lists of ` +
        "them; close over everything else",
    );
  };
  const structure = visit(tree, "");
  return { leaves, structure };
}

/** The inverse of {@link flattenTree}. */
export function unflattenTree<Leaf>(
  structure: TreeStructure,
  leaves: readonly Leaf[],
): Tree<Leaf> {
  let next = 0;
  const build = (part: TreeStructure): Tree<Leaf> => {
    if (part.kind === "leaf") return leaves[next++];
    const children = part.children.map(build);
    if (part.kind === "list") return children;
    return Object.fromEntries(part.names.map((name, i) => [name, children[i]]));
  };
  return build(structure);
}

function isLeaf(value: unknown): value is TensorSpec {
  if (typeof value !== "object" || value === null) return false;
  const { shape, dtype } = value as Partial<TensorSpec>;
  return Array.isArray(shape) && typeof dtype === "string";
}

/** Whether it is a plain record: class instances, promises among them, are not looked into. */
function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return `${value}`;
  if (typeof value === "object") return `a ${value.constructor?.name ?? "object"}`;
  return `a ${typeof value}`;
}

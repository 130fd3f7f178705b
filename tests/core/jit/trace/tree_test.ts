import { assertEquals, assertThrows } from "@std/assert";
import { JitError } from "../../../../core/jit/errors.ts";
import { flattenTree, type Tree, unflattenTree } from "../../../../core/jit/trace/tree.ts";

const leaf = (...shape: number[]) => ({ shape, dtype: "float32" });

Deno.test("leaves come from left to right, named by their paths", () => {
  const tree = [{ parameters: { w: leaf(1), b: leaf(2) }, list: [leaf(3), [leaf(4)]] }, leaf(5)];
  const { leaves } = flattenTree(tree);
  assertEquals(
    leaves.map(({ path, tensor }) => [path, tensor.shape[0]]),
    [
      ["0/parameters/w", 1],
      ["0/parameters/b", 2],
      ["0/list/0", 3],
      ["0/list/1/0", 4],
      ["1", 5],
    ],
  );
});

Deno.test("a lone leaf has no name, and nothing has no leaves", () => {
  assertEquals(flattenTree(leaf()).leaves.map(({ path }) => path), [""]);
  assertEquals(flattenTree({ a: {}, b: [] }).leaves, []);
});

Deno.test("names with slashes are not taken for paths", () => {
  const { leaves } = flattenTree({ "a/b": leaf(1), a: { b: leaf(2) }, "~1": leaf(3) });
  assertEquals(leaves.map(({ path }) => path), ["a~1b", "a/b", "~01"]);
});

Deno.test("unflattening undoes flattening, with other leaves in place", () => {
  const trees: Tree<{ shape: number[]; dtype: string }>[] = [
    leaf(1),
    [],
    { a: leaf(1), b: { c: [leaf(2), leaf(3)] }, d: {} },
  ];
  for (const tree of trees) {
    const { leaves, structure } = flattenTree(tree);
    assertEquals(unflattenTree(structure, leaves.map(({ tensor }) => tensor)), tree);
  }
  const { structure } = flattenTree({ a: leaf(1), b: [leaf(2)] });
  assertEquals(unflattenTree(structure, ["x", "y"]), { a: "x", b: ["y"] });
});

Deno.test("whatever is no tensor is refused by its path", () => {
  const refused: [unknown, string][] = [
    [{ metrics: { loss: 3 } }, "metrics/loss is a number"],
    [{ a: undefined }, "a is undefined"],
    [[leaf(1), null], "1 is null"],
    [new Map(), "the value is a Map"],
    [{ f: () => 1 }, "f is a function"],
  ];
  for (const [tree, message] of refused) {
    assertThrows(() => flattenTree(tree as ReturnType<typeof leaf>), JitError, message);
  }
});

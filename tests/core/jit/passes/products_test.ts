import type { GraphBuilder, Operation } from "../../../../core/jit/graph.ts";
import { simplifyProducts } from "../../../../core/jit/passes/products.ts";
import { check, checkOnRandomGraphs, float } from "./check_pass.ts";

/** Where zeros are left out, what they would be multiplied with must be finite. */
const numbers = [1, -2, 3, 0.5, -0.25];

const matmul = (b: GraphBuilder, x: number, y: number, transposeA = false, transposeB = false) =>
  b.add({ kind: "matmul", transposeA, transposeB }, [x, y]);
const transpose = (b: GraphBuilder, x: number) =>
  b.add({
    kind: "transpose",
    permutation: b.nodes[x].shape.length === 2 ? [1, 0] : [0, 2, 1],
  }, [x]);

function rule(build: (b: GraphBuilder) => number, expected: string | null): void {
  check(simplifyProducts, build, expected, { numbers });
}

Deno.test("transposed operands are flags", () => {
  rule((b) => matmul(b, transpose(b, float(b, "x", 5, 2)), float(b, "y", 5, 3)), "matmulᵀ(x, y)");
  rule(
    (b) => matmul(b, float(b, "x", 5, 2), transpose(b, float(b, "y", 5, 3)), true, true),
    "matmulᵀ(x, y)",
  );
  rule(
    (b) => matmul(b, float(b, "x", 4, 5, 2), transpose(b, float(b, "y", 4, 5, 2))),
    "matmul·ᵀ(x, y)",
  );
  rule((b) => matmul(b, float(b, "x", 2, 5), float(b, "y", 5, 3)), null);
});

Deno.test("transposed products are products of the transposed", () => {
  rule((b) => transpose(b, matmul(b, float(b, "x", 2, 5), float(b, "y", 5, 3))), "matmulᵀ·ᵀ(y, x)");
  rule(
    (b) => transpose(b, matmul(b, float(b, "x", 4, 5, 2), float(b, "y", 4, 5, 3), true)),
    "matmulᵀ(y, x)",
  );
  rule((b) => {
    const product = matmul(b, float(b, "x", 3, 5), float(b, "y", 5, 3));
    return b.elementwise("add", product, transpose(b, product));
  }, null);
});

Deno.test("batches", () => {
  rule(
    (b) => matmul(b, float(b, "x", 1, 2, 5), float(b, "y", 1, 5, 3)),
    "reshape[1,2,3](matmul(reshape[2,5](x), reshape[5,3](y)))",
  );
  rule(
    (b) => matmul(b, float(b, "x", 4, 2, 5), float(b, "y", 1, 5, 3)),
    "reshape[4,2,3](matmul(reshape[8,5](x), reshape[5,3](y)))",
  );
  rule(
    (b) => matmul(b, float(b, "x", 4, 2, 5), float(b, "y", 1, 3, 5), false, true),
    "reshape[4,2,3](matmul·ᵀ(reshape[8,5](x), reshape[3,5](y)))",
  );
  rule((b) => matmul(b, float(b, "x", 4, 5, 2), float(b, "y", 1, 5, 3), true), null);
  rule((b) => matmul(b, float(b, "x", 1, 2, 5), float(b, "y", 4, 5, 3)), null);
});

Deno.test("repeated rows are computed once", () => {
  rule((b) => {
    const x = b.add({ kind: "broadcast", shape: [4, 5] }, [float(b, "x", 5)]);
    return matmul(b, x, float(b, "y", 5, 3));
  }, "broadcast[4,3](matmul(reshape[1,5](x), y))");
  rule((b) => {
    const y = b.add({ kind: "broadcast", shape: [4, 5, 3] }, [float(b, "y", 5, 3)]);
    return matmul(b, float(b, "x", 4, 2, 5), y);
  }, "reshape[4,2,3](matmul(reshape[8,5](x), reshape[5,3](reshape[1,5,3](y))))");
});

Deno.test("a product with ones is a sum", () => {
  rule(
    (b) => matmul(b, b.splat(1, [4, 5]), float(b, "y", 5, 3)),
    "broadcast[4,3](multiply(1:[1,1], reshape[1,3](sum[0](y))))",
  );
  rule(
    (b) => matmul(b, float(b, "x", 2, 4), b.splat(2, [4, 5])),
    "broadcast[2,5](multiply(2:[1,1], reshape[2,1](sum[1](x))))",
  );
  rule((b) => {
    const x = b.add({ kind: "broadcast", shape: [4, 5] }, [float(b, "x", 4, 1)]);
    return matmul(b, x, float(b, "y", 3, 5), false, true);
  }, "multiply(x, reshape[1,3](sum[1](y)))");
});

Deno.test("outer products of what is not repeated stay", () => {
  rule((b) => matmul(b, float(b, "x", 4, 1), float(b, "y", 1, 3)), null);
});

Deno.test("parts of products are products of parts", () => {
  const slice = (begin: number[], size: number[], strides = size.map(() => 1)): Operation => ({
    kind: "slice",
    begin,
    size,
    strides,
  });
  rule(
    (b) =>
      b.add(slice([0, 1], [4, 2]), [
        matmul(b, float(b, "x", 4, 5), float(b, "y", 3, 5), false, true),
      ]),
    "matmul·ᵀ(x, slice[1,0;2,5;1,1](y))",
  );
  rule(
    (b) =>
      b.add(slice([1, 0], [2, 3], [2, 1]), [
        matmul(b, float(b, "x", 5, 4), float(b, "y", 5, 3), true),
      ]),
    "matmulᵀ(slice[0,1;5,2;1,2](x), y)",
  );
  rule(
    (b) =>
      b.add(slice([1, 0, 0], [2, 5, 2]), [
        matmul(b, float(b, "x", 1, 5, 4), float(b, "y", 3, 4, 2)),
      ]),
    "matmul(x, slice[1,0,0;2,4,2;1,1,1](y))",
  );
  rule((b) => {
    const product = matmul(b, float(b, "x", 4, 5), float(b, "y", 5, 3));
    const part = b.add(slice([0, 0], [4, 1]), [product]);
    return b.elementwise("add", part, product);
  }, null);
});

Deno.test("zeros around an operand do not take part", () => {
  const pad = (b: GraphBuilder, x: number, axis: number, value = 0) =>
    b.add({
      kind: "pad",
      before: [0, 0].with(axis, 1),
      after: [0, 0].with(axis, 2),
      interior: [0, 0],
      value,
    }, [x]);
  rule(
    (b) => matmul(b, pad(b, float(b, "x", 4, 2), 1), float(b, "y", 5, 3)),
    "matmul(x, slice[1,0;2,3;1,1](y))",
  );
  rule(
    (b) => matmul(b, pad(b, float(b, "x", 4, 2), 1), float(b, "y", 4, 3), true),
    "pad[1,0;2,0;0,0;0](matmulᵀ(x, y))",
  );
  rule(
    (b) => matmul(b, float(b, "x", 4, 5), pad(b, float(b, "y", 2, 3), 0)),
    "matmul(slice[0,1;4,2;1,1](x), y)",
  );
  rule(
    (b) => matmul(b, float(b, "x", 4, 5), pad(b, float(b, "y", 2, 5), 0), false, true),
    "pad[0,1;0,2;0,0;0](matmul·ᵀ(x, y))",
  );
  rule((b) => matmul(b, pad(b, float(b, "x", 4, 2), 1, 1), float(b, "y", 5, 3)), null);
});

Deno.test("convolutions by one pixel are products", () => {
  const attributes = { strides: [1, 1], pads: [0, 0, 0, 0] } as const;
  rule(
    (b) =>
      b.add({ kind: "conv2d", ...attributes }, [
        float(b, "x", 2, 3, 4, 5),
        float(b, "w", 1, 1, 5, 6),
      ]),
    "reshape[2,3,4,6](matmul(reshape[24,5](x), reshape[5,6](w)))",
  );
  rule(
    (b) =>
      b.add({ kind: "conv2dInputGradient", ...attributes, inputShape: [2, 3, 4, 5] }, [
        float(b, "dy", 2, 3, 4, 6),
        float(b, "w", 1, 1, 5, 6),
      ]),
    "reshape[2,3,4,5](matmul·ᵀ(reshape[24,6](dy), reshape[5,6](w)))",
  );
  rule(
    (b) =>
      b.add({ kind: "conv2dFilterGradient", ...attributes, filterShape: [1, 1, 5, 6] }, [
        float(b, "x", 2, 3, 4, 5),
        float(b, "dy", 2, 3, 4, 6),
      ]),
    "reshape[1,1,5,6](matmulᵀ(reshape[24,5](x), reshape[24,6](dy)))",
  );
  rule(
    (b) =>
      b.add({ kind: "conv2d", ...attributes, pads: [1, 1, 1, 1] }, [
        float(b, "x", 2, 3, 4, 5),
        float(b, "w", 1, 1, 5, 6),
      ]),
    null,
  );
  rule(
    (b) =>
      b.add({ kind: "conv2d", ...attributes, strides: [2, 2] }, [
        float(b, "x", 2, 3, 4, 5),
        float(b, "w", 1, 1, 5, 6),
      ]),
    null,
  );
  rule(
    (b) =>
      b.add({ kind: "conv2d", ...attributes }, [
        float(b, "x", 2, 3, 4, 5),
        float(b, "w", 3, 3, 5, 6),
      ]),
    null,
  );
});

Deno.test("random graphs keep their results", () => {
  checkOnRandomGraphs(simplifyProducts);
  checkOnRandomGraphs(simplifyProducts, [
    ...([
      "matmul",
      "matmul",
      "transpose",
      "broadcast",
      "slice",
      "pad",
      "convolution",
      "reshape",
    ] as const),
  ]);
});

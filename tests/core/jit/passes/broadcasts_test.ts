import type { GraphBuilder } from "../../../../core/jit/graph.ts";
import { moveBroadcasts } from "../../../../core/jit/passes/broadcasts.ts";
import { check, checkOnRandomGraphs, float } from "./check_pass.ts";

const broadcast = (b: GraphBuilder, x: number, ...shape: number[]) =>
  b.add({ kind: "broadcast", shape }, [x]);

Deno.test("broadcasts to nothing new", () => {
  check(moveBroadcasts, (b) => broadcast(b, float(b, "x", 2, 3), 2, 3), "x");
  check(moveBroadcasts, (b) => broadcast(b, float(b, "x", 3), 1, 3), "reshape[1,3](x)");
  check(moveBroadcasts, (b) => broadcast(b, float(b, "x", 3), 2, 3), null);
});

Deno.test("broadcasts of broadcasts, and of leading ones", () => {
  check(
    moveBroadcasts,
    (b) => broadcast(b, broadcast(b, float(b, "x", 1, 1), 1, 3), 2, 3),
    "broadcast[2,3](x)",
  );
  check(
    moveBroadcasts,
    (b) => broadcast(b, b.reshape(float(b, "x", 3), [1, 3]), 2, 3),
    "broadcast[2,3](x)",
  );
  check(moveBroadcasts, (b) => broadcast(b, b.reshape(float(b, "x", 3), [3, 1]), 3, 2), null);
});

Deno.test("elementwise functions broadcast by themselves", () => {
  check(moveBroadcasts, (b) => {
    const x = float(b, "x", 2, 3);
    return b.elementwise("add", x, broadcast(b, float(b, "y", 3), 2, 3));
  }, "add(x, y)");
  check(moveBroadcasts, (b) => {
    const x = float(b, "x", 2, 3);
    return b.elementwise("add", x, b.reshape(float(b, "y", 3), [1, 3]));
  }, "add(x, y)");
  check(
    moveBroadcasts,
    (b) => b.elementwise("multiply", float(b, "x", 2, 3), b.splat(2, [2, 3])),
    "multiply(x, 2)",
  );
});

Deno.test("small work stays small", () => {
  check(
    moveBroadcasts,
    (b) => b.elementwise("exponential", broadcast(b, float(b, "x", 3), 2, 3)),
    "broadcast[2,3](exponential(x))",
  );
  check(moveBroadcasts, (b) => {
    const x = broadcast(b, float(b, "x", 3), 5, 3), y = broadcast(b, float(b, "y", 1, 3), 5, 3);
    return b.elementwise("add", b.elementwise("multiply", x, y), b.splat(1, [5, 3]));
  }, "broadcast[5,3](add(multiply(x, y), 1))");
  check(moveBroadcasts, (b) => {
    const x = broadcast(b, float(b, "x", 5, 1), 5, 3), y = broadcast(b, float(b, "y", 3), 5, 3);
    return b.elementwise("multiply", x, y);
  }, "multiply(x, y)");
});

Deno.test("a result that only a broadcast makes as large stays as large", () => {
  check(
    moveBroadcasts,
    (b) => b.elementwise("add", float(b, "x", 1), b.splat(2, [4, 3])),
    "broadcast[4,3](add(x, 2))",
  );
});

Deno.test("moves of broadcasts move what is broadcast", () => {
  check(moveBroadcasts, (b) => {
    const x = broadcast(b, float(b, "x", 3), 2, 3);
    return b.add({ kind: "transpose", permutation: [1, 0] }, [x]);
  }, "broadcast[3,2](transpose[1,0](reshape[1,3](x)))");
  check(
    moveBroadcasts,
    (b) => b.reshape(broadcast(b, float(b, "x", 3), 2, 3), [2, 1, 3]),
    "broadcast[2,1,3](x)",
  );
  check(moveBroadcasts, (b) => b.reshape(broadcast(b, float(b, "x", 3), 2, 3), [6]), null);
  check(moveBroadcasts, (b) => b.reshape(broadcast(b, float(b, "x", 3), 0, 3), [0, 5]), null);
  check(moveBroadcasts, (b) => {
    const x = broadcast(b, float(b, "x", 3), 4, 3);
    return b.add({ kind: "slice", begin: [1, 1], size: [2, 2], strides: [2, 1] }, [x]);
  }, "broadcast[2,2](slice[0,1;1,2;1,1](reshape[1,3](x)))");
});

Deno.test("random graphs keep their results", () => {
  checkOnRandomGraphs(moveBroadcasts);
  checkOnRandomGraphs(moveBroadcasts, [
    ...(["broadcast", "elementwise", "constant", "reshape", "transpose", "slice"] as const),
  ]);
});

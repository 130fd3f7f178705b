import { assert, assertEquals, assertThrows } from "@std/assert";
import { JitError } from "../../../../core/jit/errors.ts";
import { trace } from "../../../../core/jit/trace/trace.ts";
import type { TensorTree } from "../../../../core/jit/trace/tree.ts";
import { openDevice, type Tensor, tf } from "../../../../core/tensor/mod.ts";
import { floats, held } from "./agreement.ts";

const file = new URL(import.meta.url).pathname;

/** "path:line" of the caller. */
function here(): string {
  const [, line] = /errors_test\.ts:(\d+):\d+/.exec(new Error().stack!.split("\n")[2])!;
  return `${file}:${line}`;
}

let line = "";

/** Runs something that is to fail at this line. */
function at<T>(where: string, run: () => T): T {
  line = where;
  return run();
}

/** Traces f, which has to fail with all these texts, and leave nothing behind. */
async function assertRefuses(f: (x: Tensor) => unknown, ...texts: string[]): Promise<void> {
  await openDevice("cpu");
  const x = floats([3, 4]);
  const before = held();
  const error = assertThrows(() => trace(f as (x: Tensor) => TensorTree, [x]), JitError);
  assertEquals(held(), before);
  assert(!error.message.includes("\n"), error.message);
  for (const text of [...texts, ` at ${line}`]) assert(error.message.includes(text), error.message);
}

Deno.test("a read names the kernel that made the tensor, and the line", async () => {
  const reads: Record<string, (y: Tensor) => unknown> = {
    dataSync: (y) => at(here(), () => y.dataSync()),
    arraySync: (y) => at(here(), () => y.arraySync()),
    bufferSync: (y) => at(here(), () => y.bufferSync()),
    print: (y) => at(here(), () => y.print()),
    toString: (y: Tensor) => at(here(), () => `${y}`),
  };
  for (const read of Object.values(reads)) {
    await assertRefuses((x) => [tf.exp(x)].map(read), "the result of Exp", "is read on the host");
  }
});

Deno.test("a read that nobody waits for fails the trace all the same", async () => {
  await assertRefuses((x) => {
    at(here(), () => void tf.exp(x).data());
    return tf.neg(x);
  }, "the result of Exp");
  await assertRefuses((x) => {
    at(here(), () => void tf.exp(x).array());
    return tf.neg(x);
  }, "the result of Exp");
});

Deno.test("a read that is caught fails the trace all the same", async () => {
  await assertRefuses((x) => {
    try {
      at(here(), () => x.dataSync());
    } catch {
      // As if nothing had happened.
    }
    return tf.neg(x);
  }, "the result of argument 0");
});

Deno.test("a read of a clone or a reshape names what they are of", async () => {
  await assertRefuses(
    (x) => {
      const y = tf.clone(tf.reshape(tf.exp(x), [4, 3]));
      return at(here(), () => tf.clone(y).dataSync());
    },
    "the result of Reshape",
  );
  await assertRefuses(
    (x) => {
      const y = tf.exp(x);
      return at(here(), () => tf.clone(y).dataSync());
    },
    "the result of Exp",
  );
});

Deno.test("a kernel that is not lowered is named, with the reason", async () => {
  await assertRefuses((x) => at(here(), () => tf.topk(x, 2).values), "kernel TopK");
  await assertRefuses(
    (x) => at(here(), () => tf.unique(tf.reshape(x, [-1])).values),
    "kernel Unique",
    "shape depends on values",
  );
  await assertRefuses(
    (x) => at(here(), () => tf.complex(x, x)),
    "kernel Complex",
    "complex numbers",
  );
  await assertRefuses((x) => at(here(), () => tf.cumsum(x)), "kernel Cumsum");
});

Deno.test("the line is the user's below a gradient of a gradient, too", async () => {
  await assertRefuses(
    (x) => tf.grad((x) => tf.sum(tf.grad((x) => at(here(), () => tf.cumsum(x)))(x)))(x),
    "kernel Cumsum",
  );
  // A kernel of the backward pass was asked for where the gradient was.
  const pooled = (x: Tensor) => tf.maxPool(tf.reshape(x, [3, 4, 1]) as tf.Tensor3D, 2, 1, "valid");
  await assertRefuses((x) => at(here(), () => tf.grad(pooled)(x)), "kernel MaxPoolGrad");
});

Deno.test("where and masks that depend on values are host reads", async () => {
  await assertRefuses((x) => {
    at(here(), () => void tf.whereAsync(tf.greater(x, 0)));
    return x;
  }, "the result of Greater");
});

Deno.test("random numbers of the host are refused", async () => {
  await assertRefuses(
    (x) => at(here(), () => tf.mul(x, tf.randomNormal([3, 4]))),
    "tf.randomNormal",
  );
  await assertRefuses(
    (x) => at(here(), () => tf.mul(x, tf.randomUniform([4]))),
    "tf.randomUniform",
  );
  await assertRefuses(
    (x) => at(here(), () => tf.mul(x, tf.truncatedNormal([4]))),
    "tf.truncatedNormal",
  );
  await assertRefuses((x) => at(here(), () => tf.dropout(x, 0.5)), "draws on the host");
});

Deno.test("variables are neither made nor assigned", async () => {
  await openDevice("cpu");
  const variable = tf.variable(tf.scalar(3));
  await assertRefuses((x) => {
    at(here(), () => variable.assign(tf.sum(x)));
    return x;
  }, "a variable is assigned");
  assertEquals(variable.dataSync()[0], 3);
  await assertRefuses((x) => at(here(), () => tf.variable(x)), "a variable is made");
  variable.assign(tf.scalar(4));
  assertEquals(variable.dataSync()[0], 4);
  variable.dispose();
});

Deno.test("texts and complex numbers are refused", async () => {
  await assertRefuses((x) => {
    at(here(), () => tf.tensor1d(["a"]));
    return x;
  }, "is of type string");
  await assertRefuses((x) => at(here(), () => tf.cast(x, "complex64")), "is of type complex64");
});

Deno.test("a function inside a function is refused", async () => {
  await assertRefuses(
    (x) => at(here(), () => trace((x: Tensor) => tf.neg(x), [x]).graph.nodes.map(() => x)),
    "is compiled inside another",
  );
});

Deno.test("asynchronous functions are refused", async () => {
  await openDevice("cpu");
  const x = floats([3]);
  const before = held();
  const f = async (x: Tensor) => {
    await Promise.resolve();
    return tf.neg(x);
  };
  assertThrows(() => trace(f as unknown as (x: Tensor) => Tensor, [x]), JitError, "asynchronous");
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(held(), before);
});

Deno.test("a read that an asynchronous function waits for is named", async () => {
  await assertRefuses(async (x) => {
    await at(here(), () => tf.exp(x).data());
    return x;
  }, "the result of Exp");
});

Deno.test("a result that is no tensor is refused by its path", async () => {
  await openDevice("cpu");
  const f = ((x: Tensor) => ({ metrics: { loss: 3 }, x })) as unknown as (x: Tensor) => Tensor;
  assertThrows(() => trace(f, [floats([3])]), JitError, "metrics/loss is a number");
});

Deno.test("a disposed tensor is refused where it is used", async () => {
  await openDevice("cpu");
  const gone = floats([3]);
  gone.dispose();
  await assertRefuses((x) => at(here(), () => tf.add(x, tf.sum(tf.stack([gone])))), "disposed");
});

Deno.test("a tensor of a trace cannot be used after it", async () => {
  await openDevice("cpu");
  let stolen: Tensor | undefined;
  trace((x: Tensor) => stolen = tf.neg(x), [floats([3])]);
  assertThrows(() => stolen!.dataSync(), Error, "disposed");
});

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  answerRequest,
  type MessageTarget,
  receiveEvent,
  remoteCalls,
  remoteEvents,
} from "../../../web/laboratory/messages.ts";

interface Calculator {
  add(a: number, b: number): Promise<number>;
  double(
    values: Float32Array,
  ): Promise<{ readonly values: Float32Array; readonly same: Float32Array }>;
  fail(message: string): Promise<never>;
  never(): Promise<never>;
}

const calculator: Calculator = {
  add: (a, b) => Promise.resolve(a + b),
  double(values) {
    const doubled = values.map((value) => 2 * value);
    return Promise.resolve({ values: doubled, same: doubled });
  },
  fail(message) {
    class ConfigError extends Error {
      override readonly name = "ConfigError";
    }
    throw new ConfigError(message);
  },
  never: () => new Promise(() => {}),
};

/** Two sides joined by a channel, as a page and a worker are. */
async function withSides(
  test: (
    calls: ReturnType<typeof remoteCalls<Calculator>>,
    channel: MessageChannel,
  ) => Promise<void>,
): Promise<void> {
  const channel = new MessageChannel(), { port1, port2 } = channel;
  const calls = remoteCalls<Calculator>(port1 as MessageTarget);
  port1.onmessage = ({ data }) => void calls.receive(data);
  port2.onmessage = ({ data }) => void answerRequest(calculator, data, port2 as MessageTarget);
  try {
    await test(calls, channel);
  } finally {
    port1.close();
    port2.close();
  }
}

Deno.test("calls are answered, each by its own answer", () =>
  withSides(async ({ proxy }) => {
    assertEquals(await Promise.all([proxy.add(1, 2), proxy.add(3, 4)]), [3, 7]);
    const { values, same } = await proxy.double(Float32Array.of(1, 2));
    assertEquals(values, Float32Array.of(2, 4));
    assert(same.buffer === values.buffer);
  }));

Deno.test("errors keep their name and their line", () =>
  withSides(async ({ proxy }) => {
    const error = await assertRejects(() => proxy.fail("x is 3: expected 4"), Error);
    assertEquals([error.name, error.message], ["ConfigError", "x is 3: expected 4"]);
    const other = proxy as unknown as { constructor(): Promise<void>; absent(): Promise<void> };
    await assertRejects(() => other.absent(), Error, 'no method "absent"');
    await assertRejects(() => other.constructor(), Error, 'no method "constructor"');
    // What cannot be sent is the caller's error, and nothing else's.
    await assertRejects(() => proxy.add((() => 1) as unknown as number, 2));
    assertEquals(await proxy.add(1, 1), 2);
  }));

Deno.test("a side that has died answers everything with that", () =>
  withSides(async ({ proxy, fail }) => {
    const pending = assertRejects(() => proxy.never(), Error, "it died");
    fail(new Error("it died"));
    await pending;
    await assertRejects(() => proxy.add(1, 2), Error, "it died");
  }));

Deno.test("events reach the listener of their name, and nothing else does", () => {
  const seen: unknown[] = [];
  const listeners = {
    progress: (step: number, playing: boolean) => void seen.push([step, playing]),
  };
  const events = remoteEvents<typeof listeners>({
    postMessage: (message) => receiveEvent(listeners, message),
  });
  events.progress(3, true);
  assertEquals(seen, [[3, true]]);
  for (const message of [null, "x", { event: "absent", args: [] }, { event: "progress" }]) {
    receiveEvent(listeners, message);
  }
  assertEquals(seen.length, 1);
});

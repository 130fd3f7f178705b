import { assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { ConfigError, VapoError } from "../../core/errors.ts";
import { describeFailure } from "../../cli/failures.ts";
import { withFileErrors } from "../../cli/file_errors.ts";

Deno.test("what a user can mend is one line", () => {
  assertEquals(describeFailure(new ConfigError("seed is x:\n  expected a number")), {
    text: "vapo: seed is x: expected a number",
    exitCode: 2,
  });
});

Deno.test("what a damaged file puts into a message does not reach the terminal", () => {
  const { text } = describeFailure(new VapoError("a.json is not JSON: \x1b[2J\x07\x9b"));
  assertEquals(text, "vapo: a.json is not JSON: \ufffd[2J\ufffd\ufffd");
});

Deno.test("anything else is said to be a bug, with its stack", () => {
  const { text, exitCode } = describeFailure(new TypeError("x is not a function"));
  assertMatch(
    text,
    /^vapo: this is a bug; .*\nTypeError: x is not a function\n +at .*failures_test/,
  );
  assertEquals(exitCode, 70);
  assertEquals(describeFailure("thrown").exitCode, 70);
});

Deno.test("what the system refuses names the path and the remedy", async () => {
  const failing = (error: Error) => () => Promise.reject(error);
  for (
    const [code, reason] of [
      ["ENOSPC", "the disk is full: make room and try again"],
      ["EACCES", "no permission: choose another place or change its permissions"],
      ["EROFS", "the file system is read-only: choose another place"],
    ]
  ) {
    const error = Object.assign(new Error(`Something (os error 1): open '/a'`), { code });
    await assertRejects(
      () => withFileErrors("write", "a/b", failing(error)),
      VapoError,
      `cannot write a/b: ${reason}`,
    );
  }
  const rare = Object.assign(new Error("Too many links (os error 31): link '/a'"), {
    code: "EMLINK",
  });
  await assertRejects(
    () => withFileErrors("write", "a/b", failing(rare)),
    VapoError,
    "cannot write a/b: Too many links",
  );
});

Deno.test("errors that the system has not raised pass as they are", async () => {
  for (const error of [new TypeError("bug"), new VapoError("already said")]) {
    const caught = await withFileErrors("read", "a", () => Promise.reject(error)).catch((e) => e);
    assertStrictEquals(caught, error);
  }
});

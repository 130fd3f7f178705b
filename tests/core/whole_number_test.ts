import { assertThrows } from "@std/assert";
import { ConfigError } from "../../core/errors.ts";
import { requireWhole } from "../../core/whole_number.ts";

Deno.test("whole numbers from the least on pass, others are refused by name", () => {
  requireWhole("n", 1, 1);
  requireWhole("seed", 2 ** 53 - 1, 0);
  for (const value of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
    const message = `n is ${value}: expected a whole number from 1 on`;
    assertThrows(() => requireWhole("n", value, 1), ConfigError, message);
  }
});

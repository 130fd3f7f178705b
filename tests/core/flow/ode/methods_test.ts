import { assert, assertEquals, assertThrows } from "@std/assert";
import { VapoError } from "../../../../core/errors.ts";
import { odeMethodName, odeMethodNames, odeMethods } from "../../../../core/flow/ode/mod.ts";

Deno.test("the methods are listed with order, kind and source", () => {
  const orders = Object.fromEntries(odeMethodNames.map((name) => [name, odeMethods[name].order]));
  assertEquals(orders, {
    "euler": 1,
    "midpoint": 2,
    "heun": 2,
    "bogacki-shampine": 3,
    "rk4": 4,
    "rk45": 5,
    "dop853": 8,
    "backward-euler": 1,
    "radau": 5,
  });
  const named = (key: "adaptive" | "implicit") =>
    odeMethodNames.filter((name) => odeMethods[name][key]);
  assertEquals(named("adaptive"), ["bogacki-shampine", "rk45", "dop853", "radau"]);
  assertEquals(named("implicit"), ["backward-euler", "radau"]);
  for (const name of odeMethodNames) assert(/\d{4}/.test(odeMethods[name].citation), name);
});

Deno.test("a name is taken as it is, and a wrong one is answered with the nearest", () => {
  for (const name of odeMethodNames) assertEquals(odeMethodName(name), name);
  assertThrows(() => odeMethodName("Radau"), VapoError, 'did you mean "radau"?');
  assertThrows(() => odeMethodName("dopri853"), VapoError, 'did you mean "dop853"?');
  assertThrows(() => odeMethodName("toString"), VapoError, "unknown ODE method");
});

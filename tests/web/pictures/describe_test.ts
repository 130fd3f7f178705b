import { assertAlmostEquals, assertEquals } from "@std/assert";
import { describePlane, fieldFacts, particleFacts } from "../../../web/pictures/describe.ts";
import { fieldOf, gridOf, straightFlow } from "./known_fields.ts";

const square = straightFlow(
  [[1, 1], [-1, 1], [1, -1], [-1, -1]],
  [[1, 0], [1, 0], [1, 0], [1, 0]],
  [0, 1],
);

Deno.test("a field's extremes, and where it is highest", () => {
  const facts = fieldFacts(gridOf(40, 2, (x, y) => 5 - (x - 1.05) ** 2 - (y + 0.55) ** 2), {
    size: 40,
    extent: 2,
  });
  assertAlmostEquals(facts?.peak[0] ?? NaN, 1.05, 1e-6);
  assertAlmostEquals(facts?.peak[1] ?? NaN, -0.55, 1e-6);
  assertAlmostEquals(facts?.high ?? NaN, 5, 1e-6);
  assertAlmostEquals(facts?.low ?? NaN, 5 - 3.0 ** 2 - 2.5 ** 2, 0.01);
  assertEquals(fieldFacts(new Float32Array(16).fill(NaN), { size: 4, extent: 1 }), null);
});

Deno.test("where particles are", () => {
  const facts = particleFacts([1, 1, -1, 1, 1, -1, -1, -1, NaN, 3]);
  assertEquals(facts, { n: 4, mean: [0, 0], spread: Math.SQRT2 });
  assertEquals(particleFacts([NaN, NaN]), null);
});

Deno.test("a picture in words", () => {
  const field = fieldOf(8, 2, (x) => 2 * x, gridOf(8, 2, () => 1));
  const words = describePlane({
    whose: "learned",
    field,
    flows: [square],
    u: 0.5,
    choices: { field: "potential", particles: true, compare: "learned" },
  });
  assertEquals(
    words,
    "Potential at u = 0.50, learned: from −3.5 to 3.5, highest near (1.8, 1.8). " +
      "4 particles around (0.5, 0.0), spread 1.41.",
  );
});

Deno.test("the constant of a potential does not matter; its density does", () => {
  const choices = { field: "potential", particles: false, compare: "learned" } as const;
  const words = (constant: number) =>
    describePlane({ field: fieldOf(8, 2, (x) => x + constant), flows: [], u: 0, choices });
  assertEquals(words(0), words(50));
  const right = gridOf(8, 2, (x) => x > 1.7 ? 1 : 0);
  assertEquals(
    describePlane({ field: fieldOf(8, 2, (x) => x, right), flows: [], u: 0, choices }),
    "Potential at u = 0.00: from −3.5 to 0.0, highest near (1.8, 1.8).",
  );
});

Deno.test("a difference in words has the numbers of the difference, not of what is learned", () => {
  const density = gridOf(8, 2, () => 1);
  const field = fieldOf(8, 2, (x, y) => 30 * y + 2 * x + 7, density);
  const reference = fieldOf(8, 2, (_, y) => 30 * y - 4, density);
  const choices = { field: "potential", particles: false, compare: "difference" } as const;
  const plane = { whose: "learned less exact", field, flows: [], u: 0.5, choices };
  assertEquals(
    describePlane({ ...plane, reference }),
    "Potential at u = 0.50, learned less exact: from −3.5 to 3.5, highest near (1.8, 1.8).",
  );
  assertEquals(describePlane(plane), "Potential at u = 0.50, learned less exact.");
  const none = { ...choices, field: "none" } as const;
  assertEquals(
    describePlane({ ...plane, choices: none }),
    "The plane at u = 0.50, learned less exact.",
  );
});

Deno.test("two sets, a density, nothing yet, and what has diverged", () => {
  const both = describePlane({
    field: null,
    flows: [square, square],
    u: 1,
    choices: { field: "density", particles: true, compare: "learned" },
  });
  assertEquals(
    both,
    "Density at u = 1.00. First set: 4 particles around (1.0, 0.0), spread 1.41. " +
      "Second set: 4 particles around (1.0, 0.0), spread 1.41.",
  );
  const nothing = describePlane({
    field: null,
    flows: [],
    u: 0,
    choices: { field: "potential", particles: true, compare: "learned" },
  });
  assertEquals(nothing, "The plane at u = 0.00.");
  const lost = describePlane({
    field: fieldOf(8, 2, () => NaN),
    flows: [straightFlow([[NaN, NaN]], [[0, 0]], [0, 1])],
    u: 0,
    choices: { field: "potential", particles: true, compare: "learned" },
  });
  assertEquals(
    lost,
    "Potential at u = 0.00: not finite anywhere. No particle is at a finite place.",
  );
});

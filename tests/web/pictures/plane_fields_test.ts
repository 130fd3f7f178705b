import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { Field, Flow } from "../../../web/laboratory/engine_types.ts";
import type { PictureChoices } from "../../../web/laboratory/store_types.ts";
import {
  comparedFields,
  contoursOf,
  shownField,
  shownVelocity,
} from "../../../web/pictures/plane_fields.ts";
import {
  kept,
  type PlaneCache,
  planeCache,
  type PlaneInput,
} from "../../../web/pictures/plane_input.ts";
import { themeOfTokens } from "../../../web/pictures/theme.ts";
import { planeView } from "../../../web/pictures/view.ts";
import { fieldOf, gridOf, normals, straightFlow } from "./known_fields.ts";

const theme = themeOfTokens(() => "");
const choices: PictureChoices = {
  field: "potential",
  contours: true,
  velocity: "none",
  particles: true,
  trails: false,
  data: false,
  compare: "learned",
  relief: false,
};

function inputOf(
  changes: Partial<PictureChoices>,
  field: Field | null,
  reference: Field | null = null,
  flows: Flow[] = [],
  cache: PlaneCache = planeCache(),
): PlaneInput {
  const view = planeView({ width: 100, height: 100 }, 4);
  return { view, choices: { ...choices, ...changes }, cache, field, reference, flows, u: 0.5 };
}

const shown = (input: PlaneInput) => shownField(input, comparedFields(input), theme);
const gaussian = gridOf(32, 4, (x, y) => Math.exp(-(x * x + y * y) / 2) / (2 * Math.PI));

Deno.test("a potential is centred by the exact density, around 0", () => {
  const picture = shown(inputOf({}, fieldOf(32, 4, (x) => x + 7, gaussian)));
  const [low, high] = picture?.scale.range ?? [0, 0];
  assertEquals(low, -high);
  assertAlmostEquals(high, 3.9, 0.2);
  assertAlmostEquals(picture?.values[0] ?? 0, -3.875, 1e-3);
});

Deno.test("without an exact density the particles say where the middle is", () => {
  const noise = normals(400);
  const starts = Array.from(
    { length: 200 },
    (_, i) => [2 + 0.1 * noise[i], 0.1 * noise[i]] as const,
  );
  const flow = straightFlow(starts, starts.map(() => [0, 0] as const), [0, 1]);
  const picture = shown(inputOf({}, fieldOf(32, 4, (x) => x), null, [flow]));
  assertAlmostEquals(picture?.values[0] ?? 0, -3.875 - 2, 0.05);
});

Deno.test("a difference is of both centred fields, and knows neither's constant", () => {
  const learned = fieldOf(32, 4, (x, y) => x * y + 0.1 * x + 30, gaussian);
  const exact = fieldOf(32, 4, (x, y) => x * y - 12, gaussian);
  const input = inputOf({ compare: "difference" }, learned, exact);
  const picture = shown(input);
  assertEquals(picture?.title, "Φ − exact");
  gridOf(32, 4, (x) => 0.1 * x).forEach((v, i) =>
    assertAlmostEquals(picture?.values[i] ?? NaN, v, 1e-4)
  );
  const pair = comparedFields(input);
  assertEquals(shownVelocity(input.cache, pair, true)?.length, 2 * 32 * 32);
});

Deno.test("a difference waits for two fields of one time", () => {
  const cache = planeCache();
  const exact = fieldOf(32, 4, (x) => x);
  const early = inputOf({ compare: "difference" }, fieldOf(32, 4, (x) => x), exact, [], cache);
  const first = shown(early);
  const later: Field = { ...fieldOf(32, 4, (x) => 2 * x), u: 0.6 };
  assert(shown(inputOf({ compare: "difference" }, later, exact, [], cache)) === first);
  assertEquals(shown(inputOf({ compare: "difference" }, later, exact)), null);
});

Deno.test("side by side both have the same colours", () => {
  const learned = fieldOf(32, 4, (x) => x, gaussian);
  const exact = fieldOf(32, 4, (x) => 3 * x, gaussian);
  const left = shown(inputOf({ compare: "both" }, learned, exact));
  const right = shown(inputOf({ compare: "both" }, exact, learned));
  assertEquals(left?.scale.range, right?.scale.range);
  assert((left?.scale.range[1] ?? 0) > 10);
});

Deno.test("densities side by side have the same colours, though one is an estimate", () => {
  const learned = fieldOf(32, 4, (x) => x, gaussian);
  const exact: Field = { ...learned, subject: { kind: "exact" } };
  const noise = normals(400, 3);
  // Half as wide as the exact one, and so four times as dense.
  const starts = Array.from({ length: 200 }, (_, i) => [noise[i] / 2, noise[200 + i] / 2] as const);
  const flow = straightFlow(starts, starts.map(() => [0, 0] as const), [0, 1]);
  const changes = { field: "density", compare: "both" } as const;
  const left = shown(inputOf(changes, learned, exact, [flow]));
  const right = shown(inputOf(changes, exact, learned, [flow]));
  assertEquals(left?.scale.range, right?.scale.range);
  assertAlmostEquals(left?.scale.range[1] ?? 0, 1 / (2 * Math.PI), 0.01);
  assert(Math.max(...Array.from(left?.values ?? [])) > 0.3);
});

Deno.test("colours do not follow the noise of training", () => {
  const cache = planeCache();
  const ranges = [1, 0.95, 1.01, 0.97, 1].map((slope) =>
    shown(inputOf({}, fieldOf(32, 4, (x) => slope * x), null, [], cache))?.scale.range[1] ?? NaN
  );
  assertEquals(new Set(ranges.slice(2)).size, 1);
});

Deno.test("the density of learned particles, and that of the exact answer", () => {
  const noise = normals(4000, 9);
  const starts = Array.from({ length: 2000 }, (_, i) => [noise[2 * i], noise[2 * i + 1]] as const);
  const flow = straightFlow(starts, starts.map(() => [0, 0] as const), [0, 1]);
  const learned = fieldOf(32, 4, (x) => x, gaussian);
  const estimate = shown(inputOf({ field: "density" }, learned, null, [flow]));
  assertAlmostEquals(estimate?.scale.range[1] ?? 0, 1 / (2 * Math.PI), 0.03);
  const exact: Field = { ...learned, subject: { kind: "exact" } };
  const picture = shown(inputOf({ field: "density" }, exact, null, [flow]));
  assertEquals(picture?.values, gaussian);
  const difference = shown(inputOf({ field: "density", compare: "difference" }, learned, exact, [
    flow,
  ]));
  // An estimate is held against the exact density as blurred as it is.
  assert(Math.max(...Array.from(difference?.values ?? [1], Math.abs)) < 0.03);
  assertEquals(shown(inputOf({ field: "density" }, null)), null);
});

Deno.test("contour lines are of what is shown: no line where there is no density", () => {
  const cache = planeCache();
  const exact: Field = { ...fieldOf(32, 4, (x) => x, gaussian), subject: { kind: "exact" } };
  const input = inputOf({ field: "density" }, exact, null, [], cache);
  const picture = shown(input);
  const lines = picture ? contoursOf(cache, picture) : [];
  assert(lines.length > 3);
  for (const line of lines) {
    assert(line.level > 0);
    const radius = Math.sqrt(-2 * Math.log(2 * Math.PI * line.level));
    for (let i = 0; i < line.points.length; i += 2) {
      assertAlmostEquals(Math.hypot(line.points[i], line.points[i + 1]), radius, 0.03);
    }
  }
});

Deno.test("what is kept is made anew when something that it was made of is another", () => {
  const cache = planeCache();
  let made = 0;
  const make = (key: unknown) => kept(cache, "thing", [key], () => ++made);
  const object = {};
  assertEquals([make(object), make(object), make({}), make(1), make(1)], [1, 1, 2, 3, 3]);
});

/** @file The address: what it says of a state, that it says all of it, and what it makes of nonsense. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type AddressState,
  decodeAddress,
  defaultFlowChoice,
  defaultPictures,
  defaultState,
  encodeAddress,
} from "../../../web/laboratory/address.ts";
import * as choices from "../../../web/laboratory/choices.ts";
import {
  addressable,
  BOUND,
  drawnData,
  MAX_POINTS,
  type Point,
} from "../../../web/laboratory/drawing.ts";
import { defaultSettings } from "../../../web/laboratory/settings_config.ts";
import type { Stroke } from "../../../web/laboratory/store_types.ts";
import { presets } from "./test_presets.ts";

const keyOf = <K extends string>(options: choices.Options<K>) =>
  fc.constantFrom(...Object.keys(options) as K[]);
const numberIn = (min: number, max: number) =>
  fc.double({ min, max, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const weight = numberIn(0.001, 100);

const settings = fc.record({
  seed: fc.nat(),
  device: keyOf(choices.deviceLabels),
  estimator: keyOf(choices.estimatorLabels),
  timeWeight: keyOf(choices.timeWeightLabels),
  path: keyOf(choices.pathLabels),
  timeLaw: keyOf(choices.timeLawLabels),
  sigma: numberIn(1e-4, 1),
  timeExplicit: fc.boolean(),
  width: fc.integer({ min: 1, max: 1024 }),
  depth: fc.integer({ min: 1, max: 12 }),
  optimizer: keyOf(choices.optimizerLabels),
  learningRate: numberIn(1e-8, 10),
  batchSize: fc.integer({ min: 1, max: 16384 }),
  spectralGap: numberIn(0, 1000),
  steps: fc.integer({ min: 1, max: 10_000_000 }),
  other: fc.dictionary(
    fc.constantFrom("path.delta", "optimizer.beta1", "potential.hidden", "training.logEvery"),
    fc.oneof(numberIn(-1, 1), fc.array(fc.nat(), { maxLength: 3 }), fc.string(), fc.constant(null)),
    { noNullPrototype: true },
  ),
}, {});

const toyData = fc.record({
  name: keyOf(choices.toyLabels),
  noise: fc.option(numberIn(0, 4)),
  weights: fc.option(fc.array(weight, { minLength: 1, maxLength: 25 })),
  points: fc.constant(null),
});

const point = fc.tuple(numberIn(-BOUND, BOUND), numberIn(-BOUND, BOUND));
const strokes: fc.Arbitrary<Stroke[]> = fc.array(
  fc.record({ points: fc.array(point, { minLength: 1, maxLength: 40 }), weight }),
  { minLength: 1, maxLength: 8 },
);

const view = fc.record({
  step: fc.nat(1_000_000),
  u: numberIn(0, 2),
  timeSpeed: fc.constantFrom(0.25, 1, 4),
  exact: fc.boolean(),
  pictures: fc.record({
    field: keyOf(choices.fieldLabels),
    contours: fc.boolean(),
    velocity: keyOf(choices.velocityLabels),
    particles: fc.boolean(),
    trails: fc.boolean(),
    data: fc.boolean(),
    compare: keyOf(choices.compareLabels),
    relief: fc.boolean(),
  }),
  flowChoice: fc.record({
    solver: keyOf(choices.solverLabels),
    steps: fc.integer({ min: 1, max: 10_000 }),
    tolerance: numberIn(1e-12, 1),
    noise: numberIn(0, 1000),
    n: fc.integer({ min: 1, max: 10_000 }),
    seed: fc.nat(),
    until: fc.option(numberIn(1e-3, 100)),
    refineSteps: fc.nat(10_000),
  }),
});

function roundTrip(state: AddressState): AddressState {
  const { state: back, problems } = decodeAddress(encodeAddress(state, presets), presets);
  assertEquals(problems, []);
  return back;
}

Deno.test("every state of a distribution comes back as it was", () => {
  fc.assert(fc.property(settings, toyData, view, (settings, data, view) => {
    const state: AddressState = { ...view, strokes: [], settings: { ...settings, data } };
    assertEquals(roundTrip(state), state);
  }));
});

Deno.test("a drawing comes back to a thousandth, and what is addressable to the bit", () => {
  fc.assert(fc.property(strokes, fc.option(numberIn(0, 4)), (strokes, noise) => {
    const state: AddressState = {
      ...defaultState(presets),
      strokes,
      settings: { ...presets["8gaussians"], data: drawnData(strokes, noise) },
    };
    const back = roundTrip(state);
    assertEquals(
      back.strokes.map(({ points, weight }) => [points.length, weight]),
      strokes.map(({ points, weight }) => [points.length, weight]),
    );
    back.strokes.forEach(({ points }, i) =>
      points.forEach(([x, y], j) => {
        assertAlmostEquals(x, strokes[i].points[j][0], 1e-3);
        assertAlmostEquals(y, strokes[i].points[j][1], 1e-3);
        assertEquals([x, y], addressable(strokes[i].points[j]));
      })
    );
    assertEquals(back.settings.data, drawnData(back.strokes, noise));
    assertEquals(roundTrip(back), back);
  }));
});

Deno.test("no text makes it throw, and what cannot be read is told of", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    const { state } = decodeAddress(text, presets);
    assertEquals(decodeAddress(encodeAddress(state, presets), presets).state, state);
  }));
});

Deno.test("the default state has an empty address", () => {
  assertEquals(encodeAddress(defaultState(presets), presets), "");
  assertEquals(decodeAddress("", presets), { state: defaultState(presets), problems: [] });
});

Deno.test("an address reads like a list of what is particular", () => {
  const state: AddressState = {
    ...defaultState(presets, "rings"),
    step: 1200,
    u: 0.5,
    pictures: { ...defaultPictures, compare: "both" },
    flowChoice: { ...defaultFlowChoice, solver: "euler" },
    settings: { ...presets.rings, estimator: "covariance", seed: 7, other: { "path.delta": 1e-3 } },
  };
  assertEquals(
    encodeAddress(state, presets),
    "data=rings&estimator=covariance&seed=7&step=1200&u=0.5&compare=both&solver=euler" +
      "&path.delta=0.001",
  );
});

Deno.test("defaults are those of the data that the address names", () => {
  assertEquals(decodeAddress("data=25gaussians", presets).state.settings.steps, 5000);
  const { steps } = decodeAddress("data=25gaussians&steps=3000", presets).state.settings;
  assertEquals(steps, 3000);
});

Deno.test("a bad value is named with its key and what was expected, and the default is taken", () => {
  const cases: [string, RegExp][] = [
    ["data=8gausians", /^data=8gausians: expected one of 8gaussians, /],
    ["estimator=steyn", /^estimator=steyn: expected one of stein, covariance/],
    ["width=12.5", /^width=12\.5: expected a whole number from 1 to 1024/],
    ["learningRate=0x10", /^learningRate=0x10: expected a number from 1e-8 to 10/],
    ["seed=-1", /^seed=-1: expected a whole number from 0/],
    ["u=3", /^u=3: expected a number from 0 to 2/],
    ["weights=0,0", /^weights=0,0: expected numbers of at least 0/],
    ["contours=1", /^contours=1: expected true or false/],
    ["path.delta=oops", /^path\.delta=oops: expected JSON/],
    ["colour=red", /^colour=red: there is no such key/],
    ["%E0%A4%A=1", /: there is no such key/],
  ];
  for (const [fragment, pattern] of cases) {
    const { state, problems } = decodeAddress(fragment, presets);
    assertEquals(problems.length, 1, fragment);
    assert(pattern.test(problems[0]), problems[0]);
    assertEquals(state, defaultState(presets), fragment);
  }
});

Deno.test("one bad key leaves the others as they are", () => {
  const { state, problems } = decodeAddress("#seed=5&width=no&data=rings", presets);
  assertEquals([state.settings.seed, state.settings.width, state.settings.data.name], [
    5,
    128,
    "rings",
  ]);
  assertEquals(problems.length, 1);
});

Deno.test("points that are no points are told of: none, odd bytes, too many", () => {
  const many: Point[] = Array.from({ length: MAX_POINTS + 1 }, () => [0, 0]);
  const tooMany = encodeAddress({
    ...defaultState(presets),
    strokes: [{ points: many, weight: 1 }],
    settings: {
      ...presets.rings,
      data: { name: "points", noise: null, weights: null, points: many },
    },
  }, presets);
  for (
    const fragment of ["data=points", "data=points&points=AAA", "data=points&points=!", tooMany]
  ) {
    const { state, problems } = decodeAddress(fragment, presets);
    assertEquals(problems.length, 1, fragment);
    assert(problems[0].startsWith("points="), problems[0]);
    assertEquals(state.settings.data.name, "8gaussians");
  }
});

Deno.test("strokes whose sizes or weights do not fit are told of, and the points are kept", () => {
  const points = "data=points&points=AAAAAP9__38";
  for (const rest of ["&strokes=1,2", "&strokes=0,2", "&strokes=1,1&weights=1,2,3"]) {
    const { state, problems } = decodeAddress(points + rest, presets);
    assertEquals(problems.length, 1, rest);
    assertEquals(state.settings.data.points, [[0, 0], [BOUND, BOUND]]);
  }
});

Deno.test("the presets of the tests are those of the core", () => {
  for (const [name, settings] of Object.entries(presets)) {
    assertEquals(settings, defaultSettings(name));
  }
});

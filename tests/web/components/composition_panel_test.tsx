import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { renderToString } from "preact-render-to-string";
import {
  type Composition,
  compositionOf,
  DEFAULT_WEIGHT,
  partOf,
  subjectAfter,
  sumInWords,
  sumOf,
  sumProblem,
  termsOf,
} from "../../../web/components/composition_panel/composition.ts";
import { CompositionPanel } from "../../../web/components/composition_panel/composition_panel.tsx";
import type { KeptPotential } from "../../../web/laboratory/engine_types.ts";
import { panelStore } from "./panel_store.ts";

const kept: KeptPotential[] = [
  { id: 4, name: "8gaussians", step: 3000, timeExplicit: true, uMax: 0.99 },
  { id: 7, name: "rings <b>", step: 1200, timeExplicit: true, uMax: 0.99 },
  { id: 9, name: "moons", step: 10, timeExplicit: false, uMax: 0.99 },
];
const parts = { 4: { chosen: true, weight: 1 }, 7: { chosen: true, weight: 0.6 } };
const both: Composition = { parts, normalised: false };

Deno.test("a sum has what is chosen, with its weight, and nothing else", () => {
  assertEquals(sumOf(kept, both), {
    kind: "sum",
    terms: [{ id: 4, weight: 1 }, { id: 7, weight: 0.6 }],
  });
  assertEquals(sumOf(kept, { parts: {}, normalised: true }), null);
  assertEquals(sumOf([], both), null);
  assertEquals(partOf({}, 4), { chosen: false, weight: DEFAULT_WEIGHT });
  assertEquals(sumInWords(termsOf(kept, both)), "8gaussians + 0.60 × rings <b>");
});

Deno.test("weights that are to sum to 1 do, in the proportions of the sliders", () => {
  const weights = fc.array(fc.double({ min: 0, max: 2, noNaN: true }), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(fc.property(weights, (chosen) => {
    fc.pre(chosen.some((weight) => weight > 1e-3));
    const parts = Object.fromEntries(
      chosen.map((weight, i) => [kept[i].id, { chosen: true, weight }]),
    );
    const terms = termsOf(kept, { parts, normalised: true });
    assertAlmostEquals(terms.reduce((sum, { weight }) => sum + weight, 0), 1, 1e-12);
    terms.forEach(({ weight }, i) =>
      assertAlmostEquals(weight * chosen[0], terms[0].weight * chosen[i], 1e-12)
    );
  }));
});

Deno.test("a sum that is shown is read back as it was", () => {
  const known = fc.dictionary(
    fc.constantFrom("4", "7", "9"),
    fc.record({
      chosen: fc.constant(true),
      weight: fc.double({ min: 0.01, max: 2, noNaN: true }),
    }),
    { minKeys: 1 },
  );
  fc.assert(fc.property(known, fc.boolean(), (parts, normalised) => {
    const sum = sumOf(kept, { parts, normalised })!;
    const again = sumOf(kept, compositionOf(kept, sum))!;
    assertEquals(again.terms.map(({ id }) => id), sum.terms.map(({ id }) => id));
    sum.terms.forEach(({ weight }, i) => assertAlmostEquals(again.terms[i].weight, weight, 1e-9));
  }));
  assertEquals(compositionOf(kept, { kind: "learned" }), { parts: {}, normalised: true });
});

Deno.test("the plane keeps to the sum while there is one, and is left alone when it shows another", () => {
  const sum = sumOf(kept, both)!;
  assertEquals(subjectAfter(sum, kept, { parts: { 4: parts[4] }, normalised: false }), {
    kind: "sum",
    terms: [{ id: 4, weight: 1 }],
  });
  assertEquals(subjectAfter(sum, [kept[2]], both), { kind: "learned" });
  assertEquals(subjectAfter({ kind: "exact" }, kept, both), { kind: "exact" });
});

Deno.test("sums that cannot do what is expected say so", () => {
  const problem = (composition: Composition) => sumProblem(termsOf(kept, composition));
  assertEquals(problem({ parts, normalised: true }), null);
  assertEquals(problem({ parts: {}, normalised: true }), null);
  assertStringIncludes(problem(both)!, "sum to 1.60, not to 1");
  const mixed = { ...parts, 9: { chosen: true, weight: 1 } };
  assertStringIncludes(problem({ parts: mixed, normalised: true })!, "knows the time");
  const none = { 4: { chosen: true, weight: 0 } };
  assertStringIncludes(problem({ parts: none, normalised: true })!, "nothing moves");
});

Deno.test("the panel guides whoever has kept nothing", () => {
  const html = renderToString(<CompositionPanel store={panelStore()} />);
  assertStringIncludes(html, "<li>train 8 Gaussians, and keep it;</li>");
  assertStringIncludes(html, 'placeholder="8gaussians 0"');
  assertStringIncludes(html, "Π ρᵢ^wᵢ");
  assert(!html.includes("style="));
});

Deno.test("what is kept is listed, each with a weight and a button of its own name", () => {
  const store = panelStore();
  store.kept.value = kept;
  store.subject.value = sumOf(kept, both)!;
  store.flowChoice.value = { ...store.flowChoice.value, refineSteps: 30 };
  const html = renderToString(<CompositionPanel store={store} />);
  for (const [, id] of html.matchAll(/<input[^>]* id="([^"]*)"/g)) {
    assertStringIncludes(html, `for="${id}"`);
  }
  assertStringIncludes(html, "step 3,000");
  assertStringIncludes(html, "Φ = 8gaussians + 0.60 × rings &lt;b");
  assertStringIncludes(html, 'aria-valuetext="30 steps"');
  assertEquals(html.match(/>Remove</g)!.length, 3);
});

import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { renderToString } from "preact-render-to-string";
import { odeMethods } from "../../../core/flow/ode/methods.ts";
import { solverNames } from "../../../core/flow/sampler.ts";
import { isSdeMethod } from "../../../core/flow/sde.ts";
import {
  formatTolerance,
  nearestStop,
  solverFacts,
  STEPS,
  TOLERANCES,
  traceOf,
} from "../../../web/components/solver_panel/solver_facts.ts";
import { SolverPanel } from "../../../web/components/solver_panel/solver_panel.tsx";
import { SolverResults } from "../../../web/components/solver_panel/solver_results.tsx";
import { solverStudy } from "../../../web/components/solver_panel/solver_study.ts";
import {
  withTried,
  workPrecisionSeries,
} from "../../../web/components/solver_panel/work_precision.ts";
import { solverLabels } from "../../../web/laboratory/choices.ts";
import type {
  SolverComparison,
  SolverComparisonRequest,
} from "../../../web/laboratory/engine_types.ts";
import { choiceOf, comparisonOf, mixtureFacts, panelStore, solvedFlow } from "./panel_store.ts";

Deno.test("what the page says of each solver is what the core has", () => {
  assertEquals(Object.keys(solverFacts).sort(), [...solverNames].sort());
  for (const name of solverNames) {
    const { group, order, adaptive } = solverFacts[name];
    if (isSdeMethod(name)) {
      assertEquals([group, adaptive], ["stochastic", false]);
    } else {
      const method = odeMethods[name];
      assertEquals([order, adaptive], [method.order, method.adaptive]);
      const expected = method.implicit ? "implicit" : method.adaptive ? "adaptive" : "fixed";
      assertEquals(group, expected);
    }
  }
});

Deno.test("sliders stop at ascending steps and ever tighter tolerances, and show other values near them", () => {
  assert(STEPS.every((value, i) => i === 0 || value > STEPS[i - 1]));
  assert(TOLERANCES.every((value, i) => i === 0 || value < TOLERANCES[i - 1]));
  assertEquals([TOLERANCES[0], TOLERANCES.at(-1)], [1e-1, 1e-8]);
  TOLERANCES.forEach((value, i) => assertEquals(nearestStop(TOLERANCES, value), i));
  assertEquals(STEPS[nearestStop(STEPS, 9999)], 1000);
  assertEquals([3e-4, 1e-8, 2.5e-3, 1].map(formatTolerance), ["3e−4", "1e−8", "2.5e−3", "1e0"]);
});

Deno.test("work and error of what was tried: stochastic and failed ones have no point", () => {
  const choices = [choiceOf("euler"), choiceOf("radau"), choiceOf("euler-maruyama")];
  const flows = [solvedFlow(100, 0.5), { failure: "too many steps" }, solvedFlow(100, null)];
  const first = withTried({ context: "", points: [] }, "a", choices, comparisonOf(flows));
  assertEquals(first.points, [{ solver: "euler", work: 100, error: 0.5 }]);
  const implicit = comparisonOf([solvedFlow(40, 0.01, 300)]);
  const second = withTried(first, "a", [choiceOf("backward-euler")], implicit);
  assertEquals(second.points[1], { solver: "backward-euler", work: 340, error: 0.01 });
  const again = withTried(second, "a", [choiceOf("euler")], comparisonOf([solvedFlow(100, 0.4)]));
  assertEquals(again.points.filter(({ solver }) => solver === "euler").map((p) => p.error), [0.4]);
  const other = withTried(again, "b", [choiceOf("euler")], comparisonOf([solvedFlow(9, 0.7)]));
  assertEquals(other.points.length, 1, "another flow's points cannot be compared");
});

Deno.test("each solver has a curve by work, with the same colour and marker whatever else was tried", () => {
  const solver = fc.constantFrom(...solverNames.filter((name) => !isSdeMethod(name)));
  const point = fc.record({
    solver,
    work: fc.integer({ min: 1, max: 5000 }),
    error: fc.double({ min: 1e-9, max: 10, noNaN: true }),
  });
  fc.assert(fc.property(fc.array(point, { maxLength: 40 }), (points) => {
    const series = workPrecisionSeries(points);
    assertEquals(series.reduce((sum, { x }) => sum + x.length, 0), points.length);
    for (const { x, label, color, marker } of series) {
      assert(x.every((work, i) => i === 0 || work >= x[i - 1]));
      const own = points.find(({ solver }) => solverLabels[solver] === label)!;
      const [alone] = workPrecisionSeries([own]);
      assertEquals([alone.color, alone.marker], [color, marker]);
    }
    const looks = series.map(({ color, marker }) => `${color} ${marker}`);
    assertEquals(new Set(looks).size, looks.length);
  }));
});

Deno.test("on the server: both controls of a solver are named, and nothing is in the table yet", () => {
  const html = renderToString(<SolverPanel store={panelStore()} />);
  for (const group of ["equal steps", "adaptive steps", "Implicit", "Stochastic"]) {
    assert(new RegExp(`<optgroup label="[^"]*${group}`).test(html), group);
  }
  assertEquals([...html.matchAll(/<option /g)].length, solverNames.length);
  for (const [, id] of html.matchAll(/<(?:input|select)[^>]* id="([^"]*)"/g)) {
    assertStringIncludes(html, `for="${id}"`);
  }
  assertStringIncludes(html, 'aria-valuetext="1e−3"');
  assertStringIncludes(html, "Order 5.");
  assert(html.includes("<td>–</td>") && !html.includes("style="));
});

/** A study whose engine is answered by hand. */
function studied() {
  const asked: {
    request: SolverComparisonRequest;
    answer(comparison: SolverComparison): Promise<void>;
    fail(message: string): Promise<void>;
  }[] = [];
  const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
  const store = panelStore((request) =>
    new Promise((resolve, reject) =>
      asked.push({
        request,
        answer: (comparison) => (resolve(comparison), settled()),
        fail: (message) => (reject(new Error(message)), settled()),
      })
    )
  );
  store.facts.value = mixtureFacts;
  const study = solverStudy(store);
  let time = 0;
  const page = {
    // Time flies, so that calls need not keep their distance.
    now: () => time += 1e6,
    later: () => () => {},
    hidden: () => false,
  };
  return { store, study, asked, end: study.start(page) };
}

Deno.test("one call is outstanding; the next asks for what is wanted by then", async () => {
  const { store, study, asked, end } = studied();
  assertEquals(asked.length, 0, "nothing before the engine is ready");
  store.status.value = "ready";
  assertEquals(asked.length, 1);
  assertEquals(asked[0].request.solvers, [choiceOf("rk45")]);
  for (const tolerance of [1e-4, 1e-5, 1e-6]) {
    store.flowChoice.value = { ...store.flowChoice.value, tolerance };
  }
  assertEquals(asked.length, 1);
  await asked[0].answer(comparisonOf([solvedFlow(56, 1e-3)]));
  assertEquals(asked.length, 2);
  assertEquals(asked[1].request.solvers, [choiceOf("rk45", { tolerance: 1e-6 })]);
  assertEquals(study.answer.value!.comparison.flows.length, 1);
  assertEquals(store.comparison.value, null, "one solver alone is no comparison on the plane");
  end();
});

Deno.test("a second solver is shown on the plane until it is switched off", async () => {
  const { store, study, asked, end } = studied();
  store.status.value = "ready";
  study.second.value = choiceOf("euler", { steps: 20 });
  await asked[0].answer(comparisonOf([solvedFlow(56, 1e-3)]));
  assertEquals(asked[1].request.solvers.map(({ solver }) => solver), ["rk45", "euler"]);
  assert(asked[1].request.frames > 30, "the plane needs the way as well as its end");
  const comparison = comparisonOf([solvedFlow(56, 1e-3), solvedFlow(20, 0.3)]);
  await asked[1].answer(comparison);
  assertEquals(store.comparison.value, comparison);
  assertEquals(study.tried.value.points.map(({ error }) => error), [1e-3, 0.3]);
  study.second.value = null;
  assertEquals(store.comparison.value, null);
  end();
});

Deno.test("what comes of a run that has been replaced is dropped, its failure too", async () => {
  const { store, study, asked, end } = studied();
  store.status.value = "ready";
  store.facts.value = { ...mixtureFacts };
  await asked[0].answer(comparisonOf([solvedFlow(56, 1e-3)]));
  assertEquals([study.answer.value, study.tried.value.points], [null, []]);
  assertEquals(asked.length, 2, "the new run is asked of");
  await asked[1].fail("not finite at u = 0.5");
  assertEquals(study.failure.value, "not finite at u = 0.5");
  store.facts.value = { ...mixtureFacts };
  assertEquals(study.failure.value, null);
  end();
});

Deno.test("unseen and alone it asks for nothing; a step further what was tried is of another flow", async () => {
  const { store, study, asked, end } = studied();
  study.seen.value = false;
  store.status.value = "ready";
  assertEquals(asked.length, 0);
  study.seen.value = true;
  await asked[0].answer(comparisonOf([solvedFlow(56, 1e-3)]));
  store.step.value = 10;
  await asked[1].answer(comparisonOf([solvedFlow(62, 2e-3)]));
  assertEquals(study.tried.value.points, [{ solver: "rk45", work: 62, error: 2e-3 }]);
  end();
});

Deno.test("the whole curve of a solver is one call, and a call that fails is one line", async () => {
  const { store, study, asked, end } = studied();
  store.status.value = "ready";
  await asked[0].fail("the worker is gone; load the page again");
  assertEquals(study.failure.value, "the worker is gone; load the page again");
  study.trace();
  assert(study.tracing.value);
  const { solvers } = asked[1].request;
  assertEquals(solvers, traceOf(choiceOf("rk45")));
  assertEquals(new Set(solvers.map(({ tolerance }) => tolerance)).size, 6);
  await asked[1].answer(comparisonOf(solvers.map((_, i) => solvedFlow(10 * (i + 1), 10 ** -i))));
  assert(!study.tracing.value);
  assertEquals(study.failure.value, null);
  const [curve] = workPrecisionSeries(study.tried.value.points);
  assertEquals(curve.x, [10, 20, 30, 40, 50, 60]);
  curve.y.forEach((error, i) => assertAlmostEquals(error, 10 ** -i, 1e-12));
  study.clear();
  assertEquals(study.tried.value.points, []);
  end();
});

Deno.test("beyond the path's end a flow goes as far as the slider, but with a stochastic solver", () => {
  const { store, asked, end } = studied();
  store.uEnd.value = 1.5;
  store.status.value = "ready";
  assertEquals(asked[0].request.until, 1.5);
  end();
  const other = studied();
  other.store.uEnd.value = 1.5;
  other.store.flowChoice.value = { ...other.store.flowChoice.value, solver: "stochastic-heun" };
  other.store.status.value = "ready";
  assertEquals(other.asked[0].request.until, null);
  other.end();
});

Deno.test("the table: evaluations, products, time, errors; random and failed are said in words", async () => {
  const { store, study, asked, end } = studied();
  study.second.value = choiceOf("radau");
  store.flowChoice.value = { ...store.flowChoice.value, solver: "euler-maruyama" };
  store.status.value = "ready";
  await asked[0].answer(
    comparisonOf([solvedFlow(1200, null), { failure: "more than 10000 steps; loosen it" }]),
  );
  const html = renderToString(<SolverResults store={store} study={study} />);
  for (const text of ["1,200", "random", "failed", "12 ms", "DOP853", "1e−7", "1e−5"]) {
    assertStringIncludes(html, text);
  }
  assert(/role="alert"[^>]*>Radau: more than 10000 steps; loosen it</.test(html));
  end();
});

/** @file The laboratory's page as the server renders it, and its parts in the states that a page has. */
import { computed } from "@preact/signals";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { renderToString } from "preact-render-to-string";
import { toyDistributions } from "../../../core/data/toy.ts";
import type { ToyName } from "../../../core/data/toy.ts";
import { ChoicesPanel } from "../../../web/components/laboratory/choices_panel.tsx";
import { DataPanel } from "../../../web/components/laboratory/data_panel.tsx";
import { Notices } from "../../../web/components/laboratory/notices.tsx";
import { planeSources } from "../../../web/components/laboratory/plane_views.ts";
import { PictureChoiceRow } from "../../../web/components/laboratory/picture_choices.tsx";
import { pictureCaption } from "../../../web/components/laboratory/saved_picture.ts";
import { firstDrawing, thumbnailPoints } from "../../../web/components/laboratory/thumbnails.ts";
import { TimeSlider, timeWords } from "../../../web/components/laboratory/time_slider.tsx";
import { DeviceLine, TransportBar } from "../../../web/components/laboratory/transport.tsx";
import { toyLabels } from "../../../web/laboratory/choices.ts";
import { laboratoryStore } from "../../../web/laboratory/state.ts";
import { laboratoryPage } from "../../../web/routes/laboratory_page.tsx";
import { fakeEngine } from "../laboratory/fake_engine.ts";
import { fakePage } from "../laboratory/fake_page.ts";
import { presets } from "../laboratory/test_presets.ts";

async function started(fragment = "") {
  const engine = fakeEngine(), page = fakePage(fragment);
  const store = laboratoryStore({ presets }, engine.connect, page);
  store.start();
  await page.pass(2000);
  return { engine, page, store };
}

/** The controls of a page that no label, legend or text of their own names. */
function unnamedControls(html: string): string[] {
  const labelled = new Set([...html.matchAll(/<label[^>]*\sfor="([^"]+)"/g)].map(([, id]) => id));
  const inLabels = html.match(/<label[^>]*>.*?<\/label>/gs)?.join("") ?? "";
  const fields = [...html.matchAll(/<(?:input|select|textarea|progress)\b[^>]*>/g)]
    .map(([tag]) => tag)
    .filter((tag) => {
      const id = /\sid="([^"]+)"/.exec(tag)?.[1];
      return !(id && labelled.has(id)) && !inLabels.includes(tag) && !tag.includes("aria-label=");
    });
  const buttons = [...html.matchAll(/<button\b([^>]*)>(.*?)<\/button>/gs)]
    .filter(([, attributes, content]) =>
      !attributes.includes("aria-label=") && content.replace(/<[^>]*>/g, "").trim() === ""
    )
    .map(([tag]) => tag);
  return [...fields, ...buttons];
}

Deno.test("the server's first view says what the page is, has all panels, and does not answer yet", () => {
  const html = renderToString(laboratoryPage());
  for (
    const heading of [
      "Data",
      "Training",
      "Picture",
      "Curves",
      "Solvers",
      "Composition",
      "Keep and share",
    ]
  ) {
    assert(new RegExp(`<h2[^>]*>${heading}</h2>`).test(html), heading);
  }
  assertStringIncludes(html, "<h1>");
  assertStringIncludes(html, "<noscript>");
  assert(/<div class="laboratory" inert/.test(html));
});

Deno.test("the first view keeps the strict content security policy", () => {
  const html = renderToString(laboratoryPage());
  assert(!/\sstyle=/.test(html), "style attributes");
  assert(!/<style\b/.test(html), "style elements");
  assert(!/\son[a-z]+=/.test(html), "event handlers");
  const scripts = [...html.matchAll(/<script[^>]*>(.*?)<\/script>/gs)];
  assertEquals(scripts.map(([, content]) => content), [""]);
});

Deno.test("every control has a name, before the run is open, after it, and with a drawing", async () => {
  assertEquals(unnamedControls(renderToString(laboratoryPage())), []);
  const { store, page } = await started("data=points&points=AAAAAP9__38&weights=1,2&strokes=1,1");
  await page.pass(1000);
  const html = renderToString(
    <>
      <TransportBar store={store} />
      <DataPanel store={store} />
      <ChoicesPanel store={store} />
      <TimeSlider store={store} />
      <PictureChoiceRow store={store} />
    </>,
  );
  assertEquals(unnamedControls(html), []);
  assertStringIncludes(html, "Stroke 2 (1 point)");
  assertStringIncludes(html, "2 of at most 500 points");
});

Deno.test("ids of a page are its own", () => {
  const ids = [...renderToString(laboratoryPage()).matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
  assertEquals(ids.length, new Set(ids).size);
});

Deno.test("every setting of a run says that it starts training anew; choices of view do not", async () => {
  const { store } = await started();
  const marks = (html: string) => html.split("starts training anew)").length - 1;
  const html = renderToString(<ChoicesPanel store={store} />);
  const labels = html.split('class="lab-label"').length - 1;
  assertEquals([labels, marks(html)], [15, 15]);
  assertEquals(marks(renderToString(<PictureChoiceRow store={store} />)), 0);
});

Deno.test("a value that is not offered is there besides the others", async () => {
  const { store } = await started("width=77&learningRate=0.0123");
  const html = renderToString(<ChoicesPanel store={store} />);
  assert(/<option[^>]*selected[^>]*>77<\/option>/.test(html));
  assert(/<option[^>]*selected[^>]*>0\.0123<\/option>/.test(html));
});

Deno.test("components that the run names have a slider each", async () => {
  const { store } = await started("weights=1,1,1,1,1,1,1,3");
  const html = renderToString(<DataPanel store={store} />);
  assertStringIncludes(html, "Weights of 8 components");
  assert(/max="4"[^>]*value="3"/.test(html));
});

Deno.test("the bar says where training is", async () => {
  const { engine, store } = await started();
  const bar = () => renderToString(<TransportBar store={store} />);
  assertStringIncludes(bar(), "Train</button>");
  assertStringIncludes(bar(), ">ready<");
  engine.tell({ step: 1200, playing: true, stepsPerSecond: 90 });
  assertStringIncludes(bar(), "Pause</button>");
  assertStringIncludes(bar(), "1,200");
  assertStringIncludes(bar(), "90 steps/s");
  engine.tell({ step: 3000 });
  assertStringIncludes(bar(), ">finished<");
  assert(/<button[^>]*lab-play[^>]*disabled/.test(bar()));
});

Deno.test("the device is told in words, with the reason", async () => {
  const { store } = await started();
  const text = renderToString(<DeviceLine store={store} />).replace(/<[^>]*>/g, "");
  assertEquals(text, "Trains on WebAssembly, 1 thread (asked for).");
});

Deno.test("notices: an error with its remedy, an address in one notice, a replay with a way to stop", async () => {
  const { engine, store } = await started("colour=red&width=no&step=50");
  const html = renderToString(<Notices store={store} />);
  assertEquals(html.split('role="alert"').length - 1, 1);
  assertStringIncludes(html, "width=no: expected a whole number from 1 to 1024");
  assertStringIncludes(html, "Replaying 50 steps: a run is a function of its settings and seed.");
  assertStringIncludes(html, "Stop here");
  store.addressProblems.value = [];
  engine.fail("the loss is not finite");
  const failed = renderToString(<Notices store={store} />);
  assertStringIncludes(failed, "the loss is not finite");
  assertStringIncludes(failed, "Start again");
});

Deno.test("where no exact answer is known the comparison is off, and says why", async () => {
  const { store } = await started("data=rings&compare=both");
  const html = renderToString(<PictureChoiceRow store={store} />);
  assert(/value="both"[^>]*disabled/.test(html));
  assertStringIncludes(html, "exact answers are known for mixtures of Gaussians");
  assertEquals(planeSources(store).map(({ key }) => key), ["learned"]);
});

Deno.test("planes side by side: learned and exact, their difference, a sum, two solvers", async () => {
  const { store } = await started("compare=both");
  const keys = () => planeSources(store).map(({ key }) => key);
  assertEquals(keys(), ["learned", "exact"]);
  assert(planeSources(store).every((source) => source.field() && source.reference()));
  store.pictures.value = { ...store.pictures.value, compare: "difference" };
  assertEquals(planeSources(store)[0].flows().length, 2);
  store.subject.value = { kind: "sum", terms: [] };
  assertEquals([keys(), planeSources(store)[0].whose], [["learned"], "of the composition"]);
  const flow = store.flow.value!,
    reference = { solver: "radau", tolerance: 1, evaluations: 1 } as const;
  store.comparison.value = {
    flows: [{ ...flow, error: null, largestError: null }, { failure: "too stiff" }],
    reference,
  };
  assertEquals(planeSources(store).map(({ title, flows }) => [title, flows().length]), [
    ["Solver A (discs)", 1],
    ["Solver B: too stiff", 0],
  ]);
});

Deno.test("the time's slider goes on past 1 where a potential does not know it", async () => {
  const explicit = renderToString(<TimeSlider store={(await started()).store} />);
  assert(/type="range"[^>]*max="0\.99"/.test(explicit));
  const implicit = renderToString(
    <TimeSlider store={(await started("timeExplicit=false")).store} />,
  );
  assert(/type="range"[^>]*max="2"/.test(implicit));
  assertStringIncludes(implicit, "2: refined beyond");
  assertEquals(timeWords(0, 0.99), "u = 0.000, the noise");
  assertEquals(timeWords(0.99, 0.99), "u = 0.990, the data");
  assertEquals(timeWords(1.5, 2), "u = 1.500, beyond the data, refined");
});

Deno.test("a saved picture says what it is of", async () => {
  const { store } = await started("data=2moons&seed=3&timeExplicit=false&u=0.5");
  const caption = pictureCaption(store).join(" ");
  for (const part of ["2moons", "step 0", "u = 0.5", "seed 3", "stein", "Φ(x) of 3 × 128 units"]) {
    assertStringIncludes(caption, part);
  }
});

Deno.test("points of a button lie where the distribution's density is, one like the other", () => {
  for (const name of ["8gaussians", "25gaussians", "checkerboard", "rings"] as ToyName[]) {
    const points = thumbnailPoints(name, 200);
    const density = toyDistributions[name].density!(Float64Array.from(points.flat()));
    const likely = density.filter((value) => value > 1 / 1000).length;
    assert(likely > 190, `${name}: ${likely} of 200`);
  }
  for (const name of Object.keys(toyLabels) as ToyName[]) {
    const points = thumbnailPoints(name, 200);
    assert(points.every(([x, y]) => Math.max(Math.abs(x), Math.abs(y)) < 5), name);
    const mean = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / 200);
    assert(Math.hypot(...mean) < 0.7, `${name}: mean ${mean}`);
  }
  assert(firstDrawing().flat().length > 20);
});

Deno.test("solvers that are compared anew are drawn anew, from the same planes", async () => {
  const { store } = await started();
  const reference = { solver: "dop853", tolerance: 1e-7, evaluations: 200 } as const;
  const flow = { ...store.flow.value!, error: 0, largestError: 0 };
  store.comparison.value = { flows: [flow], reference };
  const [plane] = planeSources(store), drawn = computed(() => plane.flows());
  assertEquals(drawn.value, [flow]);
  const finer = { ...flow, evaluations: 400 };
  store.comparison.value = { flows: [finer], reference };
  assertEquals(drawn.value, [finer]);
  store.comparison.value = { flows: [{ failure: "too many" }], reference };
  assertEquals(drawn.value, []);
});

Deno.test("weights cannot all be 0, and are those of the data that are chosen", async () => {
  const { store, page } = await started("weights=0,0,0,2,0,0,0,0");
  const sliders = () =>
    renderToString(<DataPanel store={store} />).match(/<input[^>]*max="4"[^>]*>/g) ?? [];
  assertEquals(sliders().map((tag) => /min="([^"]*)"/.exec(tag)?.[1]), [
    ...["0", "0", "0", "0.1", "0", "0", "0", "0"],
  ]);
  // Until its run is open, nobody knows what another distribution is made of.
  store.change({ data: { name: "rings", noise: null, weights: null, points: null } });
  assertEquals(sliders(), []);
  await page.pass(1000);
});

/** @file The state of the laboratory's page over a fake engine: what is asked, when, and what is shown. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { FieldRequest, FlowRequest } from "../../../web/laboratory/engine_types.ts";
import type { LaboratorySettings } from "../../../web/laboratory/settings.ts";
import { changedSettings, laboratoryStore } from "../../../web/laboratory/state.ts";
import { type FakeEngine, fakeEngine } from "./fake_engine.ts";
import { type FakePage, fakePage } from "./fake_page.ts";
import { presets } from "./test_presets.ts";

/** A page that is live, with its run open. */
async function started(
  fragment = "",
  prepare: (engine: FakeEngine, page: FakePage) => void = () => {},
) {
  const engine = fakeEngine(), page = fakePage(fragment);
  prepare(engine, page);
  const store = laboratoryStore({ presets }, engine.connect, page);
  store.start();
  await page.pass(0);
  return { engine, page, store };
}

/** A start before which nothing is asked. */
async function settled(fragment = "") {
  const all = await started(fragment);
  await all.page.pass(2000);
  all.engine.calls.length = 0;
  return all;
}

/** Reading an answer's body takes more than settled promises. */
async function called(engine: FakeEngine, name: "open" | "openRun"): Promise<void> {
  while (engine.of(name).length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}

const requests = (engine: FakeEngine, name: "field" | "flow") =>
  engine.of(name).map(({ given }) => given[0] as FieldRequest & FlowRequest);

const openedSettings = (engine: FakeEngine) =>
  engine.of("open").map(({ given }) => given[0] as LaboratorySettings);

Deno.test("nothing is connected before the start", () => {
  const engine = fakeEngine();
  const store = laboratoryStore({ presets }, engine.connect, fakePage());
  assertEquals(engine.made.connections, 0);
  assertEquals([store.status.value, store.settings.value, store.address()], [
    "starting",
    presets["8gaussians"],
    "",
  ]);
});

Deno.test("a start opens the run, and asks for a field, a flow and data, once each", async () => {
  const { engine, page, store } = await started();
  await page.pass(3000);
  assertEquals(store.status.value, "ready");
  const count = (name: "open" | "dataSamples" | "flow") => engine.of(name).length;
  assertEquals([count("open"), count("dataSamples"), count("flow")], [1, 1, 1]);
  // While u has just been set the grid is coarse, and at rest it is fine.
  assertEquals(requests(engine, "field").map(({ size }) => size), [64, 128]);
  // The end of the time that such a potential is known for.
  assertEquals(requests(engine, "field").map(({ u }) => u), [0.99, 0.99]);
  assertEquals([store.field.value?.size, store.flow.value?.n], [128, 500]);
  assertEquals([engine.of("play").length, engine.of("measure").length], [0, 0]);
});

Deno.test("a new step asks for a new field and flow of what is learned, and not of the exact one", async () => {
  const { engine, page, store } = await settled("compare=both");
  engine.tell({ step: 10 });
  await page.pass(2000);
  const kinds = [...requests(engine, "field"), ...requests(engine, "flow")]
    .map(({ subject }) => subject.kind);
  assertEquals(kinds, ["learned", "learned"]);
  assertEquals([store.field.value?.step, store.flow.value?.step], [10, 10]);
  // ∇(½k|x|²) = kx, k = 1.01 after ten steps.
  const { velocity, extent, size } = store.field.value!;
  assertAlmostEquals(velocity[0], -1.01 * extent * (1 - 1 / size), 1e-5);
});

Deno.test("the exact answers are asked for only where they are known and seen", async () => {
  const { engine, page, store } = await settled();
  store.pictures.value = { ...store.pictures.value, compare: "difference" };
  await page.pass(2000);
  const exact = [...requests(engine, "field"), ...requests(engine, "flow")];
  assertEquals(exact.map(({ subject }) => subject.kind), ["exact", "exact"]);
  assertEquals(store.comparing.value, "difference");
  assertEquals([store.exactField.value?.u, store.field.value?.u], [0.99, 0.99]);
  store.change({ data: { name: "rings", noise: null, weights: null, points: null } });
  await page.pass(2000);
  assertEquals(store.comparing.value, "learned");
  assertEquals(store.pictures.value.compare, "difference");
});

Deno.test("while training at most 15 fields and 1.5 flows a second are asked for, one at a time", async () => {
  const { engine, page } = await settled();
  engine.tell({ step: 1, playing: true });
  const seconds = 10;
  for (let step = 2; step < 100 * seconds; step++) {
    engine.tell({ step, playing: true, stepsPerSecond: 100 });
    await page.pass(10);
  }
  const fields = engine.of("field").length, flows = engine.of("flow").length;
  assert(fields > 10 * seconds && fields <= 15 * seconds + 1, `${fields} fields`);
  assert(flows > seconds && flows <= 1.5 * seconds + 1, `${flows} flows`);
  const measures = engine.of("measure").length;
  assert(measures >= seconds / 2 - 1 && measures <= seconds / 2 + 1, `${measures} measures`);
});

Deno.test("a slow engine has one call of a kind outstanding, and gets the last question", async () => {
  const { engine, page, store } = await settled();
  engine.hold = true;
  for (const u of [0.1, 0.2, 0.3, 0.4]) {
    store.u.value = u;
    await page.pass(300);
  }
  assertEquals(requests(engine, "field").map(({ u }) => u), [0.1]);
  engine.hold = false;
  engine.release();
  await page.pass(1000);
  assertEquals(requests(engine, "field").at(-1)?.u, 0.4);
  assertEquals(store.field.value?.u, 0.4);
});

Deno.test("a page that nobody sees asks for nothing, and catches up when it is shown", async () => {
  const { engine, page, store } = await settled();
  page.isHidden = true;
  engine.tell({ step: 50, playing: true });
  await page.pass(5000);
  assertEquals(engine.calls, []);
  page.isHidden = false;
  page.fire("visibilitychange");
  await page.pass(1000);
  assertEquals([store.field.value?.step, store.flow.value?.step], [50, 50]);
});

Deno.test("what nobody sees is not asked for", async () => {
  const { engine, page, store } = await settled();
  store.measuring.value = false;
  store.pictures.value = {
    ...store.pictures.value,
    field: "none",
    velocity: "none",
    contours: false,
    particles: false,
    trails: false,
  };
  engine.tell({ step: 50 });
  await page.pass(5000);
  assertEquals(engine.calls, []);
});

Deno.test("a change starts the run anew after a moment, the last of many, and it goes on", async () => {
  const { engine, page, store } = await settled();
  store.u.value = 0.3;
  engine.tell({ step: 100, playing: true, metrics: [{ step: 100, loss: 1 }] });
  for (const spectralGap of [0.1, 0.2, 0.3]) store.change({ spectralGap });
  store.change({ width: 64 });
  assertEquals([store.settings.value.spectralGap, store.opening.value], [0.3, true]);
  // What the old run still tells is nobody's business.
  engine.tell({ step: 110, playing: true });
  await page.pass(1000);
  const [{ given: [opened] }, ...more] = engine.of("open");
  assertEquals([opened, more.length], [
    { ...presets["8gaussians"], spectralGap: 0.3, width: 64 },
    0,
  ]);
  assertEquals(engine.of("play").map(({ given }) => given), [[]]);
  assertEquals([store.step.value, store.playing.value, store.metrics.value], [0, true, []]);
  assertEquals(store.u.value, 0.3);
});

Deno.test("a paused run stays paused when a setting changes, and a reset pauses", async () => {
  const { engine, page, store } = await settled();
  store.change({ seed: 3 });
  await page.pass(1000);
  assertEquals([engine.of("open").length, engine.of("play").length], [1, 0]);
  engine.tell({ step: 5, playing: true });
  store.reset();
  await page.pass(1000);
  assertEquals([engine.of("play").length, store.playing.value, store.step.value], [0, false, 0]);
});

Deno.test("an answer of the run before is dropped", async () => {
  const { engine, page, store } = await settled();
  engine.tell({ step: 7 });
  engine.hold = true;
  store.u.value = 0.2;
  await page.pass(100);
  assert(engine.of("field").length > 0);
  store.reset();
  engine.release();
  await page.pass(100);
  engine.hold = false;
  engine.release();
  await page.pass(2000);
  assertEquals([store.field.value?.step, store.flow.value?.step, store.step.value], [0, 0, 0]);
});

Deno.test("the data's preset brings its steps, and what was chosen stays", () => {
  const data = { name: "25gaussians", noise: null, weights: null, points: null } as const;
  const chosen = changedSettings(presets["8gaussians"], { seed: 9 }, presets);
  const next = changedSettings(chosen, { data }, presets);
  assertEquals([next.steps, next.seed], [5000, 9]);
  const own = changedSettings({ ...chosen, steps: 700 }, { data }, presets);
  assertEquals(own.steps, 700);
});

Deno.test("a link is replayed to its step with a goal, and can be stopped", async () => {
  const { engine, page, store } = await started("data=rings&step=1200&u=0.5&contours=false");
  assertEquals(engine.of("open")[0].given, [presets.rings]);
  assertEquals(engine.of("play").map(({ given }) => given), [[1200]]);
  assertEquals([store.replay.value, store.playing.value, store.u.value], [{ to: 1200 }, true, 0.5]);
  assertEquals(store.pictures.value.contours, false);
  engine.tell({ step: 600, playing: true });
  assertEquals(store.replay.value, { to: 1200 });
  // The address keeps its goal until it is reached or given up.
  await page.pass(2000);
  assertEquals(page.address.fragment, "data=rings&step=1200&u=0.5&contours=false");
  store.pause();
  engine.tell({ step: 601 });
  await page.pass(2000);
  assertEquals([store.replay.value, page.address.fragment], [
    null,
    "data=rings&step=601&u=0.5&contours=false",
  ]);
});

Deno.test("a replay ends at its goal", async () => {
  const { engine, store } = await started("step=30");
  engine.tell({ step: 30, playing: false });
  assertEquals([store.replay.value, store.playing.value, store.step.value], [null, false, 30]);
});

Deno.test("the address follows what is chosen, in place and not at every change", async () => {
  const { engine, page, store } = await settled();
  const before = page.writes.length;
  for (let i = 0; i < 100; i++) {
    store.u.value = i / 100;
    await page.pass(16);
  }
  assert(page.writes.length - before <= 3, `${page.writes.length - before} writes`);
  engine.tell({ step: 40 });
  store.flowChoice.value = { ...store.flowChoice.value, solver: "euler", steps: 20 };
  await page.pass(2000);
  assertEquals(
    page.address.fragment,
    "step=40&solver=euler&solverSteps=20",
  );
});

Deno.test("an address that somebody edits is followed; a bad key is told of", async () => {
  const { engine, page, store } = await settled();
  page.address.fragment = "data=2moons&seed=4&colour=red";
  page.fire("hashchange");
  await page.pass(1000);
  assertEquals(store.settings.value, { ...presets["2moons"], seed: 4 });
  assertEquals(store.addressProblems.value.length, 1);
  assertEquals(engine.of("open").length, 1);
});

Deno.test("u runs to its end, rests there, and begins again; without time input it goes to 2", async () => {
  const { page, store } = await settled();
  store.advance(1000);
  assertEquals(store.u.value, 0.99);
  store.u.value = 0;
  store.timePlaying.value = true;
  store.advance(100);
  assertAlmostEquals(store.u.value, 0.025, 1e-12);
  for (let i = 0; i < 39; i++) store.advance(100);
  assertEquals(store.u.value, 0.99);
  store.advance(1000);
  assertEquals(store.u.value, 0.99);
  store.advance(300);
  assertEquals(store.u.value, 0);
  store.change({ timeExplicit: false });
  await page.pass(2000);
  assertEquals(store.uEnd.value, 2);
  store.u.value = 1.5;
  store.change({ timeExplicit: true });
  await page.pass(2000);
  assertEquals([store.uEnd.value, store.u.value], [0.99, 0.99]);
});

Deno.test("particles without time input are carried to the slider's end", async () => {
  const { engine, page } = await settled("timeExplicit=false");
  engine.tell({ step: 3 });
  await page.pass(1000);
  assertEquals(requests(engine, "flow").map(({ until, frames }) => [until, frames]), [[2, 121]]);
});

Deno.test("u beyond 1 in a link stays, and a stochastic solver ends where it can", async () => {
  const { page, store, engine } = await started("timeExplicit=false&u=1.5&solver=euler-maruyama");
  await page.pass(2000);
  assertEquals([store.u.value, store.uEnd.value], [1.5, 2]);
  assertEquals(requests(engine, "flow").map(({ until }) => until), [null]);
  page.address.fragment = "u=0.5";
  page.fire("hashchange");
  await page.pass(2000);
  page.address.fragment = "timeExplicit=false&u=2";
  page.fire("hashchange");
  await page.pass(2000);
  assertEquals([store.u.value, page.address.fragment], [2, "timeExplicit=false&u=2"]);
});

Deno.test("a sum's u ends where the first of its terms does, also while one is dropped", async () => {
  const { store } = await settled();
  const one = { id: 1, name: "one", step: 0, timeExplicit: false, uMax: 0.99 };
  const two = { id: 2, name: "two", step: 0, timeExplicit: true, uMax: 0.9 };
  const sum = (...ids: number[]) => ({
    kind: "sum" as const,
    terms: ids.map((id) => ({ id, weight: 1 })),
  });
  store.kept.value = [one, two];
  store.subject.value = sum(1);
  assertEquals(store.uEnd.value, 2);
  store.subject.value = sum(1, 2);
  assertEquals(store.uEnd.value, 0.9);
  store.kept.value = [one];
  assertEquals(store.uEnd.value, 0.99);
  store.kept.value = [];
  assertEquals(store.uEnd.value, 0.99);
});

Deno.test("a drawing is trained on when it has points, and is in the address", async () => {
  const { engine, page, store } = await settled();
  store.draw([{ points: [[0, 1], [1, 0]], weight: 1 }, { points: [[2, 2]], weight: 3 }]);
  await page.pass(2000);
  const [{ given: [opened] }] = engine.of("open");
  assertEquals(opened, {
    ...presets["8gaussians"],
    data: { name: "points", noise: null, points: [[0, 1], [1, 0], [2, 2]], weights: [1, 1, 3] },
  });
  assert(/^data=points&weights=1,3&strokes=2,1&points=/.test(page.address.fragment));
  store.draw([]);
  await page.pass(2000);
  assertEquals([engine.of("open").length, store.strokes.value], [1, []]);
  assertEquals(store.settings.value.data.points?.length, 3);
});

Deno.test("points far out widen the square that is seen", async () => {
  const { store } = await settled();
  assertEquals(store.extent.value, 5);
  store.draw([{ points: [[-7.2, 0]], weight: 1 }]);
  assertEquals(store.extent.value, 8);
});

Deno.test("what fails is one line, and the page goes on", async () => {
  const { engine, page, store } = await settled();
  engine.broken.set("open", "learning rate is −1: expected more than 0");
  store.change({ learningRate: -1 });
  await page.pass(1000);
  assertEquals(store.problem.value, "learning rate is −1: expected more than 0");
  assertEquals([store.status.value, store.opening.value], ["ready", false]);
  engine.broken.clear();
  store.change({ learningRate: 1e-3 });
  await page.pass(1000);
  assertEquals([store.problem.value, store.settings.value.learningRate], [null, 1e-3]);
});

Deno.test("a setting that is refused gives way to the ones before, whose run goes on being there", async () => {
  const { engine, page, store } = await settled("seed=3");
  engine.refusal = ({ width }) => width > 64 ? "width is too large" : null;
  engine.tell({ step: 10, playing: true });
  store.change({ width: 999 });
  engine.tell({ step: 20, playing: true, metrics: [{ step: 20, loss: -1 }] });
  await page.pass(1000);
  assertEquals([store.problem.value, store.status.value], ["width is too large", "ready"]);
  assertEquals(store.settings.value, { ...presets["8gaussians"], seed: 3 });
  // It was not dropped: it is paused, with all of its metrics, and opened by nobody.
  assertEquals([engine.of("open").length, engine.of("pause").length], [1, 1]);
  assertEquals([store.playing.value, store.metrics.value.map(({ step }) => step)], [false, [20]]);
});

Deno.test("where the run before was dropped, it is opened anew after a refusal", async () => {
  const { engine, page, store } = await settled("seed=3");
  engine.refusal = ({ device }) => device === "webgpu" ? "there is no WebGPU" : null;
  engine.broken.set("pause", "no run is open");
  store.change({ device: "webgpu" });
  await page.pass(1000);
  assertEquals([store.problem.value, store.status.value], ["there is no WebGPU", "ready"]);
  assertEquals(openedSettings(engine).map(({ device, seed }) => [device, seed]), [
    ["webgpu", 3],
    ["auto", 3],
  ]);
});

Deno.test("a link that the engine refuses opens what comes nearest to it", async () => {
  const withoutGpu = await started("device=webgpu&seed=3", (engine) => {
    engine.refusal = ({ device }) => device === "webgpu" ? "there is no WebGPU" : null;
  });
  await withoutGpu.page.pass(1000);
  const { device, seed } = withoutGpu.store.settings.value;
  assertEquals([withoutGpu.store.status.value, device, seed], ["ready", "auto", 3]);
  const { page, store } = await started("seed=3&foo.bar=1", (engine) => {
    engine.refusal = ({ other }) => "foo.bar" in other ? "unknown key foo.bar" : null;
  });
  await page.pass(1000);
  assertEquals([store.status.value, store.problem.value], ["ready", "unknown key foo.bar"]);
  assertEquals(store.settings.value, presets["8gaussians"]);
});

Deno.test("a pause while a change is opened holds, and so does training asked for meanwhile", async () => {
  const { engine, page, store } = await settled();
  engine.tell({ step: 5, playing: true });
  store.change({ seed: 9 });
  store.pause();
  await page.pass(1000);
  assertEquals([store.playing.value, engine.of("play").length], [false, 0]);
  store.change({ seed: 10 });
  store.play();
  await page.pass(1000);
  assertEquals([store.playing.value, engine.of("play").length], [true, 1]);
});

Deno.test("training that cannot begin is not shown as training", async () => {
  const { engine, page, store } = await settled();
  engine.broken.set("play", "the worker has stopped");
  store.play();
  await page.pass(100);
  assertEquals([store.playing.value, store.problem.value], [false, "the worker has stopped"]);
  engine.fail("the loss is not finite");
  store.play();
  await page.pass(100);
  assertEquals([store.playing.value, engine.of("play").length], [false, 1]);
});

Deno.test("an engine that stops can be started again, with the same settings", async () => {
  const { engine, page, store } = await settled("seed=5");
  engine.tell({ step: 9, playing: true });
  engine.fail("the loss is not finite at step 10");
  assertEquals([store.status.value, store.playing.value, store.problem.value], [
    "failed",
    false,
    "the loss is not finite at step 10",
  ]);
  store.startAgain();
  await page.pass(1000);
  assertEquals(engine.made, { connections: 2, closed: 1 });
  assertEquals([store.status.value, store.problem.value, store.settings.value.seed], [
    "ready",
    null,
    5,
  ]);
});

Deno.test("a reset after a failure takes a new worker", async () => {
  const { engine, page, store } = await settled();
  engine.fail("the worker has stopped");
  store.reset();
  await page.pass(1000);
  assertEquals([engine.made.connections, store.status.value], [2, "ready"]);
});

Deno.test("a browser without workers gets one notice", async () => {
  const page = fakePage();
  const store = laboratoryStore({ presets }, () => {
    throw new Error("this browser has no module workers");
  }, page);
  store.start();
  await page.pass(1000);
  assertEquals([store.status.value, store.problem.value], [
    "failed",
    "this browser has no module workers",
  ]);
});

Deno.test("training that is asked for while the worker loads begins when it is there", async () => {
  const { engine, page, store } = await started("", (engine) => engine.hold = true);
  store.play();
  assertEquals([store.playing.value, engine.of("play").length], [true, 0]);
  engine.hold = false;
  engine.release();
  await page.pass(1000);
  assertEquals(engine.of("play").map(({ given }) => given), [[]]);
  assert(store.playing.value);
});

Deno.test("a run of the server's is opened by its name, and the name stays until it is changed", async () => {
  const settings = { ...presets.rings, seed: 42 };
  const { engine, page, store } = await started("u=0.25", (_, page) => {
    page.address.run = "rings-7";
    const files = { name: "rings-7", config: JSON.stringify(settings), step: 500, metrics: "" };
    page.files.set("/api/runs/rings-7/files", () => Response.json(files));
    page.files.set("/api/runs/rings-7/state?step=500", () => new Response(new Uint8Array(8)));
  });
  await called(engine, "openRun");
  await page.pass(2000);
  assertEquals(engine.of("openRun").length, 1);
  assertEquals([store.step.value, store.settings.value], [500, settings]);
  assertEquals(store.opened.value, { name: "rings-7", step: 500, served: true });
  assertEquals(page.address, { fragment: "u=0.25", run: "rings-7" });
  store.change({ seed: 43 });
  await page.pass(2000);
  assertEquals(page.address, { fragment: "data=rings&seed=43&u=0.25", run: null });
});

Deno.test("a run of the server's that comes after another choice is left alone", async () => {
  let answer = (_: Response) => {};
  const { engine, page, store } = await started("", (_, page) => {
    page.address.run = "slow";
    page.fetch = () => new Promise((resolve) => answer = resolve);
  });
  store.change({ seed: 5 });
  await page.pass(1000);
  answer(Response.json({ error: "too late" }, { status: 404 }));
  await new Promise((resolve) => setTimeout(resolve, 5));
  await page.pass(1000);
  assertEquals([store.settings.value.seed, engine.of("open").length], [5, 1]);
  assertEquals(store.addressProblems.value, []);
});

Deno.test("a run that the server does not have is told of, and the default one is opened", async () => {
  const { engine, page, store } = await started("", (_, page) => {
    page.address.run = "none";
    const refusal = () => Response.json({ error: "there is no run none" }, { status: 404 });
    page.files.set("/api/runs/none/files", refusal);
  });
  await called(engine, "open");
  await page.pass(1000);
  assertEquals(store.addressProblems.value, [
    'run "none": there is no run none; the default is taken',
  ]);
  assertEquals([engine.of("open").length, store.status.value], [1, "ready"]);
});

Deno.test("measures come in the order of their steps, one of each", async () => {
  const { engine, page, store } = await settled();
  engine.tell({ step: 10 });
  await page.pass(3000);
  await store.measureNow();
  engine.tell({ step: 20 });
  await page.pass(3000);
  assertEquals(store.measures.value.map(({ step }) => step), [10, 20]);
});

Deno.test("nothing is asked or written after the page is closed", async () => {
  const { engine, page, store } = await settled();
  store.close();
  store.u.value = 0.1;
  engine.tell({ step: 99 });
  const writes = page.writes.length;
  await page.pass(5000);
  assertEquals([engine.calls, page.writes.length, engine.made.closed], [[], writes, 1]);
});

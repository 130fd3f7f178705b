/**
 * @file The pages of runs as HTML: what each status shows, that every control has a label, and that
 * nothing in it would break the content security policy. Then the words and curves they are made of.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { renderToString } from "preact-render-to-string";
import { configSections, presetDifferences } from "../../../web/components/runs/config_table.tsx";
import { evaluationCurves } from "../../../web/components/runs/curve_series.ts";
import { pictureText, resultWords } from "../../../web/components/runs/evaluation_view.tsx";
import { secondsLeft } from "../../../web/components/runs/run_head.tsx";
import {
  agoText,
  durationText,
  median,
  sampleFile,
  shapeText,
  shellWord,
  stepsText,
} from "../../../web/components/runs/run_text.ts";
import { sessionRequests } from "../../../web/components/runs/session.ts";
import { StatusBadge } from "../../../web/components/runs/status_badge.tsx";
import { assignConfig, parseConfig } from "../../../core/train/config.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import { runPage } from "../../../web/routes/run_page.tsx";
import { runsPage } from "../../../web/routes/runs_page.tsx";
import type { RunDetail, RunSummary } from "../../../web/runs/run_types.ts";
import { damagedDetail, evaluation, planeDetail, runDetail, runSummary } from "./run_samples.ts";

const session = {
  token: "secret",
  directory: "runs",
  presets: [
    { name: "8gaussians", description: "a ring of eight Gaussians" },
    { name: "mnist16", description: "handwritten digits" },
  ],
};

const listHtml = (runs: RunSummary[]) => renderToString(runsPage(runs, session));
const pageHtml = (detail: RunDetail, others: RunSummary[] = []) =>
  renderToString(runPage(detail, others, session));

/** A list of one of each status. */
const oneOfEach: RunSummary[] = [
  runSummary({ name: "a", status: "running", step: 500 }),
  runSummary({ name: "b", status: "paused", step: 1200 }),
  runSummary({ name: "c", status: "finished", newestSample: 2500 }),
  runSummary({ name: "d", status: "damaged", problem: "d/config.json is not JSON", steps: null }),
];

const pages: Readonly<Record<string, string>> = {
  "an empty list": listHtml([]),
  "a list": listHtml(oneOfEach),
  "a long list": listHtml(Array.from({ length: 12 }, (_, i) => runSummary({ name: `r${i}` }))),
  "a finished run": pageHtml(runDetail({ evaluation }), [runSummary({ name: "other" })]),
  "a running run": pageHtml(runDetail({ status: "running", step: 500, samples: [500] })),
  "a run in the plane": pageHtml(planeDetail(), [runSummary({ name: "x", sampleShape: [2] })]),
  "a damaged run": pageHtml(damagedDetail()),
  "a run that has just begun": pageHtml(
    runDetail({ status: "running", step: 0, loss: null, checkpoints: [], samples: [] }),
  ),
};

for (const [what, html] of Object.entries(pages)) {
  Deno.test(`${what}: no inline style, script or handler; every id is there once`, () => {
    const markup = html.replace(/data-props="[^"]*"/g, "");
    assert(!/\sstyle=/.test(markup), "style attribute");
    assert(!/<style/.test(markup), "style element");
    assert(!/\son[a-z]+=/i.test(markup), "event handler");
    assert(!/<script(?![^>]*\ssrc=)/.test(markup), "inline script");
    const ids = [...markup.matchAll(/\sid="([^"]*)"/g)].map((match) => match[1]);
    assertEquals(ids, [...new Set(ids)]);
  });

  Deno.test(`${what}: every control has a label, every picture a text`, () => {
    const markup = html.replace(/data-props="[^"]*"/g, "");
    const labelled = new Set([...markup.matchAll(/<label[^>]*\sfor="([^"]*)"/g)].map((m) => m[1]));
    const inside = markup.match(/<label(?:(?!<\/label>).)*<input/gs)?.length ?? 0;
    const controls = [...markup.matchAll(/<(?:input|select|textarea)\b[^>]*>/g)].map((m) => m[0]);
    const byId = controls.filter((control) => {
      const id = /\sid="([^"]*)"/.exec(control)?.[1];
      return id !== undefined && labelled.has(id);
    });
    assertEquals(byId.length + inside, controls.length);
    for (const [image] of markup.matchAll(/<img\b[^>]*>/g)) assertMatch(image, /\salt(=|\s|>)/);
    for (const [, label] of markup.matchAll(/aria-labelledby="([^"]*)"/g)) {
      assertStringIncludes(markup, `id="${label}"`);
    }
  });
}

Deno.test("a status is said by a word and by a shape of its own", () => {
  const badges = (["running", "paused", "finished", "damaged"] as const).map((status) =>
    renderToString(<StatusBadge status={status} />)
  );
  const words = ["Running", "Paused", "Finished", "Damaged"];
  words.forEach((word, i) => assertStringIncludes(badges[i], word));
  const shapes = badges.map((badge) => /<path d="([^"]*)"/.exec(badge)?.[1]);
  assertEquals(new Set(shapes).size, 4);
});

/** The row of a run in a list. */
function rowOf(html: string, name: string): string {
  const row = new RegExp(`<li class="run-row" data-name="${name}">.*?</li>`, "s").exec(html)?.[0];
  if (row === undefined) throw new Error(`no row of ${name}`);
  return row;
}

Deno.test("the list: running can be paused, paused resumed, the others neither", () => {
  const html = pages["a list"];
  const buttons = ["a", "b", "c", "d"].map((name) =>
    /<button[^>]*>(\w+)/.exec(rowOf(html, name))?.[1] ?? null
  );
  assertEquals(buttons, ["Pause", "Resume", null, null]);
  assertStringIncludes(rowOf(html, "b"), "1,200 of 2,500 steps · 48 %");
  assertStringIncludes(rowOf(html, "b"), '<progress value="0.48"');
  assertStringIncludes(rowOf(html, "d"), "d/config.json is not JSON");
  assertStringIncludes(rowOf(html, "c"), "/api/runs/c/samples/step-00002500.png");
  assertStringIncludes(html, "4 runs, 1 under way");
});

Deno.test("the list: a training that has not written its configuration yet is about to begin", () => {
  const unknown = { preset: null, data: null, sampleShape: null, steps: null, loss: null, step: 0 };
  const wordsOf = (status: RunSummary["status"]) =>
    rowOf(listHtml([runSummary({ ...unknown, name: "a", status })]), "a");
  assertStringIncludes(wordsOf("running"), "About to begin");
  assertStringIncludes(wordsOf("damaged"), "Configuration not readable");
});

Deno.test("the list: a filter where there are more than ten, a welcome where there are none", () => {
  assertStringIncludes(pages["a long list"], 'type="search"');
  assert(!pages["a list"].includes('type="search"'));
  assertStringIncludes(pages["an empty list"], "No runs yet");
  assertStringIncludes(pages["an empty list"], "deno task train 8gaussians");
  assertStringIncludes(pages["an empty list"], "A ring of eight Gaussians.");
  assert(!pages["a list"].includes("No runs yet"));
});

Deno.test("names are text and parts of addresses, never markup", () => {
  const name = '<b>"a" & b?';
  const html = listHtml([runSummary({ name })]) + pageHtml(runDetail({ name, evaluation }));
  assert(!html.includes("<b>"));
  assertStringIncludes(html, 'href="/runs/%3Cb%3E%22a%22%20%26%20b%3F"');
  assertStringIncludes(html, "/api/runs/%3Cb%3E%22a%22%20%26%20b%3F/samples/step-00002500.png");
});

Deno.test("a finished run: samples, flow, results, report, configuration, command lines", () => {
  const html = pages["a finished run"];
  for (
    const text of [
      "/api/runs/digits/samples/step-00002500.png",
      "mnist16 at step 2,500",
      "From noise to samples",
      "2.518",
      "bits/dimension",
      "energy-histograms-678496a3.svg",
      "As preset mnist16 has it.",
      "deno task sample runs/digits",
      "deno task eval runs/digits all",
      '<option value="other">',
    ]
  ) assertStringIncludes(html, text);
  assertMatch(html, /<iframe[^>]*sandbox="[^"]*"/);
  assert(!/sandbox="[^"]*allow-(scripts|same-origin)/.test(html));
  assert(!html.includes("Open in the laboratory"));
  assert(!/<button[^>]*>(Pause|Resume)</.test(html));
});

Deno.test("a run in the plane opens in the laboratory; one without evaluation says how to make it", () => {
  const html = pages["a run in the plane"];
  assertStringIncludes(html, 'href="/?run=ring"');
  assertStringIncludes(html, "Not evaluated yet");
  assertStringIncludes(html, "deno task train --resume runs/ring");
  assert(!html.includes('name="flow-count"'), "points are not counted as images");
});

Deno.test("a damaged run shows its problem and what there is, and nothing that would fail", () => {
  const html = pages["a damaged run"];
  assertStringIncludes(html, "runs/broken/config.json is not JSON");
  assertStringIncludes(html, "Damaged");
  assertStringIncludes(html, "100 steps");
  assert(!html.includes("From noise to samples"));
  assert(!html.includes('id="config-heading"'));
  assert(!html.includes("<progress"));
});

Deno.test("the head's estimate: what is left, at a rate of samples", () => {
  const { config } = runDetail();
  const batch = config!.training.batchSize;
  assertEquals(secondsLeft({ config, step: 500, steps: 2500 }, batch * 4), 500);
  assertEquals(secondsLeft({ config, step: 2500, steps: 2500 }, batch), null);
  assertEquals(secondsLeft({ config, step: 0, steps: 2500 }, null), null);
  assertEquals(secondsLeft({ config: null, step: 0, steps: 2500 }, 1), null);
});

Deno.test("a run whose configuration cannot be read is offered no command that would fail", () => {
  const html = pageHtml(damagedDetail({ checkpoints: [100] }));
  assertStringIncludes(html, "a configuration that can be read");
  assert(!html.includes("deno task"), "a command");
  assertStringIncludes(pageHtml(planeDetail()), "deno task eval runs/ring all");
});

Deno.test("differences from the preset: what was chosen, not what a run finds out", () => {
  const preset = presetConfig("8gaussians");
  assertEquals(presetDifferences(preset, preset), {});
  const changed = assignConfig(preset, ["training.steps=400", "potential.hidden=[32]"]);
  const resolved = parseConfig({ ...changed, device: "wasm", seed: 5 });
  assertEquals(presetDifferences(resolved, preset), {
    "potential.hidden": "128, 128, 128",
    "training.steps": "3000",
  });
  const sections = configSections(resolved);
  assertEquals(sections[0].title, "run");
  assertEquals(sections.map(({ title }) => title).includes("optimizer"), true);
  const html = pageHtml(planeDetail({ config: resolved }));
  assertStringIncludes(html, "Preset 8gaussians with 2 changes, marked.");
  assertStringIncludes(html, "changed from 3000");
});

Deno.test("curves: evaluations by metric, and each way of measuring for itself", () => {
  const curves = evaluationCurves([
    { step: 100, metric: "fid", value: 9, of: { n: 100, seed: 0 } },
    { step: 200, metric: "fid", value: 8, of: { n: 500, seed: 0 } },
    { step: 200, metric: "nll", value: 2 },
    { step: 300, metric: "fid", value: 7, of: { n: 100, seed: 0 } },
  ]);
  assertEquals(curves.map(({ metric }) => metric), ["fid", "nll"]);
  assertEquals(curves[0].series.map(({ label, x }) => [label, x]), [
    ["fid, n 100", [100, 300]],
    ["fid, n 500", [200]],
  ]);
  assertEquals(curves[1].series.map(({ label, y }) => [label, y]), [["nll", [2]]]);
  assertEquals(new Set(curves[0].series.map(({ marker }) => marker)).size, 2);
});

Deno.test("words for numbers, times, shapes and shells", () => {
  assertEquals([0, 7, 59.6, 200, 7500, 100_000].map(durationText), [
    ...["0 s", "7 s", "1 min", "3 min 20 s", "2 h 5 min", "1 d 3 h"],
  ]);
  assertEquals([0, 9000, 12_000, 61_000, 7_300_000, 2e8].map((ms) => agoText(1e9, 1e9 + ms)), [
    ...["just now", "just now", "12 seconds ago", "1 minute ago", "2 hours ago", "2 days ago"],
  ]);
  assertEquals([[2], [16, 16, 1], [32, 32, 3], null].map(shapeText), [
    ...["points in the plane", "images of 16×16", "images of 32×32×3", ""],
  ]);
  assertEquals(stepsText({ step: 1200, steps: null }), "1,200 steps");
  assertEquals(["runs/a-1.b", "runs/a b", "it's", "$(x)"].map(shellWord), [
    ...["runs/a-1.b", "'runs/a b'", "'it'\\''s'", "'$(x)'"],
  ]);
  assertEquals(sampleFile(500), "step-00000500.png");
  assertEquals([median([]), median([3]), median([1, 9, 2]), median([1, 2, 3, 10])], [
    ...[null, 3, 2, 2.5],
  ]);
});

Deno.test("pictures of an evaluation are called what they show", () => {
  const texts = { "a.svg": { alt: "An a", caption: "This is an a." } };
  assertEquals(pictureText({ texts }, "a.svg").caption, "This is an a.");
  assertMatch(pictureText({}, "energy-histograms-678496a3.svg").alt, /histogram/);
  assertEquals(pictureText({}, "some-thing-678496a3.png").alt, "some thing");
});

Deno.test("a request whose token is old gets the new one and is sent once more", async () => {
  let token = "old";
  const tokens: (string | null)[] = [];
  const request = (path: string | URL | Request, init?: RequestInit) => {
    if (path === "/api/session") return Promise.resolve(Response.json({ token }));
    const given = new Headers(init?.headers).get("x-vapo-token");
    tokens.push(given);
    return Promise.resolve(
      given === token
        ? Response.json({ name: "x" }, { status: 202 })
        : Response.json({ error: "wrong token" }, { status: 403 }),
    );
  };
  const requests = sessionRequests("old", request);
  await requests.post("/api/trainings", {});
  token = "new";
  assertEquals((await requests.post("/api/trainings", {})).status, 202);
  assertEquals(tokens, ["old", "old", "new"]);
});

Deno.test("what the server refuses is told in its own line; silence in ours", async () => {
  const line = "another training is under way: pause it first";
  const answer = (response: () => Promise<Response>) =>
    sessionRequests("t", response).post("/api/trainings").then(() => "", (error) => error.message);
  assertEquals(
    await answer(() => Promise.resolve(Response.json({ error: line }, { status: 409 }))),
    line,
  );
  assertMatch(
    await answer(() => Promise.resolve(new Response("<html>", { status: 500 }))),
    /answered 500/,
  );
  assertMatch(await answer(() => Promise.reject(new TypeError("failed"))), /does not answer/);
});

Deno.test("results of one metric say in what they differ", () => {
  const result = {
    ...{ metric: "energy", title: "The potential on data", value: 1.8, unit: null, step: 400 },
    label: "mean of Φ on training data",
  };
  const results = [
    { ...result, options: { n: 2500, seed: 0 } },
    { ...result, options: { n: 2500, seed: 1 } },
    { ...result, metric: "nll", title: "Negative log-likelihood", options: { n: 5, seed: 2 } },
  ];
  assertEquals(resultWords(results[1], results), "mean of Φ on training data; seed 1");
  const nll = { ...results[2], label: "negative log-likelihood", better: "lower" } as const;
  assertEquals(resultWords(nll, results), "lower is better");
});

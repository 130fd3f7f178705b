/** @file The server's routes: what they answer, to whom, and what they never reach. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { join } from "@std/path";
import { isRunName } from "../../../web/server/run_paths.ts";
import { sameText } from "../../../web/server/security.ts";
import { type Fixture, makeRun, origin, withServer, write } from "./server_fixture.ts";

const SECRET = "what nobody may read";

async function refusal(answer: Response): Promise<[number, string]> {
  const { error, ...rest } = await answer.json();
  assertEquals(rest, {});
  assert(!error.includes("\n"));
  return [answer.status, error];
}

Deno.test("every answer has the headers that keep a page to itself", () =>
  withServer(async ({ get, runs }) => {
    await makeRun(runs, "rings", { samples: [20] });
    const paths = [
      ...["/", "/runs", "/runs/rings", "/api/runs", "/api/runs/rings", "/nothing", "/api/nothing"],
      ...["/static/base.css", "/assets/none.js", "/wasm/tfjs-backend-wasm.wasm", "/api/session"],
      ...["/api/runs/rings/samples/step-00000020.png", "/api/runs/rings/metrics"],
    ];
    for (const path of paths) {
      const answer = await get(path), { headers } = answer;
      await answer.body?.cancel();
      const policy = headers.get("content-security-policy")!;
      assertMatch(policy, /^default-src 'none'/, path);
      assert(!/script-src[^;]*'unsafe-/.test(policy), path);
      assertEquals(headers.get("cross-origin-opener-policy"), "same-origin", path);
      assertEquals(headers.get("cross-origin-embedder-policy"), "require-corp", path);
      assertEquals(headers.get("cross-origin-resource-policy"), "same-origin", path);
      assertEquals(headers.get("x-content-type-options"), "nosniff", path);
      assertEquals(headers.get("referrer-policy"), "no-referrer", path);
      assert(headers.get("permissions-policy"), path);
      assert(headers.get("cache-control"), path);
    }
  }));

Deno.test("pages are documents without inline scripts or styles", () =>
  withServer(async ({ get, runs }) => {
    await makeRun(runs, "rings");
    await makeRun(runs, "my run <b>");
    for (
      const path of ["/", "/runs", "/runs/rings", "/runs/my%20run%20%3Cb%3E", "/no", "/runs/no"]
    ) {
      const answer = await get(path), text = await answer.text();
      assertEquals(answer.status, path.endsWith("no") ? 404 : 200, path);
      assertEquals(answer.headers.get("content-type")?.toLowerCase(), "text/html; charset=utf-8");
      assertMatch(text, /^<!doctype html>\n<html lang="en">/);
      assert(!/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:|<b>/.test(text), path);
    }
  }));

Deno.test("files are compressed where they are text, and known again", () =>
  withAssets(async ({ get }, assets) => {
    await write(assets, "client.js", "export const a = 1;\n".repeat(200));
    await write(assets, "assets/chunk-B1s_c-9x.js", "export const b = 2;\n".repeat(200));
    const plain = await get("/assets/client.js");
    assertEquals(plain.headers.get("content-type"), "text/javascript; charset=utf-8");
    assertEquals(plain.headers.get("cache-control"), "no-cache");
    const zipped = await get("/assets/client.js", { "accept-encoding": "br, gzip" });
    assertEquals(zipped.headers.get("content-encoding"), "gzip");
    assertEquals(zipped.headers.get("vary"), "accept-encoding");
    const bytes = await zipped.bytes();
    assert(bytes.length < 200);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    assertEquals(await new Response(stream).text(), await plain.text());
    const none = await get("/assets/client.js", { "accept-encoding": "gzip;q=0" });
    assertEquals(none.headers.get("content-encoding"), null);

    const etag = plain.headers.get("etag")!;
    const known = await get("/assets/client.js", { "if-none-match": etag });
    assertEquals([known.status, await known.text()], [304, ""]);
    await write(assets, "client.js", "export const a = 3;\n");
    const changed = await get("/assets/client.js", { "if-none-match": etag });
    assertEquals([changed.status, await changed.text()], [200, "export const a = 3;\n"]);
    const chunk = await get("/assets/assets/chunk-B1s_c-9x.js");
    assertEquals(chunk.headers.get("cache-control"), "public, max-age=31536000, immutable");
    await chunk.body?.cancel();
  }));

async function withAssets(test: (fixture: Fixture, assets: string) => Promise<void>) {
  const assets = await Deno.makeTempDir({ prefix: "vapo-web-test-" });
  try {
    await withServer((fixture) => test(fixture, assets), { assets });
  } finally {
    await Deno.remove(assets, { recursive: true });
  }
}

Deno.test("WebAssembly and styles come with their types", () =>
  withServer(async ({ get }) => {
    const wasm = await get("/wasm/tfjs-backend-wasm-simd.wasm");
    assertEquals([wasm.status, wasm.headers.get("content-type")], [200, "application/wasm"]);
    assertEquals([...(await wasm.bytes()).subarray(0, 4)], [0, 0x61, 0x73, 0x6d]);
    const css = await get("/static/base.css", { "accept-encoding": "gzip" });
    assertEquals(css.headers.get("content-type"), "text/css; charset=utf-8");
    await css.body?.cancel();
    for (const path of ["/wasm/tf-backend-wasm.node.js", "/wasm/../package.json", "/static/"]) {
      assertEquals((await get(path)).status, 404, path);
    }
  }));

Deno.test("only this machine's names are answered to, at the server's port", () =>
  withServer(async ({ get, app }) => {
    for (const host of ["127.0.0.1:8787", "localhost:8787", "LOCALHOST:8787", "[::1]:8787"]) {
      assertEquals((await get("/api/runs", { host })).status, 200, host);
    }
    const others = ["evil.example:8787", "127.0.0.1", "127.0.0.1:80", "localhost:8788", "x", ""];
    for (const host of [...others, "127.0.0.1.evil.example:8787", "evil.example@127.0.0.1:8787"]) {
      for (const path of ["/", "/api/runs", "/api/session", "/static/base.css"]) {
        const answer = await get(path, { host });
        assertEquals(answer.status, 403, `${host} ${path}`);
        assert(!(await answer.text()).includes("token"));
      }
    }
    const elsewhere = await app.request("http://evil.example:8787/api/session");
    assertEquals(elsewhere.status, 403);
  }));

Deno.test("the token is told to pages of this server alone", () =>
  withServer(async ({ get, token }) => {
    assertMatch(token, /^[0-9a-f]{64}$/);
    for (const headers of [{}, { "sec-fetch-site": "same-origin" }, { "sec-fetch-site": "none" }]) {
      assertEquals(await (await get("/api/session", headers as never)).json(), { token });
    }
    for (const site of ["cross-site", "same-site", "anything"]) {
      for (const path of ["/api/session", "/api/runs", "/api/runs/rings/events"]) {
        assertEquals((await get(path, { "sec-fetch-site": site })).status, 403);
      }
    }
  }));

Deno.test("what changes anything takes the same origin, the token, and JSON", () =>
  withServer(async ({ post, get, app }) => {
    const paths = ["/api/trainings", "/api/runs/rings/pause", "/api/runs/rings/flow", "/api/none"];
    const refused: Record<string, string>[] = [
      { origin: "http://evil.example" },
      { origin: "http://localhost:8787" }, // the host is asked for as 127.0.0.1
      { origin: "null" },
      { "x-vapo-token": "" },
      { "x-vapo-token": "0".repeat(64) },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "none" },
    ];
    for (const path of paths) {
      for (const headers of refused) {
        const [status, error] = await refusal(await post(path, {}, headers));
        assertEquals(status, 403, `${path} ${JSON.stringify(headers)}`);
        assert(error.length > 20);
      }
      for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"]) {
        assertEquals((await post(path, {}, { "content-type": type })).status, 415);
      }
      assertEquals((await app.request(`${origin}${path}`, { method: "POST" })).status, 403);
      assert([404, 405].includes((await get(path)).status));
    }
    // With all of it the request itself is looked at.
    assertEquals((await post("/api/runs/rings/pause", {})).status, 404);
    assertEquals((await post("/api/none", {})).status, 404);
  }));

Deno.test("requests that are too large or wrong are refused in a line", () =>
  withServer(async ({ post, get, runs }) => {
    await makeRun(runs, "rings");
    const large = await post("/api/trainings", " ".repeat(70_000));
    assertEquals((await refusal(large))[0], 413);
    assertEquals((await get(`/runs/${"a".repeat(3000)}`)).status, 414);
    const wrong: [string, unknown, RegExp][] = [
      ["/api/trainings", "{", /not JSON/],
      ["/api/trainings", [], /expected object/],
      ["/api/trainings", {}, /preset is undefined/],
      ["/api/trainings", { preset: "ring" }, /^preset is "ring"/],
      ["/api/trainings", { preset: "rings", seed: -1 }, /^seed is -1/],
      ["/api/trainings", { preset: "rings", steps: 0 }, /^steps is 0/],
      ["/api/trainings", { preset: "rings", steps: 1.5 }, /^steps is 1.5/],
      ["/api/trainings", { preset: "rings", name: "../x" }, /^name is "..\/x"/],
      ["/api/trainings", { preset: "rings", name: ".x" }, /does not begin with a dot/],
      ["/api/trainings", { preset: "rings", name: "" }, /^name is ""/],
      ["/api/trainings", { preset: "rings", out: "/tmp/x" }, /[Uu]nrecognized key/],
      ["/api/runs/rings/flow", { n: 1, seed: 0, frames: 1 }, /^frames is 1/],
      ["/api/runs/rings/flow", { n: 0, seed: 0, frames: 2 }, /^n is 0/],
      ["/api/runs/rings/flow", { n: 1, seed: 0, frames: 2, until: "x" }, /^until is "x"/],
    ];
    for (const [path, body, pattern] of wrong) {
      const [status, error] = await refusal(await post(path, body));
      assertEquals(status, 400, JSON.stringify(body));
      assertMatch(error, pattern);
    }
    const flow = { n: 100_000, seed: 0, frames: 1000, until: null };
    assertEquals((await refusal(await post("/api/runs/rings/flow", flow)))[0], 413);
    assertEquals((await refusal(await post("/api/runs/none/flow", flow)))[0], 404);
    // Nothing came of it.
    assertEquals((await Array.fromAsync(Deno.readDir(runs))).map(({ name }) => name), ["rings"]);
  }));

Deno.test("a run's files are sent, and no others", () =>
  withServer(async ({ get, runs }) => {
    const run = await makeRun(runs, "my run", { samples: [20] });
    await makeRun(runs, "digits", { preset: "mnist16" });
    await write(run, "samples/notes.txt", SECRET);
    const base = "/api/runs/my%20run";
    const text = async (path: string) => await (await get(`${base}${path}`)).text();
    assertEquals(await text("/samples/step-00000020.png"), "png 20");
    assertMatch(await text("/metrics"), /^\{"step":10,.*\n\{"step":20,.*\n$/);
    assertEquals(await text("/state"), "state of 20");
    assertEquals(await text("/state?step=20"), "state of 20");
    const { config, ...files } = JSON.parse(await text("/files"));
    assertEquals(files, { name: "my run", step: 20, metrics: await text("/metrics") });
    assertEquals(config, await Deno.readTextFile(join(run, "config.json")));
    const refused = [
      ...["/samples/notes.txt", "/samples/step-00000030.png", "/samples/..%2fconfig.json"],
      ...[
        "/state?step=10",
        "/state?step=..",
        "/files?step=x",
        "/evaluation/report.html",
        "/config.json",
      ],
    ];
    for (const path of refused) {
      assertEquals((await refusal(await get(`${base}${path}`)))[0], 404, path);
    }
    // The laboratory takes points alone.
    for (const path of ["/files", "/state"]) {
      assertEquals((await refusal(await get(`/api/runs/digits${path}`)))[0], 400, path);
    }
    const picture = await get(`${base}/samples/step-00000020.png`);
    const etag = picture.headers.get("etag")!;
    await picture.body?.cancel();
    const known = await get(`${base}/samples/step-00000020.png`, { "if-none-match": etag });
    assertEquals([known.status, known.headers.get("etag")], [304, etag]);
  }));

Deno.test({
  name: "HEAD tells of a run's file and leaves it closed",
  sanitizeResources: true,
  fn: () =>
    withServer(async ({ app, runs }) => {
      await makeRun(runs, "rings", { samples: [20] });
      for (const file of ["metrics", "samples/step-00000020.png"]) {
        const path = `${origin}/api/runs/rings/${file}`;
        const answer = await app.request(path, { method: "HEAD" });
        assertEquals([answer.status, answer.body], [200, null]);
        assert(Number(answer.headers.get("content-length")) > 0);
      }
    }),
});

Deno.test("a report may be framed, styled and looked at, and runs nothing", () =>
  withServer(async ({ get, runs }) => {
    const run = await makeRun(runs, "rings");
    await write(
      run,
      "evaluation/step-00000010/eval.json",
      evaluation(10, "energy-histograms-1.svg"),
    );
    await write(run, "evaluation/step-00000020/eval.json", evaluation(20, "other-2.png"));
    await write(run, "evaluation/step-00000020/report.html", "<style>p{}</style><p>report");
    await write(run, "evaluation/step-00000020/other-2.png", "png");
    await write(run, "evaluation/step-00000020/.lock-evaluation", SECRET);
    await write(run, "evaluation/cache/x.png", SECRET);
    const report = await get("/api/runs/rings/evaluation/report.html");
    assertEquals([report.status, await report.text()], [200, "<style>p{}</style><p>report"]);
    const policy = report.headers.get("content-security-policy")!;
    assertStringIncludes(policy, "sandbox");
    assert(!policy.includes("script-src") && !policy.includes("allow-scripts"));
    assertStringIncludes(policy, "frame-ancestors 'self'");
    assertEquals(report.headers.get("cross-origin-embedder-policy"), "require-corp");
    const picture = await get("/api/runs/rings/evaluation/other-2.png");
    assertEquals([picture.headers.get("content-type"), await picture.text()], ["image/png", "png"]);
    for (
      const file of [
        ".lock-evaluation",
        "eval.json",
        "..%2fcache%2fx.png",
        "energy-histograms-1.svg",
      ]
    ) {
      assertEquals((await get(`/api/runs/rings/evaluation/${file}`)).status, 404, file);
    }
    const { evaluation: told } = await (await get("/api/runs/rings")).json();
    assertEquals(told.report, true);
    assertEquals(
      told.results.map(({ step, value }: { step: number; value: number }) => [step, value]),
      [
        [20, 1.5],
        [10, 1.5],
      ],
    );
    assertEquals([told.energyHistogram, told.pictures], [null, ["other-2.png"]]);
    assertEquals(told.texts["other-2.png"], { alt: "a picture", caption: "It shows." });
  }));

function evaluation(step: number, file: string) {
  return {
    format: "vapo-evaluation",
    version: 1,
    run: { name: "rings", preset: "rings", data: "rings" },
    checkpoint: { step, average: 0.99, sha256: "0".repeat(64) },
    results: [{
      metric: "nll",
      title: "Likelihood",
      options: {},
      measurements: [{ name: "nll", label: "nll", value: 1.5, unit: "nats" }],
      tables: [],
      pictures: [{ file, alt: "a picture", caption: "It shows." }],
      notes: [],
      seconds: 1,
    }],
  };
}

/** Ways to say "up" and "/" and more, decoded once or twice. */
const pathPiece = fc.oneof(
  fc.constantFrom(
    ...[
      "..",
      ".",
      "%2e%2e",
      "%2E.",
      "..%2f",
      "%2e%2e%2f",
      "%252e%252e%252f",
      "..%5c",
      "..\\",
      "%5c",
    ],
    ...[
      "%00",
      "%2f",
      "/",
      "//",
      "rings",
      "secret",
      "secret.txt",
      "runs",
      "outside",
      "link",
      "%2fetc",
    ],
    ...[
      "file",
      "evaluation",
      "samples",
      "config.json",
      "%c0%ae%c0%ae",
      "..;",
      "%0a",
      "~",
      "C:",
      ":",
    ],
    ...[
      "step-00000020.png",
      "events",
      "metrics",
      "state",
      "files",
      "report.html",
      "?step=",
      "#",
      "%",
    ],
  ),
  fc.string({ maxLength: 6 }),
);

Deno.test("no address leads out of the runs directory", () =>
  withServer(async ({ app, runs, outside }) => {
    const run = await makeRun(runs, "rings", { samples: [20] });
    await write(outside, "secret.txt", SECRET);
    await write(outside, "secret/config.json", SECRET);
    await write(outside, "secret/metrics.jsonl", SECRET);
    await write(outside, "secret/samples/step-00000020.png", SECRET);
    await write(runs, ".hidden/metrics.jsonl", SECRET);
    await Deno.symlink(join(outside, "secret"), join(runs, "link"));
    await Deno.symlink(join(outside, "secret"), join(run, "evaluation"));
    await Deno.symlink(join(outside, "secret.txt"), join(run, "samples/step-00000040.png"));
    const prefixes = ["/api/runs/", "/runs/", "/assets/", "/static/", "/wasm/", "/"];
    const path = fc.tuple(fc.constantFrom(...prefixes), fc.array(pathPiece, { maxLength: 8 }))
      .map(([prefix, pieces]) => prefix + pieces.join(""));
    const joined = fc.tuple(fc.constantFrom(...prefixes), fc.array(pathPiece, { maxLength: 6 }))
      .map(([prefix, pieces]) => prefix + pieces.join("/"));
    const safe = async (path: string) => {
      let request: Request;
      try {
        request = new Request(`${origin}${path}`);
      } catch {
        return;
      }
      if (/\/events/.test(request.url)) return;
      // As it comes over the wire, where nobody has made the dots go away.
      Object.defineProperty(request, "url", { value: `${origin}${path}` });
      const answer = await app.fetch(request);
      assert(answer.status !== 500, path);
      assert(!(await answer.text()).includes(SECRET), path);
    };
    const known = [
      ...["/api/runs/link", "/api/runs/link/metrics", "/api/runs/.hidden/metrics", "/runs/link"],
      ...[
        "/api/runs/..%2fsecret/metrics",
        "/api/runs/%2e%2e%2fsecret/metrics",
        "/api/runs/../secret",
      ],
      ...["/api/runs/rings/samples/step-00000040.png", "/api/runs/rings/evaluation/config.json"],
      ...["/api/runs/rings%2f..%2flink/metrics", "/api/runs/%252e%252e%252fsecret/metrics"],
      ...[
        "/static/../../secret.txt",
        "/static/%2e%2e/%2e%2e/deno.json",
        "/api/runs/rings%00/metrics",
      ],
      `/api/runs/${encodeURIComponent(outside)}%2fsecret/metrics`,
    ];
    for (const path of known) {
      await safe(path);
      const status = (await app.request(`${origin}${path}`)).status;
      assert([403, 404].includes(status), `${path}: ${status}`);
    }
    await fc.assert(fc.asyncProperty(fc.oneof(path, joined), safe), { numRuns: 2000 });
  }));

Deno.test("a link within the runs directory is a run, one that leads out is told of", () =>
  withServer(async ({ get, runs, outside }) => {
    await makeRun(runs, "rings");
    await makeRun(outside, "far");
    await Deno.symlink("rings", join(runs, "latest"));
    await Deno.symlink(join(outside, "far"), join(runs, "away"));
    await Deno.symlink("nowhere", join(runs, "broken"));
    await Deno.symlink("loop", join(runs, "loop"));
    await Deno.symlink(".", join(runs, "itself"));
    assertEquals((await (await get("/api/runs/latest")).json()).preset, "rings");
    assertEquals((await refusal(await get("/api/runs/away")))[0], 403);
    const list: { name: string; status: string; problem: string }[] = await (await get("/api/runs"))
      .json();
    const told = Object.fromEntries(list.map((run) => [run.name, run]));
    assertEquals(told.latest.status, "paused");
    assertMatch(told.away.problem, /leads out of the runs directory/);
    assertEquals(told.away.status, "damaged");
    assertEquals(told.broken, undefined);
  }));

Deno.test("names of runs are one segment that everybody sees", () => {
  for (
    const name of ["rings", "my run", "8gaussians-2", "Läufe", "a..b", "…", "日本", "-x", "a,b=c"]
  ) {
    assert(isRunName(name), name);
  }
  const bad = [
    "",
    ".",
    "..",
    ".x",
    "a/b",
    "a\\b",
    "/a",
    "a%2fb",
    "a\0",
    "a\n",
    "\u202ea",
    "\ud800",
  ];
  for (const name of [...bad, "x".repeat(241), "é".repeat(121)]) {
    assert(!isRunName(name), JSON.stringify(name));
  }
  fc.assert(fc.property(fc.string({ unit: "binary" }), (name) => {
    if (!isRunName(name)) return;
    // Whatever is let through stays where it is put.
    assertEquals(join("/runs", name), `/runs/${name}`);
    assertEquals(
      new URL(`http://h/runs/${encodeURIComponent(name)}`).pathname.split("/").length,
      3,
    );
  }));
});

Deno.test("texts are compared whole", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (a, b) => {
    assertEquals(sameText(a, b), a === b);
    assert(sameText(a, a));
  }));
});

/**
 * @file The laboratory from end to end, in headless Chromium: what a reader sees and does, held against
 * the command line and against closed forms.
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { join } from "@std/path";
import type { Page } from "playwright-core";
import { decodeNpy } from "../../../core/formats/npy.ts";
import {
  coloursAt,
  openLaboratory,
  saveRun,
  slideTo,
  statusOf,
  stepOf,
  trainToEnd,
} from "./laboratory_pages.ts";
import { runVapo, type Stage, until, withoutBrowser, withStage } from "./stage.ts";

/** A small net that learns in seconds. */
const small = "width=32&depth=2&batch=256";

/** Trains the default run until the page measures 90 % of the samples at a mode. */
async function trainsEightGaussians(stage: Stage): Promise<void> {
  const page = await openLaboratory(stage, "device=wasm");
  await page.getByRole("button", { name: "Train" }).click();
  const measured = page.locator(".facts", { hasText: "within 3 std" });
  await until("90 % of the samples within 3 standard deviations of a mode", async () => {
    const text = (await measured.allInnerTexts()).join(" ");
    return Number(/([\d.]+) %/.exec(text)?.[1] ?? 0) >= 90;
  }, 60_000);
  await page.close();
}

/** A hundred steps on both devices have the same losses. */
async function trainsOnWebGpu(stage: Stage, scratch: string): Promise<void> {
  const losses: number[][] = [];
  for (const device of ["wasm", "webgpu"]) {
    // Its software adapter takes long over what a deep potential needs.
    const settings =
      `width=16&depth=1&batch=128&steps=100&particles=false&trails=false&field=none&device=${device}`;
    const page = await openLaboratory(stage, settings);
    await trainToEnd(page, 240_000);
    const { metrics } = await saveRun(page, join(scratch, device));
    losses.push(metrics.map(({ loss }) => loss));
    await page.close();
  }
  assertEquals(losses[0].length, 10);
  losses[0].forEach((loss, i) =>
    assertAlmostEquals(losses[1][i], loss, 1e-3, `loss of line ${i + 1}`)
  );
}

/** The share of the points that have a dot of the accent colour where they are. */
async function shareSeen(page: Page, points: Float32Array): Promise<number> {
  const colours = (await coloursAt(page, points)).filter((colour) => colour !== null);
  assert(colours.length > 0.9 * points.length / 2, "most points are on the picture");
  // The accent is a blue: far from the page's white, its greys and its data's marks.
  const seen = colours.filter(([r, g, b]) => b > 140 && b - r > 60 && b - g > 20);
  return seen.length / colours.length;
}

/** The particles on the page are where `vapo sample` carries those of the same seed. */
async function scrubsTime(stage: Stage, scratch: string): Promise<void> {
  const view = "field=none&velocity=none&contours=false&trails=false&showData=false&drawn=200";
  const page = await openLaboratory(stage, `${small}&steps=200&${view}`);
  await trainToEnd(page);
  const { directory } = await saveRun(page, scratch);
  const frames = 12, until = 0.99, trajectory = join(scratch, "flow.npy");
  await runVapo(
    ...["sample", directory, "--n", "200", "--seed", "0", "--solver", "rk45"],
    ...["--rtol", "1e-3", "--atol", "1e-3", "--frames", String(frames)],
    ...["--trajectory", trajectory, "--out", join(scratch, "samples.npy")],
  );
  const { data } = decodeNpy(await Deno.readFile(trajectory));
  for (const frame of [0, 5, frames - 1]) {
    await slideTo(page, /^Time u/, until * frame / (frames - 1));
    await page.waitForTimeout(400);
    const there = data.slice(frame * 400, (frame + 1) * 400) as Float32Array;
    await assertSeen(page, there, `frame ${frame}`);
  }
  // The test could fail: at the start the particles are not where they end.
  await slideTo(page, /^Time u/, 0);
  await page.waitForTimeout(400);
  const last = data.slice(-400) as Float32Array;
  assert(await shareSeen(page, last) < 0.5, "particles move");
  await page.close();
}

/** Nearly all: the rim of one dot may hide another. */
async function assertSeen(page: Page, points: Float32Array, what: string): Promise<void> {
  const share = await shareSeen(page, points);
  assert(
    share > 0.93,
    `${what}: ${Math.round(100 * share)} % of the particles are where they should be`,
  );
}

/** Draws two strokes with the mouse, and trains on them. */
async function drawsPoints(stage: Stage, scratch: string): Promise<void> {
  const page = await openLaboratory(stage, `${small}&steps=300&optimizer=adam`);
  await page.getByRole("radio", { name: "Draw your own" }).check({ force: true });
  await page.locator(".lab-editor").getByRole("button", { name: "Clear" }).click();
  const canvas = page.getByRole("img", { name: /^Drawing of/ });
  await canvas.scrollIntoViewIfNeeded();
  const box = (await canvas.boundingBox())!;
  const at = (x: number, y: number) =>
    [box.x + box.width * (x + 5) / 10, box.y + box.height * (5 - y) / 10] as const;
  for (const x of [-3, 3]) {
    await page.mouse.move(...at(x, -2));
    await page.mouse.down();
    await page.mouse.move(...at(x, 2), { steps: 12 });
    await page.mouse.up();
  }
  await until(
    "a run of the drawing is open",
    async () => /ready|paused/.test(await statusOf(page)),
  );
  await trainToEnd(page);
  const { directory } = await saveRun(page, scratch);
  const config = JSON.parse(await Deno.readTextFile(join(directory, "config.json")));
  assertEquals(config.data.name, "points");
  assert(config.data.distribution.points.length > 20);
  const samples = join(scratch, "drawn.npy");
  await runVapo("sample", directory, "--n", "400", "--out", samples);
  const { data } = decodeNpy(await Deno.readFile(samples));
  let near = 0;
  for (let i = 0; i < data.length; i += 2) {
    if (Math.abs(Math.abs(Number(data[i])) - 3) < 1 && Math.abs(Number(data[i + 1])) < 3) near++;
  }
  assert(near > 0.8 * 400, `${near} of 400 samples are near what was drawn`);
  await page.close();
}

/** A link opened by somebody else trains to the same bits. */
async function sharesLink(stage: Stage, scratch: string): Promise<void> {
  const page = await openLaboratory(stage, `data=2moons&${small}&steps=5000&seed=7`);
  await page.getByRole("button", { name: "Train" }).click();
  await until("some steps", async () => await stepOf(page) >= 60);
  await page.getByRole("button", { name: "Pause" }).click();
  await until("the pause", async () => await statusOf(page) === "paused");
  await slideTo(page, /^Time u/, 0.4);
  const first = await saveRun(page, join(scratch, "first"));
  await page.getByRole("button", { name: "Copy link" }).click();
  await page.getByText("The link is copied.").waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  await page.close();
  const other = await stage.page();
  await other.goto(link);
  await until(
    "the replay ends",
    async () =>
      await stepOf(other) === stepNumber(first.name) && await statusOf(other) === "paused",
  );
  assertEquals(await other.locator("output.lab-u").innerText(), "u = 0.400");
  const second = await saveRun(other, join(scratch, "second"));
  assertEquals(second.state, first.state);
  assertEquals(second.metrics, first.metrics);
  await other.reload();
  await until(
    "the replay after a reload",
    async () => await stepOf(other) === stepNumber(first.name),
  );
  await other.close();
}

function stepNumber(name: string): number {
  return Number(name.split("-").at(-1));
}

/** A saved run goes on in the command line, and is opened again in the page. */
async function exchangesRuns(stage: Stage, scratch: string): Promise<void> {
  const page = await openLaboratory(stage, `data=rings&${small}&steps=150`);
  await trainToEnd(page);
  const { directory, state } = await saveRun(page, scratch);
  await page.close();
  assert((await runVapo("sample", directory, "--n", "100")).includes("samples"));
  const again = await openLaboratory(stage);
  await again.getByText("Open a run").click();
  await again.getByLabel(/A saved run/).setInputFiles([
    join(directory, "config.json"),
    join(directory, "checkpoints/step-00000150/state.safetensors"),
    join(directory, "metrics.jsonl"),
  ]);
  await until("the run is open", async () => await stepOf(again) === 150);
  assertEquals((await saveRun(again, join(scratch, "again"))).state, state);
  // And one of the runs directory, by its address.
  await runVapo(
    ...["train", "2moons", "--out", join(stage.runs, "moons"), "--steps", "40", "--device", "wasm"],
    ...["--set", "potential.hidden=[16]", "--set", "training.logEvery=10"],
  );
  const served = await openLaboratory(stage, "", "?run=moons");
  assertEquals(await stepOf(served), 40);
  assertEquals(await statusOf(served), "finished");
  await again.close();
  await served.close();
}

/** What cannot be read in an address is said, and the page works all the same. */
async function reportsAddress(stage: Stage): Promise<void> {
  const page = await openLaboratory(stage, "estimator=guess&sead=3");
  const notice = page.getByRole("alert").first();
  const text = await notice.innerText();
  assert(text.includes("estimator=guess") && text.includes("sead"), text);
  await page.close();
}

/** No page asks for anything that its policy refuses, or throws. */
function assertNoComplaints({ complaints }: Stage): void {
  assertEquals(complaints, []);
}

async function interactiveSoon(stage: Stage): Promise<void> {
  const page: Page = await stage.page();
  let bytes = 0;
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    if (!pathname.endsWith(".js") || pathname.includes("worker")) return;
    bytes += Number(response.headers()["content-length"] ?? Infinity);
  });
  await page.goto(stage.server().origin);
  await page.locator('[data-island="laboratory"][data-ready]').waitFor();
  assert(bytes > 0 && bytes <= 400 * 1024, `${bytes} bytes of script before the worker`);
  await page.close();
}

Deno.test({
  name: "the laboratory, end to end in a browser",
  ignore: withoutBrowser,
  async fn(t) {
    await withStage(async (stage) => {
      const scratch = await Deno.makeTempDir();
      const inside = (name: string) => join(scratch, name);
      await t.step("loads little before its worker", () => interactiveSoon(stage));
      await t.step("trains 8gaussians", () => trainsEightGaussians(stage));
      await t.step(
        "trains on WebGPU as on WebAssembly",
        () => trainsOnWebGpu(stage, inside("gpu")),
      );
      await t.step(
        "shows particles where the solver says",
        () => scrubsTime(stage, inside("time")),
      );
      await t.step("trains on what is drawn", () => drawsPoints(stage, inside("drawn")));
      await t.step("opens a link at the same bits", () => sharesLink(stage, inside("link")));
      await t.step(
        "exchanges runs with the command line",
        () => exchangesRuns(stage, inside("runs")),
      );
      await t.step("says what of an address it cannot read", () => reportsAddress(stage));
      await t.step("has thrown nothing", () => assertNoComplaints(stage));
      await Deno.remove(scratch, { recursive: true });
    });
  },
});

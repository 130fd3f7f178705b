/**
 * @file The pages of runs from end to end, in headless Chromium: a training of the command line appears
 * and grows, one is started, paused and resumed from the page, and a page outlives its server.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import type { Page } from "playwright-core";
import { project, type Stage, until, withoutBrowser, withStage } from "./stage.ts";

/** A net that a step takes a millisecond or two of, and lines that come one after another. */
const tiny = [
  "--device=wasm",
  "--threads=1",
  "--set=potential.hidden=[64,64]",
  "--set=training.logEvery=20",
  "--set=training.sampleEvery=500",
  "--set=sampling.n=200",
];

/** Starts a training by the command line, in a process of its own. */
function startTraining(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(project, "cli/main.ts"), "train", ...args],
    stdout: "null",
    stderr: "null",
  }).spawn();
}

async function openPage(stage: Stage, path: string): Promise<Page> {
  const page = await stage.page();
  await page.goto(`${stage.server().origin}${path}`);
  await page.locator("[data-island][data-ready]").first().waitFor();
  return page;
}

/** The step that the head of a run's page says. */
async function progressOf(page: Page): Promise<number> {
  const text = await page.locator(".run-progress").first().innerText();
  return Number(/[\d,]+/.exec(text)![0].replaceAll(",", ""));
}

/** The step of the last line that the curves show. */
async function lastStepDrawn(page: Page): Promise<number> {
  const text = (await page.locator(".chart").allInnerTexts()).join(" ");
  return Number(/step ([\d,]+)/.exec(text)?.[1].replaceAll(",", "") ?? 0);
}

/** The list has a training that starts while it is looked at; its page follows it to the end. */
async function watchesRun(stage: Stage): Promise<void> {
  const page = await openPage(stage, "/runs");
  await page.getByText("No runs yet").waitFor();
  const training = startTraining(
    ...["rings", "--out", join(stage.runs, "watched"), "--steps", "3000", ...tiny],
  );
  const row = page.locator('.run-row[data-name="watched"]');
  await row.getByText("running", { exact: false }).first().waitFor({ timeout: 60_000 });
  await row.getByRole("link", { name: "watched" }).click();
  await page.locator('[data-island="run-view"][data-ready]').waitFor();
  const first = await progressOf(page);
  await until("the run has grown", async () => await progressOf(page) > first);
  await until("the run's end", async () => await progressOf(page) === 3000, 120_000);
  await training.status;
  await page.getByText("finished", { exact: false }).first().waitFor();
  assertEquals(await page.getByRole("heading", { level: 1 }).innerText(), "watched");
  await page.close();
}

/** Starts a training, pauses it, and lets it go on, all from the page. */
async function steersTraining(stage: Stage): Promise<void> {
  const page = await openPage(stage, "/runs");
  await page.getByLabel("Preset").selectOption("2moons");
  await page.getByLabel("Name").fill("steered");
  await page.getByRole("spinbutton", { name: "Steps" }).fill("4000");
  await page.getByRole("button", { name: "Start training" }).click();
  await page.getByRole("link", { name: "watch steered" }).click();
  await page.locator('[data-island="run-view"][data-ready]').waitFor();
  await until("the run's first lines", async () => await progressOf(page) > 0);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Resume" }).waitFor({ timeout: 60_000 });
  const paused = await progressOf(page);
  assert(paused > 0 && paused < 4000, `paused at ${paused}`);
  await page.getByRole("button", { name: "Resume" }).click();
  await until("the run goes on", async () => await progressOf(page) > paused);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Resume" }).waitFor({ timeout: 60_000 });
  await page.close();
}

/** A page whose server is killed says so, and goes on where it was when the server is back. */
async function outlivesServer(stage: Stage): Promise<void> {
  const directory = join(stage.runs, "long");
  const training = startTraining("rings", "--out", directory, "--steps", "100000", ...tiny);
  await until("the run's first lines", async () => {
    const text = await Deno.readTextFile(join(directory, "metrics.jsonl")).catch(() => "");
    return text.split("\n").length > 3;
  });
  const page = await openPage(stage, "/runs/long");
  await until("the curves", async () => await lastStepDrawn(page) > 0);
  await stage.server().kill();
  await page.getByText("Connection lost").waitFor();
  const before = await lastStepDrawn(page);
  await stage.restart();
  await page.getByText("Connection lost").waitFor({ state: "hidden", timeout: 60_000 });
  await until("the curves go on", async () => await lastStepDrawn(page) > before);
  // A request needs the new server's token.
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Resume" }).waitFor({ timeout: 60_000 });
  assertEquals((await training.status).code, 130);
  // Nothing lost, nothing twice: the table has the lines of the file.
  const text = await Deno.readTextFile(join(directory, "metrics.jsonl"));
  const last = JSON.parse(text.trim().split("\n").at(-1)!).step;
  await until("the last line", async () => await lastStepDrawn(page) === last);
  await page.close();
}

/** The flow of a few points, frame by frame, from a process of the server's. */
async function showsFlow(stage: Stage): Promise<void> {
  const page = await openPage(stage, "/runs/watched");
  const flow = page.getByRole("region", { name: "From noise to samples" });
  await flow.getByRole("button", { name: /flow/i }).first().click();
  await flow.getByRole("slider").first().waitFor({ timeout: 60_000 });
  await page.close();
}

/** A run that cannot be read says why, and takes nothing else down. */
async function showsDamage(stage: Stage): Promise<void> {
  const broken = join(stage.runs, "broken");
  await Deno.mkdir(broken);
  await Deno.writeTextFile(join(broken, "config.json"), '{"preset": "rin');
  const page = await openPage(stage, "/runs");
  const row = page.locator('.run-row[data-name="broken"]');
  await row.getByText("damaged", { exact: false }).first().waitFor();
  assertMatch(await row.innerText(), /config\.json is not JSON/);
  await page.locator('.run-row[data-name="watched"]').waitFor();
  await page.goto(`${stage.server().origin}/runs/broken`);
  await page.getByText("config.json is not JSON").first().waitFor();
  await page.close();
}

Deno.test({
  name: "the pages of runs, end to end in a browser",
  ignore: withoutBrowser,
  async fn(t) {
    await withStage(async (stage) => {
      await t.step("a run of the command line appears and grows", () => watchesRun(stage));
      await t.step("a training is started, paused and resumed", () => steersTraining(stage));
      await t.step("the flow of a run is shown", () => showsFlow(stage));
      await t.step("a damaged run shows as such", () => showsDamage(stage));
      await t.step("pages have thrown nothing", () => assertEquals(stage.complaints, []));
      await t.step("a page outlives its server", () => outlivesServer(stage));
    });
  },
});

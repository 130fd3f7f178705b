/**
 * @file Makes the pictures of the web view that the README shows: `deno task web:pictures`. The pages
 * are those that a reader gets, in headless Chromium; look at them before they are kept.
 */
import { join } from "@std/path";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { openLaboratory, slideTo, statusOf, stepOf } from "./laboratory_pages.ts";
import { project, runVapo, type Stage, until, withStage } from "./stage.ts";

const images = join(project, "docs/images");

/** Trains to a step and pauses there. */
async function trainTo(page: Page, step: number): Promise<void> {
  await page.getByRole("button", { name: "Train" }).click();
  await until(`step ${step}`, async () => await stepOf(page) >= step, 180_000);
  if (await statusOf(page) !== "finished") {
    await page.getByRole("button", { name: "Pause" }).click();
  }
  // The pictures are brought to the step at rest.
  await page.waitForTimeout(2500);
}

/** The laboratory on a large screen and on a telephone, in both themes. */
async function screens(stage: Stage): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await openLaboratory(stage, "device=wasm&u=0.7&relief=true");
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 1600, height: 1000 });
    await trainTo(page, 1500);
    await page.screenshot({ path: join(images, `laboratory-${colorScheme}.png`) });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.waitForTimeout(1500);
    await page.screenshot({ path: join(images, `laboratory-phone-${colorScheme}.png`) });
    await page.close();
  }
}

/** Particles beside the exact flow, and Φ against the exact one. */
async function comparison(stage: Stage): Promise<void> {
  const page = await openLaboratory(stage, "device=wasm&u=0.7&compare=both&velocity=streamlines");
  await page.setViewportSize({ width: 1600, height: 1000 });
  await trainTo(page, 1500);
  await page.locator(".lab-stage").first().screenshot({
    path: join(images, "laboratory-exact.png"),
  });
  await page.close();
}

/** A landscape that forms, then particles that flow through it. */
async function animation(stage: Stage): Promise<void> {
  const page = await openLaboratory(stage, "device=wasm&u=0.7&velocity=none&showData=false");
  await page.setViewportSize({ width: 1100, height: 900 });
  const plane = page.locator(".lab-plane canvas").first();
  const frames: Uint8Array[] = [], delays: number[] = [];
  const take = async (delay: number) => {
    const picture = await plane.screenshot();
    frames.push(await sharp(picture).resize(440, 440).removeAlpha().png().toBuffer());
    delays.push(delay);
  };
  await page.waitForTimeout(2500);
  await take(600);
  await page.getByRole("button", { name: "Train" }).click();
  for (let i = 0; i < 32; i++) {
    await page.waitForTimeout(i < 20 ? 150 : 500);
    await take(110);
  }
  await page.getByRole("button", { name: "Pause" }).click();
  for (let i = 0; i <= 30; i++) {
    await slideTo(page, /^Time u/, 0.99 * i / 30);
    await page.waitForTimeout(500);
    await take(i === 30 ? 1500 : 80);
  }
  await sharp(frames, { join: { animated: true } })
    .webp({ delay: delays, loop: 0, quality: 62, effort: 6, smartSubsample: true })
    .toFile(join(images, "laboratory.webp"));
  await page.close();
}

/** Copies a run's directory: links that lead out of the runs directory are refused. */
async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copy(join(from, name), join(to, name));
    else await Deno.copyFile(join(from, name), join(to, name));
  }
}

/** The page of an image run, whose flow is halfway. */
async function runPage(stage: Stage, run: string | undefined): Promise<void> {
  const directory = join(stage.runs, "mnist16");
  if (run) await copy(run, directory);
  else await runVapo("train", "mnist16", "--out", directory);
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await stage.page({ colorScheme });
    await page.setViewportSize({ width: 1600, height: 1000 });
    await page.goto(`${stage.server().origin}/runs/mnist16`);
    await page.locator('[data-island="run-view"][data-ready]').waitFor();
    const flow = page.getByRole("region", { name: "From noise to samples" });
    await flow.getByRole("radio", { name: "9" }).check({ force: true });
    await flow.getByRole("button", { name: /flow/i }).first().click();
    await flow.getByRole("slider").first().waitFor({ timeout: 120_000 });
    await page.waitForTimeout(2500);
    await page.screenshot({
      path: join(images, `run-page-${colorScheme}.png`),
      fullPage: true,
      clip: { x: 0, y: 0, width: 1600, height: 1700 },
    });
    await page.close();
  }
}

if (import.meta.main) {
  await withStage(async (stage) => {
    await screens(stage);
    await comparison(stage);
    await animation(stage);
    await runPage(stage, Deno.args[0]);
  });
}

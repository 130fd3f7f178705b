/**
 * @file Every page held against axe-core in both themes, at the width of a telephone and of a large
 * screen, in states that a reader gets it into; nothing may be wider than the window.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
// For its file's place alone.
import "axe-core";
import type { Page } from "playwright-core";
import { openLaboratory, trainToEnd } from "./laboratory_pages.ts";
import { runVapo, type Stage, withoutBrowser, withStage } from "./stage.ts";

const axe = await Deno.readTextFile(fromFileUrl(import.meta.resolve("axe-core")));

/** What axe-core has to say of a page: each violation with its first element. */
async function violationsOf(page: Page): Promise<string[]> {
  // The page's policy lets no script in; the debugger's door is another one.
  await page.evaluate(axe);
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(): Promise<
          {
            violations: {
              id: string;
              help: string;
              nodes: { html: string; failureSummary: string }[];
            }[];
          }
        >;
      };
    };
    const { violations } = await axe.run();
    return violations.map(({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes[0].html} ${nodes[0].failureSummary} (${nodes.length} in all)`
    );
  });
}

/** A page in each of its looks has nothing that axe-core knows to be wrong, and fits the window. */
async function assertFits(page: Page, name: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [390, 1100, 1920]) {
      await page.setViewportSize({ width, height: 1000 });
      await page.waitForTimeout(100);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert(wide <= width, `${name} is ${wide} px wide at ${width}`);
      // One look at each of the layouts, the other theme at the other end.
      if (width === (colorScheme === "light" ? 390 : 1920)) {
        assertEquals(await violationsOf(page), [], `${name}, ${width} px, ${colorScheme}`);
      }
    }
  }
}

/** Opens all that is folded. */
async function unfold(page: Page): Promise<void> {
  await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  await page.waitForTimeout(300);
}

async function makeRuns({ runs }: Stage): Promise<void> {
  const tiny = ["--device=wasm", "--set=potential.hidden=[16]", "--set=sampling.n=200"];
  await runVapo("train", "rings", "--out", join(runs, "rings"), "--steps", "100", ...tiny);
  await runVapo("eval", join(runs, "rings"), "nll", "energy", "--n", "200", "--device", "wasm");
  await Deno.mkdir(join(runs, "broken"));
  await Deno.writeTextFile(join(runs, "broken", "config.json"), "{");
}

async function checkLaboratory(stage: Stage): Promise<void> {
  const page = await openLaboratory(stage, "width=16&depth=1&batch=64&steps=60");
  await assertFits(page, "the laboratory as it opens");
  await trainToEnd(page);
  await page.getByRole("radio", { name: "Draw your own" }).check({ force: true });
  await unfold(page);
  await assertFits(page, "the laboratory with all unfolded");
  await page.close();
}

async function checkPath(stage: Stage, path: string): Promise<void> {
  const page = await stage.page();
  await page.goto(`${stage.server().origin}${path}`);
  await page.waitForTimeout(1500);
  await unfold(page);
  await assertFits(page, path);
  await page.close();
}

/** With reduced motion wished for, nothing moves by itself. */
async function checkStillness(stage: Stage): Promise<void> {
  const page = await stage.page({ reducedMotion: "reduce" });
  await page.goto(stage.server().origin);
  await page.locator('[data-island="laboratory"][data-ready]').waitFor();
  await page.waitForTimeout(2000);
  const before = await page.locator("output.lab-u").innerText();
  await page.waitForTimeout(1000);
  assertEquals(await page.locator("output.lab-u").innerText(), before);
  await page.close();
}

/** The keyboard alone trains, pauses, and moves the time. */
async function checkKeyboard(stage: Stage): Promise<void> {
  const page = await openLaboratory(stage, "width=16&depth=1&batch=64&steps=100000");
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Train" }).waitFor();
  const slider = page.getByRole("slider", { name: /^Time u/ });
  await slider.focus();
  await page.keyboard.press("Home");
  assertEquals(await page.locator("output.lab-u").innerText(), "u = 0.000");
  await page.keyboard.press("ArrowRight");
  assertEquals(await page.locator("output.lab-u").innerText(), "u = 0.001");
  await page.close();
}

Deno.test({
  name: "the pages are accessible, in both themes and at every width",
  ignore: withoutBrowser,
  async fn(t) {
    await withStage(async (stage) => {
      await makeRuns(stage);
      await t.step("the laboratory", () => checkLaboratory(stage));
      for (const path of ["/runs", "/runs/rings", "/runs/broken", "/nowhere"]) {
        await t.step(path, () => checkPath(stage, path));
      }
      await t.step("reduced motion", () => checkStillness(stage));
      await t.step("the keyboard alone", () => checkKeyboard(stage));
    });
  },
});

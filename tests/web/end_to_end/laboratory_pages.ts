/**
 * @file What a reader does in the laboratory, as steps of a test: open it, train to a step, save a run
 * and read it, look at the picture's pixels.
 */
import { assert } from "@std/assert";
import { join } from "@std/path";
import type { Page } from "playwright-core";
import { fileOfBytes } from "../../../core/formats/random_access.ts";
import { openZip } from "../../../core/formats/zip.ts";
import type { MetricsLine } from "../../../core/train/run_directory.ts";
import { planeView, toCanvas } from "../../../web/pictures/view.ts";
import { type Stage, until } from "./stage.ts";

/** Half the side of the square of the plane that is seen, in data units. */
const EXTENT = 5;

/** Opens the laboratory at an address's fragment, and waits until its run is open. */
export async function openLaboratory(stage: Stage, fragment = "", query = ""): Promise<Page> {
  const page = await stage.page({ permissions: ["clipboard-read", "clipboard-write"] });
  await page.goto(`${stage.server().origin}/${query}#${fragment}`);
  await page.locator('[data-island="laboratory"][data-ready]').waitFor();
  await until("a run is open", async () => /ready|paused|finished/.test(await statusOf(page)));
  return page;
}

/** The word that says what the run is at. */
export async function statusOf(page: Page): Promise<string> {
  return await page.locator(".lab-status [role=status]").innerText();
}

/** The step that the page says the run is at. */
export async function stepOf(page: Page): Promise<number> {
  const text = await page.locator(".lab-step strong").innerText();
  return Number(text.replaceAll(/\D/g, ""));
}

/** Trains until the page says that the run is at its end. */
export async function trainToEnd(page: Page, milliseconds = 120_000): Promise<void> {
  await page.getByRole("button", { name: "Train" }).click();
  await until("the run ends", async () => await statusOf(page) === "finished", milliseconds);
}

/** A run that was saved, unpacked into a directory. */
export interface SavedRun {
  readonly directory: string;
  readonly name: string;
  readonly metrics: readonly MetricsLine[];
  /** state.safetensors. */
  readonly state: Uint8Array;
}

/** Saves the run by its button, and unpacks it below a directory. */
export async function saveRun(page: Page, below: string): Promise<SavedRun> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save run" }).click(),
  ]);
  const bytes = await Deno.readFile(await download.path());
  const archive = await openZip(fileOfBytes(bytes, download.suggestedFilename()));
  let name = "", metrics: MetricsLine[] = [], state = new Uint8Array();
  for (const entry of archive.entries) {
    const path = join(below, entry.path), content = await archive.read(entry);
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await Deno.writeFile(path, content);
    name = entry.path.split("/")[0];
    if (path.endsWith("metrics.jsonl")) {
      const lines = new TextDecoder().decode(content).trim().split("\n");
      metrics = lines.map((line) => JSON.parse(line));
    }
    if (path.endsWith("state.safetensors")) state = content;
  }
  assert(name !== "" && state.length > 0, "the archive has a run");
  return { directory: join(below, name), name, metrics, state };
}

/** Moves a range input to a value, as a hand would. */
export async function slideTo(page: Page, label: RegExp, value: number): Promise<void> {
  await page.getByRole("slider", { name: label }).evaluate((slider, value) => {
    const input = slider as HTMLInputElement;
    input.value = String(value);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, value);
}

/** A colour: red, green, blue. */
export type Colour = readonly [number, number, number];

/**
 * The colours of the plane's picture at points of the plane; null for those at its rim and beyond.
 *
 * @param points [n, 2], in data units
 */
export async function coloursAt(
  page: Page,
  points: Float32Array,
): Promise<(Colour | null)[]> {
  const canvas = page.locator(".lab-plane canvas").first();
  const size = await canvas.evaluate((element) => {
    const { width, height } = element as HTMLCanvasElement;
    return { width, height };
  });
  const view = planeView(size, EXTENT);
  const places = Array.from(
    { length: points.length / 2 },
    (_, i) => toCanvas(view, points[2 * i], points[2 * i + 1]).map(Math.round),
  );
  return await canvas.evaluate((element, { places, rim }) => {
    const { width, height } = element as HTMLCanvasElement;
    const { data } = (element as HTMLCanvasElement).getContext("2d")!
      .getImageData(0, 0, width, height);
    return places.map(([x, y]) => {
      if (x < rim || y < rim || x >= width - rim || y >= height - rim) return null;
      const at = 4 * (y * width + x);
      return [data[at], data[at + 1], data[at + 2]] as const;
    });
  }, { places, rim: 3 });
}

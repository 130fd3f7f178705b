/**
 * @file Where Chromium is on this machine, and how tests start it.
 */
import { type Browser, chromium } from "playwright-core";

const candidates = [
  Deno.env.get("CHROMIUM_PATH"),
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The path of a Chromium, or undefined where none is found. `CHROMIUM_PATH` comes first. */
export async function chromiumPath(): Promise<string | undefined> {
  for (const path of candidates) {
    if (path && await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return path;
  }
}

/** Starts a headless Chromium whose WebGPU is done in software; the caller closes it. */
export async function launchChromium(): Promise<Browser> {
  return await chromium.launch({
    executablePath: await chromiumPath(),
    args: [
      "--headless=new",
      "--no-sandbox",
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
    ],
  });
}

/**
 * @file Where Chromium is on this machine.
 */

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

/** @file Files that somebody has chosen, as a run that the engine opens. */
import type { RunFiles } from "../../laboratory/engine_types.ts";

/**
 * A run from a ZIP archive, or from its files one by one. What reads them is loaded when it is needed.
 *
 * @throws {Error} one line that says what is missing or damaged
 */
export async function openedFiles(files: readonly File[]): Promise<RunFiles> {
  const { readRunArchive, readRunFiles } = await import("../../laboratory/run_archive.ts");
  const named = await Promise.all(files.map(async (file) => ({
    name: file.name,
    bytes: new Uint8Array(await file.arrayBuffer()),
  })));
  return named.length === 1 && /\.zip$/i.test(named[0].name)
    ? await readRunArchive(named[0].bytes, named[0].name)
    : readRunFiles(named);
}

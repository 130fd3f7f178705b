/**
 * @file Fetching a data set's official files, for those who ask for it by `--download`: to a name
 * that says it is not whole, going on where the last attempt stopped if the server lets it (RFC 9110,
 * section 14), and to its own name once size and MD5 sum are right.
 */
import { join } from "@std/path";
import type { OfficialFile } from "../../core/data/official_files.ts";
import { VapoError } from "../../core/errors.ts";
import { withFileErrors } from "../file_errors.ts";
import { shownPath } from "../user_paths.ts";
import type { Work } from "./image_source.ts";
import { fileSize, md5Of, megabytes } from "./verify.ts";

/** Where files are fetched from: the official address, but for tests. */
export type Address = (url: string) => string;

/** Without a byte for so long, a connection is taken for dead. */
const STALL_MILLISECONDS = 60_000;

/**
 * Fetches the files that are not there yet.
 *
 * @param files which, each with its size and MD5 sum
 * @param directory where to
 * @throws {VapoError} where one cannot be fetched or is not what it should be
 */
export async function downloadFiles(
  files: readonly OfficialFile[],
  directory: string,
  work: Work,
  address: Address = (url) => url,
): Promise<void> {
  await withFileErrors(
    "make",
    shownPath(directory),
    () => Deno.mkdir(directory, { recursive: true }),
  );
  for (const file of files) {
    const path = join(directory, file.name);
    if (await sizeIfThere(path) === file.bytes) continue;
    await fetchToPart(file, path, work, address(file.url));
    await acceptPart(file, path, work);
  }
}

async function sizeIfThere(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** What has come of a file so far. */
function partName(path: string): string {
  return `${path}.part`;
}

async function fetchToPart(
  file: OfficialFile,
  path: string,
  work: Work,
  url: string,
): Promise<void> {
  const part = partName(path);
  const have = await sizeIfThere(part) ?? 0;
  if (have === file.bytes) return;
  const first = file.bytes !== undefined && have > file.bytes ? 0 : have;
  const stalled = new AbortController();
  const response = await request(url, first, AbortSignal.any([work.signal, stalled.signal]), work);
  const start = response.status === 206 && startsAt(response, first) ? first : 0;
  if (response.status === 206 && start !== first) {
    await response.body?.cancel();
    throw refused(url, `it sent another part than was asked for`);
  }
  await withFileErrors("write", shownPath(part), async () => {
    using out = await Deno.open(part, { write: true, create: true, truncate: start === 0 });
    await out.seek(start, Deno.SeekMode.Start);
    let done = start;
    const report = () =>
      work.progress(
        `fetch ${file.name}`,
        megabytes(done),
        megabytes(file.bytes ?? done),
        "MB",
      );
    report();
    try {
      for await (const chunk of withStallTimer(response, stalled)) {
        await writeAll(out, chunk);
        done += chunk.length;
        if (file.bytes !== undefined && done > file.bytes) break;
        report();
      }
    } catch (error) {
      work.signal.throwIfAborted();
      if (error instanceof Error && "code" in error && !(error instanceof DOMException)) {
        throw error; // the disk's
      }
      throw refused(
        url,
        stalled.signal.aborted ? "nothing came for a minute" : (error as Error).message,
      );
    }
    await out.sync();
  });
}

async function request(
  url: string,
  first: number,
  signal: AbortSignal,
  work: Work,
): Promise<Response> {
  // A file compressed with gzip is to come as it is.
  const headers = new Headers({ "Accept-Encoding": "identity" });
  if (first > 0) headers.set("Range", `bytes=${first}-`);
  let response: Response;
  try {
    response = await fetch(url, { headers, signal });
  } catch (error) {
    work.signal.throwIfAborted();
    if (error instanceof Deno.errors.NotCapable) throw error;
    throw refused(url, (error as Error).message);
  }
  if (response.ok) return response;
  await response.body?.cancel();
  if (response.status === 416 && first > 0) return await request(url, 0, signal, work);
  throw refused(url, `the server answers ${response.status} ${response.statusText}`.trim());
}

function startsAt(response: Response, first: number): boolean {
  const range = /^bytes (\d+)-/.exec(response.headers.get("Content-Range") ?? "");
  return range !== null && Number(range[1]) === first;
}

async function* withStallTimer(
  response: Response,
  stalled: AbortController,
): AsyncGenerator<Uint8Array> {
  const start = () => setTimeout(() => stalled.abort(), STALL_MILLISECONDS);
  let timer = start();
  try {
    for await (const chunk of response.body ?? []) {
      clearTimeout(timer);
      yield chunk;
      timer = start();
    }
  } finally {
    clearTimeout(timer);
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}

/** Gives a file its name once it is known to be right; removes it where it is not. */
async function acceptPart(file: OfficialFile, path: string, work: Work): Promise<void> {
  const part = partName(path), size = await fileSize(part);
  if (file.bytes !== undefined && size < file.bytes) {
    throw refused(file.url, `it ended after ${size} of ${file.bytes} bytes`);
  }
  const found = file.md5 === undefined ? undefined : await md5Of(part, work);
  if ((file.bytes !== undefined && size !== file.bytes) || found !== file.md5) {
    await withFileErrors("remove", shownPath(part), () => Deno.remove(part));
    throw new VapoError(
      `${file.url} sent ${size} bytes with the MD5 sum ${found}; expected ${file.bytes} with ` +
        `${file.md5}: they have been removed; try again later`,
    );
  }
  await withFileErrors("write", shownPath(path), () => Deno.rename(part, path));
}

function refused(url: string, reason: string): VapoError {
  return new VapoError(
    `cannot fetch ${url}: ${reason}; the same command goes on where this one stopped`,
  );
}

/**
 * @file Files that pages are made of: scripts, styles, WebAssembly. They are held in memory, as they
 * are and compressed, for as long as they have not changed.
 */
import { extname } from "@std/path";
import type { Context } from "hono";
import { memoryCache } from "./memory_cache.ts";
import { Refusal } from "./refusal.ts";
import { findFile } from "./run_paths.ts";

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".jsonl": "application/jsonl; charset=utf-8",
  ".map": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
};

/** The type of a file, by the ending of its name. */
export function contentType(path: string): string {
  return types[extname(path).toLowerCase()] ?? "application/octet-stream";
}

/** A file in memory. */
interface HeldFile {
  readonly signature: string;
  readonly etag: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** null where compressing is of no use. */
  readonly gzip: Uint8Array<ArrayBuffer> | null;
}

/** Bytes that all files may take in memory. */
const MEMORY = 2 ** 26;

/** Serves files. */
export interface ServedFiles {
  /**
   * Answers with a file.
   *
   * @param directory where all files are that may be served
   * @param path names joined by /
   * @throws {Refusal} 404 where there is none, 403 where it leads out of the directory
   */
  serve(context: Context, directory: string, path: string): Promise<Response>;
}

/** Makes the files of a server. */
export function servedFiles(): ServedFiles {
  const held = memoryCache<HeldFile>(
    MEMORY,
    ({ bytes, gzip }) => bytes.length + (gzip?.length ?? 0),
  );
  return {
    async serve(context, directory, path) {
      const file = await find(directory, path);
      const { size, mtime } = file.info, signature = `${size} ${mtime?.getTime()}`;
      let known = held.get(file.path);
      if (known?.signature !== signature) {
        known = await hold(file.path, signature);
        held.set(file.path, known);
      }
      return answer(context, path, known);
    },
  };
}

async function find(directory: string, path: string) {
  const names = path.split("/");
  const bad = names.some((name) => name === "" || name.startsWith(".") || /[\\%\0]/.test(name));
  const root = bad ? null : await Deno.realPath(directory).catch(() => null);
  const file = root === null ? null : await findFile(root, path).catch(() => null);
  if (file) return file;
  throw new Refusal(404, "there is no such file");
}

async function hold(path: string, signature: string): Promise<HeldFile> {
  const bytes = await Deno.readFile(path);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  const isText = /^(text\/|application\/json)|svg/.test(contentType(path));
  return {
    signature,
    etag: `W/"${hash.slice(0, 32)}"`,
    bytes,
    gzip: isText && bytes.length > 512 ? await compressed(bytes) : null,
  };
}

async function compressed(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return await new Response(stream).bytes();
}

/** A name with the checksum of its content in it, as Vite makes them: it never changes. */
const hashedName = /-[\w-]{8}\.\w+$/;

function answer(context: Context, path: string, { etag, bytes, gzip }: HeldFile): Response {
  const isFixed = hashedName.test(path);
  const headers: Record<string, string> = {
    "content-type": contentType(path),
    "cache-control": isFixed ? "public, max-age=31536000, immutable" : "no-cache",
    etag,
    vary: "accept-encoding",
  };
  const known = context.req.header("if-none-match")?.split(",").map((tag) => tag.trim()) ?? [];
  if (known.includes(etag) || known.includes("*")) {
    return new Response(null, { status: 304, headers });
  }
  const zips = gzip !== null && acceptsGzip(context.req.header("accept-encoding") ?? "");
  if (zips) headers["content-encoding"] = "gzip";
  return new Response(zips ? gzip : bytes, { headers });
}

function acceptsGzip(header: string): boolean {
  return header.split(",").some((coding) =>
    /^\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/.test(coding)
  );
}

/**
 * Streams a file of a run, as long as it is now.
 *
 * @param found from `findFile`
 * @param limit the most bytes that are sent
 * @throws {Refusal} 413 for a larger one
 */
export async function streamFile(
  { path }: { readonly path: string },
  limit: number,
  type = contentType(path),
): Promise<Response> {
  const file = await Deno.open(path, { read: true });
  const { size } = await file.stat();
  if (size > limit) {
    file.close();
    throw new Refusal(413, `the file has ${size} bytes: expected at most ${limit}`);
  }
  return new Response(firstBytes(file, size), {
    headers: { "content-type": type, "content-length": String(size) },
  });
}

/** The first bytes of a file, read as they are asked for; what is appended meanwhile is left out. */
function firstBytes(file: Deno.FsFile, size: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let left = size, open = true;
  const close = () => {
    if (open) file.close();
    open = false;
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const bytes = new Uint8Array(Math.min(left, 65_536));
      try {
        const read = left === 0 ? null : await file.read(bytes);
        if (read !== null) {
          left -= read;
          controller.enqueue(bytes.subarray(0, read));
          return;
        }
      } catch (error) {
        close();
        throw error;
      }
      close();
      controller.close();
    },
    cancel: close,
  }, { highWaterMark: 0 });
}

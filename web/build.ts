/**
 * @file Builds what a page loads with Vite: the islands, and the laboratory's worker with the core.
 * Run with `--node-modules-dir=auto`, since Vite looks for packages in `node_modules`; nothing is done
 * where what is built is newer than its sources.
 */
import { fromFileUrl, join } from "@std/path";
import { build, type Plugin } from "vite";
import manifest from "../deno.json" with { type: "json" };

const root = fromFileUrl(new URL(".", import.meta.url));
const project = fromFileUrl(new URL("..", import.meta.url));
/** Where it is built to; `client.js` is what every page loads. */
const output = join(root, "dist");
/** What the client is made of. */
const sources = [
  ...["core", "web"].map((name) => join(project, name)),
  ...["deno.json", "deno.lock"].map((name) => join(project, name)),
];

/** What a name of deno.json's import map is called in `node_modules`: "npm:zod@4" is "zod". */
export function packagePath(target: string): string | null {
  const match = /^npm:\/?((?:@[^/]+\/)?[^@/]+)(?:@[^/]+)?(\/.*)?$/.exec(target);
  return match && `${match[1]}${match[2] ?? ""}`;
}

/** The import map of deno.json, for Vite. */
function denoImports(imports: Readonly<Record<string, string>>): Plugin {
  return {
    name: "deno-imports",
    enforce: "pre",
    async resolveId(id, importer) {
      if (!Object.hasOwn(imports, id)) return null;
      const path = packagePath(imports[id]);
      return path === null ? null : await this.resolve(path, importer, { skipSelf: true });
    },
  };
}

/** When the newest file below paths was changed, in milliseconds; build output left out. */
async function newestTime(paths: readonly string[]): Promise<number> {
  let newest = -Infinity;
  for (const path of paths) {
    const { isDirectory, mtime } = await Deno.stat(path);
    if (!isDirectory) {
      newest = Math.max(newest, mtime?.getTime() ?? Infinity);
      continue;
    }
    const inside: string[] = [];
    for await (const { name } of Deno.readDir(path)) {
      if (join(path, name) !== output) inside.push(join(path, name));
    }
    newest = Math.max(newest, await newestTime(inside));
  }
  return newest;
}

async function isFresh(): Promise<boolean> {
  try {
    const built = await Deno.stat(join(output, "client.js"));
    return (built.mtime?.getTime() ?? 0) > await newestTime(sources);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function buildClient(): Promise<void> {
  const plugins = () => [denoImports(manifest.imports)];
  await build({
    root,
    base: "/assets/",
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    plugins: plugins(),
    worker: { format: "es", plugins },
    build: {
      outDir: output,
      emptyOutDir: true,
      target: "es2023",
      modulePreload: false,
      // A bundled core is one file of some 2 MB that the page does not wait for.
      chunkSizeWarningLimit: 4000,
      rolldownOptions: {
        input: join(root, "client.ts"),
        checks: { pluginTimings: false },
        output: { entryFileNames: "client.js" },
      },
    },
  });
}

if (import.meta.main && !await isFresh()) {
  const start = performance.now();
  await buildClient();
  console.log(`Built the pages' scripts in ${((performance.now() - start) / 1000).toFixed(1)} s.`);
}

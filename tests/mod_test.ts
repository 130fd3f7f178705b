/**
 * @file The documentation of the public API is complete: every export of mod.ts has a docstring, and
 * every function, constant and class among them an example. That the examples hold is tested by
 * `deno test --doc`.
 */
import { assertEquals } from "@std/assert";
import * as vapo from "../mod.ts";

const root = new URL("..", import.meta.url);

/** What `deno doc --json` says of a declaration, as far as it is read here. */
interface Declaration {
  readonly kind: "class" | "function" | "interface" | "namespace" | "typeAlias" | "variable";
  readonly location: { readonly filename: string };
  readonly jsDoc?: {
    readonly doc?: string;
    readonly tags?: readonly { readonly kind: string; readonly doc?: string }[];
  };
}

/** A name that mod.ts exports; several declarations are overloads, or a type and a value. */
interface Export {
  readonly name: string;
  readonly declarations: readonly Declaration[];
}

interface Documentation {
  readonly version: number;
  readonly nodes: Readonly<Record<string, { readonly symbols: readonly Export[] }>>;
}

async function documentedExports(): Promise<readonly Export[]> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", "mod.ts"],
    cwd: root,
  });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const { version, nodes } = JSON.parse(new TextDecoder().decode(stdout)) as Documentation;
  assertEquals(version, 2, "deno doc writes another version of JSON; this test reads version 2");
  return Object.values(nodes).flatMap(({ symbols }) => symbols);
}

/** Whether a package documents it: TensorFlow.js's types and its namespace. */
function isOfPackage({ kind, location }: Declaration): boolean {
  return !location.filename.startsWith(root.href) || kind === "namespace";
}

const exports = await documentedExports();
const own = exports.filter(({ declarations }) => !declarations.every(isOfPackage));

/** The names of those exports of our own that a test objects to. */
function failing(isFine: (found: Export) => boolean): string[] {
  return own.filter((found) => !isFine(found)).map(({ name }) => name);
}

Deno.test("deno doc knows every value that mod.ts exports", () => {
  const known = new Set(exports.map(({ name }) => name));
  assertEquals(Object.keys(vapo).filter((name) => !known.has(name)), []);
  assertEquals(Object.keys(vapo).filter((name) => !own.some((found) => found.name === name)), [
    "tf",
  ]);
});

Deno.test("every export of mod.ts has a docstring", () => {
  const undocumented = failing(({ declarations }) =>
    declarations.some(({ jsDoc }) => (jsDoc?.doc ?? "").trim() !== "")
  );
  assertEquals(undocumented, []);
});

Deno.test("every function, constant and class of mod.ts has an example that asserts", () => {
  const needsExample = ({ kind }: Declaration) => ["function", "variable", "class"].includes(kind);
  const withoutExample = failing(({ name, declarations }) =>
    !declarations.some(needsExample) ||
    declarations.some((declaration) => examplesOf(declaration).some((code) => shows(code, name)))
  );
  assertEquals(withoutExample, []);
});

/** The code of each example. */
function examplesOf({ jsDoc }: Declaration): string[] {
  return (jsDoc?.tags ?? [])
    .filter(({ kind }) => kind === "example")
    .flatMap(({ doc }) =>
      [...(doc ?? "").matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code)
    );
}

/** Whether code takes a name from the package, uses it, and asserts something. */
function shows(code: string, name: string): boolean {
  const imported = [...code.matchAll(/^import \{([^}]*)\} from "vapo";/gm)]
    .some(([, names]) => new RegExp(`\\b${name}\\b`).test(names));
  const body = code.replaceAll(/^import \{[^}]*\} from ".*";/gm, "");
  return imported && new RegExp(`\\b${name}\\b`).test(body) && /\bassert\w*\(/.test(body) &&
    code.includes('from "@std/assert";');
}

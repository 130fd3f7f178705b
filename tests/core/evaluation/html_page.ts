/**
 * @file A reader of HTML that takes only what is surely well-formed: every element closed in order,
 * every attribute in double quotes and once, no stray < > &. Stricter than HTML, so that what it takes
 * every browser takes for the same tree (held against parse5 once).
 */
import { assert, assertEquals } from "@std/assert";

/** An element with what is in it. */
export interface PageElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: (PageElement | string)[];
}

const VOID = new Set(["meta", "img"]);
const RAW = new Set(["style"]);
const TOKEN = /<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z][\w:-]*="[^"<>]*")*)>|([^<>]+)/y;
const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

/** The tree of a page; fails the test for one that is not surely well-formed. */
export function readPage(page: string): PageElement {
  const start = "<!DOCTYPE html>\n";
  assert(page.startsWith(start), "no doctype");
  const root: PageElement = { name: "", attributes: new Map(), children: [] };
  const open = [root];
  TOKEN.lastIndex = start.length;
  while (TOKEN.lastIndex < page.length) {
    const at = TOKEN.lastIndex;
    const token: RegExpExecArray | null = TOKEN.exec(page);
    assert(token !== null, `at ${at}: ${page.slice(at, at + 60)}`);
    const [, closing, name, given, text] = token!;
    const parent = open.at(-1)!;
    if (text !== undefined) {
      parent.children.push(decoded(text));
    } else if (closing) {
      assertEquals(open.pop()!.name, name, `at ${at}: ${page.slice(at, at + 60)}`);
    } else {
      const element = { name, attributes: attributesOf(given), children: [] };
      parent.children.push(element);
      if (!VOID.has(name)) open.push(element);
      if (RAW.has(name)) {
        const end = page.indexOf(`</${name}>`, TOKEN.lastIndex);
        open.at(-1)!.children.push(page.slice(TOKEN.lastIndex, end));
        TOKEN.lastIndex = end;
      }
    }
  }
  assertEquals(open.map(({ name }) => name), [""], "not closed");
  return root;
}

function attributesOf(given: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [, name, value] of given.matchAll(/\s+([\w:-]+)="([^"]*)"/g)) {
    assert(!attributes.has(name), `${name} twice`);
    attributes.set(name, decoded(value));
  }
  return attributes;
}

function decoded(text: string): string {
  // deno-lint-ignore no-control-regex -- these are errors in an HTML text
  assert(!/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text), "a control character");
  assert(text.isWellFormed() && !/\p{Noncharacter_Code_Point}/u.test(text), "no character");
  return text.replace(/&(\w*);?/g, (whole, name) => {
    assert(whole.endsWith(";") && Object.hasOwn(ENTITIES, name), `entity ${whole}`);
    return ENTITIES[name];
  });
}

/** All elements of a name, or all, in the order of the page. */
export function elements(root: PageElement, name?: string): PageElement[] {
  return root.children.flatMap((child) =>
    typeof child === "string"
      ? []
      : [...(name === undefined || child.name === name ? [child] : []), ...elements(child, name)]
  );
}

/** The text in an element, white space as a browser shows it. */
export function textOf(element: PageElement | string): string {
  const raw = (node: PageElement | string): string =>
    typeof node === "string" ? node : node.children.map(raw).join("");
  return raw(element).replace(/[ \n\t]+/g, " ").trim();
}

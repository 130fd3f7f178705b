/**
 * @file HTML that cannot forget to escape: a template in which every text that is put in is escaped
 * for where it stands, and only what another template made goes in as markup.
 */
import { escapeXml } from "../picture/line_plot.ts";

/** Made by {@link markup} alone; nothing that was read from a file can pass for it. */
export class Markup {
  readonly #text: string;

  /** @param text HTML that is safe as it is */
  constructor(text: string) {
    this.#text = text;
  }

  /** The HTML. */
  toString(): string {
    return this.#text;
  }
}

/** What a template takes; null, undefined and false are nothing. */
export type Part = Markup | string | number | null | undefined | false | readonly Part[];

/**
 * A template: texts and numbers are escaped, for content and for attributes in double quotes.
 */
export function markup(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  const pieces = texts.map((text, i) => i < parts.length ? text + markupOf(parts[i]) : text);
  return new Markup(pieces.join(""));
}

function markupOf(part: Part): string {
  if (part instanceof Markup) return part.toString();
  if (part === null || part === undefined || part === false) return "";
  if (Array.isArray(part)) return part.map(markupOf).join("");
  return escapeHtml(String(part));
}

/**
 * Text for HTML content and attributes in quotes: the five special characters as entities, and
 * characters that HTML forbids (most control characters, noncharacters, lone surrogates) as U+FFFD.
 *
 * @param text anything
 */
export function escapeHtml(text: string): string {
  return withHtmlCharacters(escapeXml(text));
}

/** What XML allows and HTML does not: further control characters and noncharacters as U+FFFD. */
export function withHtmlCharacters(text: string): string {
  return text.replace(/[\u007f-\u009f]|\p{Noncharacter_Code_Point}/gu, "\ufffd")
    // A carriage return would be taken for a line's end, and be lost.
    .replaceAll("\r", " ");
}

/** A number as {@link escapeHtml} would have it, but with a true minus sign and powers of ten. */
export function numberMarkup(text: string): Markup {
  const [, mantissa, exponent] = /^(.*?)(?:e(-?\d+))?$/s.exec(text)!;
  const digits = (part: string) => part.replace(/-(?=[\d∞])/g, "−");
  if (exponent === undefined) return markup`${digits(text)}`;
  return markup`${digits(mantissa)} × 10<sup>${digits(exponent)}</sup>`;
}

/**
 * @file What a schema finds wrong, in the words of this project's messages.
 */
import type { z } from "zod";

/** Where something is wrong, what is there, and what was expected. */
export interface SchemaIssue {
  /** The key, its parts joined by dots; empty for the value itself. */
  readonly key: string;
  /** What is there as JSON, cut where it is long; undefined where there is nothing. */
  readonly given: string | undefined;
  readonly expected: string;
}

/** An issue of a value that a schema refused. */
export function schemaIssue({ path, message }: z.core.$ZodIssue, root: unknown): SchemaIssue {
  const given = JSON.stringify(path.reduce<unknown>(
    (value, part) => (value as Record<PropertyKey, unknown> | undefined)?.[part],
    root,
  ));
  return {
    key: path.join("."),
    given: given === undefined ? undefined : shorten(given),
    // "Invalid input: expected number, received string": what was received is said already.
    expected: message.replace(/^Invalid (input|option): /, "").replace(/, received .*$/, ""),
  };
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

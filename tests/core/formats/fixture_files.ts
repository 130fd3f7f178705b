/** @file Small archives and MAT-files that Python and SciPy wrote (make_archives_and_mat.py). */
import { assert } from "@std/assert";
import { FormatError } from "../../../core/errors.ts";
import fixtures from "../../fixtures/archives_and_mat.json" with { type: "json" };

/** The name of a file among the fixtures. */
export type FixtureName = keyof typeof fixtures.files;

/** A file that another program wrote. */
export function fixtureFile(name: FixtureName): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(fixtures.files[name]);
}

const long = "a/" + "long/".repeat(25) + "name.bin";

/** The files in each of the archives: path and content. */
export const archived: Readonly<Record<string, Uint8Array>> = {
  "a/hello.txt": new TextEncoder().encode("hello"),
  "a/empty": new Uint8Array(0),
  "a/bytes.bin": Uint8Array.from({ length: 1000 }, (_, i) => i * i % 251),
  [long]: new TextEncoder().encode("far away"),
};

/** Those files and one with a name beyond ASCII. */
export const archivedWithUnicode: Readonly<Record<string, Uint8Array>> = {
  ...archived,
  "a/käse.txt": new TextEncoder().encode("Käse"),
};

/** Throws what is no FormatError, or one that does not tell where, what and what to do. */
export function assertFormatError(error: unknown, source: string): void {
  if (!(error instanceof FormatError)) throw error;
  const { message } = error;
  assert(message.startsWith(source), message);
  assert(/.*\d.*; expected .*: ./.test(message), message);
  assert(!message.includes("\n") && message.length < 500, message);
}

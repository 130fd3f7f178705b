/**
 * @file SHA-256 (FIPS 180-4), as the platform computes it.
 */

/**
 * The SHA-256 of bytes, or of a text in UTF-8, as 64 hexadecimal digits.
 *
 * @param content bytes or text
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { sha256 } from "vapo";
 * assertEquals(
 *   await sha256("abc"),
 *   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
 * );
 * ```
 */
export async function sha256(content: Uint8Array | string): Promise<string> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

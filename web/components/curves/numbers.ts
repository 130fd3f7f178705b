/**
 * @file Numbers as the panels write them: few digits, a true minus sign, and a word or a dash where
 * there is no number.
 */

/** What stands for a number that is not there. */
export const MISSING = "–";

/**
 * A number in a few digits: "1.235", "−0.02", "12,345", "1e−7", "3.2e6"; "NaN", "∞"; a dash for what is
 * missing.
 *
 * @param value the number, or null or undefined where there is none
 * @param digits significant ones, at most (default 4); zeros at the end are left out
 */
export function formatNumber(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined) return MISSING;
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e6)
    ? withoutZeros(value.toExponential(digits - 1))
    : (value + 0).toLocaleString("en", { maximumFractionDigits: decimalsOf(size, digits) });
  return text.replaceAll("-", "−");
}

/** Decimals that make so many significant digits; none beyond the point for large numbers. */
function decimalsOf(size: number, digits: number): number {
  return size === 0 ? 0 : Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
}

/** "2.0e-7" is "2e-7", "1.0e+6" is "1e6". */
function withoutZeros(text: string): string {
  const [mantissa, exponent] = text.split("e");
  return `${Number(mantissa)}e${Number(exponent)}`;
}

/** A whole number with its thousands set apart: "12,000"; a dash for what is missing. */
export function formatCount(value: number | null | undefined): string {
  if (value === null || value === undefined) return MISSING;
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en") : formatNumber(value);
}

/** A place on an axis: whole numbers with their thousands set apart, others in six digits at most. */
export function formatPosition(value: number): string {
  return Number.isInteger(value) ? formatCount(value) : formatNumber(value, 6);
}

/** A share as a percentage: 0.984 is "98.4 %"; a dash for what is missing. */
export function formatShare(value: number | null | undefined): string {
  if (value === null || value === undefined) return MISSING;
  return Number.isFinite(value) ? `${(100 * value).toFixed(1)} %` : formatNumber(value);
}

/** A time in milliseconds: "0.8 ms", "12 ms", "1.2 s". */
export function formatMilliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return MISSING;
  if (value >= 1000) return `${formatNumber(value / 1000, 2)} s`;
  return `${value < 10 ? formatNumber(value, 2) : Math.round(value)} ms`;
}

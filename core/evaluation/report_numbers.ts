/**
 * @file Numbers as people read them: a value with as many digits as its standard error supports (the
 * rule of the Particle Data Group, "Review of Particle Physics", introduction, section 5.3), counts
 * with separators, columns of a table with digits in common.
 *
 * All texts are plain ASCII but for ±, − is a hyphen and powers of ten are "e-4", so that they can be
 * pasted into a program.
 */

/** Beyond these a number is written with a power of ten. */
const SMALLEST_PLAIN = 1e-3;
const LARGEST_PLAIN = 1e7;
/** More digits of a value than any error here supports are noise to the eye. */
const MOST_DIGITS = 10;

/**
 * A whole number with separators.
 *
 * @param count rounded if it is not whole
 */
export function formatCount(count: number): string {
  const rounded = Math.round(count);
  if (!(Math.abs(rounded) < 1e15)) return formatNumber(count);
  return separated(withoutNegativeZero(String(rounded)));
}

/**
 * A number whose error is not known, in few digits.
 *
 * @param value whole numbers below 10⁷ are written whole
 * @param digits significant ones, 1 or more; zeros at the end are left out
 */
export function formatNumber(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "-∞";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < LARGEST_PLAIN) return formatCount(value);
  if (size < SMALLEST_PLAIN || size >= LARGEST_PLAIN) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    return `${withoutLastZeros(mantissa)}e${Number(exponent)}`;
  }
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return separated(withoutLastZeros(value.toFixed(decimals)));
}

/**
 * A number as it was given, for options: all its digits, counts with separators.
 *
 * @param value as in 1e-5 or 50000
 */
export function formatExact(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return formatCount(value);
  return String(value);
}

/** A value and its error in the digits of the error; the power of ten is of both. */
export interface RoundedMeasurement {
  readonly value: string;
  /** Undefined where no error is known. */
  readonly error?: string;
  /** 0 where the numbers are written out. */
  readonly exponent: number;
}

/**
 * Rounds a value to the digits that its standard error supports: of the error's first three digits,
 * 100 to 354 keep two, 355 to 949 one, 950 to 999 become 1000 and keep two.
 *
 * @param value what was measured
 * @param standardError undefined where it is not known, 0 where there is none
 */
export function roundMeasurement(value: number, standardError?: number): RoundedMeasurement {
  if (standardError === undefined || !Number.isFinite(value) || !Number.isFinite(standardError)) {
    const error = standardError === undefined ? {} : { error: formatNumber(standardError) };
    return { ...splitExponent(formatNumber(value)), ...error };
  }
  if (!(standardError > 0)) return { value: formatNumber(value), error: "0", exponent: 0 };
  const size = Math.max(Math.abs(value), standardError);
  const { rounded: error, decimals: wanted } = supportedDecimals(standardError);
  const most = MOST_DIGITS - 1 - Math.floor(Math.log10(size));
  if (wanted > most) {
    return {
      value: formatNumber(value, MOST_DIGITS),
      error: formatNumber(standardError, 1),
      exponent: 0,
    };
  }
  // Rounded first: 9.996e-4 ± 0.4e-4 is 0.00100, written out.
  const largest = Math.max(...[value, error].map((x) => Math.abs(Number(atDecimals(x, wanted)))));
  const isPlain = largest >= SMALLEST_PLAIN && largest < LARGEST_PLAIN;
  const exponent = isPlain ? 0 : Math.floor(Math.log10(largest));
  const scaled = (number: number) =>
    separated(atDecimals(shifted(number, -exponent), wanted + exponent));
  return { value: scaled(value), error: scaled(error), exponent };
}

/**
 * A value with its standard error, in one line.
 *
 * @param value what was measured
 * @param standardError undefined where it is not known
 */
export function formatMeasurement(value: number, standardError?: number): string {
  const { value: rounded, error, exponent } = roundMeasurement(value, standardError);
  const power = exponent === 0 ? "" : `e${exponent}`;
  if (error === undefined) return `${rounded}${power}`;
  return power ? `(${rounded} ± ${error})${power}` : `${rounded} ± ${error}`;
}

/**
 * The numbers of a column with as many decimals each, where their sizes allow it.
 *
 * @param values of one column
 * @returns a text each: whole numbers with separators; others with four digits of the largest, three of
 * the smallest; where that would be too long, each for itself
 */
export function formatColumn(values: readonly number[]): string[] {
  const finite = values.filter(Number.isFinite);
  const sizes = finite.map(Math.abs).filter((size) => size > 0);
  const largest = sizes.reduce((a, b) => Math.max(a, b), 0);
  const smallest = sizes.reduce((a, b) => Math.min(a, b), Infinity);
  const isWhole = finite.every(Number.isInteger);
  if (sizes.length === 0 || isWhole || smallest < SMALLEST_PLAIN || largest >= LARGEST_PLAIN) {
    return values.map((value) => formatNumber(value));
  }
  const needed = Math.max(
    3 - Math.floor(Math.log10(largest)),
    2 - Math.floor(Math.log10(smallest)),
  );
  const used = Math.max(...finite.map((value) => decimalsUsed(value, Math.max(0, needed))));
  return values.map((value) =>
    Number.isFinite(value)
      ? separated(withoutNegativeZero(value.toFixed(used)))
      : formatNumber(value)
  );
}

/**
 * A time as people say it.
 *
 * @param seconds not negative
 */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (seconds < 0.95) return `${Math.max(0.1, seconds).toFixed(1)} s`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${formatCount(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

/** An error by the rule, and how many decimals it keeps; negative where it rounds tens, hundreds … */
function supportedDecimals(error: number): { rounded: number; decimals: number } {
  const [mantissa, exponent] = error.toExponential(2).split("e").map(Number);
  const digits = Math.round(mantissa * 100);
  if (digits >= 950) return { rounded: Number(`1e${exponent + 1}`), decimals: -exponent };
  return { rounded: error, decimals: (digits < 355 ? 1 : 0) - exponent };
}

/** Decimal digits, exactly: 3.58e-4 by 10⁴ is 3.58 and not 3.5800000000000005. */
function shifted(value: number, places: number): number {
  const [mantissa, exponent] = value.toExponential().split("e");
  return Number(`${mantissa}e${Number(exponent) + places}`);
}

/** A number at so many decimals; at −2 a multiple of 100. */
function atDecimals(value: number, decimals: number): string {
  if (decimals >= 0) return withoutNegativeZero(value.toFixed(Math.min(100, decimals)));
  return withoutNegativeZero(String(shifted(Math.round(shifted(value, decimals)), -decimals)));
}

/** How many of `most` decimals a number needs. */
function decimalsUsed(value: number, most: number): number {
  return (withoutLastZeros(value.toFixed(most)).split(".")[1] ?? "").length;
}

function splitExponent(text: string): RoundedMeasurement {
  const [value, exponent] = text.split("e");
  return { value, exponent: Number(exponent ?? 0) };
}

function withoutLastZeros(text: string): string {
  return withoutNegativeZero(text.includes(".") ? text.replace(/\.?0+$/, "") : text);
}

function withoutNegativeZero(text: string): string {
  return /^-[0.]+$/.test(text) ? text.slice(1) : text;
}

/** Groups of three before the point. */
function separated(text: string): string {
  return text.replace(/^-?\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ","));
}

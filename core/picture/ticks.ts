/**
 * @file Where an axis has its ticks and how they are labelled: steps of 1, 2 or 5 times a power of
 * ten on a linear axis, decades on a logarithmic one (P. Heckbert, "Nice Numbers for Graph Labels",
 * Graphics Gems, 1990).
 */

/** Where an axis is labelled. */
export interface Ticks {
  /** Ascending. */
  readonly values: readonly number[];
  /** One label a value, with a true minus sign. */
  readonly labels: readonly string[];
  /** Where a finer grid may be drawn, without labels. */
  readonly minor: readonly number[];
}

/**
 * Ticks of a linear axis.
 *
 * @param low the axis's start
 * @param high its end, above low by a billionth of their size or more: labels have 13 digits
 * @param count about how many labels are wanted (default 6)
 */
export function linearTicks(low: number, high: number, count = 6): Ticks {
  const step = niceStep((high / count) - (low / count));
  const values = multiplesWithin(step, low, high);
  const minorStep = step / (String(step.toExponential()).startsWith("2") ? 4 : 5);
  return {
    values,
    labels: values.map((v) => numberLabel(v, step)),
    minor: multiplesWithin(minorStep, low, high),
  };
}

/** The 1, 2 or 5 times a power of ten that is nearest to `size` on a log scale. */
export function niceStep(size: number): number {
  const exponent = Math.floor(Math.log10(size));
  const mantissa = size / 10 ** exponent;
  const nice = mantissa < Math.SQRT2 ? 1 : mantissa < Math.sqrt(10) ? 2 : mantissa < 7.07 ? 5 : 10;
  // Read back from decimal digits: 5 × 10^-1 and not 0.5000000000000001.
  return Number(`${nice}e${exponent}`);
}

function multiplesWithin(step: number, low: number, high: number): number[] {
  const slack = 1e-9;
  const first = Math.ceil(low / step - slack);
  const last = Math.floor(high / step + slack);
  const values: number[] = [];
  // Bounded, because the steps of a very far and very narrow range are no longer told apart.
  for (let i = 0; i <= Math.min(last - first, 200); i++) {
    values.push(Number(((first + i) * step).toPrecision(14)) + 0);
  }
  return values;
}

/**
 * A tick's label.
 *
 * @param value the number
 * @param step the distance to the next tick, which says how many digits matter
 */
export function numberLabel(value: number, step: number): string {
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const size = Math.abs(value);
  let text: string;
  if (value === 0) text = "0";
  else if (decimals > 4 || size >= 1e6) {
    const digits = Math.floor(Math.log10(size)) - Math.floor(Math.log10(step) + 1e-9);
    const [mantissa, exponent] = value.toExponential(Math.min(12, Math.max(0, digits))).split("e");
    text = `${mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa}e${+exponent}`;
  } else text = value.toFixed(decimals);
  return text.replaceAll("-", "−");
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** 10 to a whole power, as a label: "10⁻³". */
export function decadeLabel(exponent: number): string {
  const digits = String(Math.abs(exponent)).replace(/\d/g, (d) => SUPERSCRIPTS[Number(d)]);
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

/**
 * Ticks of a logarithmic axis: every decade (or every second, fifth, … where there are many), with
 * the 2 to 9 of each decade as minor ones; where less than two decades are seen, 1, 2 and 5 are
 * labelled, and where these are fewer than two, the ticks of a linear axis.
 *
 * @param low the axis's start, above 0
 * @param high its end, above low
 * @param count at most about how many labels are wanted (default 7)
 */
export function logTicks(low: number, high: number, count = 7): Ticks {
  const slack = 1e-9;
  const first = Math.ceil(Math.log10(low) - slack);
  const last = Math.floor(Math.log10(high) + slack);
  const stride = [1, 2, 5, 10, 20, 50, 100, 200].find((s) => (last - first) / s < count) ?? 500;
  const minor: number[] = [];
  if (stride === 1) {
    for (let e = first - 1; e <= last; e++) {
      for (let m = 2; m <= 9; m++) minor.push(Number(`${m}e${e}`));
    }
  } else {
    for (let e = first; e <= last; e++) minor.push(Number(`1e${e}`));
  }
  const seen = minor.filter((v) => v >= low && v <= high);
  if (last - first >= 1) {
    const exponents: number[] = [];
    for (let e = Math.ceil(first / stride) * stride; e <= last; e += stride) exponents.push(e);
    return {
      values: exponents.map((e) => Number(`1e${e}`)),
      labels: exponents.map(decadeLabel),
      minor: seen,
    };
  }
  const mantissas: number[] = [];
  for (let e = first - 1; e <= last; e++) {
    for (const m of [1, 2, 5]) mantissas.push(Number(`${m}e${e}`));
  }
  const values = mantissas.filter((v) => v >= low * (1 - slack) && v <= high * (1 + slack));
  if (values.length < 2) return linearTicks(low, high, Math.min(count, 5));
  return { values, labels: values.map((v) => numberLabel(v, v)), minor: seen };
}

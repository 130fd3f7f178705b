/**
 * @file Options that several commands share, and the parsers of their values.
 */
import { InvalidArgumentError, Option } from "commander";
import { deviceNames } from "../core/tensor/device.ts";

/** A parser of whole numbers from a smallest one on. */
export function wholeNumber(smallest: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isSafeInteger(value) || value < smallest) {
      throw new InvalidArgumentError(`Expected a whole number from ${smallest} on.`);
    }
    return value;
  };
}

/** A parser of numbers above zero, or from zero on. */
export function positiveNumber(zero: "zero too" | "not zero"): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const ok = text.trim() !== "" && Number.isFinite(value) &&
      (value > 0 || (value === 0 && zero === "zero too"));
    if (!ok) {
      const from = zero === "zero too" ? "from 0 on" : "above 0";
      throw new InvalidArgumentError(`Expected a number ${from}.`);
    }
    return value;
  };
}

/** A parser of paths, none of which is empty: an empty one would stand for where the user is. */
export function placeOnDisk(text: string): string {
  if (text === "") throw new InvalidArgumentError('Expected a path, "." for where you are.');
  return text;
}

/** The option `--device`. */
export function deviceOption(): Option {
  return new Option(
    "--device <name>",
    "where to compute; auto takes a hardware WebGPU adapter, else WebAssembly",
  ).choices([...deviceNames]);
}

/** The option `--threads`: it changes how long things take, never what comes out. */
export function threadsOption(): Option {
  return new Option(
    "--threads <n>",
    "threads to compute on, with WebAssembly (default: one a core)",
  ).argParser(wholeNumber(1));
}

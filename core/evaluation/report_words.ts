/**
 * @file What the options of an evaluation are called, for people.
 */
import type { MetricResult } from "./document.ts";
import { formatCount, formatExact } from "./report_numbers.ts";

/** A name or a label of a feature network in words. */
const networkWords: Readonly<Record<string, string>> = {
  "inception": "Inception-v3 (pool3)",
  "inception-v3-fid": "Inception-v3 (pool3)",
  "classifier": "small classifier (not Inception)",
  "mnist-classifier": "small classifier of digits (not Inception)",
  "fashion-mnist-classifier": "small classifier of clothes (not Inception)",
};

const optionWords: Readonly<Record<string, string>> = {
  n: "samples (n)",
  features: "features",
  weights: "SHA-256 of the features' weights",
  reference: "compared with",
  referenceImages: "at most so many of these",
  outside: "other data",
  statistics: "statistics compared with",
  statisticsSha256: "SHA-256 of these statistics",
  imagesInRow: "images in a row",
  data: "the data set's mark",
  version: "version of vapo",
  rtol: "relative tolerance",
  atol: "absolute tolerance",
  until: "flow ends at u",
  equalSteps: "equal steps",
  batchSize: "samples integrated together",
};

/** Whole numbers that are names rather than counts. */
const numbersWithoutSeparators = new Set(["seed", "checksum", "crc32"]);

/** What an option is called. */
export function optionLabel(name: string): string {
  if (Object.hasOwn(optionWords, name)) return optionWords[name];
  // As in "subsetSize".
  return name.replace(/([a-z0-9])([A-Z])/g, (_, end, start) => `${end} ${start.toLowerCase()}`);
}

type Option = MetricResult["options"][string];

/** What an option's value is called. */
export function optionText(name: string, value: Option): string {
  if (value === null) return "not set";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return name === "features" ? networkText(value) : value;
  return numbersWithoutSeparators.has(name) ? String(value) : formatExact(value);
}

function networkText(name: string): string {
  return Object.hasOwn(networkWords, name) ? networkWords[name] : name;
}

/** Whether features are those of Inception. */
export function usesInception({ options: { features } }: MetricResult): boolean {
  return typeof features === "string" && /inception/i.test(features);
}

/** What a result's numbers are computed from: how many samples, and in which features. */
export function basisOf({ options: { n: asked, features }, counts }: MetricResult): string[] {
  const n = counts?.n ?? asked;
  return [
    ...(typeof n === "number" ? [`n = ${formatCount(n)}`] : []),
    ...(typeof features === "string" ? [networkText(features)] : []),
  ];
}

/**
 * The titles of results; where two of a metric have the same, the options that differ are added.
 *
 * @returns a title each, in order
 */
export function distinctTitles(results: readonly MetricResult[]): string[] {
  return results.map((result) => {
    const alike = results.filter((other) => other.title === result.title);
    if (alike.length === 1) return result.title;
    const names = [...new Set(alike.flatMap(({ options }) => Object.keys(options)))];
    const differing = names.filter((name) =>
      alike.some(({ options }) => options[name] !== result.options[name])
    );
    const facts = differing.map((name) =>
      `${name} ${name in result.options ? optionText(name, result.options[name]) : "not set"}`
    );
    return facts.length === 0 ? result.title : `${result.title} (${facts.join(", ")})`;
  });
}

/** Which way is better, with an arrow. */
export const betterWords = {
  lower: { arrow: "↓", word: "lower" },
  higher: { arrow: "↑", word: "higher" },
} as const;

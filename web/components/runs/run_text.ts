/**
 * @file Times, shapes and names of runs as words.
 */
import type { RunSummary } from "../../runs/run_types.ts";
import { formatCount } from "../curves/numbers.ts";

/** A length of time in its two leading units at most: "45 s", "3 min 20 s", "2 h 5 min", "3 d 4 h". */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const units = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]] as const;
  const first = units.findIndex(([length]) => whole >= length);
  if (first < 0) return "0 s";
  const [length, unit] = units[first], rest = whole % length, next = units[first + 1];
  const lead = `${Math.floor(whole / length)} ${unit}`;
  const count = next ? Math.floor(rest / next[0]) : 0;
  return count > 0 ? `${lead} ${count} ${next[1]}` : lead;
}

/** How long ago, in its leading unit: "just now", "3 minutes ago", "2 days ago". */
export function agoText(milliseconds: number, now: number): string {
  const seconds = Math.max(0, (now - milliseconds) / 1000);
  if (seconds < 10) return "just now";
  const units = [[86_400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]] as const;
  const [length, unit] = units.find(([size]) => seconds >= size) ?? units[3];
  const count = Math.floor(seconds / length);
  return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
}

/** "plane" of points [2], "16×16" of grey images, "32×32×3" of those in colour. */
export function shapeText(shape: readonly number[] | null): string {
  if (!shape) return "";
  if (shape.length === 1) return shape[0] === 2 ? "points in the plane" : `${shape[0]} numbers`;
  const sizes = shape.at(-1) === 1 ? shape.slice(0, -1) : shape;
  return `images of ${sizes.join("×")}`;
}

/** "1,200 of 2,500 steps", or what is known of it. */
export function stepsText({ step, steps }: Pick<RunSummary, "step" | "steps">): string {
  return steps === null
    ? `${formatCount(step)} steps`
    : `${formatCount(step)} of ${formatCount(steps)} steps`;
}

/** Whether a run's samples are points in the plane. */
export function isPlane({ sampleShape }: Pick<RunSummary, "sampleShape">): boolean {
  return sampleShape?.length === 1 && sampleShape[0] === 2;
}

/** Whether a run's samples are images, [height, width, channels]. */
export function isImage({ sampleShape }: Pick<RunSummary, "sampleShape">): boolean {
  return sampleShape?.length === 3;
}

/** A run's name as one word of a shell's command line. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The picture of a step, as the server has it. */
export function sampleFile(step: number): string {
  return `step-${String(step).padStart(8, "0")}.png`;
}

/** The middle one of some numbers; null of none. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

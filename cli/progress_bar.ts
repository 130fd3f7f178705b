/**
 * @file A progress bar on one line of the terminal, redrawn in place; where there is no terminal, a
 * plain line every few seconds.
 */
import type { Screen } from "./terminal.ts";

/** What a bar shows. */
export interface ProgressFacts {
  readonly label: string;
  readonly done: number;
  readonly total: number;
  /** What is counted, as in "steps". */
  readonly unit: string;
  readonly loss?: number;
  /** Units a second; not known at the start. */
  readonly rate?: number;
  /** What of the rate is shown: so many of these a unit; by default the units themselves. */
  readonly samples?: { readonly name: string; readonly perUnit: number };
}

/** A bar on the screen. */
export interface ProgressBar {
  /** Says how many are done, and the newest loss where there is one. */
  update(done: number, loss?: number): void;
  /** Prints a line above the bar. */
  notice(text: string): void;
  /** Leaves the last state on the screen and ends its line. */
  finish(): void;
  /** Takes the bar off the screen. */
  clear(): void;
}

/** What a bar counts. */
export interface ProgressOptions {
  readonly label: string;
  readonly unit: string;
  readonly total: number;
  /** How many are done already. */
  readonly start: number;
  /** See {@link ProgressFacts}. */
  readonly samples?: ProgressFacts["samples"];
  /** There will be no loss: where there is no terminal, a line says how many are done. */
  readonly countsOnly?: boolean;
}

const REDRAW_MILLISECONDS = 100;
const PLAIN_LINE_MILLISECONDS = 5000;

/** Starts a bar. */
export function progressBar(screen: Screen, options: ProgressOptions): ProgressBar {
  const { start, countsOnly = false, ...fixed } = options;
  const terminal = screen.isTerminal();
  const interval = terminal ? REDRAW_MILLISECONDS : PLAIN_LINE_MILLISECONDS;
  const begin = performance.now();
  let done = start, loss: number | undefined, lastDrawn = -Infinity, drawn = "", drawnDone = -1;

  const draw = () => {
    const seconds = (performance.now() - begin) / 1000;
    const rate = done > start && seconds > 0 ? (done - start) / seconds : undefined;
    const text = progressText({ ...fixed, done, loss, rate }, terminal ? screen.columns() - 1 : 80);
    lastDrawn = performance.now();
    if (text === drawn) return;
    [drawn, drawnDone] = [text, done];
    // One write that covers the old text and then clears what it leaves over: nothing flickers.
    screen.write(terminal ? `\r${text}\x1b[K` : `${text}\n`);
  };
  if (terminal) draw();
  return {
    update(newDone, newLoss) {
      done = newDone;
      if (newLoss !== undefined) loss = newLoss;
      const due = performance.now() - lastDrawn >= interval;
      if (due && (terminal || countsOnly || newLoss !== undefined)) draw();
    },
    notice(text) {
      screen.write(terminal ? `\r${text}\x1b[K\n` : `${text}\n`);
      drawn = "";
      if (terminal) draw();
    },
    finish() {
      if (terminal || done !== drawnDone) draw();
      if (terminal) screen.write("\n");
    },
    clear() {
      if (terminal) screen.write("\r\x1b[K");
    },
  };
}

/** The facts in at most so many characters: the fullest wording that fits. */
export function progressText(facts: ProgressFacts, width: number): string {
  const { label, done, total, unit, loss, rate, samples } = facts;
  const count = `${String(done).padStart(String(total).length)}/${total}`;
  const lossText = loss === undefined ? "" : loss.toPrecision(4);
  const speed = rate === undefined ? "" : shortNumber(rate * (samples?.perUnit ?? 1));
  const left = rate === undefined || done >= total ? "" : clock((total - done) / rate);
  const words = (unit: string) =>
    [
      count,
      lossText && `loss ${lossText}`,
      speed && `${speed}${unit && ` ${samples?.name ?? unit}`}/s`,
      left && `${left} left`,
    ].filter((word) => word !== "").join("  ");
  const long = words(unit), bar = (room: number) => barText(done / total, room);
  const room = width - long.length - 2;
  if (room - label.length - 2 >= 10) {
    return `${label}  ${bar(Math.min(40, room - label.length - 2))}  ${long}`;
  }
  if (room >= 10) return `${bar(room)}  ${long}`;
  const shorter = [long, words(""), `${count}  ${lossText}  ${left}`.trimEnd(), count];
  return shorter.find((text) => text.length <= width) ?? count.slice(0, Math.max(0, width));
}

function barText(fraction: number, length: number): string {
  const full = Math.floor(Math.min(1, fraction) * length);
  return "━".repeat(full) + "─".repeat(length - full);
}

/** Three digits: 0.123, 12.3, 1230. */
function shortNumber(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Seconds as 0:07, 12:34 or 1:23:45. */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, i) => i === 0 ? String(part) : String(part).padStart(2, "0")).join(":");
}

import { assert, assertEquals, assertMatch } from "@std/assert";
import { clock, progressBar, type ProgressFacts, progressText } from "../../cli/progress_bar.ts";
import type { Screen } from "../../cli/terminal.ts";

const facts: ProgressFacts = {
  label: "8gaussians",
  done: 750,
  total: 3000,
  unit: "steps",
  loss: -3.21456,
  rate: 12.34,
};

Deno.test("a bar in the words that fit", () => {
  const bar = "━".repeat(4) + "─".repeat(14); // a quarter of 18
  assertEquals(
    progressText(facts, 79),
    `8gaussians  ${bar}   750/3000  loss -3.215  12.3 steps/s  3:02 left`,
  );
  assertEquals(progressText(facts, 48), " 750/3000  loss -3.215  12.3 steps/s  3:02 left");
  assertEquals(progressText(facts, 43), " 750/3000  loss -3.215  12.3/s  3:02 left");
  assertEquals(progressText(facts, 30), " 750/3000  -3.215  3:02");
  assertEquals(progressText(facts, 10), " 750/3000");
  assertEquals(progressText(facts, 4), " 750");
});

Deno.test("no text is wider than it may be, whatever is known", () => {
  for (let width = 0; width <= 200; width++) {
    for (const loss of [undefined, 1e-20, -1e30, NaN]) {
      for (const rate of [undefined, 1e-9, 0.5, 1e7]) {
        for (const done of [0, 1, 3000]) {
          const text = progressText({ ...facts, done, loss, rate }, width);
          assert(text.length <= width, `${width}: ${text}`);
        }
      }
    }
  }
});

Deno.test("time left as a clock shows it", () => {
  assertEquals([0, 7.4, 59.6, 754, 3600, 5025].map(clock), [
    "0:00",
    "0:07",
    "1:00",
    "12:34",
    "1:00:00",
    "1:23:45",
  ]);
});

function recordingScreen(terminal: boolean): Screen & { written: string[] } {
  const written: string[] = [];
  return {
    written,
    write: (text) => written.push(text),
    line: (text) => written.push(`${text}\n`),
    isTerminal: () => terminal,
    columns: () => 60,
  };
}

Deno.test("on a terminal the bar stays on its line, and notices go above it", () => {
  const screen = recordingScreen(true);
  const bar = progressBar(screen, { label: "rings", unit: "steps", total: 10, start: 0 });
  for (let step = 1; step <= 10; step++) bar.update(step, 1);
  bar.notice("look");
  bar.finish();
  // What clears the rest of a line, as a character that can be read.
  const text = screen.written.join("").replaceAll("\x1b[K", "⌫");
  assertMatch(text, /\rlook⌫\n(\r[^\r\n]* 10\/10 [^\r\n]*⌫)+\n$/);
  // A hundred milliseconds lie between two drawings: this many updates are not drawn.
  assert(screen.written.length < 8);
  for (const line of text.split(/[\r\n]/)) assert(line.replace("⌫", "").length < 60);
});

Deno.test("without a terminal there are whole lines, the last one included", () => {
  const screen = recordingScreen(false);
  const bar = progressBar(screen, { label: "rings", unit: "steps", total: 10, start: 0 });
  bar.update(1);
  bar.update(5, 0.5);
  bar.update(10, 0.25);
  bar.notice("look");
  bar.finish();
  assertEquals(screen.written.length, 3);
  assertMatch(screen.written[0], /^rings .* 5\/10 {2}loss 0\.5000.*\n$/);
  assertEquals(screen.written[1], "look\n");
  assertMatch(screen.written[2], /^rings .* 10\/10 {2}loss 0\.2500.*\n$/);
});

Deno.test("a bar of counts alone has lines without a loss", () => {
  const screen = recordingScreen(false);
  const options = { label: "train", unit: "images", total: 10, start: 4, countsOnly: true };
  const bar = progressBar(screen, options);
  bar.update(5);
  bar.update(10);
  bar.finish();
  assertEquals(screen.written.length, 2);
  assertMatch(screen.written[0], /^train .* 5\/10/);
  assertMatch(screen.written[1], /^train .* 10\/10/);
});

/**
 * @file The report on presets that start: what it takes for a mistake, and its table.
 */
import { assertEquals, assertMatch } from "@std/assert";
import {
  mistakeOf,
  type Sitting,
  type StartResult,
  startsTable,
} from "../../bench/starts_report.ts";

const sitting = (code: number, events: Sitting["events"], lastWords = ""): Sitting => ({
  code,
  lastWords,
  events,
  peakResidentBytes: null,
  secondsToFirstStep: 1,
});
const stopped = sitting(130, [{ event: "end", step: 7, finished: false }]);
const start = { event: "start", step: 7 }, end = { event: "end", step: 10, finished: true };
const resumed = sitting(0, [start, end]);
const metrics = Array.from({ length: 10 }, (_, i) => ({ step: i + 1, loss: -i as unknown }));

Deno.test("a run that was stopped and went on to its end has no mistake", () => {
  assertEquals(mistakeOf(stopped, resumed, metrics), null);
});

Deno.test("whatever else happened is a mistake, and says so", () => {
  const missing = metrics.filter(({ step }) => step !== 8);
  const notFinite = metrics.map((line) => line.step === 3 ? { ...line, loss: null } : line);
  const mistakes: [string | null, RegExp][] = [
    [mistakeOf(sitting(2, [], "no memory"), null, []), /^code 2: no memory$/],
    [mistakeOf(sitting(0, [end]), null, metrics), /not stopped/],
    [mistakeOf(stopped, sitting(70, [start], "a bug"), metrics), /^resumed, code 70: a bug$/],
    [mistakeOf(stopped, sitting(0, [{ ...start, step: 5 }, end]), metrics), /7, went on from 5/],
    [mistakeOf(stopped, sitting(0, [start, { ...end, step: 9 }]), metrics), /not end at step 10/],
    [mistakeOf(stopped, resumed, missing), /has the steps 1, 2, 3, 4, 5, 6, 7, 9, 10/],
    [mistakeOf(stopped, resumed, notFinite), /the loss of step 3 is null/],
  ];
  for (const [mistake, expected] of mistakes) assertMatch(mistake ?? "none", expected);
});

Deno.test("the table has a row a preset, with what went wrong in place of the outcome", () => {
  const good: StartResult = {
    preset: "cifar10",
    placement: "device",
    memoryBytes: 2 ** 30,
    peakResidentBytes: null,
    secondsToFirstStep: 12.34,
    secondsPerStep: 0.5,
    stoppedAt: 7,
    notices: [],
    machine: "2 × a processor",
  };
  const rows = startsTable([good, { ...good, memoryBytes: null, error: "code 2: no memory" }])
    .trim().split("\n").slice(2);
  assertEquals(rows, [
    "| cifar10 | device | 1 GiB | – | 12.3 | 0.500 | stopped at 7, ended at 10 |",
    "| cifar10 | device | – | – | 12.3 | 0.500 | code 2: no memory |",
  ]);
});

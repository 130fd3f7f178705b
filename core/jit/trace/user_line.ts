/**
 * @file Which line of the user's code is running: the first frame of the stack that is neither the
 * compiler's nor TensorFlow.js's. Thousands of operations ask for it in one trace, so frames are
 * looked at one by one where the engine allows (V8's `Error.prepareStackTrace`), and the rest of the
 * stack is never put into words.
 */

/** What is used of V8's frames. */
interface Frame {
  getScriptNameOrSourceURL(): string | null;
  getFileName(): string | null;
  getLineNumber(): number | null;
  getFunctionName(): string | null;
}

/** V8's extensions of `Error`. */
interface StackControl {
  prepareStackTrace?: (error: Error, frames: Frame[]) => unknown;
  stackTraceLimit?: number;
}

/** Where the user's code is, and what it called. */
export interface UserLine {
  /** "path:line", or undefined where it cannot be told (a bundle in one file). */
  readonly line: string | undefined;
  /** Names of the functions between that line and here, innermost first, where known. */
  readonly callees: readonly string[];
}

/**
 * How many frames are looked at: the engine prepares as many as it is asked for, and most lines are
 * near. A gradient of a gradient may lie far below its line.
 */
const DEPTHS = [28, 80];

// Two statements: bundlers take the usual form for the address of a file to be bundled.
const here = import.meta.url;
const own = withoutScheme(new URL("../", here).href);

function withoutScheme(url: string): string {
  return url.startsWith("file://") ? url.slice(7) : url;
}

/** What has been found of files, by their names as frames have them. */
const isForeignByFile = new Map<string, boolean>();

function isForeign(file: string): boolean {
  let foreign = isForeignByFile.get(file);
  if (foreign === undefined) {
    foreign = /@tensorflow[/_+]/.test(file) || withoutScheme(file).startsWith(own) ||
      /^(ext|node|native):/.test(file);
    isForeignByFile.set(file, foreign);
  }
  return foreign;
}

/** The user's line that runs right now; the names of what it called only where asked for. */
export function userLine(withCallees = false): UserLine {
  const control = Error as unknown as StackControl;
  const { prepareStackTrace, stackTraceLimit } = control;
  let found: UserLine | undefined;
  control.prepareStackTrace = (_error, frames) => {
    found = search(frames, withCallees);
    return "";
  };
  try {
    for (const depth of DEPTHS) {
      control.stackTraceLimit = depth;
      const { stack } = new Error();
      if (!found) return { line: userLineOf(stack), callees: [] };
      if (found.line) break;
    }
    return found!;
  } finally {
    control.prepareStackTrace = prepareStackTrace;
    control.stackTraceLimit = stackTraceLimit;
  }
}

function search(frames: readonly Frame[], withCallees: boolean): UserLine {
  const callees: string[] = [];
  for (const frame of frames) {
    const file = frame.getScriptNameOrSourceURL() ?? frame.getFileName() ?? "";
    if (file !== "" && !isForeign(file)) {
      return { line: `${withoutScheme(file)}:${frame.getLineNumber()}`, callees };
    }
    const name = withCallees && frame.getFunctionName();
    if (name) callees.push(name);
  }
  return { line: undefined, callees };
}

/** The user's line in the text of an error's stack. */
export function userLineOf(stack: string | undefined): string | undefined {
  for (const text of stack?.split("\n").slice(1) ?? []) {
    const [, url, line] = /([^\s(@]\S*?):(\d+):\d+\)?$/.exec(text) ?? [];
    if (!url) continue;
    if (!isForeign(url)) return `${withoutScheme(url)}:${line}`;
  }
  return undefined;
}

/** Runs something with stacks deep enough for {@link userLineOf}. */
export function withDeepStacks<T>(run: () => T): T {
  const control = Error as unknown as StackControl;
  const { stackTraceLimit } = control;
  control.stackTraceLimit = DEPTHS.at(-1);
  try {
    return run();
  } finally {
    control.stackTraceLimit = stackTraceLimit;
  }
}

/** " at path:line", for a message; nothing where the line is not known. */
export function atLine(line: string | undefined): string {
  return line ? ` at ${line}` : "";
}

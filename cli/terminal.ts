/**
 * @file Writing to the screen. A reader that goes away (`vapo presets | head -1`) is no error: what
 * would have been printed is dropped.
 */
import { fileError } from "./file_errors.ts";

const encoder = new TextEncoder();

/** A stream of the screen. */
export interface Screen {
  /**
   * Writes text as it is.
   *
   * @throws {VapoError} where it goes to a file that takes no more
   */
  write(text: string): void;
  /** Writes a line. */
  line(text: string): void;
  /** Whether a person looks at it: a terminal that can move its cursor. */
  isTerminal(): boolean;
  /** Its width in characters; 80 where that is not known. */
  columns(): number;
}

function screen(stream: typeof Deno.stdout, name: string): Screen {
  let open = true;
  const write = (text: string) => {
    const bytes = encoder.encode(text);
    try {
      for (let done = 0; open && done < bytes.length;) {
        done += stream.writeSync(bytes.subarray(done));
      }
    } catch (error) {
      open = false;
      if (!(error instanceof Deno.errors.BrokenPipe)) throw fileError("write to", name, error);
    }
  };
  return {
    write,
    line: (text) => write(`${text}\n`),
    isTerminal: () => stream.isTerminal() && Deno.env.get("TERM") !== "dumb",
    columns,
  };
}

function columns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80; // no terminal
  }
}

/** Where results go. */
export const standardOutput: Screen = screen(Deno.stdout, "standard output");

/** Where progress and errors go. */
export const standardError: Screen = screen(Deno.stderr, "standard error");

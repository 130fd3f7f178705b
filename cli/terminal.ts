/**
 * @file Writing to the screen. A reader that goes away (`vapo presets | head -1`) is no error: what
 * would have been printed is dropped.
 */

const encoder = new TextEncoder();

/** A stream of the screen. */
export interface Screen {
  /** Writes text as it is. */
  write(text: string): void;
  /** Writes a line. */
  line(text: string): void;
  /** Whether a person looks at it: a terminal that can move its cursor. */
  isTerminal(): boolean;
  /** Its width in characters; 80 where that is not known. */
  columns(): number;
}

function screen(stream: typeof Deno.stdout): Screen {
  let open = true;
  const write = (text: string) => {
    const bytes = encoder.encode(text);
    try {
      for (let done = 0; open && done < bytes.length;) {
        done += stream.writeSync(bytes.subarray(done));
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
      open = false;
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
export const standardOutput: Screen = screen(Deno.stdout);

/** Where progress and errors go. */
export const standardError: Screen = screen(Deno.stderr);

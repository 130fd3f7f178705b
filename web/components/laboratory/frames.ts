/**
 * @file The page's one loop of animation frames: it runs while something is to be drawn or moves, and
 * stands still otherwise.
 */

/** The loop. */
export interface FrameLoop {
  /**
   * Draws when asked for; what is returned takes it out.
   *
   * @param draw is called in the next frame after `invalidate`
   */
  add(draw: () => void): { invalidate(): void; remove(): void };
  /** Runs on, frame by frame, until `moving` says no. */
  run(): void;
}

/**
 * Makes a loop.
 *
 * @param moving whether another frame is wanted although nothing asks for one
 * @param before is called at the start of each frame, with the milliseconds since the last
 */
export function frameLoop(
  moving: () => boolean,
  before: (milliseconds: number) => void,
): FrameLoop {
  const dirty = new Set<() => void>();
  let scheduled = false, last: number | null = null;

  function frame(now: number): void {
    scheduled = false;
    // After a rest, or in a page that was hidden, time goes on from where it was.
    const passed = last === null ? 0 : Math.min(now - last, 100);
    last = now;
    before(passed);
    const drawing = [...dirty];
    dirty.clear();
    drawing.forEach((draw) => draw());
    if (moving() || dirty.size > 0) schedule();
    else last = null;
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(frame);
  }

  return {
    add(draw) {
      return {
        invalidate() {
          dirty.add(draw);
          schedule();
        },
        remove: () => dirty.delete(draw),
      };
    },
    run: schedule,
  };
}

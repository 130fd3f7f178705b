/** @file The pictures' time u, when it runs by itself: from 0 to the end, a pause, and again. */

/** Where u is, and how long it still rests there, in milliseconds. */
export interface PlayedTime {
  readonly u: number;
  readonly rest: number;
}

/** From u = 0 to 1 at speed 1, in milliseconds. */
const DURATION = 4000;
const REST_AT_END = 1200;
const REST_AT_START = 300;

/**
 * Time a little later.
 *
 * @param end where u starts anew
 * @param speed 1 takes four seconds a unit of u
 * @param milliseconds that have passed
 */
export function advanced(
  { u, rest }: PlayedTime,
  end: number,
  speed: number,
  milliseconds: number,
): PlayedTime {
  if (rest > milliseconds) return { u, rest: rest - milliseconds };
  if (u >= end) return { u: 0, rest: REST_AT_START };
  const next = u + (milliseconds - rest) * speed / DURATION;
  return next < end ? { u: next, rest: 0 } : { u: end, rest: REST_AT_END };
}

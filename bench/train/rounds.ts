/**
 * @file How peers are compared on one machine that is never quite still: first each tries its
 * variants, then the fastest of each thread count take turns, round after round, and what counts is
 * the median over the rounds of the ratio within a round. A variant that needs longer than one's
 * patience is timed once.
 */
import { type Peer, type Variant, variantLabel } from "./peer.ts";
import type { Work } from "./works.ts";

/** How long comparing may take. */
export interface RoundOptions {
  readonly rounds: number;
  /** Seconds of a call from which on a peer is timed once only. */
  readonly patience: number;
  /** Seconds that a turn of a faster peer takes, about. */
  readonly turn: number;
  /** Waits for whatever a peer's threads still do after its turn. */
  readonly pause: () => Promise<void>;
}

/** What is known of one peer's way through one work. */
export interface PeerTimes {
  /** Seconds of each variant that was tried, by its label. */
  readonly trials: Readonly<Record<string, number>>;
  /** Median seconds of a call in each round, of each variant that took part, by its label. */
  readonly rounds: Readonly<Record<string, readonly number[]>>;
  /** The label of the fastest. */
  readonly best?: string;
  /** Its seconds in each round; a single value where it is too slow for rounds. */
  readonly seconds: readonly number[];
  /** Their median. */
  readonly median?: number;
  /** Why there are no times. */
  readonly lacks?: string;
}

/** One work done by all. */
export interface WorkTimes {
  readonly work: Work;
  readonly peers: Readonly<Record<string, PeerTimes>>;
}

/** The middle one, or the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** A variant that takes part in the rounds. */
interface Contestant {
  readonly peer: Peer;
  readonly variant: Variant;
  readonly repeats: number;
  readonly seconds: number[];
}

/** The seconds of a variant: of its better call, or the median of five if they are quick. */
async function trySeconds(
  peer: Peer,
  work: Work,
  variant: Variant,
  patience: number,
): Promise<number> {
  // The first call may compile.
  const [first] = await peer.measure(work, variant, { repeats: 1, warmUp: false });
  if (first > 10 * patience) return first;
  const [second] = await peer.measure(work, variant, { repeats: 1, warmUp: false });
  if (second > patience) return Math.min(first, second);
  return median(await peer.measure(work, variant, { repeats: 5, warmUp: false }));
}

async function tryVariants(
  peer: Peer,
  work: Work,
  { patience, pause }: RoundOptions,
): Promise<{ variant: Variant; seconds: number }[] | string> {
  const variants = await peer.variants(work);
  if (typeof variants === "string") return variants;
  const trials: { variant: Variant; seconds: number }[] = [];
  for (const variant of variants) {
    trials.push({ variant, seconds: await trySeconds(peer, work, variant, patience) });
    await pause();
  }
  return trials.sort((a, b) => a.seconds - b.seconds);
}

/** One that fails must not take the others' times with it. */
function failure(error: unknown): string {
  return `failed: ${error instanceof Error ? error.message.split("\n")[0] : error}`;
}

/** All take turns; who begins changes, so that nobody always comes after the same one. */
async function takeTurns(
  work: Work,
  contestants: readonly Contestant[],
  { rounds, pause }: RoundOptions,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const first = round % Math.max(1, contestants.length);
    for (const contestant of [...contestants.slice(first), ...contestants.slice(0, first)]) {
      const { peer, variant, repeats, seconds } = contestant;
      seconds.push(median(await peer.measure(work, variant, { repeats, warmUp: true })));
      await pause();
    }
  }
}

/** Times a work by all peers. */
export async function timeWork(
  work: Work,
  peers: readonly Peer[],
  options: RoundOptions,
): Promise<WorkTimes> {
  const contestants: Contestant[] = [], times: Record<string, PeerTimes> = {};
  for (const peer of peers) {
    const trials = await tryVariants(peer, work, options).catch(failure);
    if (typeof trials === "string") {
      times[peer.name] = { trials: {}, rounds: {}, seconds: [], lacks: trials };
      continue;
    }
    const patient = trials.filter(({ variant, seconds }, i) =>
      seconds <= options.patience &&
      trials.findIndex((other) => other.variant.threads === variant.threads) === i
    );
    if (patient.length === 0) await peer.release();
    contestants.push(...patient.map(({ variant, seconds }) => {
      const repeats = Math.round(options.turn / seconds / work.inner);
      return { peer, variant, repeats: Math.max(1, Math.min(15, repeats)), seconds: [] };
    }));
    times[peer.name] = {
      trials: Object.fromEntries(
        trials.map(({ variant, seconds }) => [variantLabel(variant), seconds]),
      ),
      rounds: {},
      best: variantLabel(trials[0].variant),
      seconds: [trials[0].seconds],
      median: trials[0].seconds,
    };
  }
  await takeTurns(work, contestants, options);
  for (const peer of peers) {
    const own = contestants.filter((contestant) => contestant.peer === peer)
      .sort((a, b) => median(a.seconds) - median(b.seconds));
    if (own.length === 0) continue;
    times[peer.name] = {
      ...times[peer.name],
      rounds: Object.fromEntries(
        own.map(({ variant, seconds }) => [variantLabel(variant), seconds]),
      ),
      best: variantLabel(own[0].variant),
      seconds: own[0].seconds,
      median: median(own[0].seconds),
    };
    await peer.release();
  }
  return { work, peers: times };
}

/** How many times as long as `us` `other` takes: the median over the rounds of the ratio in each. */
export function timeRatio(us: PeerTimes, other: PeerTimes): number | undefined {
  if (us.seconds.length === 0 || other.seconds.length === 0) return undefined;
  if (us.seconds.length !== other.seconds.length) return other.median! / us.median!;
  return median(other.seconds.map((seconds, round) => seconds / us.seconds[round]));
}

import type { Clock } from '../kube/clock.ts';
import { Turns } from '../kube/pause.ts';

/** What a key has been through, as the work on it is told. */
export type Attempt = {
  /** Failures in a row before this attempt, without those of attempts that events brought forward. */
  readonly failures: number;
  /** Milliseconds since the first of them; 0 without. */
  readonly failingFor: number;
};

/** When to look at a key again although nothing has happened to it; absent: not at all. */
export type Again = { readonly afterMilliseconds?: number };

export type QueueOptions = {
  /** Works on one key. It gets a name, never an event, so that nothing depends on which events were seen. */
  readonly work: (key: string, attempt: Attempt) => Promise<Again>;
  /** Told of each failure; a failed key is tried again in any case. */
  readonly onFailure: (key: string, error: unknown, attempt: Attempt) => void;
  readonly clock: Clock;
  /** Told how long a key was ready before its work began. */
  readonly onTaken?: (milliseconds: number) => void;
  /** Keys that are worked on at the same time. */
  readonly workers?: number;
  /** The wait after the first failure in milliseconds; it doubles with each further one up to `most`. */
  readonly backOff?: { readonly first: number; readonly most: number };
  /** From 0 to 1: spreads the waits, so that what failed together is not tried again together. */
  readonly random?: () => number;
};

/**
 * A queue of names.
 *
 * ```
 *            add                    worker free                 done, nothing new
 *  (nowhere) ───► ready (in order) ─────────────► working ─────────────────────► (nowhere)
 *      ▲            ▲                               │ │ add meanwhile: dirty ──► ready
 *      │            └────────── time is up ─────────┤ └ failed, or `again`
 *      │                                            ▼
 *      └──────────────────────────────────────── waiting
 * ```
 *
 * A key is ready at most once and worked on by one worker at a time. Keys are taken in the order in which they became
 * ready, so that a key that comes again and again (or fails again and again) never keeps another from its turn.
 */
export type Queue = {
  add(key: string): void;
  /** Adds the key after so many milliseconds; an earlier time that is set already stays. */
  addAfter(key: string, milliseconds: number): void;
  /** Keys that are ready, worked on, or wait for their time. */
  size(): { readonly ready: number; readonly working: number; readonly waiting: number };
  /** Takes no more keys; resolves when the work that runs is over. */
  close(): Promise<void>;
};

const DEFAULT_BACK_OFF = { first: 500, most: 60_000 };

export function createQueue(options: QueueOptions): Queue {
  const { clock, work, onFailure, onTaken, workers = 4, backOff = DEFAULT_BACK_OFF, random = Math.random } = options;
  /** Since when each key is ready, in the order in which they came. */
  const ready = new Map<string, number>();
  const working = new Map<string, Promise<void>>();
  const dirty = new Set<string>();
  const waiting = new Map<string, { readonly due: number; readonly cancel: () => void }>();
  const failing = new Map<string, { failures: number; readonly since: number }>();
  /** Keys that are ready because their wait is over, and not because of an event. */
  const overdue = new Set<string>();
  const turns = new Turns();
  let closed = false;

  function add(key: string): void {
    if (closed) return;
    if (working.has(key)) dirty.add(key);
    else if (!ready.has(key)) ready.set(key, clock.monotonic());
    start();
  }

  function start(): void {
    while (!closed && working.size < workers) {
      const [first] = ready;
      if (first === undefined) return;
      const [key, since] = first;
      ready.delete(key);
      onTaken?.(clock.monotonic() - since);
      stopWaiting(key); // this look at the key decides anew when the next one is due
      working.set(key, run(key));
    }
  }

  async function run(key: string): Promise<void> {
    const attempt = attemptOf(key);
    const isRetry = overdue.delete(key);
    // The work begins after `working` knows of it. Work that waits for nothing would else leave no turn to anything else.
    const outcome = await (turns.areDue ? turns.take() : Promise.resolve())
      .then(() => work(key, attempt))
      .then(
        (again) => ({ again }),
        (error: unknown) => ({ error }),
      );
    working.delete(key);
    if ('error' in outcome) fail(key, outcome.error, attempt, isRetry);
    else {
      failing.delete(key);
      const { afterMilliseconds } = outcome.again;
      if (afterMilliseconds !== undefined) addAfter(key, afterMilliseconds);
    }
    if (dirty.delete(key)) add(key);
    start();
  }

  function attemptOf(key: string): Attempt {
    const before = failing.get(key);
    return before === undefined
      ? { failures: 0, failingFor: 0 }
      : { failures: before.failures, failingFor: clock.monotonic() - before.since };
  }

  function fail(key: string, error: unknown, attempt: Attempt, isRetry: boolean): void {
    const entry = failing.get(key) ?? { failures: 0, since: clock.monotonic() };
    // An attempt that an event brought forward says nothing of how long the waits should be.
    if (isRetry || entry.failures === 0) entry.failures += 1;
    failing.set(key, entry);
    // 2^30 half-seconds are beyond every cap
    const wait = Math.min(backOff.most, backOff.first * 2 ** Math.min(30, entry.failures - 1));
    addAfter(key, wait * (0.5 + random() / 2));
    onFailure(key, error, attempt);
  }

  function addAfter(key: string, milliseconds: number): void {
    if (closed) return;
    const due = clock.monotonic() + milliseconds;
    const earlier = waiting.get(key);
    if (earlier !== undefined && earlier.due <= due) return;
    earlier?.cancel();
    const cancel = clock.after(milliseconds, () => {
      waiting.delete(key);
      overdue.add(key);
      add(key);
    });
    waiting.set(key, { due, cancel });
  }

  function stopWaiting(key: string): void {
    waiting.get(key)?.cancel();
    waiting.delete(key);
  }

  return {
    add,
    addAfter,
    size: () => ({ ready: ready.size, working: working.size, waiting: waiting.size }),
    async close() {
      closed = true;
      for (const key of [...waiting.keys()]) stopWaiting(key);
      ready.clear();
      await Promise.all(working.values());
    },
  };
}

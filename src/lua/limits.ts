/** What one run of a script may use. All are upper bounds; a run that reaches one ends with a `limit` error. */
export type Limits = {
  /** Loop turns, calls and pattern steps together. */
  readonly steps: number;
  /**
   * CPU time of the thread, so that a busy machine ends no run; looked at every few hundred steps. It can only end a
   * run, never change what a run returns.
   */
  readonly milliseconds: number;
  /** Bytes of all strings that the script builds. */
  readonly stringBytes: number;
  /** Table entries that the script adds, one for each new table included. */
  readonly entries: number;
  /** Calls inside calls (gopher-lua's own bound is 256). */
  readonly depth: number;
  /** Bytes of source that may be compiled, modules and `load` together. */
  readonly sourceBytes: number;
};

/**
 * Reckoned from the largest object that the API server stores (1.5 MiB, about 1,000 routes of a VirtualService): a
 * script that walks each of its values a hundred times stays below.
 */
export const DEFAULT_LIMITS: Limits = {
  steps: 10_000_000,
  milliseconds: 700,
  stringBytes: 64 * 1024 * 1024,
  entries: 500_000,
  depth: 250,
  sourceBytes: 256 * 1024,
};

/** One string may be this long: more than any object holds, and cheap to build. */
export const LONGEST_STRING = 4 * 1024 * 1024;

/** Thrown when a limit is reached. It is no Lua error: `pcall` does not see it. */
export class LimitReached extends Error {
  override readonly name = 'LimitReached';
  readonly reason: 'limit' | 'time';

  constructor(message: string, reason: 'limit' | 'time' = 'limit') {
    super(message);
    this.reason = reason;
  }
}

const TURN = 250;

/** What this thread has computed so far. A thread that waits for a core computes nothing. */
function threadMilliseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Counts what one run uses. The hot paths only decrement {@link Meter.fuel}; the rest happens once in a few hundred steps. */
export class Meter {
  /**
   * Steps left until the next look at the limits; a caller that takes it below zero calls {@link Meter.refill}. The
   * first look comes with the first step, so that a line is known early.
   */
  fuel = 0;
  entries = 0;
  readonly limits: Limits;
  readonly onTurn: ((line: number) => void) | undefined;
  #steps = 0;
  #filled = 0;
  #stringBytes = 0;
  #sourceBytes = 0;
  readonly #cpuAtStart = threadMilliseconds();
  /** On the monotonic clock: before it no run can have used its CPU time up. */
  #nextLook: number;

  /** `onTurn` is told the line being run, once in a few hundred steps: it is how a stopped thread's line is known. */
  constructor(limits: Limits, onTurn?: (line: number) => void) {
    this.limits = limits;
    this.onTurn = onTurn;
    this.#nextLook = performance.now() + limits.milliseconds;
  }

  /** @throws LimitReached when steps, time or table entries are used up. */
  refill(line: number): void {
    this.#steps += this.#filled - this.fuel;
    this.fuel = TURN;
    this.#filled = TURN;
    this.onTurn?.(line);
    if (this.#steps > this.limits.steps) {
      throw new LimitReached(`stopped after ${this.limits.steps} steps: is there a loop that never ends?`);
    }
    this.checkTime();
    this.checkEntries();
  }

  /** @throws LimitReached when the time is up. */
  checkTime(): void {
    const now = performance.now();
    if (now <= this.#nextLook) return;
    const left = this.limits.milliseconds - (threadMilliseconds() - this.#cpuAtStart);
    if (left <= 0) {
      throw new LimitReached(`stopped after ${this.limits.milliseconds} ms: is there a loop that never ends?`, 'time');
    }
    this.#nextLook = now + left;
  }

  /** @throws LimitReached when the tables hold more than they may. */
  checkEntries(): void {
    if (this.entries > this.limits.entries) {
      throw new LimitReached(`stopped: its tables hold more than ${this.limits.entries} entries`);
    }
  }

  /** Takes account of a string before it is built. @throws LimitReached */
  string(length: number): void {
    this.longest(length);
    this.#stringBytes += length;
    if (this.#stringBytes > this.limits.stringBytes) {
      throw new LimitReached(`stopped: its strings take more than ${this.limits.stringBytes} bytes`);
    }
  }

  /** Refuses a string that grows too long piece by piece. @throws LimitReached */
  longest(length: number): void {
    if (length > LONGEST_STRING) {
      throw new LimitReached(`stopped: it builds a string of more than ${LONGEST_STRING} bytes`);
    }
  }

  /** Takes account of source before it is compiled. @throws LimitReached */
  source(length: number): void {
    this.#sourceBytes += length;
    if (this.#sourceBytes > this.limits.sourceBytes) {
      throw new LimitReached(`stopped: its source is longer than ${this.limits.sourceBytes} bytes`);
    }
  }
}

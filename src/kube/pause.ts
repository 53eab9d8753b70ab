/** Waits between attempts that failed: from `least`, doubled each time up to `most`, each with up to half taken off. */
export class Backoff {
  readonly #least: number;
  readonly #most: number;
  readonly #random: () => number;
  #next: number;

  /** Milliseconds; `random` gives numbers from 0 to 1. */
  constructor(least: number, most: number, random: () => number = Math.random) {
    this.#least = least;
    this.#most = most;
    this.#random = random;
    this.#next = least;
  }

  /** The next wait in milliseconds. */
  next(): number {
    const wait = this.#next;
    this.#next = Math.min(this.#most, wait * 2);
    return jittered(wait, this.#random);
  }

  reset(): void {
    this.#next = this.#least;
  }
}

/** Takes up to half off, so that those who failed together do not come back together. */
export function jittered(milliseconds: number, random: () => number = Math.random): number {
  return milliseconds * (1 - random() / 2);
}

/** A wait that can be cut short from outside. */
export class Pause {
  #wake: (() => void) | undefined;

  /** Resolves after so many milliseconds, at {@link wake}, or when the signal is aborted, whichever is first. */
  async wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
    this.#wake = end;
    await promise;
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    this.#wake = undefined;
  }

  wake(): void {
    this.#wake?.();
  }
}

/** Lets timers and connections have their turn when a stretch of work has taken long. */
export class Turns {
  readonly #longest: number;
  #since = performance.now();
  #taking: Promise<void> | undefined;

  /** `longest`: milliseconds of work between two turns of the event loop. */
  constructor(longest = 10) {
    this.#longest = longest;
  }

  /** Whether it is time to await {@link take}. */
  get areDue(): boolean {
    return performance.now() - this.#since > this.#longest;
  }

  /** All who wait take the same turn, and have the next stretch together. */
  take(): Promise<void> {
    this.#taking ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#taking = undefined;
        this.#since = performance.now();
        resolve();
      });
    });
    return this.#taking;
  }
}

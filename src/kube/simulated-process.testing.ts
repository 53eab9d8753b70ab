import type { Clock } from './clock.ts';

type Timer = { readonly due: number; readonly order: number; readonly run: () => void };

/** Time that passes from event to event, the same for all simulated processes. Whole milliseconds: sums stay exact. */
export class VirtualTime {
  readonly #timers = new Set<Timer>();
  #order = 0;
  now = 0;

  after(milliseconds: number, run: () => void): () => void {
    const timer = { due: this.now + Math.max(0, Math.ceil(milliseconds)), order: this.#order++, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Lets time pass; `look` is called after each event, when everything that follows from it has happened. */
  async pass(milliseconds: number, look: () => void = () => undefined): Promise<void> {
    const end = this.now + milliseconds;
    await settled();
    for (let next = this.#next(); next !== undefined && next.due <= end; next = this.#next()) {
      this.#timers.delete(next);
      this.now = next.due;
      look();
      next.run();
      await settled();
      look();
    }
    this.now = end;
    look();
  }

  #next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (first === undefined || timer.due < first.due || (timer.due === first.due && timer.order < first.order)) {
        first = timer;
      }
    }
    return first;
  }
}

/** Everything that only waits for promises is done: a macrotask comes after all microtasks. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * A process with clocks of its own. While it is stalled nothing runs in it: timers and answers wait, its clocks do not.
 * One that was killed never runs again.
 */
export class SimulatedProcess implements Clock {
  readonly #time: VirtualTime;
  readonly #booted: number;
  #wallOffset: number;
  #suspended = 0;
  #stalledUntil = 0;
  #isKilled = false;

  constructor(time: VirtualTime, { booted, wallOffset }: { booted: number; wallOffset: number }) {
    this.#time = time;
    this.#booted = booted;
    this.#wallOffset = wallOffset;
  }

  get isAlive(): boolean {
    return !this.#isKilled;
  }

  now(): Date {
    return new Date(Date.UTC(2026, 0, 1) + this.#wallOffset + this.#time.now);
  }

  monotonic(): number {
    return this.#booted + this.#time.now - this.#suspended;
  }

  after(milliseconds: number, run: () => void): () => void {
    return this.#time.after(milliseconds, () => this.deliver(run));
  }

  /** Runs what comes from outside, as soon as this process runs. */
  deliver(run: () => void): void {
    if (this.#isKilled) return;
    if (this.#stalledUntil > this.#time.now)
      this.#time.after(this.#stalledUntil - this.#time.now, () => this.deliver(run));
    else run();
  }

  stall(milliseconds: number): void {
    this.#stalledUntil = Math.max(this.#stalledUntil, this.#time.now + milliseconds);
  }

  /** The whole machine sleeps: its monotonic clock stands still, the wall clock is set right afterwards. */
  suspend(milliseconds: number): void {
    this.stall(milliseconds);
    const clock = this.#time;
    const step = 100;
    for (let past = step; past <= milliseconds; past += step) {
      clock.after(past, () => {
        this.#suspended += step;
      });
    }
  }

  jump(milliseconds: number): void {
    this.#wallOffset += milliseconds;
  }

  kill(): void {
    this.#isKilled = true;
  }
}

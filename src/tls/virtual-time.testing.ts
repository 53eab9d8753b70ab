import { setImmediate } from 'node:timers/promises';
import type { Clock } from './clock.ts';

/** Time that passes only when told to: from timer to timer. */
export class VirtualTime implements Clock {
  readonly #timers = new Set<{ at: number; callback: () => void }>();
  #elapsed = 0;
  #wall: number;

  constructor(start: number) {
    this.#wall = start;
  }

  now(): number {
    return this.#wall + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  after(milliseconds: number, callback: () => void): () => void {
    if (!(milliseconds >= 0)) throw new Error(`no time to wait: ${milliseconds}`);
    const timer = { at: this.#elapsed + milliseconds, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Sets the wall clock without any time passing. */
  jump(milliseconds: number): void {
    this.#wall += milliseconds;
  }

  /** Another machine's clock, ahead by so many milliseconds. */
  ahead(milliseconds: number): Clock {
    return {
      now: () => this.now() + milliseconds,
      monotonic: () => this.monotonic(),
      after: (wait, callback) => this.after(wait, callback),
    };
  }

  /** Goes to the next timer, calls it, and lets everything that follows from it happen; `before` sees the instant first. */
  async step(before: () => void = () => undefined): Promise<void> {
    await setImmediate();
    const [next] = [...this.#timers].toSorted((a, b) => a.at - b.at);
    if (!next) throw new Error('nothing will ever happen again');
    this.#timers.delete(next);
    this.#elapsed = next.at;
    before();
    next.callback();
    await setImmediate();
  }

  /** Steps through all timers of the next so many milliseconds. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#elapsed + milliseconds;
    let over = false;
    this.after(milliseconds, () => {
      over = true;
    });
    while (!over) await this.step();
    if (this.#elapsed !== end) throw new Error('time went wrong');
  }
}

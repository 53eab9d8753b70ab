import type { Clock } from './clock.ts';

/** A clock that stands still until it is told to go on; work that a timer starts is awaited. */
export type VirtualClock = Clock & {
  /** Lets so much time pass, timer by timer, with what they start finished in between: one turn of the event loop does. */
  pass(milliseconds: number, finished?: () => Promise<void>): Promise<void>;
  /** Goes on to the next timer, and runs it. @throws when nothing is waited for */
  step(): Promise<void>;
  /** How many timers run. */
  waiting(): number;
  /** The wall clock jumps; the monotonic one does not notice. */
  jump(milliseconds: number): void;
};

type Timer = { readonly due: number; readonly order: number; readonly run: () => void };

export function virtualClock(start = Date.UTC(2026, 0, 1)): VirtualClock {
  const timers = new Set<Timer>();
  let [elapsed, offset, order] = [0, 0, 0];
  const next = () => [...timers].sort((a, b) => a.due - b.due || a.order - b.order)[0];
  return {
    now: () => new Date(start + offset + elapsed),
    monotonic: () => elapsed,
    after(milliseconds, run) {
      const timer = { due: elapsed + Math.max(0, milliseconds), order: order++, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async pass(milliseconds, finished = settled) {
      const end = elapsed + milliseconds;
      await finished();
      for (let timer = next(); timer !== undefined && timer.due <= end; timer = next()) {
        timers.delete(timer);
        elapsed = timer.due;
        timer.run();
        await finished();
      }
      elapsed = end;
    },
    async step() {
      const timer = next();
      if (timer === undefined) throw new Error('nothing is waited for');
      timers.delete(timer);
      elapsed = timer.due;
      timer.run();
      await settled();
    },
    waiting: () => timers.size,
    jump(milliseconds) {
      offset += milliseconds;
    },
  };
}

/** Everything that only waits for promises is done: a macrotask comes after all microtasks. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

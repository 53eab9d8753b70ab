import type { Clock } from '../kube/clock.ts';

/** A clock that stands still until it is told to go on; work that a timer starts is awaited. */
export type VirtualClock = Clock & {
  /** Lets so much time pass, timer by timer, with what they start finished in between. */
  pass(milliseconds: number): Promise<void>;
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
    async pass(milliseconds) {
      const end = elapsed + milliseconds;
      await settled();
      for (let timer = next(); timer !== undefined && timer.due <= end; timer = next()) {
        timers.delete(timer);
        elapsed = timer.due;
        timer.run();
        await settled();
      }
      elapsed = end;
    },
    jump(milliseconds) {
      offset += milliseconds;
    },
  };
}

/** Everything that only waits for promises is done: a macrotask comes after all microtasks. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

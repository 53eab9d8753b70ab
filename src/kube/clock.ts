/**
 * Time as a process sees it. The two clocks are kept apart: what is written for people is told by the wall clock, which
 * may jump; what is waited for is measured by the monotonic one, which may not.
 */
export type Clock = {
  /** Wall clock. */
  now(): Date;
  /** Milliseconds since some moment of this process. */
  monotonic(): number;
  /** Runs something once, after so many milliseconds of the monotonic clock; the answer calls it off. */
  after(milliseconds: number, run: () => void): () => void;
};

export const SYSTEM_CLOCK: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds);
    return () => clearTimeout(timer);
  },
};

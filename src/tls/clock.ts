/** Time, as the keeper needs it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds on a clock that is never set. */
  monotonic(): number;
  /** Calls back once after so many milliseconds; returns what calls it off. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** The time of this machine; its timers do not keep a process alive. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};

import type { Channel } from './terminal.ts';

/** Work that is over sooner needs no news of it. */
const PATIENCE_MS = 1_000;
const EVERY_MS = 100;
const CLEAR_LINE = '\r\x1b[K';

/** Says how far the work is, on one line of a terminal that is written over; nothing in a pipe. */
export type Progress = {
  /** A part of the work begins. */
  at(what: string): void;
  /** Takes the line away; to be called before anything else is written. */
  end(): void;
};

/** @param now milliseconds of a clock that only goes forward */
export function openProgress(channel: Channel, now: () => number = () => performance.now()): Progress {
  const start = now();
  let last = start;
  let shown = false;
  return {
    at(what) {
      const time = now();
      if (!channel.isTerminal || time - start < PATIENCE_MS || time - last < EVERY_MS) return;
      last = time;
      shown = true;
      channel.write(`${CLEAR_LINE}${channel.paint('dim', `… ${what}`)}`);
    },
    end() {
      if (shown) channel.write(CLEAR_LINE);
      shown = false;
    },
  };
}

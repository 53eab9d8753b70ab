import type { Log } from '../server/log.ts';
import { stopOnSignal } from '../server/signals.ts';
import type { Surroundings } from './terminal.ts';

/** The exit code of a second signal: it waits for nothing. */
const AT_ONCE = 130;

/** Resolves with the exit code once a signal has come and `close` has finished what runs. */
export function ended(
  close: () => Promise<'finished' | 'cut off'>,
  { signals, exit }: Surroundings,
  log: Log,
): Promise<number> {
  return new Promise((resolve) => {
    const onEnd = (code: number) => {
      if (code === AT_ONCE) exit(code);
      else resolve(code);
    };
    stopOnSignal(signals, close, onEnd, log);
  });
}

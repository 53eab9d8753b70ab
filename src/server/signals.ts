import type { Log } from './log.ts';

/** The part of `process` that says when to stop. */
export type Signals = { on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown };

/**
 * Stops at the first SIGTERM or SIGINT, and leaves at once at the second.
 * @param stop finishes what runs; how it ended goes to the log.
 * @param exit ends the process: 0 when all was finished, 1 when something was cut off or failed, 130 at once.
 */
export function stopOnSignal(
  signals: Signals,
  stop: () => Promise<'finished' | 'cut off'>,
  exit: (code: number) => void,
  log: Log,
): void {
  let stopping = false;
  const onSignal = async (signal: string): Promise<void> => {
    if (stopping) {
      exit(130);
      return;
    }
    stopping = true;
    log.info({ signal }, 'stopping');
    try {
      exit((await stop()) === 'finished' ? 0 : 1);
    } catch (error) {
      log.error({ err: error }, 'stopping failed');
      exit(1);
    }
  };
  signals.on('SIGTERM', () => void onSignal('SIGTERM'));
  signals.on('SIGINT', () => void onSignal('SIGINT'));
}

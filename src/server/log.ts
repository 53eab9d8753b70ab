import { type Logger, pino } from 'pino';

export type Log = Logger;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** A logger, and what writes out the lines that it still holds: to be called before the process ends. */
export type OpenLog = { readonly log: Log; readonly flush: () => void };

/** Where lines go when it is neither standard output nor a file descriptor: tests and the demo read them. */
export type LineSink = { write(line: string): void };

/**
 * Makes the one logger of a process: JSON lines, to standard output unless told otherwise. Lines to a descriptor are
 * gathered and written in blocks of 12 KiB, at the latest after a second: a write for each line would cost more than
 * everything else that a request is logged with. Whoever ends the process flushes first.
 */
export function openLog(level: LogLevel, sink: LineSink | number = 1): OpenLog {
  if (typeof sink !== 'number') return { log: pino({ level, base: null }, sink), flush: nothingHeld };
  const destination = pino.destination({ fd: sink, sync: false, minLength: 12_288, periodicFlush: 1000 });
  return { log: pino({ level, base: null }, destination), flush: () => destination.flushSync() };
}

function nothingHeld(): void {
  // A sink of the caller's own is written line by line.
}

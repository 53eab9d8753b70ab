import type { CpuTime, ServerReady } from './messages.ts';

/**
 * Tells the process that started this one where it listens, and from then on, whenever it asks (with any message), how
 * much CPU time it took. Ends with that process.
 * @param flush what to write before the end.
 */
export function serveParent(port: number, flush: () => void): void {
  const ready: ServerReady = { port };
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    const time: CpuTime = { microseconds: user + system };
    process.send?.(time);
  });
  process.on('disconnect', () => {
    flush();
    process.exit();
  });
  process.send?.(ready);
}

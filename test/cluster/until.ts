import { setTimeout as sleep } from 'node:timers/promises';

const EVERY_MILLISECONDS = 100;

/**
 * Waits until `condition` gives a value that is neither false nor undefined, and returns it. A condition that throws has
 * not come yet.
 * @param what completes "waited … for", in the error
 * @throws when `timeoutSeconds` have passed, with the last error
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutSeconds = 30,
): Promise<Exclude<T, false | undefined>> {
  const end = performance.now() + timeoutSeconds * 1000;
  for (;;) {
    let last: unknown;
    try {
      const value = await condition();
      if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`waited ${timeoutSeconds} s for ${what}`, { cause: last });
    await sleep(EVERY_MILLISECONDS);
  }
}

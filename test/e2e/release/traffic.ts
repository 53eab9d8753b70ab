import { setTimeout as sleep } from 'node:timers/promises';
import { trafficProblems } from '../../release/invariants.ts';
import type { Shop } from './shop.ts';

const EVERY_MILLISECONDS = 700;

/** Looks at the traffic of a shop again and again, as users would meet it. */
export type TrafficWatch = {
  /** What was wrong (P8), with the time. */
  readonly problems: string[];
  /** How often it was looked at. */
  looks(): number;
  stop(): Promise<void>;
};

/**
 * @param counted on how many replicas traffic may count now, of those that are asked for: pods that somebody has just
 * asked for take their time, and of those that somebody has deleted or broken none count (0)
 */
export function watchTraffic(shop: Shop, counted: () => number = () => Number.POSITIVE_INFINITY): TrafficWatch {
  const problems: string[] = [];
  const stopping = new AbortController();
  let looks = 0;
  const look = async () => {
    const before = counted();
    const seen = await shop.traffic();
    if (seen === 'moving') return;
    const replicas = Math.min(seen.replicas, before, counted());
    if (replicas === 0 && seen.replicas > 0) return;
    looks += 1;
    const found = trafficProblems({ ...seen, replicas }, shop.name);
    if (found.length > 0)
      problems.push(
        `${new Date().toISOString()} in ${await shop.stands()}: ${found.join('; ')} ${JSON.stringify(seen)}`,
      );
  };
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      await look().catch((error: unknown) => problems.push(String(error)));
      await sleep(EVERY_MILLISECONDS);
    }
  })();
  return {
    problems,
    looks: () => looks,
    async stop() {
      stopping.abort();
      await watching;
    },
  };
}

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

/** @param isCalm whether pods may be counted on now: nobody has just deleted one, or asked for more */
export function watchTraffic(shop: Shop, isCalm: () => boolean = () => true): TrafficWatch {
  const problems: string[] = [];
  const stopping = new AbortController();
  let looks = 0;
  const look = async () => {
    const wasCalm = isCalm();
    const seen = await shop.traffic();
    if (seen === 'moving' || !wasCalm || !isCalm()) return;
    looks += 1;
    const found = trafficProblems(seen, shop.name);
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

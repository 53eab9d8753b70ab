import { expect, test } from 'vitest';
import type { JsonMap } from '../../src/json/value.ts';
import { opened } from './opened.ts';
import { ROUTING } from './world.ts';

/** Traffic moves in whole percents: of a number that does not divide 100 an old pod may be needed for less than one of them. */
test.each<[number, number, number, number]>([
  [7, 1, 0, 8],
  [10, 1, 0, 11],
  [30, 1, 0, 31],
  [30, 0, 1, 30],
  [60, 1, 0, 61],
])(
  'partition: of %s pods, with maxSurge %s and maxUnavailable %s, there are never more than %s and the one that a whole percent may need',
  async (replicas, maxSurge, maxUnavailable, most) => {
    const steps: JsonMap[] = [{ traffic: '50%', replicas: '50%', pause: {} }, { replicas: '100%' }];
    const seen: number[] = [];
    const world = await opened({
      strategy: { canary: { steps, trafficRoutings: [ROUTING] } },
      replicas,
      spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } },
      onRest: ({ desired }) => void seen.push(Object.values(desired()).reduce((sum, count) => sum + count, 0)),
    });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused', 600);
    expect(Math.max(...seen)).toBeLessThanOrEqual(most + 1);
  },
);

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonMap } from '../../../src/json/value.ts';
import { cluster } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';
import { backToNormal } from './normal.ts';
import { openShop, routing } from './shop.ts';

const server = cluster();
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
});
afterAll(async () => {
  await sluice?.uninstall();
});
afterAll(() => expectNoTakenFields(server.client));

const STEPS: JsonMap[] = [
  { traffic: '20%', replicas: '25%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: { duration: 1 } },
  { replicas: '100%' },
];
const STRATEGIES: Record<string, JsonMap> = {
  partition: { canary: { steps: STEPS, trafficRoutings: [routing] } },
  canary: { canary: { enableExtraWorkloadForCanary: true, steps: STEPS, trafficRoutings: [routing] } },
  'blue-green': {
    blueGreen: {
      steps: [
        { replicas: '25%', traffic: '20%', pause: {} },
        { replicas: '100%', traffic: '100%', pause: { duration: 1 } },
      ],
      trafficRoutings: [routing],
      scaleDownDelaySeconds: 2,
    },
  },
};

/** Pods of v1 and v2 in the pause of step 1. */
const IN_STEP_1: Record<string, Record<string, { desired: number; ready: number }>> = {
  partition: { v1: { desired: 4, ready: 4 }, v2: { desired: 1, ready: 1 } },
  canary: { v1: { desired: 4, ready: 4 }, v2: { desired: 1, ready: 1 } },
  'blue-green': { v1: { desired: 4, ready: 4 }, v2: { desired: 1, ready: 1 } },
};

describe.each(Object.entries(STRATEGIES))('%s', (style, strategy) => {
  test('a new version is held, released step by step with its traffic, and the objects are their owner’s again', async () => {
    const shop = await openShop(server, { strategy });
    await shop.release('v2');
    await shop.reaches(1, 'StepPaused');
    expect(await shop.pods()).toEqual(IN_STEP_1[style]);
    expect(await shop.weights()).toEqual({ web: 80, 'web-canary': 20 });
    await shop.approve();
    await shop.ends('Success', 90);
    await backToNormal(server, shop, { version: 'v2' });
  });

  test('the old version, applied again, takes traffic and pods back; a third version takes the place of a second', async () => {
    const shop = await openShop(server, { strategy });
    await shop.release('v2');
    await shop.reaches(1, 'StepPaused');
    await shop.release('v3');
    await until('the second version to be gone', async () => ((await shop.pods())['v2']?.desired ?? 0) === 0, 60);
    await shop.reaches(1, 'StepPaused');
    expect((await shop.pods())['v3']).toEqual({ desired: 1, ready: 1 });
    await shop.release('v1');
    await shop.ends('Rollback', 60);
    await backToNormal(server, shop, { version: 'v1' });
  });
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Json, stringAt } from '../../../src/json/value.ts';
import { cluster } from '../../cluster/cluster.ts';
import { installGateways } from '../faults/shop.ts';
import { type Installed, installSluice } from '../installed.ts';
import { openShop, routing } from './shop.ts';

const server = cluster();
let sluice: Installed;

beforeAll(async () => {
  await installGateways(server);
  sluice = await installSluice(server);
});
afterAll(async () => {
  await sluice?.uninstall();
});

/** What `echoDeployment` writes for another version. */
function inVersion(spec: Json | undefined, version: string): string {
  return JSON.stringify(spec)
    .replace('"version":"v1"', `"version":"${version}"`)
    .replace('"value":"v1"', `"value":"${version}"`);
}

const STEPS = [
  { traffic: '20%', replicas: '25%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: { duration: 1 } },
  { replicas: '100%' },
];

test('a new version is held, released step by step with its traffic, and the objects are their owner’s again', async () => {
  const shop = await openShop(server, { strategy: { canary: { steps: STEPS, trafficRoutings: [routing] } } });
  const before = (await shop.deployment())['spec'];
  await shop.release('v2');
  await shop.reaches(1, 'StepPaused');
  expect(await shop.pods()).toEqual({ v1: { desired: 4, ready: 4 }, v2: { desired: 1, ready: 1 } });
  expect(await shop.weights()).toEqual({ web: 80, 'web-canary': 20 });
  await shop.approve();
  const after = await shop.ends('Success', 60);
  expect(stringAt(after, 'status', 'phase')).toBe('Healthy');
  expect(await shop.pods()).toEqual({ v1: { desired: 0, ready: 0 }, v2: { desired: 4, ready: 4 } });
  expect(await shop.weights()).toEqual({ web: 100 });
  expect(JSON.stringify((await shop.deployment())['spec'])).toBe(inVersion(before, 'v2'));
});
